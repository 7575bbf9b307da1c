"""What the first double click needs, made ready beside the list: modules, hanging protocols, tools; then the screens."""

from __future__ import annotations

import gc
import importlib
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_log = logging.getLogger(__name__)
_MODULES = (
    "app.session.opening",
    "app.ui.reading.screen",
    "app.dicom.frame_pixels",
    "app.viewer.compositor",
    "app.ui.report.screen",
    "app.ui.tray.screen",
)


class _Herald(QObject):
    """Brings the news of the other thread to the main thread."""

    ready = Signal()


_herald: _Herald | None = None


def begin(then: Callable[[], None] | None = None) -> threading.Thread:
    """Starts the work; it ends by itself within a second. What fails here fails again where it is needed, by name.

    ``then`` is called on the main thread afterwards: the screens are built from modules that are here.
    """
    global _herald
    if then is not None:
        _herald = _Herald()
        _herald.ready.connect(then, Qt.ConnectionType.QueuedConnection)
    # No daemon: Python would stop it at the end inside Qt's own code, which ends the whole process with an error.
    thread = threading.Thread(target=_work, args=(_herald if then is not None else None,), name="prewarm")
    thread.start()
    return thread


IDLE_MS = 4000
"""So long after the window stands nothing else is left to be made ready."""


class VolumeWarmth(QObject):
    """Pre-faults memory for the first CT once nothing is under way; ends for good when a study is opened before that."""

    def __init__(self, workstation: Workstation, parent: QObject | None = None, idle_ms: int = IDLE_MS) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self.thread_: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(idle_ms)
        self._timer.timeout.connect(self._due)
        self._timer.start()

    @property
    def waits(self) -> bool:
        return self._timer.isActive()

    def _due(self) -> None:
        from app.session.memory import study_opened

        if study_opened.is_set():
            self._timer.stop()  # too late to help: the first volume has paid for its pages itself
        elif not self._workstation.busy():
            self._timer.stop()
            self.thread_ = threading.Thread(target=self._warm, name="prewarm-volume")
            self.thread_.start()

    @staticmethod
    def _warm() -> None:
        from app.session.memory import warm_a_volume

        try:
            warm_a_volume()
        except (OSError, ValueError, MemoryError):
            _log.info("no memory was made ready ahead")  # the first volume asks the system itself


def _work(herald: _Herald | None) -> None:
    _load()
    if herald is not None:
        try:
            herald.ready.emit()
        except RuntimeError:
            return  # the window was closed meanwhile, and Qt with it


def _load() -> None:
    gc.freeze()  # the window stands: a full collection halfway through would hold it for 60 ms
    try:
        for name in _MODULES:
            if not threading.main_thread().is_alive():
                return  # the window is closed, and the process waits for this thread
            importlib.import_module(name)
        from app.domain.teeth import PERMANENT
        from app.report.templates import templates
        from app.ui.chairside.tooth_paths import tooth_path
        from app.ui.icons import read_ahead
        from app.viewer import anatomy
        from app.viewer.hanging_protocols import shipped_protocols
        from app.viewer.tools.registry import discover

        shipped_protocols()
        anatomy.make_ready()
        read_ahead()
        discover()
        templates()
        for fdi in PERMANENT:
            tooth_path(fdi)
        # What is loaded now stays: a full collection, which holds every thread, need not look at it again.
        gc.freeze()
    except Exception:
        _log.exception("the reading room was not made ready ahead")
