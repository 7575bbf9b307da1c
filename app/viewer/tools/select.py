"""Select: take a mark by its line to move it, by a handle to change it; ``remove_selected`` serves the delete key."""

from __future__ import annotations

from app.viewer.edits import Edits, RemoveAnnotation, SelectAnnotation
from app.viewer.handles import EditGesture, grab
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec


def remove_selected(context: ToolContext) -> Edits:
    """What the delete key asks for."""
    return (RemoveAnnotation(context.selected_id), SelectAnnotation("")) if context.selected_id else ()


class SelectTool(QuietTool):
    def __init__(self) -> None:
        self._editing: EditGesture | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        grabbed = grab(event, context)
        if grabbed is None:
            return (SelectAnnotation(""),) if context.selected_id else ()
        self._editing, edits = grabbed
        return edits

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return self._editing.drag(event, context) if self._editing is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        editing, self._editing = self._editing, None
        return editing.release(event, context) if editing is not None else ()

    def cancel(self) -> Edits:
        editing, self._editing = self._editing, None
        return editing.cancel() if editing is not None else ()


TOOL = ToolSpec("select", "mark", "cursor", SelectTool, order=5)
