"""Polygon: a click for each corner, a click on the first one closes it; area and statistics of the values inside."""

from __future__ import annotations

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.clicking import ClickingTool


class PolygonTool(ClickingTool):
    shape = MarkShape.POLYGON

    def last_point(self, points: list[Point2]) -> Point2:
        return points[0]


TOOL = ToolSpec("polygon", "measure", "polygon", PolygonTool, order=95, draws=True, hovers=True)
