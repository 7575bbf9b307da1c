"""Corrections of stacks on their way to a regular grid: tilt (shear) and unequal steps. Linear, numpy only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.voxel_mask import VoxelMask

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


def _drift(geometry: VolumeGeometry, origins_mm: Vector) -> tuple[Vector, Vector, tuple[int, int], tuple[int, int]]:
    """How far each slice lies off the first (rows, columns), and where the planes begin and how large they become."""
    j_step, i_step = np.asarray(geometry.j_step_mm), np.asarray(geometry.i_step_mm)
    _, rows, columns = geometry.shape
    moved = origins_mm - origins_mm[0]
    dj = moved @ j_step / float(j_step @ j_step)
    di = moved @ i_step / float(i_step @ i_step)
    start_j, start_i = (math.floor(min(0.0, float(d.min())) + 1e-6) for d in (dj, di))
    size_j = rows + math.ceil(max(0.0, float(dj.max())) - 1e-6) - start_j
    size_i = columns + math.ceil(max(0.0, float(di.max())) - 1e-6) - start_i
    return dj, di, (start_j, start_i), (size_j, size_i)


def unshear_mask(nothing: VoxelMask | None, geometry: VolumeGeometry, origins_mm: Vector) -> VoxelMask:
    """Where :func:`unshear` has no value: what it puts around the planes, and all that ``nothing`` has a share in."""
    count, rows, columns = geometry.shape
    dj, di, (start_j, start_i), (size_j, size_i) = _drift(geometry, origins_mm)
    packed = np.empty((count, size_j, -(-size_i // 8)), np.uint8)
    for k in range(count):
        whole = np.zeros((rows, columns if nothing is not None else 1), np.float32)
        if nothing is not None:
            whole[nothing.plane(0, k)] = 1.0
        down = shift_plane(whole, float(dj[k]) - start_j, 0, size_j, 1.0)
        if nothing is None:
            across = shift_plane(np.zeros((1, columns), np.float32), float(di[k]) - start_i, 1, size_i, 1.0)
            plane = (down > 1e-6) | (across > 1e-6)
        else:
            plane = shift_plane(down, float(di[k]) - start_i, 1, size_i, 1.0) > 1e-6
        packed[k] = np.packbits(plane, axis=1)
    return VoxelMask(packed, size_i)


def unshear(voxels: Array, geometry: VolumeGeometry, origins_mm: Vector, fill: float) -> tuple[Array, VolumeGeometry]:
    """Parallel slices whose origins drift in the plane (gantry tilt) to a right-angled grid over the same slices.

    ``origins_mm`` is (slices, 3). The planes grow so that nothing is cut off; ``fill`` lies outside. The step along k keeps
    its mean: unequal steps are for :func:`resample_steps`.
    """
    j_step, i_step = np.asarray(geometry.j_step_mm), np.asarray(geometry.i_step_mm)
    normal = np.cross(i_step, j_step)
    normal /= np.linalg.norm(normal)
    moved = origins_mm - origins_mm[0]
    count = voxels.shape[0]
    dj, di, (start_j, start_i), (size_j, size_i) = _drift(geometry, origins_mm)
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


def _between(positions_mm: Vector, step_mm: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Vector]:
    """For each new slice the two that it lies between, and the share of the upper one."""
    first, last = float(positions_mm[0]), float(positions_mm[-1])
    count = int(math.floor((last - first) / step_mm + 1e-6)) + 1
    wanted = first + step_mm * np.arange(count)
    upper = np.clip(np.searchsorted(positions_mm, wanted, side="left"), 1, len(positions_mm) - 1)
    lower = upper - 1
    weight = np.clip((wanted - positions_mm[lower]) / (positions_mm[upper] - positions_mm[lower]), 0.0, 1.0)
    return lower, upper, weight


def resample_steps_mask(nothing: VoxelMask | None, positions_mm: Vector, step_mm: float) -> VoxelMask | None:
    """Where :func:`resample_steps` has no value: all that ``nothing`` has a share in."""
    if nothing is None:
        return None
    lower, upper, weight = _between(positions_mm, step_mm)
    below, above = nothing.packed[lower], nothing.packed[upper]
    below[weight > 1 - 1e-6] = 0
    above[weight < 1e-6] = 0
    return VoxelMask(below | above, nothing.columns)


def resample_steps(
    voxels: Array, geometry: VolumeGeometry, positions_mm: Vector, step_mm: float
) -> tuple[Array, VolumeGeometry]:
    """Slices at unequal ``positions_mm`` to equal steps from the first to the last, linear between neighbours."""
    lower, upper, weight = _between(positions_mm, step_mm)
    count = len(weight)
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
