"""The library's passphrase on a PC without a keyring: chosen at the first start, asked for at every later one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QWidget

from app.domain.ports import KeyProvider
from app.domain.problem import ProblemError
from app.session.views import Words
from app.ui.i18n import tr, tr_problem
from app.ui.widgets.boxes import column
from app.ui.widgets.text import Text

LEAST_CHARACTERS = 8


class PassphraseDialog(QDialog):
    """``choose``: a new one is typed twice; else the known one is typed once."""

    def __init__(self, choose: bool, told: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choose = choose
        self.setWindowTitle("Ekinshi")
        self.setMinimumWidth(440)
        lay = column(self, (24, 20, 24, 20), 12)
        lay.addWidget(Text(Words("ui.passphrase.choose" if choose else "ui.passphrase.enter"), "large", "semibold"))
        why = Words("ui.passphrase.why_new" if choose else "ui.passphrase.why")
        lay.addWidget(Text(why, role="secondary", wrap=True))
        self.first = self._field("ui.passphrase.field")
        lay.addWidget(self.first)
        self.second = self._field("ui.passphrase.again")
        self.second.setVisible(choose)
        lay.addWidget(self.second)
        self._told = Text(told, role="bad", wrap=True)
        lay.addWidget(self._told)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setText(tr("ui.passphrase.open"))
        self._buttons.button(QDialogButtonBox.StandardButton.Cancel).setText(tr("ui.cancel"))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        lay.addWidget(self._buttons)
        self.first.textChanged.connect(self._check)
        self.second.textChanged.connect(self._check)
        self._check()

    def _field(self, name: str) -> QLineEdit:
        field = QLineEdit()
        field.setEchoMode(QLineEdit.EchoMode.Password)
        field.setPlaceholderText(tr(name))
        field.setAccessibleName(tr(name))
        return field

    def _check(self) -> None:
        long_enough = len(self.first.text()) >= (LEAST_CHARACTERS if self._choose else 1)
        same = not self._choose or self.first.text() == self.second.text()
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(long_enough and same)
        if self._choose and self.second.text() and not same:
            self._told.say(Words("ui.passphrase.differ"))
        elif self._choose:
            self._told.say("")

    def passphrase(self) -> str:
        return self.first.text()


def ask(choose: bool, told: str = "") -> str | None:
    """None when the person stepped back."""
    dialog = PassphraseDialog(choose, told)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    text = dialog.passphrase()
    dialog.deleteLater()
    return text if accepted else None


def keys_for(home: Path) -> KeyProvider | None:
    """The key of this home: keyring, given passphrase, or one that is asked for here. None when the person stepped back.

    Raises ``ProblemError`` for everything that a passphrase cannot mend.
    """
    from app.security.keys import MASTER_KEY_FILE, PassphraseKeyProvider, default_key_provider

    try:
        return default_key_provider(home)
    except ProblemError as error:
        if error.problem.code not in ("key.none", "key.passphrase_needed"):
            raise
    told = ""
    choose = not (home / MASTER_KEY_FILE).exists()
    while True:
        text = ask(choose, told)
        if text is None:
            return None
        given: str = text
        keys = PassphraseKeyProvider(lambda given=given: given)  # type: ignore[misc]
        if choose:
            return keys
        try:
            keys.master_key(home, create=False)
        except ProblemError as error:
            if error.problem.code != "key.wrong_passphrase":
                raise
            told = tr_problem(error.problem)
            continue
        return keys
