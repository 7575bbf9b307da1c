"""What one signature covers: the PDF, the second readers' objects and the verdicts, written once with fixed UIDs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.dicom.coding import finding_kind
from app.dicom.encapsulated import encapsulate_pdf
from app.dicom.highdicom_tables import read_ahead
from app.dicom.key_objects import key_objects
from app.dicom.mammography_cad import MAMMOGRAPHY_CAD_SR, mammography_cad_sr, wanted
from app.dicom.object_header import ObjectHeader, ObjectRef
from app.dicom.parametric_map import heatmap_object
from app.dicom.presentation_writer import class_of, presentation_object
from app.dicom.segmentation import finding_masks_seg, own_masks_seg
from app.dicom.structured_report import Answer, OwnFinding, ai_findings_sr, verdict_sr
from app.domain.finding import Finding, ReadResult, SegmentMask
from app.domain.identity import uid_for
from app.domain.person import Person
from app.domain.presentation import PresentationState
from app.domain.prior_match import PriorMatch
from app.domain.report import Report
from app.domain.study import Study
from app.domain.study_lookup import instances_by_uid
from app.domain.verdict import FirstOpinion, Verdict
from app.imaging.packed import unpack
from app.session.marks import is_finding

SR = "1.2.840.10008.5.1.4.1.1.88.34"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"

PRIORITY = {
    "report_pdf": 10,
    "verdict_sr": 20,
    "ai_sr": 30,
    "cad_sr": 35,
    "seg": 40,
    "own_seg": 45,
    "presentation": 47,
    "heatmap": 50,
    "key_objects": 60,
}
"""Reports before pictures: kilobytes first on a slow line."""


@dataclass(frozen=True)
class WrittenObject:
    """One DICOM object of ours, ready to be stored and sent."""

    kind: str
    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class PacketInput:
    """Everything that a packet is made of; all of it is fixed before the first byte is written."""

    study: Study
    report: Report
    person: Person
    signed_at: datetime
    demonstration: bool
    results: tuple[ReadResult, ...]
    verdicts: dict[str, Verdict]
    own: tuple[Finding, ...]
    agreed_own: frozenset[str]
    """Own findings that a second reader says too."""
    opinion: FirstOpinion | None
    masked: tuple[Finding, ...] = ()
    """Everything of the reader's that has voxels, findings or mere measurements."""
    stars: tuple[tuple[str, int], ...] = ()
    """(SOP Instance UID, frame) of what the reader made key images."""
    measured: tuple[Finding, ...] = ()
    """Marks with values that claim no finding."""
    looks: tuple[tuple[str, PresentationState], ...] = ()
    """(name of the set of images, how it was looked at and what was drawn on it)."""
    matches: tuple[PriorMatch, ...] = ()
    """What findings were in an earlier study, by the person's word."""

    def header(self, kind: str, number: int, *more: str) -> ObjectHeader:
        """UIDs by study, report and version: a retry writes the same object."""
        report = self.report
        return ObjectHeader(
            sop_instance_uid=uid_for(kind, report.report_id, str(report.version), *more),
            series_instance_uid=uid_for("series", kind, report.report_id, str(report.version)),
            written_at=self.signed_at,
            series_number=9000 + number,
            series_description=f"Ekinshi {kind.replace('_', ' ')}",
            demonstration=self.demonstration,
            institution=self.study.institution,
        )


def _ai_header(packet: PacketInput, result: ReadResult, kind: str, number: int, *more: str) -> ObjectHeader:
    """AI objects belong to the study and the package, not to a report: an addendum names the same ones."""
    reader = result.reader
    parts = (packet.study.study_instance_uid, reader.name, reader.version, reader.package_sha256, *more)
    return ObjectHeader(
        sop_instance_uid=uid_for(kind, *parts),
        series_instance_uid=uid_for("series", kind, *parts[:4]),
        written_at=packet.signed_at,
        series_number=9100 + number,
        series_description=f"Ekinshi {reader.name} {kind.replace('_', ' ')}",
        demonstration=packet.demonstration,
        institution=packet.study.institution,
    )


