"""Cobb angle: a stroke along each of two end plates."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.drawing import TwoLineTool


class CobbTool(TwoLineTool):
    shape = MarkShape.COBB


TOOL = ToolSpec("cobb", "measure", "cobb", CobbTool, order=72, draws=True)
