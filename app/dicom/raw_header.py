"""A thin, bounded walker over a DICOM data set: bytes in, raw values of the wanted tags out, no pixels.

It is strict on purpose: whatever looks odd raises :class:`OddHeader` and pydicom arbitrates (``header.py``). Nothing here
trusts a length: every value lies inside the file, nesting and sizes are limited (PS3.5 7.1 to 7.5, PS3.10 7.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from app.dicom import tags

Fetch = Callable[[int, int], bytes]
"""``fetch(offset, length)``; shorter at the end of the file."""

RawValue: TypeAlias = "bytes | list[RawDataset]"

FIRST_READ = 8192
MAX_DEPTH = 32
MAX_VALUE = 256 << 20
UNDEFINED = 0xFFFFFFFF

_SHORT_VRS = frozenset(
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
_LONG_VRS = frozenset(v.encode() for v in (["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]))


class OddHeader(Exception):
    """The structure is not what PS3.5 says; the reason is a short English phrase for the log."""


class NotDicom(Exception):
    """Nothing in the first bytes looks like a data set."""


class _NeedMore(Exception):
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


def _swapped(tag: int) -> int:
    return (tag & 0xFFFF) << 16 | tag >> 16


@lru_cache(maxsize=32)
def _wanted_map(wanted: frozenset[int], little: bool) -> dict[int, int]:
    """Key as one integer reads it from the file -> tag. Little endian keys have group and element swapped."""
    return {_swapped(t): t for t in wanted} if little else {t: t for t in wanted}


_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class _Layout:
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
            (_swapped(t) if little else t) for t in (_ITEM, _ITEM_END, _SEQUENCE_END)
        )


EXPLICIT_LITTLE = _Layout(True, True)
IMPLICIT_LITTLE = _Layout(False, True)
EXPLICIT_BIG = _Layout(True, False)


def _element_head(data: bytes, pos: int, end: int, layout: _Layout) -> tuple[int, bytes, int, int]:
    """(key, vr, length, position of the value) of a nested element."""
    if pos + 8 > end:
        raise _NeedMore
    if not layout.explicit:
        key, n = layout.plain.unpack_from(data, pos)
        return key, b"", n, pos + 8
    key, vr, n = layout.head.unpack_from(data, pos)
    if vr in _SHORT_VRS:
        return key, vr, n, pos + 8
    if vr in _LONG_VRS:
        if pos + 12 > end:
            raise _NeedMore
        return key, vr, layout.length.unpack_from(data, pos + 8)[0], pos + 12
    if key in (layout.item_end, layout.item, layout.sequence_end):
        return key, b"", layout.length.unpack_from(data, pos + 4)[0], pos + 8
    raise OddHeader(f"unknown VR {vr!r}")


def _tag_of(key: int, layout: _Layout) -> int:
    return _swapped(key) if layout.little else key


_SEQUENCE_GUESS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")


def _is_sequence(vr: bytes, n: int, data: bytes, pos: int, layout: _Layout) -> bool:
    if vr == b"SQ":
        return True
    if vr not in (b"", b"UN"):
        return False
    if n == UNDEFINED:
        return True
    return not vr and n >= 8 and data[pos : pos + 4] == _SEQUENCE_GUESS[0 if layout.little else 1]


def _parse_items(
    data: bytes, pos: int, end: int, length: int, layout: _Layout, charsets: tuple[str, ...], depth: int, keep: bool
) -> tuple[list[RawDataset], int]:
    """Items of a sequence whose value starts at ``pos``; returns them and the position after the sequence."""
    if depth > MAX_DEPTH:
        raise OddHeader("sequences nested too deep")
    limit = end if length == UNDEFINED else pos + length
    if limit > end:
        raise _NeedMore
    found: list[RawDataset] = []
    plain = layout.plain
    while pos < limit:
        if pos + 8 > limit:
            if length == UNDEFINED:
                raise _NeedMore
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
                    raise _NeedMore
                raise OddHeader("item longer than its sequence")
            try:
                pos = _parse_item(data, pos, stop, layout, item, depth, False, keep)
            except _NeedMore:
                raise OddHeader("element longer than its item") from None
        if keep:
            found.append(item)
    if length == UNDEFINED:
        raise _NeedMore
    return found, pos


def _parse_item(
    data: bytes, pos: int, end: int, layout: _Layout, item: RawDataset, depth: int, delimited: bool, keep: bool
) -> int:
    values = item.values
    while pos < end:
        key, vr, n, pos = _element_head(data, pos, end, layout)
        if key == layout.item_end:
            if delimited:
                return pos
            continue
        if _is_sequence(vr, n, data, pos, layout):
            inner = IMPLICIT_LITTLE if vr == b"UN" else layout
            found, pos = _parse_items(data, pos, end, n, inner, item.charsets, depth + 1, keep)
            if keep:
                values[_tag_of(key, layout)] = found
            continue
        if n == UNDEFINED:
            pos = _skip_fragments(data, pos, end, layout)
            continue
        stop = pos + n
        if stop > end:
            raise _NeedMore
        if keep:
            tag = _tag_of(key, layout)
            values[tag] = data[pos:stop]
            if tag == tags.SPECIFIC_CHARACTER_SET:
                item.charsets = charset_terms(data[pos:stop])
        pos = stop
    if delimited:
        raise _NeedMore
    return pos


def _skip_fragments(data: bytes, pos: int, end: int, layout: _Layout) -> int:
    """Past the fragments of an encapsulated value inside an item (an icon)."""
    while True:
        if pos + 8 > end:
            raise _NeedMore
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


def _walk(fetch: Fetch, size: int, start: int, layout: _Layout, wanted: frozenset[int], found: RawFile) -> None:
    """Top level: fills ``found`` until the pixel element, the end of the file or something odd."""
    keep = _wanted_map(wanted, layout.little)
    pixel_keys = {(_swapped(t) if layout.little else t): t for t in tags.PIXEL_KEYWORDS}
    values, dataset = found.dataset.values, found.dataset
    explicit, head, plain, unpack_length = layout.explicit, layout.head.unpack_from, layout.plain.unpack_from, layout.length
    base, data = start, fetch(start, FIRST_READ)
    pos, end = 0, len(data)
    charset_key = _swapped(tags.SPECIFIC_CHARACTER_SET) if layout.little else tags.SPECIFIC_CHARACTER_SET
    short_vrs = _SHORT_VRS
    while base + pos < size:
        if explicit:
            # Nearly all elements: a short VR that lies in the buffer. Everything else falls through to the careful part.
            last = end - 12
            while pos <= last:
                key, vr, n = head(data, pos)
                if vr not in short_vrs:
                    break
                stop = pos + 8 + n
                if stop > end:
                    break
                if key in keep:
                    values[keep[key]] = data[pos + 8 : stop]
                    if key == charset_key:
                        dataset.charsets = charset_terms(data[pos + 8 : stop])
                pos = stop
            if base + pos >= size:
                return
        if pos + 12 > end and base + end < size:
            base, data = base + pos, fetch(base + pos, FIRST_READ)
            pos, end = 0, len(data)
        if pos + 8 > end:
            found.truncated = True
            return
        if explicit:
            key, vr, n = head(data, pos)
            if vr in _SHORT_VRS:
                value = pos + 8
            elif vr in _LONG_VRS:
                if pos + 12 > end:
                    found.truncated = True
                    return
                (n,) = unpack_length.unpack_from(data, pos + 8)
                value = pos + 12
            else:
                raise OddHeader("unknown VR")
        else:
            key, n = plain(data, pos)
            vr = b""
            value = pos + 8
        tag = keep.get(key)
        if n == UNDEFINED or vr == b"SQ" or (not vr and (tag is not None or n >= 8)):
            if key in pixel_keys:
                found.pixel = PixelElement(pixel_keys[key], vr.decode(), base + value, None if n == UNDEFINED else n)
                return
            if n != UNDEFINED and value + n > end and base + value + n <= size and tag is not None:
                base, data = base + pos, fetch(base + pos, value - pos + n)
                value, pos, end = value - pos, 0, len(data)
            if (n == UNDEFINED or tag is not None) and _is_sequence(vr, n, data, value, layout):
                inner = IMPLICIT_LITTLE if vr == b"UN" else layout
                while True:
                    try:
                        items, pos = _parse_items(data, value, end, n, inner, dataset.charsets, 1, tag is not None)
                        break
                    except _NeedMore:
                        if base + end >= size or end - pos > MAX_VALUE:
                            found.truncated = True
                            return
                        base, data = base + pos, fetch(base + pos, max(4 * (end - pos), 4 * FIRST_READ))
                        value, pos, end = value - pos, 0, len(data)
                if tag is not None:
                    values[tag] = items
                continue
            if n == UNDEFINED:
                raise OddHeader("undefined length where none may be")
        elif key in pixel_keys:
            found.pixel = PixelElement(pixel_keys[key], vr.decode(), base + value, n)
            return
        stop = value + n
        if stop > end:
            if base + stop > size:
                found.truncated = True
                return
            if tag is None or n > MAX_VALUE:
                base, data = base + stop, fetch(base + stop, FIRST_READ)
                pos, end = 0, len(data)
                continue
            base, data = base + value, fetch(base + value, n + FIRST_READ)
            value, stop, end = 0, n, len(data)
        if tag is not None:
            values[tag] = data[value:stop]
            if tag == tags.SPECIFIC_CHARACTER_SET:
                dataset.charsets = charset_terms(data[value:stop])
        pos = stop


def _read_meta(data: bytes, pos: int) -> tuple[dict[int, bytes], int]:
    """File meta information: always explicit little endian, ended by the first other group (its length may lie)."""
    values: dict[int, bytes] = {}
    head, long_length = EXPLICIT_LITTLE.head.unpack_from, EXPLICIT_LITTLE.length.unpack_from
    end = len(data)
    while pos + 8 <= end and data[pos] == 2 and data[pos + 1] == 0:
        key, vr, n = head(data, pos)
        if vr in _SHORT_VRS:
            value = pos + 8
        elif vr in _LONG_VRS and pos + 12 <= end:
            (n,) = long_length(data, pos + 8)
            value = pos + 12
        else:
            raise OddHeader("file meta information is not explicit")
        if value + n > end:
            raise OddHeader("file meta information is cut")
        values[_swapped(key)] = data[value : value + n]
        pos = value + n
    return values, pos


def short_vr_spans(data: bytes, end: int) -> list[tuple[int, int, int]] | None:
    """(tag, start, stop) of every value from the file meta information to ``end``, explicit little endian.

    Values of sequences with undefined length are left out (they count as heads). None when anything is odd.
    """
    pos = 132
    found: list[tuple[int, int, int]] = []
    head, long_length = EXPLICIT_LITTLE.head.unpack_from, EXPLICIT_LITTLE.length.unpack_from
    while pos + 8 <= end:
        key, vr, n = head(data, pos)
        value = pos + 8
        if vr in _LONG_VRS:
            (n,) = long_length(data, pos + 8)
            value = pos + 12
            if value == end:
                return found
            if n == UNDEFINED:
                try:
                    _, pos = _parse_items(data, value, end, n, EXPLICIT_LITTLE, (), 1, False)
                except (_NeedMore, OddHeader):
                    return None
                continue
        elif vr not in _SHORT_VRS:
            return None
        if value + n > end:
            return None
        found.append((_swapped(key), value, value + n))
        pos = value + n
    return found if pos == end else None


def guess_layout(data: bytes) -> _Layout | None:
    """Layout of a bare data set from its first element, or None when nothing fits."""
    if len(data) < 8:
        return None
    little_group = data[0] | data[1] << 8
    big_group = data[0] << 8 | data[1]
    vr = data[4:6]
    known_vr = vr in _SHORT_VRS or vr in _LONG_VRS
    if little_group in (2, 4, 8, 16) and known_vr:
        return EXPLICIT_LITTLE
    if big_group in (2, 4, 8, 16) and known_vr:
        return EXPLICIT_BIG
    (n,) = struct.unpack_from("<I", data, 4)
    if little_group in (2, 4, 8, 16) and n < 4096:
        return IMPLICIT_LITTLE
    return None


_SYNTAX_LAYOUT = {"1.2.840.10008.1.2": IMPLICIT_LITTLE, "1.2.840.10008.1.2.2": EXPLICIT_BIG}
IMPLICIT_UID = "1.2.840.10008.1.2"
EXPLICIT_UID = "1.2.840.10008.1.2.1"
BIG_ENDIAN_UID = "1.2.840.10008.1.2.2"
DEFLATED_UIDS = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1")


def read_raw(
    fetch: Fetch, size: int, wanted: frozenset[int] = tags.HEADER_TAGS, inflate: Callable[[bytes], bytes] | None = None
) -> RawFile:
    """One pass over a header. Raises :class:`NotDicom` or :class:`OddHeader`; never reads the pixels.

    ``fetch`` may cover a file of any size; ``inflate`` turns the rest of a deflated file into a plain data set.
    """
    first = fetch(0, FIRST_READ)
    if first[128:132] == b"DICM":
        meta, start = _read_meta(first, 132)
        has_preamble = True
        syntax = meta.get(tags.TRANSFER_SYNTAX_UID, b"").rstrip(b"\0 ").decode("ascii", "replace").strip()
    else:
        layout = guess_layout(first)
        if layout is None:
            raise NotDicom
        has_preamble = False
        start, meta, syntax = 0, {}, ""
        if first[:2] == b"\x02\x00" and layout is EXPLICIT_LITTLE:
            meta, start = _read_meta(first, 0)
            syntax = meta.get(tags.TRANSFER_SYNTAX_UID, b"").rstrip(b"\0 ").decode("ascii", "replace").strip()
    found = RawFile(RawDataset(), syntax, has_preamble, size=size)
    for tag, raw in meta.items():
        found.dataset.values[tag] = raw
    if not syntax:
        layout = guess_layout(first[start : start + 16])
        if layout is None:
            if start >= size:
                found.truncated = True
                return found
            raise OddHeader("no transfer syntax")
        uid = IMPLICIT_UID if layout is IMPLICIT_LITTLE else EXPLICIT_UID if layout is EXPLICIT_LITTLE else BIG_ENDIAN_UID
        found.transfer_syntax_uid = uid
        found.notes.append("dicom.repaired.transfer_syntax" if has_preamble else "dicom.repaired.no_preamble")
    else:
        layout = _SYNTAX_LAYOUT.get(syntax, EXPLICIT_LITTLE)
        if syntax in DEFLATED_UIDS[:1]:
            if inflate is None:
                raise OddHeader("deflated")
            plain = inflate(fetch(start, size - start))
            found.inflated, found.size = plain, len(plain)
            found.dataset.little = True
            _walk(lambda o, n: plain[o : o + n], len(plain), 0, layout, wanted, found)
            return found
    found.dataset.little = layout.little
    if start < size:
        # The pass before read FIRST_READ bytes at 0; serving the walker from them saves a second read per file.
        length = len(first)

        def cached(offset: int, n: int) -> bytes:
            if offset + 12 <= length and n == FIRST_READ:
                return first[offset:]
            return fetch(offset, n)

        _walk(cached, size, start, layout, wanted, found)
    return found
