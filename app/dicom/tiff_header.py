"""The directories of a TIFF file (TIFF 6.0), and of the EXIF block that cameras put into other files: bounded, no pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from app.domain.problem import fail

MAX_PAGES = 2000
_MAX_ENTRIES = 4096
_MAX_VALUES = 4096
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_FORMS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
ORIENTATION, SAMPLES, X_RESOLUTION, Y_RESOLUTION, PLANAR = 274, 277, 282, 283, 284
COLOUR_MAP, EXTRA_SAMPLES, SAMPLE_FORMAT = 320, 338, 339
ICC_PROFILE = 34675
EXIF_DIRECTORY, DATE_TIME, DATE_TIME_ORIGINAL, SUBFILE = 34665, 306, 36867, 254


@dataclass(frozen=True)
class Directory:
    """Numbers and texts by tag; what is longer than we need is left out."""

    numbers: dict[int, tuple[float, ...]] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    """(offset, bytes) of every value that lies outside its entry, inside the file or not."""

    def first(self, tag: int, default: float) -> float:
        values = self.numbers.get(tag, ())
        return values[0] if values else default

    def whole(self, tag: int, default: int) -> int:
        return int(self.first(tag, default))


@dataclass(frozen=True)
class _Form:
    """Classic TIFF counts in 4 bytes, BigTIFF in 8."""

    order: str
    big: bool = False

    def offset(self, data: bytes, at: int) -> int:
        size = 8 if self.big else 4
        if at + size > len(data):
            raise fail("picture.broken", reason="TIFF")
        return int(struct.unpack_from(f"{self.order}{'Q' if self.big else 'I'}", data, at)[0])


_KINDS = {b"II*\0": _Form("<"), b"MM\0*": _Form(">"), b"II+\0": _Form("<", True), b"MM\0+": _Form(">", True)}


def is_cut(data: bytes, directory: Directory) -> bool:
    """A strip or tile, or the table of them, lies beyond the end: decoders leave such a place black."""
    for offsets, counts in ((273, 279), (324, 325)):
        for tag in (offsets, counts):
            where, size = directory.places.get(tag, (0, 0))
            if where + size > len(data):
                return True
        pairs = zip(directory.numbers.get(offsets, ()), directory.numbers.get(counts, ()), strict=False)
        if any(at + n > len(data) for at, n in pairs):
            return True
    return False


def is_tiff(head: bytes) -> bool:
    return head[:4] in _KINDS


def directories(data: bytes, most: int = MAX_PAGES) -> list[Directory]:
    """The chain of image directories. Raises ``picture.broken`` or ``picture.too_many_pages``."""
    form = _KINDS.get(data[:4])
    if form is None or (form.big and data[4:8] != struct.pack(f"{form.order}HH", 8, 0)):
        raise fail("picture.broken", reason="TIFF")
    found: list[Directory] = []
    seen: set[int] = set()
    offset = form.offset(data, 8 if form.big else 4)
    while offset:
        if offset in seen:
            raise fail("picture.broken", reason="TIFF loop")
        seen.add(offset)
        if len(found) >= most:
            raise fail("picture.too_many_pages", limit=most)
        directory, offset = _directory(data, offset, form)
        found.append(directory)
    if not found:
        raise fail("picture.broken", reason="TIFF")
    return found


def exif(block: bytes) -> Directory:
    """The first directory of an EXIF block with the date of the picture; empty when the block is none."""
    try:
        form = _Form("<" if block[:2] == b"II" else ">")
        main, _ = _directory(block, form.offset(block, 4), form)
        at = main.whole(EXIF_DIRECTORY, 0)
        inner = _directory(block, at, form)[0] if at else Directory()
    except Exception:  # damaged remarks of a camera are no reason to refuse its picture
        return Directory()
    return Directory({**inner.numbers, **main.numbers}, {**main.texts, **inner.texts})


def _directory(data: bytes, at: int, form: _Form) -> tuple[Directory, int]:
    order, big = form.order, form.big
    head, width, inside = (8, 20, 8) if big else (2, 12, 4)
    if at + head > len(data):
        raise fail("picture.broken", reason="TIFF")
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, at)
    end = at + head + width * count
    if count > _MAX_ENTRIES or end + inside > len(data):
        raise fail("picture.broken", reason="TIFF")
    found = Directory()
    for entry in range(count):
        place = at + head + width * entry
        tag, kind, number = struct.unpack_from(f"{order}HH{'Q' if big else 'I'}", data, place)
        size = _SIZES.get(kind, 0) * number
        where = place + width - inside
        if size > inside:
            where = form.offset(data, where)
            found.places[tag] = (where, size)
        if not size or number > _MAX_VALUES or where + size > len(data):
            continue
        if kind == 2:
            found.texts[tag] = data[where : where + size].split(b"\0")[0].decode("ascii", "replace")
        elif kind in (5, 10):
            parts = struct.unpack_from(f"{order}{2 * number}{'I' if kind == 5 else 'i'}", data, where)
            found.numbers[tag] = tuple(a / b if b else 0.0 for a, b in zip(parts[::2], parts[1::2], strict=True))
        elif kind in _FORMS:
            found.numbers[tag] = struct.unpack_from(f"{order}{number}{_FORMS[kind]}", data, where)
    return found, form.offset(data, end)
