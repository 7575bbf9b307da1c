"""The second path of what stands beside the stored values: SUV, and the values of a real-world value map.

Every pixel goes through the map by itself, whatever its form, and the region is counted again; the first path takes a short
way where the map is a straight line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape, Quantity
from app.domain.pixels import RealWorldMapping
from app.viewer.ellipses import extent
from app.viewer.recheck import scan
from app.viewer.recheck_places import pixel_value

Found = Mapping[Quantity, float]
_SCALED = frozenset({Quantity.VALUE, Quantity.MEAN, Quantity.STANDARD_DEVIATION, Quantity.MINIMUM, Quantity.MAXIMUM})


def mapped_again(values: npt.NDArray[np.generic], chosen: RealWorldMapping) -> npt.NDArray[np.float64]:
    """Values (rows, columns) through a map, NaN where it says nothing."""
    out = np.polyval([chosen.slope, chosen.intercept], np.asarray(values, dtype=np.float64))
    if chosen.table:
        entries = np.append(np.asarray(chosen.table, dtype=np.float64), np.nan)
        near = np.floor(out + 0.5)
        hit = (np.abs(out - near) < 1e-3) & (near > -0.5) & (near < len(chosen.table) - 0.5)
        out = entries.take(np.where(hit, near, len(chosen.table)).astype(np.int64))
    if chosen.first is not None:
        out[np.asarray(values) < chosen.first - 1e-6 * max(1.0, abs(chosen.first))] = np.nan
    if chosen.last is not None:
        out[np.asarray(values) > chosen.last + 1e-6 * max(1.0, abs(chosen.last))] = np.nan
    return np.asarray(out, dtype=np.float64)


def beside_again(
    shape: MarkShape,
    second: Found,
    units: Collection[str],
    values: npt.NDArray[np.generic] | None,
    padding: npt.NDArray[np.bool_] | None,
    grid_points: Sequence[Point2],
    suv: float | None,
    maps: Sequence[RealWorldMapping],
) -> Found:
    """What should stand in a second unit; ``second`` is the stored one by the second path, ``units`` those it is told in.

    ``grid_points``: the outline in px of ``values`` (rows, columns). Empty where nothing stands beside.
    """
    if suv is not None and "{SUVbw}g/ml" not in units:
        return {q: v * suv for q, v in second.items() if q in _SCALED}
    chosen = next((m for m in maps if m.unit not in units), None)
    if chosen is None or values is None or values.ndim != 2 or not grid_points:
        return {}
    reached = extent(grid_points) if shape is MarkShape.ELLIPSE else grid_points
    x, y = [p[0] for p in reached], [p[1] for p in reached]
    top, left = max(0, int(min(y)) - 2), max(0, int(min(x)) - 2)
    piece = values[top : max(0, int(max(y)) + 3), left : max(0, int(max(x)) + 3)]
    if piece.size == 0:
        return {}
    real = mapped_again(piece, chosen)
    left_out = None if padding is None else padding[top : top + piece.shape[0], left : left + piece.shape[1]]
    points = [(px - left, py - top) for px, py in grid_points]
    if shape is MarkShape.POINT:
        found = pixel_value(points[0], real, left_out)
        return {q: v for q, v in found.items() if np.isfinite(v)}
    return {q: v for q, v in scan(shape, points, real, left_out).items() if q in _SCALED}
