"""The tooth chart as a widget: cells, menu, what is painted where."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.domain.teeth import PERMANENT
from app.session.teeth_desk import STATES, ChartEntry, ChartTooth
from app.ui.chairside.odontogram import Chart
from app.ui.chairside.tooth_paths import placed, surface_polygon, tooth_path
from app.ui.theme import use_theme, verdict_height


class Desk(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(selected=0, said=[])
        self.teeth = {n: ChartTooth(n) for n in PERMANENT}
        self.teeth[36] = ChartTooth(36, (ChartEntry("1", "filled_tooth", "ai_accepted", "OD"),), 0.9)
        self.teeth[46] = ChartTooth(46, (ChartEntry("2", "caries", "mine", "M"),))
        self.teeth[28] = ChartTooth(28, (ChartEntry("3", "missing_tooth", "ai_pending"),))

    def chart(self) -> tuple[ChartTooth, ...]:
        return tuple(self.teeth[n] for n in PERMANENT)

    def select(self, fdi: int) -> None:
        self.selected = fdi

    def states_of(self, fdi: int) -> dict[str, ChartEntry]:
        return {e.kind: e for e in self.teeth[fdi].entries if e.origin == "mine"}

    def toggle(self, fdi: int, kind: str) -> None:
        self.said.append((fdi, kind))

    def toggle_surface(self, fdi: int, surface: str) -> None:
        self.said.append((fdi, surface))


@pytest.fixture
def chart(qapp: QApplication) -> Chart:
    made = Chart()
    made.resize(1000, 200)
    made.show_teeth(Desk())  # type: ignore[arg-type]
    return made


def test_every_tooth_has_its_own_cell_as_one_faces_the_patient(chart: Chart) -> None:
    for fdi in PERMANENT:
        middle = chart.cell(fdi).center()
        assert chart.tooth_at(middle.x(), middle.y()) == fdi
        assert chart.cell(fdi).width() >= 44, "a finger hits it"
    assert chart.cell(18).left() < chart.cell(11).left() < chart.cell(21).left()
    assert chart.cell(11).top() < chart.cell(41).top()
    assert chart.tooth_at(3, 100) == 0


def test_a_tap_selects_and_the_menu_enters_states(chart: Chart) -> None:
    desk = chart._desk
    QTest.mouseClick(chart, Qt.MouseButton.LeftButton, pos=chart.cell(46).center().toPoint())
    assert desk is not None
    assert desk.selected == 46
    actions = chart.menu(46).actions()
    states = actions[1 : 1 + len(STATES)]
    assert [not a.icon().isNull() for a in states] == [k == "caries" for k in STATES]
    states[STATES.index("implant")].trigger()
    actions[-1].trigger()
    assert desk.said == [(46, "implant"), (46, "L")]  # type: ignore[attr-defined]


def test_the_chart_names_what_it_shows_and_paints_it(chart: Chart) -> None:
    assert "36" in chart.accessibleName()
    assert "28" in chart.accessibleName()
    shown = chart.grab().toImage()
    blank = Chart()
    blank.resize(1000, 200)
    other = blank.grab().toImage()
    changed = {
        fdi
        for fdi in PERMANENT
        for dx in range(-20, 21, 2)
        for dy in range(-40, 41, 2)
        if shown.pixel(at := chart.cell(fdi).center().toPoint() + QPoint(dx, dy)) != other.pixel(at)
    }
    assert changed == {36, 46, 28}


def test_mesial_looks_to_the_midline_and_roots_away_from_the_middle() -> None:
    box = QRectF(0, 0, 30, 30)
    for fdi, side in ((16, 1), (26, -1), (46, 1), (36, -1)):
        assert (surface_polygon("M", fdi, box).boundingRect().center().x() - 15) * side > 0
        assert (surface_polygon("D", fdi, box).boundingRect().center().x() - 15) * side < 0
    for fdi, up in ((16, True), (36, False)):
        crown, roots = (placed(p, fdi, box).boundingRect().center().y() for p in tooth_path(fdi))
        assert (roots < crown) == up
        assert (surface_polygon("V", fdi, box).boundingRect().center().y() < 15) == up


def test_the_answers_are_as_large_as_a_finger_in_the_light(qapp: QApplication) -> None:
    assert verdict_height() == 36
    use_theme("light")
    try:
        assert verdict_height() == 44
    finally:
        use_theme("dark")
