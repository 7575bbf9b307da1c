"""A 4D series in the panes: one card, its moments one after the other at the same slice, window and zoom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.domain.pixels import VoiWindow
from app.session.reading_session import ReadingSession
from app.viewer.tool_api import Button, PointerEvent
from tests.dicom.builders import image, save
from tests.flows import stage
from tests.flows.stage import Stage


@pytest.fixture
def series(tmp_path: Path) -> Iterator[Stage]:
    """Three moments of four slices; moment t, slice z holds 100 t + z."""
    (tmp_path / "in").mkdir()
    for t in range(3):
        for z in range(4):
            n = 4 * t + z
            d = image(np.full((6, 8), 100 * t + z, np.int16), SOPInstanceUID=f"2.25.7{n:03d}", InstanceNumber=str(n))
            d.ImagePositionPatient, d.TemporalPositionIdentifier = [-3.5, 7.25, 2.5 * z], str(t + 1)
            d.RescaleIntercept = "0"
            save(d, tmp_path / "in" / f"{n:03d}.dcm")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "in")
        yield made


def shown(made: Stage, reading: ReadingSession) -> tuple[float, list[str]]:
    """(the value of the frame in the active pane, remarks of its corner)."""
    room = reading.room

    def here() -> bool:
        room.picture_request("pane-0", (80, 60), 1.0, False)
        return room.frame_layer(room.pane("pane-0")) is not None

    made.until(here, 20)
    layer = room.frame_layer(room.pane("pane-0"))
    assert layer is not None
    assert layer.frame is not None
    info = room.picture_request("pane-0", (80, 60), 1.0, False).info
    return float(layer.frame.values[0, 0]), [
        f"{p.params['n']}/{p.params['of']} {p.params['value']}" for p in info.remarks if p.code == "viewer.moment"
    ]


def test_moments_are_stepped_through_in_place(series: Stage) -> None:
    reading = series.ws.open_study("2.25.1")
    (card,) = reading.series_cards()
    assert card.images == 12
    assert card.split_reason is not None
    assert card.split_reason.code == "split.moments"
    room = reading.room
    room.put_in_pane("pane-0", card.display_set_id)
    room.change_view(frame_index=2, zoom=2.0)
    room.set_window(VoiWindow(50, 400))
    assert shown(series, reading) == (2.0, ["1/3 T1"])
    reading.command("next_moment")
    assert shown(series, reading) == (102.0, ["2/3 T2"])
    pane = room.pane("pane-0")
    assert (pane.view.frame_index, pane.view.zoom, pane.appearance.window) == (2, 2.0, VoiWindow(50, 400))
    (card,) = reading.series_cards()
    assert card.active
    reading.command("next_moment")
    reading.command("next_moment")
    assert shown(series, reading) == (2.0, ["1/3 T1"])
    reading.command("previous_moment")
    assert shown(series, reading) == (202.0, ["3/3 T3"])
    # The wheel with Alt goes through time, without it through the slices.
    room.pointer("pane-0", "wheel", PointerEvent(10, 10, Button.NONE, wheel=1.0, alt=True))
    assert shown(series, reading) == (102.0, ["2/3 T2"])
    room.pointer("pane-0", "wheel", PointerEvent(10, 10, Button.NONE, wheel=-1.0))
    assert shown(series, reading) == (103.0, ["2/3 T2"])


def test_a_new_grid_is_not_filled_with_moments(series: Stage) -> None:
    reading = series.ws.open_study("2.25.1")
    reading.room.set_layout("2x2")
    assert len(reading.room.shown_sets()) == 1
