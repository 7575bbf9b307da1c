"""The first opinion as it was committed: what the reader thought before the second reader spoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QGridLayout, QWidget

from app.domain.verdict import FirstOpinion
from app.session.views import SecondReadView, Words
from app.ui.i18n import tr
from app.ui.reading.own_cards import LineCard
from app.ui.widgets.boxes import VScroll, clear, column
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession


class OpinionSheet(Sheet):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(Words("ui.opinion.sheet"), QSize(560, 520), parent)
        head = QGridLayout()
        head.setContentsMargins(16, 14, 16, 14)
        head.setHorizontalSpacing(16)
        head.setColumnStretch(1, 1)
        self._overall = Text("", "body", "medium")
        self._quality = Text("", "body", "medium")
        for line, (name, value) in enumerate(
            ((Words("ui.opinion.overall"), self._overall), (Words("ui.opinion.quality"), self._quality))
        ):
            head.addWidget(Text(name, "body", "regular", "third", elide=False), line, 0)
            head.addWidget(value, line, 1)
        self.body.addLayout(head)
        content = QWidget()
        self._marks = column(content, (16, 0, 16, 12), 8)
        self.body.addWidget(VScroll(content), 1)
        self._when = note("")
        self._when.setContentsMargins(16, 8, 16, 14)
        self.body.addWidget(self._when)

    def show_opinion(self, opinion: FirstOpinion, view: SecondReadView, reading: ReadingSession) -> None:
        """Marks are shown by the cards that still stand; a mark changed since is counted, not redrawn."""
        self._overall.say(Words(f"ui.opinion.{opinion.overall.value}"))
        self._quality.say(Words(f"ui.opinion.{opinion.quality.value}"))
        self._when.say(tr("ui.opinion.as_it_was", time=view.committed_at))
        clear(self._marks)
        kept = {m.finding_id for m in opinion.marks}
        for card in view.own:
            if card.finding.finding_id in kept:
                line = LineCard(card, "mine", end=" ")
                line.crop.show_pixels(reading.finding_thumbnail(card.finding.finding_id, "axial"))
                line.chosen.connect(lambda finding_id: (self.leave(), reading.jump_to(finding_id)))
                self._marks.addWidget(line)
        if not opinion.marks:
            self._marks.addWidget(Text(Words("ui.opinion.no_marks"), "body", "regular", "secondary"))
        self._marks.addStretch(1)
