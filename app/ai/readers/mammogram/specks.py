"""Bright points of one view at the film's own pixels: what calcifications are, and much that is none.

A point is a place where the smoothed film falls off in every direction (the weaker of the two curvatures counts, so that a
vessel or a ligament scores little), in units of what the same filter finds in the tissue around it. Lengths in millimetres
on the film, corner origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.mammogram.view import BreastView

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Wholes = npt.NDArray[np.int64]

SIGMAS_MM = (0.07, 0.12, 0.2)
"""Of the smoothing; a speck of diameter d answers best near 0.35 d."""
LEAST_SIGMA_PX = 0.7
FINEST_MM = 0.06
"""Finer pixels are averaged by twos: calcium of less than that is nobody's."""
NOISE_CELL_MM = 1.0
NOISE_REACH_MM = 4.0
SKIN_MM = 3.0
LEAST_Z = 3.5
SAME_MM = 0.35
"""Maxima of two scales nearer than this are one point."""
COARSE_MM = 2.0
VALLEY = 0.35
"""Maxima of one coarse calcification (its rim breaks into several) are one point too: nearer than this, with no valley of
that share of their height between them."""
MOST = 20000


@dataclass(frozen=True, eq=False)
class Specks:
    """Columns of equal length, in falling ``z``."""

    x_mm: Floats
    y_mm: Floats
    z: Floats
    """Strength over the noise around."""
    round: Floats
    """Weaker over stronger curvature: 1 round, 0 a line."""
    size_mm: Floats
    """Sigma of the scale that answered best."""
    tissue_cm2: float
    spacing_mm: tuple[float, float]
    """(row, column) of the film's own pixels."""

    def __len__(self) -> int:
        return len(self.z)


