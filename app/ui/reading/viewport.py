"""One pane: paints the newest picture and its decorations, turns gestures into pointer events. It decides nothing itself."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from app.ui.i18n import tr, tr_problem
from app.ui.icons import paint_icon
from app.ui.reading.paint_primitives import paint_primitives
from app.ui.theme import colour, on_images
from app.ui.widgets.paint import CENTRE, paint_progress, paint_text
from app.viewer.tool_api import Button, PointerEvent

NOTCH = 120
"""Qt's angle of one click of a wheel; a trackpad sends parts of it."""
_ARM, _GAP = 14.0, 4.0
"""Of the keyboard's cross."""
SETTLE_MS = 140
"""After the last step of a gesture the full picture is asked for."""
MIME_SET = "application/x-ekinshi-display-set"
MIME_PANE = "application/x-ekinshi-pane"

_BUTTONS = {
    Qt.MouseButton.LeftButton: Button.LEFT,
    Qt.MouseButton.MiddleButton: Button.MIDDLE,
    Qt.MouseButton.RightButton: Button.RIGHT,
}


def bgra_image(pixels: Any) -> QImage:
    """A view on (h, w) grey or (h, w, 4) B, G, R, 255; the caller keeps the array alive."""
    height, width = pixels.shape[:2]
    form = QImage.Format.Format_Grayscale8 if pixels.ndim == 2 else QImage.Format.Format_RGB32
    return QImage(pixels.data, width, height, pixels.strides[0], form)


def paint_cross(painter: QPainter, at: tuple[float, float]) -> None:
    """Four arms with an open middle, light on dark, so that it is seen on any image."""
    x, y = at
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for role, width in (("black", 3.0), ("text", 1.2)):
        painter.setPen(QPen(on_images(role), width))
        for dx, dy in ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)):
            painter.drawLine(QPointF(x + dx * _GAP, y + dy * _GAP), QPointF(x + dx * _ARM, y + dy * _ARM))
    painter.setBrush(on_images("text"))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawEllipse(QRectF(x - 0.8, y - 0.8, 1.6, 1.6))


