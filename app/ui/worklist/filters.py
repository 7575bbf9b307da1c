"""The left column of the worklist: what to see."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.session.views import Words, WorklistQuery, WorklistView
from app.ui.widgets.boxes import Surface, VScroll, clear, column
from app.ui.widgets.nav import NavRow
from app.ui.widgets.text import heading, note

WIDTH = 220

_FILTERS = (
    ("all", "all", "secondary"),
    ("mine", "mine", "secondary"),
    ("stroke", "stroke", "bad"),
    ("unread", "unread", "secondary"),
    ("sealed", "sealed", "ai"),
    ("to_sign", "to_sign", "secondary"),
    ("signed", "signed", "secondary"),
    ("refused", "refused", "secondary"),
)
_DAYS: tuple[tuple[int | None, str], ...] = (
    (1, "ui.worklist.today"),
    (7, "ui.worklist.week"),
    (None, "ui.worklist.any_day"),
)
_MODALITIES = {"CT", "MG", "DX", "CR", "PX", "IO", "MR", "US", "XA", "NM", "PT", "SR", "OT", "RF"}


class Filters(Surface):
    """Emits the filter part of a query; the search text is the table's."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "r", parent)
        self.setFixedWidth(WIDTH)
        self.filter = "all"
        self.days: int | None = None
        self.hidden_modalities: frozenset[str] = frozenset()
        body = QWidget()
        self._column = column(body, (12, 12, 12, 12), 0)
        self._rows: dict[str, NavRow] = {}
        for name, icon, role in _FILTERS:
            made = NavRow(Words(f"ui.worklist.filter.{name}"), icon, role)
            made.clicked.connect(lambda _=False, n=name: self._choose(n))
            self._rows[name] = made
            self._column.addWidget(made)
        self._rows["stroke"].hide()
        self._column.addSpacing(20)
        self._add_heading(Words("ui.worklist.modality"))
        self._ticks = column(gap=0)
        self._column.addLayout(self._ticks)
        self._first = note(Words("ui.worklist.first_study"), wrap=True)
        self._first.setContentsMargins(8, 0, 0, 0)
        self._column.addWidget(self._first)
        self._column.addSpacing(20)
        self._add_heading(Words("ui.worklist.acquired"))
        self._day_rows: dict[int | None, NavRow] = {}
        for days, title in _DAYS:
            day = NavRow(Words(title), "calendar-blank")
            day.clicked.connect(lambda _=False, d=days: self._choose_days(d))
            self._day_rows[days] = day
            self._column.addWidget(day)
        self._column.addStretch(1)
        outer = column(self, (0, 0, 1, 0))
        outer.addWidget(VScroll(body))
        self._shown_modalities: tuple[str, ...] = ()
        self._mark()

    def _add_heading(self, words: Words) -> None:
        title = heading(words)
        title.setContentsMargins(8, 0, 0, 6)
        self._column.addWidget(title)

    def part_of(self, text: str, order: str, modalities: tuple[str, ...]) -> WorklistQuery:
        shown = None if not self.hidden_modalities else frozenset(modalities) - self.hidden_modalities
        return WorklistQuery(text, self.filter, shown, self.days, order)

    def _choose(self, name: str) -> None:
        self.filter = name
        self._mark()
        self.changed.emit()

    def _choose_days(self, days: int | None) -> None:
        self.days = days
        self._mark()
        self.changed.emit()

    def _tick(self, modality: str, on: bool) -> None:
        self.hidden_modalities = self.hidden_modalities - {modality} if on else self.hidden_modalities | {modality}
        self.changed.emit()

    def _mark(self) -> None:
        for name, made in self._rows.items():
            made.setChecked(name == self.filter)
        for days, made in self._day_rows.items():
            made.setChecked(days == self.days)

    def show_view(self, view: WorklistView) -> None:
        for name, made in self._rows.items():
            made.set_count(view.counts.get(name, 0))
        self._rows["stroke"].setVisible(view.counts.get("stroke", 0) > 0)
        modalities = tuple(sorted(view.modality_counts))
        if modalities != self._shown_modalities:
            self._shown_modalities = modalities
            clear(self._ticks)
            for modality in modalities:
                words = Words(f"ui.modality.{modality}") if modality in _MODALITIES else modality
                tick = NavRow(words, "", ticks=True)
                tick.setChecked(modality not in self.hidden_modalities)
                tick.setProperty("modality", modality)
                tick.toggled.connect(lambda on, m=modality: self._tick(m, on))
                self._ticks.addWidget(tick)
        for number in range(self._ticks.count()):
            widget = self._ticks.itemAt(number).widget()
            if isinstance(widget, NavRow):
                widget.set_count(view.modality_counts.get(str(widget.property("modality"))))
        self._first.setVisible(not modalities)
