"""One mammographic view on the grid the reader works on: 0.4 mm pixels, chest wall on the left, breast and muscle found.

Arrays are (rows, columns) float32 or bool. ``to_film`` brings a place (x, y) of the grid back to the film's ``image_px``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

GRID_MM = 0.4
MARGIN = 8
SMOOTH_MUSCLE = 2.5
LEAST_STEP = 0.045
"""Mean step across the muscle's edge, in units of the breast's spread, below which no muscle is taken to be there."""

LARGEST_MUSCLE = 0.3
"""Share of the breast that a muscle takes at most."""


@dataclass(frozen=True, eq=False)
class BreastView:
    values: Floats
    """Spread units: 0 is the median of the gland area, 1 the distance of its 10th and 90th percentiles."""
    breast: Bools
    """Everything inside the skin line."""
    muscle: Bools
    tissue: Bools
    """Breast without muscle."""
    skin_mm: Floats
    """Distance to the skin line or the end of the film's breast."""
    mirrored: bool
    """The film had its chest wall on the right."""
    offset: tuple[int, int]
    """(row, column) of this crop on the resampled film, before mirroring."""
    resampled: tuple[int, int]
    scale: tuple[float, float]
    """Grid pixels per film pixel (rows, columns)."""

    @property
    def tissue_mm2(self) -> float:
        return float(self.tissue.sum()) * GRID_MM**2

    def to_film(self, x: float, y: float) -> tuple[float, float]:
        """Corner-origin ``image_px`` of the film for the centre of grid pixel (x, y)."""
        columns = self.values.shape[1]
        across = columns - 1 - x if self.mirrored else x
        return (across + self.offset[1] + 0.5) / self.scale[1], (y + self.offset[0] + 0.5) / self.scale[0]

    def to_grid(self, x: float, y: float) -> tuple[float, float]:
        """Inverse of ``to_film``."""
        across = x * self.scale[1] - 0.5 - self.offset[1]
        return (self.values.shape[1] - 1 - across if self.mirrored else across), y * self.scale[0] - 0.5 - self.offset[0]


def on_grid(values: Floats, spacing_mm: tuple[float, float]) -> tuple[Floats, tuple[float, float]]:
    """(resampled to 0.4 mm by areas, grid pixels per film pixel)."""
    rows, columns = values.shape
    size = (max(1, round(columns * spacing_mm[1] / GRID_MM)), max(1, round(rows * spacing_mm[0] / GRID_MM)))
    if size == (columns, rows):
        return values.astype(np.float32), (1.0, 1.0)
    how = cv2.INTER_AREA if size[0] <= columns else cv2.INTER_LINEAR
    return cv2.resize(values, size, interpolation=how).astype(np.float32), (size[1] / rows, size[0] / columns)


