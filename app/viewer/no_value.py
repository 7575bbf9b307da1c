"""Voxels without a value (``Volume.no_value``): padding, and what a correction put around. Left out of what is measured,
averaged or windowed; volumes that have a value everywhere come through here at no cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.domain.voxel_mask import VoxelMask
from app.viewer.reslice import OUTSIDE, reslice
from app.viewer.view_state import SlabMode
from app.viewer.voi_lut import auto_window

Values = npt.NDArray[np.generic]
Bits = npt.NDArray[np.bool_]


def volume_window(volume: Volume) -> VoiWindow:
    """A window from the middle slice, as ``auto_window`` finds it."""
    middle = volume.voxels.shape[0] // 2
    nothing = volume.no_value.plane(0, middle) if volume.no_value is not None else None
    return auto_window(volume.voxels[middle], nothing)


def has_value(volume: Volume, k: int, j: int, i: int) -> bool:
    """Of a voxel of the grid."""
    nothing = volume.no_value
    return nothing is None or not bool(nothing.box(slice(k, k + 1), slice(j, j + 1), slice(i, i + 1)).any())


def grid_slab(picked: Values, nothing: Bits, mode: SlabMode, axis: int) -> Values:
    """Slices projected along ``axis`` without those voxels; where no slice has a value, as if all had."""
    if mode is SlabMode.MEAN:
        counts = np.count_nonzero(~nothing, axis=axis)
        total = np.where(nothing, np.float32(0), picked).sum(axis=axis, dtype=np.float32)
        whole = picked.mean(axis=axis, dtype=np.float32)
        return np.asarray(np.where(counts > 0, total / np.maximum(counts, 1), whole), np.float32)
    # The other end of what is there never wins.
    if mode is SlabMode.MAXIMUM:
        found = np.where(nothing, picked.min(), picked).max(axis=axis)
        return np.asarray(np.where(nothing.all(axis=axis), picked.max(axis=axis), found), picked.dtype)
    found = np.where(nothing, picked.max(), picked).min(axis=axis)
    return np.asarray(np.where(nothing.all(axis=axis), picked.min(axis=axis), found), picked.dtype)


def marked(mask: VoxelMask, index_from_pane: npt.NDArray[np.float64], size: tuple[int, int]) -> Bits:
    """(height, width): does a sample there take part of a marked voxel? Outside the grid it does not."""
    w, h = size
    x, y = np.arange(w) + 0.5, np.arange(h) + 0.5
    touched = mask.touched
    there = np.ones((h, w), np.bool_)
    low = []
    for axis, count in enumerate(reversed(touched.shape)):
        m = index_from_pane[axis]
        at = (m[0] * x + m[3])[None, :] + (m[1] * y)[:, None]
        lower = np.floor(at + 1e-6).astype(np.int32)
        there &= (lower >= -1) & (lower < count)
        low.append(np.clip(lower, 0, count - 1))
    return touched.at(low[2], low[1], low[0]) & there


def oblique(
    volume: Volume, index_from_pane: npt.NDArray[np.float64], size: tuple[int, int], slices: int, mode: SlabMode
) -> tuple[npt.NDArray[np.float32], Bits]:
    """As ``reslice``, and where nothing has a share that has a value: (values, marked), both (height, width).

    A slab is made slice by slice, as the samples that touch a voxel without a value have to be known one by one.
    """
    mask = volume.no_value
    assert mask is not None
    if slices <= 1:
        return reslice(volume, volume.voxels, index_from_pane, size), marked(mask, index_from_pane, size)
    total = np.zeros((size[1], size[0]), np.float32)
    count = np.zeros((size[1], size[0]), np.int32)
    some = np.full((size[1], size[0]), OUTSIDE, np.float32)
    for n in range(slices):
        matrix = index_from_pane.copy()
        matrix[:, 3] += index_from_pane[:, 2] * (n - (slices - 1) / 2)
        values = reslice(volume, volume.voxels, matrix, size)
        np.copyto(some, values, where=values > OUTSIDE / 2)
        known = (values > OUTSIDE / 2) & ~marked(mask, matrix, size)
        if mode is SlabMode.MEAN:
            np.add(total, values, out=total, where=known)
        else:
            better = values > total if mode is SlabMode.MAXIMUM else values < total
            np.copyto(total, values, where=known & (better | (count == 0)))
        count += known
    nothing = count == 0
    if mode is SlabMode.MEAN:
        total /= np.maximum(count, 1)
    np.copyto(total, some, where=nothing)
    return total, nothing & (some > OUTSIDE / 2)
