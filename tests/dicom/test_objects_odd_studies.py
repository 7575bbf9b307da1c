"""Films, multi-frame objects and studies with empty headers get valid objects too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.dicom.encapsulated import encapsulate_pdf
from app.dicom.key_objects import key_objects
from app.dicom.structured_report import Answer, OwnFinding, ai_findings_sr, read_sr, verdict_sr
from app.domain.finding import Finding, Location, ReadResult, ReadState, Source
from app.domain.identity import uid_for
from app.domain.measurement import Measurement, Quantity
from app.domain.person import Person
from app.domain.study import FrameHeader, Patient, Study
from tests.dicom.objects_phantom import GEOMETRY, NODULE, READER, ct_study, film_study, header, iod_errors

DOCTOR = Person("d", "Ахметов Ержан")
FILM = uid_for("objects", "dx")


def film_finding() -> Finding:
    return Finding(
        uid_for("film finding"),
        Source.AI,
        NODULE,
        Location(sop_instance_uid=FILM, centre_px=(25.0, 15.0), box_px=(20.0, 10.0, 30.0, 20.0)),
        (Measurement(Quantity.LENGTH, 10.0, "px", calibrated=False),),
        laterality="R",
        reader=READER,
        score=0.7,
    )


def result(study: Study, *findings: Finding) -> ReadResult:
    return ReadResult(READER, study.study_instance_uid, ReadState.COMPLETED, findings)


def test_a_finding_on_a_film(tmp_path: Path) -> None:
    data = ai_findings_sr(film_study(), result(film_study(), film_finding()), header("ai"))
    assert iod_errors(data, tmp_path) == []
    (read,) = read_sr(data).findings
    (place,) = read.locations
    assert (place.sop_instance_uid, place.box_px, place.centre_lps_mm) == (FILM, (20.0, 10.0, 30.0, 20.0), None)
    assert read.measurements == film_finding().measurements
    assert read.measurements[0].calibrated is False
    assert read.laterality == "R"
    data = verdict_sr(film_study(), DOCTOR, header("verdict"), answers=(Answer(film_finding(), None),))
    assert iod_errors(data, tmp_path) == []


def multi_frame() -> Study:
    study = ct_study()
    frames = tuple(FrameHeader(plane=GEOMETRY.plane(k)) for k in range(6))
    instance = replace(study.series[0].instances[0], frames=frames, sop_class_uid="1.2.840.10008.5.1.4.1.1.2.1")
    return replace(study, series=(replace(study.series[0], instances=(instance,)),))


def test_a_finding_on_a_frame_of_many(tmp_path: Path) -> None:
    study = multi_frame()
    uid = study.series[0].instances[0].sop_instance_uid
    centre = GEOMETRY.to_patient((4.0, 9.0, 12.0))
    finding = replace(film_finding(), location=Location(centre_lps_mm=centre, sop_instance_uid=uid, frame=4))
    data = ai_findings_sr(study, result(study, finding), header("ai"))
    assert iod_errors(data, tmp_path) == []
    (place,) = read_sr(data).findings[0].locations
    assert (place.sop_instance_uid, place.frame) == (uid, 4)
    np.testing.assert_allclose(place.centre_px or (), (12.5, 9.5), atol=1e-4)
    np.testing.assert_allclose(place.centre_lps_mm or (), centre, atol=1e-4)


def test_a_place_in_the_patient_alone(tmp_path: Path) -> None:
    centre = GEOMETRY.to_patient((4.0, 9.0, 12.0))
    finding = replace(film_finding(), location=Location(centre_lps_mm=centre))
    data = ai_findings_sr(ct_study(), result(ct_study(), finding), header("ai"))
    assert iod_errors(data, tmp_path) == []
    (place,) = read_sr(data).findings[0].locations
    np.testing.assert_allclose(place.centre_lps_mm or (), centre, atol=1e-4)
    assert place.frame_of_reference_uid == GEOMETRY.frame_of_reference_uid


def bare(study: Study) -> Study:
    """Nothing but UIDs."""
    return Study(study.study_instance_uid, Patient(), study.series)


@pytest.mark.parametrize("study", [bare(ct_study()), bare(film_study())], ids=["ct", "film"])
def test_a_study_with_empty_headers(study: Study, tmp_path: Path) -> None:
    image = study.series[0].instances[0].sop_instance_uid
    mine = replace(
        film_finding(), source=Source.MINE, reader=None, location=Location(sop_instance_uid=image, centre_px=(1.0, 2.0))
    )
    for data in (
        ai_findings_sr(study, result(study), header("ai")),
        verdict_sr(study, DOCTOR, header("verdict"), own=(OwnFinding(mine),)),
        key_objects(study, (image,), header("ko")),
        encapsulate_pdf(study, b"%PDF-1.4 x", "x", header("pdf")),
    ):
        assert iod_errors(data, tmp_path) == []


def test_a_long_and_odd_header_stays_valid(tmp_path: Path) -> None:
    study = replace(
        ct_study(),
        study_id="a very long study id that is too long",
        description="x" * 200,
        patient_age="",
        study_datetime="2026",
    )
    assert iod_errors(ai_findings_sr(study, result(study), header("ai", series_description="y" * 99)), tmp_path) == []
