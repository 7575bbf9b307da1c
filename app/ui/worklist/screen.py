"""The worklist: filters, studies, and the one that is looked at; or, on the first day, the ways in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QMenu, QStackedWidget, QWidget

from app.session.views import Changes, Words, WorklistRow, WorklistView
from app.ui.i18n import tr
from app.ui.pictures import Thumbnails
from app.ui.widgets.boxes import Line, Surface, column, row
from app.ui.widgets.buttons import OUTLINE, QUIET, Button, show_menu
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.search_field import SearchField
from app.ui.widgets.text import Text, note
from app.ui.worklist.aside_sheet import AsideStrip
from app.ui.worklist.cut_imports import CutImports
from app.ui.worklist.empty_state import EmptyState
from app.ui.worklist.filters import WIDTH as FILTERS_WIDTH
from app.ui.worklist.filters import Filters
from app.ui.worklist.preview import WIDTH as PREVIEW_WIDTH
from app.ui.worklist.preview import Preview
from app.ui.worklist.readers_panel import ReadersPanel
from app.ui.worklist.table import StudyTable

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_ORDERS = ("priority", "newest", "name")
_TYPING_MS = 120
_ROOMY = 1500
"""Below this the side columns give way to the list."""
_SMALL = 1100
"""Below this (a full-HD screen at 200 %) the filters fold away; the search finds what they would."""


class WorklistScreen(QWidget):
    open_wanted = Signal(str)
    tags_wanted = Signal(str)
    export_wanted = Signal(str)
    menu_wanted = Signal(str, object)
    """Study and the place on the screen."""
    import_wanted = Signal(list)
    samples_wanted = Signal()
    keys_wanted = Signal()
    card_wanted = Signal(str)
    language_chosen = Signal(str)

    def __init__(self, workstation: Workstation, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._thumbnails = thumbnails
        self._order = "priority"
        self._view: WorklistView | None = None
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self.refresh)
        lay = row(self, gap=0)
        self.filters = Filters()
        self.filters.changed.connect(self.refresh)
        lay.addWidget(self.filters)
        lay.addWidget(self._middle(), 1)
        self._side = QStackedWidget()
        self._side.setFixedWidth(PREVIEW_WIDTH)
        self._preview = Preview(thumbnails)
        self._preview.opened.connect(self.open_wanted)
        self._preview.tags_wanted.connect(self.tags_wanted)
        self._preview.export_wanted.connect(self.export_wanted)
        self._readers = ReadersPanel()
        self._readers.card_wanted.connect(self.card_wanted)
        self._side.addWidget(self._readers)
        self._side.addWidget(self._preview)
        lay.addWidget(self._side)

    def _middle(self) -> QWidget:
        ground = Surface("ground")
        lay = column(ground)
        top = row(margins=(16, 10, 16, 10), gap=12)
        self.search = SearchField(Words("ui.search.hint"))
        self.search.setMaximumWidth(512)
        self.search.changed.connect(lambda _text: self._typing.start())
        self.search.down.connect(self._to_list)
        top.addWidget(self.search, 10)
        top.addStretch(1)
        self._order_button = Button(Words("ui.worklist.order"), QUIET, caret=True, value=Words("ui.worklist.order.priority"))
        self._order_button.clicked.connect(lambda: show_menu(self._order_button, self._order_menu()))
        top.addWidget(self._order_button)
        self.import_button = Button(Words("ui.import"), OUTLINE, "import", "I", height=34)
        self.import_button.clicked.connect(self._offer_import)
        top.addWidget(self.import_button)
        lay.addLayout(top)
        lay.addWidget(Line())
        self.cut_imports = CutImports()
        lay.addWidget(self.cut_imports)
        self.aside = AsideStrip()
        lay.addWidget(self.aside)
        self._stack = QStackedWidget()
        self.empty = EmptyState()
        self.empty.files_wanted.connect(self.choose_files)
        self.empty.folder_wanted.connect(self.choose_folder)
        self.empty.samples_wanted.connect(self.samples_wanted)
        self.empty.keys_wanted.connect(self.keys_wanted)
        self.empty.language_chosen.connect(self.language_chosen)
        self.table = StudyTable(self._picture)
        self.table.list.picked.connect(self._show_preview)
        self.table.list.opened.connect(self.open_wanted)
        self.table.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.list.customContextMenuRequested.connect(self._offer_menu)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.table)
        lay.addWidget(self._stack, 1)
        lay.addWidget(Line())
        foot = row(margins=(16, 0, 16, 0), gap=10)
        self._foot_icon = Glyph("folder-open", "third", 16)
        self._foot = Text("", "small", "regular", "secondary")
        self._shown = note("")
        foot.addWidget(self._foot_icon)
        foot.addWidget(self._foot, 1)
        foot.addWidget(self._shown)
        holder = QWidget()
        holder.setFixedHeight(36)
        holder.setLayout(foot)
        lay.addWidget(holder)
        return ground

    # what is shown

    def changed(self, changes: Changes) -> None:
        if changes.worklist or changes.settings:
            self.refresh()
        elif changes.images:
            self.table.list.viewport().update()
            self._preview.update()

    def refresh(self) -> None:
        text = self.search.text().strip()
        known = tuple(self._view.modality_counts) if self._view else ()
        view = self._view = self._workstation.worklist(self.filters.part_of(text, self._order, known))
        self.filters.show_view(view)
        empty = view.total == 0
        self._stack.setCurrentWidget(self.empty if empty else self.table)
        self._side.setCurrentWidget(self._readers if empty else self._preview)
        self._order_button.setVisible(not empty)
        if empty:
            self._readers.show_readers(self._workstation.machine_words(), self._workstation.readers_on_this_pc())
            self._foot.say(self._workstation.library_words())
            self._shown.say(f"Ekinshi {self._workstation.version}")
            self._foot_icon.show_icon("hard-drive", "third")
            return
        self._foot_icon.show_icon("folder-open", "third")
        self.table.show_view(view, text, Words(f"ui.worklist.order.{self._order}"))
        self.search.note.say(tr("ui.search.finds", names=", ".join(view.finds)) if text and view.finds else "")
        self._foot.say(Words("ui.worklist.drop_anywhere"))
        shown = view.matches if text else len(view.rows)
        self._shown.say(tr("ui.worklist.shown", n=shown, total=view.total))
        if not self.table.list.current_key() or text:
            self.table.list.select_first(announce=False)
        self._show_preview(self.table.list.current_key())

    def _show_preview(self, study_instance_uid: str) -> None:
        preview = self._workstation.preview(study_instance_uid) if study_instance_uid else None
        self._preview.setVisible(preview is not None)
        if preview is not None:
            self._preview.show_preview(preview)

    def _picture(self, study: WorklistRow) -> QImage | None:
        return self._thumbnails.get(study.thumbnail)

    def focus_target(self) -> QWidget:
        return self.table.list if self._view is not None and self._view.total else self

    def _to_list(self) -> None:
        self.table.list.setFocus()
        if self._typing.isActive():
            self._typing.stop()
            self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        roomy = self.width() >= _ROOMY
        self._side.setFixedWidth(PREVIEW_WIDTH if roomy else 280)
        self.filters.setFixedWidth(FILTERS_WIDTH if roomy else 204)
        self.filters.setVisible(self.width() >= _SMALL)
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self._view is not None:
            self.refresh()

    # what can be done

    def command(self, name: str) -> bool:
        """A key of the worklist; True when it did something."""
        if name == "open" and self.table.list.current_key():
            self.open_wanted.emit(self.table.list.current_key())
        elif name == "export" and self.table.list.current_key():
            self.export_wanted.emit(self.table.list.current_key())
        elif name == "search":
            self.search.setFocus()
            self.search.edit.selectAll()
        elif name == "import_files":
            self.choose_files()
        elif name == "open_folder":
            self.choose_folder()
        elif name == "samples" and self._view is not None and self._view.total == 0:
            self.samples_wanted.emit()
        else:
            return False
        return True

    def _offer_menu(self, point: QPoint) -> None:
        found = self.table.list.row_at(point)
        if found is not None:
            self.menu_wanted.emit(found.key, self.table.list.viewport().mapToGlobal(point))

    def _order_menu(self) -> QMenu:
        menu = QMenu(self)
        for order in _ORDERS:
            menu.addAction(tr(f"ui.worklist.order.{order}")).triggered.connect(lambda _=False, o=order: self._set_order(o))
        return menu

    def _set_order(self, order: str) -> None:
        self._order = order
        self._order_button.say(Words("ui.worklist.order"), value=Words(f"ui.worklist.order.{order}"))
        self.refresh()

    def _offer_import(self) -> None:
        menu = QMenu(self)
        menu.addAction(tr("ui.import.files")).triggered.connect(self.choose_files)
        menu.addAction(tr("ui.import.folder")).triggered.connect(self.choose_folder)
        menu.addAction(tr("ui.import.samples")).triggered.connect(self.samples_wanted)
        show_menu(self.import_button, menu)

    def choose_files(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, tr("ui.import.files"))
        if files:
            self.import_wanted.emit([Path(f) for f in files])

    def choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("ui.import.folder"))
        if folder:
            self.import_wanted.emit([Path(folder)])
