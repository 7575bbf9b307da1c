"""Measurements computed a second time by another path, and what differs.

The first path works on the image grid in image px (``measure.py``). This one starts from the stored placement: lengths and
angles from patient millimetres where there are any (dot products in three dimensions), areas by triangles around a corner
or by counting, statistics by a scan of every pixel with exact sums. It shares no function with the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.viewer.recheck_outlines import area, row_spans, sums
from app.viewer.recheck_places import curve_value, pixel_value, region_at, spans_again, spline_length_again
from app.viewer.view_state import ImageGeometry

Vectors = Sequence[tuple[float, ...]]
RELATIVE = 1e-6
ABSOLUTE = 1e-6


@dataclass(frozen=True)
class Mismatch:
    """``shown`` is what stands beside the drawing, ``again`` what the second path found."""

    quantity: Quantity
    shown: float
    again: float


def _true_points(placement: Placement, geometry: ImageGeometry | None) -> Vectors | None:
    """Millimetres in the patient, else image px in true proportions; None when neither is known."""
    if placement.points_mm:
        return placement.points_mm
    if geometry is None or not placement.points_px:
        return None
    x, y = geometry.column_spacing, geometry.row_spacing
    unit = 1.0 if geometry.calibrated else min(x, y)
    region = region_at(placement.points_px, geometry.regions)
    if region is not None and region.mm_per_px is not None:
        (x, y), unit = region.mm_per_px, 1.0
    return tuple((px * x / unit, py * y / unit) for px, py in placement.points_px)


def _minus(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [p - q for p, q in zip(a, b, strict=True)]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def _size(a: Sequence[float]) -> float:
    return math.sqrt(_dot(a, a))


def _between(u: Sequence[float], v: Sequence[float]) -> float:
    """Degrees by half-angle of the unit vectors (Kahan): good at 0 and 180, where the cosine is not."""
    nu, nv = _size(u), _size(v)
    if nu == 0 or nv == 0:
        return 0.0
    a, b = [p / nu for p in u], [p / nv for p in v]
    return math.degrees(2.0 * math.atan2(_size(_minus(a, b)), _size([p + q for p, q in zip(a, b, strict=True)])))


def _cobb(points: Vectors) -> float:
    """Between two plates by how far each tilts against the line across the joined middles; either end of a plate will do."""
    plates = [_minus(points[1], points[0]), _minus(points[3], points[2])]
    axis = [(c + d - a - b) / 2 for a, b, c, d in zip(*points[:4], strict=True)]
    along = _size(axis)
    if along == 0:
        angle = _between(*plates)
        return min(angle, 180.0 - angle)
    axis = [a / along for a in axis]
    rests = [_minus(p, [_dot(p, axis) * a for a in axis]) for p in plates]
    across = max(rests, key=_size)
    if _size(across) == 0:
        return 0.0  # both lie along the axis
    tilts = [math.atan2(_dot(p, axis) * _size(across), _dot(p, across)) for p in plates]
    tilts = [t - math.pi * round(t / math.pi) for t in tilts]
    return abs(math.degrees(tilts[0] - tilts[1]))


def _box_area(points: Vectors, placement: Placement, geometry: ImageGeometry | None) -> float | None:
    """Of the box between two corners, by its own sides along rows and columns."""
    plane = geometry.plane if geometry is not None else None
    diagonal = _minus(points[1], points[0])
    if placement.points_mm:
        if plane is None:
            return None
        return abs(_dot(diagonal, plane.row_cosines)) * abs(_dot(diagonal, plane.column_cosines))
    return abs(diagonal[0]) * abs(diagonal[1])


def _reach(shape: MarkShape, points: Sequence[Point2]) -> tuple[float, float]:
    """Lowest and highest place on the rows that an outline reaches."""
    ys = [p[1] for p in points]
    if shape is MarkShape.ELLIPSE and len(points) == 4:
        middle, half = (ys[0] + ys[1]) / 2, math.hypot(ys[1] - ys[0], ys[3] - ys[2]) / 2
        return middle - half, middle + half
    return min(ys), max(ys)


def _turned_span(points: Sequence[Point2], y: float) -> list[tuple[float, float]]:
    """Where a row crosses an ellipse by its axes' ends: the roots of its quadratic form along the row."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
    ux, uy, wx, wy = (bx - ax) / 2, (by - ay) / 2, (dx - cx) / 2, (dy - cy) / 2
    form = (ux * ux + wx * wx, ux * uy + wx * wy, uy * uy + wy * wy)
    """The matrix whose inverse is the ellipse's own: sums over both half axes."""
    if form[2] == 0 or form[0] * form[2] - form[1] ** 2 <= 0:
        return []
    rise = (y - (ay + by) / 2) / form[2]
    rest = 1.0 - rise * rise * form[2]
    if rest < -1e-12:
        return []
    middle = (ax + bx) / 2 + rise * form[1]
    half = math.sqrt(max(rest, 0.0) * (form[0] - form[1] ** 2 / form[2])) + 1e-9
    return [(middle - half, middle + half)]


