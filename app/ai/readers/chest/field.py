"""A chest film on the grid the reader works on: 256 pixels along its longer side, lung fields found, values made alike.

Arrays are (rows, columns). The picture is taken as hung: the patient's right on the left.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

SIDE = 256
PRIOR = ((0.30, 0.43, 0.14, 0.28), (0.70, 0.43, 0.14, 0.28))
"""Centre (x, y) and half axes of the lung fields as shares of the picture, where they are not found."""


@dataclass(frozen=True, eq=False)
class ChestField:
    values: Floats
    """0 is the median of the lung fields, 1 the distance of the 10th and 90th percentiles of the picture's middle."""
    sides: tuple[Bools, Bools]
    """Lung field on the left and on the right of the picture, convex."""
    found: tuple[bool, bool]
    """False where the usual place stands for a lung that was not found."""
    scale: tuple[float, float]
    """Grid pixels per film pixel (rows, columns)."""
    origin: tuple[int, int] = (0, 0)
    """(x, y) of the part of the film that the grid shows: what padding leaves."""

    @property
    def lungs(self) -> Bools:
        return np.asarray(self.sides[0] | self.sides[1])

    def to_film(self, x: float, y: float) -> tuple[float, float]:
        return (x + 0.5) / self.scale[1] + self.origin[0], (y + 0.5) / self.scale[0] + self.origin[1]

    def to_grid(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.origin[0]) * self.scale[1] - 0.5, (y - self.origin[1]) * self.scale[0] - 0.5


def prepare(values: Floats, valid: Bools | None = None, pixel_mm: tuple[float, float] | None = None) -> ChestField:
    """Dense tissue bright. The longer side of the exposed part becomes 256 pixels, which are square.

    ``pixel_mm`` (row, column) tells where those of the film are not; only their ratio counts.
    """
    film, origin = _exposed(values, valid)
    rows, columns = film.shape
    wide = pixel_mm[1] / pixel_mm[0] if pixel_mm is not None else 1.0
    factor = SIDE / max(rows, columns * wide)
    size = (max(32, round(columns * wide * factor)), max(32, round(rows * factor)))
    how = cv2.INTER_AREA if size[0] < columns or size[1] < rows else cv2.INTER_LINEAR
    grid = cv2.resize(np.ascontiguousarray(film, np.float32), size, interpolation=how)
    low, high = (float(v) for v in np.percentile(grid, [1, 99]))
    grid = np.clip((grid - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    sides, found = lung_fields(grid)
    lungs = sides[0] | sides[1]
    inner = grid[grid.shape[0] // 8 : -(grid.shape[0] // 8), grid.shape[1] // 8 : -(grid.shape[1] // 8)]
    p10, p90 = (float(v) for v in np.percentile(inner, [10, 90]))
    scaled = (grid - np.float32(np.median(grid[lungs]))) / np.float32(max(p90 - p10, 0.05))
    return ChestField(scaled.astype(np.float32), sides, found, (size[1] / rows, size[0] / columns), origin)


def _exposed(values: Floats, valid: Bools | None) -> tuple[Floats, tuple[int, int]]:
    """The box around what is no padding, padding within it at the median, and where (x, y) the box begins."""
    if valid is None or not valid.any():
        return values, (0, 0)
    y, x = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    box = (slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1))
    return np.where(valid[box], values[box], np.median(values[valid])).astype(np.float32), (int(x[0]), int(y[0]))


def lung_fields(grid: Floats) -> tuple[tuple[Bools, Bools], tuple[bool, bool]]:
    """Dark parts that do not reach the picture's border, one on each side, made convex."""
    rows, columns = grid.shape
    smooth = cv2.GaussianBlur(grid, (0, 0), 2.5)
    # Large-scale brightness (exposure, scatter) is taken out so that one threshold serves both lungs.
    level = smooth - 0.6 * cv2.GaussianBlur(grid, (0, 0), 0.22 * rows)
    middle = level[rows // 12 : -rows // 8, columns // 12 : -columns // 12]
    low, high = (float(v) for v in np.percentile(middle, [1, 99]))
    scaled = np.clip((level - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    inner = scaled[rows // 12 : -rows // 8, columns // 12 : -columns // 12]
    cut, _ = cv2.threshold(np.ascontiguousarray(inner), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    usual = _usual(grid.shape)
    for shift in (0, -12, -24, -36):
        dark = ((scaled < cut + shift).astype(np.uint8)) * 255
        dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
        found = _sides(dark, usual)
        if all(part is not None for part in found):
            break
    sides = []
    for n in (0, 1):
        own, other = found[n], found[1 - n]
        # An opaque lung lies about where the other one does, mirrored.
        sides.append(own if own is not None else usual[n] if other is None else np.ascontiguousarray(other[:, ::-1]))
    return (sides[0], sides[1]), (found[0] is not None, found[1] is not None)


def _usual(shape: tuple[int, ...]) -> tuple[Bools, Bools]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    found = []
    for cx, cy, ax, ay in PRIOR:
        found.append((((x + 0.5) / shape[1] - cx) / ax) ** 2 + (((y + 0.5) / shape[0] - cy) / ay) ** 2 <= 1)
    return found[0], found[1]


def _sides(dark: npt.NDArray[np.uint8], usual: tuple[Bools, Bools]) -> list[Bools | None]:
    rows, columns = dark.shape
    count, parts, stats, centre = cv2.connectedComponentsWithStats(dark, connectivity=4)
    best: list[tuple[float, int]] = [(0.0, 0), (0.0, 0)]
    for n in range(1, count):
        left, top, width, height, area = stats[n]
        border = left <= 1 or left + width >= columns - 1 or top + height >= rows - 1
        if border or not 0.025 * rows * columns < area < 0.24 * rows * columns or width > 0.5 * columns:
            continue
        side = int(centre[n][0] > columns / 2)
        share = float((parts == n)[usual[side]].sum()) / float(usual[side].sum())
        if share > max(0.3, best[side][0]):
            best[side] = (share, n)
    found: list[Bools | None] = []
    for share, n in best:
        if share == 0:
            found.append(None)
            continue
        points = np.argwhere(parts == n)[:, ::-1].astype(np.int32)
        hull = np.zeros(dark.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
        found.append(cv2.dilate(hull, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))).astype(bool))
    return found
