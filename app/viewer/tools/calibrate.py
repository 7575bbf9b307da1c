"""A line along something of known length: its millimetres are asked for, and the image is calibrated by it."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.edits import AskText, Edits, PutAnnotation
from app.viewer.tool_api import PointerEvent, ToolContext, ToolSpec
from app.viewer.tools.drawing import TwoPointTool, clamped


class CalibrateTool(TwoPointTool):
    shape = MarkShape.LENGTH

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        """Always a new line: an own mark under the pointer is not moved by it."""
        self._first = clamped(context.px(event), context)
        self._pressed = event
        self._id = context.new_id()
        return ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = super().release(event, context)
        if edits and isinstance(edits[0], PutAnnotation):
            line = edits[0].annotation
            return (PutAnnotation(line, provisional=True), AskText(line, event.at))
        return edits


TOOL = ToolSpec("calibrate", "measure", "ruler", CalibrateTool, order=120, draws=True)