def _spans(shape: MarkShape, points: Sequence[Point2], y: float) -> list[tuple[float, float]]:
    """Where a row at height ``y`` runs inside the outline; ends belong."""
    (x0, y0), (x1, y1) = points[0], points[1]
    if shape is MarkShape.RECTANGLE:
        return [(min(x0, x1), max(x0, x1))] if min(y0, y1) <= y <= max(y0, y1) else []
    if shape is MarkShape.ELLIPSE and len(points) == 4:
        return _turned_span(points, y)
    if shape is MarkShape.ELLIPSE:
        rx, ry = max(abs(x1 - x0) / 2, 1e-12), max(abs(y1 - y0) / 2, 1e-12)
        rest = 1.0 - ((y - (y0 + y1) / 2) / ry) ** 2
        if rest < -1e-12:
            return []
        half = rx * math.sqrt(max(rest, 0.0)) + 1e-9
        return [((x0 + x1) / 2 - half, (x0 + x1) / 2 + half)]
    raise ValueError(f"{shape} has no inside")


def scan(
    shape: MarkShape,
    points: Sequence[Point2],
    values: npt.NDArray[np.generic],
    padding: npt.NDArray[np.bool_] | None,
) -> dict[Quantity, float]:
    """Row by row along spans; sums are exact, so their order does not matter."""
    rows, columns = values.shape
    lowest, highest = _reach(shape, points)
    reach = range(max(0, math.floor(lowest) - 1), min(rows, math.ceil(highest) + 1))
    outline = row_spans(points, reach) if shape in (MarkShape.POLYGON, MarkShape.FREEHAND) else None
    full: list[npt.NDArray[np.generic]] = []
    for j in reach:
        spans = _spans(shape, points, j + 0.5) if outline is None else outline[j - reach.start]
        if not spans:
            continue
        ends = [(math.ceil(low - 0.5 - 1e-9), math.floor(high - 0.5 + 1e-9) + 1) for low, high in spans]
        left = min(max(min(first for first, _ in ends), 0), columns)
        inside = np.zeros(min(max(max(last for _, last in ends), left), columns) - left, dtype=np.bool_)
        for first, last in ends:
            inside[max(first - left, 0) : max(last - left, 0)] = True
        if padding is not None:
            inside &= ~padding[j, left : left + inside.size]
        row = values[j, left : left + inside.size][inside]
        row = row[np.isfinite(row)]
        if row.size:
            full.append(row)
    n = sum(r.size for r in full)
    if n == 0:
        return {}
    mean, spread = sums(full)
    return {
        Quantity.MEAN: mean,
        Quantity.STANDARD_DEVIATION: spread,
        Quantity.MINIMUM: min(float(r.min()) for r in full),
        Quantity.MAXIMUM: max(float(r.max()) for r in full),
        Quantity.COUNT: float(n),
    }


_REGIONS = frozenset({MarkShape.RECTANGLE, MarkShape.ELLIPSE, MarkShape.POLYGON, MarkShape.FREEHAND})


