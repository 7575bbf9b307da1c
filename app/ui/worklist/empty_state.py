"""What a person sees on the first day: where to drop, three ways in, in their own language."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.domain.messages import available_languages
from app.session.views import Words
from app.ui.i18n import NATIVE_NAMES, language, tr
from app.ui.icons import paint_icon
from app.ui.theme import colour, space
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.buttons import LINK, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import CENTRE, paint_focus, paint_key_cap, paint_text, rounded
from app.ui.widgets.segments import Segments
from app.ui.widgets.text import Text, note

COLUMN = 872


class DropZone(QWidget):
    """The place to drop; it lights up while something hangs over the window. A click asks for files."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._over = False
        self.setMinimumHeight(220)
        self.setMaximumHeight(320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._name()

    def _name(self) -> None:
        self.setAccessibleName(tr("ui.empty.drop"))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._name()
            self.update()
        super().changeEvent(event)

    def set_over(self, over: bool) -> None:
        self._over = over
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(colour("panel" if self._over else "ground"))
        pen = QPen(colour("text" if self._over or self.hasFocus() else "control_edge"), 1)
        pen.setDashPattern([6, 5])
        painter.setPen(pen)
        painter.drawRoundedRect(box, space("corner"), space("corner"))
        middle, top = box.center().x(), box.center().y() - 80
        painter.setPen(QPen(colour("line"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QRectF(middle - 32, top, 64, 64))
        paint_icon(painter, "tray-arrow-down", middle - 14, top + 18, "text", 28)
        wide = box.adjusted(16, 0, -16, 0)
        for shift, height, text, role, size, weight in (
            (80, 28, "ui.empty.drop", "text", "large", "semibold"),
            (114, 22, "ui.empty.drop_what", "secondary", "body", "regular"),
            (138, 22, "ui.empty.drop_safe", "third", "body", "regular"),
        ):
            area = QRectF(wide.left(), top + shift, wide.width(), height)
            paint_text(painter, area, tr(text), role, size, weight, CENTRE)
        painter.end()


class WayIn(Card):
    """A card that does one thing when clicked; its key stands in the corner."""

    clicked = Signal()

    def __init__(
        self, icon: str, title: Words, first: Words, second: Words, key: str, parent: QWidget | None = None
    ) -> None:
        super().__init__("panel", "line", parent)
        self._key, self._title = key, title
        self.setFixedHeight(128)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        lay = column(self, (16, 16, 16, 16), 6)
        top = row(gap=8)
        top.addWidget(Glyph(icon))
        top.addWidget(Text(title, "title", "semibold"), 1)
        top.addSpacing(24)
        lay.addLayout(top)
        lay.addSpacing(4)
        lay.addWidget(Text(first, "body", "regular", "secondary", wrap=True))
        lay.addWidget(note(second, wrap=True))
        lay.addStretch(1)
        self._name()

    def _name(self) -> None:
        self.setAccessibleName(tr(self._title))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._name()
        super().changeEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space):
            self.clicked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rounded(painter, QRectF(self.rect()), "raised" if self.underMouse() else "panel", "line")
        paint_key_cap(painter, self.width() - 36, 26, self._key)
        if self.hasFocus():
            paint_focus(painter, QRectF(self.rect()))
        painter.end()


class EmptyState(QWidget):
    files_wanted = Signal()
    folder_wanted = Signal()
    samples_wanted = Signal()
    keys_wanted = Signal()
    language_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        lay = row(self, (24, 0, 24, 0), 0)
        lay.addStretch(1)
        middle = QWidget()
        middle.setMaximumWidth(COLUMN)
        middle.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        lay.addWidget(middle, 1000)
        lay.addStretch(1)
        inner = column(middle, gap=0)
        inner.addStretch(2)
        top = row(gap=12)
        words = column(gap=4)
        words.addWidget(Text(Words("ui.empty.title"), "display", "semibold"))
        words.addWidget(Text(Words("ui.empty.safe"), "title", "regular", "secondary", wrap=True))
        top.addLayout(words, 1)
        top.addWidget(Glyph("globe"))
        self._languages = Segments(
            [(c, NATIVE_NAMES.get(c, c)) for c in available_languages()],
            language(),
            name=Words("ui.top.language"),
            stretch=False,
        )
        self._languages.chosen.connect(lambda code: self.language_chosen.emit(str(code)))
        top.addWidget(self._languages)
        inner.addLayout(top)
        inner.addSpacing(24)
        self.drop = DropZone()
        self.drop.clicked.connect(self.files_wanted)
        inner.addWidget(self.drop, 10)
        inner.addSpacing(16)
        cards = row(gap=16)
        folder = WayIn(
            "folder-open", Words("ui.empty.folder"), Words("ui.empty.folder_from"), Words("ui.empty.folder_drag"), "O"
        )
        folder.clicked.connect(self.folder_wanted)
        samples = WayIn(
            "images", Words("ui.empty.samples"), Words("ui.empty.samples_what"), Words("ui.empty.samples_marked"), "S"
        )
        samples.clicked.connect(self.samples_wanted)
        cards.addWidget(folder, 1)
        cards.addWidget(samples, 1)
        inner.addLayout(cards)
        inner.addSpacing(24)
        links = row(gap=10)
        links.addStretch(1)
        links.addWidget(note(Words("ui.empty.new_here")))
        keys = Button(Words("ui.empty.all_keys"), LINK)
        keys.clicked.connect(self.keys_wanted)
        links.addWidget(keys)
        links.addWidget(_Cap("F1"))
        links.addStretch(1)
        inner.addLayout(links)
        inner.addStretch(3)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._languages.set_value(language())
        super().changeEvent(event)


class _Cap(QWidget):
    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self.setFixedSize(28, 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_key_cap(painter, 0, 11, self._key)
        painter.end()
