"""The lungs of a chest CT: air inside the body, each side closed by a rolling ball so that nodules at the wall stay in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.ai.readers.lung.grid import Triple

AIR_HU = -450.0
SMALLEST_LUNG_ML = 120.0


@dataclass(frozen=True, eq=False)
class LungMask:
    """``sides`` (k, j, i) uint8: 0 outside, 1 the lung with smaller i, 2 the other; closed. ``air`` the part that is air."""

    sides: npt.NDArray[np.uint8]
    air: npt.NDArray[np.bool_]
    millilitres: tuple[float, float]

    @property
    def any(self) -> npt.NDArray[np.bool_]:
        return self.sides > 0


def _ball_dilate(mask: npt.NDArray[np.bool_], radius_mm: float, step_mm: Triple) -> npt.NDArray[np.bool_]:
    return np.asarray(ndimage.distance_transform_edt(~mask, step_mm) <= radius_mm)


def close_by_ball(mask: npt.NDArray[np.bool_], radius_mm: float, step_mm: Triple) -> npt.NDArray[np.bool_]:
    """Morphological closing with a ball; the array is padded so that its border does not close by itself."""
    pad = [int(np.ceil(radius_mm / s)) + 1 for s in step_mm]
    padded = np.pad(mask, [(p, p) for p in pad])
    grown = _ball_dilate(padded, radius_mm, step_mm)
    closed = ndimage.distance_transform_edt(grown, step_mm) > radius_mm
    return np.asarray(closed[tuple(slice(p, -p) for p in pad)]) | mask


def find_lungs(values: npt.NDArray[np.float32], step_mm: Triple, ball_mm: float = 13.0) -> LungMask:
    """Lungs on a coarse grid of HU (about 2.5 mm steps). Empty when there is no lung-sized air inside a body."""
    air = values < AIR_HU
    empty = LungMask(np.zeros(values.shape, np.uint8), np.zeros(values.shape, bool), (0.0, 0.0))
    lung = _lung_air(values, air, step_mm)
    if lung is None or _one_sided(values, lung):
        # A thin or broken wall joins the lung to the air outside, or the field of view ends in the lung: part by eroding.
        core = np.asarray(ndimage.distance_transform_edt(air, step_mm) > 4.0)
        kept = _lung_air(values, core, step_mm, border=True)
        if kept is not None:
            kept = _ball_dilate(kept, 5.0, step_mm) & air
            if lung is None or int(kept.sum()) > 1.2 * int(lung.sum()):
                lung = kept
        if lung is None:
            return empty
    left_out = _airway(values, lung, step_mm)
    lung &= ~left_out
    sides = _split(lung, step_mm)
    closed = np.zeros(values.shape, np.uint8)
    for side in (1, 2):
        mine = sides == side
        if not mine.any():
            continue
        box = ndimage.find_objects(mine.astype(np.int8))[0]
        filled = close_by_ball(mine[box], ball_mm, step_mm)
        for k in range(filled.shape[0]):
            filled[k] = ndimage.binary_fill_holes(filled[k])
        part = closed[box]
        part[filled & (part == 0)] = side
    voxel = float(np.prod(step_mm)) / 1000.0
    return LungMask(closed, lung, (float((closed == 1).sum()) * voxel, float((closed == 2).sum()) * voxel))


def _one_sided(values: npt.NDArray[np.float32], lung: npt.NDArray[np.bool_]) -> bool:
    """Nearly all of the air lies on one side of the body's middle: the other lung may be joined to the outside."""
    body = (values > -300).sum((0, 1)).astype(float)
    middle = float((body * np.arange(len(body))).sum() / max(body.sum(), 1.0))
    share = float(lung[:, :, : round(middle)].sum()) / max(int(lung.sum()), 1)
    return not 0.15 < share < 0.85


