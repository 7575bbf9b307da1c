"""Freehand region: drawn in one stroke, closed when the button is let go; area and statistics of the values inside.

A stroke that begins on the outline of such a region and comes back to it draws that stretch anew (*Select* moves it).
"""

from __future__ import annotations

import math

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer.edits import Edits, PutAnnotation, RemoveAnnotation, SelectAnnotation
from app.viewer.handles import EditGesture, grab
from app.viewer.placement import annotation_of, points_on
from app.viewer.redraw import place_on, redrawn
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.tools.drawing import clamped

STEP_PANE_PX = 2.5
"""Points nearer together than this say nothing more."""
MIN_POINTS = 4
BACK_PANE_PX = 14.0
"""As near to the outline a redrawn stretch must end."""


class FreehandTool(QuietTool):
    def __init__(self) -> None:
        self._id = ""
        self._points: list[Point2] = []
        self._last = (0.0, 0.0)
        self._editing: EditGesture | None = None
        self._redrawing: Annotation | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        grabbed = grab(event, context)
        if grabbed is not None:
            self._editing, edits = grabbed
            if self._editing.annotation.shape is MarkShape.FREEHAND:
                self._redrawing, self._editing = self._editing.annotation, None
                self._points, self._last = [clamped(context.px(event), context)], event.at
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
        drawn = self._redrawn(context) if self._redrawing is not None else self._drawn(context)
        return (PutAnnotation(drawn, provisional=True),) if drawn is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._editing is not None:
            editing, self._editing = self._editing, None
            return editing.release(event, context)
        self.drag(event, context)
        if self._redrawing is not None:
            return self._ended(event, context)
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
        before, self._redrawing = self._redrawing, None
        if before is not None:
            return (PutAnnotation(before, provisional=True),)
        return (RemoveAnnotation(self._id),) if begun else ()

    def _ended(self, event: PointerEvent, context: ToolContext) -> Edits:
        """The stretch is kept when it came back to the outline; else everything is as it was."""
        before, drawn, points = self._redrawing, self._redrawn(context), self._points
        self._redrawing, self._points = None, []
        outline = self._outline(before, context)
        if before is None or drawn is None or outline is None or len(points) < MIN_POINTS:
            return (PutAnnotation(before, provisional=True),) if before is not None and len(points) > 1 else ()
        x, y = context.resolved.px_to_pane(*place_on(outline, context.px(event))[1])
        near = math.dist((x, y), event.at) <= BACK_PANE_PX
        return (PutAnnotation(drawn),) if near else (PutAnnotation(before, provisional=True),)

    @staticmethod
    def _outline(mark: Annotation | None, context: ToolContext) -> tuple[Point2, ...] | None:
        return points_on(mark.placement, context.layer, context.resolved) if mark is not None else None

    def _redrawn(self, context: ToolContext) -> Annotation | None:
        mark, outline = self._redrawing, self._outline(self._redrawing, context)
        if mark is None or outline is None or len(self._points) < 2:
            return None
        return annotation_of(mark.annotation_id, mark.shape, redrawn(outline, self._points), context, mark.text)

    def _drawn(self, context: ToolContext) -> Annotation:
        return annotation_of(self._id, MarkShape.FREEHAND, tuple(self._points), context)


TOOL = ToolSpec("freehand", "measure", "scribble-loop", FreehandTool, order=96, draws=True)
