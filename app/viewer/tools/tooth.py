"""Tooth marks by FDI number: the next number along the arch is suggested, never set unseen (teeth may be missing)."""

from __future__ import annotations

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolContext, ToolSpec
from app.viewer.tools.writing import WritingTool, nearest, written_on
from app.viewer.vocabulary import next_tooth


class ToothTool(WritingTool):
    shape = MarkShape.TOOTH

    def suggestion(self, at: Point2, context: ToolContext) -> str:
        found = nearest(at, written_on(self.shape, context))
        mirrored = context.view.flip_h
        return next_tooth(found[0], (at[0] > found[1][0]) != mirrored) if found is not None else ""


TOOL = ToolSpec("tooth", "mark", "tooth", ToothTool, order=106, draws=True)
