"""One table of split rules: every frame is in exactly one set, and the set says why it was parted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from app.dicom.display_sets import STACK_RULES, display_sets
from app.dicom.scanner import scan
from app.domain.messages import load_catalogues
from app.domain.resources import resource_path
from app.domain.study import DisplaySet, DisplaySetKind
from tests.dicom.builders import ORIGIN, image, save
from tests.dicom.saved_phantom import item, plain_object

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
    # Each set says what tells it from its neighbours.
    assert {s.label: s.split_reason.code for s in found if s.split_reason} == {
        "AX": "split.orientation",
        "SAG": "split.orientation",
        "LOC": "split.localizer",
    }


def test_b_values_and_echoes_part_repeated_places_only(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path / "b", n, n, Modality="MR", DiffusionBValue=0.0)
        put(tmp_path / "b", n + 3, n, Modality="MR", DiffusionBValue=800.0)
        put(tmp_path / "e", n, n, Modality="MR", EchoTime=str(10 + n))
    found = sets(tmp_path / "b")
    assert reasons(found) == {"split.b_value"}
    assert {s.label for s in found} == {"b = 0 s/mm²", "b = 800 s/mm²"}
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


TIMED: dict[str, tuple[list[dict[str, list[Dataset]]], list[str], str]] = {
    # What differs from frame to frame: three moments of two slices.
    "percentage of the heart's cycle": (
        [{"CardiacSynchronizationSequence": [item(NominalPercentageOfCardiacPhase=p)]} for p in (40.0, 75.0, 5.0)],
        ["5 %", "40 %", "75 %"],
        "split.cardiac",
    ),
    "delay after the R wave": (
        [{"CardiacSynchronizationSequence": [item(NominalCardiacTriggerDelayTime=d)]} for d in (0.0, 33.4, 101.0)],
        ["0 ms", "33.4 ms", "101 ms"],
        "split.cardiac",
    ),
    "temporal position": (
        [{"TemporalPositionSequence": [item(TemporalPositionTimeOffset=t)]} for t in (0.0, 2.5, 10.0)],
        ["T0", "T2.5", "T10"],
        "split.time",
    ),
}


@pytest.mark.parametrize("kind", TIMED)
def test_moments_of_enhanced_objects(kind: str, tmp_path: Path) -> None:
    moments_of, values, code = TIMED[kind]
    d = image(np.zeros((6, 6, 8), np.uint16), Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1")
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del d[name]
    d.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
    ]
    d.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[*ORIGIN[:2], ORIGIN[2] + 3.0 * (n % 2)])],
            FrameContentSequence=[item(DimensionIndexValues=[n + 1])],
            **moments_of[n // 2],
        )
        for n in range(6)
    ]
    save(d, tmp_path / "e.dcm")
    found = sets(tmp_path)
    assert reasons(found) == {code}
    ordered = sorted((s for s in found if s.moment), key=lambda s: s.moment.number)
    assert [s.moment.value for s in ordered] == values
    assert {(s.moment.count, s.moment.group) for s in ordered} == {(3, ordered[0].moment.group)}
    assert all(len(s.frames) == 2 for s in found)


FOLLOWING = ("1.2.3.1", "1.2.3.2")
RULES: dict[str, tuple[list[dict[str, Any]], set[str], list[int]]] = {
    # rule: (what differs from object to object, labels, frames per set)
    "split.size": (
        [{"Rows": 6}, {"Rows": 6}, {"Rows": 12, "values": np.zeros((12, 8), np.uint16)}],
        {"8x6", "8x12"},
        [1, 2],
    ),
    "split.frame_of_reference": ([{"FrameOfReferenceUID": u} for u in FOLLOWING], {""}, [1, 1]),
    "split.orientation": (
        [{}, {}, {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "ImagePositionPatient": [0, 3, 0]}],
        {"AX", "COR"},
        [1, 2],
    ),
    "split.spacing": ([{"PixelSpacing": [0.5, 0.5]}, {}, {}], {"0.5 mm", "0.5x0.75 mm"}, [1, 2]),
    "split.image_type": (
        [{"z": n % 2, "ImageType": ["ORIGINAL", "PRIMARY", kind]} for n, kind in enumerate("MMPP")],
        {"M", "P"},
        [2, 2],
    ),
    "split.b_value": (
        [{"z": n % 2, "DiffusionBValue": b} for n, b in enumerate((0.0, 0.0, 800.0, 800.0))],
        {"b = 0 s/mm²", "b = 800 s/mm²"},
        [2, 2],
    ),
    "split.echo": (
        [{"z": n % 2, "EchoTime": t} for n, t in enumerate(("4.6", "4.6", "9.2", "9.2"))],
        {"TE 4.6", "TE 9.2"},
        [2, 2],
    ),
    "split.time": (
        [{"z": n % 2, "TemporalPositionIdentifier": str(t)} for n, t in enumerate((1, 1, 2, 2))],
        {"T1", "T2"},
        [2, 2],
    ),
    "split.cardiac": (
        [{"z": n % 2, "Modality": "MR", "TriggerTime": t} for n, t in enumerate(("0", "0", "33.4", "33.4"))],
        {"0 ms", "33.4 ms"},
        [2, 2],
    ),
    "split.acquisition": (
        [{"z": n % 3, "AcquisitionNumber": str(a)} for n, a in enumerate((1, 1, 1, 2, 2, 2))],
        {"A1", "A2"},
        [3, 3],
    ),
    "split.phase": ([{"z": n % 2} for n in range(6)], {"P1", "P2", "P3"}, [2, 2, 2]),
    "split.localizer": (
        [{}, {}, {"z": 7, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}],
        {"", "LOC"},
        [1, 2],
    ),
}


@pytest.mark.parametrize("code", RULES)
def test_each_rule_parts_its_own_phantom_and_says_so(code: str, tmp_path: Path) -> None:
    objects, labels, sizes = RULES[code]
    for n, changes in enumerate(objects):
        values = dict(changes)
        z = float(values.pop("z", n))
        pixels = values.pop("values", FLAT)
        d = image(pixels, SOPInstanceUID=f"2.25.7{n:03d}", InstanceNumber=str(n), **values)
        if "ImagePositionPatient" not in values:
            d.ImagePositionPatient = [*ORIGIN[:2], ORIGIN[2] + 2.5 * z]
        save(d, tmp_path / f"{n:03d}.dcm")
    found = sets(tmp_path)
    assert reasons(found) == {code}
    assert all(s.split_reason is not None for s in found)
    assert {s.label for s in found} == labels
    assert sorted(len(s.frames) for s in found) == sizes
    sentence = load_catalogues(resource_path("i18n", "messages"))
    assert all(code in sentence[language] for language in ("en", "ru", "kk"))


def moments(found: tuple[DisplaySet, ...]) -> list[tuple[int, int, str, str]]:
    return [(m.number, m.count, m.label, m.value) for s in found if (m := s.moment) is not None]


def test_moments_of_one_4d_series_are_a_group(tmp_path: Path) -> None:
    # The later moment stands first in the files; order is that of time, 10 after 9.
    for n, t in enumerate((10, 10, 9, 9)):
        put(tmp_path / "t", n, n % 2, TemporalPositionIdentifier=str(t))
    found = sets(tmp_path / "t")
    assert sorted(moments(found)) == [(1, 2, "", "T9"), (2, 2, "", "T10")]
    assert len({s.moment.group for s in found if s.moment}) == 1
    # Trigger times that differ from slice to slice are phases in their order.
    for n, t in enumerate(("0", "40", "80", "1", "42", "83")):
        put(tmp_path / "c", n, n // 3, Modality="MR", TriggerTime=t, AcquisitionTime=f"10{n:02d}00")
    found = sets(tmp_path / "c")
    assert reasons(found) == {"split.phase"}
    assert [m[:2] + m[3:] for m in moments(found)] == [(1, 3, "P1"), (2, 3, "P2"), (3, 3, "P3")]
    assert [[r.sop_instance_uid[-1] for r in s.frames] for s in found] == [["0", "3"], ["1", "4"], ["2", "5"]]


@pytest.mark.parametrize(("count", "grouped"), [(3, False), (6, True)])
def test_a_run_of_acquisitions_is_a_4d_series_and_a_few_are_phases(count: int, grouped: bool, tmp_path: Path) -> None:
    for n in range(2 * count):
        number = n // 2 + 1
        put(
            tmp_path,
            n,
            n % 2,
            AcquisitionNumber=str(number),
            AcquisitionDate="20260301",
            AcquisitionTime=f"10{number:02d}00",
        )
    found = sets(tmp_path)
    assert reasons(found) == {"split.acquisition"}
    assert [m[:2] + m[3:] for m in moments(found)] == ([(n, 6, f"A{n}") for n in range(1, 7)] if grouped else [])


def test_two_makings_of_one_moment_are_no_4d_series(tmp_path: Path) -> None:
    for n in range(4):
        put(tmp_path / "same", n, n // 2)
        put(tmp_path / "timed", n, n // 2, ContentDate="20260301", ContentTime=f"10{n % 2}000")
    found = sets(tmp_path / "same")
    assert reasons(found) == {"split.phase"}
    assert moments(found) == []
    assert [m[3] for m in moments(sets(tmp_path / "timed"))] == ["P1", "P2"]


def test_moments_at_other_places_or_of_another_echo_are_no_group(tmp_path: Path) -> None:
    for n, (t, z) in enumerate(((1, 0), (1, 1), (2, 1), (2, 2))):
        put(tmp_path / "t", n, z, TemporalPositionIdentifier=str(t))
    assert moments(sets(tmp_path / "t")) == []
    for n in range(8):
        put(
            tmp_path / "e", n, n % 2, Modality="MR", EchoTime=str(5 + n // 4), TemporalPositionIdentifier=str(n // 2 % 2 + 1)
        )
    found = sets(tmp_path / "e")
    assert sorted(moments(found)) == [
        (1, 2, "TE 5.0", "T1"),
        (1, 2, "TE 6.0", "T1"),
        (2, 2, "TE 5.0", "T2"),
        (2, 2, "TE 6.0", "T2"),
    ]
    assert len({s.moment.group for s in found if s.moment}) == 2


def test_the_table_is_whole() -> None:
    stacked = {rule.code for rule in STACK_RULES}
    assert stacked | {"split.acquisition", "split.phase"} == set(RULES) | {"split.stack"}


def test_attributes_that_merely_drift_along_one_stack_part_nothing(tmp_path: Path) -> None:
    for n in range(4):
        put(tmp_path, n, 2.0 * n, EchoTime=f"{4 + n}", TemporalPositionIdentifier=str(n + 1))
    (found,) = sets(tmp_path)
    assert found.split_reason is None


@pytest.mark.parametrize(
    ("kind", "modality", "expected"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "SR", DisplaySetKind.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.88.59", "KO", DisplaySetKind.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.104.3", "M3D", DisplaySetKind.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", DisplaySetKind.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.67", "RWV", DisplaySetKind.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.66.1", "REG", DisplaySetKind.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", DisplaySetKind.DOCUMENT),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", DisplaySetKind.DERIVED),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PR", DisplaySetKind.DERIVED),
        ("1.2.840.10008.5.1.4.1.1.11.2", "PR", DisplaySetKind.DERIVED),
    ],
)
def test_objects_without_pixels_are_read_or_laid_over(
    kind: str, modality: str, expected: DisplaySetKind, tmp_path: Path
) -> None:
    (tmp_path / "it.dcm").write_bytes(plain_object(kind, modality))
    (found,) = sets(tmp_path)
    assert found.kind is expected
