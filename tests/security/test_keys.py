"""Where master keys come from, and every refusal on the way."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys
import types
from pathlib import Path

import pytest

from app.domain.problem import ProblemError
from app.security import keys
from app.security.keys import (
    MASTER_KEY_FILE,
    PASSPHRASE_FD_VARIABLE,
    KeyringKeyProvider,
    MemoryKeyProvider,
    PassphraseKeyProvider,
    default_key_provider,
    passphrase_from_environment,
    passphrase_from_terminal,
    require_allowed,
)

GOOD = "сегіз әріптен ұзын"


def backend_class(module: str, name: str, base: type = object) -> type:
    return type(name, (base,), {"__module__": module})


class Ring:
    """Behaves like a keyring; named like the real SecretService backend, so that the allow-list takes it."""

    def __init__(self, forgets: bool = False) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.forgets = forgets

    def get_password(self, service: str, entry: str) -> str | None:
        return self.held.get((service, entry))

    def set_password(self, service: str, entry: str, text: str) -> None:
        if not self.forgets:
            self.held[(service, entry)] = text

    def delete_password(self, service: str, entry: str) -> None:
        del self.held[(service, entry)]


def ring(forgets: bool = False) -> Ring:
    return backend_class("keyring.backends.SecretService", "Keyring", Ring)(forgets)  # type: ignore[no-any-return]


def code_of(call) -> str:
    with pytest.raises(ProblemError) as caught:
        call()
    assert caught.value.problem.next_step
    return caught.value.problem.code


@pytest.fixture(autouse=True)
def cheap_stretching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_ARGON", {"time_cost": 1, "memory_cost_kib": 64, "parallelism": 1})
    monkeypatch.delenv(PASSPHRASE_FD_VARIABLE, raising=False)


def test_a_key_in_memory_is_random_and_stays_for_the_provider(tmp_path: Path) -> None:
    one, two = MemoryKeyProvider(), MemoryKeyProvider()
    assert one.master_key(tmp_path, True) == one.master_key(tmp_path, False)
    assert one.master_key(tmp_path, True) != two.master_key(tmp_path, True)
    assert list(tmp_path.iterdir()) == []
    assert one.describe() == "key.memory"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keyrings.alt.file", "PlaintextKeyring"),
        ("keyrings.alt.file", "EncryptedKeyring"),
        ("keyring.backends.null", "Keyring"),
        ("keyring.backends.fail", "Keyring"),
        ("somebody.backends.SecretService", "Keyring"),
        ("keyring.backends.Windows", "Other"),
    ],
)
def test_backends_that_do_not_protect_are_refused(tmp_path: Path, module: str, name: str) -> None:
    backend = backend_class(module, name, Ring)()
    assert code_of(lambda: KeyringKeyProvider(backend).master_key(tmp_path, True)) == "key.keyring_refused"
    assert backend.held == {}


def test_a_chain_is_as_weak_as_its_weakest_member() -> None:
    chain = backend_class("keyring.backends.chainer", "ChainerBackend")()
    chain.backends = [ring()]
    require_allowed(chain)
    chain.backends = [ring(), backend_class("keyrings.alt.file", "PlaintextKeyring")()]
    assert code_of(lambda: require_allowed(chain)) == "key.keyring_refused"
    chain.backends = []
    assert code_of(lambda: require_allowed(chain)) == "key.keyring_refused"


def test_the_real_backends_are_still_called_so() -> None:
    """The allow-list names classes; a renamed class would lock everybody out."""
    import importlib

    for module, name in keys.ALLOWED_BACKENDS:
        try:
            imported = importlib.import_module(module)
        except ImportError:
            continue
        if (module, name) == ("keyring.backends.macOS", "Keyring") and not hasattr(imported, name):
            continue
        assert isinstance(getattr(imported, name), type), (module, name)


def test_the_keyring_holds_one_key_per_home(tmp_path: Path) -> None:
    backend = ring()
    provider = KeyringKeyProvider(backend)
    first = provider.master_key(tmp_path / "a", True)
    assert KeyringKeyProvider(backend).master_key(tmp_path / "a", False) == first
    assert provider.master_key(tmp_path / "b", True) != first
    assert len(first) == 32
    # The folder may be moved: its name in the keyring goes with it.
    (tmp_path / "a").rename(tmp_path / "c")
    assert provider.master_key(tmp_path / "c", False) == first
    assert first not in b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())


def test_a_lost_key_is_never_replaced_silently(tmp_path: Path) -> None:
    backend = ring()
    provider = KeyringKeyProvider(backend)
    assert code_of(lambda: provider.master_key(tmp_path, False)) == "key.lost"
    provider.master_key(tmp_path, True)
    backend.held.clear()
    assert code_of(lambda: provider.master_key(tmp_path, False)) == "key.lost"
    entry = next(iter([*backend.held] or [("ekinshi", f"master-key-{keys.home_id(tmp_path, False)}")]))
    backend.held[entry] = base64.b64encode(b"short").decode()
    assert code_of(lambda: provider.master_key(tmp_path, False)) == "key.lost"


def test_a_keyring_that_forgets_or_fails_is_not_trusted(tmp_path: Path) -> None:
    assert code_of(lambda: KeyringKeyProvider(ring(forgets=True)).master_key(tmp_path, True)) == "key.keyring_unusable"

    def locked(*_: str) -> str:
        from keyring.errors import KeyringLocked

        raise KeyringLocked("locked")

    backend = ring()
    backend.get_password = locked  # type: ignore[method-assign]
    assert code_of(lambda: KeyringKeyProvider(backend).master_key(tmp_path, True)) == "key.keyring_unusable"


def test_a_passphrase_wraps_a_random_key(tmp_path: Path) -> None:
    key = PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path / "h", True)
    path = tmp_path / "h" / MASTER_KEY_FILE
    assert PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path / "h", False) == key
    raw = path.read_bytes()
    assert key.hex().encode() not in raw
    assert key not in raw
    assert json.loads(raw)["kdf"] == "argon2id"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert code_of(lambda: PassphraseKeyProvider(lambda: GOOD + "!").master_key(tmp_path / "h", False)) == (
        "key.wrong_passphrase"
    )
    assert code_of(lambda: PassphraseKeyProvider(lambda: "short").master_key(tmp_path / "i", True)) == (
        "key.short_passphrase"
    )
    assert not (tmp_path / "i" / MASTER_KEY_FILE).exists()
    assert code_of(lambda: PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path / "j", False)) == "key.lost"


def test_the_passphrase_can_be_changed_and_the_key_stays(tmp_path: Path) -> None:
    provider = PassphraseKeyProvider(lambda: GOOD)
    key = provider.master_key(tmp_path, True)
    provider.change(tmp_path, "another long one")
    assert PassphraseKeyProvider(lambda: "another long one").master_key(tmp_path, False) == key
    assert code_of(lambda: PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path, False)) == "key.wrong_passphrase"


@pytest.mark.parametrize(
    "change",
    [
        {"wrapped": "00" * 48},
        {"nonce": "00"},
        {"format": "other"},
        {"kdf": "none"},
        {"cost": {"time_cost": 1, "memory_cost_kib": 1 << 40, "parallelism": 1}},
        {"cost": {"time_cost": 0, "memory_cost_kib": 64, "parallelism": 1}},
        {"cost": None},
        {"salt": "zz"},
    ],
)
def test_a_changed_key_file_is_refused(tmp_path: Path, change: dict) -> None:
    PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path, True)
    path = tmp_path / MASTER_KEY_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert code_of(lambda: PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path, False)) in {
        "key.file_damaged",
        "key.wrong_passphrase",
    }
    path.write_text("not json")
    assert code_of(lambda: PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path, False)) == "key.file_damaged"


def test_a_weaker_cost_cannot_be_slipped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost is bound to the wrapped key, so lowering it in the file makes the right passphrase fail."""
    monkeypatch.setattr(keys, "_ARGON", {"time_cost": 2, "memory_cost_kib": 64, "parallelism": 1})
    PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path, True)
    path = tmp_path / MASTER_KEY_FILE
    stored = json.loads(path.read_text())
    stored["cost"]["time_cost"] = 1
    path.write_text(json.dumps(stored))
    assert code_of(lambda: PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path, False)) == "key.wrong_passphrase"


