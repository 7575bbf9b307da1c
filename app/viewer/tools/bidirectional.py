"""Long and short axis (RECIST): the first stroke is the long axis, the second crosses it at right angles."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape
from app.viewer.crossed_axes import across
from app.viewer.tool_api import ToolContext, ToolSpec
from app.viewer.tools.drawing import TwoStrokeTool


class BidirectionalTool(TwoStrokeTool):
    shape = MarkShape.BIDIRECTIONAL

    def all_points(
        self, first: tuple[Point2, Point2], pressed: Point2, at: Point2, context: ToolContext
    ) -> Sequence[Point2]:
        c, d = across(first[0], first[1], pressed, at, context.resolved.geometry)
        return (first[0], first[1], c, d)


TOOL = ToolSpec("bidirectional", "measure", "bidirectional", BidirectionalTool, order=60, draws=True)
