"""b-values of MR images: the standard attribute, else the makers' own, whose private creator is checked (PS3.5 7.8.1)."""

from __future__ import annotations

import math
import struct

from app.dicom.diffusion_tags import BLOCKS, CREATORS, GE, PHILIPS, SIEMENS, SIEMENS_CSA
from app.dicom.raw_items import RawDataset
from app.dicom.values import ascii_of, code, double, number

_DIFFUSION_B_VALUE = 0x00189087
_CSA_TAGS, _CSA_ITEMS = 128, 64
_HIGHEST = 100_000
"""s/mm2: nothing in a person is measured with more."""


def b_value_of(dataset: RawDataset, modality: str) -> float | None:
    """s/mm2 of one image; None where nobody names it. A number that can be no b-value is none."""
    stated = double(dataset, _DIFFUSION_B_VALUE)
    if stated is not None:
        return stated
    if modality != "MR":
        return None
    for group, read in ((SIEMENS, _plain), (SIEMENS_CSA, _csa), (GE, _ge), (PHILIPS, _single)):
        tag = _private(dataset, group)
        found = read(dataset, tag) if tag is not None else None
        if found is not None and math.isfinite(found) and 0 <= found < _HIGHEST:
            return found
    return None


def _private(dataset: RawDataset, group: int) -> int | None:
    """The element in the block that its maker reserved; None where somebody else or nobody did."""
    creator, element = CREATORS[group]
    for block in BLOCKS:
        if code(dataset, group << 16 | block).upper() == creator:
            tag = group << 16 | block << 8 | element
            if dataset.raw(tag):
                return tag
    return None


def _plain(dataset: RawDataset, tag: int) -> float | None:
    return number(dataset, tag)


def _ge(dataset: RawDataset, tag: int) -> float | None:
    """The first of several numbers; newer software adds 10^9 to it as a flag."""
    found = number(dataset, tag)
    return None if found is None else found % _HIGHEST if found >= 1e9 else found


def _single(dataset: RawDataset, tag: int) -> float | None:
    return double(dataset, tag)


def _csa(dataset: RawDataset, tag: int) -> float | None:
    return csa_number(dataset.raw(tag), b"B_value")


def csa_number(raw: bytes, name: bytes) -> float | None:
    """The first value of a field of a CSA header of the second kind (SV10), as number; None for anything else.

    Each field: 64 bytes of name, VM, VR, type, number of items, a mark; each item: four numbers, the second its length,
    then its bytes up to a multiple of four. Always little endian.
    """
    if raw[:4] != b"SV10" or len(raw) < 16:
        return None
    (fields,) = struct.unpack_from("<I", raw, 8)
    at = 16
    for _ in range(min(fields, _CSA_TAGS)):
        if at + 84 > len(raw):
            return None
        wanted = raw[at : at + 64].split(b"\0", 1)[0] == name
        (items,) = struct.unpack_from("<I", raw, at + 76)
        at += 84
        if items > _CSA_ITEMS:
            return None
        for _ in range(items):
            if at + 16 > len(raw):
                return None
            (length,) = struct.unpack_from("<I", raw, at + 4)
            at += 16
            if length > len(raw) - at:
                return None
            if wanted and length:
                try:
                    return float(ascii_of(raw[at : at + length].split(b"\0", 1)[0]))
                except ValueError:
                    return None
            at += (length + 3) // 4 * 4
        if wanted:
            return None
    return None
