"""Which second readers work on this PC, what they accept, how long they take here."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.session.views import ReaderOnThisPc, Words
from app.ui.i18n import number, tr, tr_problem
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, Surface, VScroll, clear, column, row
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import RIGHT, paint_badge, paint_focus, paint_text
from app.ui.widgets.row_list import paint_two_lines
from app.ui.widgets.text import Text, heading, note


class _ReaderRow(QAbstractButton):
    """Opens the reader's card."""

    def __init__(self, reader: ReaderOnThisPc, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self.setFixedHeight(56)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setToolTip(tr("readers.open"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{reader.title}, {reader.name} {reader.version}, {self._detail()}")

    def _detail(self) -> str:
        reader = self._reader
        if reader.problem is not None:
            return tr_problem(reader.problem)
        return tr(reader.detail) or f"{reader.name} {reader.version}".strip()

    def sizeHint(self) -> QSize:
        return QSize(300, 56)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        if self.underMouse() or self.isDown():
            painter.fillRect(box, colour("raised"))
        if self.hasFocus():
            paint_focus(painter, box.adjusted(1, 1, -1, -1))
        broken = self._reader.state == "broken"
        paint_badge(painter, QRectF(0, 18, 32, 20), self._reader.modality or "–", "disabled" if broken else "text")
        right = 0.0
        if self._reader.seconds is not None and not broken:
            unit = paint_text(painter, box, tr("ui.unit.s"), "third", "body", align=RIGHT)
            figure = number(self._reader.seconds, 0 if self._reader.seconds >= 10 else 1)
            right = (
                4 + unit + paint_text(painter, box.adjusted(0, 0, -unit - 4, 0), figure, "text", "title", "semibold", RIGHT)
            )
        elif self._reader.state == "untested":
            right = paint_text(painter, box, tr("ui.readers.untested"), "third", "small", align=RIGHT)
        area = box.adjusted(44, 0, -right - 8, 0)
        paint_two_lines(painter, area, self._reader.title, self._detail(), second_role="bad" if broken else "third")
        painter.fillRect(QRectF(0, box.height() - 1, box.width(), 1), colour("line"))
        painter.end()


class ReadersPanel(Surface):
    card_wanted = Signal(str)
    """The name of the reader."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "l", parent)
        body = QWidget()
        lay = column(body, (16, 16, 16, 16), 0)
        lay.addWidget(Text(Words("ui.readers.title"), "large", "semibold", wrap=True))
        lay.addSpacing(4)
        self._machine = Text("", "body", "regular", "secondary")
        lay.addWidget(self._machine)
        lay.addSpacing(20)
        top = row()
        top.addWidget(heading(Words("ui.readers.reads")), 1)
        top.addWidget(note(Words("ui.readers.per_study")))
        lay.addLayout(top)
        lay.addSpacing(8)
        lay.addWidget(Line())
        self._rows = column()
        lay.addLayout(self._rows)
        self._none = note(Words("ui.readers.none"), wrap=True)
        self._none.setContentsMargins(0, 10, 0, 0)
        lay.addWidget(self._none)
        lay.addSpacing(16)
        self._add_fact(lay, "flask", "secondary", Words("ui.readers.research"), Words("ui.readers.research_detail"))
        lay.addSpacing(20)
        lay.addWidget(heading(Words("ui.readers.shown")))
        lay.addSpacing(8)
        lay.addWidget(Line())
        lay.addSpacing(10)
        self._add_fact(lay, "sealed", "ai", Words("ui.readers.after"), Words("ui.readers.after_detail"))
        lay.addStretch(1)
        outer = column(self, (1, 0, 0, 0))
        outer.addWidget(VScroll(body))

    @staticmethod
    def _add_fact(lay: object, icon: str, role: str, title: Words, detail: Words) -> None:
        line = row(gap=12)
        glyph = Glyph(icon, role)
        holder = column()
        holder.addWidget(glyph)
        holder.addStretch(1)
        line.addLayout(holder)
        words = column(gap=2)
        words.addWidget(Text(title, "body", "medium"))
        words.addWidget(Text(detail, "body", "regular", "third", wrap=True))
        line.addLayout(words, 1)
        lay.addLayout(line)  # type: ignore[attr-defined]

    def show_readers(self, machine: Sequence[Words | str], readers: Sequence[ReaderOnThisPc]) -> None:
        self._machine.say(" · ".join(tr(m) if isinstance(m, Words) else m for m in machine))
        clear(self._rows)
        for reader in readers:
            made = _ReaderRow(reader)
            made.clicked.connect(lambda _=False, name=reader.name: self.card_wanted.emit(name))
            self._rows.addWidget(made)
        self._none.setVisible(not readers)
