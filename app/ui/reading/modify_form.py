"""Accepting a finding with the reader's own region, composition or sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QDoubleValidator, QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.domain.measurement import Quantity
from app.domain.problem import ProblemError
from app.session.views import FindingCard, Words
from app.ui.i18n import tr, tr_problem
from app.ui.reading.own_cards import COMPOSITIONS
from app.ui.theme import font
from app.ui.widgets.boxes import column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.nav import NavRow
from app.ui.widgets.paint import RIGHT, paint_text, rounded
from app.ui.widgets.segments import Segments
from app.ui.widgets.select import Select
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession


class NumberField(QWidget):
    """A value in millimetres."""

    def __init__(self, name: Words, value: float | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._start = name, value
        self.setFixedHeight(32)
        lay = row(self, (10, 1, 40, 1))
        self.edit = QLineEdit("" if value is None else f"{value:.1f}")
        self.edit.setFrame(False)
        self.edit.setFont(font("body"))
        self.edit.setStyleSheet("background: transparent;")
        self.edit.setValidator(QDoubleValidator(0.1, 999.0, 1, self.edit))
        lay.addWidget(self.edit)
        self.setFocusProxy(self.edit)
        self._say()

    def _say(self) -> None:
        self.edit.setAccessibleName(tr(self._name))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._say()
        super().changeEvent(event)

    def changed_value(self) -> float | None:
        """The new value, or None when it is what it was or no number."""
        try:
            value = float(self.edit.text().replace(",", "."))
        except ValueError:
            return None
        return None if self._start is not None and abs(value - round(self._start, 1)) < 0.05 else value

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        rounded(painter, box, "ground", "text" if self.edit.hasFocus() else "control_edge")
        paint_text(painter, box.adjusted(0, 0, -10, 0), tr("ui.unit.mm"), "third", "body", align=RIGHT)
        painter.end()


class ModifyForm(QWidget):
    done = Signal()

    def __init__(self, card: FindingCard, reading: ReadingSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._card, self._reading = card, reading
        self._changed: dict[str, Any] = {}
        finding = card.finding
        box = column(self, gap=4)
        sizes = row(gap=12)
        self._long = self._size_field(sizes, Words("ui.finding.long_axis"), finding, Quantity.LONG_AXIS)
        self.setFocusProxy(self._long)
        self._short = self._size_field(sizes, Words("ui.finding.short_axis"), finding, Quantity.SHORT_AXIS)
        box.addLayout(sizes)
        box.addSpacing(4)
        box.addWidget(note(Words("ui.finding.region")))
        region = Select(Words("ui.finding.region"), reading.regions, Words("ui.finding.choose_region"))
        region.show_value(card.region)
        places = dict(reading.regions())
        region.chosen.connect(lambda v: (self._changed.update(region=v), region.show_value(places[v])))
        box.addWidget(region)
        if card.title.id.startswith("finding.nodule"):
            box.addSpacing(4)
            box.addWidget(note(Words("ui.finding.composition")))
            options = [(c, Words(f"ui.composition.{c}")) for c in COMPOSITIONS]
            now = dict(finding.attributes).get("composition")
            composition = Segments(options, now, name=Words("ui.finding.composition"))
            composition.chosen.connect(lambda v: self._changed.update(composition=str(v)))
            box.addWidget(composition)
        drawing = self._own_drawing()
        if drawing:
            box.addSpacing(4)
            tick = NavRow(Words("ui.finding.from_drawing"), "", ticks=True)
            tick.toggled.connect(lambda on: self._changed.update(like_mark=drawing if on else ""))
            box.addWidget(tick)
        self._problem = Text("", "small", "regular", "bad", wrap=True)
        self._problem.hide()
        box.addSpacing(4)
        box.addWidget(self._problem)
        buttons = row(gap=12)
        back = Button(Words("ui.cancel"), OUTLINE, key="Esc", height=36)
        save = Button(Words("ui.finding.save_change"), OUTLINE, key="⏎", height=36)
        back.clicked.connect(self.done)
        save.clicked.connect(self._save)
        buttons.addWidget(back, 1)
        buttons.addWidget(save, 1)
        box.addLayout(buttons)

    @staticmethod
    def _size_field(line: Any, name: Words, finding: Any, quantity: Quantity) -> NumberField:
        measured = finding.measured(quantity)
        cell = column(gap=4)
        cell.addWidget(note(name))
        made = NumberField(name, measured.value if measured is not None else None)
        cell.addWidget(made)
        line.addLayout(cell, 1)
        return made

    def _own_drawing(self) -> str:
        """A drawing that is not a finding of its own: it may lend its place and sizes."""
        own = {f.finding_id for f in self._reading.desk.own_findings()}
        loose = [m.finding_id for m in self._reading.desk.marks if m.finding_id not in own]
        return loose[-1] if loose else ""

    def _save(self) -> None:
        changes = {k: v for k, v in self._changed.items() if v}
        for name, field in (("long_axis_mm", self._long), ("short_axis_mm", self._short)):
            value = field.changed_value()
            if value is not None:
                changes[name] = value
        try:
            self._reading.modify(self._card.finding.finding_id, **changes)
        except ProblemError as error:
            self._problem.say(tr_problem(error.problem))
            self._problem.show()
            return
        self.done.emit()

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._save()
        elif event.key() == Qt.Key.Key_Escape:
            self.done.emit()
        else:
            super().keyPressEvent(event)
