"""The way into the import dialog: what was dropped or chosen, and imports that were cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.domain.problem import Problem, Severity
from app.session.views import Changes, Notice
from app.ui.worklist.aside_sheet import AsideSheet, AsideStrip
from app.ui.worklist.cut_imports import CutImports

if TYPE_CHECKING:
    from app.domain.study import RefusedFile
    from app.session.workstation import Workstation
    from app.ui.worklist.import_dialog import ImportDialog


class ImportDoor(QObject):
    """Builds the dialog over ``window`` at the first use."""

    def __init__(
        self,
        workstation: Workstation,
        window: QWidget,
        cut: CutImports,
        aside: AsideStrip,
        explore: Callable[[Sequence[RefusedFile]], None],
    ) -> None:
        super().__init__(window)
        self._workstation, self._window, self._cut, self._explore = workstation, window, cut, explore
        self._aside = aside
        self.dialog: ImportDialog | None = None
        self.sheet: AsideSheet | None = None
        aside.compare.connect(self.compare)
        cut.go_on.connect(self.go_on)
        cut.discard.connect(self._discard)

    def offer(self, paths: Sequence[Path]) -> None:
        """Looks at the paths and shows what is there; while an import runs, that one is shown."""
        if not self._workstation.imports.offer(paths):
            self._workstation.notice.emit(Notice(Problem("import.busy", severity=Severity.NOTE)))
        self.show()

    def show(self) -> None:
        if self.dialog is None:
            from app.ui.worklist.import_dialog import ImportDialog

            self.dialog = ImportDialog(self._workstation, self._window)
            self.dialog.explore_wanted.connect(lambda refused: self._explore(refused))
            self.dialog.compare_wanted.connect(self.compare)
        self.dialog.open()

    def go_on(self, job_id: str) -> None:
        if self._workstation.imports.resume(job_id):
            self.show()

    def _discard(self, job_id: str) -> None:
        self._workstation.imports.discard(job_id)
        self.refresh_cut()

    def compare(self, source: str = "") -> None:
        """Two files under one number beside each other, beginning with the one that came from ``source``."""
        if self.sheet is None:
            self.sheet = AsideSheet(self._workstation.imports.aside, self._window)
            self.sheet.noticed.connect(self._workstation.notice.emit)
        self.sheet.show_waiting(source)

    def refresh_cut(self) -> None:
        self._cut.show_cut(self._workstation.imports.cut_imports())

    def changed(self, changes: Changes) -> None:
        if self.dialog is not None and (changes.tasks or changes.images):
            self.dialog.changed()
        if changes.worklist or changes.tasks:
            self.refresh_cut()
        if changes.worklist:
            self._aside.show_count(self._workstation.imports.aside.count())
