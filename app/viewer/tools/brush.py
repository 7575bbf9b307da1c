"""Threshold brush: paints a ball of voxels like those under its first touch; with Shift it takes away."""

from __future__ import annotations

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
        mm = context.resolved.mm_per_pane_px
        if mm is None or self._first is None:
            return ()
        at = context.px(event)
        edit = BrushMask((self._first, self._last, at), BRUSH_PANE_PX * mm, event.shift, last)
        self._last = at
        return (edit,)


TOOL = ToolSpec("brush", "measure", "paint-brush", BrushTool, order=98)
