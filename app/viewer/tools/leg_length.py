"""Leg length: a stroke from hip to ankle on each side; both lengths and their difference."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.drawing import TwoLineTool


class LegLengthTool(TwoLineTool):
    shape = MarkShape.LEG_LENGTH


TOOL = ToolSpec("leg_length", "measure", "person-simple", LegLengthTool, order=76, draws=True)
