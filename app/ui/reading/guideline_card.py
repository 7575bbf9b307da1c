"""The guideline in the findings panel: why the scan was made, the reader's own category, the proposal beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.domain.problem import ProblemError
from app.session.guideline_desk import CONTEXTS, GuidelineDesk, GuidelineView
from app.session.views import Notice, Words
from app.ui.i18n import language, tr
from app.ui.widgets.boxes import Card, Line, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, Button
from app.ui.widgets.segments import Segments
from app.ui.widgets.select import Select
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession

_POINT = re.compile(r"(?<=\d)\.(?=\d)")


def with_comma(text: str) -> str:
    """Decimal commas where the language has them."""
    return text if language() == "en" else _POINT.sub(",", text)


class GuidelineCard(Card):
    noticed = Signal(object)

    def __init__(
        self, reading: ReadingSession, desk: GuidelineDesk, view: GuidelineView, parent: QWidget | None = None
    ) -> None:
        super().__init__("raised", "line", parent=parent)
        self._reading, self._desk, self._view = reading, desk, view
        lay = column(self, (12, 10, 12, 12), 8)
        if view.blocked.id:
            lay.addWidget(Text(view.blocked, "body", "regular", "secondary", wrap=True))
            return
        lay.addWidget(note(Words("ui.guideline.context")))
        contexts = Segments(
            [(c, Words(f"ui.guideline.{c}")) for c in CONTEXTS], view.context or None, name=Words("ui.guideline.context")
        )
        contexts.chosen.connect(lambda value: desk.set_context(str(value)))
        lay.addWidget(contexts)
        if not view.context:
            return
        lay.addWidget(note(Words("ui.guideline.own" if view.stated else "ui.guideline.own_action")))
        lay.addWidget(self._own())
        if view.proposal is None:
            lay.addWidget(Text(Words("ui.guideline.own_hint"), "small", "regular", "secondary", wrap=True))
        else:
            self._proposal(lay)
        lay.addWidget(Line())
        foot = row(gap=8)
        facts = Button(Words("ui.guideline.again"), LINK)
        facts.clicked.connect(self.open_sheet)
        foot.addWidget(facts)
        foot.addStretch(1)
        lay.addLayout(foot)
        if view.own:
            put = Button(Words("ui.guideline.in_report" if view.in_report else "ui.guideline.to_report"), OUTLINE, height=32)
            put.setEnabled(not view.in_report)
            put.clicked.connect(self._put)
            lay.addWidget(put)

    def _own(self) -> QWidget:
        view = self._view
        if view.stated:
            made = Segments([(c, c) for c in view.options], view.own or None, name=Words("ui.guideline.own"))
            made.chosen.connect(lambda value: self._try(lambda: self._desk.choose(str(value))))
            return made
        select = Select(
            Words("ui.guideline.own_action"),
            lambda: [(c, self._desk.action_text(c, language())) for c in view.options],
            Words("ui.guideline.choose"),
        )
        if view.own:
            select.show_value(self._desk.action_text(view.own, language()))
            select.setToolTip(self._desk.action_text(view.own, language()))
        select.chosen.connect(lambda value: self._try(lambda: self._desk.choose(value)))
        return select

    def _proposal(self, lay: object) -> None:
        proposal, view = self._view.proposal, self._view
        assert proposal is not None
        box = column(gap=3)
        if proposal.category:
            top = row(gap=8)
            top.addWidget(Text(proposal.text, "body", "regular", "secondary", elide=False))
            if view.stated:
                top.addWidget(Text(proposal.category, "title", "semibold", elide=False))
            top.addStretch(1)
            same = proposal.category.rstrip("S") == view.own
            top.addWidget(note(Words("ui.guideline.same" if same else "ui.guideline.differs")))
            box.addLayout(top)
            box.addWidget(Text(self._desk.action_text(proposal.action, language()), "body", "regular", "text", wrap=True))
            rule = Words("ui.guideline.by_rule", {"rule": proposal.rule})
            if proposal.local:
                rule = Words("ui.guideline.by_rule_local", {"rule": proposal.rule, "site": proposal.local})
            parts = [tr(rule)]
            if proposal.decisive:
                parts.append(tr("ui.guideline.because_of", badge=proposal.decisive))
            box.addWidget(note(" · ".join(parts), wrap=True))
        else:
            box.addWidget(Text(proposal.text, "body", "regular", "text", wrap=True))
        trace = with_comma(" · ".join(tr(w) for w in proposal.trace))
        if trace:
            box.addWidget(note(trace, wrap=True))
        lay.addLayout(box)  # type: ignore[attr-defined]

    def _try(self, verb: object) -> None:
        try:
            verb()  # type: ignore[operator]
        except ProblemError as error:
            self.noticed.emit(Notice(error.problem))

    def _put(self) -> None:
        self._try(self._desk.put_into_report)

    def open_sheet(self) -> None:
        from app.ui.reading.guideline_sheet import GuidelineSheet

        sheet = GuidelineSheet(self._desk, self.window())
        sheet.closed.connect(sheet.deleteLater)
        sheet.open()
