"""A choice of few: all options visible, one on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.session.views import Words
from app.ui.i18n import tr
from app.ui.theme import font
from app.ui.widgets.paint import CENTRE, paint_focus, paint_text, rounded, text_width


class Segments(QWidget):
    """``chosen`` carries the value of the option. Arrow keys move, as in a radio group."""

    chosen = Signal(object)

    def __init__(
        self,
        options: Sequence[tuple[object, Words | str]],
        value: object = None,
        *,
        name: Words | None = None,
        height: int = 32,
        stretch: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._options = list(options)
        self._value = value
        self._name = name
        self._height = height
        self._hover = -1
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        policy = QSizePolicy.Policy.Expanding if stretch else QSizePolicy.Policy.Fixed
        self.setSizePolicy(policy, QSizePolicy.Policy.Fixed)
        self._retranslate()

    def value(self) -> object:
        return self._value

    def set_value(self, value: object) -> None:
        if value != self._value:
            self._value = value
            self._retranslate()

    def set_options(self, options: Sequence[tuple[object, Words | str]]) -> None:
        self._options = list(options)
        self.updateGeometry()
        self._retranslate()

    def _texts(self) -> list[str]:
        return [tr(w) if isinstance(w, Words) else w for _, w in self._options]

    def _retranslate(self) -> None:
        now = next((t for (v, _), t in zip(self._options, self._texts(), strict=True) if v == self._value), "")
        self.setAccessibleName(f"{tr(self._name) if self._name else ''} {now}".strip())
        self.updateGeometry()
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _widths(self) -> list[float]:
        """Equal where the words fit, else by need."""
        needs = [max(28.0, text_width(t, font("body", "medium")) + 12) for t in self._texts()]
        inside = self.width() - 4
        even = inside / max(len(needs), 1)
        if all(n <= even for n in needs):
            return [even] * len(needs)
        spare = inside - sum(needs)
        return [n + spare / len(needs) for n in needs]

    def sizeHint(self) -> QSize:
        needs = [max(28.0, text_width(t, font("body", "medium")) + 12) for t in self._texts()]
        fixed = self.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Fixed
        return QSize(round(sum(needs) + 4 + (12 * len(needs) if fixed else 0)), self._height)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _boxes(self) -> list[QRectF]:
        boxes, x = [], 2.0
        for width in self._widths():
            boxes.append(QRectF(x, 2, width, self.height() - 4))
            x += width
        return boxes

    def _index_at(self, x: float) -> int:
        return next((i for i, b in enumerate(self._boxes()) if b.left() <= x < b.right()), -1)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._index_at(event.position().x())
        if at != self._hover:
            self._hover = at
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()
        super().leaveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self._choose(self._index_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        now = next((i for i, (v, _) in enumerate(self._options) if v == self._value), -1)
        step = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        self._choose(min(max(now + step, 0), len(self._options) - 1))

    def _choose(self, index: int) -> None:
        if 0 <= index < len(self._options) and self.isEnabled():
            value = self._options[index][0]
            self.set_value(value)
            self.chosen.emit(value)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rounded(painter, QRectF(self.rect()), "ground", "line")
        for i, ((value, _), text, box) in enumerate(zip(self._options, self._texts(), self._boxes(), strict=True)):
            on = value == self._value
            if on:
                rounded(painter, box, "on", "control_edge", 4)
            elif i == self._hover and self.isEnabled():
                rounded(painter, box, "hover", None, 4)
            role = "disabled" if not self.isEnabled() else "text" if on else "secondary"
            paint_text(painter, box.adjusted(4, 0, -4, 0), text, role, "body", "medium" if on else "regular", CENTRE)
        if self.hasFocus():
            paint_focus(painter, QRectF(self.rect()))
        painter.end()
