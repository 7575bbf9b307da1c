"""Region growing: a press shows the connected voxels that are like those under it, a drag up or down takes more or fewer,
letting go keeps them; their volume (on a single image: their area) is measured."""

from __future__ import annotations

from app.viewer.edits import Edits, GrowMask
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec

SPREADS = 3.0
_DOUBLE_PX = 90.0
"""Pane pixels of a drag that double what is tolerated."""
_LEAST, _MOST = 0.75, 12.0


class RegionGrowTool(QuietTool):
    def __init__(self) -> None:
        self._pressed: PointerEvent | None = None
        self._seed = (0.0, 0.0)
        self._spreads = SPREADS

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        x, y = context.px(event)
        g = context.resolved.geometry
        if not (0 <= x < g.columns and 0 <= y < g.rows):
            return ()
        self._pressed, self._seed, self._spreads = event, (x, y), SPREADS
        return (GrowMask(self._seed, self._spreads, True),)

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._pressed is None:
            return ()
        wanted = SPREADS * 2.0 ** ((self._pressed.y - event.y) / _DOUBLE_PX)
        wanted = round(min(max(wanted, _LEAST), _MOST), 1)
        if wanted == self._spreads:
            return ()
        self._spreads = wanted
        return (GrowMask(self._seed, wanted, True),)

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        pressed, self._pressed = self._pressed, None
        return () if pressed is None else (GrowMask(self._seed, self._spreads),)

    def cancel(self) -> Edits:
        pressed, self._pressed = self._pressed, None
        return () if pressed is None else (GrowMask(self._seed, 0.0),)


TOOL = ToolSpec("region_grow", "measure", "paint-bucket", RegionGrowTool, order=97, draws=True)
