"""Volumes on other grids. Trilinear in index space, so tilted and oblique grids need no special case."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume


def index_map(source: VolumeGeometry, target: VolumeGeometry) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(3 x 3 matrix, offset): target (k, j, i) to source (k, j, i)."""
    inverse = np.linalg.inv(source.affine)
    m = inverse @ target.affine
    return np.asarray(m[:3, :3]), np.asarray(m[:3, 3])


def resample_to(volume: Volume, target: VolumeGeometry, order: int = 1, outside: float = 0.0) -> Volume:
    """``volume`` sampled at the voxel centres of ``target``; ``outside`` beyond its voxels.

    ``order`` 0 nearest (masks), 1 linear. Values keep their kind: integers are rounded. Where the target is coarser than
    the source by more than a third, the source is averaged first (a Gaussian of half the ratio), or details alias.
    """
    if order not in (0, 1):
        raise ValueError('"order" must be 0 or 1')
    matrix, offset = index_map(volume.geometry, target)
    values = volume.voxels if volume.voxels.dtype == np.bool_ and order == 0 else volume.voxels.astype(np.float32)
    if order == 1:
        # How many source voxels one target step covers along each source axis.
        ratio = np.abs(matrix).max(axis=1)
        sigma = [math.sqrt(max(r * r - 1.0, 0.0)) * 0.5 if r > 1.3 else 0.0 for r in ratio]
        if any(sigma):
            values = ndimage.gaussian_filter(values, sigma, mode="nearest")
    kind = np.float32 if values.dtype != np.bool_ else np.uint8
    out = ndimage.affine_transform(
        values.astype(kind, copy=False), matrix, offset, target.shape, order=order, mode="constant", cval=outside
    )
    return Volume(_as_kind(out, volume.voxels.dtype), target, volume.unit, interpolated=True, remarks=volume.remarks)


def _as_kind(values: npt.NDArray[Any], kind: np.dtype[Any]) -> npt.NDArray[np.generic]:
    if kind.kind in "iu":
        info = np.iinfo(kind)
        return np.clip(np.rint(values.astype(np.float64)), info.min, info.max).astype(kind)
    if kind == np.bool_:
        return np.asarray(values >= 0.5)
    return values.astype(kind, copy=False)


def isotropic_geometry(geometry: VolumeGeometry, spacing_mm: float) -> VolumeGeometry:
    """Cubic voxels over the same extent, at right angles, along the rows, the columns and their normal.

    The corner of the first voxel stays where it was for grids at right angles; a tilted grid is boxed in.
    """
    if not spacing_mm > 0:
        raise ValueError('"spacing_mm" must be above zero')
    i = np.asarray(geometry.i_step_mm) / np.linalg.norm(geometry.i_step_mm)
    j = np.asarray(geometry.j_step_mm)
    j = j - i * float(j @ i)
    j = j / np.linalg.norm(j)
    k = np.cross(i, j)
    if float(k @ np.asarray(geometry.k_step_mm)) < 0:
        k = -k
    ends = np.array([[-0.5, n - 0.5] for n in geometry.shape])
    corners = geometry.to_patient_many(np.array(np.meshgrid(*ends)).reshape(3, -1).T)
    axes = np.stack([k, j, i])
    along = corners @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    shape = [max(1, math.ceil((h - lo) / spacing_mm - 1e-6)) for lo, h in zip(low, high, strict=True)]
    origin = (low + spacing_mm / 2) @ axes

    def step(axis: npt.NDArray[np.float64]) -> Point3:
        v = axis * spacing_mm
        return (float(v[0]), float(v[1]), float(v[2]))

    return VolumeGeometry(
        (float(origin[0]), float(origin[1]), float(origin[2])),
        step(k),
        step(j),
        step(i),
        (shape[0], shape[1], shape[2]),
        geometry.frame_of_reference_uid,
    )


def resample_isotropic(volume: Volume, spacing_mm: float, outside: float = 0.0) -> Volume:
    """Cubic voxels of ``spacing_mm`` over the whole volume, linear."""
    return resample_to(volume, isotropic_geometry(volume.geometry, spacing_mm), 1, outside)
