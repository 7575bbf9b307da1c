"""The bar that every screen shares: where one is, whose picture it is, what waits to be sent, who sits here."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QMenu, QSizePolicy, QWidget

from app.domain.messages import available_languages
from app.session.views import NOTHING, Words
from app.ui.i18n import NATIVE_NAMES, language, tr
from app.ui.icons import paint_icon, paint_logo
from app.ui.theme import colour, font
from app.ui.widgets.boxes import Line, row
from app.ui.widgets.buttons import QUIET, TOOL, Button, show_menu
from app.ui.widgets.paint import CENTRE, paint_focus, paint_text, rounded, text_width
from app.ui.widgets.text import Text, coloured

HEIGHT = 48
LEFT_COLUMN = 220
NARROW = 1720
SMALL = 1100
TIGHT = 1400
"""Large text or a small screen: only what names the patient and what waits keeps its words."""


class _Logo(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(LEFT_COLUMN, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_logo(painter, 18, 16)
        if self.width() > 100:
            paint_text(painter, QRectF(48, 0, 160, HEIGHT), "Ekinshi", "text", "title", "semibold")
        painter.end()


class Tab(QAbstractButton):
    """A screen; a count beside it when something there waits."""

    def __init__(self, words: Words, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = words
        self._count = 0
        self._margin = 16
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setFixedHeight(HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._retranslate()

    def set_count(self, count: int) -> None:
        if count != self._count:
            self._count = count
            self._retranslate()

    def set_margin(self, margin: int) -> None:
        """Of the word to both sides."""
        if margin != self._margin:
            self._margin = margin
            self.updateGeometry()
            self.update()

    def _retranslate(self) -> None:
        self.setText(tr(self._words))
        self.setAccessibleName(f"{self.text()} {self._count}" if self._count else self.text())
        self.updateGeometry()
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        width = text_width(self.text(), font("body", "medium")) + 2 * self._margin
        if self._count:
            width += 8 + self._badge()
        return QSize(round(width), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _badge(self) -> float:
        return max(20.0, text_width(str(self._count), font("small", "semibold")) + 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        on = self.isChecked()
        lit = on or self.underMouse()
        role = "disabled" if not self.isEnabled() else "text" if lit else "secondary"
        text = text_width(self.text(), font("body", "medium"))
        paint_text(painter, QRectF(self._margin, 0, text + 2, HEIGHT), self.text(), role, "body", "medium")
        if self._count:
            box = QRectF(self._margin + text + 8, (HEIGHT - 18) / 2, self._badge(), 18)
            rounded(painter, box, "on", None, 4)
            paint_text(painter, box, str(self._count), "text", "small", "semibold", CENTRE)
        if on:
            painter.fillRect(QRectF(self._margin, HEIGHT - 2, self.width() - 2 * self._margin, 2), colour("text"))
        if self.hasFocus():
            paint_focus(painter, QRectF(self.rect()).adjusted(4, 6, -4, -6))
        painter.end()


class _Person(QWidget):
    """Initials in a disc, and the name."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFixedHeight(HEIGHT)
        self.set_narrow(False)

    def set_narrow(self, narrow: bool) -> None:
        """Initials alone, so that the patient's name keeps its room."""
        self.setFixedWidth(30 if narrow else round(36 + text_width(self._name, font("body", "medium"))) + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("line"))
        painter.drawEllipse(QRectF(0, 10, 28, 28))
        initials = "".join(part[0] for part in reversed(self._name.split()[:2])).upper()
        paint_text(painter, QRectF(0, 10, 28, 28), initials, "text", "small", "semibold", CENTRE)
        paint_text(painter, QRectF(36, 0, self.width() - 36, HEIGHT), self._name, "text", "body", "medium")
        painter.end()


