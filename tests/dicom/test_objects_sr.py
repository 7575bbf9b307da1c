from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.dicom import coding
from app.dicom.object_header import ObjectRef
from app.dicom.structured_report import COMPREHENSIVE_3D_SR, Answer, OwnFinding, ai_findings_sr, read_sr, verdict_sr
from app.domain.finding import ReadState, Source
from app.domain.person import Person
from app.domain.problem import ProblemError
from app.domain.verdict import Decision, FirstOpinion, ImageQuality, Overall, RejectReason, Verdict
from tests.dicom.objects_phantom import ai_finding, ai_result, ct_study, header, iod_errors, own_mark

DOCTOR = Person("doctor-7", "Жақсыбекова Айнұр Ерланқызы", organisation="Аудандық аурухана")
AI_SR = ObjectRef(header("ai").sop_instance_uid, COMPREHENSIVE_3D_SR, header("ai").series_instance_uid)


def test_ai_findings_come_back_as_they_were(tmp_path: Path) -> None:
    finding = ai_finding()
    data = ai_findings_sr(ct_study(), ai_result(finding), header("ai"))
    assert iod_errors(data, tmp_path) == []
    document = read_sr(data)
    assert document.sop_instance_uid == header("ai").sop_instance_uid
    assert (document.complete, document.verified, document.observer_is_device) == (True, False, True)
    assert document.observer == "lung_ct"
    (read,) = document.findings
    assert read.tracking_uid == finding.finding_id
    assert (read.code, read.laterality, read.region) == (finding.code, "L", finding.region)
    assert read.site == coding.site_code(finding.region)
    assert read.measurements == finding.measurements
    assert (read.probability, read.score, read.band) == (0.875, 2.25, "high")
    assert (read.algorithm_name, read.algorithm_version) == ("lung_ct", "1.2.0")
    assert "package_sha256=" + "ab" * 32 in read.algorithm_parameters
    assert any("Research use only" in p for p in read.algorithm_parameters)
    assert read.attributes == finding.attributes
    (place,) = read.locations
    assert place.sop_instance_uid == finding.location.sop_instance_uid
    np.testing.assert_allclose(place.centre_lps_mm or (), finding.location.centre_lps_mm or (1,), atol=1e-4)
    assert place.box_lps_mm is not None
    assert finding.location.box_lps_mm is not None
    np.testing.assert_allclose(place.box_lps_mm, finding.location.box_lps_mm, atol=1e-4)
    # column 12 at 0.8 mm: 3 mm to each side; row 9 at 0.7 mm: 4 mm to each side; image_px has its corner origin
    np.testing.assert_allclose(place.box_px or (), (12.5 - 3 / 0.8, 9.5 - 4 / 0.7, 12.5 + 3 / 0.8, 9.5 + 4 / 0.7), atol=1e-4)


def test_the_same_content_gives_the_same_bytes() -> None:
    first = ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai"))
    assert ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai")) == first
    later = header("ai", written_at=header("ai").written_at + timedelta(seconds=1))
    assert ai_findings_sr(ct_study(), ai_result(ai_finding()), later) != first


def test_a_result_without_findings_says_that_the_algorithm_ran(tmp_path: Path) -> None:
    data = ai_findings_sr(ct_study(), ai_result(), header("ai"))
    assert iod_errors(data, tmp_path) == []
    document = read_sr(data)
    assert document.findings == ()
    assert document.summary == coding.SUMMARY_NONE
    failed = read_sr(ai_findings_sr(ct_study(), replace(ai_result(), state=ReadState.FAILED), header("ai")))
    assert failed.summary == coding.SUMMARY_FAILED


def test_a_normal_study_has_a_verdict_object_too(tmp_path: Path) -> None:
    data = verdict_sr(ct_study(), DOCTOR, header("verdict"))
    assert iod_errors(data, tmp_path) == []
    assert read_sr(data).findings == ()
    assert read_sr(data).verified


