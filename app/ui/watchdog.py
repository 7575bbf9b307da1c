"""How long the event loop was held: a beat that notes every gap. For measuring and for tests; not part of the window."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 5


class Watchdog(QObject):
    """``longest_ms`` of anything that kept the main thread from its events since ``start``."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._last = 0.0
        self._last_cpu = 0.0
        self.gaps_ms: list[tuple[float, float]] = []
        """(wall, this thread's own computing) of every gap above two beats: a busy machine lengthens the first only."""

    def start(self) -> None:
        self.gaps_ms.clear()
        self._last, self._last_cpu = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    @property
    def longest_ms(self) -> float:
        return max((wall for wall, _ in self.gaps_ms), default=0.0)

    @property
    def longest_own_ms(self) -> float:
        """Of the main thread's own computing in one gap: what blocks on any machine, however idle."""
        return max((own for _, own in self.gaps_ms), default=0.0)

    def _beat(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        wall, own = (now - self._last) * 1000.0, (cpu - self._last_cpu) * 1000.0
        if wall > 2 * BEAT_MS:
            self.gaps_ms.append((wall, own))
        self._last, self._last_cpu = now, cpu
