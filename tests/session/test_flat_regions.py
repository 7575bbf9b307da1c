"""Growing and painting on a film: a region with area and statistics, under the hand and in the undo of everything else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.dicom.secondary_capture import Binding, film_kinds
from app.domain.finding import Finding
from app.domain.measurement import MarkShape, Quantity
from app.session.picture_import import import_picture
from app.session.reading_session import ReadingSession
from app.viewer.measure import region
from app.viewer.tool_api import Button, PointerEvent
from tests import phantoms
from tests.flows.stage import Stage, stage

SIZE = (400, 400)
Y, X = np.mgrid[:200, :200] + 0.5
DISC = (X - 80) ** 2 + (Y - 90) ** 2 <= 30**2
BAR = (np.abs(Y - 90) < 6) & (X > 120) & (X < 180)


def film(colour: bool = False) -> bytes:
    from PIL import Image

    values = np.where(DISC, 200, np.where(BAR, 150, 40)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(np.stack([values, 255 - values, values], axis=-1) if colour else values).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(params=[False])
def made(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    (tmp_path / "film.png").write_bytes(film(request.param))
    with stage(tmp_path / "home", None) as s:
        binding = Binding(phantoms.ALIYA, film_kinds()["periapical"], "20240102")
        s.ws.open_study(import_picture(s.ws.library, str(tmp_path / "film.png"), binding).study_instance_uid)
        s.ws.reading.room.set_layout("1x1")
        s.until(lambda: s.ws.reading.picture_request(s.ws.reading.room.active, *SIZE).layers != ())
        yield s


def hand(s: Stage, tool: str, *points: tuple[float, float], shift: bool = False, let_go: bool = True) -> None:
    """A gesture at px of the film, which is shown at twice its size."""
    reading = s.ws.reading
    reading.set_tool(tool)
    kinds = ["press", *["drag"] * (len(points) - 1), *["release"] * let_go]
    for kind, (x, y) in zip(kinds, [*points, *[points[-1]] * let_go], strict=True):
        reading.pointer(reading.room.active, kind, PointerEvent(2 * x, 2 * y, button=Button.LEFT, shift=shift))
    s.until(lambda: not s.ws.images_busy())


def marks(s: Stage) -> tuple[Finding, ...]:
    return s.ws.reading.desk.marks


def pixels(mark: Finding) -> np.ndarray:
    out = np.zeros((200, 200), bool)
    rows, columns, inside = region(MarkShape.FREEHAND, mark.placement.points_px, 200, 200)
    out[rows, columns] = inside
    return out


def test_a_press_grows_a_region_that_is_measured_checked_and_undone(made: Stage) -> None:
    hand(made, "region_grow", (80, 90))
    (mark,) = marks(made)
    assert mark.shape is MarkShape.FREEHAND
    assert np.array_equal(pixels(mark), DISC)
    by = {m.quantity: m for m in mark.measurements}
    assert (by[Quantity.AREA].value, by[Quantity.AREA].unit) == (DISC.sum(), "px2")
    assert (by[Quantity.MEAN].value, by[Quantity.STANDARD_DEVIATION].value) == (200.0, 0.0)
    assert by[Quantity.COUNT].value == DISC.sum()
    assert made.ws.reading.desk.doubts == {}
    assert made.ws.reading.undo() == "marks"
    assert marks(made) == ()
    made.ws.reading.redo()
    assert np.array_equal(pixels(marks(made)[0]), DISC)


def test_growth_is_seen_before_it_is_kept_and_esc_gives_it_up(made: Stage) -> None:
    reading: ReadingSession = made.ws.reading
    hand(made, "region_grow", (80, 90), let_go=False)
    assert marks(made) == ()
    assert len(reading.desk.overlay().marks) == 1
    reading.command("cancel_gesture")
    assert reading.desk.overlay().marks == ()
    hand(made, "region_grow", (80, 90), (80, 60))
    assert len(marks(made)) == 1


def test_the_brush_paints_values_like_its_first_touch_and_shift_takes_away(made: Stage) -> None:
    hand(made, "brush", (60, 90), (100, 90))
    (mark,) = marks(made)
    painted = pixels(mark)
    assert not (painted & ~DISC).any()
    assert painted[90, 60:100].all()
    assert painted.sum() > 40 * 13
    hand(made, "brush", (80, 84), (80, 70))
    (more,) = marks(made)
    assert more.finding_id == mark.finding_id, "a stroke from inside the selected region goes on with it"
    assert (painted & ~pixels(more)).sum() == 0
    assert pixels(more)[70, 80]
    hand(made, "brush", (102, 90), (95, 90), shift=True)
    (less,) = marks(made)
    assert not pixels(less)[90, 92:105].any()
    hand(made, "brush", (130, 90), (170, 90))
    assert len(marks(made)) == 2, "elsewhere another one begins"
    bar = pixels(marks(made)[1])
    assert not (bar & ~BAR).any()
    assert made.ws.reading.desk.doubts == {}


def test_growing_again_beside_a_selected_region_joins_it(made: Stage) -> None:
    hand(made, "brush", (60, 90), (70, 90))
    hand(made, "region_grow", (80, 90))
    (mark,) = marks(made)
    assert np.array_equal(pixels(mark), DISC)
    hand(made, "region_grow", (150, 90))
    assert len(marks(made)) == 2


@pytest.mark.parametrize("made", [True], indirect=True)
def test_colours_are_no_values(made: Stage) -> None:
    hand(made, "region_grow", (80, 90))
    hand(made, "brush", (60, 90), (70, 90))
    assert marks(made) == ()
    assert made.notices == ["region.no_values", "region.no_values"]
