"""Pointing without a mouse: a cross in the active pane that the arrow keys move; what it does is what a mouse does."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from app.ui.reading.viewport import Viewport
from app.viewer.tool_api import Button, PointerEvent

STEP, FINE, COARSE = 4.0, 1.0, 32.0
"""Device pixels of one press: alone, with Ctrl, with Shift."""
_ARROWS = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}


class KeyPointer:
    """On or off. Return or Space presses the button and lets it go again; Esc ends a gesture, then the pointing."""

    def __init__(self, point: Callable[[str, str, PointerEvent], None], cancel: Callable[[], None]) -> None:
        """``point`` gets what a mouse would say: pane, kind, event. ``cancel`` forgets a gesture."""
        self._point = point
        self._cancel = cancel
        self._pane: Viewport | None = None
        self._at = (0.0, 0.0)
        self._down = False

    @property
    def on(self) -> bool:
        return self._pane is not None

    @property
    def at(self) -> tuple[float, float]:
        """In device pixels of the pane."""
        return self._at

    def toggle(self, pane: Viewport | None) -> None:
        if self.on:
            self.leave()
        elif pane is not None:
            self._enter(pane)

    def follow(self, pane: Viewport | None) -> None:
        """Another pane is the active one now: the cross goes along; without any it is gone."""
        if self.on and pane is not self._pane:
            self.leave()
            if pane is not None:
                self._enter(pane)

    def leave(self) -> None:
        if self._down:
            self._cancel()
        if self._pane is not None:
            self._pane.cross = None
            self._pane.update()
        self._pane, self._down = None, False

    def take(self, event: QKeyEvent) -> bool:
        """True when the key was the cross's."""
        if self._pane is None:
            return False
        key = Qt.Key(event.key())
        if key in _ARROWS:
            self._move(_ARROWS[key], event.modifiers())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and not event.modifiers():
            if not event.isAutoRepeat():
                self._press()
        elif key == Qt.Key.Key_Escape:
            if self._down:
                self._down = False
                self._cancel()
            else:
                self.leave()
        else:
            return False
        return True

    def _enter(self, pane: Viewport) -> None:
        width, height = pane.device_size()
        self._pane, self._at, self._down = pane, (width / 2.0, height / 2.0), False
        pane.setFocus()
        self._show()

    def _move(self, towards: tuple[float, float], modifiers: Qt.KeyboardModifier) -> None:
        assert self._pane is not None
        fine, coarse = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
        step = FINE if modifiers & fine else COARSE if modifiers & coarse else STEP
        ends = self._pane.device_size()
        x, y = (min(max(a + step * d, 0.0), end - 1.0) for a, d, end in zip(self._at, towards, ends, strict=True))
        self._at = (x, y)
        self._say("drag" if self._down else "hover")
        self._show()

    def _press(self) -> None:
        self._down = not self._down
        self._say("press" if self._down else "release")

    def _say(self, kind: str) -> None:
        assert self._pane is not None
        button = Button.NONE if kind == "hover" else Button.LEFT
        self._point(self._pane.pane_id, kind, PointerEvent(*self._at, button))

    def _show(self) -> None:
        assert self._pane is not None
        ratio = self._pane.devicePixelRatioF()
        self._pane.cross = (self._at[0] / ratio, self._at[1] / ratio)
        self._pane.update()
