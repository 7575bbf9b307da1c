"""Every word of the window is in the catalogue, in three languages; every key has a title and means one thing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

from app.domain.messages import LANGUAGES, load_catalogues
from app.domain.resources import resource_path
from app.session.views import Words
from app.ui import i18n
from app.ui.shortcuts import command_for, key_name, shortcuts
from tests.source_trees import syntax_tree

UI = Path(__file__).resolve().parents[2] / "app" / "ui"
CATALOGUES = load_catalogues(resource_path("i18n", "messages"))
_ID = re.compile(r"ui\.[a-z_]+(\.[a-zA-Z_0-9]+)*")


def test_every_literal_id_has_its_words() -> None:
    missing = []
    seen = 0
    for file in UI.rglob("*.py"):
        for node in ast.walk(syntax_tree(file)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ID.fullmatch(node.value):
                seen += 1
                if node.value not in CATALOGUES["en"] and not any(k.startswith(node.value + ".") for k in CATALOGUES["en"]):
                    missing.append(f"{node.value} ({file.name})")
    assert seen > 150
    assert not missing, missing


def test_every_family_of_ids_has_members() -> None:
    """f"ui.reason.{...}": the part before the brace starts at least two messages."""
    for file in UI.rglob("*.py"):
        for node in ast.walk(syntax_tree(file)):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                start = str(node.values[0].value)
                if start.startswith("ui.") and start.endswith("."):
                    assert sum(k.startswith(start) for k in CATALOGUES["en"]) >= 2, f"{start} ({file.name})"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_shouts_or_asks_to_wait(language: str) -> None:
    for message_id, entry in CATALOGUES[language].items():
        if message_id.startswith("ui."):
            texts = [entry] if isinstance(entry, str) else list(entry.values())
            assert not any("!" in t or "lease wait" in t for t in texts), message_id


def test_every_shortcut_has_a_title_and_no_key_means_two_things() -> None:
    for context, lines in shortcuts().items():
        keys = [k.casefold() for s in lines for k in s.keys]
        assert len(keys) == len(set(keys)), context
        for shortcut in lines:
            assert shortcut.title_id in CATALOGUES["en"], shortcut.title_id


def _press(key: Qt.Key, text: str, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, key, modifiers, text)


def test_keys_mean_the_same_on_a_cyrillic_layout() -> None:
    assert command_for("reading", _press(Qt.Key.Key_A, "a")) == "accept"
    assert command_for("reading", _press(Qt.Key(ord("Ф")), "ф")) == "accept"
    assert command_for("reading", _press(Qt.Key(ord("К")), "к")) == "reject"
    assert command_for("reading", _press(Qt.Key(ord("Қ")), "қ")) == "fit"
    assert key_name(_press(Qt.Key(ord("Ә")), "ә")) == "2"
    assert command_for("worklist", _press(Qt.Key.Key_Question, "?", Qt.KeyboardModifier.ShiftModifier)) == "keys"
    control = Qt.KeyboardModifier.ControlModifier
    assert command_for("reading", _press(Qt.Key.Key_Return, "\r", control)) == "commit"
    assert command_for("reading", _press(Qt.Key.Key_Enter, "\r", control)) == "commit"
    assert command_for("tray", _press(Qt.Key.Key_A, "a")) == ""


def test_parameters_that_are_ids_are_translated() -> None:
    i18n.set_language("ru")
    try:
        assert i18n.tr(Words("ui.search.finds", {"names": "Әлия, Алия"})) == "находит Әлия, Алия"
        assert i18n.tr(Words("ui.search.finds", {"names": "ui.accept ui.reject"})) == "находит Принять, Отклонить"
        assert i18n.file_size(1_900_000) == ("1,9", "МБ")
    finally:
        i18n.set_language("en")
    assert i18n.file_size(999) == ("999", "B")
    assert i18n.number(11.64) == "11.6"
