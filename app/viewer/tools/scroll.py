"""Scroll: through frames of a stack, or along the normal of a plane. ``scrolled`` serves the wheel and the keys too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.viewer.edits import Edits, SetView
from app.viewer.slice_sampler import normal_of, scroll_step_mm, slice_position
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.view_state import Plane, ViewState, volume_centre


def scrolled(view: ViewState, context: ToolContext, steps: int) -> ViewState:
    """``steps`` forward (down the stack, or along the plane's normal), stopping at the ends."""
    volume = context.layer.volume
    if view.plane is Plane.STACK or volume is None:
        last = max(0, context.frame_count - 1)
        return replace(view, frame_index=min(max(view.frame_index + steps, 0), last))
    geometry = volume.geometry
    normal = np.asarray(normal_of(view))
    step = scroll_step_mm(geometry, view)
    start = np.asarray(view.point_mm or volume_centre(geometry), dtype=np.float64)
    position = slice_position(geometry, view)
    if position is None:
        corners = geometry.to_patient_many(
            np.array(
                [
                    [k, j, i]
                    for k in (0, geometry.shape[0] - 1)
                    for j in (0, geometry.shape[1] - 1)
                    for i in (0, geometry.shape[2] - 1)
                ]
            )
        )
        depth = corners @ normal
        at = float(start @ normal)
        moved = min(max(at + steps * step, float(depth.min())), float(depth.max()))
        point = start + normal * (moved - at)
    else:
        # Snap to the slice that is shown, then whole slices: the plane never drifts off the grid.
        index = np.asarray(geometry.to_index((float(start[0]), float(start[1]), float(start[2]))))
        along = np.linalg.inv(geometry.affine[:3, :3]) @ normal
        axis = int(np.argmax(np.abs(along)))
        number, count = position
        index[axis] = min(max(number + (steps if along[axis] > 0 else -steps), 0), count - 1)
        point = np.asarray(geometry.to_patient((float(index[0]), float(index[1]), float(index[2]))))
    return replace(view, point_mm=(float(point[0]), float(point[1]), float(point[2])))


class ScrollTool(QuietTool):
    def __init__(self) -> None:
        self._start: tuple[PointerEvent, ViewState] | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._start = (event, context.view)
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._start is None:
            return ()
        pressed, view = self._start
        count = context.frame_count
        if context.layer.volume is not None and view.plane is not Plane.STACK:
            position = slice_position(context.layer.volume.geometry, view)
            count = position[1] if position else max(context.layer.volume.geometry.shape)
        per_step = max(2.0, context.resolved.size[1] / max(count, 1))
        return (SetView(scrolled(view, context, int((event.y - pressed.y) / per_step))),)

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = self.drag(event, context)
        self._start = None
        return edits

    def wheel(self, event: PointerEvent, context: ToolContext) -> Edits:
        steps = -round(event.wheel) or (-1 if event.wheel > 0 else 1)
        return (SetView(scrolled(context.view, context, steps)),)

    def cancel(self) -> Edits:
        self._start = None
        return ()


TOOL = ToolSpec("scroll", "look", "stack", ScrollTool, order=40)
