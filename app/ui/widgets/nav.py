"""Rows of the left columns: a filter with icon and count, a tick with count."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.session.views import Words
from app.ui.i18n import tr
from app.ui.icons import paint_icon
from app.ui.widgets.paint import RIGHT, paint_focus, paint_text, rounded


class NavRow(QAbstractButton):
    """A filter. ``role`` tints its icon where the icon carries a meaning."""

    def __init__(
        self, words: Words | str, icon: str, role: str = "secondary", *, ticks: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._words: Words | str = words
        self._icon, self._role, self._ticks = icon, role, ticks
        self._count: int | None = None
        self.setCheckable(True)
        self.setFixedHeight(28 if ticks else 32)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._retranslate()

    def set_count(self, count: int | None) -> None:
        if count != self._count:
            self._count = count
            self._retranslate()

    def _retranslate(self) -> None:
        text = tr(self._words) if isinstance(self._words, Words) else self._words
        self.setText(text)
        self.setAccessibleName(text if self._count is None else f"{text} {self._count}")
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(196, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        on = self.isChecked()
        if on and not self._ticks:
            rounded(painter, box, "selected", "line")
        elif self.underMouse():
            rounded(painter, box, "hover", None)
        middle = box.height() / 2
        if self._ticks:
            paint_icon(painter, "check-square" if on else "square", 8, round(middle - 10), "secondary")
        else:
            role = self._role if self._role != "secondary" else "text" if on else "secondary"
            paint_icon(painter, self._icon, 8, round(middle - 10), role)
        bright = on
        count = "" if self._count is None else str(self._count)
        paint_text(
            painter,
            QRectF(box.width() - 56, 0, 48, box.height()),
            count,
            "secondary" if on else "third",
            "small",
            align=RIGHT,
        )
        room = box.width() - 36 - (14 + 7 * len(count))
        weight = "medium" if on and not self._ticks else "regular"
        paint_text(
            painter, QRectF(36, 0, room, box.height()), self.text(), "text" if bright else "secondary", "body", weight
        )
        if self.hasFocus():
            paint_focus(painter, box)
        painter.end()
