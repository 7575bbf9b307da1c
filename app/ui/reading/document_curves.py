"""Curves on millimetre paper: 25 mm/s; 10 mm/mV where the unit is a voltage, else each channel's own range."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from app.domain.document import Channel, DocumentLine, WaveformGroup
from app.ui.i18n import figure, tr
from app.ui.theme import colour, font
from app.ui.widgets.paint import paint_text

MM_PER_SECOND = 25.0
MM_PER_MILLIVOLT = 10.0
_TO_MILLIVOLT = {"mV": 1.0, "uV": 1e-3, "V": 1e3, "nV": 1e-6}
_LANE_MM = 26.0
_HEAD = 26
_LEFT = 64


def lane_scale(channel: Channel) -> tuple[float, float, str]:
    """(millimetres per unit, value in the lane's middle, words of the scale)."""
    factor = _TO_MILLIVOLT.get(channel.unit)
    if factor is not None:
        return MM_PER_MILLIVOLT * factor, 0.0, tr("ui.document.mm_mv", n=f"{MM_PER_MILLIVOLT:g}")
    finite = channel.values[np.isfinite(channel.values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    span = high - low or 1.0
    return (_LANE_MM - 4) / span, (low + high) / 2, figure(f"{low:.4g} … {high:.4g} {channel.unit}".strip())


class CurvesView(QAbstractScrollArea):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._groups: tuple[WaveformGroup, ...] = ()
        self._notes: tuple[DocumentLine, ...] = ()
        self.setFrameShape(QFrame.Shape.NoFrame)
        for bar in (self.horizontalScrollBar(), self.verticalScrollBar()):
            bar.valueChanged.connect(lambda _v: self.viewport().update())

    def show_groups(self, groups: Sequence[WaveformGroup], notes: Sequence[DocumentLine] = ()) -> None:
        self._groups, self._notes = tuple(groups), tuple(notes[:12])
        self._fit()

    def _px_per_mm(self) -> float:
        return max(2.0, self.logicalDpiX() / 25.4)

    def _fit(self) -> None:
        mm = self._px_per_mm()
        seconds = max((g.seconds for g in self._groups), default=0.0)
        lanes = sum(len(g.channels) for g in self._groups)
        wide = _LEFT + seconds * MM_PER_SECOND * mm + 20
        tall = lanes * _LANE_MM * mm + len(self._groups) * _HEAD + 18 * len(self._notes) + 20
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setPageStep(self.viewport().width())
        across.setSingleStep(40)
        across.setRange(0, max(0, math.ceil(wide - self.viewport().width())))
        down.setPageStep(self.viewport().height())
        down.setSingleStep(40)
        down.setRange(0, max(0, math.ceil(tall - self.viewport().height())))
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.viewport().rect(), colour("ground"))
        mm = self._px_per_mm()
        x0 = _LEFT - self.horizontalScrollBar().value()
        y = -float(self.verticalScrollBar().value())
        for line in self._notes:
            words = f"{line.label}  {line.value}".strip()
            paint_text(painter, QRectF(14, y + 6, self.viewport().width() - 28, 16), words, "secondary", "small")
            y += 18
        for group in self._groups:
            head = tr("ui.document.group", label=group.label, rate=figure(f"{group.hertz:g}"), n=len(group.channels))
            scale = tr("ui.document.mm_s", n=f"{MM_PER_SECOND:g}")
            paint_text(
                painter, QRectF(14, y + 4, self.viewport().width() - 28, 18), f"{head} · {scale}", "secondary", "small"
            )
            y += _HEAD
            for channel in group.channels:
                height = _LANE_MM * mm
                if y + height > 0 and y < self.viewport().height():
                    self._lane(painter, channel, group.hertz, QRectF(0, y, self.viewport().width(), height), x0, mm)
                y += height
        painter.end()

    def _lane(self, painter: QPainter, channel: Channel, hertz: float, box: QRectF, x0: float, mm: float) -> None:
        painter.save()
        painter.setClipRect(box)
        for step, role in ((1, "fine_line"), (5, "line")):
            painter.setPen(QPen(colour(role), 1))
            pitch = step * mm
            first = x0 + math.ceil((box.left() - x0) / pitch) * pitch
            for n in range(int((box.right() - first) / pitch) + 1):
                x = round(first + n * pitch) + 0.5
                if x >= _LEFT:
                    painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
            for n in range(int(box.height() / pitch) + 1):
                at = round(box.top() + n * pitch) + 0.5
                painter.drawLine(QPointF(_LEFT, at), QPointF(box.right(), at))
        mm_per_unit, middle, words = lane_scale(channel)
        if hertz > 0 and len(channel.values):
            per_sample = MM_PER_SECOND * mm / hertz
            first = max(0, int((_LEFT - x0) / per_sample) - 1)
            last = min(len(channel.values), int((box.right() - x0) / per_sample) + 2)
            painter.setClipRect(box.adjusted(_LEFT, 0, 0, 0))
            painter.setPen(QPen(colour("text"), 1.2))
            self._curve(painter, channel, first, last, x0, per_sample, box.center().y(), mm_per_unit * mm, middle)
        painter.setClipRect(box)
        painter.fillRect(QRectF(0, box.top(), _LEFT, box.height()), colour("panel"))
        painter.setFont(font("small"))
        paint_text(painter, QRectF(10, box.center().y() - 18, _LEFT - 14, 18), channel.name, "text", "small", "semibold")
        paint_text(painter, QRectF(10, box.center().y(), _LEFT - 14, 18), channel.unit, "third", "small")
        paint_text(painter, QRectF(_LEFT + 8, box.top() + 2, 220, 16), words, "third", "small")
        painter.restore()

    @staticmethod
    def _curve(
        painter: QPainter,
        channel: Channel,
        first: int,
        last: int,
        x0: float,
        per_sample: float,
        base: float,
        px_per_unit: float,
        middle: float,
    ) -> None:
        """Gaps where nothing was recorded; many samples a pixel are drawn by their extremes."""
        values = channel.values[first:last]
        step = max(1, int(0.5 / per_sample)) if per_sample < 0.5 else 1
        points: list[QPointF] = []
        for at in range(0, len(values), step):
            part = values[at : at + step]
            part = part[np.isfinite(part)]
            if not part.size:
                if len(points) > 1:
                    painter.drawPolyline(QPolygonF(points))
                points = []
                continue
            x = x0 + (first + at) * per_sample
            ends = (float(part[0]),) if step == 1 else (float(part.min()), float(part.max()))
            points += [QPointF(x, base - (value - middle) * px_per_unit) for value in ends]
        if len(points) > 1:
            painter.drawPolyline(QPolygonF(points))
