"""Three cases read whole without a mouse: list, images, measurement, mark, first opinion, verdicts, report, signature."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu

from app.demo import Demo
from app.domain.verdict import Decision, ImageQuality, Overall
from app.samples.catalogue import SampleStudy, write_samples
from app.session.views import AiState
from app.session.wiring import DEMO_PIN
from app.ui.reading.modify_form import ModifyForm
from app.ui.widgets.segments import Segments
from tests.flows import stage
from tests.flows.by_keys import Keyboard, MouseCounter
from tests.flows.conftest import OpenDesk
from tests.flows.stage import BALLS, Beacon


@functools.cache
def _samples(folder: Path) -> dict[str, SampleStudy]:
    return {s.key: s for s in write_samples(folder, small=True)}


@pytest.fixture
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SampleStudy]:
    return _samples(tmp_path_factory.getbasetemp() / "small-samples")


@pytest.fixture
def mice() -> Iterator[MouseCounter]:
    QApplication.instance() or QApplication([])
    made = MouseCounter()
    yield made
    made.end()


def bring(demo: Demo, *folders: Path) -> None:
    """The paths of the command line: the system's own file dialog is not ours to test."""
    demo.window.import_paths(list(folders))
    demo.until(lambda: not demo.workstation.tasks(), 60, "import")
    demo.pump(0.1)


def open_by_name(keys: Keyboard, uid: str, letters: str) -> None:
    """Search, down to the list, Return."""
    demo = keys.demo
    keys.press("/")
    keys.type(letters)
    demo.pump(0.3)
    keys.press("Down")
    rows = demo.window.worklist.table.list
    for _ in range(8):
        if rows.current_key() == uid:
            break
        keys.press("Down")
    assert rows.current_key() == uid
    keys.press("Return")
    assert demo.window.screen == "reading"
    assert keys.reading.study.study_instance_uid == uid
    demo.settle()


def look_around(keys: Keyboard) -> None:
    """Next image, the window, zoom by rule, back."""
    room = keys.reading.room
    keys.press("I")
    assert room.pane(room.active).view.invert
    keys.press("I", "Right", "Left", "Ctrl+R")
    assert not room.pane(room.active).view.invert
    keys.press("Shift+Return")
    assert sum(p.isVisible() for p in keys.demo.window.screen_widget("reading").panes.panes.values()) == 1
    keys.press("Shift+Return")
    keys.demo.settle()


def mark_by_measure(keys: Keyboard) -> str:
    """A length through the middle of the active pane, made a finding."""
    width, height = keys.pane().device_size()
    keys.measure((width / 2 - 30, height / 2), (width / 2 + 30, height / 2 + 8))
    assert len(keys.reading.desk.marks) == 1, "nothing was drawn"
    keys.press("F")
    mine = keys.reading.desk.own_findings()
    assert len(mine) == 1
    return mine[0].finding_id


def sign(keys: Keyboard, uid: str) -> None:
    """Ctrl+Return to the report, the PIN, Ctrl+Return; then the tray."""
    demo = keys.demo
    keys.press("Ctrl+3")
    assert demo.window.screen == "report"
    demo.settle()
    assert [p.code for p in keys.reading.report().blocked_by] == []
    keys.press("Ctrl+Return")
    focus = demo.window.focusWidget()
    assert isinstance(focus, QLineEdit)
    assert focus.accessibleName() == "PIN"
    keys.type(DEMO_PIN)
    keys.press("Return")
    demo.until(lambda: not demo.workstation.tasks(), 60, "signature")
    assert demo.workstation.library.reports.latest(uid) is not None
    keys.press("Ctrl+4")
    assert demo.window.screen == "tray"
    keys.press("Ctrl+1")
    assert demo.window.screen == "worklist"


