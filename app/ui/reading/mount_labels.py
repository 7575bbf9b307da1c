"""The names of a full-mouth mount's places, under their films: by them a film is dragged to another place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRectF, Qt
from PySide6.QtGui import QDrag, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.session.views import Words
from app.ui.i18n import tr
from app.ui.reading.viewport import MIME_PANE, Viewport
from app.ui.theme import colour
from app.ui.widgets.paint import CENTRE, paint_text

if TYPE_CHECKING:
    from app.session.workstation import Workstation

HEIGHT = 22


class PlaceLabel(QWidget):
    def __init__(self, pane: Viewport) -> None:
        super().__init__(pane.parentWidget())
        self.pane = pane
        self._title, self._has_film, self._guessed = "", False, False
        self._down: QPoint | None = None

    def say(self, title: str, has_film: bool, guessed: bool) -> None:
        self._title, self._has_film, self._guessed = title, has_film, guessed
        self.setCursor(Qt.CursorShape.OpenHandCursor if has_film else Qt.CursorShape.ArrowCursor)
        guess = f"{tr('mount.guessed')}. " if guessed else ""
        self.setToolTip(guess + tr("ui.mount.drag") if has_film else "")
        self.setAccessibleName(f"{tr(Words(title))}, {tr('mount.guessed')}" if guessed else self.words())
        self.update()

    def words(self) -> str:
        name = tr(Words(self._title))
        if self._guessed:
            return f"{name} ?"
        return name if self._has_film else f"{name} \u00b7 {tr('mount.no_film')}"

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("black"))
        role = "waiting" if self._guessed else "text" if self._has_film else "third"
        paint_text(painter, QRectF(self.rect()).adjusted(4, 0, -4, 0), self.words(), role, align=CENTRE)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        self._down = event.position().toPoint() if left and self._has_film else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._down = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._down is None:
            return
        if (event.position().toPoint() - self._down).manhattanLength() < QApplication.startDragDistance():
            return
        self._down = None
        drag = QDrag(self)
        data = QMimeData()
        data.setData(MIME_PANE, self.pane.pane_id.encode())
        drag.setMimeData(data)
        drag.setPixmap(self.pane.grab().scaledToHeight(120, Qt.TransformationMode.SmoothTransformation))
        drag.exec(Qt.DropAction.MoveAction)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.say(self._title, self._has_film, self._guessed)
        super().changeEvent(event)


class MountLabels:
    """One label a pane while a mount hangs, none otherwise."""

    def __init__(self, workstation: Workstation) -> None:
        self._workstation = workstation
        self.labels: dict[str, PlaceLabel] = {}

    @property
    def height(self) -> int:
        """What the panes leave free below them."""
        mount = getattr(self._workstation.reading, "mount", None)
        return HEIGHT if mount is not None and mount.here else 0

    def follow(self, panes: Mapping[str, Viewport]) -> None:
        reading = self._workstation.reading
        mount = getattr(reading, "mount", None)
        here = mount is not None and mount.here
        for gone in [i for i, label in self.labels.items() if not here or panes.get(i) is not label.pane]:
            label = self.labels.pop(gone)
            label.hide()
            label.deleteLater()
            if panes.get(gone) is label.pane:
                label.pane.named = False
        if not here or reading is None:
            return
        for state in reading.room.panes():
            pane = panes.get(state.pane_id)
            if pane is None or not state.title:
                continue
            label = self.labels.get(state.pane_id) or self.labels.setdefault(state.pane_id, PlaceLabel(pane))
            label.say(state.title, bool(state.display_set_id), state.guessed)
            label.setGeometry(pane.x(), pane.y() + pane.height(), pane.width(), HEIGHT)
            label.setVisible(pane.isVisibleTo(pane.parentWidget()))
            pane.named = True

    def exchange(self, pane_id: str, from_pane: str) -> None:
        mount = getattr(self._workstation.reading, "mount", None)
        if mount is not None:
            mount.exchange(from_pane, pane_id)
