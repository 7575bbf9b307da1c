"""Voxel masks made by hand: grown from a seed in a range of values, or painted with a ball. Arrays ``[k, j, i]``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume
from app.imaging.masks import Mask, component_at

Index = tuple[int, int, int]
Range = tuple[float, float]
MAX_RADIUS_MM = 60.0
"""A seed in an organ's open neighbour must not run through the whole body."""
_WIDEST_NECK = 3
_LEAST_SPREAD = 0.02
"""Of the local mean's size: a seed in perfectly even values still tolerates a little."""


@dataclass(frozen=True, eq=False)
class BoxMask:
    """A mask on a part of a grid: ``values`` lie at ``start`` of the whole."""

    values: Mask
    start: Index

    @property
    def stop(self) -> Index:
        a = self.start
        s = self.values.shape
        return (a[0] + s[0], a[1] + s[1], a[2] + s[2])


def nearest_index(geometry: VolumeGeometry, point_mm: Point3) -> Index | None:
    """The voxel that holds a patient position; None outside the grid."""
    at = [math.floor(v + 0.5) for v in geometry.to_index(point_mm)]
    if any(not 0 <= a < n for a, n in zip(at, geometry.shape, strict=True)):
        return None
    return (at[0], at[1], at[2])


def like_seed(volume: Volume, seed: Index, spreads: float = 3.0) -> Range:
    """Lowest and highest value that count as "the same": the median of the 3 x 3 x 3 around the seed and its spread.

    The spread is robust (median distance from the median, scaled to a standard deviation), at least 2 % of the volume's
    own central range, so that a noiseless phantom grows too.
    """
    box = tuple(slice(max(0, s - 1), s + 2) for s in seed)
    near = volume.voxels[box].astype(np.float64)
    near = near[np.isfinite(near)]
    middle = float(np.median(near))
    spread = 1.4826 * float(np.median(np.abs(near - middle)))
    low, high = (float(v) for v in np.percentile(volume.voxels[seed[0]], (1, 99)))
    reach = max(spreads * spread, _LEAST_SPREAD * (high - low))
    return (middle - reach, middle + reach)


def _box_around(geometry: VolumeGeometry, centre: Point3, radius_mm: float) -> tuple[slice, slice, slice] | None:
    """Slices of the voxels that a ball can touch; None when it misses the grid."""
    inverse = np.linalg.inv(geometry.affine[:3, :3])
    reach = np.linalg.norm(inverse, axis=1) * radius_mm
    at = np.asarray(geometry.to_index(centre))
    low = np.maximum(np.ceil(at - reach), 0).astype(int)
    high = np.minimum(np.floor(at + reach) + 1, geometry.shape).astype(int)
    if bool((high <= low).any()):
        return None
    k, j, i = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return k, j, i


def _distance2(geometry: VolumeGeometry, box: tuple[slice, slice, slice], centre: Point3) -> npt.NDArray[np.float64]:
    axes = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij")
    points = geometry.to_patient_many(np.stack([a.ravel() for a in axes], axis=1))
    d2 = ((points - np.asarray(centre)) ** 2).sum(axis=1)
    return np.asarray(d2.reshape(axes[0].shape))


class Bound(StrEnum):
    """What ended a growth besides the values themselves."""

    NONE = ""
    NECK = "neck"
    """It ran out through a narrow place and was cut there."""
    BALL = "ball"
    """It ran on to the largest distance that is allowed: what it took is not the whole of anything."""


@dataclass(frozen=True, eq=False)
class Growth:
    mask: BoxMask
    bound: Bound


def grow(volume: Volume, seed: Index, values: Range, radius_mm: float = MAX_RADIUS_MM) -> BoxMask | None:
    """The voxels joined to ``seed`` by faces whose values lie in the range, within ``radius_mm`` of it, holes filled.

    None when the seed itself is out of range, or has no value at all.
    """
    found = grow_bounded(volume, seed, values, radius_mm, necks=False)
    return found.mask if found is not None else None