class Viewport(QWidget):
    """``wanted`` asks for a new picture (True: a draft is enough)."""

    wanted = Signal(str, bool)
    pointed = Signal(str, str, object)
    """Pane id, kind (press, drag, release, hover, wheel, double), ``PointerEvent`` in device pixels."""
    set_dropped = Signal(str, str)
    film_dropped = Signal(str, str)
    """This pane, and the one that the film was dragged from."""

    def __init__(self, pane_id: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pane_id = pane_id
        self.active = False
        self.named = False
        """Something over the pane says already what belongs here."""
        self.cross: tuple[float, float] | None = None
        """Where the keyboard points, in pixels of the widget."""
        self._picture: Any = None
        self._image: QImage | None = None
        self._down = Button.NONE
        self._turned = 0
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setMinimumSize(64, 64)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(lambda: self.wanted.emit(self.pane_id, False))

    # what is shown

    def device_size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))

    def show_picture(self, picture: Any) -> None:
        """A picture that is still loading keeps the previous image on the screen only for the same pane content."""
        self._picture = picture
        if getattr(picture, "draft", False) and not self.in_gesture:
            self._settle.start()  # a coarse first picture: the fine one is asked for when the hand rests
        self._image = bgra_image(picture.pixels) if picture.pixels is not None else None
        self.setAccessibleName(self._spoken())
        self.update()

    @property
    def picture(self) -> Any:
        return self._picture

    def _spoken(self) -> str:
        texts = [p.text for p in self._picture.decorations if getattr(p, "key", "") in _SPOKEN and hasattr(p, "text")]
        return ", ".join(texts) or tr("ui.reading.pane")

    def set_active(self, active: bool) -> None:
        if active != self.active:
            self.active = active
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ratio = self.devicePixelRatioF()
        width, height = self.device_size()
        covers = self._image is not None and (self._image.width(), self._image.height()) == (width, height)
        if not covers or ratio != 1.0:
            painter.fillRect(self.rect(), colour("black"))
        if self._image is not None:
            painter.save()
            painter.scale(1 / ratio, 1 / ratio)
            if covers:
                painter.drawImage(QPointF(0, 0), self._image)
            else:
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(QRectF(0, 0, width, height), self._image)
            paint_primitives(painter, self._picture.decorations)
            painter.restore()
        elif self._picture is not None:
            self._paint_without_image(painter)
        if self.active:
            painter.setPen(QPen(colour("secondary"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))
        if self.cross is not None:
            paint_cross(painter, self.cross)
        painter.end()

    def _paint_without_image(self, painter: QPainter) -> None:
        box = QRectF(self.rect()).adjusted(24, 0, -24, 0)
        middle = box.center().y()
        problem = self._picture.problem
        if problem is not None:
            paint_icon(painter, "warning-circle", box.center().x() - 10, middle - 40, "bad")
            painter.setPen(colour("text"))
            flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
            painter.drawText(QRectF(box.left(), middle - 10, box.width(), 160), flags, tr_problem(problem))
        elif self._picture.loading:
            fraction = self._picture.fraction
            text = tr("ui.reading.loading", percent=round(fraction * 100))
            paint_text(painter, QRectF(box.left(), middle - 28, box.width(), 20), text, "secondary", align=CENTRE)
            width = min(200.0, box.width())
            paint_progress(painter, QRectF(box.center().x() - width / 2, middle, width, 4), fraction)
        elif not self.named:
            paint_text(
                painter, QRectF(box.left(), middle - 10, box.width(), 20), tr("ui.reading.empty_pane"), "third", align=CENTRE
            )

    # gestures

    def _event(self, event: Any, button: Button, wheel: float = 0.0) -> PointerEvent:
        ratio = self.devicePixelRatioF()
        at, keys = event.position(), event.modifiers()
        return PointerEvent(
            at.x() * ratio,
            at.y() * ratio,
            button,
            wheel,
            bool(keys & Qt.KeyboardModifier.ShiftModifier),
            bool(keys & Qt.KeyboardModifier.ControlModifier),
            bool(keys & Qt.KeyboardModifier.AltModifier),
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus()
        self._down = _BUTTONS.get(event.button(), Button.NONE)
        self.pointed.emit(self.pane_id, "press", self._event(event, self._down))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        kind = "hover" if self._down is Button.NONE else "drag"
        self.pointed.emit(self.pane_id, kind, self._event(event, self._down))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        button, self._down = self._down, Button.NONE
        self.pointed.emit(self.pane_id, "release", self._event(event, button))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.pointed.emit(self.pane_id, "double", self._event(event, _BUTTONS.get(event.button(), Button.NONE)))

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta().y() or event.angleDelta().x()
        if delta * self._turned < 0:
            self._turned = 0  # the other way round: what was left of the first turn does not count
        self._turned += delta
        notches = int(self._turned / NOTCH)
        if notches:
            self._turned -= notches * NOTCH
            self.pointed.emit(self.pane_id, "wheel", self._event(event, Button.NONE, float(notches)))
        event.accept()

    def draft(self) -> None:
        """The view changed under a gesture: a quick picture now, the full one when the hand rests."""
        self.wanted.emit(self.pane_id, True)
        self._settle.start()

    @property
    def in_gesture(self) -> bool:
        return self._down is not Button.NONE

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.wanted.emit(self.pane_id, False)
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.wanted.emit(self.pane_id, False)
        super().changeEvent(event)

    # a series dragged from the strip

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(MIME_SET) or event.mimeData().hasFormat(MIME_PANE):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if event.mimeData().hasFormat(MIME_PANE):
            event.acceptProposedAction()
            self.film_dropped.emit(self.pane_id, bytes(event.mimeData().data(MIME_PANE).data()).decode())
            return
        name = bytes(event.mimeData().data(MIME_SET).data()).decode()
        event.acceptProposedAction()
        self.set_dropped.emit(self.pane_id, name)


_SPOKEN = {"identity", "patient_id", "laterality", "study_date", "plane", "position"}
