"""The size of the interface, 100 to 200 %: words, controls and icons grow together, images keep the pixels of the screen.

Qt takes a scale when its application begins. Another size therefore means another application and another window over the
same workstation: what is open, hung and drawn stays, only the widgets are made anew, within a second.
"""

from __future__ import annotations

import os
from functools import cache

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from app.ui import icons, theme
from app.ui.reading import paint_primitives

_VARIABLE = "QT_SCALE_FACTOR"


@cache
def _given() -> float:
    """What the person or the system had set for this programme before it began."""
    try:
        return float(os.environ.get(_VARIABLE, "") or 1.0)
    except ValueError:
        return 1.0


def announce(percent: int) -> None:
    """Before the application is made: the size that it begins with."""
    factor = _given() * percent / 100
    if factor == 1.0:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = f"{factor:g}"


def end_application(application: QApplication) -> None:
    """Lets the application and all that lies in Qt's memory go. No window may be open; the next one begins afresh."""
    for _ in range(2):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    for kept in (icons._pixmap, theme._font, theme.load_fonts, paint_primitives._face, paint_primitives.lut_image):
        kept.cache_clear()
    application.shutdown()
