"""Made-up studies, findings and reports for the tests of the store; unequal spacing, origin far from zero."""

from __future__ import annotations

import hashlib

import numpy as np

from app.domain.finding import Finding, Location, ReaderIdentity, Source
from app.domain.geometry import PlaneGeometry
from app.domain.measurement import Code, Measurement, Placement, Quantity
from app.domain.pixels import Lut, ModalityTransform, PixelFormat, VoiWindow
from app.domain.problem import Problem
from app.domain.report import Origin, Report, ReportLine, ReportSection, StoredObject
from app.domain.study import FrameHeader, Instance, Patient, PersonName, Series, Study
from app.domain.verdict import FirstOpinion, ImageQuality, Overall

NODULE = Code("27925004", "SCT", "Nodule")
READER = ReaderIdentity("lung_ct", "1.0.0", "ab" * 32, "balanced", "torch")


def instance(uid: str, number: int = 1, sha256: str = "") -> Instance:
    plane = PlaneGeometry((-151.25, -211.5, 1033.75 + number), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.7, 0.5, 64, 48, "1.2.9")
    return Instance(
        sop_instance_uid=uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        locator=f"file:{uid}.dcm",
        size_bytes=1000 + number,
        sha256=sha256 or hashlib.sha256(f"bytes of {uid}".encode()).hexdigest(),
        instance_number=number,
        pixel_format=PixelFormat(64, 48, signed=True),
        frames=(FrameHeader(plane, ModalityTransform(1.0, -1024.0, "HU"), (VoiWindow(40.0, 400.0),)),),
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        repairs=(Problem("dicom.truncated", {"bytes": 3, "share": 0.5, "name": "x"}),),
        extra={"convolution_kernel": "B30f"},
    )


def series(uid: str, instances: tuple[Instance, ...], modality: str = "CT") -> Series:
    return Series(uid, modality, instances, 3, "THORAX 1.0")


def study(
    uid: str = "1.2.3",
    name: str = "Ахметова^Әлия",
    *,
    patient_id: str = "870412400123",
    count: int = 3,
    modality: str = "CT",
    when: str = "20260102030405",
    description: str = "КТ органов грудной клетки",
) -> Study:
    parts = tuple(instance(f"{uid}.1.{n}", n) for n in range(1, count + 1))
    patient = Patient(patient_id, "KZ", PersonName(name), "19870412", "F")
    return Study(uid, patient, (series(f"{uid}.1", parts, modality),), when, "ACC-7", description)


def with_lut() -> Instance:
    lut = Lut(-5, np.arange(10, dtype=np.uint16), 16, "density", "OD")
    header = FrameHeader(modality_transform=ModalityTransform(lut=lut))
    return Instance("1.9", "1.2", "1.2.840.10008.1.2.1", "file:/x", frames=(header,))


def mark(finding_id: str = "2.25.1", x_mm: float = 12.5) -> Finding:
    return Finding(
        finding_id,
        Source.MINE,
        NODULE,
        Location((x_mm, -20.0, 1040.25)),
        (Measurement(Quantity.LONG_AXIS, 7.3, "mm"),),
        laterality="L",
        attributes=(("composition", "solid"),),
        confidence=4,
        placement=Placement("1.2.3.1.1", 0, ((3.5, 4.5), (9.0, 4.5)), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))),
    )


def opinion(study_uid: str, person: str, hlc: str, marks: tuple[Finding, ...] = ()) -> FirstOpinion:
    return FirstOpinion(study_uid, person, hlc, Overall.FINDINGS, ImageQuality.DIAGNOSTIC, marks)


def report(study_uid: str = "1.2.3", version: int = 1, replaces: str = "") -> Report:
    line = ReportLine("Очаг 7,3 мм в верхней доле слева.", Origin.MINE, ("2.25.1",), 1)
    return Report(
        f"2.25.9{version}",
        study_uid,
        version,
        "ru",
        "КТ",
        (ReportSection("findings", "Описание", (line,)),),
        replaces=replaces,
    )


def stored(uid: str, study_uid: str = "1.2.3", kind: str = "report_pdf") -> StoredObject:
    sha = hashlib.sha256(uid.encode()).hexdigest()
    return StoredObject(uid, "1.2.840.10008.5.1.4.1.1.104.1", "1.2.3.77", study_uid, kind, sha, 123, "cd" * 32)
