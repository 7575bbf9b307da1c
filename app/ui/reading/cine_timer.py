"""The clock of the panes that play: asks the session which ones moved and wants their pictures. It never waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_SHORTEST_MS, _LONGEST_MS = 5, 40


class CineTimer(QObject):
    def __init__(self, workstation: Workstation, request: Callable[[str, bool], None], parent: QObject) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._request = request
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)

    @property
    def running(self) -> bool:
        return self._timer.isActive()

    def follow(self) -> None:
        """Runs while a pane plays, at twice the highest rate; stops with the last of them."""
        reading = self._workstation.reading
        rate = reading.room.cine.rate if reading is not None else 0.0
        if rate <= 0:
            self._timer.stop()
            return
        period = min(max(int(500 / rate), _SHORTEST_MS), _LONGEST_MS)
        if not self._timer.isActive() or self._timer.interval() != period:
            self._timer.start(period)

    def tick(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            self._timer.stop()
            return
        cine = reading.room.cine
        for pane_id in cine.tick():
            self._request(pane_id, cine.behind(pane_id))
        if not cine.playing:
            self._timer.stop()

    def painted(self, pane_id: str, picture: Any) -> None:
        reading = self._workstation.reading
        resolved = getattr(picture, "resolved", None)
        if reading is not None and resolved is not None and self._timer.isActive():
            reading.room.cine.painted(pane_id, resolved.view.frame_index)

    def holds(self, picture: Any) -> bool:
        """A frame that is still being decoded must not blank a pane while frames follow each other."""
        return self._timer.isActive() and bool(getattr(picture, "loading", False))

    def stop(self) -> None:
        self._timer.stop()
