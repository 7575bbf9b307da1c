"""The walk through the quadrants of a mammogram: where it stands and what was seen; shown while a mammogram is active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.session.views import NOTHING, Words
from app.ui.i18n import tr
from app.ui.shortcuts import key_of
from app.ui.widgets.boxes import row
from app.ui.widgets.buttons import QUIET, TOOL, Button

if TYPE_CHECKING:
    from app.session.workstation import Workstation


class QuadrantButtons(QWidget):
    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        lay = row(self, gap=0)
        tip = Words("ui.quadrant.tip")
        self.back = Button(
            NOTHING, TOOL, "caret-left", tip=Words("ui.key.previous_quadrant"), key=key_of("reading", "previous_quadrant")
        )
        self.walk = Button(Words("ui.quadrant.walk"), QUIET, "crosshair", tip=tip, key=key_of("reading", "next_quadrant"))
        for button, command in ((self.back, "previous_quadrant"), (self.walk, "next_quadrant")):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, c=command: self._command(c))
            lay.addWidget(button)
        self.hide()

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        self.setVisible(reading.quadrants.possible())
        if not self.isVisibleTo(self.parentWidget()):
            return
        at = reading.quadrants.view()
        seen = tr("ui.quadrant.all_seen") if at.complete else tr("ui.quadrant.seen", seen=at.seen, all=at.of)
        if at.number:
            place = "ui.quadrant.at_part" if at.parts > 1 else "ui.quadrant.at"
            words = tr(place, n=at.number, part=at.part, parts=at.parts)
            self.walk.say(f"{words} \u00b7 {seen}", icon="check" if at.complete else "crosshair")
        else:
            words = tr("ui.quadrant.walk")
            self.walk.say(f"{words} \u00b7 {seen}" if at.seen else words, icon="check" if at.complete else "crosshair")
        name = f"{tr(at.name)}. " if at.name is not None else ""
        self.walk.setToolTip(f"{name}{tr('ui.quadrant.tip')}  ({key_of('reading', 'next_quadrant')})")
        self.back.setVisible(at.number > 0)

    def _command(self, name: str) -> None:
        if self._workstation.reading is not None:
            self._workstation.reading.command(name)
        self.refresh()
