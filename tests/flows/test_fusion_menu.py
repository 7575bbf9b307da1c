"""Through the window: a series laid over another from the row of tools and by keys; the large chart of time curves."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QApplication, QMenu

from app.demo import Demo
from app.domain.volume import Volume
from app.session.reading_session import ReadingSession
from app.ui.reading.fusion_menu import fusion_menu
from app.ui.reading.heatmap_card import Slider
from app.ui.reading.time_curve_sheet import TimeCurveSheet
from app.viewer.view_state import Plane
from tests.flows.conftest import OpenDesk
from tests.flows.test_cine import opened, press, texts
from tests.session.test_fusion import GRID, _as_pet, uptake, write
from tests.session.test_time_curves import PASSES, _ellipse, write_passes


def entries(menu: QMenu) -> list[tuple[str, bool]]:
    return [(a.text().split("\t")[0], a.isChecked()) for a in menu.actions() if a.text()]


def pet_ct(open_desk: OpenDesk, tmp_path: Path) -> tuple[Demo, ReadingSession]:
    write(tmp_path / "dicom", Volume(np.full(GRID.shape, 40, np.int16), GRID, "HU"), "ct", 2)
    write(tmp_path / "dicom", uptake(), "pet", 5, _as_pet)
    demo, reading = opened(open_desk, tmp_path)
    reading.set_layout("1x1")
    ct = next(d for d in reading.room.content.sets() if d.modality == "CT")
    reading.put_in_pane("pane-0", ct.display_set_id)
    reading.room.change_view(plane=Plane.AXIAL, point_mm=GRID.to_patient((4.0, 20.0, 22.0)))
    demo.settle()
    return demo, reading


def test_the_menu_lays_a_series_over_and_changes_its_look(open_desk: OpenDesk, tmp_path: Path) -> None:
    demo, reading = pet_ct(open_desk, tmp_path)
    tools = demo.window.screen_widget("reading").tools
    demo.until(tools.fusion.isVisible, 10, "the button")
    assert not tools.fusion.isChecked()
    desk = reading.room.fusion
    menu = fusion_menu(desk, tools)
    assert entries(menu) == [("Lay over this pane", False), ("PT Se 5 · Generated pet", False), ("Nothing over it", True)]
    menu.actions()[1].trigger()
    demo.until(lambda: "Over it: PT Se 5, 0.0 to 5.0 SUVbw" in texts(demo, "pane-0").values(), 20, "the overlay")
    assert tools.fusion.isChecked()
    assert "Fused" in texts(demo, "pane-0").values()
    tools._open_fusion()
    (shown,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMenu) and w.isVisible()]
    colours, windows = (a.menu() for a in shown.actions() if a.menu() is not None)
    assert [e for e in entries(windows) if e[1]] == [("PET SUV 0–5", True)]
    assert [name for name, on in entries(colours) if on] == ["Hot iron"]
    next(a for a in colours.actions() if a.text().startswith("Viridis")).trigger()
    (slider,) = shown.findChildren(Slider)
    assert slider.accessibleName() == "Opacity 0.60"
    slider.moved.emit(0.35)
    shown.close()
    look = reading.room.pane("pane-0").over.appearance
    assert (look.lut, look.opacity) == ("viridis", 0.35)
    press(demo, "fuse_window")
    demo.until(lambda: "Over it: PT Se 5, 0.0 to 10.0 SUVbw" in texts(demo, "pane-0").values(), 10, "the next window")
    press(demo, "fuse_off")
    assert reading.room.pane("pane-0").over is None
    demo.until(lambda: not tools.fusion.isChecked(), 10, "the button")


def test_the_large_chart_opens_by_key_and_saves_its_numbers(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_passes(tmp_path / "dicom")
    demo, reading = opened(open_desk, tmp_path)
    reading.set_layout("1x1")
    first = next(d for d in reading.room.content.sets() if d.moment is not None and d.moment.number == 1)
    reading.put_in_pane("pane-0", first.display_set_id)
    demo.settle()
    said: list[str] = []
    demo.workstation.notice.connect(lambda notice: said.append(notice.problem.code))
    press(demo, "time_curve")
    assert said == ["time_curve.no_region"]
    assert demo.window.findChildren(TimeCurveSheet) == []
    size = demo.window.screen_widget("reading").panes.panes["pane-0"].device_size()
    _ellipse(reading, size)
    press(demo, "time_curve")
    (sheet,) = demo.window.findChildren(TimeCurveSheet)

    def whole() -> bool:
        return bool(sheet.chart.courses) and None not in sheet.chart.courses[0].curve.values

    demo.until(whole, 20, "all moments")
    assert sheet.chart.courses[0].curve.values == PASSES
    assert sheet.chart.accessibleName() == "Time curves, Region 1"
    assert not sheet.chart.grab().isNull()
    sheet.scale.chosen.emit(True)
    sheet.save(tmp_path / "curves.csv")
    lines = list(csv.DictReader((tmp_path / "curves.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [float(line["mean"]) for line in lines] == list(PASSES)
    assert said[-1] == "capture.saved"
    sheet.save(tmp_path / "no such folder" / "curves.csv")
    assert said[-1] == "capture.not_saved"
    sheet.leave()
    demo.pump(0.05)
    reading.select_finding("")
