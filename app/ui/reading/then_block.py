"""What the chosen finding was in an earlier study: a proposal with its reasons, which the reader confirms or puts right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QGridLayout, QMenu, QWidget

from app.session.then_views import LostRow, ThenState, ThenView
from app.session.views import NOTHING, Words
from app.ui.i18n import figure, tr
from app.ui.i18n import unit as unit_words
from app.ui.widgets.boxes import Card, VScroll, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, TOOL, Button, show_menu
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.prior_verbs import PriorVerbs
    from app.session.then_verbs import ThenVerbs


class ThenBlock(QWidget):
    """Part of an AI card. ``view`` is what the session says of the finding's past."""

    def __init__(self, finding_id: str, view: ThenView, verbs: ThenVerbs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._id, self._view, self._verbs = finding_id, view, verbs
        lay = column(self, gap=3)
        top = row(gap=8)
        top.addWidget(note(Words("ui.then.title")))
        if view.can_confirm:
            top.addWidget(note(f"· {tr('ui.then.proposal')}"))
        top.addStretch(1)
        if view.then_id:
            go = Button(NOTHING, TOOL, "gps-fix", tip=Words("ui.earlier.go"), height=24)
            go.clicked.connect(lambda: verbs.go_to(view.then_id))
            top.addWidget(go)
        why = Button(Words("ui.then.why"), LINK)
        why.clicked.connect(self._explain)
        top.addWidget(why)
        lay.addLayout(top)
        for number, words in enumerate(view.lines):
            first = number == 0 and view.state is not ThenState.ALIGNING
            lay.addWidget(Text(words, "body", "medium" if first else "regular", "text" if first else "secondary", wrap=True))
        if view.confirmed_by:
            self._add_confirmed(lay)
        elif view.state is not ThenState.ALIGNING:
            self._add_answers(lay)

    def _add_answers(self, lay: object) -> None:
        answers = row(margins=(0, 4, 0, 0), gap=8)
        if self._view.can_confirm:
            confirm = Button(Words("ui.then.confirm"), OUTLINE, height=28)
            confirm.clicked.connect(lambda: self._verbs.confirm(self._id))
            answers.addWidget(confirm)
        self.other = Button(Words("ui.then.other"), OUTLINE, height=28)
        self.other.clicked.connect(lambda: show_menu(self.other, self.menu()))
        answers.addWidget(self.other)
        answers.addStretch(1)
        lay.addLayout(answers)  # type: ignore[attr-defined]

    def _add_confirmed(self, lay: object) -> None:
        said = row(gap=6)
        said.addWidget(Glyph("check", "secondary", 16))
        said.addWidget(note(Words("ui.then.confirmed", {"by": self._view.confirmed_by})), 1)
        self.other = Button(Words("ui.then.change"), LINK)
        self.other.clicked.connect(lambda: show_menu(self.other, self.menu()))
        said.addWidget(self.other)
        lay.addLayout(said)  # type: ignore[attr-defined]

    def menu(self) -> QMenu:
        """Every nodule of the earlier scan, and none."""
        menu = QMenu(self)
        for choice in self._view.choices:
            action = menu.addAction(tr(choice.words))
            action.setCheckable(True)
            action.setChecked(choice.chosen)
            action.triggered.connect(lambda _=False, i=choice.finding_id: self._verbs.choose(self._id, i))
        if self._view.confirmed_by:
            menu.addSeparator()
            menu.addAction(tr("ui.then.take_back")).triggered.connect(lambda: self._verbs.take_back(self._id))
        return menu

    def _explain(self) -> None:
        ThenSheet(self._view, self.window()).open()


class ThenSheet(Sheet):
    """What was matched with what, how far apart, by which alignment, and the sums behind the growth."""

    def __init__(self, view: ThenView, parent: QWidget) -> None:
        super().__init__(Words("ui.then.sheet"), QSize(620, 520), parent)
        content = QWidget()
        lay = column(content, (16, 14, 16, 16), 8)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        grid.setColumnMinimumWidth(0, 190)
        grid.setColumnStretch(1, 1)
        for at, (what, value) in enumerate(view.trace):
            title = Text(what, "body", "regular", "secondary", wrap=True)
            grid.addWidget(title, at, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(Text(value, "body", wrap=True), at, 1)
        lay.addLayout(grid)
        lay.addStretch(1)
        scroll = VScroll(content)
        scroll.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        scroll.setAccessibleName(". ".join(f"{tr(what)}: {tr(value)}" for what, value in view.trace))
        self.body.addWidget(scroll, 1)


class LostLine(Card):
    """A nodule of the earlier scan that nothing here is."""

    def __init__(self, shown: LostRow, verbs: PriorVerbs, parent: QWidget | None = None) -> None:
        super().__init__("panel", "fine_line", parent=parent)
        lay = row(self, (12, 8, 8, 8), 8)
        words = column(gap=1)
        size = f"{figure(shown.value)} {unit_words(shown.unit)}".strip() if shown.value else ""
        words.addWidget(Text(" · ".join(t for t in (tr(shown.title), size) if t), "body", wrap=True))
        where = Words("ui.then.lost_line", {"date": shown.date, "where": shown.region}) if shown.region.id else shown.date
        words.addWidget(Text(where, "small", "regular", "third", wrap=True))
        lay.addLayout(words, 1)
        go = Button(NOTHING, TOOL, "gps-fix", tip=Words("ui.earlier.go"), height=28)
        go.clicked.connect(lambda: verbs.go_to(shown.finding_id))
        lay.addWidget(go)
        report = Button(Words("ui.course.in_report" if shown.in_report else "ui.course.to_report"), LINK)
        report.setEnabled(not shown.in_report)
        thens = verbs.thens
        if thens is not None:
            report.clicked.connect(lambda: thens.lost_to_report(shown.finding_id))
        lay.addWidget(report)
