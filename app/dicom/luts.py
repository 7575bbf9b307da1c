"""Look-up tables of headers: Modality LUT, VOI LUT, palettes plain and segmented (PS3.3 C.11.1, C.11.2, C.7.9)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom import tags
from app.dicom.raw_items import RawDataset
from app.dicom.values import text
from app.domain.pixels import Lut

U16 = npt.NDArray[np.uint16]


def _descriptor(raw: bytes, little: bool, signed_first: bool) -> tuple[int, int, int] | None:
    """(entries, first value mapped, bits per entry); 0 entries mean 65536."""
    if len(raw) != 6:
        return None
    order = "<" if little else ">"
    count, _, bits = struct.unpack(order + "3H", raw)
    (first,) = struct.unpack(order + ("h" if signed_first else "H"), raw[2:4])
    return (count or 65536, int(first), int(bits))


def _entries(raw: bytes, count: int, bits: int, little: bool) -> U16 | None:
    """Entries as 16-bit numbers, from one or two bytes each."""
    if len(raw) >= 2 * count:
        return np.frombuffer(raw, "<u2" if little else ">u2", count).astype(np.uint16)
    if bits <= 8 and len(raw) >= count:
        table = np.frombuffer(raw, np.uint8, len(raw) // 2 * 2)
        if not little:
            table = table.reshape(-1, 2)[:, ::-1].ravel()
        if len(table) < count:
            table = np.frombuffer(raw, np.uint8, count)
        return table[:count].astype(np.uint16)
    return None


def lut_from_item(item: RawDataset, signed: bool) -> Lut | None:
    """One item of a Modality LUT or VOI LUT Sequence; None when it cannot be used."""
    head = _descriptor(item.raw(tags.LUT_DESCRIPTOR), item.little, signed)
    if head is None or not 1 <= head[2] <= 16:
        return None
    table = _entries(item.raw(tags.LUT_DATA), head[0], head[2], item.little)
    if table is None:
        return None
    unit = text(item, tags.MODALITY_LUT_TYPE)
    return Lut(head[1], table, head[2], text(item, tags.LUT_EXPLANATION), "" if unit == "US" else unit)


@dataclass(frozen=True, eq=False)
class Palette:
    """Three tables with their common first value; ``rgb`` is (entries, 3) uint8."""

    first_mapped: int
    rgb: npt.NDArray[np.uint8]


_CHANNELS = (
    (tags.PALETTE_RED_DESCRIPTOR, tags.PALETTE_RED, tags.SEGMENTED_RED),
    (tags.PALETTE_GREEN_DESCRIPTOR, tags.PALETTE_GREEN, tags.SEGMENTED_GREEN),
    (tags.PALETTE_BLUE_DESCRIPTOR, tags.PALETTE_BLUE, tags.SEGMENTED_BLUE),
)
PALETTE_TAGS = frozenset(t for channel in _CHANNELS for t in channel)


def palette_of(dataset: RawDataset, signed: bool) -> Palette | None:
    """Palette Color Lookup Table of an image; 16-bit tables are reduced to their high byte for the screen."""
    columns, first = [], 0
    for descriptor, plain, segmented in _CHANNELS:
        head = _descriptor(dataset.raw(descriptor), dataset.little, signed)
        if head is None:
            return None
        count, first, bits = head
        table: U16 | None
        if dataset.raw(segmented):
            table = expand_segments(dataset.raw(segmented), bits, count, dataset.little)
        else:
            table = _entries(dataset.raw(plain), count, bits, dataset.little)
        if table is None:
            return None
        # Some writers say 16 bits and store 8-bit numbers: a table that never leaves the low byte is one.
        shift = 8 if bits > 8 and int(table.max(initial=0)) > 255 else 0
        columns.append((table >> shift).astype(np.uint8))
    sizes = {len(c) for c in columns}
    if len(sizes) != 1:
        return None
    return Palette(first, np.stack(columns, axis=1))


def palette_of_dataset(dataset: Any) -> npt.NDArray[np.uint8] | None:
    """Palette of an object that pydicom has read, as (entries, 3) RGB; None when it has none that can be used."""
    little = getattr(dataset, "original_encoding", (None, True))[1] is not False
    values: dict[int, Any] = {}
    for descriptor, plain, segmented in _CHANNELS:
        head = dataset.get(descriptor)
        if head is None or not hasattr(head.value, "__len__") or len(head.value) != 3:
            return None
        values[descriptor] = struct.pack("<3H" if little else ">3H", *(int(v) & 0xFFFF for v in head.value))
        for tag in (plain, segmented):
            if tag in dataset:
                values[tag] = bytes(dataset[tag].value)
    found = palette_of(RawDataset(values, little), False)
    return found.rgb if found is not None else None


def expand_segments(raw: bytes, bits: int, count: int, little: bool) -> U16 | None:
    """Segmented palette data: discrete, linear and indirect segments (PS3.3 C.7.9.2). None when malformed."""
    if bits <= 8:
        data = [int(v) for v in np.frombuffer(raw, np.uint8)]
    else:
        data = [int(v) for v in np.frombuffer(raw[: len(raw) // 2 * 2], "<u2" if little else ">u2")]
    out: list[int] = []
    if not _expand(data, 0, len(data), out, count, bits, 0):
        return None
    return np.asarray(out[:count], np.uint16) if len(out) >= count else None


def _expand(data: list[int], pos: int, segments: int, out: list[int], count: int, bits: int, depth: int) -> bool:
    """``segments`` limits how many segments are taken (indirect ones name a number of them)."""
    taken = 0
    while pos + 1 < len(data) and taken < segments and len(out) < count:
        opcode, n = data[pos], data[pos + 1]
        if opcode == 0:
            out.extend(data[pos + 2 : pos + 2 + n])
            pos += 2 + n
        elif opcode == 1:
            if not out or pos + 2 >= len(data) or n == 0:
                return False
            start, stop = out[-1], data[pos + 2]
            out.extend(int(round(start + (stop - start) * (i + 1) / n)) for i in range(n))
            pos += 3
        elif opcode == 2 and depth == 0:
            width = 4 if bits <= 8 else 2
            if pos + 2 + width > len(data):
                return False
            shift = 8 if bits <= 8 else 16
            offset = sum(v << (shift * i) for i, v in enumerate(data[pos + 2 : pos + 2 + width]))
            offset = offset if bits <= 8 else offset // 2
            if offset >= len(data) or not _expand(data, offset, n, out, count, bits, 1):
                return False
            pos += 2 + width
        else:
            return False
        taken += 1
    return True
