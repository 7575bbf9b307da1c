"""Millimetres by hand: only after a known length was drawn, labelled, kept as an event, and never over the image's own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from app.dicom.secondary_capture import Binding, film_kinds
from app.domain.event import EventKind
from app.domain.measurement import Quantity
from app.domain.problem import ProblemError
from app.session.calibration import spoken_mm
from app.session.picture_import import import_picture
from app.session.reading_session import ReadingSession
from app.viewer.tool_api import Button, PointerEvent
from tests import phantoms
from tests.flows.stage import Stage, stage

SIZE = (400, 400)


def film_png() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray((np.arange(200 * 200) % 251).astype(np.uint8).reshape(200, 200)).save(out, "PNG")
    return out.getvalue()


def opened(made: Stage, tmp_path: Path) -> ReadingSession:
    (tmp_path / "film.png").write_bytes(film_png())
    binding = Binding(phantoms.ALIYA, film_kinds()["periapical"], "20240102")
    uid = import_picture(made.ws.library, str(tmp_path / "film.png"), binding).study_instance_uid
    return made.ws.open_study(uid)


def draw(made: Stage, reading: ReadingSession, tool: str, a: tuple[float, float], b: tuple[float, float]) -> None:
    """In the active pane of 400 x 400, which shows a film of 200 x 200 at twice its size."""
    pane = reading.room.active
    reading.room.set_layout("1x1")
    made.until(lambda: reading.picture_request(pane, *SIZE).layers != ())
    reading.set_tool(tool)
    for kind, at in (("press", a), ("drag", b), ("release", b)):
        reading.pointer(pane, kind, PointerEvent(*at, button=Button.LEFT))


def lengths(reading: ReadingSession) -> list[tuple[float, str, bool]]:
    marks = [m for mark in reading.desk.marks for m in mark.measurements if m.quantity is Quantity.LENGTH]
    return [(round(m.value, 4), m.unit, m.calibrated) for m in marks]


def note(reading: ReadingSession) -> str:
    picture = reading.picture_request(reading.room.active, *SIZE)()
    assert picture.resolved is not None
    return picture.resolved.geometry.spacing_source


def test_millimetres_appear_only_after_a_known_length(tmp_path: Path) -> None:
    with stage(tmp_path / "home", None) as made:
        reading = opened(made, tmp_path)
        draw(made, reading, "length", (100, 100), (100, 300))
        assert lengths(reading) == [(100.0, "px", False)]
        assert note(reading) == "viewer.spacing.unknown"
        draw(made, reading, "calibrate", (40, 60), (40, 260))
        assert reading.awaited_words is not None
        with pytest.raises(ProblemError):
            reading.answer("long")
        assert lengths(reading) == [(100.0, "px", False)]
        reading.answer("25,0 mm")
        assert reading.awaited_words is None
        assert lengths(reading) == [(25.0, "mm", True)], "the line of before is measured again; the known one is no mark"
        assert note(reading) == "viewer.spacing.by_hand"
        (event,) = made.ws.library.events.query(kinds=(EventKind.IMAGE_CALIBRATED,))
        assert event.body["length_mm"] == 25.0
        assert event.body["spacing_mm"] == pytest.approx([0.25, 0.25])
        uid = reading.study.study_instance_uid
        made.ws.close_study()
        again = made.ws.open_study(uid)
        draw(made, again, "length", (300, 50), (380, 50))
        assert lengths(again)[-1] == (10.0, "mm", True)
        draw(made, again, "calibrate", (40, 60), (40, 260))
        again.answer("0")
        assert note(again) == "viewer.spacing.unknown"
        assert {unit for _, unit, _ in lengths(again)} == {"px"}


def test_an_image_with_its_own_geometry_is_not_calibrated_by_hand(tmp_path: Path) -> None:
    with stage(tmp_path / "home", None) as made:
        phantoms.write_ct(tmp_path / "ct", phantoms.index_volume((1, 64, 64)))
        made.bring(tmp_path / "ct")
        (row,) = made.ws.library.studies.search()
        reading = made.ws.open_study(row.study_instance_uid)
        draw(made, reading, "calibrate", (100, 100), (100, 300))
        with pytest.raises(ProblemError) as caught:
            reading.answer("25")
        assert caught.value.problem.code in ("calibrate.has_geometry", "calibrate.no_image")
        assert made.ws.library.events.query(kinds=(EventKind.IMAGE_CALIBRATED,)) == ()


def test_what_may_be_said() -> None:
    assert [spoken_mm(t) for t in ("25", "25.4 mm", "25,4", "12 мм", "0")] == [25.0, 25.4, 25.4, 12.0, 0.0]
    for wrong in ("", "ten", "-4", "9999", "nan"):
        with pytest.raises(ProblemError):
            spoken_mm(wrong)
