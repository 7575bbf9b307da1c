"""Shutter: only the box that is dragged stays visible; a click takes the shutter away."""

from __future__ import annotations

from dataclasses import replace

from app.viewer.edits import Edits, SetView, ShowBand
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.tools.drawing import clamped, short_drag


class ShutterTool(QuietTool):
    def __init__(self) -> None:
        self._pressed: PointerEvent | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._pressed = event
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return (ShowBand((self._pressed.at, event.at)),) if self._pressed is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return ()
        if short_drag(pressed, event):
            return (ShowBand(None), SetView(replace(context.view, shutter=None)))
        a, b = (clamped(context.px(e), context) for e in (pressed, event))
        box = (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
        if box[2] - box[0] < 1.0 or box[3] - box[1] < 1.0:
            return (ShowBand(None),)
        return (ShowBand(None), SetView(replace(context.view, shutter=box)))

    def cancel(self) -> Edits:
        self._pressed = None
        return (ShowBand(None),)


TOOL = ToolSpec("shutter", "look", "crop", ShutterTool, order=48)
