"""The elements of a file as a tree (or a flat list of hits) for Qt; values are read when a row is painted."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QSize, Qt

from app.dicom.tag_tree import TagElement, TagTree
from app.dicom.tag_values import multiplicity, shown
from app.session.views import Words
from app.ui.i18n import tr
from app.ui.theme import colour, font

TAG, NAME, VR, VM, LENGTH, OFFSET, VALUE = range(7)
_TITLES = tuple(Words(f"ui.explorer.{name}") for name in ("tag", "name", "vr", "vm", "length", "offset", "value"))
_ROW = 22
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)

AnyIndex = QModelIndex | QPersistentModelIndex


class TagModel(QAbstractItemModel):
    def __init__(self) -> None:
        super().__init__()
        self._tree: TagTree | None = None
        self._hits: list[TagElement] | None = None
        self._rows: dict[int, int] = {}
        self._broken: frozenset[int] = frozenset()

    @property
    def tree(self) -> TagTree | None:
        return self._tree

    def show_tree(self, tree: TagTree | None, broken: frozenset[int] = frozenset()) -> None:
        """``broken``: offsets of elements that break a rule."""
        self.beginResetModel()
        self._tree, self._hits, self._rows, self._broken = tree, None, {}, broken
        self.endResetModel()

    def show_hits(self, hits: list[TagElement] | None) -> None:
        """None: the whole tree again."""
        self.beginResetModel()
        self._hits = hits
        self.endResetModel()

    def element(self, index: AnyIndex) -> TagElement | None:
        found = index.internalPointer() if index.isValid() else None
        return found if isinstance(found, TagElement) else None

    def _children(self, parent: AnyIndex) -> list[TagElement]:
        if self._tree is None:
            return []
        if not parent.isValid():
            return self._hits if self._hits is not None else self._tree.roots
        element = self.element(parent)
        return element.children if element is not None and self._hits is None else []

    def index(self, row: int, column: int, parent: AnyIndex = QModelIndex()) -> QModelIndex:  # noqa: B008
        children = self._children(parent)
        if not 0 <= row < len(children):
            return QModelIndex()
        self._rows[id(children[row])] = row
        return self.createIndex(row, column, children[row])

    def index_of(self, element: TagElement) -> QModelIndex:
        """Of an element of the whole tree."""
        if self._hits is not None or self._tree is None:
            return QModelIndex()
        siblings = element.parent.children if element.parent is not None else self._tree.roots
        if element not in siblings:
            return QModelIndex()
        row = siblings.index(element)
        self._rows[id(element)] = row
        return self.createIndex(row, 0, element)

    def parent(self, index: AnyIndex) -> QModelIndex:  # type: ignore[override]
        element = self.element(index)
        if element is None or element.parent is None or self._hits is not None:
            return QModelIndex()
        above = element.parent
        row = self._rows.get(id(above))
        return self.createIndex(row, 0, above) if row is not None else self.index_of(above)

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.column() > 0 else len(self._children(parent))

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        return len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return tr(_TITLES[section])
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if section in (VM, LENGTH, OFFSET) else _LEFT
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        element, tree = self.element(index), self._tree
        if element is None or tree is None:
            return None
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(tree, element, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in (VM, LENGTH, OFFSET) else _LEFT
        if role == Qt.ItemDataRole.ForegroundRole:
            if element.offset in self._broken:
                return colour("bad")
            return colour("text" if column in (NAME, VALUE) else "secondary")
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, _ROW)
        if role == Qt.ItemDataRole.FontRole:
            return font("small", "medium" if column == NAME else "regular")
        if role == Qt.ItemDataRole.ToolTipRole and column in (NAME, VALUE):
            return element.path() if column == NAME else shown(tree, element, 1200).text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return " ".join(self._text(tree, element, c) for c in (TAG, NAME, VALUE))
        return None

    def _text(self, tree: TagTree, element: TagElement, column: int) -> str:
        if column == TAG:
            return element.path() if self._hits is not None else element.tag_text
        if column == NAME:
            if element.kind != "element":
                return tr(f"ui.explorer.{element.kind}", n=element.number)
            return element.keyword or (f"[{element.creator}]" if element.creator else "–")
        if column == VR:
            return element.vr if element.kind == "element" else ""
        if column == VM:
            return str(multiplicity(tree, element)) if element.kind == "element" else ""
        if column == LENGTH:
            return tr("ui.explorer.open_length") if element.length is None else f"{element.length}"
        if column == OFFSET:
            return f"{element.offset}"
        return shown(tree, element).text
