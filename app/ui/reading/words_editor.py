"""The small field in which a written mark gets its words, on the image. Return keeps, Esc takes the mark away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.domain.measurement import MarkShape
from app.domain.problem import ProblemError
from app.session.views import Notice
from app.ui.i18n import tr

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession

WIDTHS = {MarkShape.SPINE: 96, MarkShape.TOOTH: 96}
WIDE = 260
HEIGHT = 32


class WordsEditor(QLineEdit):
    noticed = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._reading: ReadingSession | None = None
        self._asked: object = None
        self.setFixedHeight(HEIGHT)
        self.hide()
        self.returnPressed.connect(self._keep)

    def follow(self, reading: ReadingSession, pane: QWidget | None) -> None:
        """Opens over ``pane`` for what the session asks, closes when nothing is asked any more."""
        asked = reading.awaited_words
        if asked is None or pane is None:
            self._asked = None
            self.hide()
            return
        if asked is self._asked:
            return
        self._asked, self._reading = asked, reading
        if self.parentWidget() is not pane.parentWidget():
            self.setParent(pane.parentWidget())
        shape = asked.annotation.shape
        self.setFixedWidth(WIDTHS.get(shape, WIDE))
        self.setPlaceholderText(tr(f"ui.words.{shape.value}"))
        self.setAccessibleName(tr(f"ui.words.{shape.value}"))
        self.setText(asked.suggestion)
        self.selectAll()
        ratio = pane.devicePixelRatioF()
        x, y = pane.x() + asked.at[0] / ratio + 12, pane.y() + asked.at[1] / ratio - HEIGHT / 2
        room = self.parentWidget().rect()
        self.move(round(min(max(x, 0), room.width() - self.width())), round(min(max(y, 0), room.height() - self.height())))
        self.show()
        self.raise_()
        self.setFocus()

    def _keep(self) -> None:
        self._answer(self.text())

    def _answer(self, words: str) -> None:
        reading = self._reading
        if reading is None or self._asked is None:
            return
        try:
            reading.answer(words)
        except ProblemError as error:
            self.noticed.emit(Notice(error.problem))
            self.selectAll()
            return
        self._asked = None
        self.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._answer("")
            event.accept()
            return
        super().keyPressEvent(event)
        event.accept()  # letters here are words, not keys of the reading room

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A click elsewhere keeps what was written, and takes an empty mark away."""
        super().focusOutEvent(event)
        if self.isVisible() and event.reason() is not Qt.FocusReason.ActiveWindowFocusReason:
            text = self.text()
            try:
                if self._reading is not None and self._asked is not None:
                    self._reading.answer(text)
            except ProblemError as error:
                self.noticed.emit(Notice(error.problem))
                if self._reading is not None:
                    self._reading.answer("")
            self._asked = None
            self.hide()
