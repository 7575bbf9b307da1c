"""Curved planes through a volume: a panoramic picture along an arch, and the cross-sections that belong to it.

The curve is a cubic spline through drawn points; columns of the picture are equal steps of its *arc length*, so that
distances along the curve are true. Rows run along one fixed direction (dental: from the head down).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.interpolate import CubicSpline

from app.domain.geometry import Point3
from app.domain.volume import Volume

FloatArray = npt.NDArray[np.float64]
_FINE = 64
"""Points between two drawn ones when arc length is measured."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Points at equal arc length with unit tangents, (n, 3) LPS mm each."""

    points_mm: FloatArray
    tangents: FloatArray
    step_mm: float

    @property
    def length_mm(self) -> float:
        return self.step_mm * (len(self.points_mm) - 1)


@dataclass(frozen=True, eq=False)
class CurvedImage:
    """``values`` (rows, columns) float32, NaN beyond the volume; square pixels of ``curve.step_mm``."""

    values: npt.NDArray[np.float32]
    curve: Curve
    down: FloatArray
    """Unit vector of increasing rows."""
    first_row_mm: float
    """Offset of row 0 along ``down`` from the curve."""

    def to_patient(self, row: float, column: float) -> Point3:
        """Pixel centres to LPS mm, linear between the curve's points."""
        at = min(max(column, 0.0), len(self.curve.points_mm) - 1.0)
        low = min(int(at), len(self.curve.points_mm) - 2)
        part = at - low
        base = self.curve.points_mm[low] * (1 - part) + self.curve.points_mm[low + 1] * part
        v = base + self.down * (self.first_row_mm + row * self.curve.step_mm)
        return (float(v[0]), float(v[1]), float(v[2]))


