"""A field that offers a list: region, template, certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QMenu, QSizePolicy, QWidget

from app.session.views import Words
from app.ui.i18n import tr
from app.ui.icons import paint_icon
from app.ui.widgets.buttons import show_menu
from app.ui.widgets.paint import paint_focus, paint_text, rounded

Options = Sequence[tuple[str, Words | str]]


class Select(QAbstractButton):
    """``options`` is asked when the list opens: (value, words). ``chosen`` carries the value."""

    chosen = Signal(str)

    def __init__(self, name: Words, options: Callable[[], Options], hint: Words, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._options, self._hint = name, options, hint
        self._shown: Words | str = ""
        self.setFixedHeight(32)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clicked.connect(self._offer)
        self._retranslate()

    def show_value(self, words: Words | str) -> None:
        self._shown = words
        self._retranslate()

    def _text(self) -> str:
        return tr(self._shown) if isinstance(self._shown, Words) else self._shown

    def _retranslate(self) -> None:
        self.setAccessibleName(f"{tr(self._name)} {self._text()}".strip())
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(160, 32)

    def _offer(self) -> None:
        menu = QMenu(self)
        for value, words in self._options():
            text = tr(words) if isinstance(words, Words) else words
            menu.addAction(text).triggered.connect(lambda _=False, v=value: self.chosen.emit(v))
        show_menu(self, menu)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        rounded(painter, box, "ground", "control_edge")
        text = self._text()
        area = box.adjusted(10, 0, -34, 0)
        paint_text(
            painter, area, text or tr(self._hint), "text" if text else "third", "body", "medium" if text else "regular"
        )
        paint_icon(painter, "caret-down", box.width() - 26, 8, "secondary", 16)
        if self.hasFocus():
            paint_focus(painter, box)
        painter.end()
