"""Places that may be nodules: bright blobs of several sizes inside the closed lung mask, wide of any decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.ai.readers.lung.grid import WorkGrid, work_grid
from app.ai.readers.lung.mask import LungMask, find_lungs

STEP_MM = 1.25
MASK_FACTOR = 2
FINE_SIGMAS_MM = (1.3, 1.8, 2.6)
COARSE_SIGMAS_MM = (3.6, 5.0, 7.0, 9.5)
CEILING_HU = 150.0
HAZE_CEILING_HU = -470.0
"""A second look with everything denser cut off, where ground glass stands beside vessels as an equal."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """``kji`` (n, 3) source indices, ``sigma_mm`` (n,), ``score`` (n,) best first, ``side`` (n,) of the lung mask."""

    kji: npt.NDArray[np.float64]
    sigma_mm: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    side: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, eq=False)
class LungField:
    """The volume as the detector sees it."""

    work: WorkGrid
    coarse: WorkGrid
    """Grid of the mask: every axis ``MASK_FACTOR`` times the working step."""
    mask: LungMask


def prepare(voxels: npt.NDArray[np.generic], spacing_mm: tuple[float, float, float]) -> LungField:
    work = work_grid(voxels, spacing_mm, STEP_MM)
    coarse = work_grid(work.values, work.step_mm, STEP_MM * MASK_FACTOR)
    return LungField(work, coarse, find_lungs(coarse.values, coarse.step_mm))


def _enlarged(mask: npt.NDArray[np.generic], shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    index = [np.clip((np.arange(n) * m / n).astype(int), 0, m - 1) for n, m in zip(shape, mask.shape, strict=True)]
    return mask[np.ix_(*index)]


def find_candidates(field: LungField, limit: int = 1200) -> Candidates:
    """Up to ``limit`` places, best first. Empty when there are no lungs."""
    sides = np.asarray(_enlarged(field.mask.sides, field.work.values.shape))
    if not sides.any():
        return Candidates(np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
    box = ndimage.find_objects((sides > 0).astype(np.int8))[0]
    pad = 4
    box = tuple(slice(max(0, s.start - pad), min(n, s.stop + pad)) for s, n in zip(box, sides.shape, strict=True))
    sides = sides[box]
    inside = sides > 0
    values = field.work.values[box]
    low = np.float32(np.median(values[inside & (values < HAZE_CEILING_HU)]))
    step = np.asarray(field.work.step_mm)
    found = []
    for ceiling, fine, coarse in ((CEILING_HU, 260, 70), (HAZE_CEILING_HU, 270, 90)):
        cut = np.where(inside, np.clip(values, low - 60, ceiling), low)
        gain = np.float32(800.0 / (ceiling - low))
        cut = (cut - low) * gain
        fine_sigmas = FINE_SIGMAS_MM if ceiling == CEILING_HU else FINE_SIGMAS_MM[1:]
        found.append(_blobs(cut, inside, step, fine_sigmas, fine))
        shape = [n - n % 2 for n in cut.shape]
        half = cut[: shape[0], : shape[1], : shape[2]]
        half = half.reshape(shape[0] // 2, 2, shape[1] // 2, 2, shape[2] // 2, 2).mean((1, 3, 5))
        half_inside = np.asarray(inside[: shape[0] : 2, : shape[1] : 2, : shape[2] : 2])
        points, sigmas, scores = _blobs(half, half_inside, step * 2, COARSE_SIGMAS_MM, coarse)
        found.append((points * 2 + 0.5, sigmas, scores))
    points, sigmas, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    keep = _apart(points * step, sigmas, scores, limit)
    points, sigmas, scores = points[keep], sigmas[keep], scores[keep]
    index = tuple(np.clip(np.rint(points).astype(int), 0, np.asarray(sides.shape) - 1).T)
    origin = np.asarray([s.start for s in box])
    return Candidates(field.work.to_source(points + origin), sigmas, scores, sides[index].astype(np.int64))


def _blobs(
    values: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    step: npt.NDArray[np.float64],
    sigmas: tuple[float, ...],
    limit: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Peaks of the scale-normalised Laplacian, scored by it and by the weakest of the three curvatures."""
    parts = []
    for sigma in sigmas:
        smooth = ndimage.gaussian_filter(values, sigma / step, truncate=3.0)
        response = -_laplacian(smooth, step) * sigma**2
        peak = (response == ndimage.maximum_filter(response, size=3)) & inside & (response > 25.0)
        points = np.argwhere(peak)
        if not len(points):
            continue
        strength = response[tuple(points.T)]
        best = np.argsort(strength)[::-1][: limit * 8]
        points, strength = points[best], strength[best]
        weakest = _weakest_curvature(smooth, points, step) * sigma**2
        score = 0.15 * strength + 2.0 * np.clip(weakest, -60, None)
        # Most by the weakest curvature; some by strength alone, for nodules that sit on a vessel.
        best = _apart(points * step, np.full(len(points), sigma), score, limit)
        strong = _apart(points * step, np.full(len(points), sigma), strength, limit // 4)
        chosen = np.union1d(best, strong)
        parts.append((points[chosen].astype(np.float64), np.full(len(chosen), sigma), score[chosen].astype(np.float64)))
    if not parts:
        return np.zeros((0, 3)), np.zeros(0), np.zeros(0)
    points, sigma, score = (np.concatenate(p) for p in zip(*parts, strict=True))
    return points, sigma, score


def _laplacian(smooth: npt.NDArray[np.float32], step: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    out = np.zeros_like(smooth)
    for axis in range(3):
        part = np.moveaxis(smooth, axis, 0)
        target = np.moveaxis(out, axis, 0)
        target[1:-1] += (part[2:] - 2 * part[1:-1] + part[:-2]) / np.float32(step[axis] ** 2)
    return out


def _weakest_curvature(
    smooth: npt.NDArray[np.float32], points: npt.NDArray[np.int64], step: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Smallest of the three negated second derivatives: near zero along a vessel, large for a ball."""
    p = np.clip(points, 1, np.asarray(smooth.shape) - 2)

    def at(*shift: int) -> npt.NDArray[np.float64]:
        return smooth[p[:, 0] + shift[0], p[:, 1] + shift[1], p[:, 2] + shift[2]].astype(np.float64)

    matrix = np.empty((len(p), 3, 3))
    unit = np.eye(3, dtype=int)
    middle = at(0, 0, 0)
    for a in range(3):
        matrix[:, a, a] = (at(*unit[a]) - 2 * middle + at(*-unit[a])) / step[a] ** 2
        for b in range(a):
            both, other = unit[a] + unit[b], unit[a] - unit[b]
            cross = (at(*both) + at(*-both) - at(*other) - at(*-other)) / (4 * step[a] * step[b])
            matrix[:, a, b] = matrix[:, b, a] = cross
    return -np.linalg.eigvalsh(matrix)[:, 2]


def _apart(
    points_mm: npt.NDArray[np.float64], sigmas: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], limit: int
) -> npt.NDArray[np.int64]:
    """The best of every neighbourhood, greedily."""
    order = np.argsort(scores, kind="stable")[::-1]
    kept: list[int] = []
    for n in order:
        if kept:
            gap = np.linalg.norm(points_mm[kept] - points_mm[n], axis=1)
            if (gap < np.maximum(2.5, 1.2 * np.minimum(sigmas[kept], sigmas[n]))).any():
                continue
        kept.append(int(n))
        if len(kept) >= limit:
            break
    return np.asarray(kept, np.int64)