def _knots(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The different points, and their parameter: the root of the chord (centripetal), for no loops where they lie close."""
    given = np.asarray(points, dtype=np.float64)
    if len(given) > 1:
        given = given[np.concatenate([[True], np.linalg.norm(np.diff(given, axis=0), axis=1) > 1e-6])]
    steps = np.sqrt(np.linalg.norm(np.diff(given, axis=0), axis=1))
    return given, np.concatenate([[0.0], np.cumsum(steps)])


def _through(given: FloatArray, t: FloatArray) -> CubicSpline:
    return CubicSpline(t, given, bc_type="not-a-knot" if len(given) >= 4 else "natural")  # natural ends would be straight


def spline_points(points: FloatArray, between: int = _FINE) -> FloatArray:
    """(n, d) points on the spline through (m, d) drawn ones, ``between`` to each gap; the drawn ones where too few."""
    given, t = _knots(points)
    if len(given) < 3:
        return given
    spline = _through(given, t)
    parts = [np.linspace(a, b, between, endpoint=False) for a, b in zip(t, t[1:], strict=False)]
    return np.asarray(spline(np.concatenate([*parts, t[-1:]])), dtype=np.float64)


def spline_length(points: FloatArray) -> float:
    """Of the spline that ``spline_points`` draws, in units of the (m, d) points: its speed integrated between them."""
    given, t = _knots(points)
    if len(given) < 3:
        return float(np.linalg.norm(np.diff(given, axis=0), axis=1).sum())
    speed = _through(given, t).derivative()
    nodes, weights = np.polynomial.legendre.leggauss(8)
    ends = np.unique(np.concatenate([np.linspace(a, b, 17) for a, b in zip(t, t[1:], strict=False)]))
    half = np.diff(ends)[:, None] / 2.0
    at = ends[:-1, None] + half * (nodes[None, :] + 1.0)
    return float((np.linalg.norm(speed(at), axis=-1) * weights * half).sum())


def arc_length_curve(points_mm: Sequence[Point3], step_mm: float) -> Curve:
    """A spline through at least two different points, resampled to equal arc length. Raises ``ValueError`` otherwise."""
    given = np.asarray(points_mm, dtype=np.float64).reshape(-1, 3)
    if step_mm <= 0:
        raise ValueError('"step_mm" must be above zero')
    given, t = _knots(given)
    if len(given) < 2:
        raise ValueError("a curve needs at least two different points")
    spline = _through(given, t)
    fine_t = np.unique(
        np.concatenate([np.linspace(a, b, _FINE, endpoint=False) for a, b in zip(t, t[1:], strict=False)] + [t[-1:]])
    )
    fine = np.asarray(spline(fine_t))
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    n = max(2, int(arc[-1] / step_mm + 1e-9) + 1)
    at = np.interp(np.minimum(np.arange(n) * step_mm, arc[-1]), arc, fine_t)
    tangents = np.asarray(spline(at, 1))
    tangents = tangents / np.linalg.norm(tangents, axis=1, keepdims=True)
    return Curve(np.asarray(spline(at)), tangents, step_mm)


def _across(curve: Curve, down: FloatArray) -> FloatArray:
    """Unit vectors at right angles to the curve and to ``down``."""
    across = np.cross(curve.tangents, down)
    length = np.linalg.norm(across, axis=1, keepdims=True)
    if float(length.min()) < 1e-3:
        raise ValueError("the curve runs along the rows' own direction")
    return np.asarray(across / length)


def curved_reformat(
    volume: Volume,
    points_mm: Sequence[Point3],
    height_mm: float,
    step_mm: float = 0.3,
    down: Point3 = (0.0, 0.0, -1.0),
    thickness_mm: float = 0.0,
    mode: str = "mean",
) -> CurvedImage:
    """The curved plane, ``height_mm`` high and centred on the curve; ``thickness_mm`` is projected across it,
    what has no value left out; NaN where nothing has one.

    ``mode``: "mean", "max" or "min". Trilinear. Raises ``ValueError`` for a curve that is none.
    """
    project: dict[str, Any] = {"mean": np.mean, "max": np.max, "min": np.min}
    if mode not in project:
        raise ValueError('"mode" is mean, max or min')
    direction = np.asarray(down, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    curve = arc_length_curve(points_mm, step_mm)
    across = _across(curve, direction)
    rows = max(1, round(height_mm / step_mm))
    first = -(rows - 1) / 2.0 * step_mm
    layers = max(1, round(thickness_mm / step_mm))
    offsets = (np.arange(layers) - (layers - 1) / 2.0) * step_mm
    down_mm = direction[None, :] * (first + np.arange(rows) * step_mm)[:, None]
    stack = np.empty((layers, rows, len(curve.points_mm)), dtype=np.float32)
    source = volume.voxels if volume.voxels.dtype == np.float32 else volume.voxels.astype(np.float32)
    if volume.no_value is not None:
        source = source.copy() if source is volume.voxels else source
        for k in range(source.shape[0]):
            source[k][volume.no_value.plane(0, k)] = np.nan
        project = {"mean": np.nanmean, "max": np.nanmax, "min": np.nanmin}
    for n, offset in enumerate(offsets):
        points = curve.points_mm[None] + across[None] * offset + down_mm[:, None, :]
        index = volume.geometry.to_index_many(points.reshape(-1, 3)).T
        out = ndimage.map_coordinates(source, index, order=1, mode="constant", cval=np.nan)
        stack[n] = out.reshape(rows, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing but NaN in all layers is NaN
        values = stack[0] if layers == 1 else project[mode](stack, axis=0)
    return CurvedImage(np.asarray(values, dtype=np.float32), curve, direction, first)


def cross_section_at(curve: Curve, along_mm: float, down: Point3 = (0.0, 0.0, -1.0)) -> tuple[Point3, Point3, Point3]:
    """(point, right, down) of the plane across the curve ``along_mm`` from its first point: an OBLIQUE view shows it.

    Between the curve's own points by straight lines; beyond its ends the end. Raises ``ValueError`` where the curve runs
    along ``down``.
    """
    direction = np.asarray(down, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    at = min(max(along_mm / curve.step_mm, 0.0), len(curve.points_mm) - 1.0)
    low = min(int(at), len(curve.points_mm) - 2)
    part = at - low
    point = curve.points_mm[low] * (1.0 - part) + curve.points_mm[low + 1] * part
    tangent = curve.tangents[low] * (1.0 - part) + curve.tangents[low + 1] * part
    tangent = tangent / np.linalg.norm(tangent)
    right = _across(Curve(point[None], tangent[None], curve.step_mm), direction)[0]
    true_down = np.cross(tangent, right)
    if float(true_down @ direction) < 0:
        true_down = -true_down

    def as_point(v: FloatArray) -> Point3:
        return (float(v[0]), float(v[1]), float(v[2]))

    return as_point(point), as_point(right), as_point(true_down / np.linalg.norm(true_down))
