"""Slab: the wheel, or a drag up and down, makes the slab of a reformat thicker or thinner."""

from __future__ import annotations

from app.viewer.edits import Edits, StepSlab
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec

STEP_PX = 24.0
"""Device pixels of a drag for one step."""


class SlabTool(QuietTool):
    def __init__(self) -> None:
        self._from: float | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        del context
        self._from = event.y
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        del context
        if self._from is None:
            return ()
        steps = int((self._from - event.y) / STEP_PX)
        self._from -= steps * STEP_PX
        return (StepSlab(steps),) if steps else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = self.drag(event, context)
        self._from = None
        return edits

    def wheel(self, event: PointerEvent, context: ToolContext) -> Edits:
        del context
        return (StepSlab(round(event.wheel) or (1 if event.wheel > 0 else -1)),)

    def cancel(self) -> Edits:
        self._from = None
        return ()


TOOL = ToolSpec("slab", "look", "mpr", SlabTool, order=45)
