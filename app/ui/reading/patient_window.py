"""The second window, turned to the patient: the active pane's picture alone, without other people's lists and without AI.

It shows what the reader has in the active pane, enlarged, with the marks that are the reader's own and no corner texts but
the side letters. The picture is its own: in the pane's, the maps of a second reader are part of the pixels. Nothing can be
changed in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QImage, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.i18n import tr
from app.ui.reading.paint_primitives import paint_primitives
from app.ui.reading.viewport import bgra_image
from app.ui.theme import colour
from app.viewer.primitives import Role

if TYPE_CHECKING:
    from app.ui.reading.pane_grid import PaneGrid

BEAT_MS = 200
_LETTERS = frozenset({"edge_left", "edge_right", "edge_top", "edge_bottom", "laterality"})


class PatientWindow(QWidget):
    gone = Signal()

    def __init__(self, panes: PaneGrid, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self._panes = panes
        self._seen: object = None
        """The pane's picture that the last one was asked for with."""
        self._picture: object = None
        self._image: QImage | None = None
        self.setWindowTitle("Ekinshi")
        self.setAccessibleName(tr("ui.key.patient_window"))
        self.resize(1000, 800)
        self._beat = QTimer(self)
        self._beat.setInterval(BEAT_MS)
        self._beat.timeout.connect(self._follow)
        panes.patient_picture.connect(self._show)

    def begin(self) -> None:
        """Follows the active pane from now on."""
        self._follow()
        self._beat.start()

    def _follow(self) -> None:
        pane = self._panes.active_pane()
        seen = pane.picture if pane is not None else None
        if seen is not self._seen:
            self._seen = seen
            self._panes.ask_for_patient()

    def _show(self, picture: object) -> None:
        self._picture = picture
        pixels = getattr(picture, "pixels", None)
        self._image = bgra_image(pixels) if pixels is not None else None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("black"))
        if self._image is not None:
            factor = min(self.width() / self._image.width(), self.height() / self._image.height())
            left = (self.width() - self._image.width() * factor) / 2
            top = (self.height() - self._image.height() * factor) / 2
            painter.translate(QPointF(left, top))
            painter.scale(factor, factor)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(0, 0, self._image.width(), self._image.height()), self._image)
            drawn = getattr(self._picture, "decorations", ())
            paint_primitives(painter, tuple(p for p in drawn if _shown(p)))
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._beat.stop()
        self._panes.patient_picture.disconnect(self._show)
        self.gone.emit()
        self.deleteLater()
        super().closeEvent(event)


def _shown(primitive: object) -> bool:
    """Side letters and the reader's own marks; nothing that names anybody, nothing of a second reader."""
    key = getattr(primitive, "key", "")
    return key in _LETTERS or getattr(primitive, "role", None) is Role.MINE
