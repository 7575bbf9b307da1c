"""AI findings and a person's verdicts as DICOM structured reports (Comprehensive 3D SR, TID 1500).

Both kinds speak of a finding by the same Tracking Unique Identifier: it joins proposal and verdict in any archive.
:func:`read_sr` (``sr_reader``) reads these and other makers' reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.dicom import coding, sr_groups
from app.dicom.object_header import (
    DEMONSTRATION,
    MANUFACTURER,
    MODEL,
    ObjectHeader,
    ObjectRef,
    declare_own_codes,
    evidence_of,
    finished,
    first_image,
    person_pn,
    reference_dataset,
)
from app.dicom.sr_prior import prior_items
from app.dicom.sr_reader import SrDocument, SrFinding, SrNode, read_sr
from app.domain.finding import Finding, ReadResult, ReadState
from app.domain.identity import uid_for
from app.domain.measurement import Code
from app.domain.person import Person
from app.domain.prior_match import PriorMatch
from app.domain.study import Study
from app.domain.study_lookup import instances_by_uid
from app.domain.verdict import FirstOpinion, Verdict

__all__ = [
    "COMPREHENSIVE_3D_SR",
    "Answer",
    "OwnFinding",
    "SrDocument",
    "SrFinding",
    "SrNode",
    "ai_findings_sr",
    "read_sr",
    "verdict_sr",
]

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")


@dataclass(frozen=True)
class Answer:
    """A finding of the second reader with the person's word on it; ``verdict`` None = not reviewed."""

    finding: Finding
    verdict: Verdict | None
    ai_sr: ObjectRef | None = None
    """The AI findings report that the verdict is about."""


@dataclass(frozen=True)
class OwnFinding:
    """A finding that the reader made."""

    finding: Finding
    ai_missed: bool = False
    """True when the second reader ran on the study and did not say it."""


def _summary(result: ReadResult) -> Code:
    found = bool(result.findings)
    if result.state is ReadState.COMPLETED:
        return coding.SUMMARY_FOUND if found else coding.SUMMARY_NONE
    if result.state is ReadState.INCOMPLETE:
        return coding.SUMMARY_PARTIAL_FOUND if found else coding.SUMMARY_PARTIAL_NONE
    return coding.SUMMARY_FAILED


def _source_uids(study: Study, findings: Sequence[Finding], evidence: Sequence[str]) -> list[str]:
    known = instances_by_uid(study)
    uids = {uid for uid in evidence if uid}
    for finding in findings:
        uids |= {uid for uid in (finding.location.sop_instance_uid, *finding.source_sop_instance_uids) if uid in known}
    return sorted(uids) or [first_image(study)]


def _language() -> Any:
    import highdicom as hd

    english = Code("en-US", "RFC5646", "English (United States)")
    return hd.sr.LanguageOfContentItemAndDescendants(sr_groups.concept(english))


def _study_group(study: Study, summary: tuple[Code, Code], result: ReadResult | None = None) -> Any:
    """Values and statements about the whole study: a group without a place (TID 1501)."""
    import highdicom as hd

    rows = [
        hd.sr.Measurement(
            sr_groups.concept(coding.study_quantity(message_id)),
            float(value),
            sr_groups.concept(coding.unit_code(unit)),
        )
        for message_id, value, unit in (result.measurements if result else ())
    ]
    whose = result.reader.package_sha256 if result else ""
    tracking = uid_for("study values", study.study_instance_uid, whose)
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=tracking, identifier="study"),
        measurements=rows or None,
        qualitative_evaluations=[hd.sr.QualitativeEvaluation(sr_groups.concept(summary[0]), sr_groups.concept(summary[1]))],
        algorithm_id=sr_groups.algorithm(result.reader) if result else None,
    )


