"""How much of a film painting looks at, where its region is computed, and that nothing of it gets lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.dicom.secondary_capture import Binding, film_kinds
from app.domain.measurement import MarkShape
from app.session import encoded_once, flat_regions_desk
from app.session import marks as own
from app.session.encoded_once import EncodedOnce
from app.session.picture_import import import_picture
from app.viewer.measure import region
from app.viewer.tool_api import Button, PointerEvent
from tests import phantoms
from tests.flows.stage import Stage, stage
from tests.store import made as stored

SIDE = 1000
PANE = (500, 500)
Y, X = np.mgrid[:SIDE, :SIDE] + 0.5
DISC = (X - 480) ** 2 + (Y - 500) ** 2 <= 300**2


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Stage]:
    from PIL import Image

    Image.fromarray(np.where(DISC, 200, 40).astype(np.uint8)).save(tmp_path / "film.png")
    with stage(tmp_path / "home", None) as s:
        binding = Binding(phantoms.ALIYA, film_kinds()["periapical"], "20240102")
        s.ws.open_study(import_picture(s.ws.library, str(tmp_path / "film.png"), binding).study_instance_uid)
        s.ws.reading.room.set_layout("1x1")
        s.until(lambda: s.ws.reading.picture_request(s.ws.reading.room.active, *PANE).layers != ())
        yield s


def hand(s: Stage, tool: str, *points: tuple[float, float], shift: bool = False) -> None:
    """A gesture at px of the film, which is shown at half its size; nothing is waited for."""
    reading = s.ws.reading
    reading.set_tool(tool)
    kinds = ["press", *["drag"] * (len(points) - 1), "release"]
    for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
        reading.pointer(reading.room.active, kind, PointerEvent(x / 2, y / 2, button=Button.LEFT, shift=shift))


def quiet(s: Stage) -> None:
    s.until(lambda: not s.ws.images_busy())


def pixels(s: Stage) -> np.ndarray:
    (mark,) = s.ws.reading.desk.marks
    out = np.zeros((SIDE, SIDE), bool)
    rows, columns, inside = region(MarkShape.FREEHAND, mark.placement.points_px, SIDE, SIDE)
    out[rows, columns] = inside
    return out


def test_under_the_hand_only_what_the_disc_reaches_is_looked_at(made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    plain = flat_regions_desk.disc_stroke

    def stroke(shape: tuple[int, int], path: Any, radii: Any, values: np.ndarray, *rest: Any) -> np.ndarray:
        looked.append(values.size)
        assert values.shape == shape
        return plain(shape, path, radii, values, *rest)

    monkeypatch.setattr(flat_regions_desk, "disc_stroke", stroke)
    hand(made, "region_grow", (480, 500))
    quiet(made)
    assert np.array_equal(pixels(made), DISC)
    hand(made, "brush", (300, 500), (310, 500), (320, 505), (330, 505), shift=True)
    assert len(looked) == 5
    assert max(looked) < 80 * 80, "a disc of 28 px and a step of ten, of a million px"


def test_the_whole_region_is_computed_beside(made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    where: dict[str, set[bool]] = {}
    for name in ("calmed", "part_with", "largest_part", "annotation_of", "grown"):
        plain = getattr(flat_regions_desk, name)

        def noted(*given: Any, name: str = name, plain: Any = plain) -> Any:
            where.setdefault(name, set()).add(threading.current_thread() is threading.main_thread())
            return plain(*given)

        monkeypatch.setattr(flat_regions_desk, name, noted)
    hand(made, "region_grow", (480, 500))
    quiet(made)
    hand(made, "brush", (300, 500), (190, 500), (185, 500), shift=True)
    quiet(made)
    hand(made, "brush", (300, 500), (200, 500))
    quiet(made)
    assert set(where) == {"calmed", "part_with", "largest_part", "annotation_of", "grown"}
    assert set().union(*where.values()) == {False}


def test_an_undo_at_once_takes_back_the_stroke_that_was_just_let_go(made: Stage) -> None:
    hand(made, "brush", (400, 500), (500, 500))
    reading = made.ws.reading
    assert reading.undo() == "marks"
    assert reading.desk.marks == ()
    quiet(made)
    assert reading.desk.marks == (), "what comes later from beside is the same stroke"
    reading.redo()
    assert pixels(made)[500, 400:500].all()


def test_a_stroke_that_was_just_let_go_is_kept_when_the_study_is_closed(made: Stage) -> None:
    uid = made.ws.reading.study.study_instance_uid
    hand(made, "region_grow", (480, 500))
    hand(made, "brush", (480, 500), (480, 240), (480, 160), shift=True)
    made.ws.close_study()
    made.ws.library.write(lambda tx: None)  # after all that was written before
    made.ws.open_study(uid)
    kept = pixels(made)
    assert not kept[210:240, 480].any()
    assert kept[500, 400:560].sum() > 100
    assert (kept & ~DISC).sum() == 0


def test_strokes_that_do_not_wait_for_each_other_come_to_what_slow_ones_come_to(made: Stage) -> None:
    strokes = [((300, 500), (400, 520)), ((380, 520), (500, 560)), ((480, 560), (480, 640), (560, 640))]
    found = []
    for slow in (True, False):
        for points in strokes:
            hand(made, "brush", *points)
            if slow:
                quiet(made)
        quiet(made)
        found.append(pixels(made))
        for _ in strokes:
            assert made.ws.reading.undo() == "marks", "each is a step"
        assert made.ws.reading.desk.marks == ()
    assert np.array_equal(*found)


def test_esc_leaves_what_was_let_go(made: Stage) -> None:
    hand(made, "brush", (400, 500), (500, 500))
    made.ws.reading.command("cancel_gesture")
    quiet(made)
    assert pixels(made)[500, 400:500].all()


def test_what_the_hand_draws_is_made_a_mark_once_for_all_pictures(made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hand(made, "region_grow", (480, 500))
    quiet(made)
    made_marks: list[str] = []
    plain = own.drawn
    monkeypatch.setattr(own, "drawn", lambda *given: made_marks.append(given[0].annotation_id) or plain(*given))
    reading = made.ws.reading
    reading.set_tool("brush")
    reading.pointer(reading.room.active, "press", PointerEvent(240, 250, button=Button.LEFT))
    for _ in range(5):
        assert len(reading.desk.overlay().marks) == 1, "the region as it now stands, not the old one below it"
    assert len(made_marks) == 1


def test_a_mark_is_written_once_however_often_the_journal_is_kept(made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hand(made, "region_grow", (480, 500))
    quiet(made)
    written: list[object] = []
    plain = encoded_once.encode
    monkeypatch.setattr(encoded_once, "encode", lambda value, **how: written.append(value) or plain(value, **how))
    hand(made, "brush", (300, 500), (190, 500), shift=True)
    quiet(made)
    states = [made.ws.reading.state_to_keep() for _ in range(4)]
    assert all(s["journal"] == states[0]["journal"] for s in states)
    assert len({id(v) for v in written}) == len(written) <= 1, "the region before is written already"


def test_forms_live_as_long_as_what_they_are_of() -> None:
    once = EncodedOnce()
    mark = stored.mark()
    assert once(mark) is once(mark)
    del mark
    assert once._kept == {}


def test_a_stroke_that_goes_on_has_the_pixels_of_the_last_region_at_hand(
    made: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    plain = flat_regions_desk.region
    monkeypatch.setattr(flat_regions_desk, "region", lambda *given: asked.append(given[0]) or plain(*given))
    hand(made, "region_grow", (480, 500))
    quiet(made)
    hand(made, "brush", (300, 500), (190, 500), shift=True)
    quiet(made)
    hand(made, "brush", (300, 600), (200, 600), shift=True)
    quiet(made)
    assert asked == []
    before = pixels(made)
    assert not before[500, 200:300].any()
    assert not before[600, 220:300].any()
    made.ws.reading.undo()
    hand(made, "brush", (600, 500), (700, 500), (790, 500), shift=True)
    quiet(made)
    assert asked != [], "what an undo brought back is looked at anew"
    after = pixels(made)
    assert after[600, 220:300].all()
    assert not after[500, 600:780].any()
