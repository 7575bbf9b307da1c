"""Noise in headers parts nothing, wherever rounding has its borders; multi-frame objects are not shuffled together."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.dicom import near
from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.domain.geometry import PlaneGeometry
from app.domain.pixels import PixelFormat
from app.domain.study import DisplaySet, DisplaySetKind, FrameHeader, Instance, Patient, Series, Study
from tests.dicom.builders import ORIGIN, image, save
from tests.dicom.saved_phantom import item

TOMO = "1.2.840.10008.5.1.4.1.1.13.1.3"


def turned(degrees: float) -> list[float]:
    """Rows in the axial plane, turned about z."""
    a = math.radians(degrees)
    return [math.cos(a), math.sin(a), 0.0, -math.sin(a), math.cos(a), 0.0]


def sets(folder: Path) -> tuple[DisplaySet, ...]:
    study = scan([folder]).studies[0]
    found = display_sets(study)
    frames = [ref for s in found for ref in s.frames]
    assert len(frames) == len(set(frames)) == sum(len(i.frames) for s in study.series for i in s.instances)
    assert len({s.display_set_id for s in found}) == len(found)
    return found


@pytest.mark.parametrize("border", [0.705, 0.715, 0.995, 0.005])
def test_noise_at_a_rounding_border_of_the_cosines_leaves_one_volume(border: float, tmp_path: Path) -> None:
    middle = math.degrees(math.acos(border))
    for n in range(10):
        d = image(np.full((6, 8), n, np.uint16), SOPInstanceUID=f"2.25.7{n:03d}", InstanceNumber=str(n))
        d.ImageOrientationPatient = [f"{v:.10f}"[:16] for v in turned(middle + 0.0006 * (-1) ** n)]
        d.ImagePositionPatient = [*ORIGIN[:2], ORIGIN[2] + 2.5 * n]
        save(d, tmp_path / f"{n}.dcm")
    (found,) = sets(tmp_path)
    assert (len(found.frames), found.split_reason, found.remarks) == (10, None, ())
    study = scan([tmp_path]).studies[0]
    volume = build_volume(study, found, FileByteSource())
    assert volume.voxels.shape == (10, 6, 8)


def a_series(planes: list[PlaneGeometry | None], **changes: object) -> Study:
    first = Instance("1.2", "1.2.840.10008.5.1.4.1.1.2", "", "", pixel_format=PixelFormat(6, 8))
    instances = tuple(
        replace(first, sop_instance_uid=f"1.2.{n}", frames=(FrameHeader(p),), instance_number=n, **changes)
        for n, p in enumerate(planes)
    )
    return Study("1", Patient(), (Series("2", "CT", instances),))


AXIAL = PlaneGeometry(ORIGIN, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.5, 0.75, 6, 8)


def at(z: float, **changes: object) -> PlaneGeometry:
    return replace(AXIAL, origin_mm=(ORIGIN[0], ORIGIN[1], z), **changes)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("border", [0.48825, 0.00015, 1.00005])
def test_noise_at_a_rounding_border_of_the_spacing(border: float, order: int) -> None:
    planes = [at(n, row_spacing_mm=border * (1 + 1e-6 * (-1) ** n), column_spacing_mm=0.75) for n in range(6)]
    (found,) = display_sets(a_series(planes[::order]))
    assert found.split_reason is None
    apart = [at(n, row_spacing_mm=border * (1.001 if n > 2 else 1)) for n in range(6)]
    assert [s.split_reason.code for s in display_sets(a_series(apart)) if s.split_reason] == ["split.spacing"] * 2


@pytest.mark.parametrize("border", [640.005, 640.015, -0.005])
def test_noise_at_a_rounding_border_of_the_places(border: float) -> None:
    """Two acquisitions of the same three places whose positions differ by a micrometre are phases, not six slices."""
    planes = [at(border + 2.0 * (n % 3) + 1e-6 * (-1) ** (n // 3)) for n in range(6)]
    found = display_sets(a_series(planes))
    assert [(len(s.frames), s.label) for s in found] == [(3, "P1"), (3, "P2")]
    assert all(s.remarks == () for s in found)


def test_the_groups_do_not_depend_on_the_order_and_keep_their_width() -> None:
    rng = np.random.default_rng(5)
    values = [(float(v), 0.0, 0.0) for v in rng.uniform(0, 0.2, 400)]
    once = near.places(values)
    again = near.places([values[n] for n in rng.permutation(400)])
    assert once == again
    assert max(math.dist(p, lead) for p, lead in once.items()) <= near.PLACE_TOLERANCE_MM
    fan = [tuple(turned(0.1 * n)) for n in range(900)]
    led = near.directions(fan)
    assert led == near.directions(fan[::-1])
    assert all(np.dot(a[:3], b[:3]) > near.SAME_DIRECTION for a, b in led.items())
    assert 40 < len(set(led.values())) < 120
    # Two that look alike when rounded for people still have two names.
    one, other = (0.7020, 0.7020, 0.1), (0.7028, 0.7028, 0.1)
    names = near.shown({one: one, other: other}, 2)
    assert names[one] != names[other]


def multi(folder: Path, n: int, places: list[float], **changes: object) -> None:
    """A breast tomosynthesis object with frames at these places (mm along the normal)."""
    d = image(np.zeros((len(places), 6, 8), np.uint16), SOPInstanceUID=f"2.25.7{n:03d}", InstanceNumber=str(n))
    d.SOPClassUID, d.Modality = TOMO, "MG"
    if len(places) == 1:
        d.NumberOfFrames = "1"
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del d[name]
    d.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
    ]
    d.PerFrameFunctionalGroupsSequence = [
        item(PlanePositionSequence=[item(ImagePositionPatient=[*ORIGIN[:2], ORIGIN[2] + z])]) for z in places
    ]
    for name, value in changes.items():
        setattr(d, name, value)
    save(d, folder / f"{n}.dcm")


def told(found: tuple[DisplaySet, ...]) -> list[tuple[str, int, str]]:
    return sorted((s.label, len(s.frames), s.split_reason.code if s.split_reason else "") for s in found)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0, 4.0]),
        ([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]),
        ([0.0, 1.0, 2.0, 3.0], [0.4, 1.4, 2.4, 3.4]),
    ],
    ids=["three and five planes", "the same four", "between each other"],
)
def test_two_tomosyntheses_of_one_series_are_two_stacks(first: list[float], second: list[float], tmp_path: Path) -> None:
    multi(tmp_path, 1, first)
    multi(tmp_path, 2, second)
    found = sets(tmp_path)
    assert told(found) == [("#1", len(first), "split.multiframe"), ("#2", len(second), "split.multiframe")]
    assert all(s.kind is DisplaySetKind.STACK and not s.remarks and s.moment is None for s in found)
    assert all(len({r.sop_instance_uid for r in s.frames}) == 1 for s in found)


def test_objects_one_behind_the_other_are_one_stack(tmp_path: Path) -> None:
    multi(tmp_path, 1, [0.0, 1.0, 2.0])
    multi(tmp_path, 2, [3.0, 4.0])
    (found,) = sets(tmp_path)
    assert (len(found.frames), found.remarks) == (5, ())


def test_a_concatenation_is_one_object_beside_another(tmp_path: Path) -> None:
    pieces = {"ConcatenationUID": "2.25.900"}
    # The pieces are written out of order, and the last holds one frame.
    multi(tmp_path, 1, [4.0], InConcatenationNumber=3, **pieces)
    multi(tmp_path, 2, [0.0, 2.0], InConcatenationNumber=1, **pieces)
    multi(tmp_path, 3, [1.0, 3.0], InConcatenationNumber=2, **pieces)
    multi(tmp_path, 4, [0.0, 1.0, 2.0])
    found = sets(tmp_path)
    assert sorted((len(s.frames), s.kind.value) for s in found) == [(3, "stack"), (5, "stack")]
    whole = next(s for s in found if len(s.frames) == 5)
    assert [r.sop_instance_uid[-1] for r in whole.frames] == ["2", "3", "2", "3", "1"]
    assert whole.remarks == ()


def test_a_concatenated_run_plays_as_one(tmp_path: Path) -> None:
    for n, (frames, number) in enumerate(((1, 3), (3, 1), (2, 2))):
        d = image(np.zeros((frames, 6, 8), np.uint8), Modality="US", SOPInstanceUID=f"2.25.7{n:03d}", InstanceNumber=str(n))
        d.ConcatenationUID, d.InConcatenationNumber = "2.25.901", number
        for name in ("ImagePositionPatient", "ImageOrientationPatient"):
            del d[name]
        save(d, tmp_path / f"{n}.dcm")
    (found,) = sets(tmp_path)
    assert found.kind is DisplaySetKind.CINE
    assert [(r.sop_instance_uid[-1], r.frame) for r in found.frames] == [
        ("1", 0), ("1", 1), ("1", 2), ("2", 0), ("2", 1), ("0", 0),
    ]  # fmt: skip


def test_a_run_of_multi_frame_objects_is_a_4d_series(tmp_path: Path) -> None:
    for n in range(6):
        multi(tmp_path, n, [0.0, 1.0], AcquisitionDateTime=f"2026030110{9 - n:02d}00")
    found = sets(tmp_path)
    moments = sorted((s.moment.number, s.moment.count, s.label) for s in found if s.moment)
    assert moments == [(n + 1, 6, f"#{5 - n}") for n in range(6)]


def test_a_multi_frame_object_of_two_phases_beside_another_keeps_its_phases(tmp_path: Path) -> None:
    multi(tmp_path, 1, [0.0, 1.0, 0.0, 1.0])
    multi(tmp_path, 2, [0.0, 1.0])
    assert told(sets(tmp_path)) == [("#1 P1", 2, "split.phase"), ("#1 P2", 2, "split.phase"), ("#2", 2, "split.multiframe")]
