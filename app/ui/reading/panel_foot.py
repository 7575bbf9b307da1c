"""The foot of the findings panel: the sealed card with the one primary button, or what still waits for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.domain.verdict import Overall
from app.session.views import AiState, SecondReadView, Words
from app.ui.i18n import tr, tr_problem
from app.ui.shortcuts import key_of
from app.ui.theme import colour
from app.ui.widgets.boxes import Card, Line, ProgressBar, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, PRIMARY, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import CENTRE
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_ICONS = {
    AiState.SEALED: ("sealed", "ai"),
    AiState.RUNNING: ("running", "ai"),
    AiState.WAITING: ("waiting", "secondary"),
    AiState.REFUSED: ("refused", "secondary"),
    AiState.NO_READER: ("no_reader", "secondary"),
    AiState.FAILED: ("failed", "bad"),
    AiState.REVEALED: ("revealed", "ai"),
}


class SealedFoot(QWidget):
    """Says how far the second read is, never what it found."""

    commit_wanted = Signal()
    show_ai_wanted = Signal()
    retry_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        lay = column(self, (11, 0, 12, 12), 0)
        card = Card("panel", "line")
        inner = column(card, (12, 10, 12, 12), 6)
        top = row(gap=8)
        self._glyph = Glyph("sealed", "ai")
        self._title = Text("", "body", "semibold")
        self._reader = note("")
        top.addWidget(self._glyph)
        top.addWidget(self._title, 1)
        top.addWidget(self._reader)
        inner.addLayout(top)
        self._bar = ProgressBar("ai")
        inner.addWidget(self._bar)
        self._detail = Text("", "body", "regular", "secondary", wrap=True)
        inner.addWidget(self._detail)
        links = row(gap=16)
        self._show = Button(Words("ui.read.show_without"), LINK)
        self._show.clicked.connect(self.show_ai_wanted)
        self._retry = Button(Words("ui.retry"), LINK)
        self._retry.clicked.connect(self.retry_wanted)
        links.addWidget(self._show)
        links.addWidget(self._retry)
        links.addStretch(1)
        inner.addLayout(links)
        lay.addWidget(card)
        lay.addSpacing(12)
        self.commit = Button(Words("ui.commit"), PRIMARY, key=key_of("reading", "commit"))
        self.commit.clicked.connect(self.commit_wanted)
        lay.addWidget(self.commit)
        lay.addSpacing(8)
        self._note = Text("", "small", "regular", "third", wrap=True, align=CENTRE)
        lay.addWidget(self._note)

    def show_view(self, view: SecondReadView, overall: Overall | None) -> None:
        icon, role = _ICONS[view.state]
        self._glyph.show_icon(icon, role)
        self._title.say(Words(f"ui.read.{view.state.value}"))
        self._reader.say(f"{view.reader} {view.version}".strip())
        if view.problem is not None and view.state in (AiState.REFUSED, AiState.FAILED):
            self._detail.say(tr_problem(view.problem))
        else:
            self._detail.say(Words(f"ui.read.{view.state.value}_detail"))
        self._bar.setVisible(view.fraction is not None and view.state is AiState.RUNNING)
        self._bar.set_fraction(view.fraction or 0.0)
        self._show.setVisible(view.state is AiState.SEALED)
        self._retry.setVisible(view.state is AiState.FAILED)
        self.commit.setEnabled(overall is not None)
        self._note.say(Words("ui.commit.kept" if overall is not None else "ui.commit.say_first"))


class _Segmented(QWidget):
    """One bar a finding; filled when it has its answer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._done, self._all = 0, 1
        self.setFixedHeight(4)

    def show_count(self, done: int, of: int) -> None:
        self._done, self._all = done, max(of, 1)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        gap = 3 if self._all <= 40 else 1
        width = (self.width() - gap * (self._all - 1)) / self._all
        for number in range(self._all):
            role = "text" if number < self._done else "edge"
            painter.fillRect(QRectF(number * (width + gap), 0, width, 4), colour(role))
        painter.end()


class RevealedFoot(QWidget):
    next_wanted = Signal()
    to_report = Signal()

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        lay = column(self)
        kept = row(margins=(11, 8, 12, 12), gap=6)
        kept.addWidget(Glyph("check-circle", "secondary", 16))
        self._kept = Text("", "small", "regular", "secondary")
        kept.addWidget(self._kept, 1)
        show = Button(Words("ui.opinion.show"), LINK)
        show.clicked.connect(self.show_opinion)
        kept.addWidget(show)
        lay.addLayout(kept)
        lay.addWidget(Line())
        foot = column(margins=(11, 12, 12, 12), gap=10)
        self._bars = _Segmented()
        foot.addWidget(self._bars)
        line = row()
        self._text = Text("", "body", "medium", wrap=True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self._next = Button(Words("ui.next"), OUTLINE, key=key_of("reading", "next_unanswered"))
        self._next.clicked.connect(self.next_wanted)
        self.report = Button(Words("ui.panel.to_report"), PRIMARY, key=key_of("reading", "commit"), height=40)
        self.report.clicked.connect(self.to_report)
        line.addWidget(self._text, 1)
        line.addWidget(self._next)
        foot.addLayout(line)
        foot.addWidget(self.report)
        lay.addLayout(foot)

    def show_opinion(self) -> None:
        from app.ui.reading.opinion_sheet import OpinionSheet

        reading = self._workstation.reading
        opinion = reading.first_opinion() if reading is not None else None
        if opinion is None:
            return
        sheet = OpinionSheet(self.window())
        sheet.closed.connect(sheet.deleteLater)
        sheet.show_opinion(opinion, reading.second_read(), reading)
        sheet.open()

    def show_view(self, view: SecondReadView) -> None:
        opinion = self._workstation.reading.first_opinion()
        marks = len(opinion.marks) if opinion is not None else 0
        parts = [tr("ui.opinion.kept"), view.committed_at, tr("ui.opinion.marks", n=marks)]
        self._kept.say(" · ".join(p for p in parts if p))
        waiting = view.unanswered
        self._bars.setVisible(view.total_ai > 0)
        self._bars.show_count(view.total_ai - waiting, view.total_ai)
        if waiting:
            self._text.say(Words("ui.panel.unanswered", {"n": waiting, "of": view.total_ai}))
        elif view.total_ai:
            self._text.say(Words("ui.panel.all_answered", {"n": view.total_ai}))
        else:
            self._text.say("")
        self._text.setVisible(bool(self._text.text()))
        self._next.setVisible(waiting > 0)
        self.report.setVisible(waiting == 0)
