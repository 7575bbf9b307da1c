"""Magnifier: a lens under the pointer while the button is down, from the image's own values."""

from __future__ import annotations

from app.viewer.edits import Edits, ShowLens
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec


class MagnifierTool(QuietTool):
    def __init__(self) -> None:
        self._down = False

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._down = True
        return (ShowLens(event.at),)

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return (ShowLens(event.at),) if self._down else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        was, self._down = self._down, False
        return (ShowLens(None),) if was else ()

    def cancel(self) -> Edits:
        self._down = False
        return (ShowLens(None),)


TOOL = ToolSpec("magnifier", "look", "magnifying-glass-plus", MagnifierTool, order=24)
