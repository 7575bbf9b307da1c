"""The panes over two monitors: the right part of the layout stands in a window of its own, of the same reading room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.ui.i18n import tr
from app.ui.theme import colour
from app.ui.widgets.paint import CENTRE, paint_text

if TYPE_CHECKING:
    from app.ui.reading.pane_grid import PaneGrid


def halves(boxes: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The boxes of the first and of the second monitor, each filling its own; all on the first where they cannot be parted.

    A box (x, y, w, h in parts of the whole) belongs where its middle lies.
    """
    right = [b for b in boxes if b.x + b.w / 2 >= 0.5 - 1e-6]
    left = [b for b in boxes if b not in right]
    cut = min((b.x for b in right), default=1.0)
    if not left or not right or any(b.x + b.w > cut + 1e-6 for b in left):
        return tuple(boxes), ()
    return (
        tuple(replace(b, x=b.x / cut, w=b.w / cut) for b in left),
        tuple(replace(b, x=(b.x - cut) / (1 - cut), w=b.w / (1 - cut)) for b in right),
    )


class SpreadWindow(QWidget):
    """Holds the panes that the grid gives it; keys go to the main window, as if it had them."""

    gone = Signal()

    def __init__(self, grid: PaneGrid, main: QWidget) -> None:
        super().__init__(main, Qt.WindowType.Window)
        self._grid, self._main = grid, main
        self.setWindowTitle("Ekinshi")
        self.setAccessibleName(tr("ui.key.spread_panes"))
        self.resize(1000, 800)
        grid.spread_to(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        QApplication.sendEvent(self._main, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._grid.place_again()
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._grid.request_all()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("black"))
        if not self._grid.is_spread:
            paint_text(painter, QRectF(self.rect()), tr("ui.reading.spread_empty"), "third", align=CENTRE)
        painter.end()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._grid.spread_to(None)
        self.gone.emit()
        self.deleteLater()
        super().closeEvent(event)