def again(
    annotation: Annotation,
    geometry: ImageGeometry | None,
    values: npt.NDArray[np.generic] | None = None,
    padding: npt.NDArray[np.bool_] | None = None,
    grid_points: Sequence[Point2] = (),
) -> Mapping[Quantity, float]:
    """The values by the second path. ``grid_points``: the outline in px of ``values`` (rows, columns), where there are."""
    shape, points = annotation.shape, _true_points(annotation.placement, geometry)
    out: dict[Quantity, float] = {}
    if points is None:
        return out
    px = grid_points or annotation.placement.points_px
    own = annotation.placement.points_px
    region = region_at(own, geometry.regions) if geometry is not None and own else None
    if shape is MarkShape.POINT:
        if region is not None and (found := curve_value(own[0], region)):
            return found
        if values is not None and values.ndim == 2 and px:
            out = pixel_value(px[0], values, padding)
    elif shape is MarkShape.LENGTH and region is not None and region.mm_per_px is None:
        out = spans_again(own[0], own[1], region)
    elif shape is MarkShape.CURVE:
        out[Quantity.LENGTH] = spline_length_again(points)
    elif shape is MarkShape.LENGTH:
        out[Quantity.LENGTH] = _size(_minus(points[1], points[0]))
    elif shape is MarkShape.BIDIRECTIONAL:
        axes = sorted((_size(_minus(points[1], points[0])), _size(_minus(points[3], points[2]))), reverse=True)
        out = {Quantity.LONG_AXIS: axes[0], Quantity.SHORT_AXIS: axes[1], Quantity.MEAN_DIAMETER: sum(axes) / 2}
    elif shape is MarkShape.ANGLE:
        out[Quantity.ANGLE] = _between(_minus(points[0], points[1]), _minus(points[2], points[1]))
    elif shape is MarkShape.COBB:
        out[Quantity.ANGLE] = _cobb(points)
    elif shape is MarkShape.CARDIOTHORACIC:
        thorax = _minus(points[3], points[2])
        heart = _minus(points[1], points[0])
        width = _size(heart) * abs(math.cos(math.radians(_between(heart, thorax))))
        if _size(thorax) > 0:
            out = {
                Quantity.RATIO: 100.0 * width / _size(thorax),
                Quantity.HEART_WIDTH: width,
                Quantity.THORAX_WIDTH: _size(thorax),
            }
    elif shape is MarkShape.LEG_LENGTH:
        a, b = _size(_minus(points[1], points[0])), _size(_minus(points[3], points[2]))
        out = {Quantity.FIRST_LENGTH: a, Quantity.SECOND_LENGTH: b, Quantity.DIFFERENCE: abs(a - b)}
    elif shape in _REGIONS:
        if shape in (MarkShape.POLYGON, MarkShape.FREEHAND):
            out[Quantity.AREA] = area(points)
        elif len(points) == 4:
            out[Quantity.AREA] = math.pi * _size(_minus(points[1], points[0])) / 2 * _size(_minus(points[3], points[2])) / 2
        elif (box := _box_area(points, annotation.placement, geometry)) is not None:
            out[Quantity.AREA] = box * (math.pi / 4 if shape is MarkShape.ELLIPSE else 1.0)
        if values is not None and values.ndim == 2 and px:
            out |= scan(shape, px, values, padding)
    return out


def mismatches(
    measurements: Sequence[Measurement], found: Mapping[Quantity, float], absolute: float = ABSOLUTE * 10
) -> tuple[Mismatch, ...]:
    """Those that both paths know and that differ by more than rounding (``absolute``: what is rounding near zero)."""
    return tuple(
        Mismatch(m.quantity, m.value, found[m.quantity])
        for m in measurements
        if m.quantity in found and not math.isclose(m.value, found[m.quantity], rel_tol=RELATIVE, abs_tol=absolute)
    )


def unknown(measurements: Sequence[Measurement], found: Mapping[Quantity, float]) -> tuple[Quantity, ...]:
    """What stands beside a drawing and the second path says nothing of: nobody has checked it."""
    return tuple(m.quantity for m in measurements if m.quantity not in found)
