"""A thin, bounded walker over a DICOM data set: bytes in, raw values of the wanted tags out, no pixels.

It is strict on purpose: whatever looks odd raises :class:`OddHeader` and pydicom arbitrates (``header.py``). Nothing here
trusts a length: every value lies inside the file, nesting and sizes are limited (PS3.5 7.1 to 7.5, PS3.10 7.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache

from app.dicom import tags
from app.dicom.raw_items import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Layout,
    NeedMore,
    NotDicom,
    OddHeader,
    PixelElement,
    RawDataset,
    RawFile,
    charset_terms,
    is_sequence,
    parse_items,
    swapped,
)

Fetch = Callable[[int, int], bytes]
"""``fetch(offset, length)``; shorter at the end of the file."""

FIRST_READ = 8192
MAX_VALUE = 256 << 20


@lru_cache(maxsize=32)
def _wanted_map(wanted: frozenset[int], little: bool) -> dict[int, int]:
    """Key as one integer reads it from the file -> tag. Little endian keys have group and element swapped."""
    return {swapped(t): t for t in wanted} if little else {t: t for t in wanted}


def _walk(fetch: Fetch, size: int, start: int, layout: Layout, wanted: frozenset[int], found: RawFile) -> None:
    """Top level: fills ``found`` until the pixel element, the end of the file or something odd."""
    keep = _wanted_map(wanted, layout.little)
    pixel_keys = {(swapped(t) if layout.little else t): t for t in tags.PIXEL_KEYWORDS}
    values, dataset = found.dataset.values, found.dataset
    explicit, head, plain, unpack_length = layout.explicit, layout.head.unpack_from, layout.plain.unpack_from, layout.length
    base, data = start, fetch(start, FIRST_READ)
    pos, end = 0, len(data)
    charset_key = swapped(tags.SPECIFIC_CHARACTER_SET) if layout.little else tags.SPECIFIC_CHARACTER_SET
    short_vrs = SHORT_VRS
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
            if vr in SHORT_VRS:
                value = pos + 8
            elif vr in LONG_VRS:
                if pos + 12 > end:
                    found.truncated = True
                    return
                (n,) = unpack_length.unpack_from(data, pos + 8)
                value = pos + 12
            else:
                value, n = _unknown_vr(fetch, base + pos, size, layout)
                value, vr = value - base, b"UN"
                if "dicom.repaired.structure" not in found.notes:
                    found.notes.append("dicom.repaired.structure")
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
            if (n == UNDEFINED or tag is not None) and is_sequence(vr, n, data, value, layout):
                inner = IMPLICIT_LITTLE if vr == b"UN" else layout
                while True:
                    try:
                        items, pos = parse_items(data, value, end, n, inner, dataset.charsets, 1, tag is not None)
                        break
                    except NeedMore:
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


def _unknown_vr(fetch: Fetch, start: int, size: int, layout: Layout) -> tuple[int, int]:
    """Where the value of an element of an unknown VR begins and its length: the way of counting that leads to a known one.

    Two capitals may be a VR of a later edition, with a long length (PS3.5 6.2); others are blanks of careless writers.
    """
    head = fetch(start, 12)
    ways = []
    if len(head) == 12:
        (count,) = layout.length.unpack_from(head, 8)
        ways.append((start + 12, count))
    ways.append((start + 8, int.from_bytes(head[6:8], "little" if layout.little else "big")))
    key = layout.head.unpack_from(head)[0]
    for value, count in ways if head[4:6].isalpha() and head[4:6].isupper() else ways[::-1]:
        following = fetch(value + count, 8) if value + count <= size else b""
        if len(following) == 8:
            after, vr, _ = layout.head.unpack_from(following)
            later = swapped(after) > swapped(key) if layout.little else after > key
            if later and (vr in SHORT_VRS or vr in LONG_VRS):
                return value, count
    raise OddHeader("unknown VR")


def _read_meta(data: bytes, pos: int) -> tuple[dict[int, bytes], int]:
    """File meta information: always explicit little endian, ended by the first other group (its length may lie)."""
    values: dict[int, bytes] = {}
    head, long_length = EXPLICIT_LITTLE.head.unpack_from, EXPLICIT_LITTLE.length.unpack_from
    end = len(data)
    while pos + 8 <= end and data[pos] == 2 and data[pos + 1] == 0:
        key, vr, n = head(data, pos)
        if vr in SHORT_VRS:
            value = pos + 8
        elif vr in LONG_VRS and pos + 12 <= end:
            (n,) = long_length(data, pos + 8)
            value = pos + 12
        else:
            raise OddHeader("file meta information is not explicit")
        if value + n > end:
            raise OddHeader("file meta information is cut")
        values[swapped(key)] = data[value : value + n]
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
        if vr in LONG_VRS:
            (n,) = long_length(data, pos + 8)
            value = pos + 12
            if value == end:
                return found
            if n == UNDEFINED:
                try:
                    _, pos = parse_items(data, value, end, n, EXPLICIT_LITTLE, (), 1, False)
                except (NeedMore, OddHeader):
                    return None
                continue
        elif vr not in SHORT_VRS:
            return None
        if value + n > end:
            return None
        found.append((swapped(key), value, value + n))
        pos = value + n
    return found if pos == end else None


def guess_layout(data: bytes) -> Layout | None:
    """Layout of a bare data set from its first element, or None when nothing fits."""
    if len(data) < 8:
        return None
    little_group = data[0] | data[1] << 8
    big_group = data[0] << 8 | data[1]
    vr = data[4:6]
    known_vr = vr in SHORT_VRS or vr in LONG_VRS
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


def _other_syntax(head: bytes, syntax: str) -> str:
    """What the first element says where it cannot be what an uncompressed file states; empty where the two agree."""
    if syntax not in (IMPLICIT_UID, EXPLICIT_UID, BIG_ENDIAN_UID, DEFLATED_UIDS[0]):
        return ""
    layout = guess_layout(head)
    if layout is EXPLICIT_LITTLE and syntax != EXPLICIT_UID:
        return EXPLICIT_UID
    return BIG_ENDIAN_UID if layout is EXPLICIT_BIG and syntax != BIG_ENDIAN_UID else ""


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
        really = _other_syntax(first[start : start + 16], syntax)
        if really:
            found.notes.append("dicom.repaired.wrong_syntax")
            found.transfer_syntax_uid = syntax = really
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
