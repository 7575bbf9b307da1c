"""Work that stands behind the window's."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

_NICE = 5
FIRST_PICTURES_S = 0.15
"""A study that opens shows its pictures in this time: what is prepared for later begins behind it."""


def behind_the_window() -> None:
    """The calling thread gives way to the main thread and to those that draw, where the system can tell threads apart.

    On two cores four threads that decode would else have the window wait for its turn. Never an error: it is a wish.
    """
    if sys.platform == "linux":  # elsewhere a number belongs to the whole process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