def test_a_chest_ct(open_desk: OpenDesk, beacon: Beacon, mice: MouseCounter, tmp_path: Path) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    demo = open_desk(tmp_path / "home", beacon)
    keys = Keyboard(demo)
    bring(demo, tmp_path / "dicom")
    open_by_name(keys, uid, "Сер")
    reading, room = keys.reading, keys.reading.room
    before = room.pane(room.active).view.frame_index
    keys.press("Down", "Down", "PgDown", "Home", "End", "Up")
    assert room.pane(room.active).view.frame_index != before
    keys.press("2")
    look_around(keys)
    # To the first ball by the cross of the crosshair tool, then across it by the length tool.
    room.show_point(BALLS[0])
    demo.settle()
    context = room.context(room.active)
    assert context is not None
    x, y, *_ = context.resolved.patient_to_pane(BALLS[0])
    half = 3.4 / (context.resolved.mm_per_pane_px or 1.0)
    keys.measure((x - half, y), (x + half, y))
    assert len(reading.desk.marks) == 1
    keys.press("F")
    long_axis = reading.desk.own_findings()[0].measured("long_axis")
    assert long_axis is not None
    assert long_axis.value == pytest.approx(6.8, abs=0.9)
    demo.until(lambda: reading.second_read().state is AiState.SEALED, 60, "second read")
    keys.press("Ctrl+Return")
    view = reading.second_read()
    assert (view.state, view.total_ai, len(view.agreed)) == (AiState.REVEALED, 4, 1)
    demo.settle()
    # N goes to what waits; A, M, R answer it.
    keys.press("N")
    first = reading.selected_finding
    keys.press("A")
    keys.press("N", "M")
    second = reading.selected_finding
    field = demo.window.focusWidget()
    assert isinstance(field, QLineEdit), "the form does not take the focus"
    assert any(form.isAncestorOf(field) for form in demo.window.findChildren(ModifyForm))
    field.selectAll()
    keys.type("11")
    keys.press("Return")
    demo.pump(0.1)
    keys.press("N", "R")
    third = reading.selected_finding
    assert isinstance(QApplication.activePopupWidget(), QMenu)
    keys.press("Down", "Return")
    keys.press("N")
    fourth = reading.selected_finding
    keys.press("A")
    given = {f: reading.desk.verdicts[f].decision for f in (first, second, third, fourth)}
    assert sorted(d.value for d in given.values()) == ["accepted", "accepted", "modified", "rejected"]
    assert given[second] is Decision.MODIFIED
    assert given[third] is Decision.REJECTED
    assert reading.second_read().unanswered == 0
    sign(keys, uid)
    assert mice.seen == 0


def test_a_mammogram(open_desk: OpenDesk, samples: dict[str, SampleStudy], mice: MouseCounter, tmp_path: Path) -> None:
    now, prior = samples["mammogram"], samples["mammogram_prior"]
    demo = open_desk(tmp_path / "home", None)
    keys = Keyboard(demo)
    bring(demo, prior.folder, now.folder)
    open_by_name(keys, now.study_instance_uid, now.patient.name.display()[:3])
    reading = keys.reading
    look_around(keys)
    # Stage after stage, as a breast screening is read.
    stages = reading.hanging_stage()[1]
    assert stages > 1
    for number in range(2, stages + 1):
        keys.press("]")
        assert reading.hanging_stage()[0] == number
    keys.press(*["["] * (stages - 1))
    demo.settle()
    mark_by_measure(keys)
    keys.press("Ctrl+Return")
    opinion = reading.first_opinion()
    assert opinion is not None
    assert (opinion.overall, len(opinion.marks)) == (Overall.FINDINGS, 1)
    demo.until(lambda: not reading.report().blocked_by, 30, "report")
    sign(keys, now.study_instance_uid)
    assert mice.seen == 0


def test_a_panoramic_film(open_desk: OpenDesk, samples: dict[str, SampleStudy], mice: MouseCounter, tmp_path: Path) -> None:
    film = samples["panoramic"]
    demo = open_desk(tmp_path / "home", None)
    keys = Keyboard(demo)
    bring(demo, film.folder)
    open_by_name(keys, film.study_instance_uid, film.patient.name.display()[:3])
    reading = keys.reading
    assert reading.teeth is not None
    assert reading.teeth.available
    look_around(keys)
    mark_by_measure(keys)
    # The chart: Tab to it, arrows to a tooth, Return for its states.
    chart = demo.window.screen_widget("reading").teeth
    keys.tab_to(lambda w: chart is w or chart.isAncestorOf(w))
    keys.press("Right", "Right", "Return")
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    keys.press("Down", "Return")
    demo.pump(0.1)
    assert reading.teeth.selected
    assert reading.teeth.states_of(reading.teeth.selected)
    keys.press("Ctrl+2")
    keys.tab_to(lambda w: isinstance(w, Segments) and w.value() is ImageQuality.DIAGNOSTIC)
    keys.press("Right")
    keys.press("Ctrl+Return")
    opinion = reading.first_opinion()
    assert opinion is not None
    assert opinion.quality is not ImageQuality.DIAGNOSTIC
    demo.until(lambda: not reading.report().blocked_by, 30, "report")
    sign(keys, film.study_instance_uid)
    assert mice.seen == 0
