"""Shapes of a structured report on a pane: drawn where they lie, nowhere else. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2, Point3
from app.domain.saved_overlay import PlacedShape, ShapeKind
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.primitives import Anchor, Polyline, Primitive, Role, Text
from app.viewer.view_state import ResolvedView

RGB = (205, 170, 255)
"""Neither the reader's colour nor a second reader's."""
_STEPS = 48


def shape_primitives(
    shape: PlacedShape, layer: ImageLayer, resolved: ResolvedView, style: Style, half_mm: float
) -> list[Primitive]:
    """Empty where the shape does not lie on what the pane shows. ``half_mm``: half of the distance between slices."""
    if shape.kind is ShapeKind.IMAGE:
        here = (shape.sop_instance_uid, shape.frame) == (layer.sop_instance_uid, layer.frame_number)
        at = (resolved.size[0] / 2, 64 * style.scale)
        words = "\u2605 " + " \u00b7 ".join(shape.words)
        return (
            [Text(*at, words[:80], Anchor.TOP, size_px=style.font, plate=True, framed=True, key="key_image")] if here else []
        )
    lines = _on_image(shape, layer, resolved) if shape.points_px else _in_patient(shape, resolved, half_mm)
    if not lines:
        return []
    out: list[Primitive] = []
    extent: list[Point2] = []
    for line, closed in lines:
        extent += line
        if len(line) == 1:
            (x, y), r = line[0], 4.0 * style.scale
            out.append(Polyline(((x - r, y), (x + r, y)), Role.TEXT, 1.5 * style.scale, key="report_mark", rgb=RGB))
            out.append(Polyline(((x, y - r), (x, y + r)), Role.TEXT, 1.5 * style.scale, key="report_mark", rgb=RGB))
        else:
            out.append(Polyline(tuple(line), Role.TEXT, 1.5 * style.scale, closed=closed, key="report_mark", rgb=RGB))
    x, y = max(p[0] for p in extent) + 6 * style.scale, min(p[1] for p in extent)
    for n, words in enumerate(shape.words):
        said = words if len(words) <= 60 else words[:59] + "\u2026"
        wide = style.text_width(said, style.font, n == 0)
        fits = x + wide + style.margin <= resolved.size[0]
        at = (x, y + n * style.line)
        if not fits:  # no room beside the mark: below it, inside the pane
            at = (
                max(style.margin, resolved.size[0] - wide - style.margin),
                max(p[1] for p in extent) + (n + 0.5) * style.line,
            )
        out.append(Text(*at, said, Anchor.TOP_LEFT, Role.TEXT, style.font, n == 0, True, key="report_words"))
    return out


Lines = list[tuple[list[Point2], bool]]


def _flat(kind: ShapeKind, points: Sequence[Point2]) -> Lines:
    """Image px to lines in image px."""
    t = np.linspace(0, 2 * math.pi, _STEPS, endpoint=False)
    if kind is ShapeKind.POINTS:
        return [([p], False) for p in points]
    if kind is ShapeKind.CIRCLE:
        (cx, cy), (ex, ey) = points[:2]
        r = math.hypot(ex - cx, ey - cy)
        return [([(cx + r * math.cos(a), cy + r * math.sin(a)) for a in t], True)]
    if kind is ShapeKind.ELLIPSE:
        p = np.asarray(points[:4], float)
        centre, major, minor = p[:2].mean(axis=0), (p[1] - p[0]) / 2, (p[3] - p[2]) / 2
        ring = centre + np.cos(t)[:, None] * major + np.sin(t)[:, None] * minor
        return [([(float(x), float(y)) for x, y in ring], True)]
    return [(list(points), kind is ShapeKind.OUTLINE)]


def _on_image(shape: PlacedShape, layer: ImageLayer, resolved: ResolvedView) -> Lines:
    if layer.frame is None or (shape.sop_instance_uid, shape.frame) != (layer.sop_instance_uid, layer.frame_number):
        return []
    return [([resolved.px_to_pane(*p) for p in line], closed) for line, closed in _flat(shape.kind, shape.points_px)]


def _in_patient(shape: PlacedShape, resolved: ResolvedView, half_mm: float) -> Lines:
    plane = resolved.geometry.plane
    if plane is None or plane.frame_of_reference_uid != shape.frame_of_reference_uid:
        return []
    points = np.asarray(shape.points_mm, float)
    normal, origin = np.asarray(plane.normal, float), np.asarray(plane.origin_mm, float)
    if shape.kind is ShapeKind.ELLIPSOID:
        ring = _cut(points, normal, origin)
        return [] if ring is None else [(_to_pane(ring, resolved), True)]
    away = np.abs((points - origin) @ normal)
    if shape.kind is ShapeKind.POINTS:
        return [(_to_pane(points[n : n + 1], resolved), False) for n in range(len(points)) if away[n] <= half_mm]
    if away.max() > half_mm:
        return []
    if shape.kind is ShapeKind.ELLIPSE:
        t = np.linspace(0, 2 * math.pi, _STEPS, endpoint=False)
        centre, major, minor = points[:2].mean(axis=0), (points[1] - points[0]) / 2, (points[3] - points[2]) / 2
        return [(_to_pane(centre + np.cos(t)[:, None] * major + np.sin(t)[:, None] * minor, resolved), True)]
    return [(_to_pane(points, resolved), shape.kind is ShapeKind.OUTLINE)]


def _cut(
    ends: npt.NDArray[np.float64], normal: npt.NDArray[np.float64], origin: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """The ellipse where a plane cuts an ellipsoid: a circle of the unit ball that the axes make of it. None beside it."""
    axes = np.stack([(ends[1] - ends[0]) / 2, (ends[3] - ends[2]) / 2, (ends[5] - ends[4]) / 2], axis=1)
    centre = ends[:6].mean(axis=0)
    m = axes.T @ normal
    length = float(np.linalg.norm(m))
    if length < 1e-9:
        return None
    h = float(normal @ (origin - centre)) / length
    if abs(h) >= 1.0:
        return None
    m = m / length
    side = np.cross(m, (1.0, 0.0, 0.0) if abs(m[0]) < 0.9 else (0.0, 1.0, 0.0))
    side /= np.linalg.norm(side)
    other, r = np.cross(m, side), math.sqrt(1.0 - h * h)
    t = np.linspace(0, 2 * math.pi, _STEPS, endpoint=False)
    ball = h * m + r * (np.cos(t)[:, None] * side + np.sin(t)[:, None] * other)
    return np.asarray(centre + ball @ axes.T)


def _to_pane(points: npt.NDArray[np.float64], resolved: ResolvedView) -> list[Point2]:
    out: list[Point2] = []
    for p in points:
        point: Point3 = (float(p[0]), float(p[1]), float(p[2]))
        at = resolved.patient_to_pane(point)
        if at is not None:
            out.append((at[0], at[1]))
    return out
