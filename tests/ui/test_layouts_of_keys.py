"""Every shipped key on a Russian and on a Kazakh keyboard: the same place on the keyboard does the same."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from app.ui import physical_keys
from app.ui.physical_keys import SHIFTED, sign_on
from app.ui.shortcuts import command_for, key_name, shipped
from app.viewer.tools.registry import discover

US = "1234567890-=qwertyuiop[]asdfghjkl;'\\zxcvbnm,./"
RU = ("1234567890-=йцукенгшщзхъфывапролджэ\\ячсмитьбю.", '!"№;%:?*()_+ЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭ/ЯЧСМИТЬБЮ,')
KK = ('"әіңғ,.үұқөһйцукенгшщзхъфывапролджэ\\ячсмитьбю№', "!ӘІҢҒ;:ҮҰҚӨҺЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭ/ЯЧСМИТЬБЮ?")
"""What the places of ``US`` write without and with Shift, on the keyboards that Windows calls Russian and Kazakh."""
LAYOUTS = {"ru": RU, "kk": KK}
UNSHIFTED = {sign: key for key, sign in SHIFTED.items()}
SET_1 = dict(zip("1234567890-=", range(0x02, 0x0E), strict=True)) | dict(
    zip("[];'\\,./", (0x1A, 0x1B, 0x27, 0x28, 0x2B, 0x33, 0x34, 0x35), strict=True)
)
"""Scan codes by the table of the keyboard's maker, not by the product's."""
MAC = dict(zip("1234567890", (18, 19, 20, 21, 23, 22, 26, 28, 25, 29), strict=True))
NONE = Qt.KeyboardModifier.NoModifier
FLAGS = {
    "Ctrl": Qt.KeyboardModifier.ControlModifier,
    "Shift": Qt.KeyboardModifier.ShiftModifier,
    "Alt": Qt.KeyboardModifier.AltModifier,
}
KEYS = [
    (context, command, key) for context, commands in shipped().items() for command, keys in commands.items() for key in keys
]


def press(layout: str, key: str, scan: bool = True) -> QKeyEvent:
    """The event of the key at the US place of ``key`` ("Ctrl+C", "?", "Shift+Left")."""
    names = key.split("+") if len(key) > 1 else [key]
    base, flags = names[-1] or "+", NONE
    for name in names[:-1]:
        flags |= FLAGS.get(name, NONE)
    if base in UNSHIFTED:
        base, flags = UNSHIFTED[base], flags | Qt.KeyboardModifier.ShiftModifier
    if len(base) > 1:
        named = QKeySequence(base)[0].key()
        return QKeyEvent(QEvent.Type.KeyPress, named, flags, " " if base == "Space" else "")
    place = US.index(base.lower())
    text = LAYOUTS[layout][bool(flags & Qt.KeyboardModifier.ShiftModifier)][place]
    code = SET_1.get(base, 0) if scan else 0
    typed = "" if flags & Qt.KeyboardModifier.ControlModifier else text
    return QKeyEvent(QEvent.Type.KeyPress, ord(text.upper()), flags, code, 0, 0, typed)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(physical_keys, "QGuiApplication", SimpleNamespace(platformName=lambda: "windows"))


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_shipped_key_does_the_same_on_a_cyrillic_keyboard(layout: str) -> None:
    wrong = []
    for context, command, key in KEYS:
        if (layout, key) == ("ru", "?"):
            continue  # a Russian keyboard has its own question mark, on 7
        found = command_for(context, press(layout, key))
        if found != command:
            wrong.append((context, key, command, found))
    assert wrong == []
    assert len(KEYS) > 100


@pytest.mark.usefixtures("windows")
def test_the_question_mark_of_a_russian_keyboard_opens_the_page_of_keys() -> None:
    seven = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier, 0x08, 0, 0, "?")
    assert command_for("reading", seven) == "keys"


@pytest.mark.usefixtures("windows")
def test_figures_of_a_kazakh_keyboard_are_presets_and_turn_nothing() -> None:
    assert [command_for("reading", press("kk", n)) for n in "167"] == ["preset_1", "preset_6", "preset_7"]
    assert [key_name(press("kk", n)) for n in "1234567890-="] == list("1234567890-=")
    assert command_for("reading", press("kk", "*")) == "toggle_key_image"
    for layout in LAYOUTS:
        assert [key_name(press(layout, k)) for k in "<>*+"] == ["<", ">", "*", "+"]


def test_without_native_codes_the_letters_are_enough() -> None:
    """Made events, and platforms that tell no codes: only signs in the Kazakh row of figures are lost."""
    lost = {key for context, command, key in KEYS if command_for(context, press("kk", key, scan=False)) != command}
    assert lost == {"1", "6", "7", "/", "Ctrl+1"}


@pytest.mark.parametrize(
    ("platform", "codes", "at"),
    [("windows", SET_1, 0), ("xcb", {k: c + 8 for k, c in SET_1.items()}, 0), ("wayland", {"1": 10, "=": 21, "/": 61}, 0),
     ("cocoa", MAC, 1)],
)  # fmt: skip
def test_native_codes_of_each_platform(platform: str, codes: dict[str, int], at: int) -> None:
    for sign, code in codes.items():
        assert sign_on(platform, *((code, 0) if at == 0 else (1, code))) == sign
    assert sign_on(platform, 0, -1) == ""
    assert sign_on("offscreen", 2, 18) == ""


def test_every_tool_has_a_key_a_title_and_stands_on_the_page() -> None:
    assert {f"tool_{t.name}" for t in discover().tools} <= set(shipped()["reading"])
