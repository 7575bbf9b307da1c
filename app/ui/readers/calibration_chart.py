"""How often marks of a band were true: one bar a band with its 95 % interval, against the diagonal."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.domain.model_card import CalibrationBand
from app.session.cards import interval_of_100
from app.ui.i18n import number, tr
from app.ui.theme import colour
from app.ui.widgets.paint import line, paint_text

LEFT, BOTTOM, TOP = 34, 22, 10


class CalibrationChart(QWidget):
    """x: the probability that stands beside a mark, y: true of a hundred marks."""

    def __init__(self, bands: Sequence[CalibrationBand], height: int = 190, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bands = tuple(bands)
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(" · ".join(_said(b) for b in self._bands))

    def sizeHint(self) -> QSize:
        return QSize(320, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(LEFT, TOP, self.width() - LEFT - 8, self.height() - TOP - BOTTOM)

        def at(x: float, y: float) -> QPointF:
            return QPointF(area.left() + x * area.width(), area.bottom() - y / 100 * area.height())

        for percent in (0, 25, 50, 75, 100):
            line(painter, at(0, percent), at(1, percent))
            box = QRectF(0, at(0, percent).y() - 9, LEFT - 8, 18)
            paint_text(painter, box, str(percent), "third", "small", align=Qt.AlignmentFlag.AlignRight)
        for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
            box = QRectF(at(share, 0).x() - 20, area.bottom() + 3, 40, 18)
            paint_text(painter, box, number(share, 1), "third", "small", align=Qt.AlignmentFlag.AlignHCenter)
        pen = QPen(colour("edge"), 1.0, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawLine(at(0, 0), at(1, 100))
        for band in self._bands:
            if not band.n:
                continue
            low, high = interval_of_100(band)
            x0, x1 = at(band.low, 0).x() + 2, at(band.high, 0).x() - 2
            spread = QRectF(QPointF(x0, at(0, high).y()), QPointF(x1, at(0, low).y()))
            painter.fillRect(spread, colour("ai_wash"))
            painter.setPen(QPen(colour("ai_line"), 2.0))
            y = at(0, 100 * band.true / band.n).y()
            painter.drawLine(QPointF(x0, y), QPointF(x1, y))
        painter.end()


def _said(band: CalibrationBand) -> str:
    return tr("readers.band_said", low=number(band.low, 2), high=number(band.high, 2), true=band.true, n=band.n)
