"""pydicom's reading of a whole object, with what it cannot bear kept from it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

_PREFIX_END = 132
_LOOKED_AT = 64 << 10
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""Value representations with two empty bytes and a length of four (PS3.5 7.1.2)."""
_UNDEFINED = 0xFFFFFFFF


class OddFileMeta(ValueError):
    """A sequence stands in the file meta group, where the standard has none (PS3.10 7.1)."""


def data_set(source: bytes | Path, **options: Any) -> Any:
    """``pydicom.dcmread``; raises what that raises, and ``OddFileMeta``.

    pydicom makes text of what stands for the group length or the transfer syntax: of a deep sequence that takes for ever.
    """
    import pydicom

    if isinstance(source, Path):
        with source.open("rb") as file:
            _refuse_sequences(file.read(_LOOKED_AT))
        return pydicom.dcmread(source, **options)
    _refuse_sequences(source[:_LOOKED_AT])
    return pydicom.dcmread(io.BytesIO(source), **options)


def _refuse_sequences(head: bytes) -> None:
    at = _PREFIX_END if head[_PREFIX_END - 4 : _PREFIX_END] == b"DICM" else 0
    while head[at : at + 2] == b"\x02\x00" and at + 8 <= len(head):
        kind = head[at + 4 : at + 6]
        if kind in _LONG:
            length, value = int.from_bytes(head[at + 8 : at + 12], "little"), at + 12
        else:
            length, value = int.from_bytes(head[at + 6 : at + 8], "little"), at + 8
        if kind == b"SQ" or length == _UNDEFINED:
            raise OddFileMeta(f"a sequence at {at}")
        at = value + length
