"""Measuring a display through the window: 18 levels by the keyboard, the verdict while typing, the log that stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from app.domain.problem import ProblemError
from app.session.display_log import DRIFT, DisplayLog
from app.ui.display_check import DisplayCheck
from app.ui.display_measure import DisplayMeasure, line_words
from app.viewer.gsdf import wanted_luminances
from app.viewer.gsdf_fit import LEVELS, Grade
from tests.flows import stage
from tests.flows.conftest import OpenDesk
from tests.flows.test_spoken_names import controls, spoken

GOOD = [round(float(v), 3) for v in wanted_luminances(0.5, 350.0)]


def test_eighteen_levels_by_the_keyboard(tmp_path: Path, open_desk: OpenDesk) -> None:
    demo = open_desk(tmp_path / "home", None)
    demo.workstation.set_language("ru")
    demo.window.show_display_check()
    demo.pump(0.05)
    check = demo.window.findChild(DisplayCheck)
    check._measure()
    demo.pump(0.05)
    sheet = demo.window.findChild(DisplayMeasure)
    assert all(spoken(c) for c in controls(sheet)), "a screen reader names every control"
    for n, value in enumerate(GOOD):
        edit = sheet.fields[n].edit
        assert edit.hasFocus()
        assert sheet.patch.level == LEVELS[n]
        QTest.keyClicks(edit, str(value).replace(".", ","))
        QTest.keyClick(edit, Qt.Key.Key_Return)
    assert sheet.ambient.edit.hasFocus()
    assert "AAPM TG18, primary" in sheet._said.text()
    QTest.keyClicks(sheet.ambient.edit, "0,2")
    QTest.keyClick(sheet.ambient.edit, Qt.Key.Key_Return)
    demo.pump(0.05)
    (kept,) = demo.workstation.display.measured.of()
    assert kept.luminances_cd_m2 == tuple(GOOD)
    assert kept.ambient_cd_m2 == 0.2
    assert kept.fit.grade is Grade.PRIMARY
    sheet.fields[5].set_text("1")
    assert "75" in sheet._said.text(), "a level that is darker than the one before is named"
    assert not demo.window.findChildren(QPushButton), "nothing asks for a confirmation"
    sheet.leave()
    demo.pump(0.05)
    shown = [check._log.itemAt(n).widget().text() for n in range(check._log.count())]
    assert line_words(kept) in shown


def test_the_log_holds_later_measurements_against_the_first(tmp_path: Path) -> None:
    with stage.stage(tmp_path / "home", None) as s:
        log = s.ws.display.measured
        first = log.add("A", GOOD, 0.0)
        assert first.drift is None
        assert first.passed
        log.add("B", [v * 0.9 for v in GOOD], 0.0)
        faded = log.add("A", [v * 0.85 for v in GOOD], 0.0)
        assert faded.drift == pytest.approx(-0.15)
        assert abs(faded.drift) > DRIFT
        assert faded.fit.grade is Grade.PRIMARY
        assert not faded.passed, "it has faded, though its curve still fits"
        with pytest.raises(ProblemError):
            log.add("A", GOOD[::-1], 0.0)
    with stage.stage(tmp_path / "home", None) as s:
        log = s.ws.display.measured
        assert [m.screen for m in log.of()] == ["A", "B", "A"]
        assert [m.drift for m in log.of("A")] == [pytest.approx(-0.15), None]
        assert log.of("B")[0].drift is None
        person = s.ws.person.person_id
        assert {m.person for m in log.of()} == {person}
        short = DisplayLog(s.ws.library, person)._shortened([{"screen": "A", "n": n} for n in range(300)])
        assert short[0]["n"] == 0, "what the others are held against stays"
        assert len(short) == 201
