"""What keeps the main thread from waiting for other threads and for its own imports."""

from __future__ import annotations

import importlib
import sys

_TURN_S = 0.001
"""How long another thread may keep the interpreter while the window wants it; Python's own 5 ms, times the threads that
decode and draw, would be felt under a wheel."""


def spare_imports() -> None:
    """PySide reads the source of every module that is imported after it, to see whether it uses PySide's other spelling
    of names (``snake_case``). Nothing here does, so nothing is read."""
    try:
        importlib.import_module("PySide6.QtCore")
        features = importlib.import_module("shibokensupport.feature")
    except ImportError:
        return  # the start guard says what is missing
    if hasattr(features, "_mod_uses_pyside"):
        features._mod_uses_pyside = _uses_no_features


def _uses_no_features(module: object) -> bool:
    return False


def share_turns() -> None:
    sys.setswitchinterval(_TURN_S)
