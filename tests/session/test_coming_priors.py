"""Earlier studies join an open one from beside the main thread: the same in the end, nothing arranged is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.domain.problem import Problem, ProblemError
from app.domain.study import Study
from app.session.hanging_said import hanging_said
from app.session.reading_session import ReadingSession
from app.store.library import Library
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_prior_desk import BALLS, DAYS, _uid, _write, nodule

LONGEST_S = 0.1
"""Of the main thread's own computing in one step."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A library with a study and an earlier one, on which this person has drawn a nodule."""
    for key in ("then", "now"):
        _write(tmp_path, key)
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "then", tmp_path / "now")
        reading = s.ws.open_study(_uid("then"))
        reading.desk.keep(nodule(reading, BALLS[0], 6.0))
    return tmp_path / "home"


@pytest.fixture
def beside(home: Path) -> Iterator[Stage]:
    with stage.stage(home, None, priors_beside=True) as made:
        yield made


def here(s: Stage) -> None:
    s.until(lambda: not s.ws.images_busy())


def everything(reading: ReadingSession) -> dict[str, Any]:
    room = reading.room
    assert reading.earlier is not None
    assert reading.guidelines is not None
    return {
        "panes": (room.layout().name, room.stage, room.active, room.panes()),
        "stages": [x.name for x in room.stages],
        "judged": room.hanging.priors,
        "priors": [p.study.study_instance_uid for p in room.studies()[1]],
        "cards": [c.display_set_id for c in reading.prior_cards()],
        "marks": [m.finding for m in reading.earlier.desk.marks()],
        "why": hanging_said(room),
        "months": reading.guidelines._months(),
        "report": [line.text for x in reading.reports.report().sections for line in x.lines],
    }


def test_what_comes_beside_ends_as_what_is_read_at_once(home: Path) -> None:
    with stage.stage(home, None) as s:
        at_once = everything(s.ws.open_study(_uid("now")))
    assert at_once["priors"] == [_uid("then")]
    assert len(at_once["marks"]) == 1
    with stage.stage(home, None, priors_beside=True) as s:
        reading = s.ws.open_study(_uid("now"))
        assert everything(reading)["priors"] == []
        assert any(p.display_set_id for p in reading.room.panes()), "the study itself hangs at once"
        here(s)
        assert everything(reading) == at_once


def test_what_is_being_looked_at_stays_and_the_prior_takes_its_pane(beside: Stage) -> None:
    reading = beside.ws.open_study(_uid("now"))
    room = reading.room
    room.activate("pane-1")
    room.change_view(zoom=2.0)
    room.activate("pane-0")
    room.change_view(zoom=3.0)
    stood = room.panes()
    assert stood[3].view.zoom == 3.0, "linked with the first"
    here(beside)
    assert room.panes()[:3] == stood[:3]
    assert (room.panes()[3].prior, room.panes()[3].display_set_id) == (True, room.stages[0].panes[3].display_set_id)
    assert room.active == "pane-0"


@pytest.mark.parametrize("pane", ["pane-0", "pane-3"])
def test_the_pane_that_the_reader_is_in_keeps_its_images(beside: Stage, pane: str) -> None:
    reading = beside.ws.open_study(_uid("now"))
    room = reading.room
    room.activate(pane)
    room.change_view(zoom=3.0)
    own = room.pane(pane)
    here(beside)
    assert room.pane(pane) == own
    assert room.pane("pane-3").prior is (pane != "pane-3")
    room.go_to_stage(0)
    assert room.pane("pane-3").prior


def test_what_was_put_by_hand_and_another_grid_stay(beside: Stage) -> None:
    reading = beside.ws.open_study(_uid("now"))
    room = reading.room
    room.put_in_pane("pane-3", room.pane("pane-0").display_set_id)
    own = room.pane("pane-3")
    room.activate("pane-0")
    here(beside)
    assert room.pane("pane-3") == own
    beside.ws.close_study()
    reading = beside.ws.open_study(_uid("now"))
    room = reading.room
    room.set_layout("2x2")
    stood = room.panes()
    here(beside)
    assert (room.layout().name, room.panes()) == ("2x2", stood)
    assert room.content.knows(room.studies()[1][0].display_sets[0].display_set_id)
    assert "compare" in [x.name for x in room.stages]


