"""What speaks against a value does not end with the session: it is found again at the next opening and after an undo, and no
such value leaves without it being said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.dicom.structured_report import read_sr
from app.domain.finding import Finding
from app.domain.measurement import MarkShape, Quantity
from app.session import marks as own
from app.session.reading_session import ReadingSession
from app.session.recheck_desk import CROSSED, MISMATCH
from app.session.report_packet import verdict_object
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_reading import draw, opened


@pytest.fixture
def home(tmp_path: Path) -> Path:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
    return tmp_path / "home"


@pytest.fixture
def desk(home: Path) -> Iterator[Stage]:
    with stage.stage(home, None) as made:
        yield made


def stack(s: Stage) -> ReadingSession:
    reading = opened(s)
    reading.set_layout("1x1")
    reading.room.change_view(plane=Plane.STACK)
    reading.picture_request("pane-0", 400, 400)()
    s.until(lambda: not s.ws.images_busy())
    return reading


def shape(reading: ReadingSession, tool: str, at: tuple[tuple[float, float], ...]) -> Finding:
    reading.set_tool(tool)
    before = len(reading.desk.marks)
    for kind, (x, y) in zip(("press", "drag", "release"), (at[0], at[1], at[1]), strict=True):
        reading.pointer("pane-0", kind, PointerEvent(x, y))
    assert len(reading.desk.marks) == before + 1
    return reading.desk.marks[-1]


def spoiled(mark: Finding) -> Finding:
    """As a defect of storage, or of an older version, would leave it."""
    first, *others = mark.measurements
    return replace(mark, measurements=(replace(first, value=first.value + 1.0), *others))


def test_marks_that_are_right_stay_without_a_doubt(home: Path) -> None:
    with stage.stage(home, None) as s:
        reading = stack(s)
        draw(reading, 150.0)
        shape(reading, "ellipse", ((120.0, 120.0), (200.0, 180.0)))
        shape(reading, "rectangle", ((100.0, 220.0), (180.0, 280.0)))
        draw(reading, 250.0)
        reading.desk.select(reading.desk.marks[-1].finding_id)
        reading.add_mark()  # its length is a long axis now
        s.until(lambda: not s.ws.images_busy())
        kept = reading.desk.marks
    with stage.stage(home, None) as s:
        reading = opened(s)
        s.until(lambda: not s.ws.images_busy())
        assert reading.desk.marks == kept
        assert reading.desk.doubts == {}
        assert not reading.reports.values_unchecked()


@pytest.mark.parametrize("tool", ["length", "ellipse"])
def test_a_wrong_value_is_found_again_at_every_opening(home: Path, tool: str) -> None:
    with stage.stage(home, None) as s:
        reading = stack(s)
        mark = shape(reading, tool, ((120.0, 120.0), (200.0, 180.0)))
        s.until(lambda: not s.ws.images_busy())
        reading.desk.keep(spoiled(mark))
    for _ in range(2):
        with stage.stage(home, None) as s:
            reading = opened(s)
            s.until(lambda: not s.ws.images_busy())
            assert reading.desk.doubts == {mark.finding_id: MISMATCH}
            shown = next(m for m in reading.desk.overlay().marks if m.finding.finding_id == mark.finding_id)
            assert shown.look.doubt == MISMATCH


def test_drawings_on_a_reformat_are_computed_again_from_their_points(home: Path) -> None:
    with stage.stage(home, None) as s:
        reading = opened(s)
        reading.set_layout("1x1")
        reading.room.change_view(plane=Plane.CORONAL)
        reading.picture_request("pane-0", 400, 400)
        s.until(lambda: not s.ws.images_busy())
        reading.picture_request("pane-0", 400, 400)()
        box = shape(reading, "rectangle", ((150.0, 160.0), (230.0, 220.0)))
        line = shape(reading, "length", ((150.0, 150.0), (230.0, 250.0)))
        s.until(lambda: not s.ws.images_busy())
        assert box.placement is not None
        assert box.placement.axes_mm
        reading.desk.keep(spoiled(line))
    with stage.stage(home, None) as s:
        reading = opened(s)
        s.until(lambda: not s.ws.images_busy())
        assert reading.desk.doubts == {line.finding_id: MISMATCH}
        area = next(m for m in box.measurements if m.quantity is Quantity.AREA)
        assert area.value > 0


def test_undo_takes_the_red_away_and_redo_finds_it_again(desk: Stage) -> None:
    reading = stack(desk)
    draw(reading, 150.0)
    desk.until(lambda: not desk.ws.images_busy())
    (mark,) = reading.desk.marks
    reading.desk.keep(spoiled(mark))
    reading.desk.doubt(mark.finding_id, MISMATCH)
    reading.undo()
    desk.until(lambda: not desk.ws.images_busy())
    assert reading.desk.marks == (mark,)
    assert reading.desk.doubts == {}
    reading.redo()
    desk.until(lambda: not desk.ws.images_busy())
    assert reading.desk.doubts == {mark.finding_id: MISMATCH}
    reading.undo()
    reading.undo()
    assert reading.desk.marks == ()
    assert reading.desk.doubts == {}


def test_what_crosses_itself_is_said_again(home: Path) -> None:
    with stage.stage(home, None) as s:
        reading = stack(s)
        draw(reading, 150.0)
        (mark,) = reading.desk.marks
        assert mark.placement is not None
        bow = replace(mark.placement, points_px=((2.0, 2.0), (10.0, 10.0), (10.0, 2.0), (2.0, 10.0)), points_mm=())
        length = mark.measured(Quantity.LENGTH)
        assert length is not None
        area = replace(length, quantity=Quantity.AREA, value=0.0, unit="mm2")
        crossed = replace(mark, shape=MarkShape.POLYGON, placement=bow, location=own.location_of(bow), measurements=(area,))
        reading.desk.keep(crossed)
    with stage.stage(home, None) as s:
        reading = opened(s)
        s.until(lambda: not s.ws.images_busy())
        assert reading.desk.doubts == {mark.finding_id: CROSSED}


def lines(reading: ReadingSession) -> list[str]:
    return [line.text for section in reading.report().report.sections for line in section.lines]


def test_the_report_says_which_value_is_not_confirmed(desk: Stage) -> None:
    reading = stack(desk)
    draw(reading, 150.0)
    desk.until(lambda: not desk.ws.images_busy())
    (mark,) = reading.desk.marks
    assert not any("computed again" in text for text in lines(reading))
    assert reading.report().remarks == ()
    reading.desk.keep(spoiled(mark))
    reading.desk.doubt(mark.finding_id, MISMATCH)
    reading.set_report_language("en")
    assert sum("computed again" in text for text in lines(reading)) == 1
    (remark,) = reading.report().remarks
    assert (remark.code, remark.params) == ("report.remark.mismatch", {"n": 1})
    section, index = next(
        (s.section_id, n)
        for s in reading.report().report.sections
        for n, line in enumerate(s.lines)
        if mark.finding_id in line.finding_ids
    )
    reading.edit_line(section, index, "Typed words stand.")
    reading.reports.findings_changed()
    texts = lines(reading)
    assert "Typed words stand." in texts
    assert sum("computed again" in text for text in texts) == 1, "beside the reader's own words"
    reading.undo()
    reading.desk.doubt(mark.finding_id, "")
    assert not any("computed again" in text for text in lines(reading))


def test_the_structured_report_says_it_too(desk: Stage) -> None:
    reading = stack(desk)
    draw(reading, 150.0)
    desk.until(lambda: not desk.ws.images_busy())
    (mark,) = reading.desk.marks
    reading.desk.doubt(mark.finding_id, MISMATCH)
    ready = reading.reports._ready(None)  # type: ignore[arg-type]
    (read,) = read_sr(verdict_object(ready.packet, ()).content).findings
    assert ("recheck", MISMATCH) in read.attributes
