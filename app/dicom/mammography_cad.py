"""What the mammography reader says as a Mammography CAD SR (PS3.3 A.35.5, PS3.16 TID 4000), for breast workstations.

Beside the measurement report (TID 1500), which says the same with every number of ours. The template takes no free remarks:
that a result is for research use stands in the Algorithm Parameters, as in the measurement report.

A mark on a place claims no kind of lesion. It is therefore a Selected Region with the certainty that the place is right,
never a mass or a probability of cancer. A cluster of bright points is a Calcification Cluster with their number. No
assessment and no composition category is ever written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from app.dicom import coding
from app.dicom.coding import MAMMOGRAPHIC_VIEWS, VIEW_MODIFIERS
from app.dicom.object_header import (
    DEMONSTRATION,
    MANUFACTURER,
    ObjectHeader,
    declare_own_codes,
    finished,
    first_image,
    is_date,
)
from app.dicom.sr_groups import algorithm_parameters, code_item, concept, container_item, outline_px, text_item
from app.domain.finding import ASYMMETRY, CALCIFICATIONS, Band, Finding, ReaderIdentity, ReadResult, ReadState
from app.domain.measurement import Code
from app.domain.messages import sentence
from app.domain.problem import Severity
from app.domain.study import Instance, Series, Study

MAMMOGRAPHY_CAD_SR = "1.2.840.10008.5.1.4.1.1.88.50"
READER = "breast"
_ABOUT_CHANCES = {"ai.breast.chances_from_film", "ai.breast.clusters_generated", "ai.breast.coarse", "ai.breast.no_clusters"}
"""Remarks without which a certainty would be read for more than it is."""
_CLUSTER_VIEWS = "breast.cluster_views"
_DENSITY = {"R": "breast.dense_area_right", "L": "breast.dense_area_left", "": "breast.dense_area"}


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


_REPORT = _dcm("111036", "Mammography CAD Report")
_LIBRARY = _dcm("111028", "Image Library")
_IMPRESSION = _dcm("111034", "Individual Impression/Recommendation")
_INTENT = _dcm("111056", "Rendering Intent")
_REQUIRED = _dcm("111150", "Presentation Required: Rendering device is expected to present")
_OPTIONAL = _dcm("111151", "Presentation Optional: Rendering device may present")
_FINDING = _dcm("111059", "Single Image Finding")
_SELECTED = _dcm("111099", "Selected region")
_CLUSTER = coding.FINDING_KINDS["calcification_cluster"]
_CALCIFICATIONS = _dcm("111038", "Number of calcifications")
_DESCRIPTION = _dcm("111058", "Selected Region Description")
_CERTAINTY = _dcm("111012", "Certainty of Finding")
_OUTLINE = _dcm("111041", "Outline")
_COMPOSITION = Code("129715009", "SCT", "Breast composition")
_COMPOSITION_ANALYSIS = Code("133890006", "SCT", "Breast composition analysis")
_FIBROGLANDULAR = _dcm("111046", "Percent Fibroglandular Tissue")
_DETECTIONS = _dcm("111064", "Summary of Detections")
_ANALYSES = _dcm("111065", "Summary of Analyses")
_SUCCEEDED = _dcm("111222", "Succeeded")
_PARTIALLY = _dcm("111223", "Partially Succeeded")
_FAILED = _dcm("111224", "Failed")
_NOT_ATTEMPTED = _dcm("111225", "Not Attempted")
_LANGUAGE = _dcm("121049", "Language of Content Item and Descendants")
_ENGLISH = Code("en-US", "RFC5646", "English (United States)")
_LIBRARY_PLACE = 2
"""Of the image library among the children of the root, for references."""


@dataclass(frozen=True)
class _Film:
    """One image of the library and its place there, from 1."""

    series: Series
    instance: Instance
    number: int
    was_read: bool

    @property
    def side(self) -> str:
        side = self.instance.laterality or self.series.laterality
        return side if side in ("R", "L") else ""


@dataclass(frozen=True)
class _Program:
    """What made the marks, and what every statement of it must say."""

    reader: ReaderIdentity
    remarks: tuple[str, ...] = ()


def wanted(result: ReadResult) -> bool:
    """Whether a result is one that breast workstations have a document for."""
    return result.reader.name == READER


def mammography_cad_sr(study: Study, result: ReadResult, header: ObjectHeader) -> bytes:
    """Part 10 bytes; the same for the same input. Raises ``dicom.no_images`` for a study without pixels."""
    films = _films(study, result)
    remarks = [sentence("en", p) for p in result.problems if p.code in _ABOUT_CHANCES]
    remarks += [f"{DEMONSTRATION}. Not about a real patient."] if header.demonstration else []
    program = _Program(result.reader, tuple(remarks))
    marks = sorted(
        (f for f in result.findings if f.location.centre_px is not None),
        key=lambda f: (-(f.probability or 0.0), f.finding_id),
    )
    impressions = _impressions(study, films, marks, program) + _densities(films, result, program)
    detections, analyses = _status_of_films(films, result), _status_of_density(result)
    children = [
        code_item("HAS CONCEPT MOD", _LANGUAGE, _ENGLISH),
        container_item("CONTAINS", _LIBRARY, []),
        _nested(code_item("CONTAINS", coding.SUMMARY, _summary(detections, bool(impressions))), impressions),
        _nested(code_item("CONTAINS", _DETECTIONS, detections), _detections(films, result, detections, program)),
        _nested(code_item("CONTAINS", _ANALYSES, analyses), _analyses(films, analyses, program)),
    ]
    _nested(children[_LIBRARY_PLACE - 1], [_library_entry(study, film) for film in films])
    ds = _document(study, films, header)
    _nested(ds, children)
    return finished(ds, study, header)


def _nested(item: Any, children: Sequence[Any]) -> Any:
    """Children of every value type, by value or by reference; a container may be given its content later."""
    if children:
        # highdicom's own attribute takes no items by reference.
        item.add_new("ContentSequence", "SQ", DicomSequence(list(children)))
    return item


def _document(study: Study, films: Sequence[_Film], header: ObjectHeader) -> Any:
    """SR Document Series and General modules (PS3.3 C.17.1, C.17.2) and the root (TID 4000)."""
    ds: Any = Dataset()
    ds.SOPClassUID = MAMMOGRAPHY_CAD_SR
    ds.Modality = "SR"
    ds.ReferencedPerformedProcedureStepSequence = DicomSequence([])
    ds.PerformedProcedureCodeSequence = DicomSequence([])
    ds.CompletionFlag, ds.VerificationFlag, ds.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "FINAL"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = DicomSequence([concept(_REPORT)])
    template: Any = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "4000"
    ds.ContentTemplateSequence = DicomSequence([template])
    evidence: Any = Dataset()
    evidence.StudyInstanceUID = study.study_instance_uid
    rows = []
    for uid, of_series in groupby(films, lambda f: f.series.series_instance_uid):
        row: Any = Dataset()
        row.SeriesInstanceUID = uid
        row.ReferencedSOPSequence = DicomSequence([_reference(f.instance) for f in of_series])
        rows.append(row)
    evidence.ReferencedSeriesSequence = DicomSequence(rows)
    ds.CurrentRequestedProcedureEvidenceSequence = DicomSequence([evidence])
    declare_own_codes(ds)
    return ds


def _reference(instance: Instance) -> Any:
    ref: Any = Dataset()
    ref.ReferencedSOPClassUID, ref.ReferencedSOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
    return ref


# -- images ----------------------------------------------------------------------------------------------------------


def _films(study: Study, result: ReadResult) -> list[_Film]:
    """Images that were read, and the other mammograms that were there to be read, in the order of the study."""
    named = {h.sop_instance_uid for h in result.heatmaps} | {f.location.sop_instance_uid for f in result.findings}
    ended = result.state in (ReadState.COMPLETED, ReadState.INCOMPLETE)
    pictures = [(s, i) for s in study.series for i in s.instances if i.pixel_format is not None or i.frames]
    shown = [p for p in pictures if p[0].modality == "MG"]
    presented = [p for p in shown if "PROCESSING" not in p[1].presentation_intent_type.upper()]
    chosen = [p for p in pictures if p[1].sop_instance_uid in named or p in (presented or shown)]
    if not chosen:
        first = first_image(study)
        chosen = [p for p in pictures if p[1].sop_instance_uid == first]
    return [
        _Film(series, instance, n, ended and (not named or instance.sop_instance_uid in named))
        for n, (series, instance) in enumerate(chosen, 1)
    ]


def _library_entry(study: Study, film: _Film) -> Any:
    """CAD Image Library Entry (TID 4020): what a display needs to lay marks of another image over a view."""
    import highdicom as hd

    instance = film.instance
    about: list[Any] = []
    side = {"R": ("73056007", "Right breast"), "L": ("80248007", "Left breast")}.get(film.side)
    if side is not None:
        about.append(code_item("HAS ACQ CONTEXT", _dcm("111027", "Image Laterality"), Code(side[0], "SCT", side[1])))
    view = MAMMOGRAPHIC_VIEWS.get(instance.view_position.upper())
    if view is not None:
        words = [w for w in instance.extra.get("view_modifiers", "").split("; ") if w in VIEW_MODIFIERS]
        how = [code_item("HAS CONCEPT MOD", _dcm("111032", "Image View Modifier"), VIEW_MODIFIERS[w]) for w in words]
        about.append(_nested(code_item("HAS ACQ CONTEXT", _dcm("111031", "Image View"), view), how))
    if len(instance.patient_orientation) == 2:
        row, column = instance.patient_orientation
        about.append(text_item("HAS ACQ CONTEXT", _dcm("111044", "Patient Orientation Row"), row))
        about.append(text_item("HAS ACQ CONTEXT", _dcm("111043", "Patient Orientation Column"), column))
    about += _moment(study.study_datetime, _dcm("111060", "Study Date"), _dcm("111061", "Study Time"))
    about += _moment(instance.content_datetime, _dcm("111018", "Content Date"), _dcm("111019", "Content Time"))
    spacing = instance.imager_pixel_spacing_mm or instance.pixel_spacing_mm
    if spacing is not None:
        for name, value in (
            (("111026", "Horizontal Pixel Spacing"), spacing[1]),
            (("111066", "Vertical Pixel Spacing"), spacing[0]),
        ):
            about.append(_number("HAS ACQ CONTEXT", _dcm(*name), value, "mm"))
    image = hd.sr.ImageContentItem(
        concept(_LIBRARY), instance.sop_class_uid, instance.sop_instance_uid, relationship_type="CONTAINS"
    )
    del image.ConceptNameCodeSequence  # an entry of the library has no purpose of its own (TID 4020 row 1)
    return _nested(image, about)


def _moment(at: str, day: Code, time: Code) -> list[Any]:
    import highdicom as hd

    found: list[Any] = []
    if is_date(at[:8]):
        found.append(hd.sr.DateContentItem(concept(day), at[:8], "HAS ACQ CONTEXT"))
    clock = at[8:].split("+")[0].split("-")[0].split("&")[0]
    if len(clock.split(".")[0]) == 6 and clock.replace(".", "", 1).isdigit():
        found.append(hd.sr.TimeContentItem(concept(time), clock, "HAS ACQ CONTEXT"))
    return found


def _number(relationship: str, name: Code, value: float, unit: str) -> Any:
    import highdicom as hd

    return hd.sr.NumContentItem(concept(name), value, concept(coding.unit_code(unit)), relationship_type=relationship)


def _link(relationship: str, film: _Film) -> Any:
    """An image of the library, by reference: the templates allow it in no other way."""
    item: Any = Dataset()
    item.RelationshipType = relationship
    item.ReferencedContentItemIdentifier = [1, _LIBRARY_PLACE, film.number]
    return item


# -- findings --------------------------------------------------------------------------------------------------------


def _impressions(study: Study, films: Sequence[_Film], marks: Sequence[Finding], program: _Program) -> list[Any]:
    """One Individual Impression (TID 4003) for each view with marks."""
    of_case = {f.finding_id: n for n, f in enumerate(marks, 1)}
    found = []
    for film in films:
        own = [f for f in marks if f.location.sop_instance_uid == film.instance.sop_instance_uid]
        if not own:
            continue
        intent = _REQUIRED if any(_intent(f) is _REQUIRED for f in own) else _OPTIONAL
        items = [code_item("HAS CONCEPT MOD", _INTENT, intent)]
        for n, mark in enumerate(own, 1):
            place = f"mark {of_case[mark.finding_id]} of {len(marks)} of the examination, {n} of {len(own)} of the view"
            items.append(_mark(study, film, mark, program, place))
        found.append(container_item("INFERRED FROM", _IMPRESSION, items))
    return found


def _intent(mark: Finding) -> Code:
    return _OPTIONAL if mark.band is Band.LOW else _REQUIRED


def _mark(study: Study, film: _Film, mark: Finding, program: _Program, place: str) -> Any:
    """Single Image Finding (TID 4006) with its geometry (TID 4021) and what it is (TID 4013)."""
    assert mark.location.centre_px is not None
    points = dict(mark.attributes).get(CALCIFICATIONS, "") if mark.code == _CLUSTER else ""
    # Only a Selected Region may be described in words (TID 4006).
    said = (f"tracking={mark.finding_id}", place) if points else ()
    items = [code_item("HAS CONCEPT MOD", _INTENT, _intent(mark)), *_algorithm(program, *said)]
    if mark.probability is not None:
        items.append(_number("HAS PROPERTIES", _CERTAINTY, round(100.0 * mark.probability, 2), "%"))
    items.append(_coordinates(coding.CENTRE, [mark.location.centre_px], film))
    outline = outline_px(study, mark.location)
    if len(outline) > 1:
        items.append(_coordinates(_OUTLINE, outline, film))
    if points:  # TID 4010
        items.append(_number("HAS PROPERTIES", _CALCIFICATIONS, int(points), "1"))
        return _nested(code_item("CONTAINS", _FINDING, _CLUSTER), items)
    items.append(text_item("HAS PROPERTIES", _DESCRIPTION, _description(mark, place)))
    return _nested(code_item("CONTAINS", _FINDING, _SELECTED), items)


def _description(mark: Finding, place: str) -> str:
    beyond = dict(mark.attributes).get(ASYMMETRY, "")
    said = [f"Brighter than the same place of the other breast, z {beyond}"] if beyond else ["Place to look at again"]
    return "; ".join([*said, place, f"tracking {mark.finding_id}"])


def _coordinates(name: Code, points: Sequence[tuple[float, float]], film: _Film) -> Any:
    import highdicom as hd
    import numpy as np

    item = hd.sr.ScoordContentItem(
        concept(name),
        "POINT" if len(points) == 1 else "POLYLINE",
        np.asarray(points, dtype=np.float64),
        relationship_type="HAS PROPERTIES",
    )
    return _nested(item, [_link("SELECTED FROM", film)])


def _densities(films: Sequence[_Film], result: ReadResult, program: _Program) -> list[Any]:
    """Dense area of each breast: one Individual Impression, inferred from the views of that breast that were read.

    Per cent only. The composition categories are those of BI-RADS, which the reader never assigns.
    """
    values = {name: value for name, value, _ in result.measurements}
    found = []
    for side, key in _DENSITY.items():
        views = [f for f in films if f.was_read and f.side == side]
        if key not in values or not views:
            continue
        items = [
            code_item("HAS CONCEPT MOD", _INTENT, _OPTIONAL),
            *_algorithm(program),
            _number("HAS PROPERTIES", _FIBROGLANDULAR, values[key], "%"),
            *(_link("INFERRED FROM", f) for f in views),
        ]
        finding = _nested(code_item("CONTAINS", _FINDING, _COMPOSITION), items)
        found.append(
            container_item("INFERRED FROM", _IMPRESSION, [code_item("HAS CONCEPT MOD", _INTENT, _OPTIONAL), finding])
        )
    return found


# -- what was done ---------------------------------------------------------------------------------------------------


def _algorithm(program: _Program, *more: str) -> list[Any]:
    """Algorithm Identification (TID 4019) as properties."""
    rows = [
        ("111001", "Algorithm Name", program.reader.name),
        ("111003", "Algorithm Version", program.reader.version),
        ("122405", "Algorithm Manufacturer", MANUFACTURER),
        *(
            ("111002", "Algorithm Parameters", text)
            for text in (*algorithm_parameters(program.reader), *program.remarks, *more)
        ),
    ]
    return [text_item("HAS PROPERTIES", _dcm(value, meaning), text) for value, meaning, text in rows]


def _status_of_films(films: Sequence[_Film], result: ReadResult) -> Code:
    if result.state is ReadState.OUT_OF_SCOPE:
        return _NOT_ATTEMPTED
    read = [f for f in films if f.was_read]
    if not read:
        return _FAILED
    return _SUCCEEDED if len(read) == len(films) and result.state is ReadState.COMPLETED else _PARTIALLY


def _status_of_density(result: ReadResult) -> Code:
    measured = any(name in _DENSITY.values() for name, _, _ in result.measurements)
    return _SUCCEEDED if measured else _NOT_ATTEMPTED


def _summary(detections: Code, found: bool) -> Code:
    """PS3.16 CID 6047. A measured density is something found: the tree below is then not empty."""
    if detections is _SUCCEEDED:
        return coding.SUMMARY_FOUND if found else coding.SUMMARY_NONE
    if detections is _PARTIALLY:
        return coding.SUMMARY_PARTIAL_FOUND if found else coding.SUMMARY_PARTIAL_NONE
    return coding.SUMMARY_FAILED


def _detections(films: Sequence[_Film], result: ReadResult, status: Code, program: _Program) -> list[Any]:
    """CAD Detections Performed (TID 4015): which images were read, and which were not and why."""
    if status is _NOT_ATTEMPTED:
        return []
    read, unread = [f for f in films if f.was_read], [f for f in films if not f.was_read]
    # The reader does not say which of its refusals belongs to which view.
    why = tuple(f"problem={p.code}" for p in result.problems if p.severity is Severity.ERROR)
    sought = [_SELECTED, _CLUSTER] if _clusters_sought(result, read) else [_SELECTED]
    found = []
    for name, which, more, kinds in (
        (_dcm("111063", "Successful Detections"), read, (), sought),
        (_dcm("111025", "Failed Detections"), unread, why, [_SELECTED]),
    ):
        if which:
            done = [_performed("111022", "Detection", kind, which, program, more) for kind in kinds]
            found.append(container_item("INFERRED FROM", name, done))
    return found


def _clusters_sought(result: ReadResult, read: Sequence[_Film]) -> bool:
    """On every view that was read; the reader does not say on which where its pixels were too large on some."""
    values = {name: value for name, value, _ in result.measurements}
    return bool(read) and values.get(_CLUSTER_VIEWS, 0) == len(read)


def _analyses(films: Sequence[_Film], status: Code, program: _Program) -> list[Any]:
    """CAD Analyses Performed (TID 4016): the dense area."""
    if status is _NOT_ATTEMPTED:
        return []
    read = [f for f in films if f.was_read]
    done = _performed("111004", "Analysis", _COMPOSITION_ANALYSIS, read, program, ())
    return [container_item("INFERRED FROM", _dcm("111062", "Successful Analyses"), [done])]


def _performed(value: str, what: str, code: Code, films: Sequence[_Film], program: _Program, more: Sequence[str]) -> Any:
    """TID 4017 or TID 4018, with the images it worked on."""
    items = [*_algorithm(program, *more), *(_link("HAS PROPERTIES", f) for f in films)]
    return _nested(code_item("CONTAINS", _dcm(value, f"{what} Performed"), code), items)
