"""A line to type into, a box to tick: the forms' own controls."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QSizePolicy, QWidget

from app.session.views import NOTHING, Words
from app.ui.i18n import tr
from app.ui.icons import paint_icon
from app.ui.theme import font
from app.ui.widgets.boxes import row
from app.ui.widgets.paint import paint_focus, paint_text, rounded, text_width


class _Edit(QLineEdit):
    moved = Signal()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.moved.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.moved.emit()


class Field(QWidget):
    """``name`` is what a screen reader says, ``hint`` stands in it while it is empty."""

    changed = Signal(str)
    entered = Signal()

    def __init__(self, name: Words, hint: Words = NOTHING, icon: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._hint, self._icon, self._wrong = name, hint, icon, False
        self.setFixedHeight(32)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.edit = _Edit()
        self.edit.setFrame(False)
        self.edit.setFont(font("body"))
        self.edit.setStyleSheet("background: transparent;")
        lay = row(self, (36 if icon else 10, 1, 10, 1))
        lay.addWidget(self.edit, 1)
        self.edit.textChanged.connect(self.changed)
        self.edit.returnPressed.connect(self.entered)
        self.edit.moved.connect(self.update)
        self.setFocusProxy(self.edit)
        self._retranslate()

    def text(self) -> str:
        return self.edit.text().strip()

    def set_text(self, text: str) -> None:
        self.edit.setText(text)

    def set_wrong(self, wrong: bool) -> None:
        """What stands there cannot be taken."""
        if wrong != self._wrong:
            self._wrong = wrong
            self.update()

    def _retranslate(self) -> None:
        self.edit.setPlaceholderText(tr(self._hint))
        self.edit.setAccessibleName(tr(self._name))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        edge = "bad" if self._wrong else "text" if self.edit.hasFocus() else "control_edge"
        rounded(painter, QRectF(self.rect()), "ground", edge)
        if self._icon:
            paint_icon(painter, self._icon, 10, 6, "secondary")
        painter.end()


class CheckBox(QAbstractButton):
    """A box with its sentence; the sentence may take two lines."""

    def __init__(self, words: Words, detail: Words = NOTHING, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words, self._detail = words, detail
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._retranslate()

    def say(self, words: Words, detail: Words = NOTHING) -> None:
        self._words, self._detail = words, detail
        self._retranslate()

    def _retranslate(self) -> None:
        self.setText(tr(self._words))
        self.setAccessibleDescription(tr(self._detail))
        self.setToolTip("")
        self.updateGeometry()
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        wide = max(text_width(self.text(), font("body")), text_width(tr(self._detail), font("small")))
        return QSize(round(wide) + 34, 44 if self._detail.id else 28)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        top = 4 if self._detail.id else self.height() / 2 - 10
        ink = "text" if self.isEnabled() else "disabled"
        paint_icon(painter, "check-square" if self.isChecked() else "square", 0, round(top), ink)
        room = self.width() - 28
        shown = paint_text(painter, QRectF(28, top, room, 20), self.text(), ink)
        if self._detail.id:
            paint_text(painter, QRectF(28, top + 20, room, 18), tr(self._detail), "third", "small")
        if shown < text_width(self.text(), font("body")) - 1:
            self.setToolTip(self.text())
        if self.hasFocus():
            paint_focus(painter, QRectF(self.rect()))
        painter.end()
