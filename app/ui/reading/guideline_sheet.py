"""The facts that a guideline is asked with: measured ones shown, the others answered by the reader; then the trace."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from app.session.guideline_desk import GuidelineDesk, NoduleForm, Question
from app.session.views import Words
from app.ui.i18n import language, tr
from app.ui.reading.card_parts import Badge
from app.ui.reading.guideline_card import with_comma
from app.ui.theme import font
from app.ui.widgets.boxes import Card, VScroll, clear, column, row
from app.ui.widgets.segments import Segments
from app.ui.widgets.select import Select
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, heading, note

_FEW = 3
"""Options up to this many stand side by side; more are a list."""


class GuidelineSheet(Sheet):
    def __init__(self, desk: GuidelineDesk, parent: QWidget) -> None:
        super().__init__(Words("ui.guideline.title"), QSize(640, 680), parent)
        self._desk = desk
        content = QWidget()
        self._form = column(content, (16, 12, 16, 16), 10)
        self.body.addWidget(VScroll(content), 1)
        self._refresh()

    def _refresh(self) -> None:
        view = self._desk.view()
        self.title.say(self._desk.title(language()) or Words("ui.guideline.title"))
        clear(self._form)
        facts = [view.source, tr("ui.guideline.valid", day=view.valid_until)]
        if view.sites:
            facts.append(tr("ui.guideline.sites", sites=", ".join(view.sites)))
        self._form.addWidget(note(" · ".join(facts), wrap=True))
        self._form.addWidget(heading(Words("ui.guideline.facts")))
        self._form.addWidget(self._card(view.exam, ""))
        for nodule in view.nodules:
            self._form.addWidget(self._nodule(nodule))
        if not view.nodules:
            self._form.addWidget(Text(Words("ui.guideline.no_nodules"), "body", "regular", "secondary", wrap=True))
        proposal = view.proposal
        if proposal is not None and proposal.trace:
            self._form.addWidget(heading(Words("ui.guideline.trace")))
            for line in proposal.trace:
                self._form.addWidget(Text(with_comma(tr(line)), "body", "regular", "text", wrap=True))
        self._form.addStretch(1)

    def _nodule(self, nodule: NoduleForm) -> QWidget:
        card = Card("raised", "line")
        lay = column(card, (12, 10, 12, 12), 8)
        top = row(gap=8)
        top.addWidget(Badge(nodule.badge, "ai" if nodule.badge.startswith("A") else "mine"))
        top.addWidget(Text(nodule.title, "body", "semibold"))
        top.addWidget(Text(nodule.region, "body", "regular", "secondary"), 1)
        lay.addLayout(top)
        lay.addLayout(self._grid(nodule.questions, nodule.finding_id))
        return card

    def _card(self, questions: tuple[Question, ...], finding_id: str) -> QWidget:
        card = Card("raised", "line")
        lay = column(card, (12, 10, 12, 12))
        lay.addLayout(self._grid(questions, finding_id))
        return card

    def _grid(self, questions: tuple[Question, ...], finding_id: str) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, 210)
        grid.setColumnMinimumWidth(2, 90)
        grid.setColumnStretch(1, 1)
        for line, question in enumerate(questions):
            grid.addWidget(Text(question.title, "body", "regular", "secondary"), line, 0)
            grid.addWidget(self._field(question, finding_id), line, 1)
            said = "ui.guideline.yours" if question.stated else "ui.guideline.measured"
            said = "ui.guideline.compared" if question.proposed else said
            known = question.value is not None and (question.stated or question.proposed or not question.options)
            grid.addWidget(Text(Words(said) if known else "", "small", "regular", "third", elide=False), line, 2)
        return grid

    def _field(self, question: Question, finding_id: str) -> QWidget:
        if not question.options:
            field = _Number(question)
            field.said.connect(lambda value: self._say(finding_id, question.fact, value))
            return field
        value = question.value
        shown = ("true" if value else "false") if isinstance(value, bool) else value
        if len(question.options) <= _FEW or question.fact == "prior_category":
            made = Segments(question.options, shown, name=question.title)
            made.chosen.connect(lambda v: self._say(finding_id, question.fact, _truth(str(v))))
            return made
        select = Select(question.title, lambda: question.options, Words("ui.guideline.choose"))
        named = dict(question.options)
        if shown in named:
            select.show_value(named[str(shown)])
        select.chosen.connect(lambda v: self._say(finding_id, question.fact, v))
        return select

    def _say(self, finding_id: str, fact: str, value: object) -> None:
        self._desk.answer(finding_id, fact, value)  # type: ignore[arg-type]
        self._refresh()


def _truth(word: str) -> object:
    return {"true": True, "false": False}.get(word, word)


class _Number(QLineEdit):
    """A number; empty takes the person's word back."""

    said = Signal(object)

    def __init__(self, question: Question, parent: QWidget | None = None) -> None:
        value = question.value
        shown = f"{float(value):.1f}" if isinstance(value, (int, float)) else ""
        super().__init__(with_comma(shown), parent)
        self._before = self.text()
        self.setFont(font("body"))
        self.setFixedHeight(32)
        self.setTextMargins(8, 0, 8, 0)
        self.setAccessibleName(tr(question.title))
        self.setValidator(QDoubleValidator(0.0, 999.0, 1, self))
        self.editingFinished.connect(self._tell)

    def _tell(self) -> None:
        if self.text() == self._before:
            return
        self._before = self.text()
        try:
            self.said.emit(float(self.text().replace(",", ".")))
        except ValueError:
            self.said.emit(None)
