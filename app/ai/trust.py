"""Whose packages are accepted: the list that ships with the program and the hospital's own list beside it.

Both are JSON files ``{"schema": 1, "keys": [{"name", "public_key" (hex), "valid_until" (ISO date or ""), "revoked"}],
"revoked_packages": [digest]}``. The lists add up; a revocation in either wins.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.ai.plain import PlainError, canonical_json, from_plain, strict_json, to_plain
from app.domain.problem import ProblemError, fail

_SIGNED_WORDS = b"ekinshi package manifest 1\n"
"""Put before the manifest when it is signed, so that the signature means nothing anywhere else."""


@dataclass(frozen=True)
class TrustedKey:
    name: str
    public_key: str
    """32 bytes of Ed25519 as 64 hex digits."""
    valid_until: str = ""
    """Last day, YYYY-MM-DD; empty: no end."""
    revoked: bool = False

    def __post_init__(self) -> None:
        if len(bytes.fromhex(self.public_key)) != 32:
            raise ValueError('"public_key" must be 32 bytes as hex')
        if self.valid_until:
            datetime.strptime(self.valid_until, "%Y-%m-%d")

    @property
    def key_id(self) -> str:
        return key_id(bytes.fromhex(self.public_key))


@dataclass(frozen=True)
class TrustList:
    schema: int = 1
    keys: tuple[TrustedKey, ...] = ()
    revoked_packages: tuple[str, ...] = ()

    def joined(self, other: TrustList) -> TrustList:
        return TrustList(1, self.keys + other.keys, self.revoked_packages + other.revoked_packages)


@dataclass(frozen=True)
class Signature:
    key_id: str
    signature: str


@dataclass(frozen=True)
class SignatureFile:
    """A manifest may be signed by its publisher and by a hospital; one trusted, unbroken signature is enough."""

    schema: int
    signatures: tuple[Signature, ...]


def key_id(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


def read_trust(*paths: Path | None) -> TrustList:
    """The lists joined. A list that is not there adds nothing; one that cannot be read is a problem, told by name."""
    trust = TrustList()
    for path in paths:
        if path is None or not path.exists():
            continue
        try:
            one = from_plain(TrustList, strict_json(path.read_bytes()))
        except (OSError, PlainError) as error:
            raise fail("ai.trust.unreadable", name=path.name) from error
        if one.schema != 1:
            raise fail("ai.trust.unreadable", name=path.name)
        trust = trust.joined(one)
    return trust


def write_trust(path: Path, trust: TrustList) -> None:
    import json

    path.write_text(json.dumps(to_plain(trust), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def sign_manifest(manifest: bytes, private_key: bytes) -> bytes:
    """The SIGNATURE member for canonical manifest bytes; ``private_key`` is 32 raw bytes of Ed25519."""
    from app.security.package_signing import public_key_of, sign

    signature = sign(private_key, _SIGNED_WORDS + manifest)
    return canonical_json(to_plain(SignatureFile(1, (Signature(key_id(public_key_of(private_key)), signature.hex()),))))


def check_signature(manifest: bytes, signature_file: bytes, trust: TrustList, today: str = "") -> TrustedKey:
    """The trusted key that signed. Raises ``ai.package.{bad_signature,untrusted,key_expired,key_revoked,revoked}``."""
    if hashlib.sha256(manifest).hexdigest() in trust.revoked_packages:
        raise fail("ai.package.revoked")
    try:
        signatures = from_plain(SignatureFile, strict_json(signature_file))
        pairs = [(s.key_id, bytes.fromhex(s.signature)) for s in signatures.signatures]
    except (PlainError, ValueError) as error:
        raise fail("ai.package.bad_signature") from error
    if signatures.schema != 1 or not 1 <= len(pairs) <= 8:
        raise fail("ai.package.bad_signature")
    day = today or datetime.now(UTC).strftime("%Y-%m-%d")
    reason: ProblemError = fail("ai.package.untrusted")
    for one_id, signature in pairs:
        known = [key for key in trust.keys if key.key_id == one_id]
        if not known:
            continue
        key = known[0]
        if not _verifies(bytes.fromhex(key.public_key), _SIGNED_WORDS + manifest, signature):
            raise fail("ai.package.bad_signature")
        if any(k.revoked for k in known):
            reason = fail("ai.package.key_revoked", key=key.name)
        elif key.valid_until and day > key.valid_until:
            reason = fail("ai.package.key_expired", key=key.name, day=key.valid_until)
        else:
            return key
    raise reason


def _verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    from app.security.package_signing import verify

    return verify(public_key, message, signature)
