"""What a Hanging Protocol object says that its studies must show (PS3.3 C.23.1.1): region, side, procedure, as rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def _by_key(groups: Mapping[str, str], between: str) -> Mapping[str, str]:
    return {key: words for words, keys in groups.items() for key in keys.split(between)}


_REGIONS: Mapping[str, str] = _by_key(
    {
        "$head": "T-D1100 69536005 T-A0100 12738006 T-11100 89546000 T-D1000 774007",
        "$face": "T-D1200 89545001 T-22000 2095001",
        "$jaws": "T-D1213 661005 T-11170 70925003 T-11180 91609006",
        "$neck": "T-D1600 45048000",
        "$chest": "T-D3000 51185008 43799004 T-28000 39607008 416775004 416550000",
        "$abdomen": "T-D4000 113345001 818981001 818982008 T-D6000 12921003 816092008 818983003 T-62000 10200004",
        "$breast": "T-04000 76752008",
        "$prostate": "T-92000 41216001 181422007",
        "$spine": "T-D04FF T-11500 421060004 T-11501 122494005 T-11502 122495006 T-11503 122496007 T-11AD0 54735007",
        "$knee": "T-D9200 72696002 49076000",
    },
    " ",
)
"""Codes of CID 4 (SRT and SCT) to lists of ``resources/hanging_words.toml``."""
_MEANINGS: Mapping[str, str] = _by_key(
    {
        "$head": "head, brain, skull, head and neck",
        "$chest": "chest, thorax, lung, lungs",
        "$abdomen": "abdomen, pelvis, abdomen and pelvis",
        "$neck": "neck",
        "$spine": "spine, cervical spine, thoracic spine, lumbar spine",
        "$knee": "knee",
        "$breast": "breast",
        "$prostate": "prostate",
        "$jaws": "jaw, jaw region, mandible, maxilla",
        "$face": "paranasal sinus, face",
    },
    ", ",
)
REGION_WEIGHT, PROCEDURE_WEIGHT = 12.0, 8.0
"""More than all rules of a protocol of ours together: who imports an object for a region wants it there."""


def _codes(sequence: Any) -> list[tuple[str, str]]:
    """(value, meaning) of every item that says something."""
    found = []
    for item in sequence or []:
        value = str(item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or "").strip()
        meaning = str(item.get("CodeMeaning") or "").strip()
        if value or meaning:
            found.append((value, meaning))
    return found


def _plain(text: str) -> str:
    """A text as a pattern: stars and marks of patterns are none of its words."""
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


def _region_patterns(codes: Sequence[tuple[str, str]]) -> list[str]:
    out = []
    for value, meaning in codes:
        known = _REGIONS.get(value) or _MEANINGS.get(meaning.casefold())
        out += [p for p in ([known] if known else [_plain(meaning)]) if p]
    return list(dict.fromkeys(out))


def required_rules(definitions: Sequence[Any]) -> list[dict[str, Any]]:
    """Rules that a study must meet. An object's definitions are alternatives: what one of them leaves open stays open.

    A region or procedure without a word that could be looked for is met by no study: an object that asks for what cannot be
    known here hangs nothing rather than everything.
    """
    if not definitions:
        return []
    rules: list[dict[str, Any]] = []
    regions = [_codes(d.get("AnatomicRegionSequence")) for d in definitions]
    if all(regions):
        patterns = _region_patterns([c for r in regions for c in r])
        rules.append(_words(patterns, REGION_WEIGHT))
    sides = [str(d.get("Laterality") or "").strip().upper() for d in definitions]
    if all(s in ("R", "L", "B") for s in sides):
        rules.append({"attribute": "Sides", "one_of": sorted(set(sides)), "required": True})
    procedures = [_codes(d.get("ProcedureCodeSequence")) for d in definitions]
    if all(procedures):
        patterns = [p for r in procedures for value, meaning in r for p in (_plain(meaning), _plain(value)) if p]
        rules.append(_words(list(dict.fromkeys(patterns)), PROCEDURE_WEIGHT))
    return rules


def _words(patterns: list[str], weight: float) -> dict[str, Any]:
    if not patterns:
        return {"attribute": "PictureCount", "at_most": -1, "required": True}
    return {"attribute": "AnyDescription", "contains_any": patterns, "weight": weight, "required": True}
