"""Marks, undo, first opinion and the report of an open study, without a window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.pixels import VoiWindow
from app.domain.problem import ProblemError
from app.domain.verdict import ImageQuality, Overall
from app.security.redaction import REDACTOR
from app.session.reading_session import ReadingSession
from app.viewer.tool_api import PointerEvent
from tests.flows import stage
from tests.flows.stage import Stage


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def opened(s: Stage) -> ReadingSession:
    reading = s.ws.open_study(s.row().study_instance_uid)  # type: ignore[attr-defined]
    for pane in reading.layout().panes:
        reading.picture_request(pane.pane_id, 400, 400)()
    s.until(lambda: not s.ws.images_busy())
    return reading


def draw(reading: ReadingSession, y: float) -> None:
    reading.set_tool("length")
    for kind, x in (("press", 100.0), ("drag", 180.0), ("release", 180.0)):
        reading.pointer("pane-0", kind, PointerEvent(x, y))


def test_undo_and_redo_take_marks_back_and_bring_them_again(desk: Stage, tmp_path: Path) -> None:
    reading = opened(desk)
    draw(reading, 150.0)
    draw(reading, 220.0)
    two = reading.desk.marks
    assert len(two) == 2
    reading.undo()
    assert reading.desk.marks == two[:1]
    reading.undo()
    assert reading.desk.marks == ()
    reading.redo()
    reading.redo()
    assert reading.desk.marks == two
    reading.undo()
    uid, person = reading.study.study_instance_uid, desk.ws.person.person_id
    desk.ws.library.write(lambda tx: None)
    assert desk.ws.library.drafts.marks(uid, person) == two[:1], "the library holds what the screen shows"


def test_undo_of_a_view_leaves_the_marks(desk: Stage) -> None:
    reading = opened(desk)
    draw(reading, 150.0)
    reading.command("invert")
    assert reading.room.pane("pane-0").view.invert
    reading.command("undo")
    assert not reading.room.pane("pane-0").view.invert
    assert len(reading.desk.marks) == 1


def test_marks_are_there_after_a_restart(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        draw(reading, 150.0)
        marks = reading.desk.marks
    with stage.stage(tmp_path / "home", None) as s:
        assert opened(s).desk.marks == marks


@pytest.mark.parametrize(
    ("overall", "with_mark", "code"),
    [
        (Overall.FINDINGS, False, "findings.commit_without_marks"),
        (Overall.NOTHING, True, "findings.commit_nothing_with_marks"),
    ],
)
def test_an_opinion_that_contradicts_the_marks_is_refused(desk: Stage, overall: Overall, with_mark: bool, code: str) -> None:
    reading = opened(desk)
    if with_mark:
        assert reading.add_mark()
    with pytest.raises(ProblemError) as refused:
        reading.commit(overall)
    assert refused.value.problem.code == code
    assert reading.first_opinion() is None


def test_the_first_opinion_is_given_once(desk: Stage) -> None:
    reading = opened(desk)
    reading.commit(Overall.NOTHING, ImageQuality.DIAGNOSTIC)
    with pytest.raises(ProblemError) as refused:
        reading.commit(Overall.CANNOT_JUDGE)
    assert refused.value.problem.code == "store.opinion_exists"
    opinion = reading.first_opinion()
    assert opinion is not None
    assert opinion.overall is Overall.NOTHING


def test_what_blocks_the_signature_is_listed_and_goes(desk: Stage) -> None:
    reading = opened(desk)
    assert [p.code for p in reading.report().blocked_by] == ["report.blocked.not_committed"]
    reading.commit(Overall.NOTHING)
    assert reading.report().blocked_by == ()


def test_typed_words_survive_closing_and_other_languages(desk: Stage) -> None:
    reading = opened(desk)
    reading.commit(Overall.NOTHING)
    reading.add_line("findings", "Typed by a person.")
    reading.set_report_language("kk")
    assert "Typed by a person." in repr(reading.report().report)
    desk.ws.close_study()
    again = opened(desk)
    assert "Typed by a person." in repr(again.report().report)
    assert again.report().report.language == "kk"


def test_an_opened_patient_is_kept_out_of_the_log(desk: Stage) -> None:
    reading = opened(desk)
    patient = reading.study.patient
    cleaned = REDACTOR.clean(f"{patient.name.display()} {patient.patient_id} {patient.name.alphabetic}")
    for part in (patient.patient_id, *patient.name.display().split()):
        assert part not in cleaned


def test_the_open_study_is_offered_again_after_a_death_and_not_after_a_close(tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        s.ws.open_study(uid)
        s.ws.library.write(lambda tx: None)
        assert s.ws.study_to_restore() == uid
        s.ws.close_study()
        s.ws.library.write(lambda tx: None)
        assert s.ws.study_to_restore() == ""


def test_a_window_goes_to_the_linked_panes_that_had_the_same_one(desk: Stage) -> None:
    reading = opened(desk)
    reading.set_layout("1x2")
    series = reading.room.pane("pane-0").display_set_id
    reading.put_in_pane("pane-1", series)
    reading.activate("pane-0")
    same = reading.room.pane("pane-0").appearance.window
    reading.room.set_window(None)
    reading.activate("pane-1")
    reading.room.set_window(None)
    reading.room.set_window(VoiWindow(-600.0, 1500.0))
    assert reading.room.pane("pane-0").appearance.window == VoiWindow(-600.0, 1500.0)
    reading.command("toggle_linking")
    reading.room.set_window(same or VoiWindow(40.0, 400.0))
    assert reading.room.pane("pane-0").appearance.window == VoiWindow(-600.0, 1500.0)
