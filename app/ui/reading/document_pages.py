"""Pages of a PDF one below the other, drawn as they come into sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from app.ui.i18n import tr
from app.ui.pictures import to_image
from app.ui.theme import colour
from app.ui.widgets.paint import CENTRE, paint_text

_GAP = 12
_WIDEST = 1100


class PagesView(QAbstractScrollArea):
    """``page(number, width in device pixels)`` gives (h, w, 3) RGB, or None while it is being drawn."""

    def __init__(self, page: Callable[[int, int], Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._page = page
        self._sizes: tuple[tuple[float, float], ...] = ()
        self._images: dict[tuple[int, int], QImage] = {}
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().valueChanged.connect(lambda _v: self.viewport().update())

    def show_pages(self, sizes: Sequence[tuple[float, float]]) -> None:
        self._sizes = tuple(sizes)
        self._images.clear()
        self.verticalScrollBar().setValue(0)
        self._fit()

    def pages_came(self) -> None:
        self.viewport().update()

    def _boxes(self) -> list[QRectF]:
        width = min(self.viewport().width() - 2 * _GAP, _WIDEST)
        left = (self.viewport().width() - width) / 2
        boxes, y = [], float(_GAP)
        for w, h in self._sizes:
            height = width * h / max(w, 1.0)
            boxes.append(QRectF(left, y, width, height))
            y += height + _GAP
        return boxes

    def _fit(self) -> None:
        boxes = self._boxes()
        total = boxes[-1].bottom() + _GAP if boxes else 0
        bar = self.verticalScrollBar()
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(60)
        bar.setRange(0, max(0, round(total - self.viewport().height())))
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.viewport().rect(), colour("ground"))
        at = self.verticalScrollBar().value()
        seen = QRectF(0, at, self.viewport().width(), self.viewport().height())
        width_px = 0
        for number, box in enumerate(self._boxes()):
            if not box.intersects(seen):
                continue
            shown = box.translated(0, -at)
            painter.fillRect(shown, colour("white"))
            width_px = round(box.width() * self.devicePixelRatioF())
            image = self._image(number, width_px)
            if image is not None:
                painter.drawImage(shown, image)
            else:
                painter.fillRect(shown, colour("raised"))
                paint_text(painter, shown, tr("ui.document.page", n=number + 1), "third", align=CENTRE)
        painter.end()

    def _image(self, number: int, width_px: int) -> QImage | None:
        known = self._images.get((number, width_px))
        if known is None:
            pixels = self._page(number, width_px)
            if pixels is None:
                return None
            known = self._images[(number, width_px)] = to_image(pixels)
            while len(self._images) > 12:
                self._images.pop(next(iter(self._images)))
        return known
