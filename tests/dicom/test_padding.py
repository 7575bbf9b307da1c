"""Pixel Padding and the fill around corrected volumes are no values: marked in the volume, kept out of its type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.domain.voxel_mask import VoxelMask
from tests.dicom.builders import series
from tests.dicom.test_volume_builder import built

ROWS, COLUMNS = 10, 12
RNG = np.random.default_rng(8)
STORED = RNG.integers(900, 1200, (4, ROWS, COLUMNS)).astype(np.int16)
CORNERS = np.zeros((4, ROWS, COLUMNS), np.bool_)
for _k in range(4):
    CORNERS[_k, : 2 + _k, : 3 + _k] = True
    CORNERS[_k, -1, -2:] = True


def padded(value: int, dtype: type = np.int16) -> np.ndarray:
    out = STORED.astype(dtype)
    out[CORNERS] = value
    return out


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 4, 8), (2, 3, 17)])
def test_a_mask_is_what_it_was_made_from(shape: tuple[int, int, int]) -> None:
    values = RNG.random(shape) < 0.4
    mask = VoxelMask.of(values)
    assert mask.shape == shape
    assert mask.nbytes == shape[0] * shape[1] * -(-shape[2] // 8)
    for axis, n in ((0, 1), (1, 2), (2, shape[2] - 1), (2, 0)):
        assert np.array_equal(mask.plane(axis, n), np.take(values, n, axis))
    box = (slice(0, 2), slice(1, 3), slice(2, shape[2] - 1))
    assert np.array_equal(mask.box(*box), values[box])
    cropped = mask.crop(*box)
    assert (cropped.box() if cropped is not None else np.zeros_like(values[box])).tolist() == values[box].tolist()
    k, j, i = (RNG.integers(0, n, 50) for n in shape)
    assert np.array_equal(mask.at(k, j, i), values[k, j, i])
    wide = np.pad(values, ((0, 1), (0, 1), (0, 1)))
    touched = np.any(
        [wide[a:, b:, c:][: shape[0], : shape[1], : shape[2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)], 0
    )
    assert np.array_equal(mask.touched.box(), touched)
    assert VoxelMask.of(np.zeros(shape, np.bool_)).crop(*box) is None


@pytest.mark.parametrize("threads", [1, 3])
def test_padding_is_air_and_marked(tmp_path: Path, threads: int) -> None:
    stored = padded(-2000)
    volume = built(series(tmp_path, [0.0, 1.0, 2.0, 3.0], lambda k: stored[k], PixelPaddingValue=-2000), threads=threads)
    assert volume.no_value is not None
    assert np.array_equal(volume.no_value.box(), CORNERS)
    assert (volume.voxels[CORNERS] == -1024).all()
    assert np.array_equal(volume.voxels[~CORNERS], STORED[~CORNERS] - 1024)
    assert volume.nbytes == volume.voxels.nbytes + 4 * ROWS * 2
    part = volume.crop(slice(1, 3), slice(0, 4), slice(1, 9))
    assert part.no_value is not None
    assert np.array_equal(part.no_value.box(), CORNERS[1:3, 0:4, 1:9])
    assert volume.crop(slice(0, 1), slice(5, 8)).no_value is None


def test_without_padding_there_is_no_mask(tmp_path: Path) -> None:
    assert built(series(tmp_path / "a", [0.0, 1.0, 2.0, 3.0], lambda k: STORED[k])).no_value is None
    declared = built(series(tmp_path / "b", [0.0, 1.0], lambda k: STORED[k], PixelPaddingValue=-2000))
    assert declared.no_value is None
    assert declared.nbytes == declared.voxels.nbytes


def test_a_range_and_a_value_beyond_the_type(tmp_path: Path) -> None:
    """63 536 as padding must not make the whole volume four bytes a voxel."""
    stored = padded(63536, np.uint16)
    stored[0, 0, 0] = 65535
    made = series(
        tmp_path,
        [0.0, 1.0, 2.0, 3.0],
        lambda k: stored[k],
        PixelPaddingValue=63536,
        PixelPaddingRangeLimit=65535,
        BitsStored=16,
    )
    volume = built(made)
    assert volume.voxels.dtype == np.int16
    assert volume.no_value is not None
    assert np.array_equal(volume.no_value.box(), CORNERS)


def test_no_other_unit_gets_air(tmp_path: Path) -> None:
    made = series(
        tmp_path,
        [0.0, 1.0, 2.0, 3.0],
        lambda k: padded(-2000)[k],
        PixelPaddingValue=-2000,
        Modality="MR",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4",
        RescaleIntercept=None,
        RescaleSlope=None,
    )
    volume = built(made)
    assert volume.unit != "HU"
    for k in range(4):
        assert (volume.voxels[k][CORNERS[k]] == STORED[k][~CORNERS[k]].min()).all()


def test_averages_leave_padding_out(tmp_path: Path) -> None:
    stored = padded(-2000)
    volume = built(series(tmp_path, [0.0, 1.0, 2.0, 3.0], lambda k: stored[k], PixelPaddingValue=-2000), shrink=2)
    assert volume.no_value is not None
    for k in range(4):
        for j in range(ROWS // 2):
            for i in range(COLUMNS // 2):
                cell = (k, slice(2 * j, 2 * j + 2), slice(2 * i, 2 * i + 2))
                known = STORED[cell][~CORNERS[cell]]
                assert bool(volume.no_value.plane(0, k)[j, i]) == (known.size == 0)
                assert volume.voxels[k, j, i] == (np.rint(np.float32(known.mean())) - 1024 if known.size else -1024)


def test_what_a_tilt_brings_around_has_no_value(tmp_path: Path) -> None:
    """Each slice drifts one row: a wedge above or below it lies outside the scan."""
    plain = np.full((ROWS, COLUMNS), 1100, np.int16)
    volume = built(series(tmp_path / "t", [0.0, 2.0, 4.0, 6.0], lambda k: plain, tilt_mm_per_mm=0.25))
    assert volume.voxels.shape[1] == ROWS + 3
    assert volume.no_value is not None
    nothing = volume.no_value.box()
    assert nothing.sum() == 4 * 3 * COLUMNS
    assert (volume.voxels[nothing] == -1024).all()
    assert (volume.voxels[~nothing] == 76).all()
    both = built(
        series(
            tmp_path / "p", [0.0, 2.0, 4.0, 6.0], lambda k: padded(-2000)[k], tilt_mm_per_mm=0.25, PixelPaddingValue=-2000
        )
    )
    assert both.no_value is not None
    assert both.no_value.box().sum() == 4 * 3 * COLUMNS + CORNERS.sum()
    assert np.array_equal(np.sort(both.voxels[~both.no_value.box()]), np.sort(STORED[~CORNERS] - 1024))


def test_half_a_row_of_tilt_takes_no_mixture_for_a_value(tmp_path: Path) -> None:
    plain = np.full((ROWS, COLUMNS), 1100, np.int16)
    volume = built(series(tmp_path, [0.0, 2.0, 4.0, 6.0], lambda k: plain, tilt_mm_per_mm=0.125))
    assert volume.no_value is not None
    assert (volume.voxels[~volume.no_value.box()] == 76).all()


def test_between_slices_padding_has_no_share(tmp_path: Path) -> None:
    stored = padded(-2000)
    volume = built(series(tmp_path, [0.0, 1.0, 2.0, 4.0], lambda k: stored[k], PixelPaddingValue=-2000))
    assert volume.interpolated
    assert volume.no_value is not None
    assert volume.voxels.shape[0] == 5
    assert np.array_equal(volume.no_value.plane(0, 3), CORNERS[2] | CORNERS[3])
    assert np.array_equal(volume.no_value.plane(0, 4), CORNERS[3])
    between = volume.voxels[3][~volume.no_value.plane(0, 3)]
    assert between.min() >= 900 - 1024
