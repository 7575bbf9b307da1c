"""Ellipse in a box: area and statistics of the modality values inside."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.drawing import TwoPointTool


class EllipseTool(TwoPointTool):
    shape = MarkShape.ELLIPSE


TOOL = ToolSpec("ellipse", "measure", "circle", EllipseTool, order=80, draws=True)
