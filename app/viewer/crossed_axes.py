"""Long and short axis at right angles (RECIST 1.1: the short one is perpendicular to the longest), drawn and edited.

Right angles hold in true proportions, not in image px: the spacing of rows and columns may differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.viewer.regions import region_of
from app.viewer.view_state import ImageGeometry

Vector = npt.NDArray[np.float64]


def _steps(points: Sequence[Point2], geometry: ImageGeometry) -> Vector:
    region = region_of(points, geometry.regions)
    if region is not None and region.mm_per_px is not None:
        return np.array(region.mm_per_px)
    return np.array([geometry.column_spacing, geometry.row_spacing])


def _frame(a: Vector, b: Vector) -> tuple[Vector, Vector, float]:
    """Unit vectors along and across the long axis, and its length."""
    length = float(np.linalg.norm(b - a))
    along = (b - a) / length if length > 0 else np.array([1.0, 0.0])
    return along, np.array([-along[1], along[0]]), length


def across(long_a: Point2, long_b: Point2, through: Point2, to: Point2, geometry: ImageGeometry) -> tuple[Point2, Point2]:
    """A line from ``through`` at right angles to the long axis, as far as ``to`` reaches but not beyond the image (px)."""
    steps = _steps((long_a, long_b), geometry)
    _, normal, _ = _frame(np.asarray(long_a) * steps, np.asarray(long_b) * steps)
    start = np.asarray(through) * steps
    step = normal * float((np.asarray(to) * steps - start) @ normal) / steps
    reach = 1.0
    for at, by, size in zip(through, step.tolist(), (geometry.columns, geometry.rows), strict=True):
        if at + by < 0:
            reach = min(reach, at / -by)
        elif at + by > size:
            reach = min(reach, (size - at) / by)
    reach = max(reach, 0.0)
    return through, (through[0] + reach * float(step[0]), through[1] + reach * float(step[1]))


def with_moved_end(points: Sequence[Point2], handle: int, to: Point2, geometry: ImageGeometry) -> list[Point2]:
    """The four ends (px) when one of them goes to ``to``; the axes stay at right angles.

    An end of the long axis takes the short one along: it crosses at the same part of the axis and keeps its length. An end
    of the short axis moves that axis along the long one and changes its own half only.
    """
    steps = _steps(points, geometry)
    a, b, c, d = (np.asarray(p) * steps for p in points)
    along, normal, length = _frame(a, b)
    part = float(((c + d) / 2 - a) @ along)
    one, other = float((c - a) @ normal), float((d - a) @ normal)
    if handle < 2:
        share = part / length if length > 0 else 0.5
        a, b = (np.asarray(to) * steps, b) if handle == 0 else (a, np.asarray(to) * steps)
        along, normal, length = _frame(a, b)
        part = share * length
    else:
        wanted = np.asarray(to) * steps - a
        part = float(wanted @ along)
        one, other = (float(wanted @ normal), other) if handle == 2 else (one, float(wanted @ normal))
    foot = a + along * part
    found = [p / steps for p in (a, b, foot + normal * one, foot + normal * other)]
    return [(float(p[0]), float(p[1])) for p in found]
