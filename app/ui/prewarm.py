"""What the first double click needs, made ready beside the list: modules, hanging protocols, tools. No widget is made."""

from __future__ import annotations

import importlib
import logging
import threading

_log = logging.getLogger(__name__)
_MODULES = ("app.ui.reading.screen", "app.dicom.frame_pixels", "app.viewer.compositor")


def begin() -> threading.Thread:
    """Starts the work; it ends by itself within a second. What fails here fails again where it is needed, by name."""
    thread = threading.Thread(target=_work, name="prewarm", daemon=True)
    thread.start()
    return thread


def _work() -> None:
    try:
        for name in _MODULES:
            importlib.import_module(name)
        from app.viewer.hanging_protocols import shipped_protocols
        from app.viewer.tools.registry import discover

        shipped_protocols()
        discover()
    except Exception:
        _log.exception("the reading room was not made ready ahead")