def ai_objects(packet: PacketInput) -> tuple[WrittenObject, ...]:
    """Findings SR, CAD SR of mammograms, masks and heatmaps of every second reader that ran: the first to be made."""
    read_ahead()
    out: list[WrittenObject] = []
    for result in packet.results:
        header = _ai_header(packet, result, "ai_sr", 1)
        out.append(_written("ai_sr", SR, header, ai_findings_sr(packet.study, result, header)))
        if wanted(result):
            header = _ai_header(packet, result, "cad_sr", 4)
            out.append(_written("cad_sr", MAMMOGRAPHY_CAD_SR, header, mammography_cad_sr(packet.study, result, header)))
        if any(m.values.any() for m in result.masks):
            header = _ai_header(packet, result, "seg", 2)
            out.append(_written("seg", SEG, header, finding_masks_seg(packet.study, result, header)))
        for n, heatmap in enumerate(result.heatmaps):
            header = _ai_header(packet, result, "heatmap", 3, finding_kind(heatmap.code), str(n), heatmap.sop_instance_uid)
            content, sop_class = heatmap_object(packet.study, heatmap, result.reader, header)
            out.append(_written("heatmap", sop_class, header, content))
    return tuple(out)


def measured_marks(marks: Sequence[Finding], study: Study) -> tuple[Finding, ...]:
    """Measured on images of ``study`` and no finding: they leave this PC too."""
    return tuple(m for m in marks_of(marks, study) if m.measurements and not is_finding(m))


def marks_of(marks: Sequence[Finding], study: Study) -> tuple[Finding, ...]:
    """Those that lie on no image of another study."""
    known = instances_by_uid(study)
    return tuple(
        m for m in marks if m.placement is None or not m.placement.sop_instance_uid or m.placement.sop_instance_uid in known
    )


def own_masks(packet: PacketInput) -> tuple[WrittenObject, ...]:
    """The reader's voxels: one SEG for each set of images they were painted on."""
    by_set: dict[str, list[Finding]] = {}
    for finding in packet.masked:
        if finding.mask is not None:
            by_set.setdefault(finding.mask.display_set_id, []).append(finding)
    out = []
    for n, (display_set_id, findings) in enumerate(sorted(by_set.items())):
        masks = [SegmentMask(f.finding_id, unpack(f.mask), f.mask.geometry) for f in findings if f.mask is not None]
        header = packet.header("own_seg", 10 + n, display_set_id)
        out.append(_written("own_seg", SEG, header, own_masks_seg(packet.study, findings, masks, header)))
    return tuple(out)


def look_objects(packet: PacketInput) -> tuple[WrittenObject, ...]:
    """How the images were looked at, with the marks on them: one presentation state for each set."""
    out = []
    for n, (name, state) in enumerate(packet.looks):
        header = replace(packet.header("presentation", 20, name), instance_number=n + 1)
        content = presentation_object(packet.study, state, header)
        out.append(_written("presentation", class_of(state.kind), header, content))
    return tuple(out)


def _written(kind: str, sop_class: str, header: ObjectHeader, content: bytes) -> WrittenObject:
    return WrittenObject(kind, header.sop_instance_uid, sop_class, header.series_instance_uid, content)


def verdict_object(packet: PacketInput, ai: Sequence[WrittenObject]) -> WrittenObject:
    """The reader's word on every AI finding, the own findings, the first opinion."""
    answers: list[Answer] = []
    for result, sr in zip(packet.results, [o for o in ai if o.kind == "ai_sr"], strict=True):
        ref = ObjectRef(sr.sop_instance_uid, sr.sop_class_uid, sr.series_instance_uid)
        answers += [Answer(f, packet.verdicts.get(f.finding_id), ref) for f in result.findings]
    ran = bool(packet.results)
    own = [OwnFinding(f, ai_missed=ran and f.finding_id not in packet.agreed_own) for f in packet.own]
    header = packet.header("verdict_sr", 2)
    content = verdict_sr(
        packet.study,
        packet.person,
        header,
        answers=answers,
        own=own,
        measured=packet.measured,
        opinion=packet.opinion,
        matches=packet.matches,
    )
    return _written("verdict_sr", SR, header, content)


def report_objects(packet: PacketInput, pdf: bytes) -> tuple[WrittenObject, ...]:
    """The signed PDF as an encapsulated document, and the key images where there are any."""
    header = packet.header("report_pdf", 1)
    content = encapsulate_pdf(packet.study, pdf, packet.report.title, header)
    out = [_written("report_pdf", ENCAPSULATED_PDF, header, content)]
    chosen = [(k.sop_instance_uid, k.frame) for k in packet.report.key_images if k.sop_instance_uid]
    frames: dict[str, list[int]] = {}
    for uid, frame in (*chosen, *packet.stars):
        frames.setdefault(uid, []).append(frame)
    if frames:
        header = packet.header("key_objects", 3)
        content = key_objects(packet.study, tuple(frames), header, person=packet.person, frames=frames)
        out.append(_written("key_objects", KEY_OBJECTS, header, content))
    return tuple(out)
