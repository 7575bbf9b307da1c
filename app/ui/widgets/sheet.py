"""A sheet over the screen: the screen behind is dimmed, Esc or a click beside it steps back."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from app.session.views import NOTHING, Words
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, column, row
from app.ui.widgets.buttons import TOOL, Button
from app.ui.widgets.paint import rounded
from app.ui.widgets.text import Text


class Sheet(QWidget):
    """Covers its parent. ``body`` is the layout to fill; ``size`` is the largest size of the box."""

    closed = Signal()

    def __init__(self, title: Words, size: QSize, parent: QWidget) -> None:
        super().__init__(parent)
        self._size = size
        self._before: QWidget | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._box = QWidget(self)
        outer = column(self._box)
        top = row(margins=(16, 12, 12, 12))
        self.title = Text(title, "large", "semibold")
        top.addWidget(self.title, 1)
        self.beside = row()
        top.addLayout(self.beside)
        self._close = Button(NOTHING, TOOL, "x", tip=Words("ui.close"), key="Esc")
        self._close.clicked.connect(self.leave)
        top.addWidget(self._close)
        outer.addLayout(top)
        outer.addWidget(Line())
        self.body = column()
        outer.addLayout(self.body, 1)
        self._box.installEventFilter(self)
        parent.installEventFilter(self)
        self._place()

    def open(self) -> None:
        self._before = QApplication.focusWidget()
        self._place()
        self.setAccessibleName(self.title.text())
        self.show()
        self.raise_()
        self.setFocus()

    def leave(self) -> None:
        self.hide()
        if self._before is not None and isValid(self._before) and self._before.isVisible():
            self._before.setFocus()
        self._before = None
        self.closed.emit()

    def _place(self) -> None:
        area = self.parentWidget().rect()
        self.setGeometry(area)
        width = min(self._size.width(), area.width() - 48)
        height = min(self._size.height(), area.height() - 48)
        self._box.setGeometry((area.width() - width) // 2, (area.height() - height) // 2, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.parentWidget() and event.type() == QEvent.Type.Resize:
            self._place()
        elif watched is self._box and event.type() == QEvent.Type.Paint:
            painter = QPainter(self._box)
            rounded(painter, QRectF(self._box.rect()), "panel", "edge")
            painter.end()
        return super().eventFilter(watched, event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self._box.geometry().contains(event.position().toPoint()):
            self.leave()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("black", 0.6))
        painter.end()
