"""The beat of a flicker comparison; it runs only while a pane asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from app.session.workstation import Workstation

BEAT_MS = 600


class FlickerTimer(QTimer):
    def __init__(self, workstation: Workstation, parent: QObject) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self.setInterval(BEAT_MS)
        self.timeout.connect(self._beat)

    def follow(self) -> None:
        reading = self._workstation.reading
        wanted = reading is not None and reading.room.flickers()
        if wanted != self.isActive():
            if wanted:
                self.start()
            else:
                self.stop()

    def _beat(self) -> None:
        reading = self._workstation.reading
        if reading is None or not reading.room.flickers():
            self.stop()
        else:
            reading.room.flicker()
