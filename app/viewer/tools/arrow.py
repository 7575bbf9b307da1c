"""Arrow: the tip is the point pressed, the text follows by the window."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.drawing import TwoPointTool


class ArrowTool(TwoPointTool):
    shape = MarkShape.ARROW


TOOL = ToolSpec("arrow", "mark", "arrow-up-right", ArrowTool, order=100, draws=True)
