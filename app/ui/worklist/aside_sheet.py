"""Two files under one number beside each other: pictures, facts, the elements that differ, and a person's choice."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QTreeView, QWidget

from app.dicom.tag_compare import Difference
from app.domain.problem import Problem, ProblemError, Severity
from app.session.aside_desk import AsideDesk, AsideLine, AsideView, Side
from app.session.views import NOTHING, Notice, Words
from app.ui.i18n import file_size, tr, tr_problem
from app.ui.pictures import to_image
from app.ui.theme import colour, font
from app.ui.widgets.boxes import Line, Surface, column, row
from app.ui.widgets.buttons import OUTLINE, PRIMARY, TOOL, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import clip_rounded, rounded
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, note
from app.ui.worklist.import_refused import tail

_TITLES = ("ui.explorer.tag", "ui.explorer.name", "ui.aside.shown", "ui.aside.other")
_WIDTHS = (190, 250, 360, 360)
_ROW = 24
AnyIndex = QModelIndex | QPersistentModelIndex


class _Model(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[Difference, ...] = ()

    def show_rows(self, rows: tuple[Difference, ...]) -> None:
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        return len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(_TITLES[section])
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self._rows[index.row()]
        text = self._text(one, index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return text
        if role == Qt.ItemDataRole.ForegroundRole:
            return colour("secondary" if index.column() == 0 or one.bulk else "text")
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, _ROW)
        if role == Qt.ItemDataRole.FontRole:
            return font("small", "medium" if index.column() == 1 else "regular")
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(f"{tr(title)}: {self._text(one, n)}" for n, title in enumerate(_TITLES))
        return None

    @staticmethod
    def _text(one: Difference, number: int) -> str:
        if number < 2:
            return one.path if number == 0 else one.keyword or "–"
        there, value = (one.in_first, one.first) if number == 2 else (one.in_other, one.other)
        if not there:
            return tr("ui.aside.missing")
        return tr("ui.aside.bulk") if one.bulk else value or "–"


class _Picture(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._words = ""
        self.setMinimumSize(220, 220)

    def show_image(self, image: QImage | None, words: str) -> None:
        self._image, self._words = image, words
        self.setAccessibleName(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        rounded(painter, box, "black", "line")
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            clip_rounded(painter, box, 6)
            size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            at = QRectF((self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height())
            painter.drawImage(at, self._image)
        else:
            painter.setPen(colour("secondary"))
            painter.setFont(font("small"))
            how = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(box.adjusted(24, 12, -24, -12), how, self._words)
        painter.end()


class _Side(QWidget):
    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = title
        lay = column(self, gap=6)
        head = row(gap=8)
        self._title = Text(Words(title), "body", "semibold", elide=False)
        self._source = Text("", "small", "regular", "secondary")
        head.addWidget(self._title)
        head.addWidget(self._source, 1)
        lay.addLayout(head)
        self._picture = _Picture()
        lay.addWidget(self._picture, 1)
        self._facts = Text("", "small", "regular", "text")
        self._bytes = Text("", "small", "regular", "secondary")
        lay.addWidget(self._facts)
        lay.addWidget(self._bytes)

    def show_side(self, side: Side | None, source: str) -> None:
        self._source.say(tr("ui.aside.from", file=tail(source)) if source else "")
        self._source.setToolTip(source)
        if side is None:
            self._picture.show_image(None, tr("ui.aside.reading"))
            self._facts.say("")
            self._bytes.say("")
            return
        words = tr_problem(side.problem) if side.problem is not None else tr("ui.aside.no_picture")
        self._picture.show_image(to_image(side.pixels) if side.pixels is not None else None, words)
        self._facts.say(side.facts)
        self._bytes.say(f"{' '.join(file_size(side.size_bytes))} · SHA-256 {side.sha256[:16]}")


class AsideSheet(Sheet):
    """Every button is a verb of the session's ``AsideDesk``."""

    noticed = Signal(object)
    """A ``Notice`` for the status line."""

    def __init__(self, desk: AsideDesk, parent: QWidget) -> None:
        super().__init__(Words("ui.aside.title"), QSize(1240, 940), parent)
        self._desk = desk
        self._lines: tuple[AsideLine, ...] = ()
        self._at = 0
        self._view: AsideView | None = None
        self._count = note("")
        self._back = Button(NOTHING, TOOL, "caret-left", tip=Words("ui.film.previous"), height=28)
        self._next = Button(NOTHING, TOOL, "caret-right", tip=Words("ui.film.next"), height=28)
        self._back.clicked.connect(lambda: self._step(-1))
        self._next.clicked.connect(lambda: self._step(1))
        for widget in (self._count, self._back, self._next):
            self.beside.addWidget(widget)
        whose = row(margins=(16, 12, 16, 4), gap=10)
        self._who = Text("", "title", "semibold")
        self._what = Text("", "body", "regular", "secondary")
        whose.addWidget(self._who)
        whose.addWidget(self._what, 1)
        self.body.addLayout(whose)
        both = row(margins=(16, 4, 16, 12), gap=16)
        self._first, self._other = _Side("ui.aside.shown"), _Side("ui.aside.other")
        both.addWidget(self._first, 1)
        both.addWidget(self._other, 1)
        self.body.addLayout(both, 3)
        self.body.addWidget(Line())
        head = row(margins=(16, 10, 16, 6))
        self._differences = Text("", "body", "semibold")
        head.addWidget(self._differences, 1)
        self.body.addLayout(head)
        self._model = _Model()
        self._table = QTreeView()
        self._table.setModel(self._model)
        self._table.setFrameShape(QFrame.Shape.NoFrame)
        self._table.setRootIsDecorated(False)
        self._table.setUniformRowHeights(True)
        self._table.setAccessibleName(tr("ui.aside.title"))
        header = self._table.header()
        header.setFont(font("small"))
        header.setFixedHeight(28)
        for number, width in enumerate(_WIDTHS):
            header.resizeSection(number, width)
        self._table.setIndentation(0)
        holder = column(margins=(12, 0, 12, 8))
        holder.addWidget(self._table)
        self.body.addLayout(holder, 2)
        self.body.addWidget(Line())
        foot = row(margins=(16, 10, 16, 12), gap=10)
        self._why = Text(Words("ui.aside.nothing_lost"), "small", "regular", "secondary", wrap=True)
        foot.addWidget(self._why, 1)
        self._take = Button(Words("ui.aside.take"), OUTLINE, height=36)
        self._take.clicked.connect(self._taken)
        self._keep = Button(Words("ui.aside.keep"), PRIMARY, height=36)
        self._keep.clicked.connect(self._kept)
        foot.addWidget(self._take)
        foot.addWidget(self._keep)
        self.body.addLayout(foot)

    def show_waiting(self, source: str = "") -> None:
        """What waits for a choice; ``source``: beginning with the one that came from this file."""
        self._lines = self._desk.waiting()
        if not self._lines:
            self.leave()
            return
        self._at = next((n for n, line in enumerate(self._lines) if source and line.source == source), 0)
        self.open()
        self._show()

    def _step(self, by: int) -> None:
        self._at = (self._at + by) % len(self._lines)
        self._show()

    def _show(self) -> None:
        line = self._lines[self._at]
        several = len(self._lines) > 1
        for widget in (self._count, self._back, self._next):
            widget.setVisible(several)
        self._count.say(tr("ui.aside.of", n=self._at + 1, total=len(self._lines)))
        self._who.say(line.name or tr("import.nameless"))
        self._what.say(line.what)
        self._dress(None)
        self._desk.compare(line.key, self._came, self._failed)

    def _came(self, view: AsideView) -> None:
        if self._lines and view.key == self._lines[self._at].key:
            self._dress(view)

    def _failed(self, problem: Problem) -> None:
        self._why.say(tr_problem(problem))
        self.noticed.emit(Notice(problem))

    def _dress(self, view: AsideView | None) -> None:
        self._view = view
        line = self._lines[self._at]
        self._first.show_side(view.first if view is not None else None, "")
        self._other.show_side(view.other if view is not None else None, line.source)
        self._model.show_rows(view.different if view is not None else ())
        self._keep.setEnabled(view is not None)
        self._take.setEnabled(view is not None and view.cannot_take is None)
        if view is None:
            self._differences.say("")
            self._why.say(Words("ui.aside.nothing_lost"))
            return
        n = len(view.different)
        self._differences.say(Words("ui.aside.differences", {"n": n}) if n else Words("ui.aside.padding_only"))
        self._why.say(tr_problem(view.cannot_take) if view.cannot_take is not None else Words("ui.aside.nothing_lost"))

    def _kept(self) -> None:
        if self._view is not None:
            self._chosen(self._desk.keep_shown)

    def _taken(self) -> None:
        if self._view is not None:
            self._chosen(self._desk.show_other)

    def _chosen(self, verb: Any) -> None:
        try:
            verb(self._lines[self._at].key)
        except ProblemError as error:
            self._failed(error.problem)
            return
        self._lines = self._desk.waiting()
        if self._lines:
            self._at = min(self._at, len(self._lines) - 1)
            self._show()
        else:
            self.leave()
            self.noticed.emit(Notice(Problem("ui.aside.done", severity=Severity.NOTE)))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self.isVisible() and self._lines:
            view = self._view
            self._show()
            if view is not None:
                self._dress(view)


class AsideStrip(QWidget):
    """Over the worklist: nothing to see while nothing waits."""

    compare = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        lay = column(self)
        ground = Surface("raised")
        line = row(ground, (16, 8, 12, 8), 10)
        line.addWidget(Glyph("warning", "secondary"))
        self._text = Text("", "body", "medium")
        line.addWidget(self._text, 1)
        look = Button(Words("ui.aside.compare"), OUTLINE)
        look.clicked.connect(self.compare)
        line.addWidget(look)
        lay.addWidget(ground)
        lay.addWidget(Line())
        self.hide()

    def show_count(self, n: int) -> None:
        self._text.say(Words("ui.aside.waiting", {"n": n}))
        self.setVisible(n > 0)
