"""Pan: the image follows the pointer."""

from __future__ import annotations

from dataclasses import replace

from app.viewer.edits import Edits, SetView
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.view_state import ViewState


class PanTool(QuietTool):
    def __init__(self) -> None:
        self._start: tuple[PointerEvent, ViewState] | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._start = (event, context.view)
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._start is None:
            return ()
        pressed, view = self._start
        w, h = context.resolved.size
        pan = (view.pan[0] + (event.x - pressed.x) / w, view.pan[1] + (event.y - pressed.y) / h)
        return (SetView(replace(view, pan=pan)),)

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = self.drag(event, context)
        self._start = None
        return edits

    def cancel(self) -> Edits:
        self._start = None
        return ()


TOOL = ToolSpec("pan", "look", "hand", PanTool, order=30)
