"""What the cards of findings are made of: badge, crops, sizes, the bar of a hundred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.session.views import FindingCard, Words
from app.ui.i18n import figure, tr
from app.ui.i18n import unit as unit_words
from app.ui.pictures import to_image
from app.ui.theme import colour, font
from app.ui.widgets.boxes import column, row
from app.ui.widgets.paint import badge_width, clip_rounded, paint_badge, paint_text, text_width
from app.ui.widgets.text import Text, note
from app.ui.worklist.table import fitted

_TITLE_ROOM = 250


class Badge(QWidget):
    """1, 2... in the reader's colour; A1, A2... in AI's, dashed while unanswered."""

    def __init__(self, text: str, role: str, *, dashed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._role, self._dashed = text, role, dashed
        self.setFixedSize(round(max(20.0, badge_width(text))) if len(text) > 1 else 20, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_badge(painter, QRectF(self.rect()), self._text, self._role, self._role, dashed=self._dashed)
        painter.end()


class Crop(QWidget):
    """A square piece of the image around a finding."""

    def __init__(self, size: int = 96, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self.setFixedSize(size, size)

    def show_pixels(self, pixels: npt.NDArray[np.uint8] | None) -> None:
        self._image = to_image(pixels) if pixels is not None else None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect())
        clip_rounded(painter, box, 4)
        painter.fillRect(box, colour("black"))
        if self._image is not None:
            painter.drawImage(fitted(self._image, box, cover=True), self._image)
        painter.end()


class Sizes(QWidget):
    """Measured values in two columns: what, then number and unit."""

    def __init__(self, sizes: Sequence[tuple[Words, str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        for number, (what, value, unit) in enumerate(sizes):
            cell = column(gap=0)
            cell.addWidget(note(what))
            cell.addWidget(Figure(value, unit))
            grid.addLayout(cell, number // 2, number % 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)


class Figure(QWidget):
    """A number with its unit in a lighter weight."""

    def __init__(self, value: str, unit: str, size: str = "title", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value, self._unit, self._size = figure(value), unit_words(unit), size
        self.setFixedHeight(22 if size == "title" else 26)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{self._value} {self._unit}")

    def sizeHint(self) -> QSize:
        width = text_width(self._value, font(self._size, "semibold")) + 6 + text_width(self._unit, font("body"))
        return QSize(round(width), self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        taken = paint_text(painter, box, self._value, "text", self._size, "semibold")
        paint_text(painter, box.adjusted(taken + 5, 1, 0, 1), self._unit, "secondary", "body")
        painter.end()


class HundredBar(QWidget):
    """A hundred marks in four rows of 25; as many lit as were true."""

    def __init__(self, lit: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lit = lit
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._name()

    def _name(self) -> None:
        self.setAccessibleName(tr("ui.finding.of_100", n=self._lit))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._name()
            self.update()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        words = tr("ui.finding.of_100_short")
        room = text_width(words, font("body")) + text_width("100", font("title", "semibold")) + 22
        step = (self.width() - room) / 25
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # Column by column, so that the lit part grows to the right like a bar.
        for number in range(100):
            x, y = (number // 4) * step, 2 + (number % 4) * 6
            painter.setBrush(colour("ai_line" if number < self._lit else "edge"))
            painter.drawRoundedRect(QRectF(x, y, max(step - 2, 2), 4), 1, 1)
        right = QRectF(25 * step, 0, self.width() - 25 * step, 26)
        unit = paint_text(painter, right, words, "secondary", "body", align=Qt.AlignmentFlag.AlignRight)
        paint_text(
            painter,
            right.adjusted(0, 0, -unit - 6, 0),
            str(self._lit),
            "text",
            "title",
            "semibold",
            Qt.AlignmentFlag.AlignRight,
        )
        painter.end()


def short_size(card: FindingCard) -> str:
    """The first measurement in one piece."""
    if not card.sizes:
        return ""
    _, value, unit = card.sizes[0]
    return f"{figure(value)} {unit_words(unit)}".strip()


def one_line(card: FindingCard) -> str:
    return " · ".join(t for t in (tr(card.region), short_size(card)) if t)


def header(card: FindingCard, role: str, *, dashed: bool = False, beside: Words | str = "", size: str = "title") -> QWidget:
    """Badge, title, a quiet word at the right."""
    made = QWidget()
    lay = row(made, gap=8)
    lay.addWidget(Badge(card.badge, role, dashed=dashed))
    title = Text(card.title, size, "semibold")
    lay.addWidget(title)
    if beside:
        # The title keeps its words as long as they fit; the quiet word at the right is elided first.
        title.setMinimumWidth(min(title.sizeHint().width(), _TITLE_ROOM))
        said = note(beside)
        said.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        lay.addWidget(said, 1)
    else:
        lay.addStretch(1)
    return made
