"""The images that go with the report."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.domain.report import KeyImage, Origin
from app.session.views import Words
from app.ui.i18n import tr
from app.ui.theme import colour
from app.ui.widgets.boxes import Surface, VScroll, clear, column, row
from app.ui.widgets.paint import RIGHT, badge_width, clip_rounded, paint_badge, paint_text
from app.ui.widgets.text import heading, note
from app.ui.worklist.table import fitted

WIDTH = 248
ORIGIN_ROLE = {Origin.MINE: "mine", Origin.AI_ACCEPTED: "ai_line", Origin.BOTH: "mine"}


class _Picture(QWidget):
    """224 x 148 and its caption; a click leads to the finding in the images."""

    chosen = Signal(str)

    def __init__(self, image: KeyImage, origin: Origin, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = image
        self._origin = origin
        self._pixels = QImage.fromData(image.png) if image.png else QImage()
        self.setFixedSize(224, 172)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName(f"{image.number} {image.caption}")

    def sizeHint(self) -> QSize:
        return QSize(224, 172)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit(self._image.finding_id)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(0, 0, 224, 148)
        painter.save()
        clip_rounded(painter, box, 4)
        painter.fillRect(box, colour("black"))
        if not self._pixels.isNull():
            painter.drawImage(fitted(self._pixels, box, cover=True), self._pixels)
        painter.restore()
        if self.underMouse():
            painter.setPen(QPen(colour("control_edge"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        number = str(self._image.number)
        plate = QRectF(0, 153, badge_width(number), 18)
        role = ORIGIN_ROLE.get(self._origin, "text")
        paint_badge(painter, plate, number, role, role)
        left = plate.right() + 8
        frame = tr("ui.report.image", n=self._image.frame + 1) if self._image.frame else ""
        room = (138 if frame else 224) - left
        paint_text(painter, QRectF(left, 152, room, 20), self._image.caption, "text", "body", "medium")
        paint_text(painter, QRectF(142, 152, 82, 20), frame, "third", "body", align=RIGHT)
        painter.end()


class KeyImages(Surface):
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "r", parent)
        self.setFixedWidth(WIDTH)
        self._shown: tuple[object, ...] = ()
        body = QWidget()
        lay = column(body, (12, 14, 11, 12), 12)
        top = row()
        top.addWidget(heading(Words("ui.report.key_images")), 1)
        self._count = note("")
        top.addWidget(self._count)
        lay.addLayout(top)
        self._list = column(gap=12)
        lay.addLayout(self._list)
        self._empty = note(Words("ui.report.no_key_images"), wrap=True)
        lay.addWidget(self._empty)
        lay.addStretch(1)
        outer = column(self, (0, 0, 1, 0))
        outer.addWidget(VScroll(body))

    def show_images(self, images: Sequence[KeyImage], origins: dict[str, Origin]) -> None:
        shown = (tuple(images), tuple(sorted(origins.items())))
        self._count.say(tr("ui.report.go_with", n=len(images)) if images else "")
        self._empty.setVisible(not images)
        if shown == self._shown:
            return
        self._shown = shown
        clear(self._list)
        for image in images:
            made = _Picture(image, origins.get(image.finding_id, Origin.TEXT))
            made.chosen.connect(self.chosen)
            self._list.addWidget(made)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._shown = ()
        super().changeEvent(event)
