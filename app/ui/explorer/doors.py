"""The ways into the explorer: what an import refused, a study of the library, a series of the open study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.domain.problem import ProblemError
from app.domain.study import RefusedFile
from app.session.explorer import ExplorerFile, of_refused
from app.session.views import Notice, Words
from app.ui.explorer.sheet import ExplorerSheet

if TYPE_CHECKING:
    from app.session.workstation import Workstation


class ExplorerDoor(QObject):
    """Builds the sheet over ``window`` at the first use."""

    def __init__(self, workstation: Workstation, window: QWidget) -> None:
        super().__init__(window)
        self._workstation = workstation
        self._window = window
        self._sheet: ExplorerSheet | None = None

    @property
    def sheet(self) -> ExplorerSheet | None:
        return self._sheet

    def refused(self) -> None:
        """Files that the last import refused."""
        self._open(self._workstation.refused_files(), Words("ui.explorer.title"))

    def these(self, refused: Sequence[RefusedFile]) -> None:
        """Files that are refused before anything was imported."""
        self._open(of_refused(refused), Words("ui.explorer.title"))

    def study(self, study_instance_uid: str, display_set_id: str = "") -> None:
        """Objects of a study, or of one of its display sets."""
        try:
            files = self._workstation.files_of_study(study_instance_uid, display_set_id)
        except ProblemError as error:
            self._workstation.notice.emit(Notice(error.problem))
            return
        self._open(files, Words("ui.explorer.objects"))

    def _open(self, files: Sequence[ExplorerFile], title: Words) -> None:
        if not files:
            return
        if self._sheet is None:
            self._sheet = ExplorerSheet(self._workstation, self._window)
            self._sheet.noticed.connect(self._workstation.notice.emit)
        self._sheet.open()
        self._sheet.show_files(files, title)
