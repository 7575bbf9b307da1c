"""The passphrase on a PC without a keyring: typed twice the first time, never accepted when the two differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from app.domain.problem import ProblemError, fail
from app.security.keys import MASTER_KEY_FILE, PassphraseKeyProvider
from app.ui import passphrase_dialog
from app.ui.passphrase_dialog import PassphraseDialog, keys_for


def _may_open(dialog: PassphraseDialog) -> bool:
    return dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok).isEnabled()


def test_a_new_passphrase_is_long_enough_and_typed_twice(qtbot: QtBot) -> None:
    dialog = PassphraseDialog(choose=True)
    qtbot.addWidget(dialog)
    assert not _may_open(dialog)
    dialog.first.setText("correct horse")
    dialog.second.setText("correct house")
    assert not _may_open(dialog)
    dialog.second.setText("correct horse")
    assert _may_open(dialog)
    dialog.first.setText("short")
    dialog.second.setText("short")
    assert not _may_open(dialog)


def test_a_wrong_passphrase_is_asked_again_and_the_right_one_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = PassphraseKeyProvider(lambda: "correct horse").master_key(tmp_path, create=True)
    assert (tmp_path / MASTER_KEY_FILE).exists()
    answers = iter(["wrong one", "correct horse"])
    asked: list[tuple[bool, str]] = []

    def ask(choose: bool, told: str = "") -> str | None:
        asked.append((choose, told))
        return next(answers)

    monkeypatch.setattr(passphrase_dialog, "ask", ask)
    keys = keys_for(tmp_path)
    assert keys is not None
    assert keys.master_key(tmp_path, create=False) == key
    assert [choose for choose, _ in asked] == [False, False]
    assert asked[1][1]


def test_stepping_back_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(home: Path) -> object:
        raise fail("key.none", backend="fail")

    monkeypatch.setattr("app.security.keys.default_key_provider", none)
    monkeypatch.setattr(passphrase_dialog, "ask", lambda choose, told="": None)
    assert keys_for(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_other_problems_are_not_covered_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(home: Path) -> object:
        raise fail("key.file_damaged")

    monkeypatch.setattr("app.security.keys.default_key_provider", broken)
    with pytest.raises(ProblemError):
        keys_for(tmp_path)
