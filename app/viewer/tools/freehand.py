"""Freehand region: drawn in one stroke, closed when the button is let go; area and statistics of the values inside."""

from __future__ import annotations

import math

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer.edits import Edits, PutAnnotation, RemoveAnnotation, SelectAnnotation
from app.viewer.handles import EditGesture, grab
from app.viewer.placement import annotation_of
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.tools.drawing import clamped

STEP_PANE_PX = 2.5
"""Points nearer together than this say nothing more."""
MIN_POINTS = 4


class FreehandTool(QuietTool):
    def __init__(self) -> None:
        self._id = ""
        self._points: list[Point2] = []
        self._last = (0.0, 0.0)
        self._editing: EditGesture | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        grabbed = grab(event, context)
        if grabbed is not None:
            self._editing, edits = grabbed
            return edits
        self._id, self._last = context.new_id(), event.at
        self._points = [clamped(context.px(event), context)]
        return (SelectAnnotation(""),) if context.selected_id else ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            return self._editing.drag(event, context)
        if not self._points or math.dist(event.at, self._last) < STEP_PANE_PX:
            return ()
        self._last = event.at
        self._points.append(clamped(context.px(event), context))
        return (PutAnnotation(self._drawn(context), provisional=True),)

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.release(event, context)
        self.drag(event, context)
        if not self._points:
            return ()
        drawn = self._drawn(context)
        enough = len(self._points) >= MIN_POINTS
        self._points = []
        return (PutAnnotation(drawn),) if enough else (RemoveAnnotation(drawn.annotation_id),)

    def cancel(self) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.cancel()
        begun, self._points = bool(self._points), []
        return (RemoveAnnotation(self._id),) if begun else ()

    def _drawn(self, context: ToolContext) -> Annotation:
        return annotation_of(self._id, MarkShape.FREEHAND, tuple(self._points), context)


TOOL = ToolSpec("freehand", "measure", "scribble-loop", FreehandTool, order=96, draws=True)
