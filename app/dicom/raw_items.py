"""Pieces of a data set: raw values by tag, the layouts of elements, sequences with their items (PS3.5 7.1 to 7.5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from app.dicom import tags

RawValue: TypeAlias = "bytes | list[RawDataset]"

MAX_DEPTH = 32
UNDEFINED = 0xFFFFFFFF

SHORT_VRS = frozenset(
    v.encode()
    for v in (
        [
            "AE",
            "AS",
            "AT",
            "CS",
            "DA",
            "DS",
            "DT",
            "FD",
            "FL",
            "IS",
            "LO",
            "LT",
            "PN",
            "SH",
            "SL",
            "SS",
            "ST",
            "TM",
            "UI",
            "UL",
            "US",
        ]
    )
)
LONG_VRS = frozenset(v.encode() for v in (["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]))


class OddHeader(Exception):
    """The structure is not what PS3.5 says; the reason is a short English phrase for the log."""


class NotDicom(Exception):
    """Nothing in the first bytes looks like a data set."""


class NeedMore(Exception):
    """The buffer ends inside an element."""


@dataclass(slots=True)
class RawDataset:
    """Raw values by tag; numbers still in the byte order of the file."""

    values: dict[int, RawValue] = field(default_factory=dict)
    little: bool = True
    charsets: tuple[str, ...] = ()

    def raw(self, tag: int) -> bytes:
        value = self.values.get(tag)
        return value if type(value) is bytes else b""

    def items(self, tag: int) -> list[RawDataset]:
        value = self.values.get(tag)
        return value if type(value) is list else []

    def first(self, tag: int) -> RawDataset | None:
        found = self.items(tag)
        return found[0] if found else None


@dataclass(slots=True)
class PixelElement:
    tag: int
    vr: str
    """Empty for implicit VR."""
    offset: int
    """Of the value, in the data set's own bytes (the file, or the inflated stream)."""
    length: int | None
    """None when undefined: encapsulated."""


@dataclass(slots=True)
class RawFile:
    """One pass over a file's header."""

    dataset: RawDataset
    transfer_syntax_uid: str
    has_preamble: bool
    pixel: PixelElement | None = None
    truncated: bool = False
    """The file ends inside an element."""
    size: int = 0
    """Bytes of the file, or of the inflated data set."""
    inflated: bytes | None = field(default=None, repr=False)
    notes: list[str] = field(default_factory=list)
    """Message ids of repairs."""


def swapped(tag: int) -> int:
    return (tag & 0xFFFF) << 16 | tag >> 16


_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class Layout:
    """How elements are laid out, with the structs of one byte order."""

    __slots__ = ("explicit", "head", "item", "item_end", "length", "little", "plain", "sequence_end")

    def __init__(self, explicit: bool, little: bool) -> None:
        order = "<" if little else ">"
        self.explicit = explicit
        self.little = little
        self.head = struct.Struct(order + "I2sH")
        self.plain = struct.Struct(order + "II")
        self.length = struct.Struct(order + "I")
        self.item, self.item_end, self.sequence_end = (
            (swapped(t) if little else t) for t in (_ITEM, _ITEM_END, _SEQUENCE_END)
        )


EXPLICIT_LITTLE = Layout(True, True)
IMPLICIT_LITTLE = Layout(False, True)
EXPLICIT_BIG = Layout(True, False)


def _element_head(data: bytes, pos: int, end: int, layout: Layout) -> tuple[int, bytes, int, int]:
    """(key, vr, length, position of the value) of a nested element."""
    if pos + 8 > end:
        raise NeedMore
    if not layout.explicit:
        key, n = layout.plain.unpack_from(data, pos)
        return key, b"", n, pos + 8
    key, vr, n = layout.head.unpack_from(data, pos)
    if vr in SHORT_VRS:
        return key, vr, n, pos + 8
    if vr in LONG_VRS:
        if pos + 12 > end:
            raise NeedMore
        return key, vr, layout.length.unpack_from(data, pos + 8)[0], pos + 12
    if key in (layout.item_end, layout.item, layout.sequence_end):
        return key, b"", layout.length.unpack_from(data, pos + 4)[0], pos + 8
    raise OddHeader(f"unknown VR {vr!r}")


