"""The right-hand panel: before the commit the reader's own marks and one primary button; after it the differences first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRectF, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.domain.problem import ProblemError
from app.session.views import NOTHING, AiState, Notice, Words
from app.ui.reading.earlier_list import EarlierList
from app.ui.reading.panel_foot import RevealedFoot, SealedFoot
from app.ui.reading.panel_lists import OwnList, RevealedList
from app.ui.shortcuts import key_of
from app.ui.widgets.boxes import Surface, VScroll, column, row
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.paint import CENTRE, badge_width, paint_text, rounded
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation

WIDTH = 360


class FindingsPanel(Surface):
    noticed = Signal(object)
    to_report = Signal()

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__("panel", "l", parent)
        self._workstation = workstation
        self.setFixedWidth(WIDTH)
        lay = column(self, (1, 0, 0, 0))
        top = row(margins=(12, 0, 10, 0), gap=8)
        self._title = Text("", "title", "semibold", elide=False)
        self._count = CountChip()
        self._beside = note("")
        self._add = Button(
            Words("ui.finding.add"), QUIET, "plus", key_of("reading", "add_mark"), tip=Words("ui.key.add_mark")
        )
        self._add.clicked.connect(self.add_mark)
        top.addWidget(self._title)
        top.addWidget(self._count)
        top.addStretch(1)
        top.addWidget(self._beside)
        top.addWidget(self._add)
        head = QWidget()
        head.setFixedHeight(40)
        head.setLayout(top)
        lay.addWidget(head)
        body = QWidget()
        inner = column(body, (11, 4, 12, 12), 0)
        self.own = OwnList(workstation)
        self.revealed = RevealedList(workstation)
        self.revealed.noticed.connect(self.noticed)
        inner.addWidget(self.own)
        inner.addWidget(self.revealed)
        self.earlier = EarlierList(workstation)
        inner.addWidget(self.earlier)
        inner.addStretch(1)
        self._scroll = VScroll(body)
        lay.addWidget(self._scroll, 1)
        self.sealed_foot = SealedFoot()
        self.sealed_foot.commit_wanted.connect(self.commit)
        self.sealed_foot.show_ai_wanted.connect(self.show_ai)
        self.sealed_foot.retry_wanted.connect(self._retry_read)
        self.revealed_foot = RevealedFoot(workstation)
        self.revealed_foot.next_wanted.connect(self.next_unanswered)
        self.revealed_foot.to_report.connect(self.to_report)
        lay.addWidget(self.sealed_foot)
        lay.addWidget(self.revealed_foot)

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        view = reading.second_read()
        committed = reading.first_opinion() is not None
        self._title.say(Words("ui.panel.findings" if committed else "ui.panel.your_findings"))
        self._count.show_count(len(view.own) if not committed else 0)
        opened = " · ".join(t for t in (view.committed_at, f"{view.reader} {view.version}".strip()) if t)
        self._beside.say(opened if committed and view.state is AiState.REVEALED else "")
        self._beside.setVisible(committed)
        self.own.setVisible(not committed)
        self.revealed.setVisible(committed)
        self.sealed_foot.setVisible(not committed)
        self.revealed_foot.setVisible(committed)
        if committed:
            self.revealed.show_view(view)
            self.revealed_foot.show_view(view)
        else:
            self.own.show_view(view)
            self.sealed_foot.show_view(view, self.own.overall())
        self.earlier.refresh()
        self._add.say(NOTHING if committed else Words("ui.finding.add"))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.own.forget()
            self.revealed.forget()
            self.earlier.forget()
            self.refresh()

    # verbs, also by key

    def _try(self, verb: object, *arguments: object) -> bool:
        try:
            verb(*arguments)  # type: ignore[operator]
        except ProblemError as error:
            self.noticed.emit(Notice(error.problem))
            return False
        return True

    def commit(self) -> None:
        reading = self._workstation.reading
        overall = self.own.overall()
        if reading is not None and overall is not None and reading.first_opinion() is None:
            self._try(reading.commit, overall, self.own.quality())

    def show_ai(self) -> None:
        reading = self._workstation.reading
        if reading is not None:
            self._try(reading.show_ai)

    def _retry_read(self) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.retry_read()

    def add_mark(self) -> None:
        reading = self._workstation.reading
        if reading is not None:
            self._try(reading.add_mark)

    def next_unanswered(self) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.next_unanswered()

    def command(self, name: str) -> bool:
        reading = self._workstation.reading
        if reading is None:
            return False
        if name == "commit":
            if reading.first_opinion() is None:
                self.commit()
            else:
                self.to_report.emit()
        elif name in ("accept", "modify", "reject"):
            return self.revealed.isVisible() and self.revealed.answer(name)
        elif name == "next_unanswered":
            self.next_unanswered()
        elif name == "add_mark":
            self.add_mark()
        elif name == "remove_mark" and reading.desk.mark(reading.selected_finding) is not None:
            reading.remove_mark(reading.selected_finding)
        else:
            return False
        return True


class CountChip(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count = 0
        self.setFixedSize(24, 18)

    def show_count(self, count: int) -> None:
        self._count = count
        self.setVisible(count > 0)
        self.setFixedWidth(round(max(20.0, badge_width(str(count)) - 4)))
        self.setAccessibleName(str(count))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rounded(painter, QRectF(self.rect()), "on", None, 4)
        paint_text(painter, QRectF(self.rect()), str(self._count), "text", "small", "semibold", CENTRE)
        painter.end()
