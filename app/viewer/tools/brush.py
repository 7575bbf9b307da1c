"""Threshold brush: paints voxels (on a single image: pixels) like those under its first touch; with Shift it takes away."""

from __future__ import annotations

import math

from app.domain.geometry import Point2
from app.viewer.edits import BrushMask, Edits
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec

BRUSH_PANE_PX = 14.0
"""Radius on the screen: a zoomed image is painted finer."""


class BrushTool(QuietTool):
    def __init__(self) -> None:
        self._first: Point2 | None = None
        self._last: Point2 = (0.0, 0.0)

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._first = self._last = context.px(event)
        return self._stroke(event, context, False)

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return self._stroke(event, context, False) if self._first is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._first is None:
            return ()
        edits = self._stroke(event, context, True)
        self._first = None
        return edits

    def cancel(self) -> Edits:
        self._first = None
        return ()

    def _stroke(self, event: PointerEvent, context: ToolContext, last: bool) -> Edits:
        if self._first is None:
            return ()
        mm = context.resolved.mm_per_pane_px or 0.0
        at = context.px(event)
        edit = BrushMask(
            (self._first, self._last, at), BRUSH_PANE_PX * mm, event.shift, last, BRUSH_PANE_PX * _px_per_pane_px(context)
        )
        self._last = at
        return (edit,)


def _px_per_pane_px(context: ToolContext) -> float:
    """How many px of the image's finer side a pixel of the pane is."""
    (ax, ay), (bx, by) = context.resolved.pane_to_px(0.0, 0.0), context.resolved.pane_to_px(1.0, 0.0)
    g = context.resolved.geometry
    finer = min(g.column_spacing, g.row_spacing)
    return math.hypot((bx - ax) * g.column_spacing, (by - ay) * g.row_spacing) / finer


TOOL = ToolSpec("brush", "measure", "paint-brush", BrushTool, order=98)
