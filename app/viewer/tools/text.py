"""Text at a place of the image."""

from __future__ import annotations

from app.domain.measurement import MarkShape
from app.viewer.tool_api import ToolSpec
from app.viewer.tools.writing import WritingTool


class TextTool(WritingTool):
    shape = MarkShape.TEXT


TOOL = ToolSpec("text", "mark", "text-t", TextTool, order=102, draws=True)
