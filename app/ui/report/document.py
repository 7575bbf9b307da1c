"""The sheet: the report as it will read, edited where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QMenu, QSizePolicy, QWidget

from app.domain.report import Origin, Report, ReportLine, ReportSection
from app.session.views import Words
from app.ui.i18n import tr
from app.ui.report.line_edit import Legend, LineEdit
from app.ui.widgets.boxes import Card, Line, VScroll, clear, column, row
from app.ui.widgets.buttons import QUIET, Button, show_menu
from app.ui.widgets.text import Text, heading

if TYPE_CHECKING:
    from app.session.workstation import Workstation

WIDTH = 872
PADDING = 56


class Document(QWidget):
    """Emits what the person wrote; never keeps text of its own."""

    edited = Signal(str, int, str)
    added = Signal(str, str)
    removed = Signal(str, int)

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._shown: object = None
        self._wants_focus: tuple[str, int] | None = None
        holder = QWidget()
        outer = row(holder, (24, 24, 24, 24), 0)
        sheet = Card("paper", "line")
        sheet.setMaximumWidth(WIDTH)
        sheet.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        outer.addStretch(1)
        outer.addWidget(sheet, 1000)
        outer.addStretch(1)
        lay = column(sheet, (PADDING - 24, 32, PADDING, 20), 0)
        head = QWidget()
        inner = column(head, (24, 0, 0, 0))
        self._title = Text("", "large", "semibold", wrap=True)
        inner.addWidget(self._title)
        inner.addSpacing(14)
        self._facts = QGridLayout()
        self._facts.setContentsMargins(0, 0, 0, 0)
        self._facts.setHorizontalSpacing(16)
        self._facts.setVerticalSpacing(6)
        inner.addLayout(self._facts)
        inner.addSpacing(18)
        inner.addWidget(Line())
        lay.addWidget(head)
        self._body = column(gap=0)
        lay.addLayout(self._body)
        lay.addStretch(1)
        lay.addSpacing(24)
        foot = row(margins=(24, 0, 0, 0))
        foot.addWidget(Legend())
        lay.addLayout(foot)
        around = column(self)
        around.addWidget(VScroll(holder))

    def editing(self) -> bool:
        return any(e.edit.hasFocus() for e in self.findChildren(LineEdit))

    def show_report(self, report: Report) -> None:
        key = (report.title, report.header, report.sections, report.language)
        if key == self._shown:
            return
        self._shown = key
        self._title.say(report.title)
        clear(self._facts)
        entries = list(report.header.items())
        half = (len(entries) + 1) // 2
        for number, (label, value) in enumerate(entries):
            line, side = (number % half, (number // half) * 2) if half else (0, 0)
            name = Text(label, "body", "regular", "third", elide=False)
            self._facts.addWidget(name, line, side, Qt.AlignmentFlag.AlignTop)
            text = Text(value, "body", wrap=True)
            self._facts.addWidget(text, line, side + 1, Qt.AlignmentFlag.AlignTop)
        self._facts.setColumnStretch(1, 1)
        self._facts.setColumnStretch(3, 1)
        clear(self._body)
        for section in report.sections:
            self._add_section(section)
        if self._wants_focus is not None:
            self._focus(*self._wants_focus)
            self._wants_focus = None

    def _add_section(self, section: ReportSection) -> None:
        top = row(margins=(24, 22, 0, 4))
        top.addWidget(heading(section.title), 1)
        more = Button(Words("ui.report.add_line"), QUIET, "plus", height=28)
        more.clicked.connect(lambda: self._offer(more, section.section_id))
        top.addWidget(more)
        title = QWidget()
        title.setLayout(top)
        self._body.addWidget(title)
        for index, line in enumerate(section.lines):
            self._body.addWidget(self._line(section.section_id, index, line, section.title))
        if not section.lines:
            empty = Text(Words("ui.report.empty_section"), "body", "regular", "third")
            empty.setContentsMargins(24, 0, 0, 0)
            self._body.addWidget(empty)

    def _line(self, section_id: str, index: int, line: ReportLine, name: str) -> LineEdit:
        made = LineEdit(line, f"{name} {index + 1}")
        made.setProperty("place", f"{section_id}/{index}")
        made.changed.connect(lambda text: self._changed(section_id, index, text))
        made.wants_next.connect(lambda: self._next(section_id, index))
        return made

    def _changed(self, section_id: str, index: int, text: str) -> None:
        if text:
            self.edited.emit(section_id, index, text)
        else:
            self.removed.emit(section_id, index)

    def _next(self, section_id: str, index: int) -> None:
        self._wants_focus = (section_id, index + 1)
        if not self._focus(section_id, index + 1):
            return
        self._wants_focus = None

    def _focus(self, section_id: str, index: int) -> bool:
        for made in self.findChildren(LineEdit):
            if made.property("place") == f"{section_id}/{index}":
                made.edit.setFocus()
                return True
        return False

    def _offer(self, button: Button, section_id: str) -> None:
        menu = QMenu(self)
        reading = self._workstation.reading
        menu.addAction(tr("ui.report.own_words")).triggered.connect(lambda: self._add(section_id, tr("ui.report.new_line")))
        phrases = reading.phrases(section_id) if reading is not None else ()
        if phrases:
            menu.addSeparator()
        for phrase in phrases:
            menu.addAction(phrase).triggered.connect(lambda _=False, p=phrase: self._add(section_id, p))
        show_menu(button, menu)

    def _add(self, section_id: str, text: str) -> None:
        self.added.emit(section_id, text)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._shown = None


def origins_of(report: Report) -> dict[str, Origin]:
    """Finding id to the origin of its line."""
    return {f: line.origin for s in report.sections for line in s.lines for f in line.finding_ids}
