"""The Qt door to the main thread (``domain.ports.MainLoop``)."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot


class QtMainLoop(QObject):
    """``post`` may be called from any thread; the call runs on the thread that made this object."""

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def post(self, call: Callable[[], None]) -> None:
        try:
            self._posted.emit(call)
        except RuntimeError:
            # The window is gone: Qt has deleted the object while a worker was finishing.
            return

    @Slot(object)
    def _run(self, call: Callable[[], None]) -> None:
        call()
