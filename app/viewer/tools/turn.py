"""Turn: a drag turns the 3D view or moves a side of its crop box, or tilts a reformat about its crosshair (then oblique).

The other reformats of the volume are carried along: planes at right angles stay so.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3
from app.viewer.crop_box import dragged, hit
from app.viewer.edits import Edits, SetView, SetViews
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.triad import REFORMATS, Fellow, carried, meeting_point, rotation, rotation_between
from app.viewer.view_state import Plane, ViewState, plane_axes, volume_centre

PER_PANE_DEG = 180.0
"""A drag across the whole pane."""


def _unit(v: npt.NDArray[np.float64]) -> Point3:
    v = v / np.linalg.norm(v)
    return (float(v[0]), float(v[1]), float(v[2]))


def turned(view: ViewState, right_deg: float, down_deg: float, centre: Point3 | None) -> ViewState:
    """The view after a drag to the right and down: what is in front follows the hand. Axes stay at right angles."""
    row, column = (np.asarray(v, dtype=np.float64) for v in plane_axes(view))
    spin = rotation(column, math.radians(right_deg)) @ rotation(row, -math.radians(down_deg))
    row, column = spin @ row, spin @ column
    column = column - row * float(row @ column) / float(row @ row)
    plane = view.plane if view.plane is Plane.RENDERED else Plane.OBLIQUE
    return replace(view, plane=plane, oblique_row=_unit(row), oblique_column=_unit(column), point_mm=view.point_mm or centre)


class TurnTool(QuietTool):
    def __init__(self) -> None:
        self._start: tuple[PointerEvent, ViewState] | None = None
        self._fellows: tuple[Fellow, ...] = ()
        self._side: int | None = None

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        reformat = context.layer.volume is not None and context.view.plane is not Plane.STACK
        self._start = (event, context.view) if reformat else None
        self._fellows = context.fellows
        self._side = None
        if context.layer.volume is not None and context.view.plane is Plane.RENDERED and context.view.crop_box:
            geometry, resolved = context.layer.volume.geometry, context.resolved
            self._side = hit(resolved, geometry, context.view.crop, (event.x, event.y))
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        if self._start is None or context.layer.volume is None:
            return ()
        pressed, view = self._start
        if self._side is not None:
            by = (event.x - pressed.x, event.y - pressed.y)
            crop = dragged(context.resolved, context.layer.volume.geometry, view.crop, self._side, by)
            return (SetView(replace(view, crop=crop)),)
        w, h = context.resolved.size
        geometry = context.layer.volume.geometry
        right, down = (event.x - pressed.x) / w * PER_PANE_DEG, (event.y - pressed.y) / h * PER_PANE_DEG
        after = turned(view, right, down, volume_centre(geometry))
        if view.plane not in REFORMATS:
            return (SetView(after),)
        if (right, down) == (0.0, 0.0):
            return ()
        turn, centre = rotation_between(view, after), meeting_point(geometry, view, self._fellows)
        own = SetView(carried(geometry, view, turn, centre))
        return (own, SetViews({f.pane_id: carried(geometry, f.view, turn, centre) for f in self._fellows}))

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        edits = self.drag(event, context)
        self._start = None
        return edits

    def cancel(self) -> Edits:
        self._start = None
        return ()


TOOL = ToolSpec("turn", "look", "cube", TurnTool, order=44)
