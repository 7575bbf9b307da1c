"""Patients, studies and series of what is to be imported, each with its box, its size and its state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from app.session.import_views import Check, ImportLine, Level
from app.session.views import Words
from app.ui.i18n import file_size, number, tr, tr_problem
from app.ui.icons import has_icon, paint_icon
from app.ui.theme import colour, font
from app.ui.widgets.paint import (
    RIGHT,
    badge_width,
    clip_rounded,
    line,
    paint_badge,
    paint_focus,
    paint_progress,
    paint_text,
    rounded,
    text_width,
)

Index = QModelIndex | QPersistentModelIndex
_HEIGHT = {Level.PATIENT: 44, Level.STUDY: 56, Level.SERIES: 34}
_INDENT = {Level.PATIENT: 0, Level.STUDY: 26, Level.SERIES: 66}
_LEFT = 14
_LINE = Qt.ItemDataRole.UserRole
_BOX = {Check.ON: "check-square", Check.OFF: "square", Check.SOME: "minus-square"}
_QT_CHECK = {
    Check.ON: Qt.CheckState.Checked,
    Check.OFF: Qt.CheckState.Unchecked,
    Check.SOME: Qt.CheckState.PartiallyChecked,
}


def columns(width: float) -> tuple[tuple[float, float], ...]:
    """(x, width) of name, images, size and state."""
    state = 256.0 if width > 900 else 200.0
    size, images, gap = 96.0, 64.0, 16.0
    x = width - 16 - state
    return ((0.0, x - size - images - 2 * gap), (x - size - images - gap, images), (x - size - gap, size), (x, state))


class _Delegate(QStyledItemDelegate):
    def __init__(self, tree: ImportTree) -> None:
        super().__init__(tree)
        self._tree = tree

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, _HEIGHT[index.data(_LINE).level])

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        self._tree.paint_line(painter, QRectF(option.rect), index)


class ImportTree(QTreeView):
    """``picture(key)`` gives a small image or None; ``toggled`` carries the key of a box, ``why`` that of a question."""

    toggled = Signal(str)
    why = Signal(str)

    def __init__(self, picture: Callable[[str], QImage | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture = picture
        self._items: dict[str, QStandardItem] = {}
        self._keys: tuple[tuple[str, str], ...] = ()
        self._model = QStandardItemModel(self)
        self.setModel(self._model)
        self.setItemDelegate(_Delegate(self))
        self.setHeaderHidden(True)
        self.setIndentation(0)
        self.setRootIsDecorated(False)
        self.setItemsExpandable(True)
        self.setExpandsOnDoubleClick(False)
        self.setUniformRowHeights(False)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)

    def show_lines(self, lines: Sequence[ImportLine]) -> None:
        """Keeps what is folded and where the list stands; a tree of other rows is built anew."""
        self.setAccessibleName(tr("ui.import.title_plain"))
        keys = tuple((x.key, x.parent) for x in lines)
        if keys != self._keys:
            self._build(lines, keys)
        for one in lines:
            item = self._items[one.key]
            if item.data(_LINE) != one:
                item.setData(one, _LINE)
                item.setData(_spoken(one), Qt.ItemDataRole.AccessibleTextRole)
                item.setData(_QT_CHECK[one.check], Qt.ItemDataRole.CheckStateRole)

    def _build(self, lines: Sequence[ImportLine], keys: tuple[tuple[str, str], ...]) -> None:
        self._model.clear()
        self._items, self._keys = {}, keys
        few = sum(x.level is Level.STUDY for x in lines) <= 3
        for one in lines:
            item = QStandardItem()
            item.setData(one, _LINE)
            self._items[one.key] = item
            (self._items[one.parent] if one.parent else self._model.invisibleRootItem()).appendRow(item)
        for one in lines:
            if one.level is Level.PATIENT or (one.level is Level.STUDY and few):
                self.expand(self._model.indexFromItem(self._items[one.key]))

    def line_of(self, key: str) -> ImportLine | None:
        item = self._items.get(key)
        return item.data(_LINE) if item is not None else None

    # -- painting

    def drawBranches(self, painter: QPainter, rect: object, index: Index) -> None:  # noqa: ARG002
        """The rows paint their own."""

    def paint_line(self, painter: QPainter, rect: QRectF, index: Index) -> None:
        one: ImportLine = index.data(_LINE)
        painter.save()
        current = self.currentIndex() == index
        if one.level is Level.PATIENT:
            painter.fillRect(rect, colour("raised"))
        elif current and self.hasFocus():
            painter.fillRect(rect, colour("hover"))
        left = rect.left() + _LEFT + _INDENT[one.level]
        middle = rect.center().y()
        if self._model.hasChildren(QModelIndex(index)):
            icon = "caret-down" if self.isExpanded(QModelIndex(index)) else "caret-right"
            paint_icon(painter, icon, round(left), round(middle - 8), "secondary", 16)
        box_role = "text" if one.choosable else "disabled"
        paint_icon(painter, _BOX[one.check], round(left + 24), round(middle - 10), box_role)
        x = left + 54
        name, images, size, state = columns(rect.width())
        if one.level is Level.PATIENT:
            self._paint_patient(painter, rect, x, one)
        else:
            right = rect.left() + name[0] + name[1]
            self._paint_name(painter, rect, x, right, one)
            area = QRectF(rect.left() + images[0], rect.top(), images[1], rect.height())
            dim = "text" if one.check is not Check.OFF else "secondary"
            paint_text(painter, area, f"{one.images:,}".replace(",", "\u202f"), dim, align=RIGHT)
            self._paint_size(painter, QRectF(rect.left() + size[0], rect.top(), size[1], rect.height()), one)
            self._paint_state(painter, QRectF(rect.left() + state[0], rect.top(), state[1], rect.height()), one)
        line(painter, rect.bottomLeft() - QPoint(0, 1), rect.bottomRight() - QPoint(0, 1), "fine_line")
        if current and self.hasFocus():
            paint_focus(painter, rect.adjusted(1, 1, -1, -1))
        painter.restore()

    def _paint_patient(self, painter: QPainter, rect: QRectF, x: float, one: ImportLine) -> None:
        place = tr(one.state)
        wide = text_width(place, font("small"))
        right = rect.right() - 16
        room = min(wide + 2, rect.width() * 0.45)
        paint_text(painter, QRectF(right - room, rect.top(), room, rect.height()), place, one.role, "small", align=RIGHT)
        paint_icon(painter, one.icon, round(right - room - 24), round(rect.center().y() - 8), one.role, 16)
        free = right - room - 36 - x
        name = one.title or tr("import.nameless")
        used = paint_text(painter, QRectF(x, rect.top(), free, rect.height()), name, "text", "body", "semibold")
        rest = QRectF(x + used + 10, rect.top(), max(0.0, free - used - 10), rect.height())
        paint_text(painter, rest, _say(one.note), "secondary", "small")

    def _paint_name(self, painter: QPainter, rect: QRectF, x: float, right: float, one: ImportLine) -> None:
        middle = rect.center().y()
        if one.level is Level.SERIES:
            used = paint_text(painter, QRectF(x, rect.top(), right - x, rect.height()), one.title)
            rest = QRectF(x + used + 10, rect.top(), max(0.0, right - x - used - 10), rect.height())
            paint_text(painter, rest, _say(one.note), "third", "small")
            return
        thumb = QRectF(round(x), round(middle - 20), 40, 40)
        picture = self._picture(one.picture) if one.picture else None
        rounded(painter, thumb, "black", "line", 4)
        if picture is not None:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            clip_rounded(painter, thumb, 4)
            painter.drawImage(thumb, picture)
            painter.restore()
        x += 52
        if one.modality:
            badge = QRectF(round(x), round(middle - 10), badge_width(one.modality), 20)
            paint_badge(painter, badge, one.modality)
            x = badge.right() + 10
        area = QRectF(x, middle - (18 if _say(one.note) else 9), right - x, 18)
        paint_text(painter, area, one.title, "text" if one.check is not Check.OFF else "secondary")
        paint_text(painter, area.translated(0, 18), _say(one.note), "third", "small")

    def _paint_size(self, painter: QPainter, area: QRectF, one: ImportLine) -> None:
        value, unit = file_size(one.size_bytes)
        room = text_width(unit, font("body")) + 5
        bright = "text" if one.check is not Check.OFF else "secondary"
        paint_text(painter, area.adjusted(0, 0, -room, 0), value, bright, align=RIGHT)
        paint_text(painter, area, unit, "third", align=RIGHT)

    def _paint_state(self, painter: QPainter, area: QRectF, one: ImportLine) -> None:
        middle = area.center().y()
        if one.fraction is not None:
            value, unit = file_size(one.done_bytes)
            percent = f"{round(100 * one.fraction)}"
            bar = QRectF(area.left(), round(middle - 2), min(120.0, area.width() * 0.48), 4)
            paint_progress(painter, bar, one.fraction)
            x = bar.right() + 10
            x += paint_text(painter, QRectF(x, area.top(), 40, area.height()), percent, "text", weight="semibold") + 3
            x += paint_text(painter, QRectF(x, area.top(), 20, area.height()), "%", "secondary", "small") + 8
            rest = QRectF(x, area.top(), max(0.0, area.right() - x), area.height())
            paint_text(painter, rest, f"{value} {unit}", "secondary", "small")
            return
        role = "secondary" if one.role in ("text", "secondary") else one.role
        if one.icon and has_icon(one.icon):
            paint_icon(painter, one.icon, round(area.left()), round(middle - 10), role)
        text = area.adjusted(28, 0, 0, 0)
        link = tr("ui.why")
        if one.why is not None:
            text.setRight(text.right() - text_width(link, font("small")) - 10)
        used = paint_text(painter, text, tr(one.state), "text" if one.role == "text" else role)
        if one.why is not None:
            at = QRectF(text.left() + used + 8, area.top(), text_width(link, font("small")) + 2, area.height())
            paint_text(painter, at, link, "secondary", "small")
            line(
                painter,
                QPoint(round(at.left()), round(middle + 9)),
                QPoint(round(at.right()), round(middle + 9)),
                "control_edge",
            )

    # -- by hand and by key

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if not index.isValid():
            return
        self.setCurrentIndex(index)
        one: ImportLine = index.data(_LINE)
        rect = self.visualRect(index)
        x = event.position().x() - rect.left() - _LEFT - _INDENT[one.level]
        if x < 22 and self._model.hasChildren(index):
            self.setExpanded(index, not self.isExpanded(index))
        elif x < 50:
            if one.choosable:
                self.toggled.emit(one.key)
        elif one.why is not None and event.position().x() - rect.left() > columns(rect.width())[3][0]:
            self.why.emit(one.key)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and self._model.hasChildren(index):
            one: ImportLine = index.data(_LINE)
            if event.position().x() - self.visualRect(index).left() - _LEFT - _INDENT[one.level] >= 50:
                self.setExpanded(index, not self.isExpanded(index))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.key() == Qt.Key.Key_Space and index.isValid():
            one: ImportLine = index.data(_LINE)
            if one.choosable:
                self.toggled.emit(one.key)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            event.ignore()
        elif not event.text() or event.text() in "*+-":
            super().keyPressEvent(event)
        else:
            event.ignore()

    def why_text(self, key: str) -> str:
        one = self.line_of(key)
        return tr_problem(one.why) if one is not None and one.why is not None else ""


def _say(words: Words | str) -> str:
    return tr(words) if isinstance(words, Words) else words


def _spoken(one: ImportLine) -> str:
    size = " ".join(file_size(one.size_bytes))
    share = f" {number(100 * one.fraction, 0)} %" if one.fraction is not None else ""
    return f"{one.modality} {one.title}, {_say(one.note)}, {one.images}, {size}, {tr(one.state)}{share}".strip()
