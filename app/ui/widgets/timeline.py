"""A column of moments with a thread between them: the patient's AI history, the steps of a proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.session.views import HistoryEntry, ProofStep, Words
from app.ui.i18n import tr
from app.ui.icons import paint_icon
from app.ui.theme import colour, font
from app.ui.widgets.paint import RIGHT, paint_text, text_width


@dataclass(frozen=True)
class Moment:
    """One entry; ``state`` and ``detail`` are the second and third line."""

    title: Words | str
    when: str
    beside: str = ""
    icon: str = ""
    state: Words | str = ""
    detail: Words | str = ""
    role: str = "secondary"
    current: bool = False
    key: str = ""
    dot: str = "control_edge"
    filled: bool = False


def of_history(entries: Sequence[HistoryEntry]) -> tuple[Moment, ...]:
    return tuple(
        Moment(
            e.title,
            e.date,
            e.site,
            e.icon,
            e.state,
            e.detail,
            e.role,
            e.current,
            e.study_instance_uid,
            filled=e.current,
            dot="text" if e.current else "control_edge",
        )
        for e in entries
    )


def of_proof(steps: Sequence[ProofStep]) -> tuple[Moment, ...]:
    return tuple(
        Moment(
            s.title,
            s.at,
            detail=s.detail,
            dot="ok" if s.role == "ok" else "text" if s.role == "text" else "control_edge" if s.role != "bad" else "bad",
            filled=s.role in ("ok", "text"),
            current=s.role in ("ok", "text"),
        )
        for s in steps
    )


def _say(words: Words | str) -> str:
    return tr(words) if isinstance(words, Words) else words


class Timeline(QWidget):
    """``compact`` leaves out the site and the third line (the strip of the reading room)."""

    opened = Signal(str)

    def __init__(self, *, compact: bool = False, pitch: int = 80, left: int = 12, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._compact, self._pitch, self._left = compact, pitch, left
        self._moments: tuple[Moment, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_moments(self, moments: Sequence[Moment]) -> None:
        if tuple(moments) == self._moments:
            return
        self._moments = tuple(moments)
        self.setAccessibleName("; ".join(f"{m.when} {_say(m.title)} {_say(m.state)}" for m in moments))
        clickable = any(m.key and not m.current for m in moments)
        self.setCursor(Qt.CursorShape.PointingHandCursor if clickable else Qt.CursorShape.ArrowCursor)
        self.setFixedHeight(self._height())
        self.updateGeometry()
        self.update()

    def _lines(self, moment: Moment) -> int:
        if self._compact:
            return 2
        return 1 + bool(_say(moment.state)) + bool(_say(moment.detail))

    def _height(self) -> int:
        if not self._moments:
            return 0
        return self._pitch * (len(self._moments) - 1) + 4 + 18 * self._lines(self._moments[-1])

    def sizeHint(self) -> QSize:
        return QSize(200, self._height())

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.update()
        super().changeEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = int(event.position().y() // self._pitch)
        if 0 <= at < len(self._moments) and self._moments[at].key:
            self.opened.emit(self._moments[at].key)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centre = self._left - 4.0
        for i, moment in enumerate(self._moments):
            top = i * self._pitch
            if i + 1 < len(self._moments):
                painter.setPen(QPen(colour("line"), 1))
                painter.drawLine(QPointF(centre, top + 18), QPointF(centre, top + self._pitch + 1))
            self._paint_dot(painter, centre, top + 10.0, moment)
            self._paint_moment(painter, top, moment)
        painter.end()

    def _paint_dot(self, painter: QPainter, x: float, y: float, moment: Moment) -> None:
        if moment.filled:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour(moment.dot))
            painter.drawEllipse(QPointF(x, y), 5.5, 5.5)
        else:
            painter.setPen(QPen(colour(moment.dot), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, y), 4.5, 4.5)

    def _paint_moment(self, painter: QPainter, top: int, moment: Moment) -> None:
        left = self._left + 12.0
        room = self.width() - left
        taken = paint_text(
            painter, QRectF(left, top, room, 20), moment.when, "secondary", "small" if self._compact else "body", align=RIGHT
        )
        room -= taken + 10
        title = _say(moment.title)
        weight = "medium" if self._compact else "semibold"
        bright = "text" if moment.current or not self._compact else "secondary"
        used = paint_text(painter, QRectF(left, top, room, 20), title, bright, "body", weight)
        if moment.beside and not self._compact:
            paint_text(painter, QRectF(left + used + 8, top, room - used - 8, 20), moment.beside, "third", "body")
        y = top + 20.0
        state = _say(moment.state)
        if state:
            shift = 0.0
            if moment.icon:
                paint_icon(painter, moment.icon, left, y + 2, moment.role, 16)
                shift = 22
            size = "small" if self._compact else "body"
            paint_text(
                painter,
                QRectF(left + shift, y, self.width() - left - shift, 20),
                state,
                "secondary" if self._compact else "text",
                size,
            )
            y += 18
        detail = _say(moment.detail)
        if detail and not self._compact:
            paint_text(painter, QRectF(left, y, self.width() - left, 18), detail, "third", "small")

    def minimumSizeHint(self) -> QSize:
        return QSize(round(text_width("00.00.0000", font("small"))) + 60, self._height())
