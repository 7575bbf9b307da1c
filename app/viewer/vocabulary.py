"""The words that a written mark may say: vertebrae from head to feet, teeth by FDI (ISO 3950) along the arch."""

from __future__ import annotations

import re

from app.domain.measurement import MarkShape

VERTEBRAE = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    *(f"S{n}" for n in range(1, 6)),
)
_UPPER = tuple(f"1{n}" for n in range(8, 0, -1)) + tuple(f"2{n}" for n in range(1, 9))
_LOWER = tuple(f"4{n}" for n in range(8, 0, -1)) + tuple(f"3{n}" for n in range(1, 9))
_UPPER_MILK = tuple(f"5{n}" for n in range(5, 0, -1)) + tuple(f"6{n}" for n in range(1, 6))
_LOWER_MILK = tuple(f"8{n}" for n in range(5, 0, -1)) + tuple(f"7{n}" for n in range(1, 6))
ARCHES = (_UPPER, _LOWER, _UPPER_MILK, _LOWER_MILK)
"""From the patient's right to the left, as a film shows them from left to right."""
_TEETH = frozenset(t for arch in ARCHES for t in arch)
_CYRILLIC = str.maketrans("\u0421\u0422", "CT")


def next_vertebra(of: str, towards_feet: bool) -> str:
    """The neighbour, or "" at the ends and beside a word that is no vertebra of the count (T13, L6)."""
    if of not in VERTEBRAE:
        return ""
    at = VERTEBRAE.index(of) + (1 if towards_feet else -1)
    return VERTEBRAE[at] if 0 <= at < len(VERTEBRAE) else ""


def next_tooth(of: str, to_the_right: bool) -> str:
    """The neighbour on the film, or "" at the end of the arch."""
    for arch in ARCHES:
        if of in arch:
            at = arch.index(of) + (1 if to_the_right else -1)
            return arch[at] if 0 <= at < len(arch) else ""
    return ""


def spoken(shape: MarkShape, words: str) -> str | None:
    """The words as they are kept, None when they are not what the mark may say.

    Spine: C1..C7, T1..T13, L1..L6, S1..S5 ("th12", "Th 12" and Cyrillic look-alikes too). Tooth: FDI 11..48, 51..85.
    """
    text = " ".join(words.split())
    if not text:
        return None
    if shape is MarkShape.SPINE:
        plain = text.upper().translate(_CYRILLIC).replace(" ", "").replace("TH", "T")
        ok = re.fullmatch(r"C[1-7]|T(?:1[0-3]|[1-9])|L[1-6]|S[1-5]", plain)
        return plain if ok else None
    if shape is MarkShape.TOOTH:
        return text if text in _TEETH else None
    return text[:80]
