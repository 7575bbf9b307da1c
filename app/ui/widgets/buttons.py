"""Buttons: one primary a screen, outlined, and quiet ones; with icon, key cap and a visible focus."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QMenu, QSizePolicy, QWidget

from app.session.views import NOTHING, Words
from app.ui.i18n import tr
from app.ui.icons import paint_icon
from app.ui.theme import colour, font
from app.ui.widgets.paint import key_cap_width, paint_focus, paint_key_cap, paint_text, rounded, text_width

PRIMARY = "primary"
OUTLINE = "outline"
QUIET = "quiet"
TOOL = "tool"
LINK = "link"

_LEAST_VALUE = 80.0
"""So much of a chosen value is always seen."""
_HEIGHT = {PRIMARY: 44, OUTLINE: 32, QUIET: 32, TOOL: 32, LINK: 20}


class Button(QAbstractButton):
    """``kind`` is one of primary, outline, quiet, tool, link. ``value`` is a second, brighter word (a chosen option)."""

    def __init__(
        self,
        words: Words | str = NOTHING,
        kind: str = OUTLINE,
        icon: str = "",
        key: str = "",
        *,
        tip: Words | str = NOTHING,
        caret: bool = False,
        height: int | None = None,
        checkable: bool = False,
        role: str = "",
        value: Words | str = NOTHING,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._words: Words | str = words
        self._tip: Words | str = tip
        self._value: Words | str = value
        self._kind = kind
        self._icon = icon
        self._key = key
        self._caret = caret
        self._role = role
        self._height = height or _HEIGHT[kind]
        self.setCheckable(checkable)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if kind == TOOL else Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(
            QSizePolicy.Policy.Preferred if kind != TOOL else QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed
        )
        self._retranslate()

    def say(self, words: Words | str, icon: str | None = None, value: Words | str | None = None) -> None:
        self._words = words
        if icon is not None:
            self._icon = icon
        if value is not None:
            self._value = value
        self._retranslate()

    def set_key(self, key: str) -> None:
        self._key = key
        self._retranslate()

    def _retranslate(self) -> None:
        text = tr(self._words) if isinstance(self._words, Words) else self._words
        tip = tr(self._tip) if isinstance(self._tip, Words) else self._tip
        self.setText(text)
        full = tip + (f"  ({self._key})" if tip and self._key else "")
        self.setToolTip(full)
        value = self.value_text()
        name = f"{text} {value}".strip() if value else text
        self.setAccessibleName(name or tip)
        self.updateGeometry()
        self.update()

    def value_text(self) -> str:
        return tr(self._value) if isinstance(self._value, Words) else self._value

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _face(self) -> tuple[str, str]:
        if self._kind == PRIMARY:
            return ("title", "semibold")
        return ("body", "medium") if self._kind == OUTLINE or self.value_text() else ("body", "regular")

    def _parts(self, tight: bool = False) -> list[tuple[str, float]]:
        size, weight = self._face()
        parts: list[tuple[str, float]] = []
        if self._icon:
            parts.append(("icon", 20.0))
        if self.text():
            parts.append(("text", text_width(self.text(), font(size, "regular" if self.value_text() else weight))))
        if self.value_text():
            parts.append(("value", text_width(self.value_text(), font(size, weight))))
        if self._key and self._kind != TOOL:
            parts.append(("letter", text_width(self._key, font("small"))) if tight else ("key", key_cap_width(self._key)))
        if self._caret:
            parts.append(("caret", 16.0))
        return parts

    def _margin(self) -> float:
        if self._kind == LINK:
            return 0
        if self._kind == TOOL:
            return 6
        return 10 if self._kind == QUIET else 14 if self._kind == OUTLINE else 20

    def natural_width(self, tight: bool = False) -> int:
        """``tight``: the key without its cap and narrower gaps, for rows where the words of a language are long."""
        parts = self._parts(tight)
        gap, margin = (6, min(self._margin(), 8)) if tight else (8, self._margin())
        return round(sum(w for _, w in parts) + gap * max(len(parts) - 1, 0) + 2 * margin + 1)

    def sizeHint(self) -> QSize:
        return QSize(max(self.natural_width(), 28 if self._kind != LINK else 0), self._height)

    def minimumSizeHint(self) -> QSize:
        spare = max(0.0, text_width(self.value_text(), font(*self._face())) - _LEAST_VALUE) if self.value_text() else 0.0
        return QSize(max(round(self.natural_width(True) - spare), 28 if self._kind != LINK else 0), self._height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        ink = self._paint_ground(painter, box)
        tight = self.width() < self.natural_width()
        parts, gap = self._parts(tight), 6 if tight else 8
        total = sum(w for _, w in parts) + gap * max(len(parts) - 1, 0)
        over = total - (self.width() - 2 * min(self._margin(), 8))
        if over > 0:  # a long value gives way, its end is elided
            parts = [(part, width - over if part == "value" else width) for part, width in parts]
            total -= over if self.value_text() else 0
        x = (self.width() - total) / 2 if self._kind != LINK else 0.0
        if self._kind in (QUIET, TOOL) and self._caret:
            x = self._margin()
        middle = self.height() / 2
        size, weight = self._face()
        for part, width in parts:
            area = QRectF(x, 0, width + 1, self.height())
            if part == "icon":
                paint_icon(painter, self._icon, round(x), round(middle - 10), self._role or self._icon_role(ink))
            elif part == "text":
                valued = bool(self.value_text())
                role = "secondary" if valued and self.isEnabled() else ink
                paint_text(painter, area, self.text(), role, size, "regular" if valued else weight)
            elif part == "value":
                paint_text(painter, area, self.value_text(), ink if self.isEnabled() else "disabled", size, weight)
            elif part == "letter":
                paint_text(painter, area, self._key, "secondary" if self._kind != PRIMARY else ink, "small")
            elif part == "key":
                edge = "control_edge" if self._kind == PRIMARY else "edge"
                paint_key_cap(painter, x, middle, self._key, ink if self._kind == PRIMARY else "secondary", edge)
            else:
                paint_icon(
                    painter, "caret-down", round(x), round(middle - 8), "secondary" if self.isEnabled() else "disabled", 16
                )
            x += width + gap
        if self._kind == LINK:
            painter.setPen(QPen(colour("control_edge"), 1))
            painter.drawLine(QPointF(0, self.height() - 2.5), QPointF(self.width(), self.height() - 2.5))
        if self.hasFocus():
            paint_focus(painter, box)
        painter.end()

    def _icon_role(self, ink: str) -> str:
        return "secondary" if ink == "text" and self._kind in (QUIET,) else ink

    def _paint_ground(self, painter: QPainter, box: QRectF) -> str:
        """Fills the ground; returns the role of the ink."""
        hover = self.underMouse() and self.isEnabled()
        if self._kind == PRIMARY:
            if not self.isEnabled():
                rounded(painter, box, "raised", "line")
                return "disabled"
            rounded(painter, box, "primary_on" if self.isDown() else "primary_hover" if hover else "primary", None)
            return "on_primary"
        if self._kind == OUTLINE:
            fill = "on" if self.isDown() or self.isChecked() else "hover" if hover else None
            rounded(painter, box, fill, "control_edge" if self.isEnabled() else "line")
        elif self._kind in (QUIET, TOOL):
            if self.isChecked() or self.isDown():
                rounded(painter, box, "on", None)
            elif hover:
                rounded(painter, box, "hover", None)
        if not self.isEnabled():
            return "disabled"
        if self._kind == LINK:
            return "text" if hover else "secondary"
        if self._kind == TOOL and not self.isChecked() and not self.text():
            return "text" if hover else "secondary"
        return "text"


def show_menu(button: QAbstractButton, menu: QMenu) -> None:
    """Below the button; modal to nothing, gone with a click elsewhere."""
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setMinimumWidth(button.width())
    menu.popup(button.mapToGlobal(QPoint(0, button.height() + 2)))
