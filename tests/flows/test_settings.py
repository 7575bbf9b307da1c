"""The settings sheet by keyboard and mouse, over a real workstation; another size of the interface in a running window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from app.dicom.memory_budget import shared_budget
from app.ui.mouse import bindings, use_mouse
from app.ui.settings.mouse import MouseSection
from app.ui.settings.sheet import SettingsSheet, _Password
from app.ui.shortcut_sheet import ShortcutSheet, _Gesture
from tests.flows import stage
from tests.flows.conftest import OpenDesk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def as_before() -> object:
    before = shared_budget.ceiling_bytes
    yield
    shared_budget.set_ceiling(before)
    use_mouse({})


def pick(select: object, number: int) -> None:
    """By the keyboard: opens the list and takes its n-th line."""
    select.setFocus()
    QTest.keyClick(select, Qt.Key.Key_Space)
    menu = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMenu) and w.isVisible())
    for _ in range(number + 1):
        QTest.keyClick(menu, Qt.Key.Key_Down)
    QTest.keyClick(menu, Qt.Key.Key_Return)


def test_language_memory_and_mouse_by_the_keyboard(tmp_path: Path, open_desk: OpenDesk) -> None:
    demo = open_desk(tmp_path / "home", None)
    window, ws = demo.window, demo.workstation
    QTest.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    demo.pump(0.05)
    sheet = window.findChild(SettingsSheet)
    assert sheet is not None
    assert sheet._language.hasFocus()
    before = ws.language
    QTest.keyClick(sheet._language, Qt.Key.Key_Left if before == "en" else Qt.Key.Key_Right)
    demo.pump(0.05)
    assert ws.language != before
    assert window.findChild(SettingsSheet) is sheet, "the sheet stays, in the other language"
    pick(sheet._memory, 1)
    demo.pump(0.05)
    assert ws.settings.memory().ceiling_gb == 2.0
    assert ws.settings.memory().own
    section = sheet.findChild(MouseSection)
    assert not section.selects["left"].isEnabled()
    names = [name for name, _ in section._offered("Shift+right")]
    pick(section.selects["Shift+right"], names.index("length"))
    demo.pump(0.05)
    assert bindings()["Shift+right"] == "length"
    assert ws.settings.mouse.own() == {"Shift+right": "length"}
    keys = ShortcutSheet(window, ws.keys)
    shown = [(g._name, g._tool) for g in keys.findChildren(_Gesture)]
    assert ("Shift+right", "length") in shown
    keys.deleteLater()
    left = []
    sheet.closed.connect(lambda: left.append(True))
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert left


def test_every_control_is_reached_by_tab_and_scrolled_into_sight(tmp_path: Path, open_desk: OpenDesk) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "site.toml").write_text(
        '[[target]]\nname = "pacs"\nkind = "dicomweb"\nurl = "http://127.0.0.1:9/x"\nusername = "u"\n', encoding="utf-8"
    )
    demo = open_desk(home, None)
    demo.window.resize(960, 540)
    demo.window.show_settings()
    demo.pump(0.05)
    sheet = demo.window.findChild(SettingsSheet)
    reached = []
    for _ in range(60):
        now = QApplication.focusWidget()
        if now in reached:
            break
        reached.append(now)
        if sheet._scroll.isAncestorOf(now):
            assert now.accessibleName().strip(), type(now).__name__
            place = now.mapTo(sheet._scroll.viewport(), now.rect().center())
            assert sheet._scroll.viewport().rect().contains(place)
        QTest.keyClick(now, Qt.Key.Key_Tab)
        demo.pump(0.005)
    section = sheet.findChild(MouseSection)
    enabled = [s for s in section.selects.values() if s.isEnabled()]
    password = sheet.findChild(_Password)
    assert {*enabled, sheet._language, sheet.size_choice, sheet._memory, password.field.edit} <= set(reached)
    QTest.keyClicks(password.field.edit, "sesame")
    QTest.keyClick(password.field.edit, Qt.Key.Key_Return)
    demo.pump(0.02)
    assert demo.workstation.settings.passwords()[0].kept
    assert password.field.text() == ""


def test_what_the_site_has_fixed_cannot_be_touched(tmp_path: Path, open_desk: OpenDesk) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "site.toml").write_text(
        '[interface]\ntext_percent = 125\nlanguage = "ru"\n[memory]\nceiling_gb = 3\n[mouse]\nfixed = true\n',
        encoding="utf-8",
    )
    demo = open_desk(home, None)
    demo.window.show_settings()
    demo.pump(0.05)
    sheet = demo.window.findChild(SettingsSheet)
    assert not any(c.isEnabled() for c in (sheet._language, sheet.size_choice, sheet._memory))
    assert not any(s.isEnabled() for s in sheet.findChild(MouseSection).selects.values())


def test_another_size_at_once_with_the_study_left_open(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    command = [
        sys.executable,
        "-m",
        "tests.flows.rescaled",
        str(tmp_path / "home"),
        str(tmp_path / "dicom"),
        "200",
        "150",
        "100",
    ]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    environment.pop("QT_SCALE_FACTOR", None)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert [s["ratio"] for s in told["seen"]] == [1.0, 2.0, 1.5, 1.0]
    assert {s["screen"] for s in told["seen"]} == {"reading"}
    assert {s["layout"] for s in told["seen"]} == {"1x2"}
    assert all(s["pane"][:2] == s["pane"][2:] for s in told["seen"]), "images keep the pixels of the screen"
    assert [s["sheet"] for s in told["seen"][1:]] == [["SettingsSheet"]] * 3, "one can go on choosing"
    assert told["called"], "what threads posted meanwhile was called, once and in order"
