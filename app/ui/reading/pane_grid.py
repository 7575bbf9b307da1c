"""The panes, laid out as the session says, each asking for its own picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.session.views import Changes
from app.ui.mouse import meant
from app.ui.reading.cine_timer import CineTimer
from app.ui.reading.document_panes import DocumentPanes
from app.ui.reading.flicker import FlickerTimer
from app.ui.reading.key_pointer import KeyPointer
from app.ui.reading.mount_labels import MountLabels
from app.ui.reading.render_pool import RenderPool
from app.ui.reading.spread import halves
from app.ui.reading.viewport import Viewport
from app.ui.reading.words_editor import WordsEditor
from app.ui.theme import colour
from app.viewer.tool_api import PointerEvent
from app.viewer.tools.registry import discover

if TYPE_CHECKING:
    from app.session.workstation import Workstation

GAP = 4
_PATIENT = "patient"
"""No pane's name: the picture of the window that is turned to the patient."""
_HOVERING = frozenset(t.name for t in discover().tools if t.hovers)


class PaneGrid(QWidget):
    patient_picture = Signal(object)

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._pool = RenderPool(self)
        self._pool.ready.connect(self._show)
        self._panes: dict[str, Viewport] = {}
        self._boxes: tuple[Any, ...] = ()
        self._alone = ""
        self._held = ""
        self._second: QWidget | None = None
        self.flicker = FlickerTimer(workstation, self)
        self.words = WordsEditor(self)
        self.words.noticed.connect(workstation.notice.emit)
        self._documents = DocumentPanes(workstation, self)
        self._mount = MountLabels(workstation)
        self.cine = CineTimer(workstation, self._request, self)
        self.keys = KeyPointer(self._point, self._cancel)

    @property
    def panes(self) -> dict[str, Viewport]:
        return self._panes

    def idle(self) -> bool:
        """True when every pane has been painted as asked."""
        return self._pool.idle()

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        layout = reading.layout()
        if layout.panes != self._boxes:
            self._boxes = layout.panes
            self._alone = ""
            wanted = {b.pane_id for b in layout.panes}
            for gone in set(self._panes) - wanted:
                self._panes[gone].hide()
                self._panes.pop(gone).deleteLater()
            for box in layout.panes:
                if box.pane_id not in self._panes:
                    self._panes[box.pane_id] = self._make(box.pane_id)
            self._place()
        for pane_id, pane in self._panes.items():
            pane.set_active(pane_id == layout.active)
        self._documents.follow(self._panes, layout.active)
        self._mount.follow(self._panes)
        self.keys.follow(self._panes.get(layout.active))
        self.request_all()

    def _follow_words(self) -> None:
        reading = self._workstation.reading
        if reading is not None:
            asked = reading.awaited_words
            self.words.follow(reading, self._panes.get(asked.pane_id) if asked is not None else None)

    def changed(self, changes: Changes) -> None:
        self._follow_words()
        self.flicker.follow()
        self.cine.follow()
        if changes.layout or changes.study:
            self.refresh()
        elif changes.view and any(p.in_gesture for p in self._panes.values()):
            for pane in self._panes.values():
                pane.draft()
        elif changes.images:
            self._documents.follow(self._panes)
            self.request_all()
        elif changes.view or changes.marks or changes.findings or changes.second_read:
            self.request_all()

    def request_all(self) -> None:
        for pane_id in self._panes:
            self._request(pane_id, False)

    def active_pane(self) -> Viewport | None:
        return next((p for p in self._panes.values() if p.active), None)

    def ask_for_patient(self) -> None:
        """The active pane's picture without what a second reader says; it comes by ``patient_picture``."""
        reading, pane = self._workstation.reading, self.active_pane()
        if reading is None or pane is None or all(box.pane_id != pane.pane_id for box in reading.layout().panes):
            return
        size, ratio = pane.device_size(), pane.devicePixelRatioF()
        self._pool.request(_PATIENT, reading.patient_request(pane.pane_id, *size, ratio))

    def _make(self, pane_id: str) -> Viewport:
        pane = Viewport(pane_id, self)
        pane.wanted.connect(self._request)
        pane.pointed.connect(self._point)
        pane.set_dropped.connect(self._put)
        pane.film_dropped.connect(self._mount.exchange)
        return pane

    def _request(self, pane_id: str, draft: bool) -> None:
        reading = self._workstation.reading
        pane = self._panes.get(pane_id)
        if reading is None or pane is None or not pane.isVisible():
            return
        if all(box.pane_id != pane_id for box in reading.layout().panes):
            return  # painted once more between the opening of a study and its panes
        width, height = pane.device_size()
        self._pool.request(pane_id, reading.picture_request(pane_id, width, height, pane.devicePixelRatioF(), draft))

    def _show(self, pane_id: str, picture: object) -> None:
        if pane_id == _PATIENT:
            self.patient_picture.emit(picture)
            return
        pane = self._panes.get(pane_id)
        if pane is not None and not self.cine.holds(picture):
            pane.show_picture(picture)
            self.cine.painted(pane_id, picture)

    def _point(self, pane_id: str, kind: str, event: PointerEvent) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        if kind == "double":
            self.enlarge("" if self._alone else pane_id)
            return
        if kind == "hover" and reading.active_tool not in _HOVERING:
            return
        reading.pointer(pane_id, kind, *self._meant(kind, event))

    def _meant(self, kind: str, event: PointerEvent) -> tuple[PointerEvent, str]:
        """A drag stays the tool's that its press chose, whatever becomes of the keys."""
        if kind == "press":
            self._held = meant(kind, event)[0]
        if kind in ("press", "wheel"):
            tool, event = meant(kind, event)
            return event, tool
        return event, self._held if kind in ("drag", "release") else ""

    def _cancel(self) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.command("cancel_gesture")

    def toggle_pointing(self) -> None:
        """A cross for the arrow keys in the active pane; again: gone."""
        self.keys.toggle(self.active_pane())

    def toggle_alone(self) -> None:
        """The active pane by itself, and all of them again."""
        pane = self.active_pane()
        self.enlarge("" if self._alone or pane is None else pane.pane_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.keys.take(event):
            super().keyPressEvent(event)

    def _put(self, pane_id: str, display_set_id: str) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.put_in_pane(pane_id, display_set_id)

    @property
    def is_spread(self) -> bool:
        """Some panes stand on the second monitor."""
        return self._second is not None and any(p.parentWidget() is self._second for p in self._panes.values())

    def spread_to(self, window: QWidget | None) -> None:
        """The right part of the layout goes into this window; None: all of it is here again."""
        self._second = window
        self._alone = ""
        self._place()
        self.request_all()

    def place_again(self) -> None:
        self._place()

    def _place(self) -> None:
        here, there = halves(self._boxes) if self._second is not None else (self._boxes, ())
        self._lay(here, self)
        if self._second is not None:
            self._lay(there, self._second)
            self._second.update()
        self._documents.place(self._panes)
        self._mount.follow(self._panes)

    def _lay(self, boxes: Sequence[Any], host: QWidget) -> None:
        width, height = host.width() + GAP, host.height() + GAP
        alone = self._alone if any(b.pane_id == self._alone for b in boxes) else ""
        for box in boxes:
            left, top = round(box.x * width), round(box.y * height)
            right, bottom = round((box.x + box.w) * width), round((box.y + box.h) * height)
            pane = self._panes[box.pane_id]
            if pane.parentWidget() is not host:
                pane.setParent(host)
            pane.setVisible(alone in ("", box.pane_id))
            if alone == box.pane_id:
                pane.setGeometry(host.rect())
            else:
                pane.setGeometry(left, top, right - left - GAP, bottom - top - GAP - self._mount.height)

    def enlarge(self, pane_id: str) -> None:
        """A double click: this pane alone; empty: all of them again. Only the screen changes, not what is hung."""
        self._alone = pane_id
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()
        super().resizeEvent(event)

    def showEvent(self, event: QEvent) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self.request_all()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("black"))
        painter.end()

    def shut(self) -> None:
        self.cine.stop()
        self.flicker.stop()
        self._pool.shut()
