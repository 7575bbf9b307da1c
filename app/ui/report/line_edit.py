"""One line of the report: a paragraph that is edited where it stands, with a bar that says who it comes from."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPalette, QResizeEvent, QTextOption
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QWidget

from app.domain.report import Origin, ReportLine
from app.ui.i18n import tr
from app.ui.theme import colour, font
from app.ui.widgets.boxes import row
from app.ui.widgets.paint import CENTRE, paint_text, rounded

LINE_HEIGHT = 24
BAR_ROLES = {Origin.MINE: ("mine",), Origin.AI_ACCEPTED: ("ai_line",), Origin.BOTH: ("mine", "ai_line"), Origin.TEXT: ()}


def paint_origin(painter: QPainter, box: QRectF, origin: Origin) -> None:
    """One colour for one source; both: halves, the reader's above."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    roles = BAR_ROLES[origin]
    height = box.height() / max(len(roles), 1)
    for number, role in enumerate(roles):
        painter.setBrush(colour(role))
        top = box.top() + number * height
        painter.drawRoundedRect(QRectF(box.left(), top, box.width(), height - (1 if len(roles) > 1 else 0)), 1.5, 1.5)


class _Edit(QPlainTextEdit):
    left = Signal()
    ended = Signal()
    """Return: the line is done and another follows."""
    emptied = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFont(font("title", tabular=False))
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrapMode(QTextOption.WrapMode.WordWrap)
        self.setTabChangesFocus(True)
        self.document().setDocumentMargin(0)
        self.viewport().setAutoFillBackground(False)
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.Base, Qt.GlobalColor.transparent)
        palette.setColor(QPalette.ColorRole.Text, colour("text"))
        self.setPalette(palette)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if control and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_P):
            event.ignore()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.ended.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.clearFocus()
        elif event.key() == Qt.Key.Key_Backspace and not self.toPlainText():
            self.emptied.emit()
        else:
            super().keyPressEvent(event)


class LineEdit(QWidget):
    """``changed`` with the new text when the line is left; empty text removes it."""

    changed = Signal(str)
    wants_next = Signal()

    def __init__(self, line: ReportLine, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line = line
        lay = row(self, (24, 2, 0, 2), 8)
        self.edit = _Edit()
        self.edit.setPlainText(line.text)
        self.edit.setAccessibleName(name)
        lay.addWidget(self.edit, 1)
        self._badge = 28 if line.key_image is not None else 0
        lay.addSpacing(self._badge)
        self.edit.left.connect(self._leave)
        self.edit.emptied.connect(lambda: self.changed.emit(""))
        self.edit.ended.connect(self._end)
        self.edit.textChanged.connect(self._fit)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    @property
    def line(self) -> ReportLine:
        return self._line

    def _leave(self) -> None:
        text = self.edit.toPlainText().strip()
        if text != self._line.text:
            self.changed.emit(text)

    def _end(self) -> None:
        self.edit.clearFocus()
        self.wants_next.emit()

    def _fit(self) -> None:
        self.setFixedHeight(self._needed(self.edit.width() if self.edit.width() > 50 else 700) + 4)

    def _needed(self, width: int) -> int:
        metrics = QFontMetrics(self.edit.font())
        text = self.edit.toPlainText() or " "
        box = metrics.boundingRect(0, 0, max(width - 2, 50), 10000, int(Qt.TextFlag.TextWordWrap), text)
        lines = max(1, round(box.height() / metrics.lineSpacing()))
        return max(LINE_HEIGHT, lines * metrics.lineSpacing() + 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(400, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.edit.hasFocus():
            rounded(painter, QRectF(16, 0, self.width() - 16, self.height()), "hover", None, 4)
        paint_origin(painter, QRectF(2, 4, 4, self.height() - 8), self._line.origin)
        if self._line.key_image is not None:
            box = QRectF(self.width() - 24, 3, 20, 18)
            rounded(painter, box, "selected", None, 4)
            paint_text(painter, box, str(self._line.key_image), "text", "small", "semibold", CENTRE)
        painter.end()


class Legend(QWidget):
    """What the bars at the left mean."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(20)

    def changeEvent(self, event: object) -> None:
        self.update()
        super().changeEvent(event)  # type: ignore[arg-type]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        x = 0.0
        for origin in (Origin.MINE, Origin.AI_ACCEPTED, Origin.BOTH):
            paint_origin(painter, QRectF(x, 3, 4, 14), origin)
            x += (
                10
                + paint_text(
                    painter, QRectF(x + 10, 0, 240, 20), tr(f"ui.report.origin.{origin.value}"), "secondary", "small"
                )
                + 18
            )
        note = tr("ui.report.follows")
        paint_text(
            painter, QRectF(x, 0, self.width() - x, 20), note, "secondary", "small", align=Qt.AlignmentFlag.AlignRight
        )
        painter.end()
