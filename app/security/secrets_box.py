"""Small secrets of a home (the private key of the seal, passwords of targets): in the keyring, or under the master key."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from app.domain.ports import KeyProvider
from app.domain.problem import fail
from app.security.files import write_file
from app.security.keys import SERVICE, KeyringKeyProvider, chosen_backend, home_id, keyring_call, require_allowed
from app.security.sealing import SealPair, generate_seal_pair, seal_pair

SEAL_NAME = "seal-private-key"
_FOLDER = "secrets"


class SecretsBox(Protocol):
    """Named secrets. Names are short ASCII words of ours, never anything about a patient."""

    def get(self, name: str) -> bytes | None:
        """None when there is none. Raises ``ProblemError`` when it cannot be read."""
        ...

    def put(self, name: str, secret: bytes) -> None: ...

    def remove(self, name: str) -> None: ...


class MemoryBox:
    """For throw-away homes: nothing is written anywhere."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self._held.get(name)

    def put(self, name: str, secret: bytes) -> None:
        self._held[name] = secret

    def remove(self, name: str) -> None:
        self._held.pop(name, None)


class KeyringBox:
    """One entry of the operating system's keyring per secret."""

    def __init__(self, home: Path, backend: Any = None) -> None:
        self._backend = backend or chosen_backend()
        require_allowed(self._backend)
        self._home_id = home_id(home, create=True)

    def get(self, name: str) -> bytes | None:
        text = keyring_call(lambda: self._backend.get_password(SERVICE, self._entry(name)))
        return base64.b64decode(text) if text else None

    def put(self, name: str, secret: bytes) -> None:
        text = base64.b64encode(secret).decode()
        keyring_call(lambda: self._backend.set_password(SERVICE, self._entry(name), text))
        if self.get(name) != secret:
            raise fail("key.keyring_unusable", kept_safe="safe.untouched", next_step="next.use_passphrase")

    def remove(self, name: str) -> None:
        if self.get(name) is not None:
            keyring_call(lambda: self._backend.delete_password(SERVICE, self._entry(name)))

    def _entry(self, name: str) -> str:
        return f"{_checked(name)}-{self._home_id}"


class EncryptedFileBox:
    """Files below ``home/secrets``, each encrypted under a key derived from the master key."""

    def __init__(self, home: Path, master_key: bytes) -> None:
        self._folder = home / _FOLDER
        self._key = HKDFExpand(SHA256(), 32, b"ekinshi/secrets/1").derive(master_key)
        self._lock = threading.Lock()

    def get(self, name: str) -> bytes | None:
        path = self._path(name)
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_bytes())
            nonce, sealed = bytes.fromhex(stored["nonce"]), bytes.fromhex(stored["sealed"])
            return AESGCM(self._key).decrypt(nonce, sealed, name.encode())
        except (InvalidTag, ValueError, KeyError, TypeError, OSError):
            raise fail("key.secret_damaged", kept_safe="safe.images_and_marks", next_step="next.restore_key") from None

    def put(self, name: str, secret: bytes) -> None:
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self._key).encrypt(nonce, secret, name.encode())
        with self._lock:
            write_file(self._path(name), json.dumps({"nonce": nonce.hex(), "sealed": sealed.hex()}).encode(), replace=True)

    def put_if_absent(self, name: str, secret: bytes) -> bytes:
        """The secret that holds: ours, or the one that another process wrote first."""
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self._key).encrypt(nonce, secret, name.encode())
        content = json.dumps({"nonce": nonce.hex(), "sealed": sealed.hex()}).encode()
        with self._lock:
            write_file(self._path(name), content, replace=False)
        held = self.get(name)
        return held if held is not None else secret

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{_checked(name)}.json"


def open_box(home: Path, keys: KeyProvider) -> SecretsBox:
    """The box that fits where the master key lies: keyring beside keyring, else encrypted files inside the home."""
    if isinstance(keys, KeyringKeyProvider):
        return KeyringBox(home, keys.backend)
    return EncryptedFileBox(home, keys.master_key(home, create=False))


def seal_keys(box: SecretsBox) -> SealPair:
    """The home's seal pair, made and kept at the first call."""
    private_key = box.get(SEAL_NAME)
    if private_key is not None:
        return seal_pair(private_key)
    pair = generate_seal_pair()
    if isinstance(box, EncryptedFileBox):
        return seal_pair(box.put_if_absent(SEAL_NAME, pair.private_key))
    box.put(SEAL_NAME, pair.private_key)
    held = box.get(SEAL_NAME)
    return seal_pair(held) if held is not None else pair


def _checked(name: str) -> str:
    if not name or len(name) > 64 or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        raise ValueError('"name" of a secret must be a short ASCII word')
    return name
