"""Common ground of the written marks: a click asks for words; a click on an own one asks to change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer.edits import AskText, Edits, PutAnnotation
from app.viewer.handles import EditGesture, grab
from app.viewer.placement import annotation_of, points_on
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext
from app.viewer.tools.drawing import short_drag

Written = tuple[str, Point2]
"""Words of a mark on the shown image and its place in pane px."""


def written_on(shape: MarkShape, context: ToolContext) -> list[Written]:
    out = []
    for annotation in context.annotations:
        if annotation.shape is shape and annotation.text:
            points = points_on(annotation.placement, context.layer, context.resolved)
            if points:
                out.append((annotation.text, context.resolved.px_to_pane(*points[0])))
    return out


def nearest(at: Point2, written: Sequence[Written]) -> Written | None:
    return min(written, key=lambda w: (w[1][0] - at[0]) ** 2 + (w[1][1] - at[1]) ** 2, default=None)


class WritingTool(QuietTool):
    shape: MarkShape
    asks_always = True
    """False: a suggestion is taken without asking."""

    def __init__(self) -> None:
        self._pressed: PointerEvent | None = None
        self._editing: EditGesture | None = None

    def suggestion(self, at: Point2, context: ToolContext) -> str:
        del at, context
        return ""

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._pressed = event
        grabbed = grab(event, context)
        if grabbed is None:
            return ()
        self._editing, edits = grabbed
        return edits

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return self._editing.drag(event, context) if self._editing is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        pressed, self._pressed = self._pressed, None
        editing, self._editing = self._editing, None
        if editing is not None:
            same = editing.annotation.shape is self.shape
            if pressed is not None and short_drag(pressed, event) and same:
                return (AskText(editing.annotation, event.at, editing.annotation.text),)
            return editing.release(event, context)
        if pressed is None or not short_drag(pressed, event) or not self._inside(event, context):
            return ()
        made = annotation_of(context.new_id(), self.shape, (context.px(event),), context)
        words = self.suggestion(event.at, context)
        if words and not self.asks_always:
            return (PutAnnotation(replace(made, text=words)),)
        return (PutAnnotation(made, provisional=True), AskText(made, event.at, words))

    def cancel(self) -> Edits:
        self._pressed = None
        editing, self._editing = self._editing, None
        return editing.cancel() if editing is not None else ()

    @staticmethod
    def _inside(event: PointerEvent, context: ToolContext) -> bool:
        g = context.resolved.geometry
        x, y = context.px(event)
        return 0 <= x < g.columns and 0 <= y < g.rows


def with_words(annotation: Annotation, words: str) -> Annotation:
    return replace(annotation, text=" ".join(words.split())[:80])
