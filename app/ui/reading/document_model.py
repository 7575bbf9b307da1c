"""A surface model in a pane: dragged it turns, the wheel zooms, the arrow keys turn too. Pictures are made beside."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from app.domain.document import Surface
from app.domain.problem import Problem, ProblemError
from app.ui.i18n import number, tr, tr_problem
from app.ui.reading.paint_primitives import paint_primitives
from app.ui.reading.render_pool import RenderPool
from app.ui.theme import colour
from app.ui.widgets.paint import paint_text
from app.viewer.decorations import Style
from app.viewer.model_view import (
    ModelLook,
    ModelPicture,
    axes_primitives,
    render_model,
    size_mm,
    turned_model,
)

_SETTLE_MS = 140
_KEY_STEP = 10.0 / 180.0
_ZOOM_STEP = 1.15


class ModelView(QAbstractScrollArea):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.look = ModelLook()
        self._surface: Surface | None = None
        self._picture: ModelPicture | None = None
        self._problem: Problem | None = None
        self._at: QPointF | None = None
        self._pool = RenderPool(self)
        self._pool.ready.connect(self._came)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(lambda: self._ask(False))

    def show_surface(self, surface: Surface) -> None:
        self._surface, self._picture, self._problem = surface, None, None
        self.look = ModelLook()
        self._move()

    def busy(self) -> bool:
        return self._settle.isActive() or not self._pool.idle()

    def _size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(1, round(self.viewport().width() * ratio)), max(1, round(self.viewport().height() * ratio))

    def _move(self) -> None:
        self._ask(True)
        self._settle.start()

    def _ask(self, moving: bool) -> None:
        surface, look, size = self._surface, self.look, self._size()
        if surface is None:
            return

        def make() -> ModelPicture | Problem:
            try:
                return render_model(surface, look, size, moving)
            except ProblemError as error:
                return error.problem

        self._pool.request("model", make)

    def _came(self, _name: str, made: object) -> None:
        if isinstance(made, Problem):
            self._problem = made
        elif isinstance(made, ModelPicture):
            self._picture, self._problem = made, None
        self.viewport().update()

    def words(self) -> tuple[str, ...]:
        """What is told below the picture."""
        if self._surface is None:
            return ()
        size = size_mm(self._surface)
        lines = [
            tr("document.model.no_unit")
            if size is None
            else tr("document.model.size", x=number(size[0]), y=number(size[1]), z=number(size[2]))
        ]
        picture = self._picture
        if picture is not None and picture.shown < picture.made:
            lines.append(tr("viewer.surface.fewer", shown=picture.shown, made=picture.made))
        return tuple(lines)

    # what is painted

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), colour("black"))
        picture = self._picture
        ratio = self.devicePixelRatioF()
        if picture is not None:
            h, w = picture.pixels.shape[:2]
            image = QImage(picture.pixels.data, w, h, 3 * w, QImage.Format.Format_RGB888)
            painter.drawImage(self.viewport().rect(), image)
            painter.save()
            painter.scale(1 / ratio, 1 / ratio)
            paint_primitives(painter, axes_primitives(self.look, self._size(), Style(ratio)))
            painter.restore()
        lines = (tr_problem(self._problem),) if self._problem is not None else self.words()
        for n, line in enumerate(reversed(lines)):
            box = QRectF(12, self.viewport().height() - 30 - 18 * n, max(10, self.viewport().width() - 110), 20)
            paint_text(painter, box, line, "secondary")
        painter.end()

    # gestures

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._at = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._at is None:
            return
        by = event.position() - self._at
        self._at = event.position()
        x, y = by.x() / max(1, self.viewport().width()), by.y() / max(1, self.viewport().height())
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.look = turned_model(self.look, x, y)
        else:
            self.look = replace(self.look, pan=(self.look.pan[0] + x, self.look.pan[1] + y))
        self._move()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._at = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._zoom(_ZOOM_STEP ** (event.angleDelta().y() / 120))
        event.accept()

    def _zoom(self, by: float) -> None:
        self.look = replace(self.look, zoom=min(max(self.look.zoom * by, 0.2), 40.0))
        self._move()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (-_KEY_STEP, 0.0),
            Qt.Key.Key_Right: (_KEY_STEP, 0.0),
            Qt.Key.Key_Up: (0.0, -_KEY_STEP),
            Qt.Key.Key_Down: (0.0, _KEY_STEP),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is not None:
            self.look = turned_model(self.look, *step)
            self._move()
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            self._zoom(_ZOOM_STEP if event.key() == Qt.Key.Key_Plus else 1 / _ZOOM_STEP)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._surface is not None:
            self._move()
