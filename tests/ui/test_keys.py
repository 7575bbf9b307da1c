"""The reader's own keys: changed on the sheet, without two commands on one key, and back; the window for the patient."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.domain.problem import ProblemError
from app.session.key_table import KeyTable, merged
from app.ui.reading.patient_window import PatientWindow, _shown
from app.ui.shortcut_sheet import ShortcutSheet, _Line
from app.ui.shortcuts import key_of, shipped, shortcuts, use_own_keys
from app.ui.watchdog import Watchdog
from app.viewer.primitives import Line, Role, Text
from tests.flows import stage
from tests.ui.conftest import Open, settle, settled


@pytest.fixture(autouse=True)
def shipped_keys() -> object:
    yield
    use_own_keys({})


def test_no_key_has_two_commands_in_one_place() -> None:
    table = shipped()
    everywhere = [k.casefold() for keys in table["everywhere"].values() for k in keys]
    for context, commands in table.items():
        keys = [k.casefold() for keys in commands.values() for k in keys]
        assert len(keys) == len(set(keys)), context
        if context not in ("everywhere", "worklist"):
            assert not set(keys) & set(everywhere), context


def test_a_taken_key_leaves_its_owner_and_a_restart_keeps_it(tmp_path: Path) -> None:
    with stage.stage(tmp_path / "home", None) as s:
        table = s.ws.keys
        assert table.set(shipped(), "reading", "invert", "L") == "tool_length"
        assert table.set(shipped(), "reading", "tool_length", "Ctrl+L") == ""
        for key in ("Esc", "?", "Ctrl+1"):
            with pytest.raises(ProblemError) as refused:
                table.set(shipped(), "reading", "invert", key)
            assert refused.value.problem.code == "keys.fixed"
    with stage.stage(tmp_path / "home", None) as s:
        use_own_keys(s.ws.keys.own())
        assert (key_of("reading", "invert"), key_of("reading", "tool_length")) == ("L", "Ctrl L")
        s.ws.keys.reset()
        assert s.ws.keys.own() == {}


def test_own_keys_of_commands_that_are_gone_are_left_out() -> None:
    out = merged({"reading": {"fit": ("0",)}}, {"reading": {"old": "X", "fit": "9"}, "gone": {"a": "b"}})
    assert out == {"reading": {"fit": ("9",)}}


class _Memory(KeyTable):
    def __init__(self) -> None:
        self.kept: dict = {}

    def own(self) -> dict:
        return {c: dict(k) for c, k in self.kept.items()}

    def _keep(self, own: dict) -> None:
        self.kept = own


def test_the_sheet_takes_the_next_key(open_window: Open) -> None:
    window = open_window()
    sheet = ShortcutSheet(window, _Memory())
    sheet.open()
    settle()
    line = next(x for x in sheet.findChildren(_Line) if x._shortcut.command == "invert")
    QTest.mouseClick(line, Qt.MouseButton.LeftButton)
    QTest.keyClick(line, Qt.Key.Key_Shift)
    QTest.keyClick(line, Qt.Key.Key_L)
    settle()
    by = {s.command: s.keys for s in shortcuts()["reading"]}
    assert by["invert"] == ("L",)
    assert by["tool_length"] == ()
    line = next(x for x in sheet.findChildren(_Line) if x._shortcut.command == "invert" and not x.isHidden())
    QTest.mouseClick(line, Qt.MouseButton.LeftButton)
    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert sheet.isVisible(), "Esc leaves the waiting line, not the page"
    sheet._reset()
    assert key_of("reading", "invert") == "I"
    sheet.leave()


def test_the_patient_sees_the_picture_and_no_names(open_window: Open) -> None:
    window = open_window()
    window.open_study("1.2.0")
    settled(lambda: window.screen_widget("reading").panes.idle())
    window.toggle_patient_window()
    settle()
    shown = window._windows.patient
    assert isinstance(shown, PatientWindow)
    assert settled(lambda: shown._image is not None)
    shown.resize(400, 300)
    assert not shown.grab().isNull()
    window.toggle_patient_window()
    settle()
    assert window._windows.patient is None
    assert _shown(Text(0, 0, "R", key="edge_left"))
    assert _shown(Line(0, 0, 1, 1, Role.MINE))
    for hidden in (Text(0, 0, "Name", key="identity"), Text(0, 0, "ID", key="patient_id"), Line(0, 0, 1, 1, Role.AI)):
        assert not _shown(hidden)


def test_the_watchdog_notes_what_holds_the_loop(open_window: Open) -> None:
    open_window()
    dog = Watchdog()
    dog.start()
    settle(0.1)
    total = 0
    for n in range(4_000_000):
        total += n
    settle(0.1)
    dog.stop()
    assert total > 0
    assert dog.longest_own_ms > 30.0
    assert dog.longest_ms >= dog.longest_own_ms * 0.9