def test_the_shipped_cost_is_not_below_the_recommendation() -> None:
    import ast

    tree = ast.parse(Path(keys.__file__).read_text("utf-8"))
    cost = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_ARGON"
    )
    assert cost["memory_cost_kib"] >= 65536
    assert cost["time_cost"] >= 3


def piped(text: str) -> int:
    read_end, write_end = os.pipe()
    os.write(write_end, text.encode())
    os.close(write_end)
    return read_end


def test_the_passphrase_comes_from_a_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_FD_VARIABLE, str(piped(GOOD + "\nrest")))
    ask = passphrase_from_environment()
    assert ask is not None
    assert ask() == GOOD
    monkeypatch.setenv(PASSPHRASE_FD_VARIABLE, str(piped(GOOD + "\n")))
    key = default_key_provider(tmp_path).master_key(tmp_path, True)
    monkeypatch.setenv(PASSPHRASE_FD_VARIABLE, str(piped(GOOD)))
    assert default_key_provider(tmp_path).master_key(tmp_path, False) == key
    monkeypatch.setenv(PASSPHRASE_FD_VARIABLE, "987")
    assert code_of(lambda: default_key_provider(tmp_path).master_key(tmp_path, False)) == "key.no_passphrase"
    monkeypatch.setenv(PASSPHRASE_FD_VARIABLE, GOOD)
    assert code_of(passphrase_from_environment) == "key.no_passphrase"


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: False))
    assert code_of(lambda: passphrase_from_terminal("?")) == "key.no_passphrase"


def test_the_default_is_what_the_home_was_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = ring()
    monkeypatch.setattr(keys, "chosen_backend", lambda: backend)
    assert isinstance(default_key_provider(tmp_path / "new"), KeyringKeyProvider)
    KeyringKeyProvider(backend).master_key(tmp_path / "ring", True)
    monkeypatch.setenv(PASSPHRASE_FD_VARIABLE, "0")
    assert isinstance(default_key_provider(tmp_path / "ring"), KeyringKeyProvider)
    assert isinstance(default_key_provider(tmp_path / "new"), PassphraseKeyProvider)
    monkeypatch.delenv(PASSPHRASE_FD_VARIABLE)
    PassphraseKeyProvider(lambda: GOOD).master_key(tmp_path / "phrase", True)
    assert code_of(lambda: default_key_provider(tmp_path / "phrase")) == "key.passphrase_needed"
    asked = default_key_provider(tmp_path / "phrase", lambda: GOOD)
    assert asked.describe() == "key.passphrase"
    assert len(asked.master_key(tmp_path / "phrase", False)) == 32
    refused = backend_class("keyring.backends.fail", "Keyring")()
    monkeypatch.setattr(keys, "chosen_backend", lambda: refused)
    assert code_of(lambda: default_key_provider(tmp_path / "new")) == "key.none"
    assert not (tmp_path / "new").exists()
