"""Values of drawn shapes, from modality values and geometry, never from grey levels.

Rules. Points are image px (corner origin). A pixel belongs to a region when its *centre* lies inside or on the outline.
Statistics leave out Pixel Padding and not-finite values; the standard deviation is that of the population (n). Lengths
and areas are in mm only when the image says so, else in px, and never when the px are not square and uncalibrated
(then the aspect ratio is applied and the unit stays px of the finer side).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape, Measurement, Quantity
from app.imaging.curved import spline_length
from app.viewer.ellipses import extent, inside
from app.viewer.regions import region_of, spans, value_in
from app.viewer.view_state import ImageGeometry

Values = npt.NDArray[np.generic]
_UCUM = {
    "HU": "[hnsf'U]",
    "SUVBW": "{SUVbw}g/ml",
    "SUVbw": "{SUVbw}g/ml",
    "GML": "{SUVbw}g/ml",
    "BQML": "Bq/ml",
    "": "1",
    "US": "1",
}


def ucum(unit: str) -> str:
    """UCUM code of a Rescale Type; what is unknown stays as it is."""
    return _UCUM.get(unit, unit)


def _scaled(points: Sequence[Point2], geometry: ImageGeometry) -> tuple[npt.NDArray[np.float64], str, bool]:
    p = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    steps = np.array([geometry.column_spacing, geometry.row_spacing])
    region = region_of(points, geometry.regions)
    if region is not None and region.mm_per_px is not None:
        return p * np.array(region.mm_per_px), "mm", True
    if geometry.calibrated:
        return p * steps, "mm", True
    return p * (steps / steps.min()), "px", False


def length(a: Point2, b: Point2, geometry: ImageGeometry) -> Measurement:
    p, unit, calibrated = _scaled((a, b), geometry)
    return Measurement(Quantity.LENGTH, float(np.linalg.norm(p[1] - p[0])), unit, calibrated)


def angle_deg(arm: Point2, vertex: Point2, other: Point2, geometry: ImageGeometry) -> Measurement:
    """0..180 between the arms; the pixel aspect ratio counts, so uncalibrated angles hold where it is known."""
    p, _, calibrated = _scaled((arm, vertex, other), geometry)
    u, v = p[0] - p[1], p[2] - p[1]
    angle = math.degrees(math.atan2(abs(float(u[0] * v[1] - u[1] * v[0])), float(u @ v)))
    return Measurement(Quantity.ANGLE, angle, "deg", calibrated)


def cobb_deg(points: Sequence[Point2], geometry: ImageGeometry) -> Measurement:
    """Between two end plates, each a line: 0 is parallel, and more than 90 is possible.

    Both are read in one direction across the spine, whose axis is the line joining their middles: how the image lies and
    from which end a plate was drawn say nothing. Plates with one middle have no axis: the smaller angle then.
    """
    p, _, calibrated = _scaled(points, geometry)
    u, v = p[1] - p[0], p[3] - p[2]
    axis = (p[2] + p[3] - p[0] - p[1]) / 2.0
    across = np.array([-axis[1], axis[0]]) if float(axis @ axis) > 0 else u
    u, v = (d if float(d @ across) >= 0 else -d for d in (u, v))
    angle = math.degrees(math.atan2(abs(float(u[0] * v[1] - u[1] * v[0])), float(u @ v)))
    return Measurement(Quantity.ANGLE, angle, "deg", calibrated)


def cardiothoracic(points: Sequence[Point2], geometry: ImageGeometry) -> tuple[Measurement, ...]:
    """Heart over thorax in per cent: the heart's extent along the thorax line, whatever its slope. Needs no millimetres."""
    p, unit, calibrated = _scaled(points, geometry)
    across = p[3] - p[2]
    thorax = float(np.linalg.norm(across))
    if thorax == 0:
        return ()
    heart = abs(float((p[1] - p[0]) @ across)) / thorax
    return (
        Measurement(Quantity.RATIO, 100.0 * heart / thorax, "%", calibrated),
        Measurement(Quantity.HEART_WIDTH, heart, unit, calibrated),
        Measurement(Quantity.THORAX_WIDTH, thorax, unit, calibrated),
    )


