"""A reader who has no mouse: keys go to whatever has the focus, as the system would send them, and mice are counted."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QWidget

from app.demo import Demo
from app.session.reading_session import ReadingSession
from app.ui.reading.viewport import Viewport

_MOUSE = {
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseButtonRelease,
    QEvent.Type.MouseButtonDblClick,
    QEvent.Type.MouseMove,
    QEvent.Type.Wheel,
    QEvent.Type.TabletPress,
    QEvent.Type.TouchBegin,
}


class MouseCounter(QObject):
    """Sees every event of the application."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _MOUSE:
            self.seen += 1
        return False

    def end(self) -> None:
        application = QApplication.instance()
        assert application is not None
        application.removeEventFilter(self)


class Keyboard:
    def __init__(self, demo: Demo) -> None:
        self.demo = demo

    @property
    def reading(self) -> ReadingSession:
        reading = self.demo.workstation.reading
        assert reading is not None
        return reading

    def press(self, *names: str) -> None:
        """Keys as the table of shortcuts writes them: ``Ctrl+Return``, ``L``, ``Shift+Space``."""
        for name in names:
            chord = QKeySequence(name)[0]
            self._send(chord.key(), chord.keyboardModifiers(), name.lower() if len(name) == 1 else "")

    def type(self, text: str) -> None:
        for letter in text:
            self._send(Qt.Key(ord(letter.upper())), Qt.KeyboardModifier.NoModifier, letter)

    def _send(self, key: Qt.Key, modifiers: Qt.KeyboardModifier, text: str) -> None:
        window = self.demo.window
        target = QApplication.activePopupWidget() or QApplication.focusWidget() or window.focusWidget() or window
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QApplication.sendEvent(target, QKeyEvent(kind, key, modifiers, text))
        self.demo.pump(0.02)

    def tab_to(self, wanted: Callable[[QWidget], bool], most: int = 200) -> QWidget:
        """Tab until the focus is where it should be; fails when Tab does not lead there."""
        passed = []
        for _ in range(most):
            focus = QApplication.focusWidget() or self.demo.window.focusWidget()
            if focus is not None and wanted(focus):
                return focus
            passed.append(f"{type(focus).__name__} {focus.accessibleName()!r}" if focus is not None else "nothing")
            self.press("Tab")
        raise AssertionError(f"Tab does not lead there, but to {list(dict.fromkeys(passed))}")

    def pane(self) -> Viewport:
        return next(v for v in self.demo.window.findChildren(Viewport) if v.isVisible() and v.active)

    def point_to(self, x: float, y: float) -> None:
        """Moves the cross of the active pane, in device pixels."""
        cross = self.demo.window.screen_widget("reading").panes.keys
        assert cross.on
        for axis, (less, more) in enumerate((("Left", "Right"), ("Up", "Down"))):
            for step, modifier in ((32.0, "Shift+"), (4.0, ""), (1.0, "Ctrl+")):
                left = (x, y)[axis] - cross.at[axis]
                self.press(*[modifier + (more if left > 0 else less)] * int(abs(left) / step))

    def measure(self, start: tuple[float, float], end: tuple[float, float], tool_key: str = "L") -> None:
        """A two-point drawing: tool, cross, Return, arrows, Return."""
        self.press(tool_key, "Shift+Space")
        self.point_to(*start)
        self.press("Return")
        self.point_to(*end)
        self.press("Return", "Esc")
        assert not self.demo.window.screen_widget("reading").panes.keys.on
