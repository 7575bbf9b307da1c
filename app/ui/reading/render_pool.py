"""Pictures are made on a few threads; per pane at most one is in work, and only the newest request waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

THREADS = 3
_START_S = 10.0

Make = Callable[[], Any]


class RenderPool(QObject):
    ready = Signal(str, object)
    """Pane id and picture; on the main thread."""
    _made = Signal(str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="render")
        # All of them now: a thread that is started among others at work keeps the window waiting for its turn.
        together = threading.Barrier(THREADS)
        for _ in range(THREADS):
            self._threads.submit(together.wait, _START_S)
        self._busy: set[str] = set()
        self._waiting: dict[str, Make] = {}
        self._open = True
        self._made.connect(self._finish, Qt.ConnectionType.QueuedConnection)

    def request(self, pane_id: str, make: Make) -> None:
        """A request that waits is replaced by a newer one before it starts."""
        if not self._open:
            return
        if pane_id in self._busy:
            self._waiting[pane_id] = make
            return
        self._start(pane_id, make)

    def idle(self) -> bool:
        return not self._busy

    def _start(self, pane_id: str, make: Make) -> None:
        self._busy.add(pane_id)
        self._threads.submit(make).add_done_callback(lambda done: self._tell(pane_id, done))

    def _tell(self, pane_id: str, done: Future[Any]) -> None:
        if not self._open or done.cancelled():
            return
        error = done.exception()
        try:
            self._made.emit(pane_id, error if error is not None else done.result())
        except RuntimeError:
            return  # Qt has deleted the pool while this picture was made

    def _finish(self, pane_id: str, picture: object) -> None:
        self._busy.discard(pane_id)
        following = self._waiting.pop(pane_id, None)
        if following is not None:
            self._start(pane_id, following)
        if isinstance(picture, BaseException):
            raise picture
        self.ready.emit(pane_id, picture)

    def shut(self) -> None:
        self._open = False
        self._waiting.clear()
        self._threads.shutdown(wait=True, cancel_futures=True)
