"""About this read: which second readers did not read and why, and what those that did want known of it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.domain.finding import ReadState
from app.domain.problem import Problem, Severity
from app.session.views import ReaderSaid, Words
from app.ui.i18n import language, number, tr_problem
from app.ui.i18n import unit as unit_words
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text, note

_ICONS = {ReadState.FAILED: ("warning-circle", "bad"), ReadState.OUT_OF_SCOPE: ("prohibit", "bad")}


class ReadNotes(Card):
    """One reader. A read that did not take place stands out: silence would look like a normal study."""

    def __init__(self, said: ReaderSaid, parent: QWidget | None = None) -> None:
        super().__init__("raised", "line", parent=parent)
        lay = column(self, (12, 10, 12, 12), 6)
        top = row(gap=8)
        icon, role = _ICONS.get(said.state, ("info", "secondary"))
        top.addWidget(Glyph(icon, role, 18))
        title = said.titles.get(language()) or said.titles.get("en") or said.reader
        top.addWidget(Text(title, "body", "semibold", wrap=True), 1)
        top.addWidget(note(said.version))
        lay.addLayout(top)
        if not said.has_read:
            lay.addWidget(Text(Words(f"ui.read.did_not.{said.state.value}"), "body", "medium", wrap=True))
        for what, value, unit in said.values:
            line = row(gap=12)
            line.addWidget(Text(what, "body", "regular", "secondary", wrap=True), 1)
            shown = Text(f"{number(value)} {unit_words(_unit(unit))}".strip(), "body", "semibold", elide=False)
            line.addWidget(shown)
            lay.addLayout(line)
        for problem in sorted(said.problems, key=lambda p: p.severity is Severity.NOTE):
            lay.addLayout(_remark(problem))


def _remark(problem: Problem) -> QHBoxLayout:
    """What has to be acted upon (check the sides) stands out from what is only worth knowing."""
    line = row(gap=6)
    if problem.severity is Severity.WARNING:
        line.addWidget(Glyph("warning", "text", 16), 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(Text(tr_problem(problem), "small", "medium", wrap=True), 1)
    else:
        line.addWidget(Text(tr_problem(problem), "small", "regular", "secondary", wrap=True), 1)
    return line


def _unit(code: str) -> str:
    return "" if code == "1" else code


def worth_saying(said: ReaderSaid) -> bool:
    return not said.has_read or bool(said.problems or said.values)
