"""UIDs that we make: 2.25. + UUIDv5, the same for the same content, so that a retry makes the same object."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122 namespace for OIDs


def uid_for(*parts: str) -> str:
    """Deterministic UID of the joined parts (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(31).join(parts)).int}"


def new_uid() -> str:
    """A random UID for things a person makes; stored before use."""
    return f"2.25.{uuid.uuid4().int}"
