"""One icon as a widget."""

from __future__ import annotations

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.icons import has_icon, paint_icon


class Glyph(QWidget):
    def __init__(self, name: str = "info", role: str = "secondary", size: int = 20, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._role, self._size = name, role, size
        self.setFixedSize(size, size)

    def show_icon(self, name: str, role: str = "secondary") -> None:
        self._name, self._role = name, role
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if has_icon(self._name):
            painter = QPainter(self)
            paint_icon(painter, self._name, 0, 0, self._role, self._size)
            painter.end()
