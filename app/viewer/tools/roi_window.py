"""Window from a region: drag a box, the window fits the values inside (2nd to 98th percentile)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.domain.geometry import Point2
from app.domain.measurement import MarkShape
from app.domain.pixels import VoiFunction, VoiWindow
from app.viewer.edits import Edits, SetAppearance
from app.viewer.measure import region
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec

MIN_PIXELS = 4


class RoiWindowTool(QuietTool):
    def __init__(self) -> None:
        self._first: Point2 | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._first = context.px(event)
        return ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        first, self._first = self._first, None
        values = context.values()
        if first is None or values is None:
            return ()
        rows, columns, mask = region(MarkShape.RECTANGLE, (first, context.px(event)), values.shape[0], values.shape[1])
        padding = context.padding()
        if padding is not None:
            mask = mask & ~padding[rows, columns]
        picked = values[rows, columns][mask].astype(np.float64)
        picked = picked[np.isfinite(picked)]
        if picked.size < MIN_PIXELS:
            return ()
        low, high = (float(v) for v in np.percentile(picked, (2.0, 98.0)))
        if high <= low:
            return ()
        window = VoiWindow((low + high) / 2.0, high - low, VoiFunction.LINEAR_EXACT)
        return (SetAppearance(replace(context.appearance, window=window)),)

    def cancel(self) -> Edits:
        self._first = None
        return ()


TOOL = ToolSpec("roi_window", "look", "selection-all", RoiWindowTool, order=15)
