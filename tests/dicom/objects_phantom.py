"""A small study in the domain model (unequal spacing, origin far from zero) and what dciodvfy says about an object."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.dicom.object_header import ObjectHeader
from app.domain.finding import Band, Finding, Location, ReaderIdentity, ReadResult, ReadState, Source
from app.domain.geometry import VolumeGeometry
from app.domain.identity import uid_for
from app.domain.measurement import Code, Measurement, Quantity
from app.domain.pixels import PixelFormat
from app.domain.study import FrameHeader, Instance, Patient, PersonName, Series, Study

NODULE = Code("27925004", "SCT", "Nodule")
FRAME_OF_REFERENCE = uid_for("objects", "for")
GEOMETRY = VolumeGeometry.axial((6, 20, 24), (2.5, 0.7, 0.8), (-123.5, -310.25, -742.0), FRAME_OF_REFERENCE)
READER = ReaderIdentity("lung_ct", "1.2.0", "ab" * 32, "sensitivity 0.90 at 2 false marks a scan", "torch cpu")


def pixel_format(rows: int, columns: int) -> PixelFormat:
    return PixelFormat(rows=rows, columns=columns)


def ct_study() -> Study:
    instances = tuple(
        Instance(
            sop_instance_uid=uid_for("objects", "ct", str(k)),
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            locator=f"file:/none/{k}.dcm",
            instance_number=k + 1,
            pixel_format=pixel_format(20, 24),
            frames=(FrameHeader(plane=GEOMETRY.plane(k)),),
            slice_thickness_mm=2.5,
            frame_of_reference_uid=FRAME_OF_REFERENCE,
        )
        for k in range(6)
    )
    patient = Patient("620314400027", "KZ", PersonName("Серікбаева^Әлия^Маратқызы"), "19620314", "F")
    series = Series(uid_for("objects", "series"), "CT", instances, 2, "LDCT")
    return Study(
        uid_for("objects", "study"),
        patient,
        (series,),
        study_datetime="20261117094200",
        accession_number="A-17",
        description="Низкодозная КТ",
        institution="Аудандық аурухана",
        study_id="17",
        patient_age="064Y",
    )


def film_study(rows: int = 40, columns: int = 50) -> Study:
    """A chest film without any patient-space geometry."""
    instance = Instance(
        sop_instance_uid=uid_for("objects", "dx"),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        locator="file:/none/dx.dcm",
        instance_number=1,
        pixel_format=pixel_format(rows, columns),
        frames=(FrameHeader(),),
    )
    patient = Patient("920627300101", "", PersonName("Smith^Anna"), "19920627", "F")
    series = Series(uid_for("objects", "dx series"), "DX", (instance,), 1)
    return Study(uid_for("objects", "dx study"), patient, (series,), study_datetime="20261118080000", study_id="18")


def ai_finding(n: int = 1, k: int = 3) -> Finding:
    centre = GEOMETRY.to_patient((float(k), 9.0, 12.0))
    half = (3.0, 4.0, 5.0)
    low = (centre[0] - half[0], centre[1] - half[1], centre[2] - half[2])
    high = (centre[0] + half[0], centre[1] + half[1], centre[2] + half[2])
    return Finding(
        finding_id=uid_for("objects", "finding", str(n)),
        source=Source.AI,
        code=NODULE,
        location=Location(
            centre_lps_mm=centre,
            box_lps_mm=(low, high),
            frame_of_reference_uid=FRAME_OF_REFERENCE,
            sop_instance_uid=uid_for("objects", "ct", str(k)),
        ),
        measurements=(
            Measurement(Quantity.LONG_AXIS, 11.6, "mm"),
            Measurement(Quantity.SHORT_AXIS, 10.8, "mm"),
            Measurement(Quantity.VOLUME, 1128.0, "mm3"),
        ),
        laterality="L",
        region="region.lung.left_upper",
        attributes=(("attribute.composition", "attribute.solid"),),
        score=2.25,
        probability=0.875,
        band=Band.HIGH,
        reader=READER,
        source_sop_instance_uids=tuple(uid_for("objects", "ct", str(i)) for i in range(6)),
    )


def own_mark(n: int = 1, k: int = 1) -> Finding:
    return Finding(
        finding_id=uid_for("objects", "mark", str(n)),
        source=Source.MINE,
        code=NODULE,
        location=Location(
            sop_instance_uid=uid_for("objects", "ct", str(k)),
            centre_px=(7.5, 8.5),
            box_px=(5.0, 6.0, 10.0, 11.0),
            centre_lps_mm=GEOMETRY.to_patient((float(k), 8.0, 7.0)),
            frame_of_reference_uid=FRAME_OF_REFERENCE,
        ),
        measurements=(Measurement(Quantity.LONG_AXIS, 6.2, "mm"),),
        laterality="R",
        region="region.lung.right_upper",
        confidence=4,
        comment="шағын ошақ",
    )


def ai_result(*findings: Finding) -> ReadResult:
    return ReadResult(READER, ct_study().study_instance_uid, ReadState.COMPLETED, findings)


def header(name: str, **changes: object) -> ObjectHeader:
    values: dict[str, object] = {
        "sop_instance_uid": uid_for("objects", "out", name),
        "series_instance_uid": uid_for("objects", "out series", name),
        "written_at": datetime(2026, 11, 17, 10, 34, 8, tzinfo=UTC),
        "series_description": f"Ekinshi {name}",
    }
    return ObjectHeader(**{**values, **changes})  # type: ignore[arg-type]


def iod_errors(data: bytes, folder: Path) -> list[str]:
    """Error lines of dciodvfy. Skips where it is absent, fails there when ``REQUIRE_SERVERS`` is set."""
    program = shutil.which("dciodvfy")
    if program is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail("dciodvfy (Debian package dicom3tools) is required here")
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    file = folder / "object.dcm"
    file.write_bytes(data)
    done = subprocess.run([program, "-new", str(file)], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
