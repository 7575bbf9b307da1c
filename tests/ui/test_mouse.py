"""Buttons, wheel and keys to tools, over a pane; a drag stays its press's tool."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.ui.mouse import bindings, gesture_words, meant, use_mouse
from app.viewer.tool_api import Button, PointerEvent
from tests.ui.conftest import Open, settled


@pytest.fixture(autouse=True)
def as_shipped() -> object:
    use_mouse({})
    yield
    use_mouse({})


def event(button: Button = Button.NONE, **keys: bool) -> PointerEvent:
    return PointerEvent(1.0, 2.0, button, **keys)


def test_the_shipped_table_is_what_it_always_was() -> None:
    assert meant("press", event(Button.LEFT))[0] == ""
    assert meant("press", event(Button.MIDDLE))[0] == "pan"
    assert meant("press", event(Button.RIGHT))[0] == "window"
    assert meant("wheel", event())[0] == ""
    assert meant("wheel", event(control=True)) == ("zoom", event())
    assert meant("press", event(Button.LEFT, shift=True)) == ("", event(Button.LEFT, shift=True)), "the tool sees the key"


def test_a_gesture_with_a_key_is_its_own() -> None:
    use_mouse({**bindings(), "Shift+left": "length", "Alt+right": "zoom", "wheel": "zoom", "Shift+wheel": "scroll"})
    assert meant("press", event(Button.LEFT, shift=True)) == ("length", event(Button.LEFT))
    assert meant("press", event(Button.RIGHT, alt=True, shift=True)) == ("zoom", event(Button.RIGHT, shift=True))
    assert meant("wheel", event())[0] == "zoom"
    assert meant("wheel", event(shift=True))[0] == ""
    assert gesture_words("Shift+left").params["key"] == "Shift"


def test_the_pane_asks_for_the_tool_and_keeps_it_to_the_release(open_window: Open) -> None:
    window = open_window()
    window.open_study("1.2.0")
    panes = window.screen_widget("reading").panes
    settled(panes.idle)
    use_mouse({**bindings(), "Shift+middle": "length"})
    asked = []
    reading = window._workstation.reading
    reading.pointer = lambda pane, kind, happened, tool="": asked.append((kind, tool, happened.shift))
    pane = next(iter(panes.panes.values()))
    shift, none = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(pane, Qt.MouseButton.MiddleButton, shift, QPoint(20, 20))
    QTest.mouseMove(pane, QPoint(40, 30))
    QTest.mouseRelease(pane, Qt.MouseButton.MiddleButton, none, QPoint(40, 30))
    assert [(k, t) for k, t, _ in asked if k != "hover"] == [("press", "length"), ("drag", "length"), ("release", "length")]
    assert not any(s for _, _, s in asked)
    asked.clear()
    turn = QWheelEvent(
        QPointF(10, 10), pane.mapToGlobal(QPointF(10, 10)), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ControlModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(pane, turn)
    assert [(k, t) for k, t, _ in asked] == [("wheel", "zoom")]
