"""What is handed to the renderer: a part of a volume with fewer voxels where it has too many, cut by a mask. Numpy only.

Every voxel of the part counts: blocks of n x n x n are averaged (a MIP keeps their highest), none is skipped. The part is
the box that the reader kept, less what the look leaves transparent, so that what is left is shown as finely as possible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.volume import Volume

Crop = tuple[float, float, float, float, float, float]
"""(right, left, front, back, feet, head) in parts 0..1 of the patient-aligned box: what is kept between each pair."""
WHOLE: Crop = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""(first, last + 1) of k, j and i."""
Fewer = tuple[int, int, int]
"""How many voxels become one along (k, j, i)."""
_KINDS = (np.int16, np.uint16, np.uint8, np.float32)
_ROOM = 2
"""Voxels kept around a part: shading and interpolation look that far."""


@dataclass(frozen=True, eq=False)
class VolumeCut:
    """What a mask does to a rendering: its voxels alone, or everything else."""

    values: npt.NDArray[np.bool_]
    geometry: VolumeGeometry
    hide: bool = False
    key: str = ""
    """The same for the same cut."""


def box_mm(geometry: VolumeGeometry) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(low, high) corners in LPS mm of the patient-aligned box around the voxels, their outer halves included."""
    ends = np.array([[-0.5, n - 0.5] for n in geometry.shape])
    corners = geometry.to_patient_many(np.array(np.meshgrid(*ends)).reshape(3, -1).T)
    return corners.min(axis=0), corners.max(axis=0)


def crop_mm(geometry: VolumeGeometry, crop: Crop) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The kept box in LPS mm."""
    low, high = box_mm(geometry)
    size = high - low
    return low + size * np.asarray(crop[0::2]), low + size * np.asarray(crop[1::2])


def kept_box(geometry: VolumeGeometry, crop: Crop) -> Box:
    """The smallest box of voxels that holds everything inside the crop, with room for shading."""
    shape = geometry.shape
    if crop == WHOLE:
        return ((0, shape[0]), (0, shape[1]), (0, shape[2]))
    low, high = crop_mm(geometry, crop)
    corners = np.array(np.meshgrid(*np.stack([low, high], axis=1))).reshape(3, -1).T
    index = geometry.to_index_many(corners)
    first = np.clip(np.floor(index.min(axis=0)).astype(int) - _ROOM, 0, np.array(shape) - 1)
    last = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1 + _ROOM, first + 1, shape)
    return ((int(first[0]), int(last[0])), (int(first[1]), int(last[1])), (int(first[2]), int(last[2])))