class _Queue(QWidget):
    """A cloud and what waits."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = "cloud-arrow-up"
        self._narrow = self._tight = False
        self._state: tuple[int, int, bool] | None = None
        lay = row(self, (0, 0, 0, 0), 8)
        lay.addSpacing(28)
        self._text = Text("", rich=True)
        lay.addWidget(self._text)
        self.setFixedHeight(HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_narrow(self, narrow: bool) -> None:
        if narrow != self._narrow:
            self._narrow = narrow
            if self._state is not None:
                self.show_state(*self._state)

    def set_tight(self, tight: bool) -> None:
        """Where nothing waits, the icon alone says so."""
        self._tight = tight
        quiet = self._state is None or not (self._state[0] or self._state[2])
        self._text.setVisible(not (tight and quiet))
        self.setToolTip(tr("ui.top.nothing_queued") if tight and quiet else "")
        self.setAccessibleName(self._text.text())

    def show_state(self, waiting: int, proven: int, down: bool) -> None:
        self._icon = "cloud-slash" if down else "cloud-arrow-up"
        queued = tr("ui.top.queued", n=waiting) if waiting else tr("ui.top.nothing_queued")
        self._state = (waiting, proven, down)
        html = coloured(queued, "text" if down else "secondary", "medium" if down else "regular")
        if proven and not self._narrow:
            html += coloured(" · ", "third") + coloured(
                tr("ui.top.proven_today", n=proven), "secondary" if down else "text", "medium"
            )
        self._text.say(html)
        self.set_tight(self._tight)
        self.update()

    def mouseReleaseEvent(self, event: object) -> None:
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_icon(painter, self._icon, 0, (HEIGHT - 20) // 2, "secondary")
        painter.end()


class TopBar(QWidget):
    chosen = Signal(str)
    language_chosen = Signal(str)
    keys_wanted = Signal()
    settings_wanted = Signal()

    def __init__(self, screens: Sequence[tuple[str, Words]], person: str, demo: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        lay = row(self, (0, 0, 16, 0), 0)
        self._logo = _Logo()
        lay.addWidget(self._logo)
        self._tabs: dict[str, Tab] = {}
        for name, words in screens:
            tab = Tab(words)
            tab.clicked.connect(lambda _=False, n=name: self.chosen.emit(n))
            self._tabs[name] = tab
            lay.addWidget(tab)
        lay.addSpacing(12)
        self._demo = _DemoChip()
        lay.addWidget(self._demo)
        self._demo.setVisible(demo)
        self._rule = Line(vertical=True, length=20)
        lay.addSpacing(16)
        lay.addWidget(self._rule)
        lay.addSpacing(20)
        self._patient = Text("", "body", "semibold", elide=False)
        self._facts = Text("", "body", "regular", "secondary")
        lay.addWidget(self._patient)
        lay.addSpacing(12)
        lay.addWidget(self._facts)
        lay.addStretch(1)
        self._queue = _Queue()
        self._queue.clicked.connect(lambda: self.chosen.emit("tray"))
        lay.addWidget(self._queue)
        lay.addSpacing(16)
        lay.addWidget(Line(vertical=True, length=20))
        lay.addSpacing(8)
        self._language = Button(language().upper(), QUIET, "globe", tip=Words("ui.top.language"))
        self._language.clicked.connect(self._offer_languages)
        lay.addWidget(self._language)
        keys = Button(NOTHING, TOOL, "keyboard", tip=Words("ui.top.keys"), key="F1")
        keys.clicked.connect(self.keys_wanted)
        lay.addWidget(keys)
        settings = Button(NOTHING, TOOL, "sliders-horizontal", tip=Words("ui.key.settings"), key="Ctrl+,")
        settings.clicked.connect(self.settings_wanted)
        lay.addWidget(settings)
        lay.addSpacing(12)
        self._person = _Person(person)
        lay.addWidget(self._person)
        self.show_patient("", "")

    def tab(self, name: str) -> Tab:
        return self._tabs[name]

    def show_screen(self, name: str) -> None:
        self._tabs[name].setChecked(True)

    def show_patient(self, name: str, facts: str) -> None:
        for widget in (self._rule, self._patient, self._facts):
            widget.setVisible(bool(name))
        self._patient.say(name)
        self._facts.say(facts)
        self._fit()

    def show_queue(self, waiting: int, proven: int, down: bool) -> None:
        self._queue.show_state(waiting, proven, down)
        self._tabs["tray"].set_count(waiting)

    def show_language(self) -> None:
        self._language.say(language().upper())

    def language_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for code in available_languages():
            action = menu.addAction(NATIVE_NAMES.get(code, code.upper()))
            action.triggered.connect(lambda _=False, c=code: self.language_chosen.emit(c))
        return menu

    def _offer_languages(self) -> None:
        show_menu(self._language, self.language_menu())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()
        super().resizeEvent(event)

    def _fit(self) -> None:
        narrow = self.width() < NARROW and bool(self._patient.text())
        self._person.set_narrow(narrow or self.width() < TIGHT)
        self._queue.set_narrow(narrow)
        tight = self.width() < TIGHT and bool(self._patient.text())
        self._queue.set_tight(tight)
        self._logo.setFixedWidth(52 if self.width() < SMALL else 120 if tight else LEFT_COLUMN)
        for tab in self._tabs.values():
            tab.set_margin(8 if self.width() < SMALL else 16)
        self._facts.setToolTip(self._facts.text())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, HEIGHT - 1, self.width(), 1, colour("line"))
        painter.end()


class _DemoChip(QWidget):
    """Stands on every screen of a demonstration library."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(round(text_width(tr("ui.demonstration"), font("small", "semibold"))) + 20, HEIGHT)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.updateGeometry()
            self.update()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(0, 12, self.width(), 24)
        rounded(painter, box, "bad_wash", "bad", 4)
        paint_text(painter, box, tr("ui.demonstration"), "text", "small", "semibold", CENTRE)
        painter.end()
