"""Cardiothoracic ratio: a stroke across the heart, a stroke across the inside of the thorax."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.drawing import TwoLineTool


class CardiothoracicTool(TwoLineTool):
    shape = MarkShape.CARDIOTHORACIC


TOOL = ToolSpec("cardiothoracic", "measure", "heart", CardiothoracicTool, order=74, draws=True)
