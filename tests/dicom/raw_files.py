"""DICOM files byte by byte, for what no library writes: lengths that lie, odd fragments, markers in odd places."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
UNDEFINED = 0xFFFFFFFF
_LONG = frozenset(("OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UN", "UT", "UC", "UR", "SV", "UV"))
CAPTURE = b"1.2.840.10008.5.1.4.1.1.7\0"

Element = tuple[int, str, bytes]


@dataclass(frozen=True)
class Form:
    """What the header says of the pixels."""

    rows: int
    columns: int
    frames: int = 1
    samples: int = 1
    photometric: str = "MONOCHROME2"
    allocated: int = 16
    stored: int = 16
    high: int | None = None
    signed: bool = False
    planar: int = 0
    pixel_tag: int = 0x7FE00010

    @property
    def high_bit(self) -> int:
        return self.stored - 1 if self.high is None else self.high


def tag_bytes(tag: int, order: str = "<") -> bytes:
    return struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)


def element(tag: int, vr: str, value: bytes, order: str = "<", explicit: bool = True, length: int | None = None) -> bytes:
    """One element; ``length`` states another length than the value has."""
    n = len(value) if length is None else length
    if not explicit:
        return tag_bytes(tag, order) + struct.pack(order + "I", n) + value
    if vr in _LONG:
        return tag_bytes(tag, order) + vr.encode() + b"\0\0" + struct.pack(order + "I", n) + value
    return tag_bytes(tag, order) + vr.encode() + struct.pack(order + "H", n) + value


def item(content: bytes, defined: bool = True, order: str = "<") -> bytes:
    if defined:
        return tag_bytes(0xFFFEE000, order) + struct.pack(order + "I", len(content)) + content
    start = tag_bytes(0xFFFEE000, order) + struct.pack(order + "I", UNDEFINED)
    return start + content + tag_bytes(0xFFFEE00D, order) + bytes(4)


def delimiter(order: str = "<", length: int = 0) -> bytes:
    return tag_bytes(0xFFFEE0DD, order) + struct.pack(order + "I", length)


def short(value: int, order: str = "<") -> bytes:
    return struct.pack(order + "H", value)


def text(value: str) -> bytes:
    raw = value.encode()
    return raw + b" " * (len(raw) % 2)


def header(form: Form, order: str = "<") -> list[Element]:
    """Elements in the order of their tags, without the pixels."""
    found: list[Element] = [
        (0x00080016, "UI", CAPTURE),
        (0x00080018, "UI", b"2.25.11\0"),
        (0x00080060, "CS", b"OT"),
        (0x0020000D, "UI", b"2.25.1"),
        (0x0020000E, "UI", b"2.25.2"),
        (0x00280002, "US", short(form.samples, order)),
        (0x00280004, "CS", text(form.photometric)),
    ]
    if form.samples > 1:
        found.append((0x00280006, "US", short(form.planar, order)))
    if form.frames > 1:
        found.append((0x00280008, "IS", text(str(form.frames))))
    found += [
        (0x00280010, "US", short(form.rows, order)),
        (0x00280011, "US", short(form.columns, order)),
        (0x00280100, "US", short(form.allocated, order)),
    ]
    if form.pixel_tag == 0x7FE00010:
        found += [
            (0x00280101, "US", short(form.stored, order)),
            (0x00280102, "US", short(form.high_bit, order)),
            (0x00280103, "US", short(int(form.signed), order)),
        ]
    return found


def meta(syntax: str, length: int | None = None, group_length: bool = True) -> bytes:
    rest = b"".join(
        element(tag, vr, value)
        for tag, vr, value in (
            (0x00020001, "OB", b"\0\1"),
            (0x00020002, "UI", CAPTURE),
            (0x00020003, "UI", b"2.25.11\0"),
            (0x00020010, "UI", syntax.encode() + b"\0" * (len(syntax) % 2)),
            (0x00020012, "UI", b"2.25.9"),
        )
    )
    if not group_length:
        return rest
    return element(0x00020000, "UL", struct.pack("<I", len(rest) if length is None else length)) + rest


def body(elements: Iterable[Element], syntax: str) -> bytes:
    order, explicit = (">" if syntax == BIG else "<"), syntax != IMPLICIT
    return b"".join(element(t, vr, value, order, explicit) for t, vr, value in elements)


def deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    raw = machine.compress(data) + machine.flush()
    return raw + b"\0" * (len(raw) % 2)


def whole(data: bytes, syntax: str, head: bytes | None = None) -> bytes:
    """Preamble, file meta information and data set."""
    return bytes(128) + b"DICM" + (meta(syntax) if head is None else head) + (deflate(data) if syntax == DEFLATED else data)


def with_extra(elements: Sequence[Element], *extra: Element) -> list[Element]:
    """More elements, in the order of tags; one of the same tag takes the place of the old one."""
    added = {e[0] for e in extra}
    return sorted([e for e in elements if e[0] not in added] + list(extra), key=lambda e: e[0])


def native(form: Form, stored: bytes, syntax: str = EXPLICIT, vr: str = "", extra: Sequence[Element] = ()) -> bytes:
    """A file with uncompressed pixels as given."""
    name = vr or ("OB" if form.allocated <= 8 else "OW")
    if syntax == IMPLICIT:
        name = "OW"
    padded = stored + b"\0" * (len(stored) % 2)
    head = with_extra(header(form, ">" if syntax == BIG else "<"), *extra)
    return whole(body([*head, (form.pixel_tag, name, padded)], syntax), syntax)


def sequence_of(pieces: Sequence[bytes], table: bytes | None = b"", end: bytes | None = None) -> bytes:
    """The value of encapsulated pixel data. ``table``: the basic offset table, None for no item at all."""
    first = b"" if table is None else item(table)
    return first + b"".join(item(p) for p in pieces) + (delimiter() if end is None else end)


def table_of(frames: Sequence[Sequence[bytes]], shift: int = 0) -> bytes:
    """Offsets of the first fragment of each frame."""
    at, found = 0, []
    for pieces in frames:
        found.append(at + shift)
        at += sum(len(p) + 8 for p in pieces)
    return struct.pack(f"<{len(found)}I", *found)


def even(stream: bytes) -> bytes:
    return stream + b"\0" * (len(stream) % 2)


def encapsulated(
    form: Form, value: bytes, syntax: str, extra: Sequence[Element] = (), after: bytes = b"", length: int = UNDEFINED
) -> bytes:
    """A file whose pixel element holds ``value`` with undefined length."""
    head = with_extra(header(form), *extra)
    data = body(head, EXPLICIT) + element(0x7FE00010, "OB", value, length=length) + after
    return whole(data, syntax)


def changed(form: Form, **fields: Any) -> Form:
    return replace(form, **fields)


def packed(values: np.ndarray, form: Form, order: str = "<", dirt: int = 0) -> bytes:
    """Stored values in cells of Bits Allocated at High Bit; ``dirt`` fills the unused bits."""
    kind = np.dtype(f"{order}u{form.allocated // 8}")
    low = form.high_bit + 1 - form.stored
    mask = (1 << form.stored) - 1
    cells = (values.astype(np.int64).astype(np.uint64) & np.uint64(mask)) << np.uint64(low)
    unused = ((1 << form.allocated) - 1) & ~(mask << low)
    return np.asarray(cells | np.uint64(unused & dirt)).astype(kind).tobytes()
