"""Keys of a library, derived from its master key, and AES-256-GCM. The one file of the store that knows cryptography."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class Damaged(Exception):
    """The bytes are not what was written, or the key is another one."""


def derive(master_key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose (RFC 5869, expand only: the master key is uniformly random)."""
    if len(master_key) != KEY_BYTES:
        raise ValueError(f'"master_key" must have {KEY_BYTES} bytes')
    return HKDFExpand(SHA256(), KEY_BYTES, f"ekinshi/{purpose}/1".encode()).derive(master_key)


def encrypt(key: bytes, nonce: bytes, plain: bytes | memoryview, bound_to: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, plain, bound_to)


def decrypt(key: bytes, nonce: bytes, sealed: bytes | memoryview, bound_to: bytes) -> bytes:
    """Raises :class:`Damaged`."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, bound_to)
    except InvalidTag:
        raise Damaged from None


def decrypt_into(key: bytes, nonce: bytes, sealed: bytes | memoryview, bound_to: bytes, out: bytearray | memoryview) -> int:
    """Plain bytes into ``out``, which must be exactly as long. Raises :class:`Damaged`; ``out`` is worthless then."""
    try:
        return AESGCM(key).decrypt_into(nonce, sealed, bound_to, out)
    except InvalidTag:
        raise Damaged from None


def keyed_name(key: bytes, digest: bytes) -> str:
    """Name of the object with this SHA-256: the same here for the same content, without telling it to an onlooker."""
    return hmac.new(key, digest, hashlib.sha256).hexdigest()
