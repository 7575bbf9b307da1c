"""What every section of the settings is made of: a heading, lines of a name and a control, and the site's lock."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.session.views import Words
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text, note

NAME_WIDTH = 190


class Section(Card):
    """A card with a title; ``lines`` is the layout that it is filled through."""

    def __init__(self, title: Words, how: Words | None = None, parent: QWidget | None = None) -> None:
        super().__init__("raised", "line", parent=parent)
        self.lines: QVBoxLayout = column(self, (16, 12, 16, 14), 10)
        self.lines.addWidget(Text(title, "title", "semibold"))
        if how is not None:
            self.lines.addWidget(Text(how, "body", "regular", "secondary", wrap=True))

    def add(self, name: Words, control: QWidget, detail: Words | None = None, fixed: bool = False) -> None:
        """A line: what it is, what can be chosen, and whose choice it is."""
        control.setEnabled(not fixed)
        line = row(gap=12)
        label = Text(name, "body", "medium")
        label.setFixedWidth(NAME_WIDTH)
        line.addWidget(label)
        line.addWidget(control, 1)
        self.lines.addLayout(line)
        if fixed:
            self.lines.addLayout(locked())
        if detail is not None:
            self.lines.addWidget(note(detail, wrap=True))


def locked() -> object:
    """Says that the site has decided."""
    line = row(gap=6)
    line.addSpacing(NAME_WIDTH + 12)
    line.addWidget(Glyph("lock-simple", "secondary", 16), 0, Qt.AlignmentFlag.AlignTop)
    line.addWidget(Text(Words("settings.by_site"), "small", "regular", "secondary", wrap=True), 1)
    return line
