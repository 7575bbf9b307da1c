"""The explorer: files on the left; why one did not open, its rules and its tags on the right."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QModelIndex, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontDatabase, QPainter
from PySide6.QtWidgets import QFileDialog, QFrame, QHeaderView, QMenu, QPlainTextEdit, QSplitter, QTreeView, QWidget

from app.dicom.examine import Examination
from app.dicom.sample_export import Sample
from app.dicom.tag_tree import TagElement
from app.dicom.tag_values import hex_dump, matches, shown
from app.domain.problem import Problem
from app.session.explorer import ExplorerFile
from app.session.views import Notice, TaskState, Words
from app.ui.explorer.reason_card import ReasonCard
from app.ui.explorer.tag_model import TagModel
from app.ui.i18n import file_size, tr, tr_problem
from app.ui.icons import paint_icon
from app.ui.theme import font
from app.ui.widgets.boxes import Line, ProgressBar, VScroll, clear, column, row
from app.ui.widgets.buttons import OUTLINE, Button, show_menu
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.row_list import Row, RowList, paint_two_lines
from app.ui.widgets.search_field import SearchField
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_HITS = 500
_SLICE_S = 0.012
"""Of a search, on the main thread: the values lie behind one window that the painting of rows reads through too."""
_ICONS = {"exact": ("check-circle", "ok"), "repaired": ("check-circle", "waiting"), "refused": ("prohibit", "bad")}


class ExplorerSheet(Sheet):
    noticed = Signal(object)
    """A ``Notice`` for the status line."""

    def __init__(self, workstation: Workstation, parent: QWidget) -> None:
        super().__init__(Words("ui.explorer.title"), QSize(1680, 980), parent)
        self._workstation = workstation
        self._files: dict[str, ExplorerFile] = {}
        self._shown: Examination | None = None
        self._key = ""
        body = row(gap=0)
        self._list = RowList(self._paint_file)
        self._list.setFixedWidth(320)
        self._list.picked.connect(self._pick)
        body.addWidget(self._list)
        body.addWidget(Line(vertical=True))
        right = column()
        body.addLayout(right, 1)
        self.body.addLayout(body, 1)

        top = row(margins=(16, 12, 16, 10), gap=10)
        self._glyph = Glyph()
        self._name = Text("", "title", "semibold")
        self._state = Text("", "body", "medium", "secondary", elide=False)
        self._facts = Text("", "small", "regular", "secondary")
        top.addWidget(self._glyph)
        names = column(gap=2)
        names.addWidget(self._name)
        names.addWidget(self._facts)
        top.addLayout(names, 1)
        top.addWidget(self._state)
        right.addLayout(top)
        reasons = QWidget()
        self._reasons = column(reasons, (16, 0, 16, 10), 6)
        self._reasons_scroll = VScroll(reasons)
        right.addWidget(self._reasons_scroll)
        right.addWidget(Line())
        line = row(margins=(16, 10, 16, 10))
        self._search = SearchField(Words("ui.explorer.search"))
        line.addWidget(self._search, 1)
        right.addLayout(line)

        self._model = TagModel()
        self._tree = QTreeView()
        self._tree.setModel(self._model)
        self._tree.setFrameShape(QFrame.Shape.NoFrame)
        self._tree.setUniformRowHeights(True)
        self._tree.setAlternatingRowColors(False)
        self._tree.setIndentation(16)
        self._tree.setAccessibleName(tr("ui.explorer.title"))
        header = self._tree.header()
        header.setStretchLastSection(True)
        header.setFont(font("small"))
        header.setFixedHeight(28)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for number, width in enumerate((190, 250, 44, 52, 96, 104, 300)):
            header.resizeSection(number, width)
        self._tree.selectionModel().currentChanged.connect(self._show_value)
        self._hex = QPlainTextEdit()
        self._hex.setReadOnly(True)
        self._hex.setFrameShape(QFrame.Shape.NoFrame)
        self._hex.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._hex.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self._tree)
        split.addWidget(self._hex)
        split.setSizes([520, 150])
        split.setChildrenCollapsible(False)
        right.addWidget(split, 1)
        right.addWidget(Line())
        foot = row(margins=(16, 10, 16, 12))
        foot.addWidget(note(Words("ui.explorer.kept")), 1)
        self._export = Button(Words("ui.explorer.export"), OUTLINE, "export", caret=True)
        self._export.clicked.connect(self._offer_export)
        foot.addWidget(self._export)
        foot.addWidget(self._task_row())
        right.addLayout(foot)

        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(180)
        self._typing.timeout.connect(self._find)
        self._search.changed.connect(lambda _text: self._typing.start())
        self._looking: Iterator[TagElement | None] | None = None
        self._hits: list[TagElement] = []
        self._slices = QTimer(self)
        self._slices.setSingleShot(True)
        self._slices.timeout.connect(self._look_on)
        self._search.down.connect(self._tree.setFocus)

    def _task_row(self) -> QWidget:
        self._task = ""
        self._writing = QWidget()
        line = row(self._writing, gap=10)
        self._doing = note(Words("ui.explorer.writing"))
        line.addWidget(self._doing)
        self._bar = ProgressBar()
        self._bar.setFixedWidth(200)
        line.addWidget(self._bar)
        stop = Button(Words("ui.cancel"), OUTLINE)
        stop.clicked.connect(lambda: self._workstation.cancel_task(self._task))
        line.addWidget(stop)
        self._writing.hide()
        self._watching = QTimer(self)
        self._watching.setSingleShot(True)
        self._watching.setInterval(100)
        self._watching.timeout.connect(self._show_task)
        return self._writing

    # -- files -----------------------------------------------------------------------------------------------------

    def show_files(self, files: Sequence[ExplorerFile], title: Words) -> None:
        """The list; the first file is examined at once."""
        self.title.say(title)
        self._files = {f.key: f for f in files}
        items = [Row(f.key, f, f"{f.name} {tr('ui.explorer.state.' + f.state)}") for f in files]
        self._list.setVisible(len(files) > 1)
        self._list.set_items(items)
        self._search.edit.clear()
        if files:
            self._list.select_key(files[0].key, announce=False)
            self._pick(files[0].key)

    def _pick(self, key: str) -> None:
        file = self._files.get(key)
        if file is None:
            return
        self._key = key
        self._name.say(file.name)
        self._facts.say(Words("ui.explorer.reading"))
        self._state.say("")
        self._workstation.explorer.look_at(file, self._came)

    def _came(self, key: str, found: Examination | None, problem: Problem | None) -> None:
        if key != self._key:
            return
        self._shown = found
        self._stop_looking()
        clear(self._reasons)
        self._hex.setPlainText("")
        self._export.setEnabled(found is not None)
        if found is None:
            self._model.show_tree(None)
            self._dress("refused")
            self._facts.say("")
            self._reasons.addWidget(Text(tr_problem(problem) if problem else "", "body", "regular", "bad", wrap=True))
            return
        self._dress(found.state)
        size = " ".join(file_size(found.tree.file_size))
        self._facts.say(" · ".join(p for p in (found.sop_class, found.transfer_syntax, size) if p))
        for reason in found.reasons[:40]:
            card = ReasonCard(reason, found, self._workstation.explorer.repairs is not None)
            card.repair_wanted.connect(self._mend)
            card.show_wanted.connect(self._show_element)
            self._reasons.addWidget(card)
        if not found.reasons:
            self._reasons.addWidget(Text(Words("ui.explorer.no_reasons"), "body", "regular", "secondary"))
        if found.tree.inflated:
            self._reasons.addWidget(note(Words("ui.explorer.unpacked")))
        self._reasons.addStretch(1)
        self._model.show_tree(found.tree, frozenset(b.offset for b in found.tree.breaches))
        self._fit_reasons()
        if self._search.text():
            self._find()

    def _dress(self, state: str) -> None:
        icon, role = _ICONS[state]
        self._glyph.show_icon(icon, role)
        self._state.say(Words(f"ui.explorer.state.{state}"), "bad" if state == "refused" else "secondary")

    def _fit_reasons(self) -> None:
        """As high as its cards, a third of the sheet at most."""
        width = max(200, self._reasons_scroll.width() - 44)
        wanted = 0
        for number in range(self._reasons.count()):
            widget = self._reasons.itemAt(number).widget()
            if widget is not None:
                tall = widget.heightForWidth(width) if widget.hasHeightForWidth() else widget.sizeHint().height()
                wanted += tall + self._reasons.spacing()
        self._reasons_scroll.setFixedHeight(max(32, min(wanted + 10, self.height() // 3)))

    # -- tags ------------------------------------------------------------------------------------------------------

    def _find(self) -> None:
        self._stop_looking()
        if self._shown is None:
            return
        text = self._search.text().strip()
        if not text:
            self._model.show_hits(None)
            self._search.note.say("")
            return
        self._hits = []
        self._looking = matches(self._shown.tree, text)
        self._search.note.say(Words("ui.explorer.searching"))
        self._look_on()

    def _look_on(self) -> None:
        """A slice of the search; a large enhanced object takes several, and the window goes on between them."""
        if self._looking is None:
            return
        end = time.monotonic() + _SLICE_S
        for hit in self._looking:
            if hit is not None:
                self._hits.append(hit)
                if len(self._hits) >= _HITS:
                    break
            elif time.monotonic() > end:
                self._slices.start()
                return
        self._looking = None
        n = len(self._hits)
        self._model.show_hits(self._hits)
        self._search.note.say(tr("ui.explorer.hits_more", n=_HITS) if n >= _HITS else tr("ui.explorer.hits", n=n))

    def _stop_looking(self) -> None:
        self._looking = None
        self._slices.stop()

    def _show_element(self, element: TagElement) -> None:
        self._search.edit.clear()
        self._typing.stop()
        self._stop_looking()
        self._model.show_hits(None)
        above: list[TagElement] = []
        parent = element.parent
        while parent is not None:
            above.append(parent)
            parent = parent.parent
        for item in reversed(above):
            self._tree.expand(self._model.index_of(item))
        index = self._model.index_of(element)
        self._tree.setCurrentIndex(index)
        self._tree.scrollTo(index, QTreeView.ScrollHint.PositionAtCenter)
        self._tree.setFocus()

    def _show_value(self, now: QModelIndex, _before: QModelIndex) -> None:
        element = self._model.element(now)
        tree = self._model.tree
        if element is None or tree is None:
            self._hex.setPlainText("")
            return
        value = shown(tree, element, 4000)
        lines = [f"{element.path()}  {element.keyword}  {element.vr}", value.text]
        if value.repaired:
            lines.append(tr("ui.explorer.read_as", codec=value.repaired))
        if element.kind != "item" and element.vr != "SQ" and not element.children:
            lines += ["", hex_dump(tree, element)]
        self._hex.setPlainText("\n".join(lines))

    # -- the sample ------------------------------------------------------------------------------------------------

    def _offer_export(self) -> None:
        menu = QMenu(self)
        menu.addAction(tr("ui.explorer.export_noise")).triggered.connect(lambda: self._choose_target(True))
        menu.addAction(tr("ui.explorer.export_plain")).triggered.connect(lambda: self._choose_target(False))
        show_menu(self._export, menu)

    def _choose_target(self, noise: bool) -> None:
        target, _ = QFileDialog.getSaveFileName(self, tr("ui.explorer.export"), "sample.dcm")
        if target:
            self.export(Path(target), noise)

    def export(self, target: Path, noise: bool) -> None:
        """Writes the sample of the file that is shown, as a task: a large object takes its time."""
        self._doing.say(Words("ui.explorer.writing"))
        self._task = self._workstation.explorer.start_sample(self._key, target, noise, self._written, self._not_written)
        self._show_task()

    def _written(self, sample: Sample) -> None:
        pixels = "ui.explorer.pixels_noise" if sample.pixels_replaced else "ui.explorer.pixels_kept"
        self._facts.say(tr("ui.explorer.exported", n=sample.replaced, pixels=tr(pixels)))

    def _mend(self) -> None:
        """Has the copy repaired that is offered for the file that is shown."""
        explorer, shown = self._workstation.explorer, self._shown
        if shown is None or shown.repair is None or explorer.repairs is None or self._writing.isVisible():
            return
        self._doing.say(Words("ui.explorer.repairing"))
        said = tr("ui.explorer.repaired")
        self._task = explorer.repairs.start(
            explorer.source, self._key, shown.repair, lambda _: self._facts.say(said), self._not_written
        )
        self._show_task()

    def _not_written(self, problem: Problem) -> None:
        self._workstation.dismiss_task(self._task)
        self._facts.say(tr_problem(problem), "bad")
        self.noticed.emit(Notice(problem))

    def _show_task(self) -> None:
        """Progress and a way out while a sample is written."""
        view = next((t for t in self._workstation.tasks() if t.task_id == self._task and t.state is TaskState.RUNNING), None)
        self._export.setVisible(view is None)
        self._writing.setVisible(view is not None)
        if view is not None:
            self._bar.set_fraction(view.fraction)
            self._watching.start()

    # -- painting --------------------------------------------------------------------------------------------------

    def _paint_file(self, painter: QPainter, rect: QRectF, file: ExplorerFile, selected: bool) -> None:
        icon, role = _ICONS[file.state]
        paint_icon(
            painter, icon, round(rect.left() + 14), round(rect.center().y() - 10), role if role != "waiting" else "secondary"
        )
        quiet = "secondary" if selected else "third"
        second = tr_problem(file.problem) if file.problem is not None else file.detail
        paint_two_lines(painter, rect.adjusted(44, 0, -12, 0), file.name, second, second_role=quiet)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit_reasons()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self._shown is not None:
            self._came(self._key, self._shown, None)
