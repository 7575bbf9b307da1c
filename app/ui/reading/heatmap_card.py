"""How much of the probability map is seen: opacity, threshold on the absolute scale, one key to hide all AI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.session.views import NOTHING, SecondReadView, Words
from app.ui.i18n import number, tr
from app.ui.reading.paint_primitives import lut_image
from app.ui.shortcuts import key_of
from app.ui.theme import colour
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.buttons import TOOL, Button
from app.ui.widgets.paint import paint_focus, paint_key_cap, paint_text
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession


class Slider(QWidget):
    """0 to 1. ``lut``: the track is the colour scale itself, hatched below the handle."""

    moved = Signal(float)

    def __init__(self, name: Words, lut: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._lut, self._value = name, lut, 0.0
        self.setFixedHeight(28)
        self.setMinimumWidth(80)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_value(self, value: float) -> None:
        self._value = min(max(value, 0.0), 1.0)
        self.setAccessibleName(f"{tr(self._name)} {number(self._value, 2)}")
        self.update()

    def value(self) -> float:
        return self._value

    def _move(self, x: float) -> None:
        self.set_value(round((x - 2) / max(self.width() - 4, 1), 2))
        self.moved.emit(self._value)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._move(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._move(event.position().x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -0.05, Qt.Key.Key_Right: 0.05}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        self.set_value(round(self._value + step, 2))
        self.moved.emit(self._value)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.setPen(Qt.PenStyle.NoPen)
        width, middle = self.width() - 4, self.height() / 2
        at = 2 + width * self._value
        if self._lut:
            track = QRectF(2, middle - 4, width, 8)
            painter.drawImage(track, lut_image(self._lut))
            below = QRectF(2, middle - 4, at - 2, 8)
            painter.fillRect(below, colour("ground"))
            painter.fillRect(below, QBrush(colour("control_edge"), Qt.BrushStyle.BDiagPattern))
            painter.setBrush(colour("text"))
            painter.drawRoundedRect(QRectF(min(max(at - 3, 0), self.width() - 6), middle - 9, 6, 18), 2, 2)
        else:
            painter.setBrush(colour("edge"))
            painter.drawRoundedRect(QRectF(2, middle - 2, width, 4), 2, 2)
            painter.setBrush(colour("ai_line"))
            painter.drawRoundedRect(QRectF(2, middle - 2, at - 2, 4), 2, 2)
            painter.setBrush(colour("text"))
            painter.drawEllipse(QRectF(min(max(at - 7, 0), self.width() - 14), middle - 7, 14, 14))
        if self.hasFocus():
            paint_focus(painter, QRectF(self.rect()))
        painter.end()


class _Scale(QWidget):
    """0, 0.5, 1 under the bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(16)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        for text, align in (
            ("0", Qt.AlignmentFlag.AlignLeft),
            (number(0.5, 1), Qt.AlignmentFlag.AlignHCenter),
            ("1", Qt.AlignmentFlag.AlignRight),
        ):
            paint_text(painter, box, text, "secondary", "small", align=align)
        painter.end()


class _HideKey(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(22, 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_key_cap(painter, 0, 11, key_of("reading", "toggle_ai"))
        painter.end()


class HeatmapCard(Card):
    def __init__(self, reading: ReadingSession, parent: QWidget | None = None) -> None:
        super().__init__("panel", "line", parent=parent)
        self._reading = reading
        lay = column(self, (12, 8, 12, 10), 2)
        top = row(gap=4)
        self._eye = Button(NOTHING, TOOL, "eye", tip=Words("ui.heatmap.hide"), role="ai", height=28)
        self._eye.clicked.connect(lambda: reading.command("toggle_ai"))
        top.addWidget(self._eye)
        top.addWidget(Text(Words("ui.heatmap"), "body", "semibold"), 1)
        top.addWidget(note(Words("ui.heatmap.hide")))
        top.addSpacing(4)
        top.addWidget(_HideKey())
        lay.addLayout(top)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(0)
        self._opacity = Slider(Words("ui.heatmap.opacity"))
        self._threshold = Slider(Words("ui.heatmap.threshold"), "inferno")
        self._opacity.moved.connect(lambda v: self._reading.set_heatmap(opacity=v))
        self._threshold.moved.connect(lambda v: self._reading.set_heatmap(threshold=v))
        self._opacity_text = Text("", "body", "regular", elide=False, align=Qt.AlignmentFlag.AlignRight)
        self._threshold_text = Text("", "body", "regular", elide=False, align=Qt.AlignmentFlag.AlignRight)
        for line, (name, slider, text) in enumerate(
            (
                (Words("ui.heatmap.opacity"), self._opacity, self._opacity_text),
                (Words("ui.heatmap.threshold"), self._threshold, self._threshold_text),
            )
        ):
            grid.addWidget(Text(name, "body", "regular", "secondary", elide=False), line, 0)
            grid.addWidget(slider, line, 1)
            text.setMinimumWidth(40)
            grid.addWidget(text, line, 2)
        grid.addWidget(_Scale(), 2, 1)
        grid.setColumnStretch(1, 1)
        lay.addLayout(grid)

    def show_view(self, view: SecondReadView) -> None:
        self._view = view
        self._eye.say(NOTHING, icon="eye" if view.heatmap_visible else "eye-slash")
        self._opacity.set_value(view.heatmap_opacity)
        self._threshold.set_value(view.heatmap_threshold)
        self._opacity_text.say(f"{round(view.heatmap_opacity * 100)} %")
        self._threshold_text.say(number(view.heatmap_threshold, 2))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and hasattr(self, "_view"):
            self.show_view(self._view)
