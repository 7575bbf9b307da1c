"""What was marked in earlier studies: by this reader, by who signed them, in reports of any maker. Read only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from app.dicom.coding import VERDICTS
from app.dicom.sr_reader import SrDocument, SrFinding, read_sr
from app.domain.finding import Finding, Source
from app.domain.geometry import index_from_px
from app.domain.identity import uid_for
from app.domain.measurement import MarkShape, Placement
from app.domain.ports import ByteSource
from app.domain.problem import ProblemError
from app.domain.study import Instance, Study
from app.domain.study_lookup import instances_by_uid
from app.domain.verdict import Decision
from app.session import marks as own
from app.session.second_read import SecondReads
from app.store.library import Library
from app.store.sealed import SealState

_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_LARGEST = 32 << 20
_NOT_SHOWN = (MarkShape.KEY_IMAGE, MarkShape.CURVE)


class Whose(StrEnum):
    MINE = "mine"
    COLLEAGUE = "colleague"
    """Of who signed the study."""
    REPORT = "report"
    """Of a structured report that lies with the study."""


@dataclass(frozen=True)
class PriorMark:
    finding: Finding
    study_instance_uid: str
    study_datetime: str
    whose: Whose

    @property
    def can_follow(self) -> bool:
        """Something that has a size or is a finding; a mere arrow is not followed."""
        return bool(self.finding.measurements) or own.is_finding(self.finding)


@dataclass(frozen=True)
class DrawnBeside:
    """Drawn in this session on a prior, or a proposal for the present study (no UID): what undo takes back."""

    finding: Finding
    study_instance_uid: str = ""


def stored_marks(library: Library, reads: SecondReads, study: Study, person: str) -> tuple[PriorMark, ...]:
    """Of the library: own marks and accepted findings, and those of who signed the study."""
    uid = study.study_instance_uid
    found: dict[str, PriorMark] = {}

    def take(finding: Finding, whose: Whose) -> None:
        if finding.shape not in _NOT_SHOWN:
            found.setdefault(finding.finding_id, PriorMark(finding, uid, study.study_datetime, whose))

    for mark in library.drafts.marks(uid, person):
        take(mark, Whose.MINE)
    for signed in library.reports.signed(uid):
        for mark in library.drafts.marks(uid, signed.person_id) if signed.person_id != person else ():
            take(mark, Whose.COLLEAGUE)
    for finding, whose in _accepted(library, reads, uid, person):
        take(finding, whose)
    return tuple(found.values())


def _accepted(library: Library, reads: SecondReads, uid: str, person: str) -> Iterator[tuple[Finding, Whose]]:
    """What was said of the second readers' findings: by this person, and by who signed. Nothing before this person's own
    first opinion on that study, for a colleague's answer shows the finding too; nothing of a reader never shown to them."""
    try:
        shown = {f.finding_id: f for r in reads.opened(uid, person) for f in r.findings}
    except ProblemError:
        return  # sealed for this person
    finally:
        reads.forget(uid)  # its maps and masks are shown nowhere
    signers = {s.person_id for s in library.reports.signed(uid)}
    for finding_id, verdict in library.verdicts.current(uid).items():
        mine = verdict.person_id == person
        if finding_id not in shown or verdict.decision is Decision.REJECTED or not (mine or verdict.person_id in signers):
            continue
        yield verdict.modified or shown[finding_id], Whose.MINE if mine else Whose.COLLEAGUE


def is_sealed(reads: SecondReads, uid: str, person: str) -> bool:
    """Second readers are at work on a study, or have read it, and this person has not seen what they found."""
    nothing = all(r.state in (SealState.REFUSED, SealState.FAILED) for r in reads.results(uid))
    return not nothing and not reads.may_open(uid, person)


def reports_of(study: Study) -> tuple[Instance, ...]:
    """Structured reports that lie with a study."""
    every = (i for s in study.series for i in s.instances)
    return tuple(i for i in every if i.sop_class_uid.startswith(_REPORTS) and i.size_bytes <= _LARGEST)


def read_marks(source: ByteSource, instance: Instance, study: Study, sealed: bool = False) -> tuple[PriorMark, ...]:
    """Findings of a person's report; what a device reported for itself is no mark that anybody has looked at.

    ``sealed``: without what the report says of a second reader's findings.
    """
    try:
        document = read_sr(source.read(instance.locator))
    except ProblemError:
        return ()  # its document pane says why
    if document.observer_is_device:
        return ()
    instances = instances_by_uid(study)
    told = [(n, said) for n, said in enumerate(document.findings) if not (sealed and said.verdict is not None)]
    found = (_finding(document, said, n) for n, said in told)
    return tuple(
        PriorMark(in_patient(finding, instances), study.study_instance_uid, study.study_datetime, Whose.REPORT)
        for finding in found
        if finding is not None
    )


def in_patient(finding: Finding, instances: Mapping[str, Instance]) -> Finding:
    """With the patient's millimetres of a place and of a drawing that a report gives in pixels of a slice."""
    finding = replace(finding, placement=_lying(finding.placement, instances))
    place = finding.location
    instance = instances.get(place.sop_instance_uid)
    if place.centre_lps_mm is not None or place.centre_px is None or instance is None:
        return finding
    plane = instance.frames[place.frame].plane if place.frame < len(instance.frames) else None
    if plane is None or not plane.in_patient:
        return finding
    i, j = index_from_px(*place.centre_px)
    centre, reference = plane.to_patient(j, i), plane.frame_of_reference_uid
    return replace(finding, location=replace(place, centre_lps_mm=centre, frame_of_reference_uid=reference))


def _lying(drawn: Placement | None, instances: Mapping[str, Instance]) -> Placement | None:
    if drawn is None or drawn.points_mm:
        return drawn
    instance = instances.get(drawn.sop_instance_uid)
    plane = instance.frames[drawn.frame].plane if instance is not None and drawn.frame < len(instance.frames) else None
    if plane is None or not plane.in_patient:
        return drawn
    indices = [index_from_px(*p) for p in drawn.points_px]
    points = tuple(plane.to_patient(j, i) for i, j in indices)
    return replace(drawn, points_mm=points, frame_of_reference_uid=plane.frame_of_reference_uid)


def _finding(document: SrDocument, said: SrFinding, number: int) -> Finding | None:
    rejected = VERDICTS[Decision.REJECTED]
    if not said.locations or (said.verdict is not None and said.verdict.value == rejected.value):
        return None
    if said.shape in _NOT_SHOWN:
        return None
    return Finding(
        finding_id=said.tracking_uid or uid_for("prior", document.sop_instance_uid, str(number)),
        source=Source.MINE,
        code=said.code or own.DRAWING,
        location=said.locations[0],
        measurements=own.with_axes(said.measurements),
        laterality=said.laterality if said.laterality in ("R", "L", "B") else "",
        region=said.region,
        attributes=() if said.code is not None else (own.MEASUREMENT_ONLY,),
        comment=said.comment,
        shape=said.shape if said.shape is not None and said.placement is not None else MarkShape.POINT,
        placement=said.placement,
    )
