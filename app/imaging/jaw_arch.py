"""A first guess at the arch of the teeth in a CBCT, for a person to check and to move: dense voxels, projected and thinned.

No learning and no atlas: the projection of what is as dense as enamel, along the slices that hold most of it; a line
through the middle of that band, found by rays from behind and then made true by profiles across it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import CubicSpline

from app.domain.geometry import Point3
from app.domain.volume import Volume
from app.imaging.curved import spline_points

DENSE_HU = 1200.0
POINTS = 11
"""Of the suggested curve: few enough to be dragged."""
_GRID_MM = 0.5
_SLAB_MM = 12.0
_LEAST_WIDTH_MM, _LEAST_DEPTH_MM = 25.0, 12.0
_MOST_FILLED, _MOST_IN_MOUTH = 0.65, 0.2
_SHARE = (1e-4, 0.15)
"""Of all voxels that are teeth, at least and at most; outside of it the values are no Hounsfield units."""
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SuggestedArch:
    points_mm: tuple[Point3, ...]
    """From the patient's right to the left, all at one height."""
    threshold: float
    """Above it a voxel counted as dense."""


def _threshold(voxels: npt.NDArray[Any]) -> float:
    step = max(1, round((voxels.size / 2e6) ** (1 / 3)))
    sample = voxels[::step, ::step, ::step].astype(np.float32)
    if _SHARE[0] < float((sample > DENSE_HU).mean()) < _SHARE[1]:
        return DENSE_HU
    return float(np.percentile(sample, 98.5))


