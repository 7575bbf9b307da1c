"""Which drawn shape lies under the pointer, and moving it or one of its points. The nearest handle gets the mouse."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer import ellipses
from app.viewer.crossed_axes import with_moved_end
from app.viewer.edits import Edits, PutAnnotation, SelectAnnotation
from app.viewer.placement import annotation_of, points_on
from app.viewer.tool_api import PointerEvent, ToolContext
from app.viewer.view_state import ImageGeometry

HANDLE_PANE_PX = 9.0
BODY_PANE_PX = 6.0
TWO_LINES = frozenset({MarkShape.BIDIRECTIONAL, MarkShape.COBB, MarkShape.CARDIOTHORACIC, MarkShape.LEG_LENGTH})


_AS_A_WHOLE = {MarkShape.BIDIRECTIONAL: with_moved_end, MarkShape.ELLIPSE: ellipses.with_moved_end}
"""Shapes whose other points follow when one is moved."""


def taken_by(shape: MarkShape, points: tuple[Point2, ...]) -> tuple[Point2, ...]:
    """The px that a hand can take a shape by."""
    return ellipses.ends(points) if shape is MarkShape.ELLIPSE else points


def _reached(shape: MarkShape, points: tuple[Point2, ...]) -> tuple[Point2, ...]:
    return ellipses.extent(points) if shape is MarkShape.ELLIPSE else points


@dataclass(frozen=True)
class Hit:
    annotation: Annotation
    handle: int | None
    """Index among the points that the shape is taken by; None: the shape's line."""


def _segment_distance(p: Point2, a: Point2, b: Point2) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    n = dx * dx + dy * dy
    t = 0.0 if n == 0 else min(max(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / n, 0.0), 1.0)
    return math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy)


def _outline(shape: MarkShape, points: tuple[Point2, ...]) -> list[tuple[Point2, Point2]]:
    """Image px segments of the shape's line."""
    if shape in TWO_LINES:
        return [(points[0], points[1]), (points[2], points[3])]
    if shape is MarkShape.RECTANGLE:
        (x0, y0), (x1, y1) = points[0], points[1]
        points = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    elif shape is MarkShape.ELLIPSE:
        points = ellipses.ring(points, 48)
    if shape in (MarkShape.RECTANGLE, MarkShape.ELLIPSE):
        return list(zip(points, points[1:] + points[:1], strict=True))
    pairs = list(zip(points, points[1:], strict=False))
    if shape in (MarkShape.POLYGON, MarkShape.FREEHAND):
        pairs.append((points[-1], points[0]))
    return pairs


def hit(at: Point2, context: ToolContext) -> Hit | None:
    """Handles before lines; the selected annotation before the others, then the one drawn last."""
    best: tuple[float, Hit] | None = None
    for n, annotation in enumerate(context.annotations):
        points = points_on(annotation.placement, context.layer, context.resolved)
        if points is None:
            continue
        favour = (0.0 if annotation.annotation_id == context.selected_id else 1e-3) - n * 1e-6
        pane = [context.resolved.px_to_pane(*p) for p in taken_by(annotation.shape, points)]
        for index, p in enumerate(pane if annotation.shape is not MarkShape.FREEHAND else ()):
            d = math.hypot(p[0] - at[0], p[1] - at[1])
            if d <= HANDLE_PANE_PX and (best is None or d + favour < best[0]):
                best = (d + favour, Hit(annotation, index))
        for a, b in _outline(annotation.shape, points):
            d = _segment_distance(at, context.resolved.px_to_pane(*a), context.resolved.px_to_pane(*b))
            if d <= BODY_PANE_PX and (best is None or d + 100.0 + favour < best[0]):
                best = (d + 100.0 + favour, Hit(annotation, None))
    return best[1] if best else None


def _moved_points(
    shape: MarkShape, points: tuple[Point2, ...], handle: int | None, by: Point2, geometry: ImageGeometry
) -> list[Point2]:
    if shape in _AS_A_WHOLE and handle is not None:
        return _within(shape, points, handle, by, geometry)
    return [
        (p[0] + by[0], p[1] + by[1]) if handle is None or handle == n else p
        for n, p in enumerate(points)
    ]  # fmt: skip


def _within(shape: MarkShape, points: tuple[Point2, ...], handle: int, by: Point2, geometry: ImageGeometry) -> list[Point2]:
    """A shape that changes as a whole with one end moved as far as all of it stays on the image."""
    start = taken_by(shape, points)[handle]

    def at(share: float) -> list[Point2]:
        to = (start[0] + share * by[0], start[1] + share * by[1])
        return _AS_A_WHOLE[shape](points, handle, to, geometry)

    def fits(found: list[Point2]) -> bool:
        reached = _reached(shape, tuple(found))
        return all(-1e-9 <= x <= geometry.columns + 1e-9 and -1e-9 <= y <= geometry.rows + 1e-9 for x, y in reached)

    whole = at(1.0)
    if fits(whole):
        return whole
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(at(middle)) else (low, middle)
    return at(low) if low > 0 else list(points)


class EditGesture:
    """Moves one annotation while the button is down; values are recomputed at every step."""

    def __init__(self, found: Hit, event: PointerEvent, context: ToolContext) -> None:
        self.annotation = found.annotation
        self._handle = found.handle
        self._from = context.px(event)
        still = found.annotation.shape is MarkShape.MASK  # its voxels do not move
        self._points = () if still else points_on(found.annotation.placement, context.layer, context.resolved) or ()

    def moved(self, event: PointerEvent, context: ToolContext) -> Annotation:
        to = context.px(event)
        by = (to[0] - self._from[0], to[1] - self._from[1])
        g = context.resolved.geometry
        limits = (float(g.columns), float(g.rows))
        shape, handle = self.annotation.shape, self._handle
        moving = _reached(shape, self._points) if handle is None else (taken_by(shape, self._points)[handle],)
        # Nothing leaves the image; a whole shape stops at the edge instead of losing its form.
        by = (
            min(max(by[0], -min(p[0] for p in moving)), limits[0] - max(p[0] for p in moving)),
            min(max(by[1], -min(p[1] for p in moving)), limits[1] - max(p[1] for p in moving)),
        )
        points = _moved_points(self.annotation.shape, self._points, self._handle, by, g)
        return annotation_of(self.annotation.annotation_id, self.annotation.shape, points, context, self.annotation.text)

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return (PutAnnotation(self.moved(event, context), provisional=True),) if self._points else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        if not self._points or context.px(event) == self._from:
            return ()
        return (PutAnnotation(self.moved(event, context)),)

    def cancel(self) -> Edits:
        return (PutAnnotation(self.annotation, provisional=True),)


def grab(event: PointerEvent, context: ToolContext) -> tuple[EditGesture, Edits] | None:
    """Starts moving what lies under the pointer and selects it; None when nothing does."""
    found = hit(event.at, context)
    if found is None:
        return None
    return EditGesture(found, event, context), (SelectAnnotation(found.annotation.annotation_id),)
