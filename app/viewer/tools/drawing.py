"""Common ground of the drawing tools: a shape by pressing, dragging and letting go; provisional until then."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer.edits import Edits, PutAnnotation, RemoveAnnotation
from app.viewer.placement import annotation_of
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext

MIN_DRAG_PANE_PX = 3.0
"""A shorter drag is a slip of the hand and leaves nothing."""


def clamped(point: Point2, context: ToolContext) -> Point2:
    """Onto the image: nothing is measured beyond its edge."""
    g = context.resolved.geometry
    return (min(max(point[0], 0.0), float(g.columns)), min(max(point[1], 0.0), float(g.rows)))


class TwoPointTool(QuietTool):
    """Press at the first point, let go at the second."""

    shape: MarkShape
    text = ""

    def __init__(self) -> None:
        self._id = ""
        self._first: Point2 | None = None
        self._pressed: PointerEvent | None = None

    def points(self, first: Point2, second: Point2, context: ToolContext) -> Sequence[Point2]:
        del context
        return (first, second)

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._first = clamped(context.px(event), context)
        self._pressed = event
        self._id = context.new_id()
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        drawn = self._drawn(event, context)
        return (PutAnnotation(drawn, provisional=True),) if drawn else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        drawn, pressed, own_id = self._drawn(event, context), self._pressed, self._id
        self._first = self._pressed = None
        if drawn is None or pressed is None:
            return ()
        if abs(event.x - pressed.x) + abs(event.y - pressed.y) < MIN_DRAG_PANE_PX:
            return (RemoveAnnotation(own_id),)
        return (PutAnnotation(drawn),)

    def cancel(self) -> Edits:
        was, self._first, self._pressed = self._first, None, None
        return (RemoveAnnotation(self._id),) if was is not None else ()

    def _drawn(self, event: PointerEvent, context: ToolContext) -> Annotation | None:
        if self._first is None:
            return None
        points = self.points(self._first, clamped(context.px(event), context), context)
        return annotation_of(self._id, self.shape, points, context, self.text)
