"""Resampling on the volume's own axes: a working grid of equal steps, and small cubes around a point."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class WorkGrid:
    """``values`` (k, j, i) float32 with ``step_mm`` on each axis; index n lies at source index ``offset + n * scale``."""

    values: Floats
    step_mm: Triple
    scale: Triple
    offset: Triple

    def to_source(self, kji: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(kji) * np.asarray(self.scale) + np.asarray(self.offset)

    def to_work(self, kji: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (np.asarray(kji) - np.asarray(self.offset)) / np.asarray(self.scale)


def area_matrix(source: int, centres: npt.NDArray[np.float64], width: float) -> Floats:
    """Rows of weights that read ``centres`` (source indices) with a triangle as wide as the step, at least linear."""
    reach = max(width, 1.0)
    index = np.arange(source)
    weights = np.clip(1.0 - np.abs(index[None, :] - np.clip(centres, 0, source - 1)[:, None]) / reach, 0, None)
    weights /= weights.sum(1, keepdims=True)
    return weights.astype(np.float32)


def work_grid(voxels: npt.NDArray[np.generic], spacing_mm: Triple, step_mm: float) -> WorkGrid:
    """The volume averaged down to about ``step_mm`` (an axis that is already coarser keeps its step or is interpolated)."""
    sizes = [max(1, round(n * s / step_mm)) for n, s in zip(voxels.shape, spacing_mm, strict=True)]
    scale = [n / m for n, m in zip(voxels.shape, sizes, strict=True)]
    offset = [(s - 1) / 2 for s in scale]
    planes = np.empty((voxels.shape[0], sizes[1], sizes[2]), np.float32)
    method = cv2.INTER_AREA if scale[1] > 1 else cv2.INTER_LINEAR
    for k in range(voxels.shape[0]):
        planes[k] = cv2.resize(voxels[k].astype(np.float32), (sizes[2], sizes[1]), interpolation=method)
    centres = np.arange(sizes[0]) * scale[0] + offset[0]
    weights = area_matrix(voxels.shape[0], centres, scale[0])
    values = (weights @ planes.reshape(len(planes), -1)).reshape(sizes[0], sizes[1], sizes[2])
    step = tuple(s * c for s, c in zip(spacing_mm, scale, strict=True))
    return WorkGrid(
        np.ascontiguousarray(values),
        (step[0], step[1], step[2]),
        (scale[0], scale[1], scale[2]),
        (offset[0], offset[1], offset[2]),
    )


def cube(
    voxels: npt.NDArray[np.generic],
    spacing_mm: Triple,
    centre_kji: Triple,
    step_mm: float,
    points: int,
    fill: float = -1000.0,
) -> Floats:
    """``points``³ values with ``step_mm`` around ``centre_kji`` (source indices), averaged when coarser than the source.

    What lies outside the volume has the value ``fill``.
    """
    matrices, slices = [], []
    inside = np.ones((1, 1, 1), np.float32)
    for axis in range(3):
        n = voxels.shape[axis]
        centres = centre_kji[axis] + (np.arange(points) - (points - 1) / 2) * step_mm / spacing_mm[axis]
        width = step_mm / spacing_mm[axis]
        low = int(np.clip(np.floor(centres[0] - width - 1), 0, n - 1))
        high = int(np.clip(np.ceil(centres[-1] + width + 2), low + 1, n))
        matrices.append(area_matrix(high - low, centres - low, width))
        slices.append(slice(low, high))
        valid = ((centres > -0.75) & (centres < n - 0.25)).astype(np.float32)
        inside = inside * valid.reshape([-1 if a == axis else 1 for a in range(3)])
    block = voxels[tuple(slices)].astype(np.float32)
    # Stacks of small products: one large product would wake the threads of the linear algebra library for every cube.
    out = np.matmul(np.matmul(matrices[1], block), matrices[2].T)
    out = np.matmul(matrices[0], np.ascontiguousarray(out.transpose(1, 0, 2))).transpose(1, 0, 2)
    return np.asarray(out * inside + fill * (1 - inside), np.float32)
