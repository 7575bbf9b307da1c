"""The left column of the tray."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.session.views import TrayView, Words
from app.ui.i18n import file_size, tr
from app.ui.tray.banner import target_title
from app.ui.widgets.boxes import Surface, clear, column, row
from app.ui.widgets.nav import NavRow
from app.ui.widgets.text import Text, heading, note

WIDTH = 220
FILTERS = (
    ("everything", "everything", "secondary"),
    ("needs_you", "needs_you", "bad"),
    ("queued", "queued", "secondary"),
    ("sending", "sending", "secondary"),
    ("sent", "sent", "secondary"),
    ("proven", "proven", "ok"),
)


class TrayFilters(Surface):
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "r", parent)
        self.setFixedWidth(WIDTH)
        self.filter = "everything"
        self.hidden_targets: frozenset[str] = frozenset()
        self._targets_shown: tuple[str, ...] = ()
        lay = column(self, (12, 12, 12, 16), 0)
        self._rows: dict[str, NavRow] = {}
        for number, (name, icon, role) in enumerate(FILTERS):
            made = NavRow(Words(f"ui.tray.filter.{name}"), icon, role)
            made.clicked.connect(lambda _=False, n=name: self._choose(n))
            self._rows[name] = made
            lay.addWidget(made)
            if number == 0:
                lay.addSpacing(20)
                out = heading(Words("ui.tray.out"))
                out.setContentsMargins(8, 0, 0, 6)
                lay.addWidget(out)
        lay.addSpacing(20)
        title = heading(Words("ui.tray.targets"))
        title.setContentsMargins(8, 0, 0, 6)
        lay.addWidget(title)
        self._targets = column()
        lay.addLayout(self._targets)
        lay.addStretch(1)
        size = row(margins=(8, 0, 8, 0))
        size.addWidget(note(Words("ui.tray.outbox")), 1)
        self._size = Text("", "small", "regular", "secondary", elide=False)
        size.addWidget(self._size)
        lay.addLayout(size)
        self._mark()

    def _choose(self, name: str) -> None:
        self.filter = name
        self._mark()
        self.changed.emit()

    def _tick(self, target: str, on: bool) -> None:
        self.hidden_targets = self.hidden_targets - {target} if on else self.hidden_targets | {target}
        self.changed.emit()

    def _mark(self) -> None:
        for name, made in self._rows.items():
            made.setChecked(name == self.filter)

    def show_view(self, view: TrayView) -> None:
        for name, made in self._rows.items():
            made.set_count(view.counts.get(name, 0))
        names = tuple(t.name for t in view.targets)
        if names != self._targets_shown:
            self._targets_shown = names
            clear(self._targets)
            for target in view.targets:
                tick = NavRow(target_title(target), "", ticks=True)
                tick.setChecked(target.name not in self.hidden_targets)
                tick.toggled.connect(lambda on, n=target.name: self._tick(n, on))
                self._targets.addWidget(tick)
        for number, target in enumerate(view.targets):
            widget = self._targets.itemAt(number).widget()
            if isinstance(widget, NavRow):
                widget.set_count(sum(target.counts.values()))
        self._size.say(" ".join(file_size(view.outbox_bytes)) if view.outbox_bytes else tr("ui.tray.outbox_empty"))
