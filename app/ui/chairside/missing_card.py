"""Teeth that a second reader did not see, together: one list, one press for those that are really gone."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.session.views import FindingCard, Words
from app.ui.reading.card_parts import Badge
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.text import Text, note


class MissingCard(Card):
    accept_wanted = Signal()

    def __init__(self, cards: Sequence[FindingCard], parent: QWidget | None = None) -> None:
        super().__init__("panel", "line", parent=parent)
        waiting = [c for c in cards if c.verdict is None]
        lay = column(self, (12, 10, 12, 12), 6)
        top = row(gap=8)
        top.addWidget(Badge(str(len(cards)), "ai", dashed=bool(waiting)))
        top.addWidget(Text(Words("ui.teeth.not_on_film"), "body", "semibold"), 1)
        lay.addLayout(top)
        numbers = " · ".join(sorted(c.finding.region for c in cards))
        lay.addWidget(Text(numbers, "body", "regular", "text", wrap=True))
        if waiting:
            lay.addWidget(note(Words("ui.teeth.check_numbers"), wrap=True))
            accept = Button(Words("ui.teeth.accept_missing", {"n": len(waiting)}), OUTLINE, height=36)
            accept.clicked.connect(self.accept_wanted)
            lay.addWidget(accept)