def fewer(shape: tuple[int, ...], spacing_mm: tuple[float, ...], most: int) -> Fewer:
    """How many voxels become one along (k, j, i): the finest axis is thinned first, until ``most`` are not exceeded."""
    n = [1, 1, 1]
    while math.prod(-(-size // by) for size, by in zip(shape, n, strict=True)) > most:
        n[min(range(3), key=lambda a: (spacing_mm[a] * n[a], -a))] += 1
    return (n[0], n[1], n[2])


def opaque_box(voxels: npt.NDArray[np.generic], within: Box, lowest: float) -> Box | None:
    """The smallest box inside ``within`` that holds every voxel of at least ``lowest``; None where there is none."""
    (k0, k1), (j0, j1), (i0, i1) = within
    highest: npt.NDArray[Any] | None = None
    slices = []
    for k in range(k0, k1):
        plane = voxels[k, j0:j1, i0:i1]
        if plane.max() >= lowest:
            slices.append(k)
            highest = plane.copy() if highest is None else np.maximum(highest, plane, out=highest)
    if highest is None:
        return None
    there = np.asarray(highest >= lowest)
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    return _with_room(
        (
            (slices[0], slices[-1] + 1),
            (j0 + int(rows[0]), j0 + int(rows[-1]) + 1),
            (i0 + int(columns[0]), i0 + int(columns[-1]) + 1),
        ),
        within,
    )


def _with_room(box: Box, within: Box) -> Box:
    a, b, c = ((max(w[0], p[0] - _ROOM), min(w[1], p[1] + _ROOM)) for p, w in zip(box, within, strict=True))
    return (a, b, c)


def cut_box(cut: VolumeCut, geometry: VolumeGeometry, within: Box) -> Box | None:
    """Where a mask's own voxels lie in the volume; None when they lie outside ``within``."""
    found = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        at = np.flatnonzero(cut.values.any(axis=others))
        if not at.size:
            return None
        found.append((at[0] - 0.5, at[-1] + 0.5))
    corners = np.array(np.meshgrid(*found)).reshape(3, -1).T
    index = geometry.to_index_many(cut.geometry.to_patient_many(corners))
    first, last = np.floor(index.min(axis=0)).astype(int), np.ceil(index.max(axis=0)).astype(int) + 1
    out = []
    for a, b, (low, high) in zip(first, last, within, strict=True):
        start, stop = max(low, int(a) - _ROOM), min(high, int(b) + _ROOM)
        if stop <= start:
            return None
        out.append((start, stop))
    return (out[0], out[1], out[2])


def part_of(
    volume: Volume, box: Box, most: int, highest: bool = False, cut: VolumeCut | None = None
) -> tuple[Volume, Fewer]:
    """The boxed part with at most about ``most`` voxels, and how many became one along (k, j, i).

    Blocks are averaged, or their highest value kept. Outside a cut everything has the volume's lowest value.
    """
    (k0, k1), (j0, j1), (i0, i1) = box
    source = volume.voxels[k0:k1, j0:j1, i0:i1]
    wanted = fewer(source.shape, volume.geometry.spacing_mm, most)
    n = (min(wanted[0], source.shape[0]), min(wanted[1], source.shape[1]), min(wanted[2], source.shape[2]))
    shape = (source.shape[0] // n[0], source.shape[1] // n[1], source.shape[2] // n[2])
    kind = source.dtype if source.dtype in _KINDS else np.dtype(np.float32)
    if n == (1, 1, 1):
        out = np.ascontiguousarray(source, dtype=kind)
    else:
        out = np.empty(shape, dtype=kind)
        for at in range(shape[0]):
            out[at] = _block(source[at * n[0] : (at + 1) * n[0], : shape[1] * n[1], : shape[2] * n[2]], n, kind, highest)
    geometry = _thinned(volume.geometry, (k0, j0, i0), n, shape)
    if cut is not None:
        out = _cut(out, geometry, cut, volume.voxels.min())
    return Volume(out, geometry, volume.unit, interpolated=n != (1, 1, 1) or volume.interpolated), n


def _block(planes: npt.NDArray[np.generic], n: Fewer, kind: np.dtype[np.generic], highest: bool) -> npt.NDArray[np.generic]:
    """Slices that become one; rows and columns are whole blocks."""
    if highest:
        top = planes.max(axis=0)
        top = np.asarray(reduce(np.maximum, [top[d :: n[1]] for d in range(n[1])]))
        return np.asarray(reduce(np.maximum, [top[:, d :: n[2]] for d in range(n[2])]))
    size = (planes.shape[2] // n[2], planes.shape[1] // n[1])
    total: npt.NDArray[np.float32] | None = None
    for plane in planes:
        whole = np.ascontiguousarray(plane)
        flat = whole if whole.dtype in _KINDS else whole.astype(np.float32)
        small = cv2.resize(flat, size, interpolation=cv2.INTER_AREA)
        if len(planes) == 1:
            return np.asarray(small, dtype=kind)
        total = small.astype(np.float32) if total is None else np.add(total, small, out=total)
    assert total is not None
    total /= len(planes)
    return np.asarray(total if kind.kind == "f" else np.rint(total), dtype=kind)


def _thinned(g: VolumeGeometry, start: tuple[int, int, int], n: Fewer, shape: tuple[int, int, int]) -> VolumeGeometry:
    """The centre of a block is the middle of its voxels."""
    k, j, i = (s + (by - 1) / 2.0 for s, by in zip(start, n, strict=True))

    def times(step: tuple[float, float, float], by: int) -> tuple[float, float, float]:
        return (step[0] * by, step[1] * by, step[2] * by)

    return VolumeGeometry(
        g.to_patient((k, j, i)), times(g.k_step_mm, n[0]), times(g.j_step_mm, n[1]), times(g.i_step_mm, n[2]), shape,
        g.frame_of_reference_uid,
    )  # fmt: skip


def _cut(
    values: npt.NDArray[np.generic], geometry: VolumeGeometry, cut: VolumeCut, lowest: object
) -> npt.NDArray[np.generic]:
    """Each voxel asks the nearest voxel of the mask, slice by slice."""
    out = np.full(values.shape, lowest, dtype=values.dtype)
    step = np.linalg.inv(cut.geometry.affine) @ geometry.affine
    _, rows, columns = values.shape
    j, i = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    for k in range(values.shape[0]):
        at = [np.rint(step[a, 0] * k + step[a, 1] * j + step[a, 2] * i + step[a, 3]).astype(np.int32) for a in range(3)]
        here = np.ones((rows, columns), dtype=bool)
        for index, n in zip(at, cut.values.shape, strict=True):
            here &= (index >= 0) & (index < n)
        inside = np.zeros((rows, columns), dtype=bool)
        inside[here] = cut.values[at[0][here], at[1][here], at[2][here]]
        shown = inside != cut.hide
        out[k][shown] = values[k][shown]
    return out


def part_inside(cut: VolumeCut, values: npt.NDArray[np.bool_], geometry: VolumeGeometry, tried: int = 500) -> float:
    """Which part of another mask's voxels, some of them tried, lies in the cut's own."""
    at = np.flatnonzero(values)
    if not at.size:
        return 0.0
    index = np.stack(np.unravel_index(at[:: max(1, at.size // tried)], values.shape), axis=1).astype(np.float64)
    there = np.rint(cut.geometry.to_index_many(geometry.to_patient_many(index))).astype(int)
    inside = ((there >= 0) & (there < np.array(cut.values.shape))).all(axis=1)
    k, j, i = there[inside].T
    return float(np.count_nonzero(cut.values[k, j, i])) / len(index)


def value_range(volume: Volume) -> tuple[float, float]:
    """The values that a look in parts of the range is laid over: from the 1st to the 99.8th percentile of every fourth."""
    some: npt.NDArray[Any] = volume.voxels[::4, ::4, ::4]
    if volume.no_value is not None:
        fourth = slice(None, None, 4)
        known = some[~volume.no_value.box(fourth, fourth, fourth)]
        some = known if known.size else some
    low, high = np.percentile(some, (1.0, 99.8))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)