def ai_findings_sr(study: Study, result: ReadResult, header: ObjectHeader, evidence: Sequence[str] = ()) -> bytes:
    """What one second reader says about ``study``: TID 1500 with a device observer (TID 1004) and TID 4019.

    ``evidence``: SOP Instance UIDs of the images that were read; empty = those that the findings name, else the first
    image. An empty result still says that the algorithm ran and found nothing. Raises ``dicom.evidence_missing``.
    """
    import highdicom as hd

    reader = result.reader
    device = hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept("121007", "DCM", "Device"),
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=uid_for("device", reader.name, reader.version, reader.package_sha256),
            name=reader.name[:64],
            manufacturer_name=MANUFACTURER,
            model_name=f"{MODEL} {reader.version}"[:64],
        ),
    )
    groups = [sr_groups.finding_group(study, f, f"A{n}") for n, f in enumerate(result.findings, start=1)]
    groups.append(_study_group(study, (coding.SUMMARY, _summary(result)), result))
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=device),
        procedure_reported=sr_groups.concept(_PROCEDURE),
        imaging_measurements=groups,
        title=sr_groups.concept(_TITLE),
        language_of_content_item_and_descendants=_language(),
    )
    items: list[Any] = []
    if reader.research_use_only:
        items.append(sr_groups.text_item("CONTAINS", coding.COMMENT, sr_groups.RESEARCH_USE))
    _finish_root(report, items, header)
    ds = hd.sr.Comprehensive3DSR(
        evidence=evidence_of(study, _source_uids(study, result.findings, evidence)),
        content=report[0],
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        sop_instance_uid=header.sop_instance_uid,
        instance_number=header.instance_number,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=True,
        is_verified=False,
    )
    declare_own_codes(ds)
    return finished(ds, study, header)


def _finish_root(report: Any, items: list[Any], header: ObjectHeader) -> None:
    if header.demonstration:
        items.append(sr_groups.text_item("CONTAINS", coding.COMMENT, f"{DEMONSTRATION}. Not about a real patient."))
    sr_groups.append(report, items)


def _verdict_items(answer: Answer) -> list[Any]:
    verdict = answer.verdict
    children: list[Any] = []
    if answer.ai_sr is not None:
        ref = answer.ai_sr
        children.append(
            sr_groups.composite_item("INFERRED FROM", coding.ASSESSED_RESULT, ref.sop_class_uid, ref.sop_instance_uid)
        )
    if verdict is None:
        return [sr_groups.code_item("CONTAINS", coding.VERDICT, coding.NOT_REVIEWED, children)]
    if verdict.reason is not None:
        reason = coding.REJECT_REASONS[verdict.reason]
        children.append(sr_groups.code_item("HAS PROPERTIES", coding.REASON, reason))
    if verdict.comment:
        children.append(sr_groups.text_item("HAS PROPERTIES", coding.COMMENT, verdict.comment))
    return [sr_groups.code_item("CONTAINS", coding.VERDICT, coding.VERDICTS[verdict.decision], children)]


def _stated(answer: Answer) -> Finding:
    """What the group states: the reader's own geometry and values when modified, under the AI's tracking UID."""
    from dataclasses import replace

    modified = answer.verdict.modified if answer.verdict is not None else None
    if modified is None:
        return answer.finding
    return replace(modified, finding_id=answer.finding.finding_id, score=None, probability=None, band=None)


def _first_opinion(study: Study, opinion: FirstOpinion) -> Any:
    children = [
        sr_groups.code_item("CONTAINS", coding.FIRST_OPINION_OVERALL, coding.OVERALL[opinion.overall]),
        sr_groups.code_item("CONTAINS", coding.QUALITY, coding.QUALITIES[opinion.quality]),
        sr_groups.text_item("CONTAINS", coding.FIRST_OPINION_TIME, opinion.hlc or "-"),
    ]
    instances = instances_by_uid(study)
    for mark in opinion.marks:
        inner = [
            sr_groups.uidref_item("CONTAINS", Code("112040", "DCM", "Tracking Unique Identifier"), mark.finding_id),
            sr_groups.code_item("CONTAINS", Code("121071", "DCM", "Finding"), mark.code),
        ]
        drawing = sr_groups.drawing_of(study, mark)
        outline = sr_groups.outline_px(study, mark.location) if drawing is None else []
        instance = instances.get(mark.location.sop_instance_uid)
        name = sr_groups.IMAGE_REGION
        if drawing is not None:
            inner += [drawing.item(stroke, "CONTAINS", name) for stroke in drawing.strokes]
        elif outline and instance is not None:
            inner.append(sr_groups.scoord_item("CONTAINS", name, outline, instance, mark.location.frame))
        inner += sr_groups.spatial_items(study, mark.location)
        children.append(sr_groups.container_item("CONTAINS", coding.FIRST_OPINION_MARK, inner))
    return sr_groups.container_item("CONTAINS", coding.FIRST_OPINION, children)


