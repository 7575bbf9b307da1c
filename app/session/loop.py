"""A main loop without a window: the command line and the tests pump it by hand."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable


class QueueLoop:
    """``MainLoop`` over a queue. ``post`` from any thread; ``run_*`` on the thread that owns the session."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def post(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def run_pending(self) -> int:
        """Runs what has been posted so far; returns how many calls ran."""
        ran = 0
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return ran
            call()
            ran += 1

    def run_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Pumps until ``done()``; False when the time ran out first."""
        end = time.monotonic() + timeout_s
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                return False
            try:
                self._calls.get(timeout=min(left, 0.05))()
            except queue.Empty:
                continue
        return True
