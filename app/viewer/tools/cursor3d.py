"""3D cursor: every pane of the frame of reference goes to the position under the pointer, and shows it."""

from __future__ import annotations

from app.viewer.edits import Edits, SetPoint
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec


class Cursor3dTool(QuietTool):
    def hover(self, event: PointerEvent, context: ToolContext) -> Edits:
        g = context.resolved.geometry
        x, y = context.px(event)
        point = context.point_mm(event) if 0 <= x < g.columns and 0 <= y < g.rows else None
        return (SetPoint(point),) if point is not None else ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return self.hover(event, context)


TOOL = ToolSpec("cursor3d", "look", "target", Cursor3dTool, order=43, hovers=True)
