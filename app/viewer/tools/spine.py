"""Spine labels: the first vertebra is named by the reader, every further click counts on from its nearest neighbour."""

from __future__ import annotations

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolContext, ToolSpec
from app.viewer.tools.writing import WritingTool, nearest, written_on
from app.viewer.vocabulary import next_vertebra


class SpineTool(WritingTool):
    shape = MarkShape.SPINE
    asks_always = False

    def suggestion(self, at: Point2, context: ToolContext) -> str:
        found = nearest(at, written_on(self.shape, context))
        if found is None:
            return ""
        directions = context.resolved.edge_directions()
        along = directions[1][2] if directions is not None else -1.0
        if abs(along) < 0.5:
            return ""  # across the body: up and down the pane is not up and down the spine
        feet = -1.0 if along > 0 else 1.0
        return next_vertebra(found[0], (at[1] - found[1][1]) * feet > 0)


TOOL = ToolSpec("spine", "mark", "list-numbers", SpineTool, order=104, draws=True)
