"""Corrections of stacks on their way to a regular grid: tilt (shear) and unequal steps. Linear, numpy only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry

Array = npt.NDArray[np.generic]
Vector = npt.NDArray[np.float64]


def _point(v: Vector) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


def _cast(values: npt.NDArray[np.float32], dtype: np.dtype[np.generic]) -> Array:
    return values.astype(dtype) if dtype.kind == "f" else np.rint(values).astype(dtype)


def shift_plane(plane: npt.NDArray[np.float32], offset: float, axis: int, size: int, fill: float) -> npt.NDArray[np.float32]:
    """``out[n] = plane[n - offset]`` along an axis of length ``size``, linear between samples, ``fill`` outside."""
    whole = math.floor(offset)
    fraction = offset - whole
    source = np.moveaxis(plane, axis, 0)
    out = np.full((size, source.shape[1]), fill, np.float32)
    mixed = np.empty((source.shape[0] + 1, source.shape[1]), np.float32)
    if fraction < 1e-9:
        mixed[:-1], mixed[-1] = source, fill
    else:
        mixed[1:-1] = source[1:] * (1 - fraction) + source[:-1] * fraction
        mixed[0], mixed[-1] = fill, fill
    first = max(whole, 0)
    last = min(whole + mixed.shape[0], size)
    if last > first:
        out[first:last] = mixed[first - whole : last - whole]
    return np.moveaxis(out, 0, axis)


def unshear(voxels: Array, geometry: VolumeGeometry, origins_mm: Vector, fill: float) -> tuple[Array, VolumeGeometry]:
    """Parallel slices whose origins drift in the plane (gantry tilt) to a right-angled grid over the same slices.

    ``origins_mm`` is (slices, 3). The planes grow so that nothing is cut off; ``fill`` lies outside. The step along k keeps
    its mean: unequal steps are for :func:`resample_steps`.
    """
    j_step, i_step = np.asarray(geometry.j_step_mm), np.asarray(geometry.i_step_mm)
    normal = np.cross(i_step, j_step)
    normal /= np.linalg.norm(normal)
    moved = origins_mm - origins_mm[0]
    dj = moved @ j_step / float(j_step @ j_step)
    di = moved @ i_step / float(i_step @ i_step)
    count, rows, columns = voxels.shape
    start_j, start_i = (math.floor(min(0.0, float(d.min())) + 1e-6) for d in (dj, di))
    size_j = rows + math.ceil(max(0.0, float(dj.max())) - 1e-6) - start_j
    size_i = columns + math.ceil(max(0.0, float(di.max())) - 1e-6) - start_i
    out = np.empty((count, size_j, size_i), voxels.dtype)
    for k in range(count):
        plane = voxels[k].astype(np.float32)
        plane = shift_plane(plane, float(dj[k]) - start_j, 0, size_j, fill)
        plane = shift_plane(plane, float(di[k]) - start_i, 1, size_i, fill)
        out[k] = _cast(plane, voxels.dtype)
    origin = np.asarray(geometry.origin_mm) + j_step * start_j + i_step * start_i
    step = normal * float(moved[-1] @ normal) / (count - 1)
    made = VolumeGeometry(
        _point(origin),
        _point(step),
        geometry.j_step_mm,
        geometry.i_step_mm,
        (count, size_j, size_i),
        geometry.frame_of_reference_uid,
        geometry.in_patient,
    )
    return out, made


def resample_steps(
    voxels: Array, geometry: VolumeGeometry, positions_mm: Vector, step_mm: float
) -> tuple[Array, VolumeGeometry]:
    """Slices at unequal ``positions_mm`` to equal steps from the first to the last, linear between neighbours."""
    first, last = float(positions_mm[0]), float(positions_mm[-1])
    count = int(math.floor((last - first) / step_mm + 1e-6)) + 1
    wanted = first + step_mm * np.arange(count)
    upper = np.clip(np.searchsorted(positions_mm, wanted, side="left"), 1, len(positions_mm) - 1)
    lower = upper - 1
    weight = np.clip((wanted - positions_mm[lower]) / (positions_mm[upper] - positions_mm[lower]), 0.0, 1.0)
    out = np.empty((count, *voxels.shape[1:]), voxels.dtype)
    for k in range(count):
        w = float(weight[k])
        if w < 1e-6:
            out[k] = voxels[lower[k]]
        elif w > 1 - 1e-6:
            out[k] = voxels[upper[k]]
        else:
            a, b = voxels[lower[k]].astype(np.float32), voxels[upper[k]].astype(np.float32)
            out[k] = _cast(a + (b - a) * np.float32(w), voxels.dtype)
    direction = np.asarray(geometry.k_step_mm)
    direction = direction / float(np.linalg.norm(direction))
    made = VolumeGeometry(
        geometry.origin_mm,
        _point(direction * step_mm),
        geometry.j_step_mm,
        geometry.i_step_mm,
        (count, voxels.shape[1], voxels.shape[2]),
        geometry.frame_of_reference_uid,
        geometry.in_patient,
    )
    return out, made
