"""Surfaces: cards, lines, strips that scroll."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.ui.theme import colour, space
from app.ui.widgets.paint import clip_rounded, paint_progress, rounded


class Surface(QWidget):
    """A plain ground with an optional line on some edges (letters of ``edges``: l, r, t, b)."""

    def __init__(self, role: str = "panel", edges: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role
        self._edges = edges

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour(self._role))
        ink, w, h = colour("line"), self.width(), self.height()
        for edge, box in (("l", (0, 0, 1, h)), ("r", (w - 1, 0, 1, h)), ("t", (0, 0, w, 1)), ("b", (0, h - 1, w, 1))):
            if edge in self._edges:
                painter.fillRect(*box, ink)
        painter.end()


class Card(QFrame):
    """A rounded box; ``bar`` paints its left edge in a role (who it comes from)."""

    def __init__(self, fill: str = "raised", edge: str = "line", bar: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fill, self.edge, self.bar = fill, edge, bar

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        rounded(painter, box, self.fill, self.edge)
        if self.bar:
            painter.save()
            clip_rounded(painter, box, space("corner"))
            painter.fillRect(QRectF(0, 0, 2, box.height()), colour(self.bar))
            painter.restore()
        painter.end()


class Line(QWidget):
    def __init__(self, vertical: bool = False, role: str = "line", length: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role
        if vertical:
            self.setFixedWidth(1)
            if length:
                self.setFixedHeight(length)
        else:
            self.setFixedHeight(1)
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour(self._role))
        painter.end()


class ProgressBar(QWidget):
    def __init__(self, role: str = "text", height: int = 4, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role
        self._fraction = 0.0
        self.setFixedHeight(height)
        self.setMinimumWidth(40)

    def set_fraction(self, fraction: float) -> None:
        if fraction != self._fraction:
            self._fraction = fraction
            self.setAccessibleName(f"{round(fraction * 100)} %")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_progress(painter, QRectF(self.rect()), self._fraction, self._role)
        painter.end()


class VScroll(QScrollArea):
    """Scrolls down only; its content is as wide as itself."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        self.setWidget(content)
        content.setAutoFillBackground(False)  # Qt turns it on when it takes the widget

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)


def column(parent: QWidget | None = None, margins: tuple[int, int, int, int] = (0, 0, 0, 0), gap: int = 0) -> QVBoxLayout:
    made = QVBoxLayout(parent) if parent is not None else QVBoxLayout()
    made.setContentsMargins(*margins)
    made.setSpacing(gap)
    return made


def row(parent: QWidget | None = None, margins: tuple[int, int, int, int] = (0, 0, 0, 0), gap: int = 8) -> QHBoxLayout:
    made = QHBoxLayout(parent) if parent is not None else QHBoxLayout()
    made.setContentsMargins(*margins)
    made.setSpacing(gap)
    return made


def clear(layout: QLayout) -> None:
    """Takes everything out of a layout and lets the widgets go."""
    while layout.count():
        item = layout.takeAt(0)
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()
        elif item.layout() is not None:
            clear(item.layout())


def fill(layout: QBoxLayout, *widgets: QWidget) -> None:
    for widget in widgets:
        layout.addWidget(widget)