def verdict_sr(
    study: Study,
    person: Person,
    header: ObjectHeader,
    *,
    answers: Sequence[Answer] = (),
    own: Sequence[OwnFinding] = (),
    measured: Sequence[Finding] = (),
    opinion: FirstOpinion | None = None,
    evidence: Sequence[str] = (),
    matches: Sequence[PriorMatch] = (),
) -> bytes:
    """The person's word: verdict per AI finding, own findings, AI false negatives, what was measured beside them, and the
    first opinion as it was.

    ``measured``: marks with values that claim no finding. ``matches``: what findings were in an earlier study. FINAL and
    VERIFIED by ``person``. Rejected findings stay in the document. Modified ones carry the person's geometry under the AI's
    tracking UID. Raises ``dicom.evidence_missing``.
    """
    import highdicom as hd

    name = person_pn(person.display_name)
    organisation = (person.organisation or header.institution or MANUFACTURER)[:64]
    observer = hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept("121006", "DCM", "Person"),
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(
            name=name, login_name=person.person_id[:64] or None, organization_name=organisation
        ),
    )
    past = {m.finding_id: prior_items(m) for m in matches}
    groups = [
        sr_groups.finding_group(
            study, _stated(answer), f"A{n}", [*_verdict_items(answer), *past.get(answer.finding.finding_id, [])]
        )
        for n, answer in enumerate(answers, start=1)
    ]
    for n, mine in enumerate(own, start=1):
        extra = [sr_groups.code_item("CONTAINS", coding.VERDICT, coding.AI_FALSE_NEGATIVE)] if mine.ai_missed else []
        groups.append(sr_groups.finding_group(study, mine.finding, str(n), extra))
    if not groups:
        groups = [_study_group(study, (coding.READER_STATEMENT, coding.NOTHING_REPORTED))]
    groups += [sr_groups.finding_group(study, m, f"M{n}", named=False) for n, m in enumerate(measured, start=1)]
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=observer),
        procedure_reported=sr_groups.concept(_PROCEDURE),
        imaging_measurements=groups,
        title=sr_groups.concept(_TITLE),
        language_of_content_item_and_descendants=_language(),
    )
    items = [_first_opinion(study, opinion)] if opinion is not None else []
    _finish_root(report, items, header)
    stated = (
        [_stated(a) for a in answers] + [m.finding for m in own] + list(measured) + list(opinion.marks if opinion else ())
    )
    images = evidence_of(study, _source_uids(study, stated, evidence))
    refs = {a.ai_sr.sop_instance_uid: a.ai_sr for a in answers if a.ai_sr is not None}
    ds = hd.sr.Comprehensive3DSR(
        evidence=images + [reference_dataset(study, ref) for ref in refs.values()],
        content=report[0],
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        sop_instance_uid=header.sop_instance_uid,
        instance_number=header.instance_number,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=True,
        is_verified=True,
        verifying_observer_name=name,
        verifying_organization=organisation,
    )
    at = header.written_at
    for item in ds.VerifyingObserverSequence:
        item.VerificationDateTime = f"{at:%Y%m%d%H%M%S%z}"
    declare_own_codes(ds)
    return finished(ds, study, header)