def pair_of_lengths(points: Sequence[Point2], geometry: ImageGeometry) -> tuple[Measurement, ...]:
    """Two lengths and how much they differ, in the order drawn: the image alone does not say which leg is which."""
    first, second = length(points[0], points[1], geometry), length(points[2], points[3], geometry)
    return (
        Measurement(Quantity.FIRST_LENGTH, first.value, first.unit, first.calibrated),
        Measurement(Quantity.SECOND_LENGTH, second.value, second.unit, second.calibrated),
        Measurement(Quantity.DIFFERENCE, abs(first.value - second.value), first.unit, first.calibrated),
    )


def curve_length(points: Sequence[Point2], geometry: ImageGeometry) -> Measurement:
    """Along the spline through the points, which is what the reformat follows."""
    p, unit, calibrated = _scaled(points, geometry)
    return Measurement(Quantity.LENGTH, spline_length(p), unit, calibrated)


_WORDLESS = frozenset(
    {MarkShape.ARROW, MarkShape.TEXT, MarkShape.SPINE, MarkShape.TOOTH, MarkShape.KEY_IMAGE, MarkShape.MASK}
)
"""Marks without a measure of their own; a mask's volume is counted where its voxels are."""


def area(shape: MarkShape, points: Sequence[Point2], geometry: ImageGeometry) -> Measurement:
    """Of the outline itself (not of the pixels counted)."""
    p, unit, calibrated = _scaled(points, geometry)
    if shape in (MarkShape.POLYGON, MarkShape.FREEHAND):
        x, y = p[:, 0], p[:, 1]
        value = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2.0
    elif len(p) == 4:
        value = float(np.linalg.norm(p[1] - p[0]) * np.linalg.norm(p[3] - p[2])) * math.pi / 4.0
    else:
        w, h = (float(v) for v in np.abs(p[1] - p[0]))
        value = w * h * (math.pi / 4.0 if shape is MarkShape.ELLIPSE else 1.0)
    return Measurement(Quantity.AREA, value, f"{unit}2", calibrated)


def _box(points: npt.NDArray[np.float64], rows: int, columns: int) -> tuple[int, int, int, int]:
    """Rows j0..j1 and columns i0..i1 (exclusive) whose centres can lie within the points' box."""
    low, high = points.min(axis=0), points.max(axis=0)
    i0, j0 = (max(0, math.ceil(v - 0.5)) for v in low)
    i1, j1 = min(columns, math.floor(high[0] - 0.5) + 1), min(rows, math.floor(high[1] - 0.5) + 1)
    return j0, max(j0, j1), i0, max(i0, i1)


def region(
    shape: MarkShape, points: Sequence[Point2], rows: int, columns: int
) -> tuple[slice, slice, npt.NDArray[np.bool_]]:
    """(row slice, column slice, mask) of the pixels whose centres lie inside or on the outline."""
    p = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    turned = shape is MarkShape.ELLIPSE and len(p) == 4
    j0, j1, i0, i1 = _box(np.asarray(extent(points)) if turned else p, rows, columns)
    if shape in (MarkShape.POLYGON, MarkShape.FREEHAND):
        across, heights = (np.arange(first, last, dtype=np.float64) + 0.5 for first, last in ((i0, i1), (j0, j1)))
        return slice(j0, j1), slice(i0, i1), _inside_polygon(across, heights, p)
    y, x = np.meshgrid(np.arange(j0, j1) + 0.5, np.arange(i0, i1) + 0.5, indexing="ij")
    if shape is MarkShape.RECTANGLE:
        mask = np.ones(y.shape, dtype=np.bool_)
    elif turned:
        mask = inside(points, x, y)
    elif shape is MarkShape.ELLIPSE:
        centre = (p[0] + p[1]) / 2.0
        radii = np.maximum(np.abs(p[1] - p[0]) / 2.0, 1e-12)
        mask = np.asarray(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 <= 1.0 + 1e-12)
    else:
        raise ValueError(f"{shape} has no inside")
    return slice(j0, j1), slice(i0, i1), mask


