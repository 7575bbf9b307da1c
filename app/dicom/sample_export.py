"""A sample of a file for a bug report: the same structure and lengths, nothing that says whose it is.

Works on the bytes, so that what is broken stays broken in the same way. Everything that is text, date, identifier or private
is replaced by a dummy of equal length unless it stands in ``_KEPT``; what could not be read is zeroed. This is stricter than
PS3.15 Annex E asks for and no replacement for it: the sample is for engineers, not for research.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass

from app.dicom.tag_tree import TagElement, TagTree, read_tree
from app.domain.ports import Cancelled, Progress, SilentProgress
from app.domain.problem import fail

_BLOCK = 1 << 20
"""Replaced at once: between two blocks a person may cancel, and other threads go on."""

_KEPT = frozenset(
    {
        0x00080005, 0x00080008, 0x00080060, 0x00080068, 0x00080070, 0x00080100, 0x00080102, 0x00080104, 0x00081090,
        0x00081150, 0x00080016, 0x00181020, 0x00280004, 0x0040A040, 0x0040A010, 0x00420012, 0x00020013,
    }
)  # fmt: skip
"""Text that describes the machine or the coding: character set, image type, manufacturer, codes, software version."""
_PIXELS = frozenset({0x7FE00010, 0x7FE00008, 0x7FE00009})
_TABLES = frozenset(
    {0x00281201, 0x00281202, 0x00281203, 0x00281221, 0x00281222, 0x00281223, 0x00283006, 0x7FE00001, 0x7FE00002}
)
_CODE_STRING = re.compile(rb"^[A-Z0-9 _\\\0]*$")
_NUMBER_STRING = re.compile(rb"^[0-9+\-.eE \\\0]*$")
_BINARY_NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})


@dataclass(frozen=True)
class Sample:
    data: bytes | bytearray
    replaced: int
    """Values that were replaced."""
    pixels_replaced: bool


def sample_of(data: bytes | bytearray, noise: bool, progress: Progress | None = None) -> Sample:
    """The sample of a file's bytes. ``noise``: the pixels are replaced too (streams that are compressed then cannot be
    decoded). A ``bytearray`` is changed in place: a large object is not held twice.

    Raises ``explorer.nothing_to_export`` when no element could be read, and ``Cancelled``.
    """
    progress = progress if progress is not None else SilentProgress()
    tree = read_tree(lambda offset, length: bytes(data[offset : offset + length]), len(data))
    if not tree.roots:
        raise fail("explorer.nothing_to_export", kept_safe="kept.original")
    if tree.inflated:
        return _deflated(bytes(data), tree, noise, progress)
    body = data if isinstance(data, bytearray) else bytearray(data)
    preamble = 128 if body[128:132] == b"DICM" else 0
    body[:preamble] = bytes(preamble)
    count = _replace(body, tree, noise, progress)
    end = min(_read_until(tree), len(body))  # the last element may promise more than the file has
    body[end:] = bytes(len(body) - end)
    return Sample(body if body is data else bytes(body), count, noise)


def _deflated(data: bytes, tree: TagTree, noise: bool, progress: Progress) -> Sample:
    """The inflated data set is treated and packed again; its packed length changes."""
    meta = [e for e in tree.roots if e.tag >> 16 == 2]
    start = max((e.value_offset + e.available for e in meta), default=0)
    plain = bytearray(tree._take(0, tree.size))
    count = _replace(plain, tree, noise, progress, skip_meta=True)
    end = min(_read_until(tree, skip_meta=True), len(plain))
    plain[end:] = bytes(len(plain) - end)
    head = bytearray(data[:start])
    head[:128] = bytes(128)
    for element in meta:
        count += _one(head, element, noise, progress)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(bytes(plain)) + packer.flush()
    return Sample(bytes(head) + packed + b"\0" * (len(packed) % 2), count, noise)


def _replace(body: bytearray, tree: TagTree, noise: bool, progress: Progress, skip_meta: bool = False) -> int:
    count = 0
    for n, element in enumerate(tree.walk()):
        if skip_meta and element.tag >> 16 == 2 and element.depth == 0:
            continue
        if n % 256 == 0:
            _step(progress, element.offset / max(len(body), 1))
        count += _one(body, element, noise, progress)
    return count


def _step(progress: Progress, fraction: float) -> None:
    if progress.cancelled():
        raise Cancelled
    progress.report(fraction, "explorer.stage.sample")


def _read_until(tree: TagTree, skip_meta: bool = False) -> int:
    """The first byte that the walk did not understand; its own head stays, so that the break stays.

    ``skip_meta``: places of the file meta information count in the file, not in the inflated data set.
    """
    stop = next((b.offset for b in tree.breaches if b.stops), None)
    if stop is None and not tree.cut_off:
        return tree.size
    known = (e for e in tree.walk() if not (skip_meta and e.tag >> 16 == 2 and e.depth == 0))
    last = max((e.value_offset + e.available for e in known), default=0)
    return min(tree.size, max(last, (stop or 0) + 12))


def _one(body: bytearray, element: TagElement, noise: bool, progress: Progress) -> int:
    """Replaces one value in place; 1 when something was replaced."""
    if element.available == 0 or element.kind == "item" or element.vr == "SQ" or element.children:
        return 0
    at, n = element.value_offset, element.available
    root = element
    while root.parent is not None:
        root = root.parent
    if element.kind == "fragment" or element.tag in _PIXELS:
        inside = root.tag not in _PIXELS  # an icon: a small picture of the patient
        if not noise and not inside:
            return 0
        for start in range(0, n, _BLOCK):
            _step(progress, (at + start) / max(len(body), 1))
            size = min(_BLOCK, n - start)
            body[at + start : at + start + size] = _noise(n, start // _BLOCK, size)
        return 1
    raw = bytes(body[at : at + n])
    new = _dummy(element, raw)
    if new is None or new == raw:
        return 0
    body[at : at + n] = new
    return 1


def _dummy(element: TagElement, raw: bytes) -> bytes | None:
    """The dummy of equal length, None for what stays."""
    tag, vr, n = element.tag, element.vr, len(raw)
    if tag in _TABLES or tag & 0xFFFF == 0:
        return None
    if tag >> 16 & 1:
        return None if 0x10 <= (tag & 0xFFFF) <= 0xFF else _plain(vr, raw)
    if tag in _KEPT:
        return None
    if vr == "UI":
        return _uid(raw)
    if vr == "CS" and _CODE_STRING.match(raw) and tag >> 16 != 0x0010:
        return None
    if vr in ("IS", "DS") and _NUMBER_STRING.match(raw) and tag >> 16 != 0x0010:
        return None
    if vr in _BINARY_NUMBERS:
        return None
    if tag >> 16 == 2 and vr == "OB" and n == 2:
        return None  # File Meta Information Version
    return _plain(vr, raw)


def _plain(vr: str, raw: bytes) -> bytes:
    """Dates become 19000101, times 00..., text X with its delimiters; bytes become zeros, long ones noise."""
    if vr in ("DA", "DT", "TM"):
        pattern = b"000000" if vr == "TM" else b"19000101000000"
        return bytes(
            pattern[i % len(pattern)] if 48 <= b <= 57 else b if b in b"\\ \0.+-" else 48 for i, b in enumerate(raw)
        )
    if vr == "AS":
        return (b"000Y" * (len(raw) // 4 + 1))[: len(raw)]
    if vr in ("IS", "DS"):
        return b"0" * len(raw)
    if vr in ("OB", "OW", "OF", "OD", "OL", "OV", "UN") or vr in _BINARY_NUMBERS:
        return bytes(len(raw))
    return bytes(b if b in b"^=\\" else 32 if b in (0, 32) else 88 for b in raw)


def _uid(raw: bytes) -> bytes:
    """Another UID of equal length; those of the standard itself stay. Equal ones stay equal."""
    parts = []
    for part in raw.split(b"\\"):
        body = part.rstrip(b"\0 ")
        if not body or body.startswith(b"1.2.840.10008."):
            parts.append(part)
            continue
        digits = str(int(hashlib.sha256(b"ekinshi sample " + body).hexdigest(), 16))
        made = (b"2.25.1" + digits.encode())[: len(body)]
        if made.endswith(b"."):
            made = made[:-1] + b"1"
        parts.append(made + part[len(body) :])
    return b"\\".join(parts)


def _noise(length: int, block: int, size: int) -> bytes:
    """Bytes that depend on the value's length and the place in it only: nothing of the picture is in them."""
    return hashlib.shake_256(b"ekinshi noise %d %d" % (length, block)).digest(size)
