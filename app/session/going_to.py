"""From a finding to the panes that show it, and from the panes to the place of a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.geometry import Point3
from app.domain.measurement import Placement
from app.viewer.placement import place

if TYPE_CHECKING:
    from app.domain.finding import Finding
    from app.session.reading_room import ReadingRoom


def show_finding(room: ReadingRoom, finding: Finding) -> None:
    """Every pane that can show the finding's place goes there; of a film the first pane that has it."""
    location = finding.location
    if location.centre_lps_mm is not None:
        room.show_point(location.centre_lps_mm)
    elif location.sop_instance_uid:
        for pane in room.panes():
            at = room.frame_nearest(pane.pane_id, location.sop_instance_uid)
            if at is not None:
                room.activate(pane.pane_id)
                room.change_view(frame_index=at)
                return


def common_place(room: ReadingRoom, pane_id: str) -> tuple[Placement, Point3 | None] | None:
    """A point mark at the pane's common point, in the middle where it has none; with the patient's point where there is one.
    None while the image is not there.
    """
    context = room.context(pane_id)
    if context is None:
        return None
    point = room.centre_of(pane_id)
    at = context.resolved.patient_to_pane(point) if point is not None else None
    x, y = (at[0], at[1]) if at is not None else (context.resolved.size[0] / 2, context.resolved.size[1] / 2)
    return place([context.resolved.pane_to_px(x, y)], context.layer, context.resolved.geometry), point