_FLAT = 1e-6
"""Edges lower than this touch whole stretches of a row; all others one place of each row that they pass."""


def _inside_polygon(
    across: npt.NDArray[np.float64], heights: npt.NDArray[np.float64], p: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Even-odd rule; points on an edge belong. ``across`` and ``heights``: centres of the columns and of the rows, growing.

    Every edge is met with its own rows only, all edges at once: outlines along pixels have thousands of them.
    """
    out = np.zeros((len(heights), len(across)), dtype=np.bool_)
    if not out.size:
        return out
    a, b = p, np.roll(p, -1, axis=0)
    low, high = np.minimum(a, b), np.maximum(a, b)
    first = np.searchsorted(heights, low[:, 1] - 1e-6)
    count = np.searchsorted(heights, high[:, 1] + 1e-6) - first
    flat = high[:, 1] - low[:, 1] < _FLAT
    for n in np.nonzero(flat & (count > 0))[0]:
        rows = slice(int(first[n]), int(first[n] + count[n]))
        out[rows] |= _on_edge(across[None, :], heights[rows, None], a[n], b[n])
    met = np.repeat(np.arange(len(p)), count)
    row = first[met] + np.arange(len(met)) - np.repeat(np.cumsum(count) - count, count)
    keep = a[met, 1] != b[met, 1]
    met, row = met[keep], row[keep]
    (ax, ay), (bx, by), v = a[met].T, b[met].T, heights[row]
    at = (bx - ax) * (v - ay) / (by - ay) + ax
    column = np.searchsorted(across, at)
    crosses = (ay > v) != (by > v)
    # A closed outline crosses each row an even number of times: in from the first crossing to the second, and so on.
    turns = np.sort(row[crosses] * (len(across) + 1) + column[crosses])
    for line, enters, leaves in zip(
        (turns[0::2] // (len(across) + 1)).tolist(),
        (turns[0::2] % (len(across) + 1)).tolist(),
        (turns[1::2] % (len(across) + 1)).tolist(),
        strict=True,
    ):
        out[line, enters:leaves] = True
    for beside in (-1, 0, 1):
        near = column + beside
        there = (near >= 0) & (near < len(across)) & ~flat[met]
        edges, r, c = met[there], row[there], near[there]
        on = _on_edge(across[c], heights[r], a[edges].T, b[edges].T)
        out[r[on], c[on]] = True
    return out


def _on_edge(u: Any, v: Any, a: Any, b: Any) -> npt.NDArray[np.bool_]:
    """Centres (u, v) on the line from a to b, to rounding."""
    (ax, ay), (bx, by) = a, b
    cross = (bx - ax) * (v - ay) - (by - ay) * (u - ax)
    within = (np.minimum(ax, bx) <= u) & (u <= np.maximum(ax, bx)) & (np.minimum(ay, by) <= v) & (v <= np.maximum(ay, by))
    return np.asarray(within & (np.abs(cross) <= 1e-9 * (1.0 + np.abs(bx - ax) + np.abs(by - ay))))


@dataclass(frozen=True)
class RegionStatistics:
    count: int
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float


def statistics(
    shape: MarkShape,
    points: Sequence[Point2],
    values: Values,
    padding: npt.NDArray[np.bool_] | None = None,
) -> RegionStatistics | None:
    """Of ``values`` (rows, columns) inside the outline; None when no pixel centre lies in it."""
    rows, columns, mask = region(shape, points, values.shape[0], values.shape[1])
    if padding is not None:
        mask = mask & ~padding[rows, columns]
    picked = values[rows, columns][mask].astype(np.float64)
    picked = picked[np.isfinite(picked)]
    if picked.size == 0:
        return None
    mean = float(picked.mean())
    deviation = math.sqrt(float(np.mean((picked - mean) ** 2)))
    return RegionStatistics(int(picked.size), mean, deviation, float(picked.min()), float(picked.max()))


def value_at(point: Point2, values: Values, unit: str, padding: npt.NDArray[np.bool_] | None = None) -> Measurement | None:
    """The value of the pixel under the point, not interpolated; None outside the image, in padding, for NaN."""
    i, j = math.floor(point[0]), math.floor(point[1])
    if not (0 <= j < values.shape[0] and 0 <= i < values.shape[1]):
        return None
    if values.ndim != 2 or (padding is not None and padding[j, i]) or not math.isfinite(values[j, i]):
        return None
    return Measurement(Quantity.VALUE, float(values[j, i]), ucum(unit))


def measure(
    shape: MarkShape,
    points: Sequence[Point2],
    geometry: ImageGeometry,
    values: Values | None = None,
    unit: str = "",
    padding: npt.NDArray[np.bool_] | None = None,
) -> tuple[Measurement, ...]:
    """All that a drawn shape says; the one place that every tool and every recomputation uses.

    ``points``: LENGTH 2 ends; BIDIRECTIONAL long a, b then short c, d; ANGLE arm, vertex, arm; ELLIPSE and RECTANGLE two
    opposite corners of the box (a turned ELLIPSE the ends of both axes); POLYGON and FREEHAND the corners; COBB,
    CARDIOTHORACIC (heart, thorax) and LEG_LENGTH two lines; POINT, ARROW and the written marks the place (ARROW: tip
    first). Without ``values`` (colour, or not loaded) only geometry is measured.
    """
    grey = values if values is not None and values.ndim == 2 else None
    if shape in _WORDLESS:
        return ()
    if shape is MarkShape.POINT:
        region = region_of(points, geometry.regions)
        curve = value_in(points[0], region) if region is not None else ()
        found = value_at(points[0], grey, unit, padding) if grey is not None and not curve else None
        return (found,) if found else curve
    if shape is MarkShape.COBB:
        return (cobb_deg(points, geometry),)
    if shape is MarkShape.CARDIOTHORACIC:
        return cardiothoracic(points, geometry)
    if shape is MarkShape.CURVE:
        return (curve_length(points, geometry),)
    if shape is MarkShape.LEG_LENGTH:
        return pair_of_lengths(points, geometry)
    if shape is MarkShape.LENGTH:
        region = region_of(points, geometry.regions)
        if region is not None and region.mm_per_px is None:
            return spans(points[0], points[1], region)
        return (length(points[0], points[1], geometry),)
    if shape is MarkShape.BIDIRECTIONAL:
        axes = [length(points[0], points[1], geometry), length(points[2], points[3], geometry)]
        long, short = sorted(axes, key=lambda m: -m.value)
        mean = (long.value + short.value) / 2.0
        return (
            Measurement(Quantity.LONG_AXIS, long.value, long.unit, long.calibrated),
            Measurement(Quantity.SHORT_AXIS, short.value, short.unit, short.calibrated),
            Measurement(Quantity.MEAN_DIAMETER, mean, long.unit, long.calibrated),
        )
    if shape is MarkShape.ANGLE:
        return (angle_deg(points[0], points[1], points[2], geometry),)
    out = [area(shape, points, geometry)]
    found_statistics = statistics(shape, points, grey, padding) if grey is not None else None
    if found_statistics is not None:
        code = ucum(unit)
        out += [
            Measurement(Quantity.MEAN, found_statistics.mean, code),
            Measurement(Quantity.STANDARD_DEVIATION, found_statistics.standard_deviation, code),
            Measurement(Quantity.MINIMUM, found_statistics.minimum, code),
            Measurement(Quantity.MAXIMUM, found_statistics.maximum, code),
            Measurement(Quantity.COUNT, float(found_statistics.count), "1"),
        ]
    return tuple(out)
