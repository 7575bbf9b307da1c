"""Copying a 3D picture: it is made beside the main thread, and the clipboard has it when it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.ui.reading import image_out
from app.ui.reading.crop_panel import CropPanel
from app.viewer.volume_engine import fine
from tests.flows import stage
from tests.flows.stage import Stage


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def test_a_copy_in_3d_lets_the_event_loop_run_and_arrives(desk: Stage, qtbot: QtBot) -> None:
    reading = desk.ws.open_study(desk.row().study_instance_uid)  # type: ignore[attr-defined]
    reading.set_layout("1x1")
    reading.command("volume_view")
    desk.until(lambda: reading.picture_request("pane-0", 300, 300)().pixels is not None)
    parent = QWidget()
    qtbot.addWidget(parent)
    QGuiApplication.clipboard().clear()
    ticks: list[int] = []
    timer = QTimer(parent)
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(5)
    assert fine.child.lock.acquire(timeout=30)  # a long picture is being cast
    try:
        image_out.run("copy_image_identified", desk.ws, reading, (600, 500), parent)
        qtbot.waitUntil(lambda: len(ticks) > 5, timeout=20_000)
        assert QGuiApplication.clipboard().image().isNull()
    finally:
        fine.child.lock.release()
    qtbot.waitUntil(lambda: not QGuiApplication.clipboard().image().isNull(), timeout=60_000)
    image = QGuiApplication.clipboard().image()
    assert (image.width(), image.height()) == (600, 500)
    assert "capture.copied_identified" in desk.notices


def test_numbers_move_the_sides_of_the_box(desk: Stage, qtbot: QtBot) -> None:
    reading = desk.ws.open_study(desk.row().study_instance_uid)  # type: ignore[attr-defined]
    reading.set_layout("1x1")
    reading.command("crop_box")
    assert not reading.room.pane("pane-0").view.crop_box, "slices have no box"
    reading.command("volume_view")
    desk.until(lambda: reading.picture_request("pane-0", 300, 300)().pixels is not None)
    reading.command("crop_box")
    view = reading.room.pane("pane-0").view
    assert view.crop_box
    assert view.zoom < 1.0
    panel = CropPanel(reading.room)
    qtbot.addWidget(panel)
    left = panel._fields[1]
    assert left.value() == 0.0
    left.stepUp()
    one_voxel = left.value()
    assert one_voxel == pytest.approx(left.singleStep(), abs=0.06)
    left.setValue(left.maximum())
    crop = reading.room.pane("pane-0").view.crop
    assert 0.0 < crop[1] < 0.2, "never past the other side"
    assert crop[0] == 0.0
    assert panel._fields[0].value() == 0.0
