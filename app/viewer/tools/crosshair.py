"""Crosshair: every linked pane goes to the patient position under the pointer."""

from __future__ import annotations

from app.viewer.edits import Edits, SetPoint
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec


class CrosshairTool(QuietTool):
    def __init__(self) -> None:
        self._down = False

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._down = True
        return self.drag(event, context)

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if not self._down:
            return ()
        g = context.resolved.geometry
        x, y = context.px(event)
        if not (0 <= x < g.columns and 0 <= y < g.rows):
            return ()
        point = context.point_mm(event)
        return (SetPoint(point),) if point is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = self.drag(event, context)
        self._down = False
        return edits

    def cancel(self) -> Edits:
        self._down = False
        return ()


TOOL = ToolSpec("crosshair", "look", "crosshair-simple", CrosshairTool, order=42)
