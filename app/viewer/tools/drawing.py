"""Common ground of the drawing tools: provisional while the button is down; a shape under the pointer is moved instead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer.edits import Edits, PutAnnotation, RemoveAnnotation, SelectAnnotation
from app.viewer.handles import EditGesture, grab
from app.viewer.placement import annotation_of
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext

MIN_DRAG_PANE_PX = 3.0
"""A shorter drag is a slip of the hand and leaves nothing."""


def clamped(point: Point2, context: ToolContext) -> Point2:
    """Onto the image: nothing is measured beyond its edge."""
    g = context.resolved.geometry
    return (min(max(point[0], 0.0), float(g.columns)), min(max(point[1], 0.0), float(g.rows)))


def short_drag(a: PointerEvent, b: PointerEvent) -> bool:
    return abs(a.x - b.x) + abs(a.y - b.y) < MIN_DRAG_PANE_PX


class TwoPointTool(QuietTool):
    """Press at the first point, let go at the second."""

    shape: MarkShape

    def __init__(self) -> None:
        self._id = ""
        self._first: Point2 | None = None
        self._pressed: PointerEvent | None = None
        self._editing: EditGesture | None = None

    def points(self, first: Point2, second: Point2) -> Sequence[Point2]:
        return (first, second)

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        grabbed = grab(event, context)
        if grabbed is not None:
            self._editing, edits = grabbed
            return edits
        self._first = clamped(context.px(event), context)
        self._pressed = event
        self._id = context.new_id()
        return (SelectAnnotation(""),) if context.selected_id else ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            return self._editing.drag(event, context)
        drawn = self._drawn(event, context)
        return (PutAnnotation(drawn, provisional=True),) if drawn else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.release(event, context)
        drawn, pressed, own_id = self._drawn(event, context), self._pressed, self._id
        self._first = self._pressed = None
        if drawn is None or pressed is None:
            return ()
        return (RemoveAnnotation(own_id),) if short_drag(event, pressed) else (PutAnnotation(drawn),)

    def cancel(self) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.cancel()
        was, self._first, self._pressed = self._first, None, None
        return (RemoveAnnotation(self._id),) if was is not None else ()

    def _drawn(self, event: PointerEvent, context: ToolContext) -> Annotation | None:
        if self._first is None:
            return None
        points = self.points(self._first, clamped(context.px(event), context))
        return annotation_of(self._id, self.shape, points, context)


class TwoStrokeTool(QuietTool, ABC):
    """A first stroke, then a second one; only both together are a mark. Between them the first is provisional."""

    shape: MarkShape
    first_shape = MarkShape.LENGTH

    def __init__(self) -> None:
        self._id = ""
        self._start: Point2 | None = None
        self._pressed: PointerEvent | None = None
        self._first: tuple[Point2, Point2] | None = None
        self._editing: EditGesture | None = None

    @abstractmethod
    def all_points(
        self, first: tuple[Point2, Point2], pressed: Point2, at: Point2, context: ToolContext
    ) -> Sequence[Point2]:
        """The mark's points, from the first stroke and the second one (``pressed`` to ``at``)."""

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._first is None:
            grabbed = grab(event, context)
            if grabbed is not None:
                self._editing, edits = grabbed
                return edits
            self._id = context.new_id()
        self._start = clamped(context.px(event), context)
        self._pressed = event
        return (SelectAnnotation(""),) if context.selected_id else ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            return self._editing.drag(event, context)
        if self._start is None:
            return ()
        at = clamped(context.px(event), context)
        return (PutAnnotation(self._drawn(self._start, at, context), provisional=True),)

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.release(event, context)
        start, pressed = self._start, self._pressed
        self._start = self._pressed = None
        if start is None or pressed is None:
            return ()
        at = clamped(context.px(event), context)
        if self._first is None:
            if short_drag(event, pressed):
                return (RemoveAnnotation(self._id),)
            drawn = self._drawn(start, at, context)
            self._first = (start, at)
            return (PutAnnotation(drawn, provisional=True),)
        if short_drag(event, pressed) and not self.click_ends:
            return ()
        drawn, self._first = self._drawn(start, at, context), None
        return (PutAnnotation(drawn),)

    click_ends = False
    """The second stroke may be a mere click."""

    def cancel(self) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.cancel()
        begun = self._start is not None or self._first is not None
        self._start = self._pressed = self._first = None
        return (RemoveAnnotation(self._id),) if begun else ()

    def _drawn(self, start: Point2, at: Point2, context: ToolContext) -> Annotation:
        if self._first is None:
            return annotation_of(self._id, self.first_shape, (start, at), context)
        return annotation_of(self._id, self.shape, self.all_points(self._first, start, at, context), context)


class TwoLineTool(TwoStrokeTool):
    """Two strokes that are a line each."""

    def all_points(
        self, first: tuple[Point2, Point2], pressed: Point2, at: Point2, context: ToolContext
    ) -> Sequence[Point2]:
        del context
        return (*first, pressed, at)
