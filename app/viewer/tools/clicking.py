"""Common ground of the tools that take a click for each point: provisional until the click that ends them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer.edits import Edits, PutAnnotation, RemoveAnnotation
from app.viewer.handles import HANDLE_PANE_PX, EditGesture, grab
from app.viewer.placement import annotation_of
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext
from app.viewer.tools.drawing import clamped

MIN_POINTS = 3


class ClickingTool(QuietTool, ABC):
    """Ends with a click on the point that ``last_point`` names, once there are three."""

    shape: MarkShape

    def __init__(self) -> None:
        self._id = ""
        self._points: list[Point2] = []
        self._editing: EditGesture | None = None

    @abstractmethod
    def last_point(self, points: list[Point2]) -> Point2:
        """A click here ends the mark."""

    def changed(self, mark: Annotation) -> Edits:
        """What follows when the mark is finished, or moved by its handles."""
        del mark
        return ()

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        if not self._points:
            grabbed = grab(event, context)
            if grabbed is not None:
                self._editing, edits = grabbed
                return edits
            self._id = context.new_id()
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return self._editing.drag(event, context) if self._editing is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            moved = editing.release(event, context)
            own = editing.annotation.shape is self.shape
            return (*moved, *self.changed(editing.annotation)) if moved and own else moved
        if not self._id:
            return ()
        if self._ends(event, context):
            done = self._drawn(tuple(self._points), context)
            self._points, self._id = [], ""
            return (PutAnnotation(done), *self.changed(done))
        self._points.append(clamped(context.px(event), context))
        return self.hover(event, context)

    def hover(self, event: PointerEvent, context: ToolContext) -> Edits:
        if not self._points:
            return ()
        points = (*self._points, clamped(context.px(event), context))
        return (PutAnnotation(self._drawn(points, context), provisional=True),)

    def cancel(self) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.cancel()
        begun, own_id = bool(self._points), self._id
        self._points, self._id = [], ""
        return (RemoveAnnotation(own_id),) if begun else ()

    def _ends(self, event: PointerEvent, context: ToolContext) -> bool:
        if len(self._points) < MIN_POINTS:
            return False
        x, y = context.resolved.px_to_pane(*self.last_point(self._points))
        return math.hypot(event.x - x, event.y - y) <= HANDLE_PANE_PX

    def _drawn(self, points: tuple[Point2, ...], context: ToolContext) -> Annotation:
        return annotation_of(self._id, self.shape, points, context)
