"""A list of painted rows with section headings: worklist and tray. Keyboard, accessibility and scrolling are Qt's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.session.views import Status, Words
from app.ui.i18n import tr
from app.ui.icons import has_icon, paint_icon
from app.ui.theme import colour, font
from app.ui.widgets.paint import RIGHT, line, paint_progress, paint_text, text_width

SECTION_HEIGHT = 36
ROW_HEIGHT = 56
HEADER_HEIGHT = 32

AnyIndex = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Section:
    title: str
    count: int
    note: str = ""
    trailing: str = ""


@dataclass(frozen=True)
class Row:
    key: str
    payload: Any
    spoken: str
    """What a screen reader says."""


class _Model(QAbstractListModel):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.items: list[Section | Row] = []

    def set_items(self, items: Sequence[Section | Row]) -> None:
        same_shape = [i.key if isinstance(i, Row) else "" for i in items] == [
            i.key if isinstance(i, Row) else "" for i in self.items
        ]
        if same_shape:
            self.items = list(items)
            if items:
                self.dataChanged.emit(self.index(0), self.index(len(items) - 1))
            return
        self.beginResetModel()
        self.items = list(items)
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item = self.items[index.row()]
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.DisplayRole):
            return item.spoken if isinstance(item, Row) else f"{item.title} {item.count}"
        return None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        if isinstance(self.items[index.row()], Section):
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class _Delegate(QStyledItemDelegate):
    def __init__(self, owner: RowList) -> None:
        super().__init__(owner)
        self._owner = owner

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        section = isinstance(self._owner.item(index.row()), Section)
        return QSize(100, SECTION_HEIGHT if section else ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        self._owner.paint_item(painter, QRectF(option.rect), index.row())


class RowList(QListView):
    """``paint_row(painter, rect, payload, selected)`` draws what stands in a row; the list draws ground, bar and lines."""

    picked = Signal(str)
    """Key of the row that is now current."""
    opened = Signal(str)

    def __init__(self, paint_row: Callable[[QPainter, QRectF, Any, bool], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paint_row = paint_row
        self._model = _Model(self)
        self._hover = -1
        self.setModel(self._model)
        self.setItemDelegate(_Delegate(self))
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setUniformItemSizes(False)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.selectionModel().currentChanged.connect(self._announce)

    def item(self, number: int) -> Section | Row:
        return self._model.items[number]

    def rows(self) -> list[Row]:
        return [i for i in self._model.items if isinstance(i, Row)]

    def set_items(self, items: Sequence[Section | Row]) -> None:
        """Keeps the chosen row where it still exists."""
        chosen = self.current_key()
        scroll = self.verticalScrollBar().value()
        self._model.set_items(items)
        self.select_key(chosen, announce=False)
        self.verticalScrollBar().setValue(scroll)
        self.viewport().update()

    def current_key(self) -> str:
        index = self.currentIndex()
        if index.isValid() and index.row() < len(self._model.items):
            item = self._model.items[index.row()]
            return item.key if isinstance(item, Row) else ""
        return ""

    def select_key(self, key: str, *, announce: bool = True) -> bool:
        for number, item in enumerate(self._model.items):
            if isinstance(item, Row) and item.key == key:
                self.selectionModel().blockSignals(not announce)
                self.setCurrentIndex(self._model.index(number))
                self.selectionModel().blockSignals(False)
                return True
        return False

    def select_first(self, *, announce: bool = True) -> None:
        rows = self.rows()
        if rows:
            self.select_key(rows[0].key, announce=announce)

    def _announce(self, now: QModelIndex, _before: QModelIndex) -> None:
        key = self.current_key() if now.isValid() else ""
        if key:
            self.picked.emit(key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.current_key():
                self.opened.emit(self.current_key())
            return
        moves = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End)
        if event.key() in moves:
            super().keyPressEvent(event)
        else:
            event.ignore()  # letters are shortcuts of the screen, not a search in the list

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and isinstance(self.item(index.row()), Row):
            self.opened.emit(self.current_key())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self.indexAt(event.position().toPoint()).row())
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._set_hover(-1)
        super().leaveEvent(event)

    def _set_hover(self, number: int) -> None:
        if number != self._hover:
            self._hover = number
            self.viewport().update()

    def visible_payloads(self) -> list[Any]:
        """What can be seen now, so that pictures are asked for only there."""
        area = self.viewport().rect()
        seen = []
        for number, item in enumerate(self._model.items):
            if isinstance(item, Row) and self.visualRect(self._model.index(number)).intersects(area):
                seen.append(item.payload)
        return seen

    def row_at(self, point: QPoint) -> Row | None:
        index = self.indexAt(point)
        item = self.item(index.row()) if index.isValid() else None
        return item if isinstance(item, Row) else None

    def rect_of(self, key: str) -> QRectF:
        for number, item in enumerate(self._model.items):
            if isinstance(item, Row) and item.key == key:
                return QRectF(self.visualRect(self._model.index(number)))
        return QRectF()

    def paint_item(self, painter: QPainter, rect: QRectF, number: int) -> None:
        item = self.item(number)
        painter.save()
        if isinstance(item, Section):
            self._paint_section(painter, rect, item)
        else:
            selected = self.currentIndex().row() == number
            if selected:
                painter.fillRect(rect, colour("selected"))
                painter.fillRect(QRectF(rect.left(), rect.top(), 2, rect.height()), colour("text"))
            elif self._hover == number:
                painter.fillRect(rect, colour("panel"))
            self._paint_row(painter, rect, item.payload, selected)
        line(painter, rect.bottomLeft() - QPoint(0, 1), rect.bottomRight() - QPoint(0, 1), "line")
        painter.restore()

    def _paint_section(self, painter: QPainter, rect: QRectF, section: Section) -> None:
        area = rect.adjusted(16, 8, -16, 0)
        x = area.left() + paint_text(painter, area, section.title, "secondary", "small", "semibold") + 8
        x += paint_text(painter, area.adjusted(x - area.left(), 0, 0, 0), str(section.count), "secondary", "small") + 8
        if section.trailing:
            paint_text(painter, area, section.trailing, "third", "small", align=RIGHT)
        paint_text(painter, area.adjusted(x - area.left(), 0, -8, 0), section.note, "third", "small")


def paint_two_lines(
    painter: QPainter,
    rect: QRectF,
    first: str,
    second: str,
    role: str = "text",
    weight: str = "regular",
    second_role: str = "third",
) -> None:
    """Two lines, centred as a pair in ``rect``."""
    middle = rect.center().y()
    paint_text(painter, QRectF(rect.left(), middle - 18, rect.width(), 18), first, role, "body", weight)
    paint_text(painter, QRectF(rect.left(), middle, rect.width(), 18), second, second_role, "small")


def paint_status(painter: QPainter, rect: QRectF, status: Status, *, dim: bool = False, selected: bool = False) -> None:
    """Icon, word, second line, and a bar with its number where something runs."""
    quiet = "secondary" if selected else "third"
    if not status.icon:
        paint_text(painter, rect.adjusted(28, 0, 0, 0), tr(status.title) or "–", quiet, "small")
        return
    middle = rect.center().y()
    if status.icon and has_icon(status.icon):
        role = "secondary" if status.role in ("text", "waiting", "") else status.role
        paint_icon(painter, status.icon, round(rect.left()), round(middle - 10), role)
    area = rect.adjusted(28, 0, 0, 0)
    bright = "secondary" if dim else "text"
    title = tr(status.title)
    if status.fraction is None:
        paint_two_lines(painter, area, title, tr(status.detail), bright, second_role=quiet)
        return
    top = QRectF(area.left(), middle - 24, area.width(), 18)
    percent = f"{round(status.fraction * 100)}"
    room = text_width(percent + " %", font("body", "semibold")) + 8
    taken = paint_text(painter, top.adjusted(0, 0, -room, 0), title, bright, "body")
    taken += 8 + paint_text(painter, top.adjusted(taken + 8, 0, 0, 0), percent, bright, "body", "semibold")
    paint_text(painter, top.adjusted(taken + 3, 0, 0, 0), "%", "secondary", "small")
    bar = QRectF(area.left(), round(middle - 4), min(area.width() - 16, 152), 4)
    paint_progress(painter, bar, status.fraction, "ai" if status.role == "ai" else "text")
    paint_text(painter, QRectF(area.left(), middle + 4, area.width(), 18), tr(status.detail), quiet, "small")


class ListHeader(QWidget):
    """Titles of the columns; ``columns`` is asked with the width so that header and rows always agree."""

    def __init__(
        self,
        titles: Sequence[tuple[Words, bool]],
        columns: Callable[[float], Sequence[tuple[float, float]]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._titles = titles
        self._columns = columns
        self._list: QListView | None = None
        self.setFixedHeight(HEADER_HEIGHT)

    def follow(self, rows: QListView) -> None:
        """Takes the width of the list's inside, which is narrower while it has a scroll bar."""
        self._list = rows
        rows.verticalScrollBar().rangeChanged.connect(lambda _low, _high: self.update())

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.update()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colour("line"))
        inside = self._list.viewport().width() if self._list is not None else self.width()
        for (words, right), (x, width) in zip(self._titles, self._columns(inside), strict=True):
            if words.id:
                area = QRectF(x, 0, width - (0 if right else 8), self.height() - 1)
                paint_text(
                    painter, area, tr(words), "secondary", "small", align=RIGHT if right else Qt.AlignmentFlag.AlignLeft
                )
        painter.end()
