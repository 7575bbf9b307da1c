"""Window by dragging: right widens, down lowers the centre's brightness; steps follow the window's own width.

With Shift it is the window of what lies over the image.
"""

from __future__ import annotations

from dataclasses import replace

from app.domain.pixels import VoiFunction, VoiWindow
from app.viewer.compositor import voi_of
from app.viewer.edits import Edits, SetAppearance, SetOverWindow
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.voi_lut import window_equivalent

_PER_PANE = 2.0
"""Dragging across the whole pane multiplies or moves by this many widths."""


def dragged(window: VoiWindow, dx: float, dy: float) -> VoiWindow:
    """``dx``, ``dy`` in parts of the pane. Centre and width stay whole numbers where the width allows it."""
    lowest = 1.0 if window.function is VoiFunction.LINEAR else 1e-6
    width = max(lowest, window.width * (1.0 + _PER_PANE * dx) if dx >= 0 else window.width / (1.0 - _PER_PANE * dx))
    center = window.center + _PER_PANE * dy * window.width / 2.0
    if window.width >= 20:
        width, center = max(lowest, float(round(width))), float(round(center))
    return VoiWindow(center, width, window.function)


class WindowTool(QuietTool):
    def __init__(self) -> None:
        self._start: tuple[PointerEvent, VoiWindow] | None = None
        self._upper = False

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._start = None
        self._upper = event.shift and context.over is not None and context.over.windowed
        if self._upper and context.over is not None:
            self._start = (event, context.over.window)
        elif context.window is not None:
            self._start = (event, context.window)
        elif context.layer.frame is None or not context.layer.frame.is_colour:
            # A VOI LUT is shown: the drag starts from a window of its span.
            self._start = (event, window_equivalent(voi_of(context.layer)))
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._start is None:
            return ()
        pressed, window = self._start
        w, h = context.resolved.size
        moved = dragged(window, (event.x - pressed.x) / w, (event.y - pressed.y) / h)
        return (SetOverWindow(moved),) if self._upper else (SetAppearance(replace(context.appearance, window=moved)),)

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = self.drag(event, context)
        self._start = None
        return edits

    def cancel(self) -> Edits:
        self._start = None
        return ()


TOOL = ToolSpec("window", "look", "circle-half", WindowTool, order=10)
