"""Angle: the first stroke ends at the vertex, then a click or a stroke sets the end of the other arm."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape
from app.viewer.edits import Edits, PutAnnotation
from app.viewer.placement import annotation_of
from app.viewer.tool_api import PointerEvent, ToolContext, ToolSpec
from app.viewer.tools.drawing import TwoStrokeTool, clamped


class AngleTool(TwoStrokeTool):
    shape = MarkShape.ANGLE
    click_ends = True

    def all_points(
        self, first: tuple[Point2, Point2], pressed: Point2, at: Point2, context: ToolContext
    ) -> Sequence[Point2]:
        del pressed, context
        return (first[0], first[1], at)

    def hover(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._first is None:
            return ()
        points = (*self._first, clamped(context.px(event), context))
        return (PutAnnotation(annotation_of(self._id, self.shape, points, context), provisional=True),)


TOOL = ToolSpec("angle", "measure", "angle", AngleTool, order=70, draws=True, hovers=True)
