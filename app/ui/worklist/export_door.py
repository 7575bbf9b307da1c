"""The ways into the export sheet: the menu of a row, the button of the preview, the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QMenu, QWidget

from app.domain.problem import ProblemError
from app.session.views import Changes, Notice
from app.ui.i18n import tr

if TYPE_CHECKING:
    from app.session.workstation import Workstation
    from app.ui.worklist.export_sheet import ExportSheet
    from app.ui.worklist.screen import WorklistScreen


class ExportDoor(QObject):
    """Builds the sheet over ``window`` at the first use."""

    def __init__(self, workstation: Workstation, window: QWidget, worklist: WorklistScreen) -> None:
        super().__init__(window)
        self._workstation, self._window, self._worklist = workstation, window, worklist
        self.sheet: ExportSheet | None = None
        worklist.export_wanted.connect(self.offer)
        worklist.menu_wanted.connect(self._menu)

    def offer(self, study_instance_uid: str) -> None:
        if self.sheet is None:
            from app.ui.worklist.export_sheet import ExportSheet

            self.sheet = ExportSheet(self._workstation, self._window)
        try:
            self.sheet.offer([study_instance_uid])
        except ProblemError as error:
            self._workstation.notice.emit(Notice(error.problem))

    def _menu(self, study_instance_uid: str, at: QPoint) -> None:
        menu = QMenu(self._window)
        worklist = self._worklist
        menu.addAction(tr("ui.worklist.open")).triggered.connect(lambda: worklist.open_wanted.emit(study_instance_uid))
        menu.addAction(tr("ui.export.menu")).triggered.connect(lambda: self.offer(study_instance_uid))
        menu.addAction(tr("ui.explorer.tags")).triggered.connect(lambda: worklist.tags_wanted.emit(study_instance_uid))
        menu.popup(at)

    def changed(self, changes: Changes) -> None:
        if self.sheet is not None and changes.tasks:
            self.sheet.refresh()