def grow_bounded(
    volume: Volume, seed: Index, values: Range, radius_mm: float = MAX_RADIUS_MM, necks: bool = True
) -> Growth | None:
    """As ``grow``; what reaches the ball's surface has leaked and is cut at its narrowest place, one to three voxels wide on
    either side of its middle. Where that does not hold it either, the ball does, and the answer says so.
    """
    if not values[0] <= float(volume.voxels[seed]) <= values[1]:
        return None
    if volume.no_value is not None and volume.no_value.box(*(slice(s, s + 1) for s in seed)).any():
        return None
    centre = volume.geometry.to_patient((float(seed[0]), float(seed[1]), float(seed[2])))
    box = _box_around(volume.geometry, centre, radius_mm)
    if box is None:
        return None
    part = np.asarray(volume.voxels[box], dtype=np.float32)
    away2 = _distance2(volume.geometry, box, centre)
    inside = np.asarray((part >= values[0]) & (part <= values[1]) & (away2 <= radius_mm**2))
    if volume.no_value is not None:
        inside &= ~volume.no_value.box(*box)
    at = (seed[0] - box[0].start, seed[1] - box[1].start, seed[2] - box[2].start)
    shell = away2 > max(0.0, radius_mm - max(volume.geometry.spacing_mm)) ** 2
    joined = np.asarray(component_at(inside, at))
    bound = Bound.BALL if bool((joined & shell).any()) else Bound.NONE
    if bound is Bound.BALL and necks:
        for width in range(1, _WIDEST_NECK + 1):
            cut = _without_necks(joined, at, width)
            if cut is not None and not bool((cut & shell).any()):
                joined, bound = cut, Bound.NECK
                break
    filled = np.asarray(ndimage.binary_fill_holes(joined), dtype=np.bool_)
    mask = trimmed(BoxMask(filled, (box[0].start, box[1].start, box[2].start)))
    return Growth(mask, bound) if mask is not None else None


def _without_necks(joined: Mask, at: Index, width: int) -> Mask | None:
    """The part around ``at`` that hangs together when ``width`` voxels are taken off all over, grown back; None: no part."""
    core = np.asarray(ndimage.binary_erosion(joined, iterations=width, border_value=0))
    if not core[at]:
        near = tuple(slice(max(0, a - width - 1), a + width + 2) for a in at)
        found = np.argwhere(core[near])
        if not len(found):
            return None
        origin = np.array([s.start for s in near])
        nearest = found[np.argmin(((found + origin - np.array(at)) ** 2).sum(axis=1))] + origin
        at = (int(nearest[0]), int(nearest[1]), int(nearest[2]))
    kept = component_at(core, at)
    return np.asarray(ndimage.binary_dilation(kept, iterations=width) & joined)


def stroke(volume: Volume, points: Sequence[Point3], radius_mm: float, values: Range | None) -> BoxMask | None:
    """Balls along a stroke: every voxel centre within ``radius_mm`` of a point, and in the range where one is given."""
    parts: list[BoxMask] = []
    for centre in points:
        box = _box_around(volume.geometry, centre, radius_mm)
        if box is None:
            continue
        inside = _distance2(volume.geometry, box, centre) <= radius_mm**2
        if values is not None:
            part = np.asarray(volume.voxels[box], dtype=np.float64)
            inside &= (part >= values[0]) & (part <= values[1])
            if volume.no_value is not None:
                inside &= ~volume.no_value.box(*box)
        parts.append(BoxMask(np.asarray(inside), (box[0].start, box[1].start, box[2].start)))
    out: BoxMask | None = None
    for found in parts:
        out = found if out is None else union(out, found)
    return out


def along(points: Sequence[Point3], step_mm: float) -> tuple[Point3, ...]:
    """The corners of a stroke with points between them at most ``step_mm`` apart."""
    out: list[Point3] = [points[0]]
    for a, b in zip(points, points[1:], strict=False):
        pieces = max(1, math.ceil(math.dist(a, b) / step_mm))
        for n in range(1, pieces + 1):
            t = n / pieces
            out.append((a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t))
    return tuple(out)


def _placed(mask: BoxMask, start: Index, stop: Index) -> Mask:
    out = np.zeros(tuple(b - a for a, b in zip(start, stop, strict=True)), dtype=np.bool_)
    at = tuple(slice(m - a, m - a + n) for m, a, n in zip(mask.start, start, mask.values.shape, strict=True))
    out[at] = mask.values
    return out


def union(a: BoxMask, b: BoxMask) -> BoxMask:
    start = tuple(min(p, q) for p, q in zip(a.start, b.start, strict=True))
    stop = tuple(max(p, q) for p, q in zip(a.stop, b.stop, strict=True))
    lo, hi = (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])
    return BoxMask(_placed(a, lo, hi) | _placed(b, lo, hi), lo)


def without(a: BoxMask, b: BoxMask) -> BoxMask | None:
    """``a`` less ``b``; None when nothing is left."""
    both = union(a, b)
    lo, hi = both.start, both.stop
    return trimmed(BoxMask(_placed(a, lo, hi) & ~_placed(b, lo, hi), lo))


def trimmed(mask: BoxMask) -> BoxMask | None:
    """The smallest box that holds it; None for an empty mask."""
    slices = np.flatnonzero(mask.values.any(axis=(1, 2)))
    if not slices.size:
        return None
    k0, k1 = int(slices[0]), int(slices[-1]) + 1
    below: Mask = np.logical_or.reduce(mask.values[k0:k1], axis=0)
    rows, columns = np.flatnonzero(below.any(axis=1)), np.flatnonzero(below.any(axis=0))
    j0, j1, i0, i1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    start = (mask.start[0] + k0, mask.start[1] + j0, mask.start[2] + i0)
    return BoxMask(np.ascontiguousarray(mask.values[k0:k1, j0:j1, i0:i1]), start)
