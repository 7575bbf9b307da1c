"""Region growing: a click takes the connected voxels that are like those under it; their volume is measured."""

from __future__ import annotations

from app.viewer.edits import Edits, GrowMask
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.tools.drawing import short_drag


class RegionGrowTool(QuietTool):
    def __init__(self) -> None:
        self._pressed: PointerEvent | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._pressed = event
        return ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        pressed, self._pressed = self._pressed, None
        x, y = context.px(event)
        g = context.resolved.geometry
        if pressed is None or not short_drag(pressed, event) or not (0 <= x < g.columns and 0 <= y < g.rows):
            return ()
        return (GrowMask((x, y)),)

    def cancel(self) -> Edits:
        self._pressed = None
        return ()


TOOL = ToolSpec("region_grow", "measure", "paint-bucket", RegionGrowTool, order=97)
