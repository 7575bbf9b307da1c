"""Keys to commands, from ``resources/shortcuts.toml``; the same key on a Cyrillic layout does the same."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from app.domain.resources import resource_path
from app.session.key_table import merged
from app.ui.physical_keys import SHIFTED, physical_sign

_CYRILLIC = dict(zip("ЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ", "QWERTYUIOP[]ASDFGHJKL;'ZXCVBNM,.", strict=True))
_KAZAKH = dict(zip("ӘІҢҒҮҰҚӨҺ", "2345890-=", strict=True))
"""The Kazakh letters that stand in the row of figures."""
_MODIFIERS = (
    (Qt.KeyboardModifier.ControlModifier, "Ctrl"),
    (Qt.KeyboardModifier.AltModifier, "Alt"),
    (Qt.KeyboardModifier.ShiftModifier, "Shift"),
)


@dataclass(frozen=True)
class Shortcut:
    command: str
    keys: tuple[str, ...]

    @property
    def title_id(self) -> str:
        return f"ui.key.{self.command}"


_own: dict[str, dict[str, str]] = {}


@cache
def shipped() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Context (everywhere, worklist, reading, report, tray) to command to keys, as the file says."""
    tables = tomllib.loads(resource_path("shortcuts.toml").read_text(encoding="utf-8"))
    return {context: {c: tuple(keys) for c, keys in commands.items()} for context, commands in tables.items()}


def use_own_keys(own: Mapping[str, Mapping[str, str]]) -> None:
    """The reader's own table from now on; buttons and pages that were made before keep what they said."""
    _own.clear()
    _own.update({context: dict(commands) for context, commands in own.items()})
    shortcuts.cache_clear()
    _by_key.cache_clear()


@cache
def shortcuts() -> Mapping[str, tuple[Shortcut, ...]]:
    """Context to its shortcuts with the reader's own keys in them, in the order of the file."""
    table = merged(shipped(), _own)
    return {context: tuple(Shortcut(c, keys) for c, keys in commands.items()) for context, commands in table.items()}


@cache
def _by_key(context: str) -> Mapping[str, str]:
    return {key.casefold(): s.command for s in shortcuts().get(context, ()) for key in s.keys}


def key_name(event: QKeyEvent) -> str:
    """``Ctrl+Return``, ``A``, ``Shift+N``, ``+``: as the file writes it, whatever the layout."""
    text = event.text()
    key = Qt.Key(event.key())
    name = QKeySequence(key).toString()
    if key == Qt.Key.Key_Enter:
        name = "Return"
    parts = [label for flag, label in _MODIFIERS if event.modifiers() & flag]
    latin = _CYRILLIC.get(name.upper()) or _KAZAKH.get(name.upper()) if len(name) == 1 else None
    if latin is not None:
        name = latin
        if "Shift" in parts and latin in SHIFTED:  # Shift+Ю stands where ">" does
            parts.remove("Shift")
            name = SHIFTED[latin]
    elif len(name) == 1:
        # The Kazakh row of figures has signs too: 6 and 7 are a comma and a point, 1 is a quotation mark.
        figure = physical_sign(event) if "Shift" not in parts else ""
        name = figure if figure.isdigit() else name.upper()
    if "Shift" in parts and text and not text.isalpha() and text.isprintable() and len(name) == 1:
        parts.remove("Shift")  # the sign itself already says it: "?" and not Shift+"?"
    return "+".join([*parts, name])


def command_for(context: str, event: QKeyEvent) -> str:
    """The command of a key press in a context, else everywhere's, else empty."""
    name = key_name(event).casefold()
    found = _by_key(context).get(name) or _by_key("everywhere").get(name, "")
    return found or _by_place(context, event)


def _by_place(context: str, event: QKeyEvent) -> str:
    """A sign that the layout has elsewhere, by the key that it is on: "/" is a point on a Russian keyboard."""
    sign = physical_sign(event)
    if not sign or any(event.modifiers() & flag for flag, _ in _MODIFIERS):
        return ""
    return _by_key(context).get(sign) or _by_key("everywhere").get(sign, "")


def key_of(context: str, command: str) -> str:
    """How the key looks on a cap: the first one of the command."""
    for shortcut in shortcuts().get(context, ()):
        if shortcut.command == command and shortcut.keys:
            return cap(shortcut.keys[0])
    return ""


def cap(key: str) -> str:
    shown = {"Return": "⏎", "Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "PgUp": "PgUp", "Space": "␣"}
    return " ".join(shown.get(part, part) for part in key.split("+")) if key != "+" else "+"
