"""The seal: anyone may put something in, only the holder of the private key may look (X25519, HKDF-SHA-256, AES-256-GCM).

A blob is magic (8) | ephemeral public key (32) | sealed content. The content is padded to a size bucket before it is
encrypted, so that the length of a result does not tell how much was found.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.domain.problem import fail

KEY_BYTES = 32
SMALLEST_BUCKET_BYTES = 1 << 16
_MAGIC = b"EKSEAL1\n"
_LENGTH = struct.Struct(">Q")
_NONCE = bytes(12)  # every blob has a key of its own, from a fresh ephemeral pair


@dataclass(frozen=True)
class SealPair:
    """Raw X25519 keys of 32 bytes. The public one may be given to the worker, the private one to one module only."""

    public_key: bytes
    private_key: bytes = field(repr=False)


def generate_seal_pair() -> SealPair:
    return seal_pair(X25519PrivateKey.generate().private_bytes_raw())


def seal_pair(private_key: bytes) -> SealPair:
    """The pair of a stored private key."""
    return SealPair(X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw(), private_key)


def padded_size(size: int) -> int:
    """Bytes of content after padding: the next power of two, at least 64 KiB, in quarter steps above 1 MiB."""
    bucket = SMALLEST_BUCKET_BYTES
    while bucket < size:
        bucket *= 2
    if bucket <= 1 << 20:
        return bucket
    step = bucket // 8
    return -(-size // step) * step


def seal(public_key: bytes, plaintext: bytes) -> bytes:
    """Seals for the holder of the private key; whoever sealed cannot open it again."""
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    head = _MAGIC + public
    framed = _LENGTH.pack(len(plaintext)) + plaintext
    framed += bytes(padded_size(len(framed)) - len(framed))
    return head + AESGCM(_key(shared, public, public_key)).encrypt(_NONCE, framed, head)


def unseal(private_key: bytes, blob: bytes) -> bytes:
    """The content. Raises ``seal.damaged`` when a byte was changed or the blob is for another key."""
    head_size = len(_MAGIC) + KEY_BYTES
    head = blob[:head_size]
    if len(head) != head_size or not head.startswith(_MAGIC):
        raise _damaged()
    own = X25519PrivateKey.from_private_bytes(private_key)
    public = head[len(_MAGIC) :]
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(public))
        key = _key(shared, public, own.public_key().public_bytes_raw())
        framed = AESGCM(key).decrypt(_NONCE, memoryview(blob)[head_size:], head)
        (size,) = _LENGTH.unpack_from(framed)
    except (InvalidTag, ValueError, struct.error):
        raise _damaged() from None
    if size > len(framed) - _LENGTH.size:
        raise _damaged()
    return framed[_LENGTH.size : _LENGTH.size + size]


def _key(shared: bytes, ephemeral: bytes, receiver: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, None, b"ekinshi/seal/1" + ephemeral + receiver).derive(shared)


def _damaged() -> Exception:
    return fail("seal.damaged", kept_safe="safe.images_and_marks", next_step="next.read_again")