def _map(volume: Volume, threshold: float) -> tuple[FloatArray, float, FloatArray] | None:
    """(density seen from above on a grid of ``_GRID_MM``, height of its middle in mm, (x, y) of the grid's first point)."""
    g = volume.geometry
    if abs(g.k_step_mm[2]) < 0.9 * g.spacing_mm[0]:
        return None  # not cut from the head down: no projection along the slices
    dense = np.array([float(np.count_nonzero(s > threshold)) for s in volume.voxels])
    width = max(1, round(_SLAB_MM / g.spacing_mm[0]))
    per_slab = ndimage.uniform_filter1d(dense, width, mode="constant")
    k = int(np.argmax(per_slab))
    if per_slab[k] <= 0:
        return None
    k0, k1 = max(0, k - width // 2), min(len(dense), k + (width + 1) // 2)
    weight = np.clip(volume.voxels[k0:k1].astype(np.float32) - np.float32(threshold), 0, None).max(axis=0)
    corners = g.to_patient_many(np.array([[k, j, i] for j in (0, g.shape[1] - 1) for i in (0, g.shape[2] - 1)], float))
    low, high = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
    nx, ny = (int((high[a] - low[a]) / _GRID_MM) + 1 for a in (0, 1))
    xs, ys = low[0] + np.arange(nx) * _GRID_MM, low[1] + np.arange(ny) * _GRID_MM
    z = float(g.to_patient((k, (g.shape[1] - 1) / 2, (g.shape[2] - 1) / 2))[2])
    where = np.stack([*(a.ravel() for a in np.meshgrid(xs, ys)), np.full(nx * ny, z)], axis=1)
    index = g.to_index_many(where)
    smooth = ndimage.gaussian_filter(weight, [0.3 / s for s in g.spacing_mm[1:]])
    seen = ndimage.map_coordinates(smooth, index[:, 1:].T, order=1, cval=0.0).reshape(ny, nx)
    return seen.astype(np.float64), z, np.array([xs[0], ys[0]])


def _band(seen: FloatArray) -> npt.NDArray[np.bool_] | None:
    """The widest connected dense region: teeth stand close enough to be one, the spine behind them is another."""
    mask = seen > 0
    closed = ndimage.binary_closing(np.pad(mask, 12), iterations=6)[12:-12, 12:-12]
    labels, count = ndimage.label(closed)
    best, width = 0, 0.0
    for n, place in enumerate(ndimage.find_objects(labels), 1):
        across = (place[1].stop - place[1].start) * _GRID_MM
        deep = (place[0].stop - place[0].start) * _GRID_MM
        if across > width and deep >= _LEAST_DEPTH_MM:
            best, width = n, across
    if not count or width < _LEAST_WIDTH_MM:
        return None
    band = mask & (labels == best)
    rows, columns = ndimage.find_objects((labels == best).astype(np.int8))[0]
    part = band[rows, columns]
    height, across = part.shape
    mouth = part[height // 2 :, across // 3 : across - across // 3]
    if float(part.mean()) > _MOST_FILLED or float(mouth.mean()) > _MOST_IN_MOUTH:
        return None  # an arch is thin and open to the back
    return np.asarray(band)


def _by_rays(band: npt.NDArray[np.bool_]) -> FloatArray | None:
    """(n, 2) points (x, y) in mm of the grid, right to left: the middle of the band seen from behind its open end."""
    y, x = (v * _GRID_MM for v in np.nonzero(band))
    middle, back = (x.min() + x.max()) / 2, y.max()
    angle = np.degrees(np.arctan2(x - middle, back - y + 1.0))
    radius = np.hypot(x - middle, back - y + 1.0)
    found = []
    for at in np.arange(-90.0, 90.1, 4.0):
        near = np.abs(angle - at) <= 4.0
        if np.count_nonzero(near) >= 6:
            r = (np.percentile(radius[near], 5) + np.percentile(radius[near], 95)) / 2
            found.append((np.radians(at), r))
    if len(found) < 8:
        return None
    rays = np.array(found)
    r = ndimage.gaussian_filter1d(ndimage.median_filter(rays[:, 1], 5, mode="nearest"), 2.0, mode="nearest")
    return np.stack([middle + r * np.sin(rays[:, 0]), back + 1.0 - r * np.cos(rays[:, 0])], axis=1)


def _even(points: FloatArray, count: int) -> FloatArray:
    line = spline_points(points)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, arc[-1], count)
    return np.stack([np.interp(at, arc, line[:, a]) for a in (0, 1)], axis=1)


def _across(points: FloatArray, band: npt.NDArray[np.bool_], reach_mm: float = 9.0) -> FloatArray:
    """Every point moved to the middle of the band along the normal; where there is a gap the neighbours say."""
    tangent = ndimage.gaussian_filter1d(np.gradient(points, axis=0), 3.0, axis=0, mode="nearest")
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    offsets = np.arange(-reach_mm, reach_mm + 1e-9, _GRID_MM / 2)
    at = points[:, None, :] + normal[:, None, :] * offsets[None, :, None]
    inside = ndimage.map_coordinates(band.astype(np.float32), (at[..., 1] / _GRID_MM, at[..., 0] / _GRID_MM), order=1) > 0.5
    shift = np.full(len(points), np.nan)
    for n, row in enumerate(inside):
        hit = np.flatnonzero(row)
        if hit.size:
            shift[n] = (offsets[hit[0]] + offsets[hit[-1]]) / 2
    known = np.isfinite(shift)
    there = np.flatnonzero(known)
    if there.size < 8:
        return points
    shift = np.interp(np.arange(len(shift)), there, shift[known])
    shift = ndimage.gaussian_filter1d(ndimage.median_filter(shift, 5, mode="nearest"), 2.0, mode="nearest")
    moved = points + normal * shift[:, None]
    # Missing teeth leave gaps: a spline from what lies before and behind keeps the bend across them, a line would not.
    inside = (np.arange(len(points)) > there[0]) & (np.arange(len(points)) < there[-1])
    unknown = ndimage.binary_dilation(~known & inside, iterations=2) & inside
    sure = np.flatnonzero(~unknown)[:: 2 if unknown.any() else 1]
    spline = CubicSpline(sure, moved[sure])
    moved[unknown] = spline(np.flatnonzero(unknown))
    return np.asarray(moved)


def suggested_arch(volume: Volume) -> SuggestedArch | None:
    """None where nothing looks like an arch of teeth. Slow for large volumes (one pass over the voxels)."""
    threshold = _threshold(volume.voxels)
    seen = _map(volume, threshold)
    if seen is None:
        return None
    density, z, origin = seen
    band = _band(density)
    points = _by_rays(band) if band is not None else None
    if band is None or points is None:
        return None
    points = _even(points, 48)
    for _ in range(4):
        points = _even(_across(points, band), 48)
    ends = _even(points, POINTS) + origin
    if ends[0, 0] > ends[-1, 0]:
        ends = ends[::-1]
    return SuggestedArch(tuple((float(x), float(y), z) for x, y in ends), threshold)
