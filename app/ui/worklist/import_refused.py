"""What cannot be opened, by file, with what happened, what is safe and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.domain.messages import translate
from app.domain.problem import Problem, Severity
from app.domain.study import RefusedFile
from app.session.kept_aside import OTHER_BYTES
from app.session.views import Words
from app.ui import i18n
from app.ui.i18n import tr
from app.ui.widgets.boxes import Line, VScroll, clear, column, row
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text, note

_SHOWN = 200
"""More than this are counted, not listed."""


def _sentences(problem: Problem) -> tuple[str, str]:
    """What happened; what stays safe and what to do."""
    language = i18n.language()
    rest = [translate(language, part, problem.params) for part in (problem.next_step, problem.kept_safe) if part]
    return translate(language, problem.code, problem.params), " ".join(rest)


class _One(QWidget):
    def __init__(
        self, name: str, problem: Problem, compare: Callable[[], None] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        lay = row(self, (16, 10, 16, 10), 10)
        holder = column()
        bad = problem.severity is Severity.ERROR or bool(name)
        icon = "prohibit" if bad else "warning" if problem.severity is Severity.WARNING else "info"
        holder.addWidget(Glyph(icon, "bad" if bad else "secondary"))
        holder.addStretch(1)
        lay.addLayout(holder)
        words = column(gap=2)
        if name:
            title = Text(name, "body", "medium")
            words.addWidget(title)
        what, rest = _sentences(problem)
        words.addWidget(Text(what, "small", "regular", "secondary", wrap=True))
        if rest:
            words.addWidget(Text(rest, "small", "regular", "third", wrap=True))
        lay.addLayout(words, 1)
        if compare is not None:
            look = Button(Words("ui.aside.compare"), LINK)
            look.clicked.connect(compare)
            lay.addWidget(look, 0, Qt.AlignmentFlag.AlignTop)


class RefusedList(QWidget):
    why = Signal()
    compare = Signal(str)
    """Path of a file whose number was here with other bytes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        lay = column(self)
        head = row(margins=(16, 12, 16, 10))
        self._title = Text(Words("ui.import.not_opened_title"), "body", "semibold", elide=False)
        self._count = Text("", "small", "semibold", "secondary", elide=False)
        head.addWidget(self._title)
        head.addWidget(self._count)
        head.addStretch(1)
        self._rest = note(Words("ui.import.rest_unaffected"))
        head.addWidget(self._rest)
        self._why = Button(Words("ui.why"), LINK)
        self._why.clicked.connect(self.why)
        head.addWidget(self._why)
        lay.addLayout(head)
        lay.addWidget(Line())
        content = QWidget()
        self._list = column(content)
        lay.addWidget(VScroll(content), 1)
        self._shown: tuple[Sequence[RefusedFile], Sequence[Problem], bool] | None = None

    def show_problems(self, refused: Sequence[RefusedFile], remarks: Sequence[Problem], imported: bool = False) -> None:
        """``imported``: the import has ended; what was kept aside can be compared now."""
        if self._shown == (refused, remarks, imported):
            return
        self._shown = (refused, remarks, imported)
        clear(self._list)
        self._count.say(str(len(refused)) if refused else "")
        self._why.setVisible(bool(refused))
        self._rest.setVisible(bool(refused))
        self._title.say(Words("ui.import.not_opened_title" if refused or not remarks else "ui.import.remarks"))
        for remark in remarks:
            self._list.addWidget(_One("", remark))
            self._list.addWidget(Line(role="fine_line"))
        for one in refused[:_SHOWN]:
            aside = imported and one.problem.code in OTHER_BYTES
            look = (lambda path=one.path: self.compare.emit(path)) if aside else None
            self._list.addWidget(_One(tail(one.path), one.problem, look))
            self._list.addWidget(Line(role="fine_line"))
        if len(refused) > _SHOWN:
            self._list.addWidget(note(tr("ui.import.more", n=len(refused) - _SHOWN)))
        if not refused and not remarks:
            holder = row(margins=(16, 14, 16, 14))
            holder.addWidget(Glyph("check", "ok"))
            holder.addWidget(Text(Words("ui.import.nothing_refused"), "small", "regular", "secondary", wrap=True), 1)
            self._list.addLayout(holder)
        self._list.addStretch(1)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self._shown is not None:
            shown, self._shown = self._shown, None
            self.show_problems(*shown)


def tail(path: str) -> str:
    """Folder and file: the rest of a path says nothing to a person."""
    parts = path.replace("\\", "/").replace("!", "/").rstrip("/").split("/")
    return "/".join(parts[-2:])
