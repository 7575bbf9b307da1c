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
    if len(name) == 1:
        name = _CYRILLIC.get(name.upper(), _KAZAKH.get(name.upper(), name.upper()))
    parts = [label for flag, label in _MODIFIERS if event.modifiers() & flag]
    if "Shift" in parts and text and not text.isalpha() and text.isprintable() and len(name) == 1:
        parts.remove("Shift")  # the sign itself already says it: "?" and not Shift+"?"
    return "+".join([*parts, name])


def command_for(context: str, event: QKeyEvent) -> str:
    """The command of a key press in a context, else everywhere's, else empty."""
    name = key_name(event).casefold()
    return _by_key(context).get(name) or _by_key("everywhere").get(name, "")


def key_of(context: str, command: str) -> str:
    """How the key looks on a cap: the first one of the command."""
    for shortcut in shortcuts().get(context, ()):
        if shortcut.command == command and shortcut.keys:
            return cap(shortcut.keys[0])
    return ""


def cap(key: str) -> str:
    shown = {"Return": "⏎", "Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "PgUp": "PgUp", "Space": "␣"}
    return " ".join(shown.get(part, part) for part in key.split("+")) if key != "+" else "+"
