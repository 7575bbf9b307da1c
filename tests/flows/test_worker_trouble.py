"""The second reader dies, runs out of memory or says NaN: the interface goes on, says so, and the retry works."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer

from app.demo import Demo
from app.domain.finding import ReadState
from app.domain.messages import LANGUAGES, sentence
from app.domain.ports import SilentProgress
from app.domain.problem import Problem
from app.domain.verdict import Overall
from app.session.importing import import_paths
from app.session.views import AiState
from app.store.sealed import SealState
from app.ui.i18n import tr, tr_problem
from app.ui.widgets.text import Text
from tests.flows import stage
from tests.flows.conftest import OpenDesk
from tests.flows.stage import Beacon, Watchdog

WAITING = (AiState.NO_READER, AiState.WAITING, AiState.RUNNING)
"""A study is planned beside the main thread: for a moment nobody reads it."""


def opened(demo: Demo, folder: Path) -> None:
    uid = stage.write_study(folder)
    demo.window.import_paths([folder])
    demo.until(lambda: not demo.workstation.tasks(), 30, "import")
    demo.window.open_study(uid)


def watch(demo: Demo) -> Watchdog:
    """Beats on the window's own event loop every 10 ms."""
    dog = Watchdog()
    timer = QTimer(demo.window)
    timer.timeout.connect(dog.beat)
    timer.start(10)
    return dog


@pytest.mark.parametrize(("how", "code"), [("kill", "ai.worker."), ("memory", "ai.run."), ("nan", "ai.run.")])
def test_trouble_is_told_and_the_retry_works(
    how: str, code: str, open_desk: OpenDesk, beacon: Beacon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beacon.misbehave(how)
    demo = open_desk(tmp_path / "home", beacon)
    dog = watch(demo)
    opened(demo, tmp_path / "dicom")
    dog.longest_s = 0.0  # building the screen is not the worker's doing
    reading = demo.workstation.reading
    assert reading is not None
    demo.until(lambda: reading.second_read().state not in WAITING, 60, "the failure")
    view = reading.second_read()
    assert view.state is AiState.FAILED
    assert view.problem is not None
    assert view.problem.code.startswith(code), view.problem.code
    for language in LANGUAGES:
        words = sentence(language, view.problem)
        assert words != view.problem.code
        assert "secret" not in words
    assert view.problem.next_step, "nobody says what to do"
    # the window lives: marks, pictures and lists still work
    demo.settle()
    assert reading.add_mark()
    demo.window.go("worklist")
    demo.window.go("reading")
    beats = dog.beats
    demo.pump(0.3)
    assert dog.beats > beats, "the event loop stands still"
    with capsys.disabled():
        print(f"\n  {how}: longest block of the main thread {dog.longest_s * 1000:.0f} ms", end="")

    # retry
    beacon.behave()
    reading.retry_read()
    demo.until(lambda: reading.second_read().state is AiState.SEALED, 60, "the retry")
    assert reading.second_read().problem is None
    reading.commit(Overall.FINDINGS)
    assert reading.second_read().total_ai == 4


def _panel_words(demo: Demo) -> str:
    return " · ".join(t.text() for t in demo.window.findChildren(Text) if t.isVisible())


def test_a_reader_that_refuses_the_images_is_not_taken_for_one_that_saw_nothing(
    open_desk: OpenDesk, beacon: Beacon, tmp_path: Path
) -> None:
    beacon.misbehave("refuse")
    demo = open_desk(tmp_path / "home", beacon)
    opened(demo, tmp_path / "dicom")
    reading = demo.workstation.reading
    assert reading is not None
    demo.until(lambda: reading.second_read().state is AiState.SEALED, 60, "the read")
    reason = tr_problem(Problem("ai.lung.no_volume", {}))
    assert not reading.second_read().said
    assert reason not in _panel_words(demo), "told before the first opinion"
    reading.commit(Overall.NOTHING)
    demo.settle()
    (said,) = reading.second_read().said
    assert (said.state, said.reader) == (ReadState.OUT_OF_SCOPE, "beacon")
    words = _panel_words(demo)
    assert reason in words
    assert tr("ui.read.did_not.out_of_scope") in words
    assert tr("ui.panel.nothing_read") in words
    assert tr("ui.panel.no_differences") not in words
    assert f"{tr('head.bleed_volume')}" in words


def test_a_worker_killed_from_outside_while_the_study_is_open(open_desk: OpenDesk, beacon: Beacon, tmp_path: Path) -> None:
    beacon.misbehave("slow")
    demo = open_desk(tmp_path / "home", beacon)
    opened(demo, tmp_path / "dicom")
    reading = demo.workstation.reading
    assert reading is not None
    client = demo.workstation._parts.client
    assert client is not None
    demo.until(lambda: (reading.second_read().fraction or 0.0) > 0.1, 60, "the reader at work")
    pid = client.worker_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    demo.until(lambda: reading.second_read().state is AiState.FAILED, 60, "the failure")
    beacon.behave()
    reading.retry_read()
    demo.until(lambda: reading.second_read().state is AiState.SEALED, 60, "the retry")


def test_a_read_that_was_cut_off_by_the_end_of_the_programme_is_taken_up_again(beacon: Beacon, tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    beacon.misbehave("slow")
    with stage.stage(tmp_path / "home", beacon) as s:
        s.bring(tmp_path / "dicom")
        s.until(lambda: (s.ws.reads.fraction(uid) or 0.0) > 0.1)
    beacon.behave()
    with stage.stage(tmp_path / "home", beacon) as s:
        s.read()
        assert [r.state for r in s.ws.reads.results(uid)] == [SealState.SEALED]


def test_a_reader_that_is_late_is_shown_when_it_comes(beacon: Beacon, tmp_path: Path) -> None:
    """Committed before the reader ended: its findings come, are recorded as revealed, and block the signature."""
    uid = stage.write_study(tmp_path / "dicom")
    beacon.misbehave("slow")
    with stage.stage(tmp_path / "home", beacon) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(uid)
        reading.commit(Overall.NOTHING)
        assert reading.second_read().total_ai == 0
        beacon.behave()
        s.read()
        s.until(lambda: reading.second_read().state is AiState.REVEALED)
        assert reading.second_read().total_ai == 4
        shown = s.ws.library.opinions.revealed(uid, s.ws.person.person_id)
        assert shown is not None
        assert shown.readers == ("beacon",)
        assert "report.blocked.unanswered" in [p.code for p in reading.report().blocked_by]


def test_a_study_that_nobody_planned_is_read_when_it_is_opened(beacon: Beacon, tmp_path: Path) -> None:
    """As after an import by the command line, or when the programme died before the readers were asked."""
    uid = stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        import_paths(s.ws.library, [tmp_path / "dicom"], SilentProgress())
        assert s.ws.reads.results(uid) == ()
    with stage.stage(tmp_path / "home", beacon) as s:
        assert s.ws.reads.results(uid) == ()
        s.ws.open_study(uid)
        s.read()
        assert [r.state for r in s.ws.reads.results(uid)] == [SealState.SEALED]
