"""Crosshair: every linked pane goes to the patient position under the pointer.

On reformats of one volume its lines can be taken: the meeting point moves all planes, a line its own plane, a line's handle
turns the planes that stand upon the pane, which stay at right angles. On a picture laid flat along a curve it shows the
cross-section.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from app.domain.geometry import Point2, Point3, VolumeGeometry
from app.viewer.edits import Edits, SetPoint, SetViews, ShowSection
from app.viewer.slice_sampler import normal_of
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.triad import REFORMATS, Fellow, Grip, carried, grip, meeting_point, moved_along, rotation
from app.viewer.view_state import Plane

STILL_PX = 2.0
"""A hand that moved less has clicked."""
STEP_DEG = 5.0
"""With Shift a turn goes by such steps."""

_Vector = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class _Taken:
    grip: Grip
    at: Point2
    pressed: _Vector
    """LPS mm under the pointer when it was pressed."""
    centre: _Vector
    fellows: tuple[Fellow, ...]
    geometry: VolumeGeometry


class CrosshairTool(QuietTool):
    def __init__(self) -> None:
        self._down = False
        self._taken: _Taken | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._down = True
        self._taken = self._grip(event, context)
        return self.drag(event, context) if self._taken is None else ()

    @staticmethod
    def _grip(event: PointerEvent, context: ToolContext) -> _Taken | None:
        volume, pressed = context.layer.volume, context.point_mm(event)
        if volume is None or pressed is None or not context.lines_shown:
            return None
        if context.view.plane not in REFORMATS or not context.fellows:
            return None
        found = grip(context.resolved, volume.geometry, context.fellows, event.at)
        if found is None:
            return None
        centre = meeting_point(volume.geometry, context.view, context.fellows)
        return _Taken(found, event.at, np.asarray(pressed), centre, context.fellows, volume.geometry)

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if not self._down:
            return ()
        if context.view.plane is Plane.CURVED:
            return (ShowSection(context.px(event)[0]),)
        taken = self._taken
        if taken is None:
            return _to_point(context, self._under(event, context))
        now = context.point_mm(event)
        if now is None or math.dist(event.at, taken.at) < STILL_PX:
            return ()
        if taken.grip.part == "turn":
            return _turned(taken, np.asarray(now), context, event.shift)
        by = np.asarray(now) - taken.pressed
        if taken.grip.line is not None:
            by = _across(taken, by, context)
        return _to_point(context, _tuple(taken.centre + by))

    @staticmethod
    def _under(event: PointerEvent, context: ToolContext) -> Point3 | None:
        g = context.resolved.geometry
        x, y = context.px(event)
        return context.point_mm(event) if 0 <= x < g.columns and 0 <= y < g.rows else None

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        taken = self._taken
        clicked = taken is not None and taken.grip.part != "turn" and math.dist(event.at, taken.at) < STILL_PX
        edits = _to_point(context, self._under(event, context)) if clicked and self._down else self.drag(event, context)
        self._down, self._taken = False, None
        return edits

    def cancel(self) -> Edits:
        self._down, self._taken = False, None
        return ()


def _tuple(v: _Vector) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


def _to_point(context: ToolContext, point: Point3 | None) -> Edits:
    """All planes through a point: the fellows by name, everything else by frame of reference."""
    if point is None:
        return ()
    views = {f.pane_id: replace(f.view, point_mm=point) for f in context.fellows}
    return (SetPoint(point), SetViews(views)) if views else (SetPoint(point),)


def _across(taken: _Taken, by: _Vector, context: ToolContext) -> _Vector:
    """The step of the meeting point that moves the taken line's plane and no other."""
    line = taken.grip.line
    assert line is not None
    normals = [line.normal, normal_of(context.view)]
    for fellow in taken.fellows:
        normal = normal_of(fellow.view)
        if all(float(np.linalg.norm(np.cross(normal, known))) > 1e-2 for known in normals):
            normals.append(normal)
    return moved_along(normals, 0, float(np.asarray(line.normal) @ by))


def _turned(taken: _Taken, now: _Vector, context: ToolContext, by_steps: bool) -> Edits:
    axis = np.asarray(normal_of(context.view))
    a, b = taken.pressed - taken.centre, now - taken.centre
    angle = math.atan2(float(axis @ np.cross(a, b)), float(a @ b))
    if by_steps:
        step = math.radians(STEP_DEG)
        angle = step * round(angle / step)
    turn = rotation(axis, angle)
    upright = [f for f in taken.fellows if abs(float(axis @ np.asarray(normal_of(f.view)))) < 1.0 - 1e-9]
    return (SetViews({f.pane_id: carried(taken.geometry, f.view, turn, taken.centre) for f in upright}),)


TOOL = ToolSpec("crosshair", "look", "crosshair-simple", CrosshairTool, order=42)
