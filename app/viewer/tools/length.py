"""Length between two points: mm only when the image is calibrated."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.drawing import TwoPointTool


class LengthTool(TwoPointTool):
    shape = MarkShape.LENGTH


TOOL = ToolSpec("length", "measure", "ruler", LengthTool, order=50, draws=True)
