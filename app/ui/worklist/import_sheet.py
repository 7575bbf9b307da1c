"""What an import brought: what came, what was here already, what was refused and why."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.domain.study import RefusedFile
from app.session.views import Words
from app.ui.i18n import file_size, tr, tr_problem
from app.ui.widgets.boxes import Line, VScroll, clear, column, row
from app.ui.widgets.buttons import OUTLINE, PRIMARY, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, heading, note

_SHOWN = 400
"""More refusals than this are counted, not listed."""


def _figure(value: str, words: str, icon: str, role: str) -> QWidget:
    made = QWidget()
    lay = row(made, gap=10)
    holder = column()
    holder.addSpacing(4)
    holder.addWidget(Glyph(icon, role))
    holder.addStretch(1)
    lay.addLayout(holder)
    both = column(gap=0)
    both.addWidget(Text(value, "display", "semibold", elide=False))
    both.addWidget(Text(words, "small", "regular", "secondary", elide=False))
    lay.addLayout(both)
    return made


class _Refused(QWidget):
    """A file by name, what happened, what stays safe and what to do."""

    def __init__(self, name: str, sentence: str, icon: str, role: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        lay = row(self, (16, 10, 16, 10), 10)
        holder = column()
        holder.addWidget(Glyph(icon, role))
        holder.addStretch(1)
        lay.addLayout(holder)
        words = column(gap=2)
        if name:
            words.addWidget(Text(name, "body", "medium"))
        words.addWidget(Text(sentence, "body", "regular", "secondary", wrap=True))
        lay.addLayout(words, 1)


class ImportSheet(Sheet):
    """``show_summary`` takes the session's ``ImportSummary``."""

    to_worklist = Signal()
    explore_wanted = Signal()
    """Why did it not open."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Words("ui.import.title"), QSize(960, 760), parent)
        self._figures = row(margins=(16, 16, 16, 16), gap=40)
        self.body.addLayout(self._figures)
        self.body.addWidget(Line())
        head = row(margins=(16, 14, 16, 8))
        self._heading = heading("")
        head.addWidget(self._heading, 1)
        head.addWidget(note(Words("ui.import.rest_unaffected")))
        self._head = QWidget()
        self._head.setLayout(head)
        self.body.addWidget(self._head)
        content = QWidget()
        self._list = column(content)
        self.body.addWidget(VScroll(content), 1)
        self.body.addWidget(Line())
        foot = row(margins=(16, 12, 16, 12))
        foot.addWidget(note(Words("ui.import.originals")), 1)
        self._explore = Button(Words("ui.explorer.open"), OUTLINE, "magnifying-glass", height=40)
        self._explore.clicked.connect(self._to_explorer)
        foot.addWidget(self._explore)
        done = Button(Words("ui.import.done"), PRIMARY, key="⏎", height=40)
        done.clicked.connect(self.leave)
        foot.addWidget(done, 0, Qt.AlignmentFlag.AlignRight)
        self.body.addLayout(foot)

    def show_summary(self, summary: Any) -> None:
        clear(self._figures)
        studies = len(summary.studies) if not isinstance(summary.studies, int) else summary.studies
        known = len(summary.known_studies)
        for value, words, icon, role in (
            (str(studies), tr("ui.import.studies", n=studies), "check", "ok"),
            (str(summary.added), tr("ui.import.images", n=summary.added), "images", "secondary"),
            (str(summary.known), tr("ui.import.known", n=summary.known), "copy", "secondary"),
            (
                str(len(summary.refused)),
                tr("ui.import.refused", n=len(summary.refused)),
                "prohibit",
                "bad" if summary.refused else "secondary",
            ),
            (" ".join(file_size(summary.bytes_read)), tr("ui.import.read"), "hard-drive", "secondary"),
        ):
            self._figures.addWidget(_figure(value, words, icon, role))
        self._figures.addStretch(1)
        clear(self._list)
        refused = tuple(summary.refused)
        self._explore.setVisible(bool(refused))
        notes = len(refused) + len(summary.remarks)
        self._head.setVisible(notes > 0)
        self._heading.say(tr("ui.import.not_opened", n=len(refused)) if refused else tr("ui.import.remarks"))
        for item in refused[:_SHOWN]:
            self._add(item)
        if len(refused) > _SHOWN:
            self._list.addWidget(_Refused("", tr("ui.import.more", n=len(refused) - _SHOWN), "prohibit", "bad"))
        for remark in summary.remarks:
            self._list.addWidget(_Refused("", tr_problem(remark), "info", "secondary"))
        if not notes:
            text = tr("ui.import.all_known", n=known) if known and not studies else tr("ui.import.all_well")
            self._list.addWidget(_Refused("", text, "check", "ok"))
        self._list.addStretch(1)

    def _to_explorer(self) -> None:
        self.leave()
        self.explore_wanted.emit()

    def _add(self, item: RefusedFile) -> None:
        self._list.addWidget(_Refused(item.path, tr_problem(item.problem), "prohibit", "bad"))
        self._list.addWidget(Line(role="fine_line"))

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.leave()
        else:
            super().keyPressEvent(event)