def breast_mask(grid: Floats) -> Bools:
    """The largest bright part after thin bridges (labels, film edges) were cut; holes filled; skin line smoothed."""
    smooth = cv2.GaussianBlur(grid, (0, 0), 1.5)
    low, high = np.percentile(smooth, [2, 99])
    if high - low < 1e-6:
        return np.zeros(grid.shape, bool)
    scaled = np.clip((smooth - low) / (high - low), 0, 1)
    # Air and breast differ most on a logarithmic scale; the cut is Otsu's there, held in a sane range.
    logged = np.log1p(scaled * 60.0) / math.log(61.0)
    cut, _ = cv2.threshold((logged * 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = (logged * 255 > np.clip(cut, 70, 150)).astype(np.uint8)
    # OpenCV's own border does not erode a breast that ends at the film's edge, and takes thin bright edges away.
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return np.zeros(grid.shape, bool)
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    whole = (parts == best).astype(np.uint8)
    whole = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
    outer, _ = cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(whole, outer, -1, 1, cv2.FILLED)
    return whole.astype(bool)


def chest_on_right(mask: Bools) -> bool:
    """The straight side of the breast is the chest wall; the rounded one the skin."""
    rows = np.nonzero(mask.any(1))[0]
    if not len(rows):
        return False
    first = mask[rows].argmax(1)
    last = mask.shape[1] - 1 - mask[rows][:, ::-1].argmax(1)
    return float((last >= last.max() - 6).mean()) > float((first <= first.min() + 6).mean())


def muscle_mask(values: Floats, breast: Bools) -> Bools:
    """The pectoral muscle as a triangle in the upper corner at the chest wall, its edge then followed row by row.

    ``values`` of any scale with the chest wall on the left. Nothing where the step across the best line is small.
    """
    none = np.zeros(breast.shape, bool)
    rows = np.nonzero(breast.any(1))[0]
    if len(rows) < 40:
        return none
    top, height = int(rows[0]), int(rows[-1] - rows[0])
    width = int(np.nonzero(breast.any(0))[0][-1])
    smooth = cv2.GaussianBlur(values, (0, 0), SMOOTH_MUSCLE)
    area = float(breast.sum())
    best, line = 0.0, (0.0, 0.0)
    t = np.linspace(0.06, 0.94, 48)
    for x_top in np.linspace(0.14, 0.85, 25) * width:
        for y_end in np.linspace(0.22, 1.0, 27) * height:
            slope = x_top / y_end
            if not 0.12 <= slope <= 1.4 or 0.5 * x_top * y_end > LARGEST_MUSCLE * area:
                continue
            length = math.hypot(x_top, y_end)
            normal = (y_end / length, x_top / length)  # (x, y) outwards, away from the corner
            x, y = x_top * (1 - t), top + y_end * t
            inner = _at(smooth, x - 4 * normal[0], y - 4 * normal[1])
            outer = _at(smooth, x + 4 * normal[0], y + 4 * normal[1])
            step = inner - outer
            # A muscle's edge is a step along the whole line, not a few bright spots on it.
            score = float(np.median(step)) + 0.5 * float(np.mean(np.clip(step, -0.2, 0.2)))
            score *= math.sqrt(min(1.0, length / (0.6 * height)))
            if score > best:
                best, line = score, (float(x_top), float(y_end))
    if best < LEAST_STEP:
        return none
    return _followed(smooth, breast, top, line)


def _followed(smooth: Floats, breast: Bools, top: int, line: tuple[float, float]) -> Bools:
    """Cheapest path along the line, within 14 pixels of it, through the steepest falls from muscle to fat."""
    x_top, y_end = line
    fall = -cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3) - 0.5 * cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)
    count = min(int(y_end), breast.shape[0] - top)
    reach = 14
    offsets = np.arange(-reach, reach + 1)
    scale = float(np.percentile(np.abs(fall[breast]), 90)) or 1.0
    cost = np.zeros((count, len(offsets)), np.float32)
    back = np.zeros((count, len(offsets)), np.int64)
    total = np.zeros(len(offsets), np.float32)
    for n in range(count):
        x = np.clip(x_top * (1 - n / y_end) + offsets, 0, breast.shape[1] - 1)
        cost[n] = 1.0 - np.clip(fall[top + n, x.astype(int)] / scale, 0, 1) + 0.02 * np.abs(offsets) / reach
        if n:
            moves = np.stack([np.r_[np.inf, total[:-1]] + 0.15, total, np.r_[total[1:], np.inf] + 0.15])
            pick = moves.argmin(0)
            back[n] = pick - 1
            total = np.asarray(moves.min(0) + cost[n], np.float32)
        else:
            total = cost[0]
    out = np.zeros(breast.shape, bool)
    at = int(total.argmin())
    for n in range(count - 1, -1, -1):
        out[top + n, : max(0, round(x_top * (1 - n / y_end) + float(offsets[at])))] = True
        at = int(np.clip(at + back[n][at], 0, len(offsets) - 1))
    return out & breast


def _at(image: Floats, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> Floats:
    return image[np.clip(y, 0, image.shape[0] - 1).astype(int), np.clip(x, 0, image.shape[1] - 1).astype(int)]


def prepare(values: Floats, spacing_mm: tuple[float, float], oblique: bool | None, valid: Bools | None = None) -> BreastView:
    """``oblique`` False says that there is no muscle to look for (CC); None that the view is not known."""
    film = values if valid is None else np.where(valid, values, values[valid].min() if valid.any() else 0.0)
    grid, scale = on_grid(np.ascontiguousarray(film, np.float32), spacing_mm)
    mask = breast_mask(grid)
    if not mask.any():
        mask = np.ones(grid.shape, bool)
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    r0, r1 = max(0, int(rows[0]) - MARGIN), min(grid.shape[0], int(rows[-1]) + 1 + MARGIN)
    c0, c1 = int(columns[0]), int(columns[-1]) + 1
    mirrored = chest_on_right(mask)
    if mirrored:
        c0 = max(0, c0 - MARGIN)
    else:
        c1 = min(grid.shape[1], c1 + MARGIN)
    part, breast = grid[r0:r1, c0:c1], mask[r0:r1, c0:c1]
    if mirrored:
        part, breast = part[:, ::-1], breast[:, ::-1]
    part, breast = np.ascontiguousarray(part), np.ascontiguousarray(breast)
    framed = np.pad(breast, ((1, 1), (0, 1)), constant_values=False)
    skin = cv2.distanceTransform(framed.astype(np.uint8), cv2.DIST_L2, 5)[1:-1, :-1] * GRID_MM
    inner = breast & (skin > 4.0)
    p10, p90 = np.percentile(part[inner if inner.sum() > 200 else breast], [10, 90])
    spread = max(float(p90 - p10), 1e-3)
    muscle = (
        muscle_mask(np.asarray((part - p10) / spread, np.float32), breast)
        if oblique is not False
        else np.zeros(breast.shape, bool)
    )
    tissue = breast & ~muscle
    inner = tissue & (skin > 4.0)
    if inner.sum() > 200:
        p10, middle, p90 = np.percentile(part[inner], [10, 50, 90])
    else:
        middle = (p10 + p90) / 2
    scaled = (part - middle) / max(float(p90 - p10), 1e-3)
    scaled[~breast] = min(float(scaled[breast].min()), -1.5)
    return BreastView(
        np.asarray(np.clip(scaled, -4, 4), np.float32),
        breast,
        muscle,
        tissue,
        skin.astype(np.float32),
        mirrored,
        (r0, c0),
        (grid.shape[0], grid.shape[1]),
        scale,
    )
