"""The state of the line in one sentence, and a card a target."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.domain.outbox import OutboxState
from app.session.views import TargetView, TrayView, Words
from app.ui.i18n import tr, tr_problem
from app.ui.theme import colour
from app.ui.widgets.boxes import Card, Surface, clear, column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text, note

BANNER = 72
CARD = 124

_KINDS = {"folder": "hard-drives", "dicomweb": "cloud", "fhir": "cloud", "dimse": "hard-drives", "usb": "usb"}
_ORDER = (
    OutboxState.VERIFIED, OutboxState.SENDING, OutboxState.ACCEPTED, OutboxState.QUEUED, OutboxState.WAITING,
    OutboxState.AUTH, OutboxState.CONFLICT, OutboxState.REFUSED,
)  # fmt: skip


def target_title(target: TargetView) -> str:
    """The site's own name for it, else what kind of storage it is."""
    kind = target.kind if target.kind in ("folder", "dicomweb") else "other"
    return target.title or tr(f"ui.tray.kind.{kind}")


class Banner(Surface):
    try_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "b", parent)
        self._down = False
        self.setFixedHeight(BANNER)
        lay = row(self, (18, 0, 16, 0), 14)
        self._icon = Glyph("cloud-check", "ok", 24)
        words = column(gap=2)
        words.addStretch(1)
        self._title = Text("", "large", "semibold")
        self._detail = Text("", "body", "regular", "secondary")
        words.addWidget(self._title)
        words.addWidget(self._detail)
        words.addStretch(1)
        self._try = Button(Words("ui.tray.try_now"), OUTLINE, "arrow-clockwise")
        self._try.clicked.connect(self.try_wanted)
        lay.addWidget(self._icon)
        lay.addLayout(words, 1)
        lay.addWidget(self._try)

    def show_view(self, view: TrayView) -> None:
        self._down = bool(view.line_down_since)
        self._icon.show_icon("cloud-slash" if self._down else "cloud-check", "text" if self._down else "ok")
        if self._down:
            self._title.say(tr("ui.tray.line_down", time=view.line_down_since, n=view.waiting))
            self._detail.say(Words("ui.tray.line_down_detail"))
        elif view.waiting:
            self._title.say(tr("ui.tray.on_the_way", n=view.waiting))
            self._detail.say(Words("ui.tray.on_the_way_detail"))
        else:
            self._title.say(Words("ui.tray.nothing_waits"))
            self._detail.say(
                tr("ui.top.proven_today", n=view.proven_today) if view.proven_today else Words("ui.tray.nothing_detail")
            )
        self._try.setVisible(view.waiting > 0)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._down:
            painter = QPainter(self)
            painter.fillRect(0, 0, 2, self.height(), colour("text"))
            painter.end()


class TargetCard(Card):
    def __init__(self, target: TargetView, parent: QWidget | None = None) -> None:
        super().__init__("panel", "line", parent=parent)
        self.setMinimumHeight(CARD)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        lay = column(self, (12, 10, 12, 10), 4)
        top = row(gap=8)
        top.addWidget(Glyph(_KINDS.get(target.kind, "cloud"), "secondary"))
        top.addWidget(Text(target_title(target), "body", "semibold"), 1)
        icon, role, words = self._state(target)
        top.addWidget(Glyph(icon, role, 16))
        top.addWidget(Text(Words(words), "body", "medium", role if role != "secondary" else "secondary", elide=False))
        lay.addLayout(top)
        lay.addWidget(note(target.detail))
        lay.addSpacing(2)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        counts = [tr(f"ui.tray.count.{s.value}", n=target.counts[s]) for s in _ORDER if target.counts.get(s)]
        grid.addWidget(Text(Words("ui.tray.holds"), "body", "regular", "third", elide=False), 0, 0)
        grid.addWidget(Text(" · ".join(counts) or tr("ui.tray.count.none"), "body"), 0, 1)
        if target.last_problem is not None:
            grid.addWidget(Text(Words("ui.tray.last"), "body", "regular", "third", elide=False), 1, 0)
            grid.addWidget(Text(tr_problem(target.last_problem), "body", "regular", "secondary"), 1, 1)
        grid.setColumnStretch(1, 1)
        lay.addLayout(grid)
        lay.addStretch(1)

    @staticmethod
    def _state(target: TargetView) -> tuple[str, str, str]:
        if target.up is None:
            return ("circle-dashed", "secondary", "ui.tray.not_tried")
        return ("check", "ok", "ui.tray.up") if target.up else ("cloud-slash", "bad", "ui.tray.down")


class TargetCards(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[TargetView, ...] = ()
        self._lay = row(self, (16, 10, 16, 10), 12)

    def show_targets(self, targets: tuple[TargetView, ...]) -> None:
        if targets == self._shown:
            return
        self._shown = targets
        clear(self._lay)
        for target in targets:
            self._lay.addWidget(TargetCard(target), 1)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._shown = ()
        super().changeEvent(event)
