"""The mount of a full mouth in the session: films by their anatomy, corrected by hand, kept with the study."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from app.dicom.coding import site_code
from app.viewer.mount import SLOTS
from tests import phantoms
from tests.flows.stage import Stage, stage

UID = "2.25.771001"


def write_films(folder: Path, coded: int = 15, count: int = 17) -> None:
    """``count`` films of different places in a random order, the first ``coded`` of them with the codes of their teeth."""
    folder.mkdir()
    order = list(range(count))
    random.Random(2).shuffle(order)
    for number, place in enumerate(order):
        values = np.full((30, 40), 100 + place, np.uint16)
        path = phantoms.write_film(folder / f"{number}.dcm", values, modality="PX", key=f"io{place}")
        ds = pydicom.dcmread(path)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = UID, f"{UID}.1", "IO"
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.3"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{UID}.2.{place}"
        ds.InstanceNumber, ds.BodyPartExamined, ds.SeriesDescription = number + 1, "", ""
        for keyword in ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence"):
            if keyword in ds:
                delattr(ds, keyword)
        if place < coded:
            items = []
            for tooth in sorted(SLOTS[place].teeth):
                code = site_code(str(tooth))
                assert code is not None
                item = Dataset()
                item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, "SCT", f"Tooth {tooth}"
                items.append(item)
            ds.PrimaryAnatomicStructureSequence = items
        ds.save_as(path)


def lying(desk: Stage) -> list[tuple[str, bool]]:
    room = desk.ws.reading.room
    out = []
    for pane in room.panes():
        ref = room.frame_ref(pane) if pane.display_set_id else None
        out.append((ref.sop_instance_uid.rsplit(".", 1)[1] if ref else "", pane.guessed))
    return out


@pytest.fixture
def desk(tmp_path: Path):
    write_films(tmp_path / "films")
    with stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "films")
        made.ws.open_study(UID)
        yield made


def test_films_lie_where_their_teeth_belong_and_the_rest_is_told_as_a_guess(desk: Stage) -> None:
    reading = desk.ws.reading
    assert reading.hanging_title().id == "hanging.full_mouth"
    assert reading.mount is not None
    assert reading.mount.here
    now = lying(desk)
    assert now[:15] == [(str(n), False) for n in range(15)]
    assert {f for f, _ in now[15:17]} == {"15", "16"}
    assert [g for _, g in now[15:]] == [True, True, False]
    assert now[17][0] == ""
    titles = [p.title for p in reading.room.panes()]
    assert titles == [f"mount.{s.name}" for s in SLOTS]


def test_a_film_dragged_to_another_place_stays_there(desk: Stage) -> None:
    reading = desk.ws.reading
    reading.mount.exchange("pane-0", "pane-17")
    reading.mount.exchange("pane-3", "pane-4")
    wanted = lying(desk)
    assert (wanted[0], wanted[17]) == (("", False), ("0", False))
    assert (wanted[3], wanted[4]) == (("4", False), ("3", False))
    assert [p.title for p in reading.room.panes()] == [f"mount.{s.name}" for s in SLOTS]
    desk.ws.close_study()
    desk.ws.open_study(UID)
    assert [f for f, _ in lying(desk)] == [f for f, _ in wanted]
    desk.ws.reading.mount.exchange("pane-4", "pane-3")
    exchanged = lying(desk)
    desk.ws.reading.undo()
    assert [f for f, _ in lying(desk)] == [f for f, _ in wanted]
    desk.ws.close_study()
    desk.ws.open_study(UID)
    assert [f for f, _ in lying(desk)] == [f for f, _ in wanted], "what was taken back does not return"
    assert desk.ws.reading.undo() == "", "laying the films is no step of the reader"
    desk.ws.reading.mount.exchange("pane-4", "pane-3")
    desk.ws.reading.undo()
    desk.ws.reading.redo()
    desk.ws.close_study()
    desk.ws.open_study(UID)
    assert [f for f, _ in lying(desk)] == [f for f, _ in exchanged]


def test_the_first_exchange_taken_back_leaves_nothing_kept(desk: Stage) -> None:
    before = lying(desk)
    desk.ws.reading.mount.exchange("pane-0", "pane-1")
    desk.ws.reading.undo()
    assert lying(desk) == before, "guesses are guesses again"
    assert desk.ws.reading.mount.kept() == {}
