"""What the first double click needs, made ready beside the list: modules, hanging protocols, tools; then the screens."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal

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
    thread = threading.Thread(target=_work, args=(_herald if then is not None else None,), name="prewarm", daemon=True)
    thread.start()
    return thread


def _work(herald: _Herald | None) -> None:
    _load()
    if herald is not None:
        try:
            herald.ready.emit()
        except RuntimeError:
            return  # the window was closed meanwhile, and Qt with it


def _load() -> None:
    try:
        for name in _MODULES:
            importlib.import_module(name)
        from app.report.templates import templates
        from app.viewer.hanging_protocols import shipped_protocols
        from app.viewer.tools.registry import discover

        shipped_protocols()
        discover()
        templates()
    except Exception:
        _log.exception("the reading room was not made ready ahead")
