"""Values of a :class:`TagTree` as words: text by its character set, numbers by their VR, bulk as hex; and the search."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from app.dicom.tag_names import uid_name
from app.dicom.tag_tree import TagElement, TagTree
from app.dicom.text import decode

_NUMBERS = {
    "US": ("H", 2), "SS": ("h", 2), "UL": ("I", 4), "SL": ("i", 4), "UV": ("Q", 8), "SV": ("q", 8), "FL": ("f", 4),
    "FD": ("d", 8), "OF": ("f", 4), "OD": ("d", 8), "OL": ("I", 4), "OV": ("Q", 8),
}  # fmt: skip
_CODED_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs that Specific Character Set governs (PS3.5 6.1.2.2)."""
_PLAIN_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_BULK = frozenset({"OB", "OW", "UN"})
SHOWN_BYTES = 4096
_LOOKED_AT = 256


@dataclass(frozen=True)
class Shown:
    """A value for a person. ``text`` is one line, cut at ``limit`` of the caller."""

    text: str
    repaired: str = ""
    """Codec that was assumed because the stated character set does not fit."""


def multiplicity(tree: TagTree, element: TagElement) -> int:
    """VM: number of values; of sequences the number of items."""
    if element.children or element.vr == "SQ":
        return len(element.children)
    if element.available == 0 or element.kind != "element":
        return 0
    if element.vr in _NUMBERS and element.vr not in ("OF", "OD", "OL", "OV"):
        return element.available // _NUMBERS[element.vr][1]
    if element.vr == "AT":
        return element.available // 4
    if element.vr in ("LT", "ST", "UT", "UR") or element.vr in _BULK or element.vr[0:1] == "O":
        return 1
    return tree.raw(element, 0, SHOWN_BYTES).count(b"\\") + 1


def shown(tree: TagTree, element: TagElement, limit: int = 256) -> Shown:
    """The value on one line. Sequences and items say nothing of their own."""
    if element.vr == "SQ" or element.kind == "item" or element.children:
        return Shown("")
    vr = element.vr
    raw = tree.raw(element, 0, SHOWN_BYTES)
    if not raw:
        return Shown("")
    if element.kind == "fragment" or vr in _BULK:
        if vr == "UN" and _looks_like_text(raw):
            return Shown(_cut(raw.rstrip(b"\0 ").decode("ascii"), limit))
        return Shown(_hex(raw, element.available, limit))
    if vr in _NUMBERS:
        return Shown(_numbers(raw, element, limit))
    if vr == "AT":
        order = "<" if element.little else ">"
        pairs = struct.unpack_from(f"{order}{len(raw) // 4 * 2}H", raw)
        return Shown(_cut("\\".join(f"({a:04X},{b:04X})" for a, b in zip(pairs[::2], pairs[1::2], strict=True)), limit))
    decoded = decode(raw, element.charsets, vr == "PN") if vr in _CODED_TEXT else None
    if decoded is not None:
        return Shown(_cut(" ".join(decoded.text.split()), limit), decoded.repaired)
    text = raw.rstrip(b"\0 ").decode("ascii", "replace")
    if vr == "UI" and (name := uid_name(text)):
        text = f"{text}  {name}"
    return Shown(_cut("".join(c if c.isprintable() else "·" for c in text), limit))


def hex_dump(tree: TagTree, element: TagElement, start: int = 0, lines: int = 32) -> str:
    """Sixteen bytes a line: offset in the file, hex, printable ASCII."""
    raw = tree.raw(element, start, 16 * lines)
    out = []
    for at in range(0, len(raw), 16):
        part = raw[at : at + 16]
        letters = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        out.append(f"{element.value_offset + start + at:08x}  {part.hex(' '):<47}  {letters}")
    return "\n".join(out)


def search(tree: TagTree, text: str, limit: int = 500) -> list[TagElement]:
    """Elements whose tag, keyword or value holds every word of ``text``; the order of the file."""
    found: list[TagElement] = []
    for element in matches(tree, text):
        if element is not None:
            found.append(element)
            if len(found) >= limit:
                break
    return found


def matches(tree: TagTree, text: str) -> Iterator[TagElement | None]:
    """What ``search`` finds, one by one; None after every so many elements that were looked at, so that the caller can let
    others go on."""
    words = text.casefold().split()
    if not words:
        return
    for n, element in enumerate(tree.walk(), 1):
        if n % _LOOKED_AT == 0:
            yield None
        if element.kind != "element":
            continue
        plain = f"{element.tag >> 16:04x}{element.tag & 0xFFFF:04x}"
        name = f"{element.tag_text.casefold()} {plain} {element.keyword.casefold()}"
        if all(w in name for w in words):
            yield element
        elif element.vr not in _BULK:
            value = shown(tree, element, SHOWN_BYTES).text.casefold()
            if all(w in value or w in name for w in words):
                yield element


def _looks_like_text(raw: bytes) -> bool:
    body = raw.rstrip(b"\0 ")
    return bool(body) and all(32 <= b < 127 for b in body)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _hex(raw: bytes, total: int, limit: int) -> str:
    fits = min(len(raw), max(1, limit // 3), 24)
    return raw[:fits].hex(" ") + (" …" if total > fits else "")


def _numbers(raw: bytes, element: TagElement, limit: int) -> str:
    letter, width = _NUMBERS[element.vr]
    count = min(len(raw) // width, 64)
    values = struct.unpack_from(f"{'<' if element.little else '>'}{count}{letter}", raw)
    text = "\\".join(f"{v:.9g}" if isinstance(v, float) else str(v) for v in values)
    return _cut(text + ("\\…" if element.available // width > count else ""), limit)
