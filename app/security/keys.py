"""Where the master key of a library comes from: memory (throw-away homes), the system's keyring, or a passphrase."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.domain.ports import KeyProvider
from app.domain.problem import ProblemError, fail
from app.security.files import write_file

KEY_BYTES = 32
PASSPHRASE_FD_VARIABLE = "EKINSHI_PASSPHRASE_FD"
MASTER_KEY_FILE = "master-key.json"
SERVICE = "ekinshi"
_HOME_ID_FILE = "home-id"
_LEAST_PASSPHRASE = 8
# argon2id, RFC 9106's second recommended set: 64 MiB, three passes, four lanes.
_ARGON = {"time_cost": 3, "memory_cost_kib": 65536, "parallelism": 4}
_ARGON_LIMITS = {"time_cost": 20, "memory_cost_kib": 1 << 21, "parallelism": 64}

ALLOWED_BACKENDS = frozenset(
    {
        ("keyring.backends.SecretService", "Keyring"),
        ("keyring.backends.kwallet", "DBusKeyring"),
        ("keyring.backends.kwallet", "DBusKeyringKWallet4"),
        ("keyring.backends.Windows", "WinVaultKeyring"),
        ("keyring.backends.macOS", "Keyring"),
    }
)
"""By module and class: everything else (plain-text files, null, fail, unknown) is refused."""


class MemoryKeyProvider:
    """A random key that dies with the process, for homes that die with it too (``demo``, ``info``, ``read``)."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(KEY_BYTES)

    def master_key(self, home: Path, create: bool) -> bytes:
        del home, create
        return self._key

    def describe(self) -> str:
        return "key.memory"


class KeyringKeyProvider:
    """The key lies in the operating system's keyring, one entry per home."""

    def __init__(self, backend: Any = None) -> None:
        """``backend``: for tests; else what ``keyring`` chose. Either must be on the allow-list when it is used."""
        self.backend = backend

    def master_key(self, home: Path, create: bool) -> bytes:
        """Raises ``key.keyring_refused``, ``key.keyring_unusable`` or ``key.lost``."""
        backend = self.backend or chosen_backend()
        require_allowed(backend)
        entry = f"master-key-{home_id(home, create)}"
        found = keyring_call(lambda: backend.get_password(SERVICE, entry))
        if found:
            return _key_from_text(found)
        if not create:
            raise fail("key.lost", kept_safe="safe.untouched", next_step="next.restore_key")
        key = secrets.token_bytes(KEY_BYTES)
        keyring_call(lambda: backend.set_password(SERVICE, entry, base64.b64encode(key).decode()))
        # Some backends accept everything and keep nothing: a library must never be locked with such a key.
        if keyring_call(lambda: backend.get_password(SERVICE, entry)) != base64.b64encode(key).decode():
            raise fail("key.keyring_unusable", kept_safe="safe.untouched", next_step="next.use_passphrase")
        return key

    def describe(self) -> str:
        return "key.keyring"


class PassphraseKeyProvider:
    """A random key in ``master-key.json``, wrapped by a passphrase (argon2id, AES-256-GCM). The passphrase is not kept."""

    def __init__(self, ask: Callable[[], str]) -> None:
        """``ask`` gives the passphrase once; see ``passphrase_from_fd`` and ``passphrase_from_environment``."""
        self._ask = ask
        self._lock = threading.Lock()
        self._known: dict[Path, bytes] = {}

    def master_key(self, home: Path, create: bool) -> bytes:
        """Raises ``key.wrong_passphrase``, ``key.short_passphrase``, ``key.lost``, ``key.file_damaged``."""
        with self._lock:
            home = home.absolute()
            if home not in self._known:
                path = home / MASTER_KEY_FILE
                if path.exists():
                    self._known[home] = _unwrap(path, self._ask())
                elif create:
                    self._known[home] = _create(path, self._ask())
                else:
                    raise fail("key.lost", kept_safe="safe.untouched", next_step="next.restore_key")
            return self._known[home]

    def change(self, home: Path, passphrase: str) -> None:
        """Wraps the same key anew; the library itself is not rewritten."""
        key = self.master_key(home, create=False)
        write_file(home / MASTER_KEY_FILE, _wrap(key, passphrase), replace=True)

    def describe(self) -> str:
        return "key.passphrase"


def default_key_provider(home: Path, ask: Callable[[], str] | None = None) -> KeyProvider:
    """What this home was made with; for a new one a passphrase where one is given, else the keyring.

    ``ask`` is the edge's own question for the passphrase of a library that has one (a dialogue, or
    ``passphrase_from_terminal``); ``EKINSHI_PASSPHRASE_FD`` wins. Raises ``key.passphrase_needed``, or ``key.none``
    when there is neither keyring nor passphrase: never a hidden prompt, never a key in a plain file.
    """
    given = passphrase_from_environment()
    if given is None and (home / MASTER_KEY_FILE).exists():
        given = ask
    if (home / MASTER_KEY_FILE).exists():
        if given is None:
            raise fail("key.passphrase_needed", kept_safe="safe.untouched", next_step="next.give_passphrase")
        return PassphraseKeyProvider(given)
    if given is not None and not (home / _HOME_ID_FILE).exists():
        return PassphraseKeyProvider(given)
    try:
        require_allowed(chosen_backend())
    except ProblemError as error:
        reason = error.problem.params.get("backend", "")
        raise fail("key.none", kept_safe="safe.untouched", next_step="next.use_passphrase", backend=reason) from error
    return KeyringKeyProvider()


