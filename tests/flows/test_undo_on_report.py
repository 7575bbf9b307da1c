"""Undo through the real window: on the report by key and button, told where it is out of sight; a video by its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from app.demo import Demo
from app.ui.reading import image_out
from tests.flows.stage import write_study


@pytest.fixture
def demo(open_desk: Callable[..., Demo], tmp_path: Path) -> Demo:
    uid = write_study(tmp_path / "dicom")
    made = open_desk(tmp_path / "home", None)
    made.window.import_paths([tmp_path / "dicom"])
    made.until(lambda: made.workstation.last_import_summary() is not None, 30, "import")
    made.window.open_study(uid)
    made.settle()
    return made


def test_undo_on_the_report(demo: Demo) -> None:
    reading, window = demo.workstation.reading, demo.window
    assert reading is not None
    said: list[str] = []
    demo.workstation.notice.connect(lambda notice: said.append(notice.problem.code))
    reading.command("toggle_crosshair")
    window.go("report")
    report = window.screen_widget("report")
    section = reading.report().report.sections[0].section_id
    reading.add_line(section, "A line of my own.")
    demo.pump(0.1)
    QTest.keyClick(report, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert reading.report().report.sections[0].lines == ()
    QTest.mouseClick(report._forth, Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
    assert [line.text for line in reading.report().report.sections[0].lines] == ["A line of my own."]
    assert said == []
    for _ in range(2):
        QTest.mouseClick(report._back, Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
    assert said == ["undo.elsewhere.reading"]
    assert reading.room.crosshair
    reading.redo()
    reading.redo()
    window.go("reading")
    QTest.keyClick(window.screen_widget("reading"), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert said[-1] == "undo.elsewhere.report"


def test_a_video_by_key_gets_the_ending_that_was_chosen(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "loop"), "AVI, Motion JPEG (*.avi)"))
    window = demo.window
    QTest.keyClick(window.screen_widget("reading"), Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    demo.until(lambda: not demo.workstation.tasks(), 60, "video")
    assert (tmp_path / "loop.avi").read_bytes()[:4] == b"RIFF"
    said: list[str] = []
    demo.workstation.notice.connect(lambda notice: said.append(notice.problem.code))
    reading = demo.workstation.reading
    assert reading is not None
    reading.command("volume_view")
    image_out.run("save_video", demo.workstation, reading, (400, 300), window)
    assert said[-1] == "video.one_image"
