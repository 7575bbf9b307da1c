"""The search line: finds a name in any script, says which spellings it also finds."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.session.views import NOTHING, Words
from app.ui.i18n import tr
from app.ui.icons import paint_icon
from app.ui.theme import font
from app.ui.widgets.boxes import row
from app.ui.widgets.buttons import TOOL, Button
from app.ui.widgets.paint import rounded
from app.ui.widgets.text import Text


class _Edit(QLineEdit):
    focused = Signal()
    left = Signal()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focused.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


class SearchField(QWidget):
    changed = Signal(str)
    down = Signal()
    """Arrow down or Return: on to the list."""

    def __init__(self, hint: Words, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = hint
        self.setFixedHeight(36)
        self.edit = _Edit()
        self.edit.setFrame(False)
        self.edit.setFont(font("body"))
        self.edit.setStyleSheet("background: transparent;")
        self.note = Text("", "small", "regular", "third")
        self._clear = Button(NOTHING, TOOL, "x", tip=Words("ui.search.clear"), height=28)
        lay = row(self, (40, 1, 8, 1), 8)
        lay.addWidget(self.edit, 1)
        lay.addWidget(self.note)
        lay.addWidget(self._clear)
        self._clear.clicked.connect(self.clear)
        self._clear.hide()
        self.edit.textChanged.connect(self._edited)
        self.edit.focused.connect(self.update)
        self.edit.left.connect(self.update)
        self.setFocusProxy(self.edit)
        self._retranslate()

    def _retranslate(self) -> None:
        self.edit.setPlaceholderText(tr(self._hint))
        self.edit.setAccessibleName(tr(self._hint))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def text(self) -> str:
        return self.edit.text()

    def clear(self) -> None:
        self.edit.clear()
        self.edit.setFocus()

    def _edited(self, text: str) -> None:
        self._clear.setVisible(bool(text))
        if not text:
            self.note.say("")
        self.changed.emit(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.down.emit()
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        edge = "text" if self.edit.hasFocus() else "control_edge" if self.text() else "edge"
        rounded(painter, QRectF(self.rect()), "ground", edge)
        paint_icon(painter, "search", 12, 8, "secondary")
        painter.end()
