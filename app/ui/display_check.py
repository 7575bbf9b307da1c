"""Display check: the pattern to look at, a bank card to measure the pixels with, the log of earlier looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QScreen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.session.display_desk import CARD_MM
from app.session.views import Words
from app.ui.display_measure import DisplayMeasure, line_words
from app.ui.i18n import tr
from app.ui.reading.viewport import bgra_image
from app.ui.theme import colour
from app.ui.widgets.boxes import VScroll, column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.paint import CENTRE, paint_text
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, heading, note
from app.viewer.gsdf import check_pattern

if TYPE_CHECKING:
    from app.session.display_desk import DisplayDesk

SHOWN_LINES = 6


def screen_name(screen: QScreen) -> str:
    size = screen.size() * screen.devicePixelRatio()
    parts = (screen.manufacturer(), screen.model(), screen.serialNumber(), f"{round(size.width())}x{round(size.height())}")
    return " ".join(p.strip() for p in parts if p.strip()) or screen.name()


class _Pattern(QWidget):
    """Grey levels exactly as computed: device pixels, no smoothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("ui.display.pattern"))

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        pixels = check_pattern(max(60, round(self.width() * ratio)), max(60, round(self.height() * ratio)))
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        painter.drawImage(QPointF(0, 0), bgra_image(pixels))
        painter.end()


class _Card(QWidget):
    """A card's outline whose width is dragged, or moved by the arrow keys, until it fits the real card."""

    def __init__(self, start_px: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.width_px = start_px
        self.setFixedHeight(250)
        self.setMinimumWidth(340)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setAccessibleName(tr("ui.display.card"))

    def _set(self, width: float) -> None:
        self.width_px = min(max(width, 120.0), float(self.width() - 8))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set(event.position().x() - 4)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus()
        self._set(event.position().x() - 4)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -0.5, Qt.Key.Key_Right: 0.5, Qt.Key.Key_Down: -10.0, Qt.Key.Key_Up: 10.0}
        if event.key() in steps:
            self._set(self.width_px + steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(4, 4, self.width_px, min(self.width_px / 1.586, self.height() - 8.0))
        painter.setPen(QPen(colour("text" if self.hasFocus() else "secondary"), 1))
        painter.setBrush(colour("raised"))
        painter.drawRoundedRect(box, 12, 12)
        paint_text(painter, box, tr("ui.display.card_text"), "secondary", align=CENTRE)
        painter.end()


class DisplayCheck(Sheet):
    def __init__(self, desk: DisplayDesk, parent: QWidget) -> None:
        super().__init__(Words("ui.display.title"), QSize(1500, 940), parent)
        self._desk = desk
        self._name = screen_name(self.screen())
        content = row(gap=20)
        content.setContentsMargins(20, 16, 20, 20)
        left = column(gap=10)
        left.addWidget(_Pattern(), 1)
        left.addWidget(Text(Words("ui.display.look"), "body", "regular", "secondary", wrap=True))
        say = row(gap=8)
        say.addStretch(1)
        seen = Button(Words("ui.display.all_seen"), OUTLINE, "check")
        missing = Button(Words("ui.display.not_seen"), OUTLINE, "x")
        seen.clicked.connect(lambda: self._checked(True))
        missing.clicked.connect(lambda: self._checked(False))
        say.addWidget(seen)
        say.addWidget(missing)
        left.addLayout(say)
        content.addLayout(left, 3)
        right = column(gap=10)
        right.addWidget(heading(Words("ui.display.size")))
        right.addWidget(Text(Words("ui.display.size_how"), "body", "regular", "secondary", wrap=True))
        known = desk.mm_per_px(self._name)
        ratio = self.devicePixelRatioF()
        dpi = self.screen().physicalDotsPerInch() or 96.0
        start = CARD_MM / known / ratio if known else CARD_MM / 25.4 * dpi / ratio
        self._card = _Card(min(max(start, 200.0), 540.0))
        right.addWidget(self._card)
        keep = row(gap=8)
        self._told = note("")
        keep.addWidget(self._told, 1)
        fits = Button(Words("ui.display.fits"), OUTLINE)
        fits.clicked.connect(self._fits)
        keep.addWidget(fits)
        right.addLayout(keep)
        right.addSpacing(12)
        right.addWidget(heading(Words("display.measure")))
        right.addWidget(Text(Words("display.measure_how"), "body", "regular", "secondary", wrap=True))
        measure = Button(Words("display.measure"), OUTLINE, "monitor")
        measure.clicked.connect(self._measure)
        right.addWidget(measure)
        right.addSpacing(12)
        right.addWidget(heading(Words("ui.display.log")))
        self._log = column(gap=4)
        right.addLayout(self._log)
        right.addStretch(1)
        side = QWidget()
        side.setLayout(right)
        content.addWidget(VScroll(side), 2)
        self.body.addLayout(content, 1)
        self._show()

    def _show(self) -> None:
        known = self._desk.mm_per_px(self._name)
        self._told.say(Words("ui.display.size_known", {"mm": f"{known:.4f}"}) if known else Words("ui.display.size_unknown"))
        while self._log.count():
            gone = self._log.takeAt(0).widget()
            if gone is not None:
                gone.deleteLater()
        looks = [
            (line.at, f"{line.at} · {tr('ui.display.passed' if line.passed else 'ui.display.failed')} · {line.screen}")
            for line in self._desk.log()
        ]
        lines = sorted([*looks, *((m.at, line_words(m)) for m in self._desk.measured.of())], reverse=True)[:SHOWN_LINES]
        for _, text in lines:
            self._log.addWidget(Text(text, "small", "regular", "secondary", wrap=True))
        if not lines:
            self._log.addWidget(note(Words("ui.display.no_log")))

    def _checked(self, passed: bool) -> None:
        self._desk.checked(self._name, passed)
        self._show()

    def _measure(self) -> None:
        sheet = DisplayMeasure(self._desk.measured, self._name, self.parentWidget())
        sheet.closed.connect(sheet.deleteLater)
        sheet.closed.connect(self._show)
        sheet.open()

    def _fits(self) -> None:
        self._desk.set_card_width(self._name, self._card.width_px * self.devicePixelRatioF())
        self._show()