def test_kazakh_names_survive() -> None:
    ds = pydicom.dcmread(__import__("io").BytesIO(ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai"))))
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert str(ds.PatientName) == "Серікбаева^Әлия^Маратқызы"


def test_demonstration_is_said_in_header_and_content() -> None:
    data = ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai", demonstration=True))
    document = read_sr(data)
    assert any("DEMONSTRATION" in c.text for c in document.root.children)
    assert b"DEMONSTRATION Ekinshi ai" in data
    assert b"DEMONSTRATION" not in ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai"))


@pytest.mark.parametrize("reason", list(RejectReason))
def test_every_reject_reason_has_its_code(reason: RejectReason, tmp_path: Path) -> None:
    finding = ai_finding()
    verdict = Verdict("v1", finding.finding_id, Decision.REJECTED, "doctor-7", "t", reason, "тамыр")
    data = verdict_sr(ct_study(), DOCTOR, header("verdict"), answers=(Answer(finding, verdict, AI_SR),))
    (read,) = read_sr(data).findings
    assert read.verdict == coding.VERDICTS[Decision.REJECTED]
    assert read.reason == coding.REJECT_REASONS[reason]
    assert read.verdict_comment == "тамыр"
    if reason is RejectReason.ARTEFACT:
        assert iod_errors(data, tmp_path) == []


def test_reasons_and_verdicts_are_distinct_codes() -> None:
    codes = [*coding.REJECT_REASONS.values(), *coding.VERDICTS.values(), coding.NOT_REVIEWED, coding.AI_FALSE_NEGATIVE]
    assert len({c.value for c in codes}) == len(codes) == 15
    kinds = list(coding.FINDING_KINDS.values())
    assert len({(c.value, c.scheme) for c in kinds}) == len(kinds)
    assert [coding.finding_kind(c) for c in kinds] == list(coding.FINDING_KINDS)


def test_verdicts_own_findings_and_first_opinion(tmp_path: Path) -> None:
    accepted, modified, open_one = ai_finding(1), ai_finding(2, 2), ai_finding(3, 4)
    new_place = replace(own_mark(9, 2), source=Source.MINE)
    opinion = FirstOpinion(
        ct_study().study_instance_uid, "doctor-7", "hlc-1", Overall.FINDINGS, ImageQuality.LIMITED, (own_mark(),)
    )
    data = verdict_sr(
        ct_study(),
        DOCTOR,
        header("verdict"),
        answers=(
            Answer(accepted, Verdict("v1", accepted.finding_id, Decision.ACCEPTED, "doctor-7", "t"), AI_SR),
            Answer(
                modified,
                Verdict("v2", modified.finding_id, Decision.MODIFIED, "doctor-7", "t", modified=new_place),
                AI_SR,
            ),
            Answer(open_one, None, AI_SR),
        ),
        own=(OwnFinding(own_mark(), ai_missed=True), OwnFinding(own_mark(2, 5))),
        opinion=opinion,
    )
    assert iod_errors(data, tmp_path) == []
    document = read_sr(data)
    assert document.verified
    assert not document.observer_is_device
    assert document.observer == "Жақсыбекова^Айнұр^Ерланқызы"
    by_uid = {f.tracking_uid: f for f in document.findings}
    assert len(document.findings) == 5  # marks of the first opinion are not counted again
    assert by_uid[accepted.finding_id].verdict == coding.VERDICTS[Decision.ACCEPTED]
    assert by_uid[accepted.finding_id].assessed_sop_instance_uid == AI_SR.sop_instance_uid
    changed = by_uid[modified.finding_id]
    assert changed.verdict == coding.VERDICTS[Decision.MODIFIED]
    assert changed.locations[0].box_px == (5.0, 6.0, 10.0, 11.0)
    assert changed.probability is None
    assert by_uid[open_one.finding_id].verdict == coding.NOT_REVIEWED
    assert by_uid[own_mark().finding_id].verdict == coding.AI_FALSE_NEGATIVE
    assert by_uid[own_mark(2).finding_id].verdict is None
    said = document.root.first(coding.FIRST_OPINION.value, coding.OWN_SCHEME)
    assert said is not None
    overall = said.first(coding.FIRST_OPINION_OVERALL.value, coding.OWN_SCHEME)
    assert overall is not None
    assert overall.code == coding.OVERALL[Overall.FINDINGS]
    assert AI_SR.sop_instance_uid in document.referenced_sop_instance_uids


def test_an_image_that_is_not_in_the_study_is_refused() -> None:
    with pytest.raises(ProblemError) as caught:
        ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai"), evidence=("1.2.3",))
    assert caught.value.problem.code == "dicom.evidence_missing"


@pytest.mark.parametrize("data", [b"", b"no dicom", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_not_an_sr_is_one_clear_problem(data: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        read_sr(data)
    assert caught.value.problem.code in ("dicom.sr_unreadable", "dicom.not_sr")


def test_a_bottomless_report_is_refused() -> None:
    import io

    from pydicom.dataset import Dataset

    ds = pydicom.dcmread(io.BytesIO(ai_findings_sr(ct_study(), ai_result(), header("ai"))))
    inner = Dataset()
    inner.ValueType = "CONTAINER"
    for _ in range(60):
        outer = Dataset()
        outer.ValueType, outer.RelationshipType, outer.ContentSequence = "CONTAINER", "CONTAINS", [inner]
        inner = outer
    ds.ContentSequence = [inner]
    buffer = io.BytesIO()
    ds.save_as(buffer)
    with pytest.raises(ProblemError) as caught:
        read_sr(buffer.getvalue())
    assert caught.value.problem.code == "dicom.sr_too_deep"


def shared_data() -> Iterator[Path]:
    import os

    root = Path(os.environ.get("EKINSHI_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if root.is_dir():
        yield root


@pytest.mark.skipif(not list(shared_data()), reason="shared test data are not here")
def test_the_boxes_of_a_real_report_are_placed() -> None:
    folder = next(shared_data()) / "dicom" / "ct-chest-nlst"
    (file,) = (folder / "SR").iterdir()
    document = read_sr(file.read_bytes())
    with (folder / "lesion_boxes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(document.findings) == len(rows) == 8
    boxes = {f.locations[0].sop_instance_uid: f.locations[0].box_px for f in document.findings}
    for row in rows:
        image = pydicom.dcmread(folder / row["file"], stop_before_pixels=True)
        box = boxes[str(image.SOPInstanceUID)]
        assert box is not None
        np.testing.assert_allclose(box, [float(row[key]) for key in ("x0", "y0", "x1", "y1")], atol=0.06)
