"""The directories of a TIFF file (TIFF 6.0), and of the EXIF block that cameras put into other files: bounded, no pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from app.domain.problem import fail

MAX_PAGES = 2000
_MAX_ENTRIES = 4096
_MAX_VALUES = 4096
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_FORMS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d"}

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
ORIENTATION, SAMPLES, X_RESOLUTION, Y_RESOLUTION, PLANAR = 274, 277, 282, 283, 284
COLOUR_MAP, EXTRA_SAMPLES, SAMPLE_FORMAT = 320, 338, 339
EXIF_DIRECTORY, DATE_TIME, DATE_TIME_ORIGINAL, SUBFILE = 34665, 306, 36867, 254


@dataclass(frozen=True)
class Directory:
    """Numbers and texts by tag; what is longer than we need is left out."""

    numbers: dict[int, tuple[float, ...]] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)

    def first(self, tag: int, default: float) -> float:
        values = self.numbers.get(tag, ())
        return values[0] if values else default

    def whole(self, tag: int, default: int) -> int:
        return int(self.first(tag, default))


def directories(data: bytes, most: int = MAX_PAGES) -> list[Directory]:
    """The chain of image directories. Raises ``picture.broken`` or ``picture.too_many_pages``."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise fail("picture.broken", reason="TIFF")
    found: list[Directory] = []
    seen: set[int] = set()
    offset = _unsigned(data, 4, order)
    while offset:
        if offset in seen:
            raise fail("picture.broken", reason="TIFF loop")
        seen.add(offset)
        if len(found) >= most:
            raise fail("picture.too_many_pages", limit=most)
        directory, offset = _directory(data, offset, order)
        found.append(directory)
    if not found:
        raise fail("picture.broken", reason="TIFF")
    return found


def exif(block: bytes) -> Directory:
    """The first directory of an EXIF block with the date of the picture; empty when the block is none."""
    try:
        order = "<" if block[:2] == b"II" else ">"
        main, _ = _directory(block, _unsigned(block, 4, order), order)
        at = main.whole(EXIF_DIRECTORY, 0)
        inner = _directory(block, at, order)[0] if at else Directory()
    except Exception:  # damaged remarks of a camera are no reason to refuse its picture
        return Directory()
    return Directory({**inner.numbers, **main.numbers}, {**main.texts, **inner.texts})


def _unsigned(data: bytes, at: int, order: str) -> int:
    if at + 4 > len(data):
        raise fail("picture.broken", reason="TIFF")
    return int(struct.unpack_from(f"{order}I", data, at)[0])


def _directory(data: bytes, at: int, order: str) -> tuple[Directory, int]:
    if at + 2 > len(data):
        raise fail("picture.broken", reason="TIFF")
    (count,) = struct.unpack_from(f"{order}H", data, at)
    end = at + 2 + 12 * count
    if count > _MAX_ENTRIES or end + 4 > len(data):
        raise fail("picture.broken", reason="TIFF")
    found = Directory()
    for entry in range(count):
        tag, kind, number = struct.unpack_from(f"{order}HHI", data, at + 2 + 12 * entry)
        size = _SIZES.get(kind, 0) * number
        where = at + 10 + 12 * entry
        if size > 4:
            where = _unsigned(data, where, order)
        if not size or number > _MAX_VALUES or where + size > len(data):
            continue
        if kind == 2:
            found.texts[tag] = data[where : where + size].split(b"\0")[0].decode("ascii", "replace")
        elif kind in (5, 10):
            parts = struct.unpack_from(f"{order}{2 * number}{'I' if kind == 5 else 'i'}", data, where)
            found.numbers[tag] = tuple(a / b if b else 0.0 for a, b in zip(parts[::2], parts[1::2], strict=True))
        elif kind in _FORMS:
            found.numbers[tag] = struct.unpack_from(f"{order}{number}{_FORMS[kind]}", data, where)
    return found, _unsigned(data, end, order)
