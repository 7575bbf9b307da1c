"""Which panes show a document: its view lies over the pane's own widget, at the same place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.domain.problem import Problem, Severity
from app.session.views import Notice
from app.ui.reading.document_view import DocumentView

if TYPE_CHECKING:
    from app.session.workstation import Workstation


class DocumentPanes(QObject):
    def __init__(self, workstation: Workstation, grid: QWidget) -> None:
        super().__init__(grid)
        self._workstation = workstation
        self._grid = grid
        self._views: dict[str, DocumentView] = {}

    @property
    def views(self) -> Mapping[str, DocumentView]:
        return self._views

    def follow(self, panes: Mapping[str, QWidget], active: str | None = None) -> None:
        """Shows, fills and takes away the views as the panes now are."""
        reading = self._workstation.reading
        desk = reading.saved if reading is not None else None
        for pane_id in set(self._views) - set(panes):
            self._views.pop(pane_id).deleteLater()
        for pane_id, pane in panes.items():
            shown = desk.document(pane_id) if desk is not None else None
            view = self._views.get(pane_id)
            if shown is None:
                if view is not None:
                    self._views.pop(pane_id).hide()
                    view.deleteLater()
                continue
            if view is None:
                view = self._views[pane_id] = DocumentView(pane_id, self._workstation, pane.parentWidget() or self._grid)
                view.jumped.connect(self._jump)
                view.placed.connect(self._place_shown)
                view.activated.connect(self._activate)
                view.setGeometry(pane.geometry())
                view.setVisible(not pane.isHidden())
                view.raise_()
            view.show_document(shown)
            if active is not None:
                view.set_active(pane_id == active)

    def place(self, panes: Mapping[str, QWidget]) -> None:
        for pane_id, view in self._views.items():
            pane = panes.get(pane_id)
            if pane is not None:
                if view.parentWidget() is not pane.parentWidget():
                    view.setParent(pane.parentWidget())
                view.setGeometry(pane.geometry())
                view.setVisible(not pane.isHidden())

    def _activate(self, pane_id: str) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.activate(pane_id)

    def _place_shown(self, pane_id: str, frame_of_reference_uid: str, point_mm: tuple[float, float, float]) -> None:
        reading = self._workstation.reading
        if reading is not None and reading.saved is not None:
            reading.saved.go_to_point(pane_id, point_mm, frame_of_reference_uid)

    def _jump(self, pane_id: str, sop_instance_uid: str, frame: int) -> None:
        reading = self._workstation.reading
        if reading is None or reading.saved is None:
            return
        if not reading.saved.go_to(pane_id, sop_instance_uid, frame):
            self._workstation.notice.emit(Notice(Problem("document.image_not_here", {}, Severity.NOTE)))
