"""Earlier studies in the findings panel: proposals that wait, lesions over time, marks that nothing follows yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from app.session.prior_views import CourseCard, CourseLine, EarlierRow, EarlierView, ProposalRow
from app.session.views import NOTHING, Words
from app.ui.i18n import figure, tr
from app.ui.i18n import unit as unit_words
from app.ui.reading.card_parts import Badge
from app.ui.reading.then_block import LostLine
from app.ui.shortcuts import key_of
from app.ui.widgets.boxes import Card, clear, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, TOOL, Button
from app.ui.widgets.text import Text, heading, note

if TYPE_CHECKING:
    from app.session.prior_verbs import PriorVerbs
    from app.session.workstation import Workstation

_SHOWN = 12
"""Rows; the rest is carried over with the command."""


def _percent(text: str) -> str:
    return f"{figure(text)}\u202f%" if text else ""


def _sized(value: str, unit: str) -> str:
    return f"{figure(value)} {unit_words(unit)}".strip() if value else ""


class CourseTable(Card):
    """One lesion: a line a study, the oldest on top."""

    def __init__(self, card: CourseCard, verbs: PriorVerbs, parent: QWidget | None = None) -> None:
        super().__init__("panel", "fine_line", parent=parent)
        lay = column(self, (12, 10, 12, 10), 6)
        top = row(gap=8)
        if card.badge:
            top.addWidget(Badge(card.badge, "ai" if card.badge.startswith("A") else "mine"))
        top.addWidget(Text(card.title, "body", "semibold"), 1)
        state = Words("ui.course.in_report" if card.in_report else "ui.course.to_report")
        button = Button(state, LINK)
        button.setEnabled(not card.in_report)
        button.clicked.connect(lambda: verbs.to_report(card.finding_id))
        top.addWidget(button)
        lay.addLayout(top)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        titles = ("ui.course.date", "ui.course.size", "ui.course.change")
        for at, title in enumerate(titles):
            grid.addWidget(note(Words(title)), 0, at)
        at_row = 1
        for number, line in enumerate(card.lines, 1):
            last = number == len(card.lines)
            for at, text in enumerate(self._cells(line)):
                weight = "semibold" if last and at == 1 else "regular"
                grid.addWidget(Text(text, "small", weight, "text" if last else "secondary"), at_row, at)
            at_row += 1
            if line.volume:
                grid.addWidget(Text(self._volume(line), "small", "regular", "secondary"), at_row, 1, 1, 2)
                at_row += 1
        grid.setColumnStretch(len(titles) - 1, 1)
        lay.addLayout(grid)
        told = [tr(card.title), *(" ".join([*self._cells(x), self._volume(x)]).strip() for x in card.lines)]
        self.setAccessibleName(". ".join(told))

    @staticmethod
    def _cells(line: CourseLine) -> list[str]:
        change = " · ".join(
            t for t in (figure(line.change_mm) if line.change_mm else "", _percent(line.change_percent)) if t
        )
        return [line.date, figure(line.size) if line.size else "–", change or "–"]

    @staticmethod
    def _volume(line: CourseLine) -> str:
        """Volume and its growth, below the size."""
        told = tr("course.volume", value=figure(line.volume)) if line.volume else ""
        return " · ".join(t for t in (told, _percent(line.volume_percent)) if t)


class ProposalCard(Card):
    def __init__(self, shown: ProposalRow, verbs: PriorVerbs, parent: QWidget | None = None) -> None:
        super().__init__("raised", "line", parent=parent)
        lay = column(self, (12, 10, 12, 10), 6)
        top = row(gap=8)
        top.addWidget(Text(shown.title, "body", "semibold"), 1)
        top.addWidget(Text(_sized(shown.value, shown.unit), "body", "regular", "secondary", elide=False))
        lay.addLayout(top)
        lay.addWidget(Text(Words("ui.earlier.proposal", {"date": shown.date}), "small", "regular", "secondary", wrap=True))
        verbs_row = row(gap=8)
        for title, verb in (("ui.earlier.accept", verbs.accept), ("ui.earlier.decline", verbs.drop)):
            button = Button(Words(title), OUTLINE, height=30)
            button.clicked.connect(lambda _=False, v=verb: v(shown.finding_id))
            verbs_row.addWidget(button)
        verbs_row.addStretch(1)
        lay.addLayout(verbs_row)


class EarlierLine(Card):
    def __init__(self, shown: EarlierRow, verbs: PriorVerbs, parent: QWidget | None = None) -> None:
        super().__init__("panel", "fine_line", parent=parent)
        lay = row(self, (12, 8, 8, 8), 8)
        words = column(gap=1)
        size = _sized(shown.value, shown.unit)
        words.addWidget(Text(" · ".join(t for t in (tr(shown.title), size) if t), "body"))
        words.addWidget(Text(f"{shown.date} · {tr(shown.whose)}", "small", "regular", "third"))
        lay.addLayout(words, 1)
        go = Button(NOTHING, TOOL, "gps-fix", tip=Words("ui.earlier.go"), height=28)
        go.clicked.connect(lambda: verbs.go_to(shown.finding_id))
        lay.addWidget(go)
        if shown.can_drop:
            gone = Button(NOTHING, TOOL, "trash", tip=Words("ui.earlier.remove"), height=28)
            gone.clicked.connect(lambda: verbs.drop(shown.finding_id))
            lay.addWidget(gone)
        carry = Button(Words("ui.earlier.aligning" if shown.waiting else "ui.earlier.carry"), LINK)
        carry.setEnabled(not shown.waiting)
        carry.clicked.connect(lambda: verbs.carry(shown.finding_id))
        lay.addWidget(carry)


class EarlierList(QWidget):
    """Nothing at all where the patient has no earlier marks."""

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._shown: EarlierView | None = None
        self._lay = column(self, gap=8)
        self._lay.setAlignment(Qt.AlignmentFlag.AlignTop)

    def forget(self) -> None:
        self._shown = None

    def refresh(self) -> None:
        reading = self._workstation.reading
        verbs = reading.earlier if reading is not None else None
        view = verbs.view() if verbs is not None else EarlierView()
        if view == self._shown:
            return
        self._shown = view
        clear(self._lay)
        self.setVisible(view != EarlierView())
        if verbs is None or view == EarlierView():
            return
        self._lay.addSpacing(20)
        for proposal in view.proposals:
            self._lay.addWidget(ProposalCard(proposal, verbs))
        if view.courses:
            self._lay.addWidget(heading(Words("ui.course.title")))
        for card in view.courses:
            self._lay.addWidget(CourseTable(card, verbs))
        if view.lost:
            self._lay.addWidget(heading(Words("ui.then.lost")))
        for gone in view.lost[:_SHOWN]:
            self._lay.addWidget(LostLine(gone, verbs))
        if view.rows:
            top = row(gap=8)
            top.addWidget(heading(Words("ui.earlier.title")), 1)
            every = Button(Words("ui.earlier.carry_all"), LINK, key=key_of("reading", "carry_over"))
            every.clicked.connect(lambda: verbs.carry())
            top.addWidget(every)
            self._lay.addLayout(top)
        for line in view.rows[:_SHOWN]:
            self._lay.addWidget(EarlierLine(line, verbs))
