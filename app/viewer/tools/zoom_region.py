"""Zoom to a region: the box that is dragged fills the pane."""

from __future__ import annotations

from dataclasses import replace

from app.viewer.edits import Edits, SetView, ShowBand
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.tools.drawing import short_drag
from app.viewer.view_state import MAX_ZOOM, MIN_ZOOM, ResolvedView, ViewState, resolve


def fitted(resolved: ResolvedView, a: tuple[float, float], b: tuple[float, float]) -> ViewState:
    """The view in which the box a–b (pane px) lies in the middle and just fits."""
    w, h = resolved.size
    factor = min(w / max(abs(b[0] - a[0]), 1.0), h / max(abs(b[1] - a[1]), 1.0))
    middle = resolved.pane_to_px((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    zoomed = replace(resolved.view, zoom=min(max(resolved.view.zoom * factor, MIN_ZOOM), MAX_ZOOM))
    x, y = resolve(zoomed, resolved.size, resolved.geometry).px_to_pane(*middle)
    return replace(zoomed, pan=(zoomed.pan[0] + 0.5 - x / w, zoomed.pan[1] + 0.5 - y / h))


class ZoomRegionTool(QuietTool):
    def __init__(self) -> None:
        self._pressed: PointerEvent | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._pressed = event
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return (ShowBand((self._pressed.at, event.at)),) if self._pressed is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return ()
        if short_drag(pressed, event):
            return (ShowBand(None),)
        return (ShowBand(None), SetView(fitted(context.resolved, pressed.at, event.at)))

    def cancel(self) -> Edits:
        self._pressed = None
        return (ShowBand(None),)


TOOL = ToolSpec("zoom_region", "look", "corners-out", ZoomRegionTool, order=22)
