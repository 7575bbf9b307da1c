"""The strip's list of overlays that were saved with the study: a click switches one on or off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from app.session.views import SavedObject, SeriesCard, Words
from app.ui.i18n import tr, tr_problem
from app.ui.icons import paint_icon
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, clear, column, row
from app.ui.widgets.paint import paint_focus, paint_text, rounded
from app.ui.widgets.text import heading


class SavedRow(QWidget):
    chosen = Signal(str)

    def __init__(self, saved: SavedObject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._saved = saved
        self.setFixedHeight(44)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("\n".join(p for p in (self._title(), self._detail()) if p))
        self.setAccessibleName(f"{self._title()}, {self._detail()}")

    def _title(self) -> str:
        return self._saved.title or tr(f"ui.saved.kind.{self._saved.kind}")

    def _detail(self) -> str:
        if self._saved.problem is not None:
            return tr_problem(self._saved.problem)
        kind = tr(f"ui.saved.kind.{self._saved.kind}")
        detail = tr(self._saved.detail) if self._saved.detail.id else ""
        return " · ".join(p for p in (kind, detail) if p)

    def sizeHint(self) -> QSize:
        return QSize(180, 44)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._saved.problem is None:
            self.chosen.emit(self._saved.sop_instance_uid)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space) and self._saved.problem is None:
            self.chosen.emit(self._saved.sop_instance_uid)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        if self._saved.on or self.underMouse():
            rounded(painter, box.adjusted(4, 1, -4, -1), "on" if self._saved.on else "hover", None)
        icon, role = ("check-square", "text") if self._saved.on else ("square", "third")
        if self._saved.problem is not None:
            icon, role = "warning-circle", "bad"
        paint_icon(painter, icon, 12, 12, role)
        area = box.adjusted(40, 0, -10, 0)
        paint_text(painter, QRectF(area.left(), 5, area.width(), 17), self._title(), "text", "body")
        paint_text(painter, QRectF(area.left(), 22, area.width(), 16), self._detail(), "third", "small")
        if self.hasFocus():
            paint_focus(painter, box)
        painter.end()


class SavedGroup(QWidget):
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[SavedObject, ...] | None = None
        lay = column(self)
        lay.addWidget(Line())
        top = row(margins=(12, 16, 12, 6))
        top.addWidget(heading(Words("ui.saved.title")), 1)
        lay.addLayout(top)
        self._list = column(margins=(0, 0, 0, 12))
        lay.addLayout(self._list)
        self.hide()

    def show_saved(self, saved: Sequence[SavedObject]) -> None:
        if tuple(saved) == self._shown:
            return
        self._shown = tuple(saved)
        clear(self._list)
        for item in saved:
            line = SavedRow(item)
            line.chosen.connect(self.chosen)
            self._list.addWidget(line)
        self.setVisible(bool(saved))

    def forget(self) -> None:
        self._shown = None


def looks_menu(card: SeriesCard, parent: QWidget, apply: Callable[[str], None]) -> QMenu:
    """As acquired, and each way in which somebody saved the look."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    add_looks(menu, card, apply)
    return menu


def add_looks(menu: QMenu, card: SeriesCard, apply: Callable[[str], None]) -> None:
    if not card.looks:
        return
    anything = any(look.on for look in card.looks)
    plain = menu.addAction(("" if anything else "✓ ") + tr("ui.saved.as_acquired"))
    plain.triggered.connect(lambda: apply(""))
    for look in card.looks:
        words = " · ".join(p for p in (look.title, tr(look.detail) if look.detail.id else "") if p)
        action = menu.addAction(("✓ " if look.on else "") + words)
        action.triggered.connect(lambda _=False, uid=look.sop_instance_uid: apply(uid))
    menu.addSeparator()


def paint_looks_badge(painter: QPainter, x: float, y: float) -> QRectF:
    """A small plate with the sign of saved looks; its place is returned."""
    box = QRectF(x, y, 20, 20)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour("black", 0.64))
    painter.drawRoundedRect(box, 4, 4)
    paint_icon(painter, "eye", x + 2, y + 2, "text", 16)
    return box
