"""Zoom: drag up to magnify about the point pressed; the wheel zooms about the pointer."""

from __future__ import annotations

import math

from app.viewer.edits import Edits, SetView
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.view_state import ResolvedView, zoom_about


class ZoomTool(QuietTool):
    def __init__(self) -> None:
        self._start: tuple[PointerEvent, ResolvedView] | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._start = (event, context.resolved)
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._start is None:
            return ()
        pressed, resolved = self._start
        factor = math.exp(4.0 * (pressed.y - event.y) / context.resolved.size[1])
        return (SetView(zoom_about(resolved, factor, pressed.at)),)

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = self.drag(event, context)
        self._start = None
        return edits

    def wheel(self, event: PointerEvent, context: ToolContext) -> Edits:
        return (SetView(zoom_about(context.resolved, 1.2**event.wheel, event.at)),)

    def cancel(self) -> Edits:
        self._start = None
        return ()


TOOL = ToolSpec("zoom", "look", "magnifying-glass", ZoomTool, order=20)
