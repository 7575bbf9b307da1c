"""How long the event loop was held: a beat that notes every gap. For measuring and for tests; not part of the window."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from types import FrameType

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 5
_LOOK_S = 0.01
_FRAMES = 9
_LOOKS = 4
_IDLE = ("threading.py", "queue.py", "selectors.py", "thread.py", "connection.py", "subprocess.py")


@dataclass(frozen=True)
class Gap:
    """One stretch without a beat."""

    wall_ms: float
    """By the clock: a busy machine lengthens it."""
    own_ms: float
    """Of the main thread's own computing: what blocks on any machine, however idle."""
    stacks: str = ""
    """Where the threads at work were while the gap lasted, when that was asked for."""


class Watchdog(QObject):
    """``longest_ms`` of anything that kept the main thread from its events since ``start``."""

    def __init__(self, stacks_over_ms: float = 0.0, parent: QObject | None = None) -> None:
        """``stacks_over_ms``: in a gap longer than this a thread notes where all threads are. 0: never."""
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._last = 0.0
        self._last_cpu = 0.0
        self._over_s = stacks_over_ms / 1000.0
        self._looking = threading.Event()
        self._seen: list[str] = []
        self._main = threading.get_ident()
        self.gaps: list[Gap] = []
        """Every gap above two beats."""

    def start(self) -> None:
        self.gaps.clear()
        self._seen.clear()
        self._mark()
        self._timer.start()
        if self._over_s:
            self._looking = threading.Event()
            self._looking.set()
            threading.Thread(target=self._look, args=(self._looking,), name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """The gap that still lasts counts too."""
        self._looking.clear()
        self._beat()
        self._timer.stop()

    @property
    def longest_ms(self) -> float:
        return max((gap.wall_ms for gap in self.gaps), default=0.0)

    @property
    def longest_own_ms(self) -> float:
        return max((gap.own_ms for gap in self.gaps), default=0.0)

    def _mark(self) -> None:
        self._last, self._last_cpu = time.perf_counter(), time.thread_time()

    def _beat(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        wall, own = (now - self._last) * 1000.0, (cpu - self._last_cpu) * 1000.0
        seen, self._seen = self._seen, []
        if wall > 2 * BEAT_MS:
            self.gaps.append(Gap(wall, own, "\n".join(seen)))
        self._mark()

    def _look(self, looking: threading.Event) -> None:
        while looking.is_set():
            before = time.perf_counter()
            time.sleep(_LOOK_S)
            now = time.perf_counter()
            if now - self._last > self._over_s and len(self._seen) < _LOOKS:
                # This thread came late itself: somebody kept the interpreter to himself, or the machine was busy.
                late = (now - before - _LOOK_S) * 1000.0
                self._seen.append(
                    f"after {(now - self._last) * 1000.0:.0f} ms (looked {late:.0f} ms late)\n{self._stacks()}"
                )

    def _stacks(self) -> str:
        names = {t.ident: t.name for t in threading.enumerate()}
        shown = []
        here = threading.get_ident()
        for ident, frame in sys._current_frames().items():
            if ident == here:
                continue
            if ident == self._main or not frame.f_code.co_filename.endswith(_IDLE):
                shown.append(f"  {'main' if ident == self._main else names.get(ident, ident)}: {_way(frame)}")
        return "\n".join(shown)


def _way(frame: FrameType | None) -> str:
    """The innermost calls, the last one first."""
    calls = []
    while frame is not None and len(calls) < _FRAMES:
        code = frame.f_code
        calls.append(f"{code.co_name} {'/'.join(code.co_filename.split('/')[-2:])}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(calls)
