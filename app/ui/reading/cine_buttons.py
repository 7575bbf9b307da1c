"""Play and pause, with speed and order behind a caret; shown while the active pane has frames to play."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from app.session.views import NOTHING, Words
from app.ui.i18n import tr
from app.ui.shortcuts import key_of
from app.ui.widgets.boxes import row
from app.ui.widgets.buttons import QUIET, TOOL, Button, show_menu

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_MENU = ("cine_slower", "cine_faster", "cine_stated_rate", "cine_sweep")


class CineButtons(QWidget):
    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        lay = row(self, gap=0)
        self.play = Button(
            NOTHING, TOOL, "play", tip=Words("ui.cine.play"), key=key_of("reading", "cine_play"), checkable=True
        )
        self.play.clicked.connect(lambda: self._command("cine_play"))
        self.how = Button(NOTHING, QUIET, caret=True, tip=Words("ui.cine.how"))
        # A click must not leave the focus there: Space plays, it does not open the menu again.
        self.how.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.how.clicked.connect(lambda: show_menu(self.how, self.menu()))
        lay.addWidget(self.play)
        lay.addWidget(self.how)
        self.hide()

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        room = reading.room
        info = room.cine.info(room.pane(room.active))
        self.setVisible(room.cine.can_play(room.active))
        playing = room.cine.is_playing(room.active)
        self.play.setChecked(playing)
        self.play.say(NOTHING, icon="pause" if playing else "play")
        self.play.setToolTip(tr("ui.cine.pause" if playing else "ui.cine.play") + f"  ({key_of('reading', 'cine_play')})")
        digits = 0 if info is None or info.rate >= 10 else 1
        self.how.say("" if info is None else tr("viewer.cine.rate", rate=f"{info.rate:.{digits}f}"))

    def menu(self) -> QMenu:
        menu = QMenu(self)
        reading = self._workstation.reading
        if reading is None:
            return menu
        info = reading.room.cine.info(reading.room.pane(reading.room.active))
        for name in _MENU:
            title = tr("ui.cine.stated_rate") if name == "cine_stated_rate" else tr(f"ui.key.{name}")
            key = key_of("reading", name)
            action = menu.addAction(title + (f"\t{key}" if key else ""))
            if name == "cine_sweep":
                action.setCheckable(True)
                action.setChecked(info is not None and info.sweep)
            action.triggered.connect(lambda _=False, n=name: self._command(n))
        if reading.room.content.angio.can_subtract(reading.room.display_set(reading.room.pane(reading.room.active))):
            menu.addSeparator()
            key = key_of("reading", "subtract")
            action = menu.addAction(tr("ui.key.subtract") + f"\t{key}")
            action.setCheckable(True)
            action.setChecked(reading.room.subtracts())
            action.triggered.connect(lambda: self._command("subtract"))
        return menu

    def _command(self, name: str) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.command(name)
        self.refresh()
