"""From a press or a turn of the wheel to the tool that it means, by the table of the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.session.mouse_table import CHOSEN, merged
from app.session.views import Words
from app.viewer.tool_api import PointerEvent

_now: dict[str, str] = {}


def use_mouse(table: Mapping[str, str]) -> None:
    """The table that holds from now on."""
    _now.clear()
    _now.update(table)


def bindings() -> Mapping[str, str]:
    """Gesture to tool, as it holds."""
    return _now or merged()


def meant(kind: str, event: PointerEvent) -> tuple[str, PointerEvent]:
    """The tool of a press or a turn ("": the chosen one, the plain wheel), and the event without the key that chose it.

    A gesture with a key that has no tool of its own is the plain one's, and its tool sees the key.
    """
    button = "wheel" if kind == "wheel" else event.button.value
    table = bindings()
    for key, held in (("Ctrl", event.control), ("Shift", event.shift), ("Alt", event.alt)):
        tool = table.get(f"{key}+{button}", "") if held else ""
        if tool:
            field = {"Ctrl": "control", "Shift": "shift", "Alt": "alt"}[key]
            return _named(tool, kind), replace(event, **{field: False})  # type: ignore[arg-type]
    return _named(table.get(button, ""), kind), event


def _named(tool: str, kind: str) -> str:
    return "" if tool == CHOSEN or (kind == "wheel" and tool == "scroll") else tool


def tool_words(tool: str) -> Words:
    return Words("mouse.chosen") if tool == CHOSEN else Words(f"tool.{tool}")


def gesture_words(name: str) -> Words:
    """``Ctrl+wheel`` in the language of the screen."""
    key, _, button = name.rpartition("+")
    return Words("mouse.with_key", {"key": key, "button": Words(f"mouse.{button}")}) if key else Words(f"mouse.{button}")
