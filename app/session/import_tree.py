"""What a scan found, as a tree that a person can choose from: patient, study, series. Pure; nothing is read here."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.dicom.display_sets import display_sets
from app.domain.study import DisplaySet, DisplaySetKind, Instance, Patient, Series, Study
from app.domain.study_lookup import instances_by_uid
from app.session.clock import dicom_date
from app.session.import_journal import series_key, study_key
from app.session.people import masked_number
from app.session.views import NOTHING, Words

_SEX = {"M": "sex.m", "F": "sex.f", "O": "sex.o"}
_REGULAR = 0.01


@dataclass(frozen=True)
class SeriesNode:
    key: str
    title: str
    note: Words
    modality: str
    instances: tuple[Instance, ...]
    display_set: DisplaySet | None
    """The one that its picture is made of."""

    @property
    def size_bytes(self) -> int:
        return sum(i.size_bytes for i in self.instances)


@dataclass(frozen=True)
class StudyNode:
    key: str
    study: Study
    modality: str
    title: str
    subtitle: str
    series: tuple[SeriesNode, ...]
    shares_uid: bool = False
    """Another patient of this scan, or of the library, has the same Study Instance UID."""

    @property
    def picture(self) -> SeriesNode | None:
        """The series that stands for the study: the longest with a picture."""
        shown = [s for s in self.series if s.display_set is not None]
        return max(shown, key=lambda s: len(s.display_set.frames) if s.display_set else 0, default=None)


@dataclass(frozen=True)
class PatientNode:
    key: str
    patient: Patient
    name: str
    line: Words
    place: Words
    """Whether the library knows this person."""
    studies: tuple[StudyNode, ...]
    suspicious: bool = False
    """The library has the same number for somebody who seems to be another person."""


def patient_key(patient: Patient) -> str:
    return "\x1f".join(patient.key)


def build_tree(
    studies: Sequence[Study],
    known: Mapping[str, Sequence[Patient]],
    owners: Mapping[str, str],
) -> tuple[PatientNode, ...]:
    """``known``: patients of the library by patient number. ``owners``: ``patient_key`` by Study UID of the library."""
    persons: dict[tuple[str, str, str, str], list[Study]] = {}
    for study in studies:
        persons.setdefault(study.patient.key, []).append(study)
    uses: dict[str, int] = {}
    for study in studies:
        uses[study.study_instance_uid] = uses.get(study.study_instance_uid, 0) + 1
    nodes = []
    for group in persons.values():
        patient = group[0].patient
        place, suspicious = _place(patient, known.get(patient.patient_id, ()) if patient.patient_id else ())
        made = []
        for study in sorted(group, key=lambda s: s.study_datetime, reverse=True):
            owner = owners.get(study.study_instance_uid, "")
            shares = uses[study.study_instance_uid] > 1 or bool(owner and owner != patient_key(patient))
            made.append(_study_node(study, shares))
        nodes.append(
            PatientNode(
                patient_key(patient),
                patient,
                patient.name.display(),
                patient_words(patient),
                place,
                tuple(made),
                suspicious,
            )
        )
    return tuple(sorted(nodes, key=lambda n: (not n.name, n.name.casefold())))


def patient_words(patient: Patient) -> Words:
    """Sex, birth date and masked number."""
    params: dict[str, str | int | float | Words] = {
        "sex": Words(_SEX.get(patient.sex, "sex.unknown")),
        "born": dicom_date(patient.birth_date) if patient.birth_date > "18" else "–",
        "number": masked_number(patient.patient_id) or "–",
    }
    return Words("import.patient_line", params)


def _place(patient: Patient, known: Sequence[Patient]) -> tuple[Words, bool]:
    if not known:
        return Words("import.place.new"), False
    if any(k.key == patient.key for k in known):
        return Words("import.place.known"), False
    same_birth = [k for k in known if k.birth_date == patient.birth_date and patient.birth_date]
    if same_birth:
        return Words("import.place.other_spelling", {"name": same_birth[0].name.display()}), False
    return Words("import.place.other_person", {"name": known[0].name.display()}), True


def _study_node(study: Study, shares: bool) -> StudyNode:
    sets: dict[str, list[DisplaySet]] = {}
    for one in display_sets(study):
        sets.setdefault(one.series_instance_uid, []).append(one)
    by_uid = instances_by_uid(study)
    series = tuple(_series_node(study, s, sets.get(s.series_instance_uid, ()), by_uid) for s in study.series)
    images = [s for s in series if s.modality not in ("SR", "SEG", "PR", "KO", "DOC")] or list(series)
    modality = max(images, key=lambda s: len(s.instances)).modality if images else ""
    when = dicom_date(study.study_datetime)
    parts = [p for p in (when, study.institution) if p]
    title = study.description or " ".join(study.modalities)
    return StudyNode(study_key(study), study, modality, title, " · ".join(parts), series, shares)


def _series_node(study: Study, series: Series, sets: Sequence[DisplaySet], by_uid: Mapping[str, Instance]) -> SeriesNode:
    number = str(series.series_number) if series.series_number is not None else ""
    name = series.description or series.protocol_name or series.body_part_examined or series.modality
    title = " · ".join(p for p in (number, name) if p)
    with_picture = [s for s in sets if s.kind in (DisplaySetKind.STACK, DisplaySetKind.IMAGES, DisplaySetKind.CINE)]
    best = max(with_picture, key=lambda s: len(s.frames), default=None)
    return SeriesNode(series_key(study, series), title, _note(sets, by_uid), series.modality, series.instances, best)


def _note(sets: Sequence[DisplaySet], by_uid: Mapping[str, Instance]) -> Words:
    """What the series is to look at, in a few words."""
    if not sets:
        return NOTHING
    if len(sets) > 1:
        return Words("import.note.parts", {"n": len(sets)})
    one = sets[0]
    frames = len(one.frames)
    if one.kind is DisplaySetKind.CINE:
        return Words("import.note.cine", {"n": frames})
    if one.kind is DisplaySetKind.DOCUMENT:
        return Words("import.note.document")
    if one.kind is DisplaySetKind.DERIVED:
        return Words("import.note.derived")
    if one.kind is DisplaySetKind.IMAGES or frames < 3:
        return Words("import.note.views", {"n": frames})
    positions = []
    for ref in one.frames:
        instance = by_uid.get(ref.sop_instance_uid)
        plane = instance.frames[ref.frame].plane if instance and ref.frame < len(instance.frames) else None
        if plane is not None:
            positions.append(plane.position_along_normal_mm())
    steps = [abs(b - a) for a, b in zip(positions, positions[1:], strict=False)]
    if len(steps) < 2:
        return Words("import.note.slices", {"n": frames})
    middle = statistics.median(steps)
    if middle <= 0:
        return Words("import.note.slices", {"n": frames})
    regular = max(abs(s - middle) for s in steps) <= max(_REGULAR, _REGULAR * middle)
    return Words("import.note.regular" if regular else "import.note.irregular", {"mm": f"{middle:.2f}"})
