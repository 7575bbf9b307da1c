"""The second path of what is no plain length or area: the value at a place, spans of a time curve, the length of a spline.

It shares no function with the first path: values are looked up among the edges of the pixels, time curves are read as lines
through two points of their axis, and the spline is solved by its moments and integrated anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.measurement import Quantity
from app.viewer.regions import Region

_WHAT = {3: (Quantity.DEPTH, 10.0), 4: (Quantity.TIME, 1.0), 5: (Quantity.FREQUENCY, 1.0), 7: (Quantity.VELOCITY, 1.0)}
"""Physical Units (0018,6024) to what lies between two points, and how many of its unit one of the region's is."""


def region_at(points: Sequence[Point2], regions: Sequence[Region]) -> Region | None:
    """The first that holds all points, of high priority before low, small before large."""
    for region in sorted(regions, key=lambda r: (r.low_priority, (r.x1 - r.x0) * (r.y1 - r.y0))):
        if all(region.holds(p) for p in points):
            return region
    return None


def spans_again(a: Point2, b: Point2, region: Region) -> dict[Quantity, float]:
    """Time, depth, velocity or frequency between two points: the difference of both places on each axis."""
    out: dict[Quantity, float] = {}
    for unit, step, first, last in (
        (region.units[0], region.step[0], a[0], b[0]),
        (region.units[1], region.step[1], a[1], b[1]),
    ):
        quantity, size = _WHAT[unit]
        out[quantity] = abs(last * step * size - first * step * size)
    return out


def curve_value(point: Point2, region: Region) -> dict[Quantity, float]:
    """Height of a time curve at a point: on the line through the reference pixel and the one a pixel below it."""
    if region.reference is None or region.mm_per_px is not None:
        return {}
    quantity, size = _WHAT[region.units[1]]
    at_reference = region.reference_values[1] * size
    below = (region.reference_values[1] + region.step[1]) * size
    middle = region.y0 + region.reference[1] + 0.5
    return {quantity: at_reference + (below - at_reference) * (point[1] - middle)}


def pixel_value(
    point: Point2, values: npt.NDArray[np.generic], padding: npt.NDArray[np.bool_] | None
) -> dict[Quantity, float]:
    """Of the pixel between whose edges a point lies; nothing outside and in padding."""
    row, column = (
        int(np.searchsorted(np.arange(n + 1), at, side="right")) - 1 for n, at in zip(values.shape, point[::-1], strict=True)
    )
    if not (0 <= row < values.shape[0] and 0 <= column < values.shape[1]) or (padding is not None and padding[row, column]):
        return {}
    return {Quantity.VALUE: float(values[row, column])}


def _moments(t: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Second derivatives of the cubic spline at its knots: not-a-knot, with three knots natural."""
    n, h = len(t), np.diff(t)
    left = np.zeros((n, n))
    right = np.zeros_like(y)
    for k in range(1, n - 1):
        left[k, k - 1 : k + 2] = h[k - 1], 2.0 * (h[k - 1] + h[k]), h[k]
        right[k] = 6.0 * ((y[k + 1] - y[k]) / h[k] - (y[k] - y[k - 1]) / h[k - 1])
    if n == 3:
        left[0, 0] = left[2, 2] = 1.0
    else:
        left[0, :3] = h[1], -(h[0] + h[1]), h[0]
        left[-1, -3:] = h[-1], -(h[-2] + h[-1]), h[-2]
    return np.asarray(np.linalg.solve(left, right), dtype=np.float64)


def spline_length_again(points: Sequence[Sequence[float]]) -> float:
    """Arc length of the centripetal cubic spline through ``points`` (any dimension), by Simpson's rule on its speed."""
    different = [np.asarray(points[0], dtype=np.float64)]
    for p in points[1:]:
        if math.dist(different[-1], p) > 1e-6:
            different.append(np.asarray(p, dtype=np.float64))
    y = np.stack(different)
    chords = [math.dist(a, b) for a, b in zip(different, different[1:], strict=False)]
    if len(different) < 3:
        return math.fsum(chords)
    t = np.array([math.fsum(math.sqrt(c) for c in chords[:k]) for k in range(len(y))])
    m = _moments(t, y)
    parts: list[float] = []
    steps = 512
    share = np.linspace(0.0, 1.0, steps + 1)[:, None]
    weights = np.ones(steps + 1)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    for k, h in enumerate(np.diff(t)):
        slope = (y[k + 1] - y[k]) / h
        velocity = slope + h * (m[k + 1] * (3.0 * share**2 - 1.0) - m[k] * (3.0 * (1.0 - share) ** 2 - 1.0)) / 6.0
        parts.append(float(np.sqrt((velocity**2).sum(axis=1)) @ weights) * float(h) / steps / 3.0)
    return math.fsum(parts)
