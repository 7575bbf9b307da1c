"""Contours of structures on the plane of a pane: the outline where it is the contour's own, else the cut through it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.saved_overlay import Contour, OverlayPart, Rgb
from app.viewer.primitives import Polyline, Primitive, Role
from app.viewer.view_state import ResolvedView

_PARALLEL = 0.999
"""Cosine: planes within about 2.5 degrees count as one direction."""


def structure_primitives(
    parts: Sequence[OverlayPart], resolved: ResolvedView, half_gap_mm: float, width: float
) -> list[Primitive]:
    """``half_gap_mm``: contours that lie nearer to the plane than this belong to it."""
    plane = resolved.geometry.plane
    if plane is None:
        return []
    normal = np.asarray(plane.normal)
    origin = np.asarray(plane.origin_mm)
    out: list[Primitive] = []
    for part in parts:
        for contour in part.contours:
            out += _of_contour(contour, part.rgb, resolved, origin, normal, half_gap_mm, width)
    return out


def _of_contour(
    contour: Contour,
    rgb: Rgb,
    resolved: ResolvedView,
    origin: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
    half_gap_mm: float,
    width: float,
) -> list[Primitive]:
    distance = (contour.points_mm - origin) @ normal
    low, high = float(distance.min()), float(distance.max())
    flat = high - low < max(0.1, (1 - _PARALLEL) * float(np.ptp(contour.points_mm, axis=0).max()))
    if flat or len(contour.points_mm) < 3:
        if abs((low + high) / 2) > half_gap_mm:
            return []
        points = [_px(p, resolved) for p in contour.points_mm]
        return [Polyline(tuple(points), Role.TEXT, width, closed=contour.closed, key="structure", rgb=rgb)]
    if low > 0 or high < 0 or not contour.closed:
        return []
    crossings = _crossings(contour.points_mm, distance)
    along = np.asarray(crossings)
    # On one straight line: sorted along it, the inside lies between the first and the second, the third and the fourth...
    direction = along[-1] - along[0] if len(along) > 1 else np.zeros(3)
    order = np.argsort(along @ direction)
    pairs = [(along[order[n]], along[order[n + 1]]) for n in range(0, len(order) - 1, 2)]
    return [Polyline((_px(a, resolved), _px(b, resolved)), Role.TEXT, width, key="structure", rgb=rgb) for a, b in pairs]


def _crossings(points: npt.NDArray[np.float64], distance: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Where the polygon's edges pass through the plane."""
    after_points, after = np.roll(points, -1, axis=0), np.roll(distance, -1)
    found = []
    for a, b, da, db in zip(points, after_points, distance, after, strict=True):
        if (da < 0) != (db < 0):
            found.append(a + (b - a) * (da / (da - db)))
    return found


def _px(point: npt.NDArray[np.float64], resolved: ResolvedView) -> tuple[float, float]:
    found = resolved.patient_to_pane((float(point[0]), float(point[1]), float(point[2])))
    assert found is not None  # the caller made sure that the plane has a place
    return (found[0], found[1])
