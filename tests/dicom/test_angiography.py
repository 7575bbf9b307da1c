"""Mask subtraction and display shutter of angiograms: by hand-worked pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.display_shutter import shutter_of_image
from app.dicom.mask_subtraction import is_recommended, masks_for, moved, steps_of, subtracted
from app.dicom.scanner import scan
from app.domain.study import Instance
from app.viewer.presentation import shutter_mask
from tests.dicom.builders import image, save

XA = "1.2.840.10008.5.1.4.1.1.12.1"


def run(frames: int = 5, size: tuple[int, int] = (8, 10), **changes: Any) -> Dataset:
    """Frame n is 1000 everywhere, less 100 n in column 4 (the vessel fills)."""
    values = np.full((frames, *size), 1000, np.uint16)
    for n in range(frames):
        values[n, :, 4] -= 100 * n
    d = image(values, RescaleSlope=None, RescaleIntercept=None, Modality="XA")
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del d[name]
    d.SOPClassUID, d.PixelIntensityRelationship, d.FrameTime = XA, "LOG", "66.7"
    for name, value in changes.items():
        setattr(d, name, value)
    return d


def step(operation: str, **fields: Any) -> Dataset:
    d = Dataset()
    d.MaskOperation = operation
    for name, value in fields.items():
        setattr(d, name, value)
    return d


def opened(d: Dataset, tmp_path: Path) -> Instance:
    save(d, tmp_path / "xa.dcm")
    return scan([tmp_path]).files[0].instance


def test_average_of_masks_within_its_frames(tmp_path: Path) -> None:
    item = step("AVG_SUB", MaskFrameNumbers=[1, 2], ApplicableFrameRange=[3, 5], MaskSubPixelShift=[0.0, 0.0])
    instance = opened(run(MaskSubtractionSequence=[item], RecommendedViewingMode="SUB"), tmp_path)
    assert is_recommended(instance)
    steps = steps_of(instance)
    assert masks_for(steps, 1, 5) is None
    found = masks_for(steps, 4, 5)
    assert found is not None
    assert found[1] == (0, 1)
    frames = [np.full((2, 2), v, np.uint16) for v in (1000, 900, 600)]
    assert subtracted(frames[2], frames[:2], (0.0, 0.0), True).tolist() == [[-350.0, -350.0]] * 2


@pytest.mark.parametrize(
    ("operation", "offset", "masks"), [("TID", 2, {3: (1,), 1: None}), ("REV_TID", 1, {3: (4,), 4: None})]
)
def test_time_differences(tmp_path: Path, operation: str, offset: int, masks: dict[int, Any]) -> None:
    instance = opened(run(MaskSubtractionSequence=[step(operation, TIDOffset=offset)]), tmp_path)
    assert not is_recommended(instance)
    for frame, expected in masks.items():
        found = masks_for(steps_of(instance), frame, 5)
        assert (found[1] if found else None) == expected


def test_a_mask_is_moved_by_parts_of_pixels() -> None:
    values = np.zeros((4, 5))
    values[1, 2] = 8.0
    assert moved(values, (1.0, 0.0))[2, 2] == 8.0
    half = moved(values, (0.0, 0.5))
    assert half[1].tolist() == [0, 0, 4.0, 4.0, 0]


def test_linear_intensities_are_subtracted_as_logarithms() -> None:
    mask, contrast = np.full((2, 2), 2000, np.uint16), np.full((2, 2), 1000, np.uint16)
    thin = subtracted(contrast, [mask], (0.0, 0.0), False)
    thick = subtracted((contrast // 2).astype(np.uint16), [mask // 2], (0.0, 0.0), False)
    assert thin[0, 0] < 0
    assert thin == pytest.approx(thick, abs=1e-3), "the same vessel over thicker tissue"


def test_objects_without_masks_say_so(tmp_path: Path) -> None:
    instance = opened(run(), tmp_path)
    assert steps_of(instance) == ()
    assert shutter_of_image(instance) is None


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        (
            {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 3, "ShutterRightVerticalEdge": 8,
             "ShutterUpperHorizontalEdge": 2, "ShutterLowerHorizontalEdge": 5},
            lambda y, x: (x >= 2) & (x <= 7) & (y >= 1) & (y <= 4),
        ),
        (
            {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [4, 5], "RadiusOfCircularShutter": 2},
            lambda y, x: (x - 4) ** 2 + (y - 3) ** 2 <= 4,
        ),
    ],
)  # fmt: skip
def test_the_shutter_of_the_image(tmp_path: Path, fields: dict[str, Any], seen: Any) -> None:
    shutter = shutter_of_image(opened(run(**fields, ShutterPresentationValue=0x8000), tmp_path))
    assert shutter is not None
    assert shutter.grey == 128
    y, x = np.mgrid[0:8, 0:10]
    assert np.array_equal(~shutter_mask(shutter, 8, 10), seen(y, x))