def test_a_study_that_is_closed_before_takes_nothing(beside: Stage) -> None:
    reading = beside.ws.open_study(_uid("now"))
    beside.ws.close_study()
    beside.loop.run_pending()
    assert reading.room.studies()[1] == ()


def test_a_prior_that_cannot_be_read_is_told_and_the_others_come(beside: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    library = beside.ws.library
    then = library.studies.load(_uid("then"))
    library.write(lambda tx: library.studies.import_study(tx, grown(then, 12, 1)))
    load = library.studies.load

    def damaged(uid: str) -> Study:
        if uid == _uid("then"):
            raise ProblemError(Problem("store.no_such_study"))
        return load(uid)

    monkeypatch.setattr(library.studies, "load", damaged)
    reading = beside.ws.open_study(_uid("now"))
    here(beside)
    assert beside.notices == ["store.no_such_study"]
    assert [p.study.study_instance_uid for p in reading.room.studies()[1]] == ["2.25.1001"]
    assert any(p.prior for p in reading.room.panes())


def test_after_a_death_the_prior_hangs_as_it_stood(home: Path) -> None:
    with stage.stage(home, None, priors_beside=True) as s:
        reading = s.ws.open_study(_uid("now"))
        here(s)
        room = reading.room
        room.set_layout("1x2")
        room.put_in_pane("pane-1", room.studies()[1][0].display_sets[0].display_set_id)
        stood = room.panes()
        state = reading.state_to_keep()
    _keep(home, state)
    with stage.stage(home, None, priors_beside=True) as s:
        reading = s.ws.open_study(_uid("now"))
        assert reading.room.panes() == stood


def _keep(home: Path, state: dict[str, Any]) -> None:
    with stage.stage(home, None) as s:
        library: Library = s.ws.library
        library.write(lambda tx: library.recovery.save(tx, s.ws.person.person_id, state))


def grown(study: Study, slices: int, number: int) -> Study:
    """An earlier study of the same patient with as many slices as wanted; its files are those of the one it is made of."""
    uid = f"2.25.{1000 + number}"
    first = study.series[0].instances[0]
    plane = first.frames[0].plane
    assert plane is not None
    made = []
    for k in range(slices):
        name = f"{uid}.1.{k}"
        at = replace(plane, origin_mm=(plane.origin_mm[0], plane.origin_mm[1], plane.origin_mm[2] + k))
        frames = (replace(first.frames[0], plane=at),)
        made.append(
            replace(first, sop_instance_uid=name, frames=frames, instance_number=k + 1, sha256=f"{number:032x}{k:032x}")
        )
    series = replace(study.series[0], series_instance_uid=f"{uid}.1", instances=tuple(made))
    return replace(study, study_instance_uid=uid, series=(series,), study_datetime=f"{2000 + number}0310")


def test_no_step_of_opening_holds_the_main_thread(beside: Stage) -> None:
    library = beside.ws.library
    then = library.studies.load(_uid("then"))
    older = [grown(then, 300, n) for n in range(20)]
    beside.ws.open_study(_uid("then"))  # modules and protocols are loaded with the first study
    here(beside)
    beside.ws.close_study()
    library.write(lambda tx: [library.studies.import_study(tx, one) for one in older])
    beside.loop.run_pending()
    steps: list[float] = []
    post = beside.loop.post

    def measured(call: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            began = time.thread_time()
            call()
            steps.append(time.thread_time() - began)

        return run

    beside.loop.post = lambda call: post(measured(call))  # type: ignore[method-assign]
    measured(lambda: beside.ws.open_study(_uid("now")))()
    here(beside)
    reading = beside.ws.reading
    assert reading is not None
    assert len(reading.room.studies()[1]) == 21
    assert reading.room.hanging.matching_priors >= {p.study_instance_uid for p in older}
    assert len(steps) > 21
    assert max(steps) < LONGEST_S, sorted(steps)[-3:]
    assert DAYS["then"] > older[-1].study_datetime[:8]
