"""Ellipses in image px: two opposite corners of an upright box, or the four ends of two axes that were turned.

The axes are at right angles in true proportions. Where the spacing of rows and columns differs they are not in px, but they
are conjugate diameters there: every point is ``centre + u cos t + w sin t``, and ``s u + t w`` lies inside where
``s s + t t <= 1``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.viewer.regions import region_of
from app.viewer.view_state import ImageGeometry

Vector = npt.NDArray[np.float64]
SNAP_DEG = 4.0
"""Nearer to upright than this an ellipse stands upright."""


def centre_and_axes(points: Sequence[Point2]) -> tuple[Vector, Vector, Vector]:
    """(centre, first half axis, second half axis) in px."""
    p = np.asarray(points, dtype=np.float64)
    if len(p) == 2:
        half = np.abs(p[1] - p[0]) / 2.0
        return (p[0] + p[1]) / 2.0, np.array([half[0], 0.0]), np.array([0.0, half[1]])
    return (p[0] + p[1]) / 2.0, (p[1] - p[0]) / 2.0, (p[3] - p[2]) / 2.0


def ends(points: Sequence[Point2]) -> tuple[Point2, ...]:
    """Four px: both ends of one axis, then of the other; what the hand takes an ellipse by."""
    centre, u, w = centre_and_axes(points)
    return tuple((float(q[0]), float(q[1])) for q in (centre - u, centre + u, centre - w, centre + w))


def extent(points: Sequence[Point2]) -> tuple[Point2, Point2]:
    """Lowest and highest px that the outline reaches."""
    centre, u, w = centre_and_axes(points)
    reach = np.hypot(u, w)
    low, high = centre - reach, centre + reach
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def ring(points: Sequence[Point2], steps: int = 72) -> tuple[Point2, ...]:
    """Points of the outline."""
    centre, u, w = centre_and_axes(points)
    turns = [2 * math.pi * n / steps for n in range(steps)]
    found = [centre + u * math.cos(t) + w * math.sin(t) for t in turns]
    return tuple((float(q[0]), float(q[1])) for q in found)


def inside(points: Sequence[Point2], x: Vector, y: Vector) -> npt.NDArray[np.bool_]:
    """Which px lie inside or on a turned ellipse."""
    centre, u, w = centre_and_axes(points)
    area = u[0] * w[1] - u[1] * w[0]
    if abs(area) < 1e-12:
        return np.zeros(x.shape, dtype=np.bool_)
    dx, dy = x - centre[0], y - centre[1]
    s, t = (dx * w[1] - dy * w[0]) / area, (dy * u[0] - dx * u[1]) / area
    return np.asarray(s * s + t * t <= 1.0 + 1e-12)


def with_moved_end(points: Sequence[Point2], handle: int, to: Point2, geometry: ImageGeometry) -> list[Point2]:
    """One end of an axis (by its place in ``ends``) goes to ``to``: the ellipse turns about its middle and that axis changes
    its length; the other axis keeps its own and stays at right angles. Two corners again where it stands upright."""
    region = region_of(points, geometry.regions)
    known = region is not None and region.mm_per_px is not None
    steps = np.array(region.mm_per_px if known and region is not None else (geometry.column_spacing, geometry.row_spacing))
    centre, u, w = centre_and_axes(points)
    taken, other = (u, w) if handle < 2 else (w, u)
    wanted = (np.asarray(to) - centre) * steps * (-1.0 if handle in (0, 2) else 1.0)
    length, kept = float(np.linalg.norm(wanted)), float(np.linalg.norm(other * steps))
    if length == 0:
        return list(points)
    angle = math.degrees(math.atan2(float(wanted[1]), float(wanted[0])))
    upright = round(angle / 90.0) * 90.0
    if abs(angle - upright) <= SNAP_DEG:
        wanted = length * np.array([math.cos(math.radians(upright)), math.sin(math.radians(upright))]).round()
    # The other axis keeps its side: the ends do not change places under the hand.
    across = np.array([-wanted[1], wanted[0]]) / length * kept
    if taken[0] * other[1] - taken[1] * other[0] < 0:
        across = -across
    first, second = (wanted, across) if handle < 2 else (across, wanted)
    first, second = first / steps, second / steps
    if not first.all() and not second.all():
        half = np.abs(first) + np.abs(second)
        low, high = centre - half, centre + half
        return [(float(low[0]), float(low[1])), (float(high[0]), float(high[1]))]
    return [(float(q[0]), float(q[1])) for q in (centre - first, centre + first, centre - second, centre + second)]