def _tag_of(key: int, layout: Layout) -> int:
    return swapped(key) if layout.little else key


_SEQUENCE_GUESS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")


def is_sequence(vr: bytes, n: int, data: bytes, pos: int, layout: Layout) -> bool:
    if vr == b"SQ":
        return True
    if vr not in (b"", b"UN"):
        return False
    if n == UNDEFINED:
        return True
    return not vr and n >= 8 and data[pos : pos + 4] == _SEQUENCE_GUESS[0 if layout.little else 1]


def parse_items(
    data: bytes, pos: int, end: int, length: int, layout: Layout, charsets: tuple[str, ...], depth: int, keep: bool
) -> tuple[list[RawDataset], int]:
    """Items of a sequence whose value starts at ``pos``; returns them and the position after the sequence."""
    if depth > MAX_DEPTH:
        raise OddHeader("sequences nested too deep")
    limit = end if length == UNDEFINED else pos + length
    if limit > end:
        raise NeedMore
    found: list[RawDataset] = []
    plain = layout.plain
    while pos < limit:
        if pos + 8 > limit:
            if length == UNDEFINED:
                raise NeedMore
            raise OddHeader("sequence ends inside an item header")
        key, n = plain.unpack_from(data, pos)
        pos += 8
        if key == layout.sequence_end:
            return found, pos
        if key != layout.item:
            raise OddHeader("no item where one must be")
        item = RawDataset({}, layout.little, charsets)
        if n == UNDEFINED:
            pos = _parse_item(data, pos, limit, layout, item, depth, True, keep)
        else:
            stop = pos + n
            if stop > limit:
                if length == UNDEFINED:
                    raise NeedMore
                raise OddHeader("item longer than its sequence")
            try:
                pos = _parse_item(data, pos, stop, layout, item, depth, False, keep)
            except NeedMore:
                raise OddHeader("element longer than its item") from None
        if keep:
            found.append(item)
    if length == UNDEFINED:
        raise NeedMore
    return found, pos


def _parse_item(
    data: bytes, pos: int, end: int, layout: Layout, item: RawDataset, depth: int, delimited: bool, keep: bool
) -> int:
    values = item.values
    while pos < end:
        key, vr, n, pos = _element_head(data, pos, end, layout)
        if key == layout.item_end:
            if delimited:
                return pos
            continue
        if is_sequence(vr, n, data, pos, layout):
            inner = IMPLICIT_LITTLE if vr == b"UN" else layout
            found, pos = parse_items(data, pos, end, n, inner, item.charsets, depth + 1, keep)
            if keep:
                values[_tag_of(key, layout)] = found
            continue
        if n == UNDEFINED:
            pos = _skip_fragments(data, pos, end, layout)
            continue
        stop = pos + n
        if stop > end:
            raise NeedMore
        if keep:
            tag = _tag_of(key, layout)
            values[tag] = data[pos:stop]
            if tag == tags.SPECIFIC_CHARACTER_SET:
                item.charsets = charset_terms(data[pos:stop])
        pos = stop
    if delimited:
        raise NeedMore
    return pos


def _skip_fragments(data: bytes, pos: int, end: int, layout: Layout) -> int:
    """Past the fragments of an encapsulated value inside an item (an icon)."""
    while True:
        if pos + 8 > end:
            raise NeedMore
        key, n = layout.plain.unpack_from(data, pos)
        pos += 8
        if key == layout.sequence_end:
            return pos
        if key != layout.item or n == UNDEFINED:
            raise OddHeader("broken fragment")
        pos += n


@lru_cache(maxsize=64)
def charset_terms(raw: bytes) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.decode("ascii", "replace").rstrip("\0 ").split("\\"))
