"""A finding's card shows the finding's own picture, whatever hangs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import Finding, Location, Source
from app.session.crops import finding_crop
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane
from tests import phantoms
from tests.flows.stage import BALLS, stage, write_study

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


def test_a_place_in_another_frame_of_reference_is_not_cut_out_of_the_hung_volume(tmp_path: Path) -> None:
    uid = write_study(tmp_path / "ct")
    with stage(tmp_path / "home", None) as desk:
        desk.bring(tmp_path / "ct")
        reading = desk.ws.open_study(uid)

        def picture(reference: str) -> np.ndarray | None:
            place = Location(centre_lps_mm=BALLS[0], frame_of_reference_uid=reference)
            one = Finding("2.25.1", Source.MINE, FINDING_KINDS["nodule"], place)
            return finding_crop(reading.room, reading._images, one, Plane.AXIAL)

        desk.until(lambda: picture(phantoms.FRAME_UID) is not None)
        assert picture("2.25.990") is None
