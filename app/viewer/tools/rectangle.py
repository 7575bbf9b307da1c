"""Rectangle: area and statistics of the modality values inside."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.drawing import TwoPointTool


class RectangleTool(TwoPointTool):
    shape = MarkShape.RECTANGLE


TOOL = ToolSpec("rectangle", "measure", "rectangle", RectangleTool, order=90, draws=True)
