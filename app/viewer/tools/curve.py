"""Curve: a click for each point, a click on the last one ends it; a reformat along it opens beside."""

from __future__ import annotations

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape
from app.viewer.edits import Edits, OpenCurve
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.clicking import ClickingTool


class CurveTool(ClickingTool):
    shape = MarkShape.CURVE

    def last_point(self, points: list[Point2]) -> Point2:
        return points[-1]

    def changed(self, mark: Annotation) -> Edits:
        return (OpenCurve(mark.annotation_id),)


TOOL = ToolSpec("curve", "look", "bezier-curve", CurveTool, order=46, draws=True, hovers=True)
"""Its mark is the curve; what it is for is the reformat along it."""
