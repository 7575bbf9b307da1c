"""Air inside the body, and the airway: grown from the windpipe until it would run out into the lung."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.geometry import VolumeGeometry

Mask = npt.NDArray[np.bool_]
_LEAST_MM3 = 1000.0
"""Smaller islands are noise in the lung."""
_LEVELS_HU = tuple(range(-980, -780, 20))
_SEED_HU = -950.0
_PIPE_MM2 = (60.0, 900.0)
_TOP = 0.35
"""Part of the scan, from the head, in which the windpipe is looked for."""
_LEAK, _SMALL_ML, _MOST_ML = 1.6, 50.0, 160.0
"""A step to more than 1.6 of what there was, above 50 ml, has broken into the lung; no airway holds more than 160 ml."""
_SEARCH_VOXELS = 3_000_000


def _along(geometry: VolumeGeometry) -> int:
    """The axis that runs from feet to head."""
    steps = (geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm)
    return max(range(3), key=lambda a: abs(steps[a][2]) / math.hypot(*steps[a]))


def enclosed(mask: Mask, geometry: VolumeGeometry) -> Mask:
    """Parts of ``mask`` [k, j, i] of at least 1 ml that do not reach the sides of the volume (neighbours share a face).

    The ends towards head and feet are no sides: the windpipe runs through them.
    """
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    kept = np.bincount(labels.ravel(), minlength=count + 1) * abs(np.linalg.det(geometry.affine[:3, :3])) >= _LEAST_MM3
    kept[0] = False
    for axis in range(3):
        if axis != _along(geometry):
            for side in (0, -1):
                kept[np.unique(np.take(labels, side, axis=axis))] = False
    return np.asarray(kept[labels], dtype=np.bool_)


def airway(values: npt.NDArray[Any], geometry: VolumeGeometry) -> tuple[Mask, float] | None:
    """(mask [k, j, i], HU up to which it was grown); None where no windpipe is found. ``values``: HU, their noise taken off.

    The level is found on every n-th voxel, so that it costs little, and used on all of them.
    """
    n = max(1, math.ceil((values.size / _SEARCH_VOXELS) ** (1 / 3)))
    some = values[::n, ::n, ::n]
    steps = [tuple(n * v for v in s) for s in (geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm)]
    grid = VolumeGeometry(geometry.origin_mm, steps[0], steps[1], steps[2], some.shape)
    seed = _seed(some, grid)
    if seed is None:
        return None
    voxel_ml = abs(float(np.linalg.det(grid.affine[:3, :3]))) / 1000.0
    level, before = None, 0.0
    for tried in _LEVELS_HU:
        ml = float(np.count_nonzero(_joined(some <= tried, seed))) * voxel_ml
        if ml > _MOST_ML or (before and ml > _SMALL_ML and ml > _LEAK * before):
            break
        if ml:
            level, before = float(tried), ml
    start, voxel_ml = (seed[0] * n, seed[1] * n, seed[2] * n), voxel_ml / n**3
    while level is not None and level >= _LEVELS_HU[0]:
        whole = _joined(values <= level, start)
        if float(np.count_nonzero(whole)) * voxel_ml <= max(_LEAK * before, _SMALL_ML):
            return (whole, level) if whole.any() else None
        level -= 20.0  # a wall that stood among fewer voxels has a hole among all
    return None


def _joined(mask: Mask, seed: tuple[int, int, int]) -> Mask:
    if not mask[seed]:
        return np.zeros_like(mask)
    labels, _ = ndimage.label(mask)
    return np.asarray(labels == labels[seed], dtype=np.bool_)


def _seed(values: npt.NDArray[Any], geometry: VolumeGeometry) -> tuple[int, int, int] | None:
    """The darkest voxel of a round piece of air near the middle, as far towards the head as there is one."""
    along = _along(geometry)
    step = (geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm)[along]
    count = values.shape[along]
    order = range(count - 1, -1, -1) if step[2] > 0 else range(count)
    spacing = [s for a, s in enumerate(geometry.spacing_mm) if a != along]
    for at in list(order)[: max(1, round(count * _TOP))]:
        plane = np.take(values, at, axis=along)
        labels, found = ndimage.label(plane <= _SEED_HU)
        best: tuple[float, tuple[int, int]] | None = None
        for number, box in enumerate(ndimage.find_objects(labels), start=1):
            piece = labels[box] == number
            area = float(np.count_nonzero(piece)) * spacing[0] * spacing[1]
            tall, wide = ((s.stop - s.start) * mm for s, mm in zip(box, spacing, strict=True))
            if not _PIPE_MM2[0] <= area <= _PIPE_MM2[1] or max(tall, wide) > 2.2 * min(tall, wide):
                continue
            if area < 0.5 * tall * wide:
                continue
            off = [((s.start + s.stop) / 2 / n - 0.5) for s, n in zip(box, plane.shape, strict=True)]
            if max(abs(o) for o in off) > 0.25:
                continue
            dark = np.where(piece, plane[box], np.inf)
            inner = np.unravel_index(int(np.argmin(dark)), dark.shape)
            place = (box[0].start + int(inner[0]), box[1].start + int(inner[1]))
            if best is None or math.hypot(*off) < best[0]:
                best = (math.hypot(*off), place)
        if best is not None and found:
            index = [best[1][0], best[1][1]]
            index.insert(along, at)
            return (index[0], index[1], index[2])
    return None
