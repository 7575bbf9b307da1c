"""One table of split rules: every frame is in exactly one set, and the set says why it was parted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.domain.study import DisplaySet, DisplaySetKind
from tests.dicom.builders import ORIGIN, image, save

FLAT = np.zeros((6, 8), np.uint16)


def put(folder: Path, n: int, z: float, **changes) -> None:
    d = image(FLAT, SOPInstanceUID=f"2.25.7{n:03d}", InstanceNumber=str(n), **changes)
    if "ImagePositionPatient" not in changes:
        d.ImagePositionPatient = [*ORIGIN[:2], ORIGIN[2] + z]
    save(d, folder / f"{n:03d}.dcm")


def sets(folder: Path) -> tuple[DisplaySet, ...]:
    study = scan([folder]).studies[0]
    found = display_sets(study)
    frames = [ref for s in found for ref in s.frames]
    assert len(frames) == len(set(frames)) == sum(len(i.frames) or 1 for s in study.series for i in s.instances)
    assert len({s.display_set_id for s in found}) == len(found)
    return found


def reasons(found: tuple[DisplaySet, ...]) -> set[str]:
    return {s.split_reason.code for s in found if s.split_reason}


def test_one_stack(tmp_path: Path) -> None:
    for n, z in enumerate((4.0, 0.0, 2.0)):
        put(tmp_path, n, z)
    (found,) = sets(tmp_path)
    assert found.kind is DisplaySetKind.STACK
    assert [r.sop_instance_uid for r in found.frames] == ["2.25.7001", "2.25.7002", "2.25.7000"]
    assert found.split_reason is None
    assert found.remarks == ()


def test_orientation_and_localizer(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path, n, n)
    for n in range(3, 5):
        put(tmp_path, n, 0, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=[n, 0, 0])
    put(tmp_path, 5, 9, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    found = sets(tmp_path)
    assert sorted(len(s.frames) for s in found) == [1, 2, 3]
    assert reasons(found) == {"split.localizer"}
    assert {s.label for s in found} == {"AX", "SAG", "LOC"}


def test_b_values_and_echoes_part_repeated_places_only(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path / "b", n, n, Modality="MR", DiffusionBValue=0.0)
        put(tmp_path / "b", n + 3, n, Modality="MR", DiffusionBValue=800.0)
        put(tmp_path / "e", n, n, Modality="MR", EchoTime=str(10 + n))
    found = sets(tmp_path / "b")
    assert reasons(found) == {"split.b_value"}
    assert {s.label for s in found} == {"b0", "b800"}
    assert len(sets(tmp_path / "e")) == 1


def test_acquisitions_and_phases(tmp_path: Path) -> None:
    for n in range(4):
        put(tmp_path / "a", n, n % 2, AcquisitionNumber=str(n // 2 + 1))
        put(tmp_path / "p", n, n % 2)
    assert reasons(sets(tmp_path / "a")) == {"split.acquisition"}
    phases = sets(tmp_path / "p")
    assert reasons(phases) == {"split.phase"}
    assert [[r.sop_instance_uid[-1] for r in s.frames] for s in phases] == [["0", "1"], ["2", "3"]]


def test_irregular_doubles_stay_and_are_remarked(tmp_path: Path) -> None:
    for n, z in enumerate((0.0, 1.0, 1.0, 2.0)):
        put(tmp_path, n, z)
    (found,) = sets(tmp_path)
    assert [p.code for p in found.remarks] == ["stack.duplicate_slices"]


def test_missing_slices_are_remarked(tmp_path: Path) -> None:
    for n, z in enumerate((0.0, 1.0, 2.0, 5.0, 6.0)):
        put(tmp_path, n, z)
    (found,) = sets(tmp_path)
    assert dict(found.remarks[0].params) == {"slices": 2, "gaps": 1}


def test_films_documents_and_cine(tmp_path: Path) -> None:
    put(tmp_path, 1, 0, Modality="MG", SeriesInstanceUID="2.25.21", SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2")
    put(tmp_path, 2, 0, Modality="MG", SeriesInstanceUID="2.25.21", SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2")
    bigger = image(np.zeros((9, 5), np.uint16), Modality="MG", SeriesInstanceUID="2.25.21", SOPInstanceUID="2.25.7902")
    save(bigger, tmp_path / "bigger.dcm")
    cine = image(np.zeros((4, 6, 8), np.uint8), Modality="US", SeriesInstanceUID="2.25.22", SOPInstanceUID="2.25.7900")
    save(cine, tmp_path / "cine.dcm")
    report = Dataset()
    for name in ("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "SpecificCharacterSet"):
        setattr(report, name, getattr(cine, name))
    report.SOPClassUID, report.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", "2.25.7901"
    report.SeriesInstanceUID, report.Modality = "2.25.23", "SR"
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = "126000", "DCM", "Imaging Measurement Report"
    report.ConceptNameCodeSequence = Sequence([title])
    save(report, tmp_path / "sr.dcm")
    found = {s.series_instance_uid: s for s in sets(tmp_path)}
    assert found["2.25.21"].kind is DisplaySetKind.IMAGES
    assert len(found["2.25.21"].frames) == 3
    assert (found["2.25.22"].kind, len(found["2.25.22"].frames)) == (DisplaySetKind.CINE, 4)
    assert (found["2.25.23"].kind, found["2.25.23"].label) == (DisplaySetKind.DOCUMENT, "Imaging Measurement Report")


def test_enhanced_frames_by_their_own_place_and_rescale(tmp_path: Path) -> None:
    d = image(np.zeros((4, 6, 8), np.uint16), Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1")
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        del d[name]

    def one(**values) -> Sequence:
        item = Dataset()
        for name, value in values.items():
            setattr(item, name, value)
        return Sequence([item])

    shared = Dataset()
    shared.PixelMeasuresSequence = one(PixelSpacing=[0.5, 0.75])
    shared.PlaneOrientationSequence = one(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for n in range(4):
        group = Dataset()
        group.PlanePositionSequence = one(ImagePositionPatient=[*ORIGIN[:2], ORIGIN[2] - 3.0 * (n % 2)])
        group.PixelValueTransformationSequence = one(RescaleSlope=str(n + 1), RescaleIntercept="0", RescaleType="US")
        group.FrameContentSequence = one(TemporalPositionIndex=n // 2 + 1, DimensionIndexValues=[n // 2 + 1, n % 2 + 1])
        groups.append(group)
    d.PerFrameFunctionalGroupsSequence = Sequence(groups)
    save(d, tmp_path / "e.dcm")
    found = sets(tmp_path)
    assert reasons(found) == {"split.time"}
    assert [[r.frame for r in s.frames] for s in found] == [[1, 0], [3, 2]]
    instance = scan([tmp_path]).files[0].instance
    assert [f.modality_transform.slope for f in instance.frames] == [1, 2, 3, 4]
    assert instance.frames[3].dimension_index == (2, 2)
    assert instance.frames[1].plane.origin_mm[2] == ORIGIN[2] - 3.0