def passphrase_from_fd(descriptor: int) -> str:
    """Reads one line from an inherited file descriptor and closes it."""
    try:
        with os.fdopen(descriptor, "r", encoding="utf-8") as file:
            line = file.readline()
    except (OSError, UnicodeDecodeError):
        raise fail("key.no_passphrase", kept_safe="safe.untouched", next_step="next.give_passphrase") from None
    return line.rstrip("\r\n")


def passphrase_from_environment() -> Callable[[], str] | None:
    """Reads the passphrase from the descriptor that ``EKINSHI_PASSPHRASE_FD`` names; None when it is not set.

    The variable holds a number, never the passphrase: environments are readable by others and land in crash reports.
    """
    number = os.environ.get(PASSPHRASE_FD_VARIABLE, "")
    if number.isdigit():
        return lambda: passphrase_from_fd(int(number))
    if number:
        raise fail("key.no_passphrase", kept_safe="safe.untouched", next_step="next.give_passphrase")
    return None


def passphrase_from_terminal(prompt: str) -> str:
    """Asks at a terminal without echo. Raises ``key.no_passphrase`` when there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise fail("key.no_passphrase", kept_safe="safe.untouched", next_step="next.give_passphrase")
    import getpass

    return getpass.getpass(prompt, sys.stderr)


# -- keyring


def chosen_backend() -> Any:
    """What ``keyring`` would use on this machine."""
    import keyring

    return keyring.get_keyring()


def require_allowed(backend: Any) -> None:
    """Refuses every backend that is not on the allow-list, a chained one unless all of its members are."""
    kinds = [type(backend)]
    if (kinds[0].__module__, kinds[0].__name__) == ("keyring.backends.chainer", "ChainerBackend"):
        kinds = [type(member) for member in backend.backends]
    for kind in kinds:
        if (kind.__module__, kind.__name__) not in ALLOWED_BACKENDS:
            raise fail(
                "key.keyring_refused",
                kept_safe="safe.untouched",
                next_step="next.use_passphrase",
                backend=f"{kind.__module__}.{kind.__name__}",
            )
    if not kinds:
        raise fail("key.keyring_refused", kept_safe="safe.untouched", next_step="next.use_passphrase", backend="none")


def keyring_call(call: Callable[[], Any]) -> Any:
    """Whatever a backend raises (locked, no service, denied) is one problem for the person."""
    from keyring.errors import KeyringError

    try:
        return call()
    except (KeyringError, OSError, RuntimeError) as error:
        raise fail("key.keyring_unusable", kept_safe="safe.untouched", next_step="next.unlock_keyring") from error


def home_id(home: Path, create: bool) -> str:
    """A random name of this home, so that the keyring entry survives moving the folder. Not a secret."""
    path = home / _HOME_ID_FILE
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        text = ""
    if len(text) == 32 and text.isalnum():
        return text
    if not create:
        raise fail("key.lost", kept_safe="safe.untouched", next_step="next.restore_key")
    home.mkdir(parents=True, exist_ok=True)
    write_file(path, secrets.token_hex(16).encode(), replace=False)
    return path.read_text("ascii").strip()


def _key_from_text(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise fail("key.lost", kept_safe="safe.untouched", next_step="next.restore_key")
    return key


# -- passphrase


def _stretch(passphrase: str, salt: bytes, cost: dict[str, int]) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    return hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=cost["time_cost"],
        memory_cost=cost["memory_cost_kib"],
        parallelism=cost["parallelism"],
        hash_len=KEY_BYTES,
        type=Type.ID,
    )


def _wrap(key: bytes, passphrase: str) -> bytes:
    if len(passphrase) < _LEAST_PASSPHRASE:
        raise fail(
            "key.short_passphrase", kept_safe="safe.untouched", next_step="next.give_passphrase", least=_LEAST_PASSPHRASE
        )
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    head: dict[str, Any] = {"format": "ekinshi.master-key/1", "kdf": "argon2id", "cost": _ARGON, "salt": salt.hex()}
    bound = json.dumps(head, sort_keys=True).encode()
    wrapped = AESGCM(_stretch(passphrase, salt, _ARGON)).encrypt(nonce, key, bound)
    return json.dumps({**head, "nonce": nonce.hex(), "wrapped": wrapped.hex()}, indent=1).encode()


def _unwrap(path: Path, passphrase: str) -> bytes:
    damaged = fail("key.file_damaged", kept_safe="safe.untouched", next_step="next.restore_key")
    try:
        stored = json.loads(path.read_bytes())
        head = {name: stored[name] for name in ("format", "kdf", "cost", "salt")}
        cost = {name: int(stored["cost"][name]) for name in _ARGON}
        salt, nonce, wrapped = (bytes.fromhex(stored[name]) for name in ("salt", "nonce", "wrapped"))
    except (ValueError, KeyError, TypeError):
        raise damaged from None
    sane = all(0 < cost[name] <= limit for name, limit in _ARGON_LIMITS.items()) and len(salt) >= 8 and len(nonce) == 12
    if head["format"] != "ekinshi.master-key/1" or head["kdf"] != "argon2id" or not sane:
        raise damaged
    try:
        return AESGCM(_stretch(passphrase, salt, cost)).decrypt(nonce, wrapped, json.dumps(head, sort_keys=True).encode())
    except InvalidTag:
        raise fail("key.wrong_passphrase", kept_safe="safe.untouched", next_step="next.give_passphrase") from None


def _create(path: Path, passphrase: str) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, _wrap(key, passphrase), replace=False)
    # Two processes may have started at once: the file that is there holds the key of both.
    return _unwrap(path, passphrase)