def specks_of(values: Floats, spacing_mm: tuple[float, float], view: BreastView) -> Specks:
    """``values`` (rows, columns) with dense tissue bright; ``view`` is the same film prepared (``view.prepare``)."""
    mask, (row, column) = _on_film(view, values.shape)
    part = np.ascontiguousarray(values[row : row + mask.shape[0], column : column + mask.shape[1]], np.float32)
    mm = spacing_mm
    if max(mm) < FINEST_MM:
        size = (max(1, part.shape[1] // 2), max(1, part.shape[0] // 2))
        mm = (mm[0] * part.shape[0] / size[1], mm[1] * part.shape[1] / size[0])
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    found = [_of_scale(part, mask, mm, s) for s in _sigmas(mm)]
    table = np.concatenate(found) if found else np.zeros((0, 5), np.float32)
    table = table[np.argsort(-table[:, 2], kind="stable")[:MOST]]
    table = table[_first_of_each(table[:, :2], SAME_MM)]
    table = table[_one_of_each_grain(part, mm, table[:, :2])]
    x, y, z, shape, sigma = (np.ascontiguousarray(c, np.float32) for c in table.T)
    origin = (np.float32(column * spacing_mm[1]), np.float32(row * spacing_mm[0]))
    area = float(mask.sum()) * mm[0] * mm[1] / 100.0
    return Specks(x + origin[0], y + origin[1], z, shape, sigma, area, spacing_mm)


def _sigmas(mm: tuple[float, float]) -> list[float]:
    least = LEAST_SIGMA_PX * max(mm)
    return sorted({round(max(s, least), 4) for s in SIGMAS_MM})


def tissue_on_film(view: BreastView, shape: tuple[int, ...]) -> Bools:
    """Tissue away from the skin on the film's own pixels."""
    inner = view.tissue & (view.skin_mm > SKIN_MM)
    if view.mirrored:
        inner = inner[:, ::-1]
    whole = np.zeros(view.resampled, np.uint8)
    row, column = view.offset
    whole[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
    return cv2.resize(whole, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST).astype(bool)


def _on_film(view: BreastView, shape: tuple[int, ...]) -> tuple[Bools, tuple[int, int]]:
    """(the tissue within the box around it, (row, column) of the box)."""
    fine = tissue_on_film(view, shape)
    rows, columns = np.nonzero(fine.any(1))[0], np.nonzero(fine.any(0))[0]
    if not len(rows):
        return np.zeros((1, 1), bool), (0, 0)
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    return np.ascontiguousarray(fine[box]), (int(rows[0]), int(columns[0]))


def _of_scale(part: Floats, mask: Bools, mm: tuple[float, float], sigma_mm: float) -> Floats:
    """(n, 5): x and y in mm from the corner of ``part``, z, roundness, sigma."""
    sy, sx = sigma_mm / mm[0], sigma_mm / mm[1]
    smooth = cv2.GaussianBlur(part, (0, 0), sigmaX=sx, sigmaY=sy)
    along = np.asarray([[1, -2, 1]], np.float32)
    xx = cv2.filter2D(smooth, cv2.CV_32F, along * np.float32(sx * sx))
    yy = cv2.filter2D(smooth, cv2.CV_32F, along.T * np.float32(sy * sy))
    cross = np.asarray([[1, 0, -1], [0, 0, 0], [-1, 0, 1]], np.float32)
    xy = cv2.filter2D(smooth, cv2.CV_32F, cross * np.float32(0.25 * sx * sy))
    middle = (xx + yy) * np.float32(-0.5)
    apart = cv2.magnitude((xx - yy) * np.float32(0.5), xy)
    weak = cv2.max(middle - apart, 0.0)  # the weaker curvature of a bright point, nothing elsewhere
    noise = _noise(middle, mask, mm)
    peak = cv2.dilate(weak, np.ones((3, 3), np.uint8))
    row, column = np.nonzero((weak >= peak) & (weak > LEAST_Z * noise) & mask)
    low = weak[row, column]
    z = low / np.maximum(noise[row, column], 1e-9)
    high = middle[row, column] + apart[row, column]
    return np.stack(
        [
            (column + 0.5) * mm[1],
            (row + 0.5) * mm[0],
            z,
            low / np.maximum(high, 1e-9),
            np.full(len(row), sigma_mm),
        ],
        axis=1,
    ).astype(np.float32)


def _noise(response: Floats, mask: Bools, mm: tuple[float, float]) -> Floats:
    """Standard deviation of the response in the tissue around, by its mean size; the largest answers are held down, so
    that a cluster does not hide itself."""
    size = np.abs(response)
    typical = float(np.median(size[mask])) if mask.any() else 1.0
    cells = (max(1, round(size.shape[1] * mm[1] / NOISE_CELL_MM)), max(1, round(size.shape[0] * mm[0] / NOISE_CELL_MM)))
    weight = mask.astype(np.float32)
    held = cv2.min(size, 4.0 * typical) * weight
    above = cv2.resize(held, cells, interpolation=cv2.INTER_AREA)
    below = cv2.resize(weight, cells, interpolation=cv2.INTER_AREA)
    reach = NOISE_REACH_MM / NOISE_CELL_MM
    above, below = cv2.GaussianBlur(above, (0, 0), reach), cv2.GaussianBlur(below, (0, 0), reach)
    mean = 1.2533 * above / np.maximum(below, 1e-3)  # of a normal distribution: standard deviation over mean size
    # Where all is flat (a saturated part) the least step would be many deviations.
    mean = np.maximum(mean, np.float32(0.3 * 1.2533 * typical))
    return cv2.resize(mean.astype(np.float32), (size.shape[1], size.shape[0]), interpolation=cv2.INTER_LINEAR)


def _first_of_each(points: Floats, apart_mm: float) -> Wholes:
    """Indices of the points with no earlier one that near."""
    from scipy.spatial import cKDTree

    keep = np.ones(len(points), bool)
    if len(points) > 1:
        for a, b in sorted(cKDTree(points).query_pairs(apart_mm)):  # a < b
            if keep[a]:
                keep[b] = False
    return np.nonzero(keep)[0]


def _one_of_each_grain(part: Floats, mm: tuple[float, float], points: Floats) -> Wholes:
    """Indices of the points without an earlier one on the same bright grain."""
    from scipy.spatial import cKDTree

    keep = np.ones(len(points), bool)
    pairs = np.asarray(sorted(cKDTree(points).query_pairs(COARSE_MM)), np.int64).reshape(-1, 2) if len(points) > 1 else []
    if not len(pairs):
        return np.nonzero(keep)[0]
    fine = cv2.GaussianBlur(part, (0, 0), sigmaX=max(0.5, 0.08 / mm[1]), sigmaY=max(0.5, 0.08 / mm[0]))
    small = (max(1, round(part.shape[1] * mm[1] / 0.5)), max(1, round(part.shape[0] * mm[0] / 0.5)))
    wide = cv2.GaussianBlur(cv2.resize(part, small, interpolation=cv2.INTER_AREA), (0, 0), 3.0 / 0.5)
    t = np.linspace(0.0, 1.0, 7)
    first, second = points[pairs[:, 0]], points[pairs[:, 1]]
    way = first[:, None] * (1 - t)[None, :, None] + second[:, None] * t[None, :, None]
    along = _values(fine, way, mm)
    around = _values(
        wide, (first + second)[:, None] / 2, (part.shape[0] * mm[0] / small[1], part.shape[1] * mm[1] / small[0])
    )
    top = np.minimum(along[:, 0], along[:, -1])
    joined = along.min(1) > top - VALLEY * np.maximum(top - around[:, 0], 0.0)
    for a, b in pairs[joined]:
        if keep[a]:
            keep[b] = False
    return np.nonzero(keep)[0]


def _values(image: Floats, way_mm: npt.NDArray[np.floating], mm: tuple[float, float]) -> Floats:
    """Of the nearest pixels; ``way_mm`` (..., 2) as (x, y)."""
    x = np.clip(way_mm[..., 0] / mm[1], 0, image.shape[1] - 1).astype(int)
    y = np.clip(way_mm[..., 1] / mm[0], 0, image.shape[0] - 1).astype(int)
    return image[y, x]
