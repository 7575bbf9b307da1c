"""The Qt door to the main thread (``domain.ports.MainLoop``)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot


class _Door(QObject):
    knocked = Signal()

    def __init__(self, open_one: Callable[[], None]) -> None:
        super().__init__()
        self._open_one = open_one
        self.knocked.connect(self._run, Qt.ConnectionType.QueuedConnection)

    @Slot()
    def _run(self) -> None:
        self._open_one()


class QtMainLoop:
    """``post`` may be called from any thread; the call runs on the thread that made this object.

    What was posted waits here and not in Qt, so that it outlives an application that is closed and made again (``close``,
    ``open``: another size of the interface).
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._door: _Door | None = None
        self.open()

    def post(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append(call)
            self._knock()

    def _knock(self) -> None:
        if self._door is not None:
            try:
                self._door.knocked.emit()
            except RuntimeError:  # Qt has deleted the door while a worker was finishing: the window is gone
                self._door = None

    def close(self) -> None:
        """Before the Qt application goes: calls wait from now on."""
        with self._lock:
            self._door = None

    def open(self) -> None:
        """Once there is an application (again): what waits is called in its order."""
        with self._lock:
            self._door = _Door(self._run_one)
            for _ in range(len(self._waiting)):
                self._knock()

    def _run_one(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
