"""A pane comes back without what lay over it when that has left: after a death, undone, from three planes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from app.session.layout_recovery import restore, state_of
from app.session.panes import Over
from app.session.undo_aspects import panes_aspect
from tests.flows.stage import Stage
from tests.session.test_reading import desk, opened

__all__ = ["desk"]


def test_a_lost_overlay_is_left_out_and_one_that_is_there_stays(desk: Stage) -> None:
    reading = opened(desk)
    room = reading.room
    here = room.pane("pane-0").display_set_id
    for over, stays in (("9.9.9", False), (here, True)):
        put = replace(room.pane("pane-0"), over=Over(over))
        room.take_panes((put,))
        state = state_of(reading.study.study_instance_uid, room, reading.desk)
        undone = panes_aspect(room, reading.desk)
        for way, before in ((partial(restore, room, reading.desk), state), (undone.put, undone.take())):
            way(before)
            assert (room.pane("pane-0").over is not None) is stays
            assert room.pane("pane-0").view == put.view
            assert not reading.picture_request("pane-0", 300, 300).problem
            room.take_panes((put,))
        room.take_panes((put,))
        reading.command("three_planes")
        assert reading.reformats.is_triad()
        reading.command("three_planes")
        assert (room.pane("pane-0").over is not None) is stays
