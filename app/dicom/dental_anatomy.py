"""Which teeth a dental film shows, from the codes of its anatomy (PS3.3 10.5, PS3.16 CID 4016, 4018)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.dicom import tags
from app.dicom.coding import tooth_of
from app.dicom.raw_items import RawDataset
from app.dicom.values import code, text
from app.domain.teeth import PERMANENT, is_fdi

_KINDS = (
    (re.compile(r"(third|3rd) molar|wisdom"), (8,)),
    (re.compile(r"(second|2nd) molar"), (7,)),
    (re.compile(r"(first|1st) molar"), (6,)),
    (re.compile(r"(second|2nd) (premolar|bicuspid)"), (5,)),
    (re.compile(r"(first|1st) (premolar|bicuspid)"), (4,)),
    (re.compile(r"premolar|bicuspid"), (4, 5)),
    (re.compile(r"molar"), (6, 7, 8)),
    (re.compile(r"canine|cuspid"), (3,)),
    (re.compile(r"lateral incisor"), (2,)),
    (re.compile(r"central incisor"), (1,)),
    (re.compile(r"incisor|anterior"), (1, 2)),
)
_NUMBER = re.compile(r"(?<!\d)([1-4][1-8])(?!\d)")


def teeth_in_words(words: str) -> tuple[int, ...]:
    """FDI numbers that a meaning names ("maxillary right first molar tooth", "tooth 16 (FDI)"); a side or a jaw that is not
    named stays open, which gives the teeth of both."""
    said = words.casefold()
    numbers = [int(n) for n in _NUMBER.findall(said)] if any(w in said for w in ("tooth", "teeth", "fdi", "iso")) else []
    if numbers:
        return tuple(dict.fromkeys(numbers))
    places = next((p for pattern, p in _KINDS if pattern.search(said)), ())
    upper, lower = "maxill" in said or "upper" in said, "mandib" in said or "lower" in said
    right, left = "right" in said, "left" in said
    quadrants = {1: upper and right, 2: upper and left, 3: lower and left, 4: lower and right}
    if not (upper or lower):
        quadrants = {1: right, 2: left, 3: left, 4: right}
    elif not (right or left):
        quadrants = {1: upper, 2: upper, 3: lower, 4: lower}
    chosen = [q for q, holds in quadrants.items() if holds] if places else []
    return tuple(q * 10 + p for q in chosen for p in places)


def _of_item(item: RawDataset) -> Iterable[int]:
    value, scheme, meaning = (
        code(item, tags.CODE_VALUE),
        code(item, tags.CODING_SCHEME_DESIGNATOR),
        text(item, tags.CODE_MEANING),
    )
    known = tooth_of(scheme, value)
    if known is not None:
        return (known,)
    if scheme.upper().startswith(("ISO3950", "FDI")) and is_fdi(value):
        return (int(value),)
    return teeth_in_words(meaning)


def dental_anatomy(d: RawDataset) -> dict[str, str]:
    """``teeth`` (FDI numbers, in the order of a chart) and ``anatomy`` (the meanings in words), where the film says them."""
    items = [*d.items(tags.ANATOMIC_REGION_SEQUENCE), *d.items(tags.PRIMARY_ANATOMIC_STRUCTURE_SEQUENCE)]
    items += [m for item in items for m in item.items(tags.ANATOMIC_REGION_MODIFIER_SEQUENCE)]
    named = {tooth for item in items for tooth in _of_item(item)}
    out: dict[str, str] = {}
    if named:
        out["teeth"] = " ".join(str(t) for t in PERMANENT if t in named)
    words = [w for item in items if (w := text(item, tags.CODE_MEANING))]
    if words:
        out["anatomy"] = "; ".join(dict.fromkeys(words))[:200]
    return out
