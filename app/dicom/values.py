"""Typed values out of raw header bytes; a value that cannot be read is None, never a guess."""

from __future__ import annotations

import math
import struct
from functools import lru_cache

from app.dicom.raw_items import RawDataset
from app.dicom.text import decode


@lru_cache(maxsize=8192)
def ascii_of(raw: bytes) -> str:
    """CS, UI, DA, TM, AE...: the text without padding."""
    text = raw.decode("ascii", "replace").strip("\0 \r\n\t")
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def code(dataset: RawDataset, tag: int) -> str:
    """First value of a CS, UI, DA or TM."""
    raw = dataset.values.get(tag)
    return _first(raw) if type(raw) is bytes else ""


@lru_cache(maxsize=16384)
def _first(raw: bytes) -> str:
    return ascii_of(raw).split("\\")[0].strip()


def codes(dataset: RawDataset, tag: int) -> tuple[str, ...]:
    raw = dataset.values.get(tag)
    return _split(raw) if type(raw) is bytes else ()


@lru_cache(maxsize=2048)
def _split(raw: bytes) -> tuple[str, ...]:
    text = ascii_of(raw)
    return tuple(part.strip() for part in text.split("\\")) if text else ()


def text(dataset: RawDataset, tag: int, repaired: list[str] | None = None) -> str:
    """LO, SH, ST, LT, UT in the file's character set; the codec assumed in a repair is added to ``repaired``."""
    raw = dataset.values.get(tag)
    if not raw or type(raw) is not bytes:
        return ""
    decoded = decode(raw, dataset.charsets)
    if decoded.repaired and repaired is not None:
        repaired.append(decoded.repaired)
    return decoded.text


@lru_cache(maxsize=8192)
def decimals(raw: bytes) -> tuple[float, ...] | None:
    """All values of a DS or IS; None when one of them is no finite number."""
    try:
        found = tuple(float(part) for part in raw.rstrip(b"\0 ").split(b"\\"))
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


def numbers(dataset: RawDataset, tag: int) -> tuple[float, ...]:
    """All values of a DS or IS; empty when absent or not numbers."""
    raw = dataset.values.get(tag)
    return (decimals(raw) or ()) if raw and type(raw) is bytes else ()


def number(dataset: RawDataset, tag: int) -> float | None:
    """First value of a DS or IS."""
    raw = dataset.values.get(tag)
    if not raw or type(raw) is not bytes:
        return None
    found = decimals(raw)
    if found:
        return found[0]
    first = decimals(raw.split(b"\\")[0])
    return first[0] if first else None


def integer(dataset: RawDataset, tag: int) -> int | None:
    value = number(dataset, tag)
    return int(value) if value is not None and abs(value) < 2**53 else None


def unsigned(dataset: RawDataset, tag: int) -> int | None:
    """US or UL by its length; text is accepted too, some writers store numbers as IS."""
    raw = dataset.values.get(tag)
    if type(raw) is not bytes:
        return None
    if len(raw) in (2, 4):
        return int.from_bytes(raw, "little" if dataset.little else "big")
    if raw[:1].isdigit():
        return integer(dataset, tag)
    return None


def unsigned_many(dataset: RawDataset, tag: int, width: int = 4) -> tuple[int, ...]:
    """UL (width 4) or US (width 2) values."""
    raw = dataset.raw(tag)
    count = len(raw) // width
    order = "<" if dataset.little else ">"
    return struct.unpack(f"{order}{count}{'I' if width == 4 else 'H'}", raw[: count * width])


def us_or_ss(dataset: RawDataset, tag: int, signed: bool) -> int | None:
    """Values whose sign follows Pixel Representation (padding, LUT descriptors)."""
    raw = dataset.raw(tag)
    order = "<" if dataset.little else ">"
    if len(raw) in (2, 4):
        return int(struct.unpack(order + {2: "h" if signed else "H", 4: "i" if signed else "I"}[len(raw)], raw)[0])
    return None


def doubles(dataset: RawDataset, tag: int) -> tuple[float, ...]:
    """All values of an FD; empty when one of them is not finite."""
    raw = dataset.raw(tag)
    found = struct.unpack(f"{'<' if dataset.little else '>'}{len(raw) // 8}d", raw[: len(raw) // 8 * 8])
    return found if all(map(math.isfinite, found)) else ()


def double(dataset: RawDataset, tag: int) -> float | None:
    """FD or FL by its length; DS text is accepted too."""
    raw = dataset.raw(tag)
    order = "<" if dataset.little else ">"
    value: float | None = None
    if len(raw) == 8:
        value = struct.unpack(order + "d", raw)[0]
    elif len(raw) == 4:
        value = struct.unpack(order + "f", raw)[0]
    if value is None or not math.isfinite(value):
        return number(dataset, tag)
    return value
