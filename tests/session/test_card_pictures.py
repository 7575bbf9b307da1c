"""A finding's card shows the finding's own picture, whatever hangs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from app.viewer.tool_api import PointerEvent
from tests import phantoms
from tests.flows.stage import stage

UID = "2.25.881001"


def write_views(folder: Path) -> None:
    """Two films of one study, one a ramp downwards and one a ramp to the side."""
    folder.mkdir()
    down = np.repeat(np.arange(240, dtype=np.uint16)[:, None] * 16, 200, axis=1)
    for number, (name, values) in enumerate({"down": down, "aside": down[:200].T.copy()}.items()):
        path = phantoms.write_film(folder / f"{name}.dcm", values, modality="DX", key=name)
        ds = pydicom.dcmread(path)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = UID, f"{UID}.{number}", number + 1
        ds.save_as(path)


def test_a_mark_keeps_its_picture_when_another_view_takes_the_pane(tmp_path: Path) -> None:
    write_views(tmp_path / "films")
    with stage(tmp_path / "home", None) as desk:
        desk.bring(tmp_path / "films")
        reading = desk.ws.open_study(UID)
        reading.set_layout("1x1")
        first, second = (d.display_set_id for d in reading.room.content.sets())

        def show(display_set_id: str) -> None:
            reading.put_in_pane("pane-0", display_set_id)
            reading.picture_request("pane-0", 400, 400)()
            desk.until(lambda: not desk.ws.images_busy())
            reading.picture_request("pane-0", 400, 400)()

        show(first)
        reading.set_tool("length")
        for kind, x in (("press", 180.0), ("drag", 220.0), ("release", 220.0)):
            reading.pointer("pane-0", kind, PointerEvent(x, 200.0))
        (mark,) = reading.desk.marks
        hung = reading.finding_thumbnail(mark.finding_id)
        assert hung is not None
        # The pictures of cards are kept: only an empty memory asks again.
        show(second)
        reading._crops.clear()
        desk.until(lambda: reading.finding_thumbnail(mark.finding_id) is not None)
        away = reading.finding_thumbnail(mark.finding_id)
        assert away is not None
        down, aside = (np.abs(np.diff(away[:, :, 0].astype(int), axis=a)).mean() for a in (0, 1))
        assert down > 4 * aside, "the ramp of the film that was marked"
        np.testing.assert_array_equal(away, hung)
