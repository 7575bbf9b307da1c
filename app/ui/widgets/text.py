"""One line or paragraph of text with a role, a size and a language of its own."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.session.views import Words
from app.ui.i18n import tr
from app.ui.theme import colour, font


class Text(QLabel):
    """``words`` are retranslated by themselves; plain strings stay. A single line elides and then shows itself as tip."""

    def __init__(
        self,
        words: Words | str = "",
        size: str = "body",
        weight: str = "regular",
        role: str = "text",
        *,
        wrap: bool = False,
        rich: bool = False,
        elide: bool = True,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._words: Words | str = words
        self._role = role
        self._elide = elide and not wrap and not rich
        self._tip = False
        self.setFont(font(size, weight))
        self.setWordWrap(wrap)
        self.setTextFormat(Qt.TextFormat.RichText if rich else Qt.TextFormat.PlainText)
        self.setAlignment(align | Qt.AlignmentFlag.AlignVCenter)
        if wrap:
            policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
            policy.setHeightForWidth(True)
            self.setSizePolicy(policy)
            self.setAlignment(align | Qt.AlignmentFlag.AlignTop)
        elif self._elide:
            self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._dress()
        self.say(words)

    def say(self, words: Words | str, role: str | None = None) -> None:
        self._words = words
        if role is not None and role != self._role:
            self._role = role
            self._dress()
        text = tr(words) if isinstance(words, Words) else words
        if text != self.text():
            self.setText(text)

    def wear_again(self) -> None:
        """Another appearance of the program: the role has another colour."""
        self._dress()

    def _dress(self) -> None:
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, colour(self._role))
        self.setPalette(palette)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange and isinstance(self._words, Words):
            self.setText(tr(self._words))
        super().changeEvent(event)

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), 24), hint.height()) if self._elide else hint

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._elide:
            super().paintEvent(event)
            return
        painter = QPainter(self)
        metrics = self.fontMetrics()
        text = self.text()
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, self.contentsRect().width())
        if (shown != text) != self._tip:
            self._tip = shown != text
            self.setToolTip(text if self._tip else "")
        painter.setFont(self.font())
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        painter.drawText(self.contentsRect(), int(self.alignment()), shown)
        painter.end()


def heading(words: Words | str) -> Text:
    """Small heading of a group."""
    return Text(words, "small", "semibold", "secondary")


def note(words: Words | str, *, wrap: bool = False) -> Text:
    return Text(words, "small", "regular", "third", wrap=wrap)


def coloured(text: str, role: str, weight: str = "regular") -> str:
    """A span for rich ``Text``; the text is escaped."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    heavy = {"regular": 400, "medium": 500, "semibold": 600}[weight]
    return f'<span style="color:{colour(role).name()};font-weight:{heavy}">{safe}</span>'
