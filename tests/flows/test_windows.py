"""The panes over two windows, the patient's window, and where they stood when the programme ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtTest import QTest

from app.session.comforts import Comforts
from app.session.window_places import Monitor, Rect
from app.ui import window_places
from app.ui.reading.spread import halves
from app.viewer.layouts import layout_cells
from tests.flows import stage
from tests.flows.conftest import OpenDesk


@dataclass(frozen=True)
class Box:
    pane_id: str
    x: float
    y: float
    w: float
    h: float


def filled(boxes: tuple[Box, ...]) -> float:
    return sum(b.w * b.h for b in boxes)


@pytest.mark.parametrize(
    ("name", "left", "right"), [("1x2", 1, 1), ("2x2", 2, 2), ("1+3", 1, 3), ("1x1", 1, 0), ("2x1", 2, 0)]
)
def test_a_layout_parts_over_two_monitors(name: str, left: int, right: int) -> None:
    boxes = tuple(Box(f"pane-{n}", *b) for n, b in enumerate(layout_cells(name)))
    first, second = halves(boxes)
    assert (len(first), len(second)) == (left, right)
    assert {b.pane_id for b in (*first, *second)} == {b.pane_id for b in boxes}
    for side in (first, second):
        assert not side or filled(side) == pytest.approx(1.0)
        assert all(b.x >= -1e-9 and b.x + b.w <= 1 + 1e-9 for b in side)


def test_a_box_over_the_cut_keeps_the_layout_together() -> None:
    wide = (Box("a", 0, 0, 0.9, 0.5), Box("b", 0.5, 0.5, 0.5, 0.5))
    assert halves(wide) == (wide, ())


def opened(open_desk: OpenDesk, tmp_path: Path) -> object:
    uid = stage.write_study(tmp_path / "dicom")
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: demo.workstation.last_import_summary() is not None, 30.0, "the import")
    demo.pump(0.2)
    demo.window.open_study(uid)
    demo.workstation.reading.set_layout("1x2")
    demo.until(lambda: demo.window.screen_widget("reading").is_settled() and not demo.workstation.busy(), 30.0, "images")
    return demo


def test_the_right_panes_stand_and_work_in_a_window_of_their_own(tmp_path: Path, open_desk: OpenDesk) -> None:
    demo = opened(open_desk, tmp_path)
    window, reading = demo.window, demo.workstation.reading
    grid = window.screen_widget("reading").panes
    whole = {p: v.device_size() for p, v in grid.panes.items()}
    QTest.keyClick(window, Qt.Key.Key_F10, Qt.KeyboardModifier.ControlModifier)
    demo.pump(0.1)
    second = window._windows.spread
    assert second is not None
    assert grid.is_spread
    assert [grid.panes[p].window() for p in ("pane-0", "pane-1")] == [window, second]
    assert grid.panes["pane-1"].size() == second.size()
    assert grid.panes["pane-0"].device_size()[0] > 1.9 * whole["pane-0"][0]
    demo.until(lambda: grid.idle() and grid.panes["pane-1"].picture.pixels is not None, 20.0, "the picture")
    demo.pump(0.1)
    pane = grid.panes["pane-1"]
    assert pane.picture.pixels.shape[:2][::-1] == pane.device_size()
    QTest.mouseClick(pane, Qt.MouseButton.LeftButton)
    assert reading.layout().active == "pane-1"
    before = reading.room.pane("pane-1").view.invert
    QTest.keyClick(pane, Qt.Key.Key_I)
    assert reading.room.pane("pane-1").view.invert is not before, "keys work there as here"
    reading.set_layout("2x2")
    demo.pump(0.1)
    assert sum(p.window() is second for p in grid.panes.values()) == 2
    reading.set_layout("1x1")
    demo.pump(0.1)
    assert not grid.is_spread
    reading.set_layout("1x2")
    demo.pump(0.1)
    second.close()
    demo.pump(0.1)
    assert window._windows.spread is None
    assert all(p.window() is window for p in grid.panes.values())


def test_windows_come_back_where_they_stood_on_these_monitors(
    tmp_path: Path, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [Monitor("A", Rect(0, 0, 1920, 1040)), Monitor("B", Rect(1920, 0, 1600, 1200))]
    now = list(sets)
    monkeypatch.setattr(window_places, "monitors", lambda: tuple(now))
    demo = opened(open_desk, tmp_path)
    window = demo.window
    window.toggle_patient_window()
    window._windows.patient.setGeometry(QRect(2000, 60, 640, 480))
    demo.pump(0.05)
    window.toggle_patient_window()
    demo.pump(0.05)
    window.toggle_patient_window()
    assert window._windows.patient.geometry() == QRect(2000, 60, 640, 480)
    now.pop()
    window._windows._placer._changed(None)
    assert sets[0].area.width >= window._windows.patient.geometry().right(), "its monitor is gone: it comes to the main one"
    now.append(sets[1])
    window._windows._placer._changed(None)
    assert window._windows.patient.geometry() == QRect(2000, 60, 640, 480), "and back with it"
    window.stand()
    window.showNormal()
    window.setGeometry(30, 40, 1200, 700)
    window.close()
    demo.pump(0.05)
    kept = window_places.WindowPlaces(Comforts(tmp_path / "home")).kept("main", tuple(now))
    assert kept is not None
    assert kept.area == Rect(30, 40, 1200, 700)