def _lung_air(
    values: npt.NDArray[np.float32], air: npt.NDArray[np.bool_], step_mm: Triple, border: bool = False
) -> npt.NDArray[np.bool_] | None:
    """Components of ``air`` that are as large and as dense as lungs; those at the lateral border only when ``border``."""
    labels, count = ndimage.label(air)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel()).astype(float) * float(np.prod(step_mm)) / 1000.0
    sizes[0] = 0
    if not border:
        edges = np.concatenate([labels[:, [0, -1]].ravel(), labels[:, :, [0, -1]].ravel()])
        sizes[np.unique(edges)] = 0
    smallest = SMALLEST_LUNG_ML / 2 if border else SMALLEST_LUNG_ML  # what is left after eroding is smaller
    if sizes.max() < smallest:
        return None
    keep = list(np.nonzero(sizes >= smallest)[0])
    # Outside air is nearly pure; lung's mean lies between -950 and -550 HU.
    means = ndimage.mean(values, labels, keep)
    keep = [n for n, m in zip(keep, means, strict=True) if -955 < m < -550]
    # Bowel gas is small beside a lung.
    largest = max((sizes[n] for n in keep), default=0.0)
    keep = [n for n in keep if sizes[n] >= 0.08 * largest]
    return np.isin(labels, keep) if keep else None


def _airway(values: npt.NDArray[np.float32], lung: npt.NDArray[np.bool_], step_mm: Triple) -> npt.NDArray[np.bool_]:
    """Trachea and main bronchi: nearly pure air in tubes that are thick, found by opening."""
    dark = lung & (values < -920)
    core = ndimage.distance_transform_edt(dark, step_mm) > 4.0
    labels, count = ndimage.label(core)
    if count == 0:
        return np.zeros_like(lung)
    sizes = np.bincount(labels.ravel()).astype(float) * float(np.prod(step_mm)) / 1000.0
    columns = np.nonzero(lung.any((0, 1)))[0]
    rows = np.nonzero(lung.any((0, 2)))[0]
    middle = (columns[0] + columns[-1]) / 2
    width = columns[-1] - columns[0] + 1
    out = np.zeros_like(lung)
    for n in range(1, count + 1):
        if not 0.8 < sizes[n] < 60:  # a bulla or emphysema is not near the middle or is larger
            continue
        _, j, i = ndimage.center_of_mass(labels == n)
        if abs(i - middle) < 0.16 * width and rows[0] + 0.15 * len(rows) < j < rows[0] + 0.85 * len(rows):
            out |= _ball_dilate(labels == n, 5.0, step_mm) & (values < -850)
    return out


def _split(lung: npt.NDArray[np.bool_], step_mm: Triple) -> npt.NDArray[np.uint8]:
    """1 and 2 by smaller and larger i. Lungs that touch are parted by growing back from eroded cores."""
    labels, count = ndimage.label(lung)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = np.argsort(sizes)[::-1]
    middle = float(np.nonzero(lung)[2].mean())
    if count >= 2 and sizes[order[1]] > 0.2 * sizes[order[0]]:
        cores = [order[0], order[1]]
        marks = np.zeros(lung.shape, np.int8)
        x = [float(np.nonzero(labels == n)[2].mean()) for n in cores]
        first, second = (cores[0], cores[1]) if x[0] < x[1] else (cores[1], cores[0])
        marks[labels == first], marks[labels == second] = 1, 2
    else:
        depth = ndimage.distance_transform_edt(lung, step_mm)
        marks = np.zeros(lung.shape, np.int8)
        for radius in (3.0, 6.0, 10.0, 15.0):
            cores, parts = ndimage.label(depth > radius)
            volume = np.bincount(cores.ravel())
            volume[0] = 0
            big = np.argsort(volume)[::-1][:2]
            if parts >= 2 and volume[big[1]] > 0.2 * volume[big[0]]:
                x = [float(np.nonzero(cores == n)[2].mean()) for n in big]
                first, second = (big[0], big[1]) if x[0] < x[1] else (big[1], big[0])
                marks[cores == first], marks[cores == second] = 1, 2
                break
        else:
            i = np.arange(lung.shape[2])[None, None, :]
            marks[lung & (i < middle)], marks[lung & (i >= middle)] = 1, 2
    rest = lung & (marks == 0)
    if rest.any():
        nearest = ndimage.distance_transform_edt(marks == 0, step_mm, return_distances=False, return_indices=True)
        marks = np.where(rest, marks[tuple(nearest)], marks)
    return np.where(lung, marks, 0).astype(np.uint8)
