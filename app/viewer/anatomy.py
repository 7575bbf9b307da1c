"""Which part of the body images show, and which side of it: of the codes of headers and of the words of descriptions.

What is said nearest to the images goes first: the series' own words, then Body Part Examined and the anatomic region,
then the study's description. A farther word narrows what a nearer one left open and never contradicts it: machines keep
the body part of the last protocol. Nothing said is nothing known.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import chain
from typing import Any

from app.domain.resources import resource_path
from app.domain.study import Instance, Series, Study
from app.viewer.word_match import checked, expanded, says

Regions = frozenset[str]
NOWHERE: Regions = frozenset()
_SINGLE = re.compile(r"^\W*([rl])(?![^\W_])|(?<![^\W_])([rl])\W*$", re.IGNORECASE)
"""A letter for the side stands first or last: "Knee R", "L hand"; elsewhere it may mean anything."""


@dataclass(frozen=True)
class Anatomy:
    regions: Regions = NOWHERE
    """Names of ``resources/anatomy.toml``; empty: not known."""
    side: str = ""
    """R, L, B (both) or empty: not known, or of no account."""


class Match(IntEnum):
    """How two anatomies go together; the higher the better."""

    DIFFERENT = 0
    """Another part of the body is known."""
    OTHER_SIDE = 1
    """The same part, but of the other side."""
    UNKNOWN = 2
    """One of the two says nothing: offered, never hung by itself."""
    NEAR = 3
    """Neighbours that are read against each other: hand and wrist."""
    SAME = 4


@lru_cache(maxsize=1)
def _known() -> Mapping[str, Any]:
    return tomllib.loads(resource_path("anatomy.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def paired() -> Regions:
    """Regions that exist on both sides."""
    return frozenset(r["name"] for r in _known()["region"] if r.get("paired"))


_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")


class _Entry:
    """A region, or several at once, with what its words may begin with: most texts are told apart by that alone."""

    def __init__(self, regions: list[str], words: list[str]) -> None:
        self.regions, self.words = frozenset(regions), tuple(words)
        first = [p.split()[0].casefold() for p in expanded(words) if not p.startswith("!")]
        self.anywhere = any(f.startswith("*") for f in first)
        self.beginnings = frozenset(f.rstrip("*")[:2] for f in first)

    def in_words(self, words: str, beginnings: set[str]) -> bool:
        return (self.anywhere or not self.beginnings.isdisjoint(beginnings)) and says(self.words, words)


@lru_cache(maxsize=1)
def _entries() -> tuple[tuple[_Entry, ...], tuple[_Entry, ...]]:
    """(single regions, words for several)."""
    known = _known()
    single = tuple(_Entry([r["name"]], r["words"]) for r in known["region"])
    return single, tuple(_Entry(w["regions"], w["words"]) for w in known["wider"])


def make_ready() -> None:
    """Every pattern compiled ahead: else the first description that needs one pays for it, while a study opens."""
    for entry in chain(*_entries()):
        checked(entry.words)
    for words in _known()["side"].values():
        checked(words)


def _beginnings(words: str) -> set[str]:
    """One and two letters of every word, and of every part that begins with a capital."""
    found = {t.casefold() for t in _LETTERS.findall(words)}
    found |= {words[n : n + 2].casefold() for n in range(1, len(words)) if words[n].isupper() and words[n - 1].islower()}
    folded = {t.replace("\u0451", "\u0435") for t in found}
    return {t[:1] for t in folded} | {t[:2] for t in folded}


def regions_in(words: str) -> Regions:
    """Regions that a description names. Numbers make no difference."""
    return _regions_in(_DIGITS.sub(" ", words))


@lru_cache(maxsize=8192)
def _regions_in(words: str) -> Regions:
    if not words.strip():
        return NOWHERE
    single, wider = _entries()
    starts = _beginnings(words)
    found = frozenset().union(*(e.regions for e in single if e.in_words(words, starts)))
    for entry in wider:
        if not found & entry.regions and entry.in_words(words, starts):
            found |= entry.regions
    return found


@lru_cache(maxsize=8192)
def side_in(words: str) -> str:
    """R, L, B or "" of a description."""
    told = _known()["side"]
    right, left, both = (says(tuple(told[name]), words) for name in ("right", "left", "both"))
    if not (right or left):
        letters = {m.casefold() for pair in _SINGLE.findall(words) for m in pair if m}
        right, left = "r" in letters, "l" in letters
    if both or (right and left):
        return "B"
    return "R" if right else "L" if left else ""


def _together(words: tuple[str, ...], of: Any) -> Regions:
    return frozenset().union(*(of(w) for w in words))


def anatomy(study: Study, series: Series | None, instance: Instance | None, modality: str) -> Anatomy:
    """Of a series or of one picture of it."""
    own: tuple[str, ...] = (series.description, series.protocol_name) if series is not None else ()
    coded: tuple[str, ...] = (series.body_part_examined if series is not None else "",)
    if instance is not None:
        coded = (*coded, instance.body_part_examined, instance.extra.get("anatomy", ""))
    found = NOWHERE
    for level in (own, coded, (study.description,)):
        said = _together(level, regions_in)
        found = found & said or found or said
    if not found:
        found = frozenset(_known()["modality"].get(modality, ()))
    side = ""
    stated = (instance.laterality if instance is not None else "", series.laterality if series is not None else "")
    for given in stated:
        side = side or (given.upper() if given.upper() in ("R", "L", "B") else "")
    for words in (*own, *coded, study.description):
        side = side or side_in(words)
    return Anatomy(found, side)


def of_study(study: Study, parts: tuple[Anatomy, ...]) -> Anatomy:
    """Everything that a study shows: its images together, and what its description says. The side, where all say one."""
    regions = frozenset().union(regions_in(study.description), *(p.regions for p in parts))
    sides = {p.side for p in parts if p.side} or {side_in(study.description)} - {""}
    return Anatomy(regions, sides.pop() if len(sides) == 1 else "B" if sides else "")


@lru_cache(maxsize=16384)
def match(now: Anatomy, then: Anatomy) -> Match:
    """An unknown side is no mismatch, the opposite one of a paired part is."""
    opposite = {now.side, then.side} == {"R", "L"}
    if not now.regions or not then.regions:
        return Match.OTHER_SIDE if opposite else Match.UNKNOWN
    common = now.regions & then.regions
    near = {r for a, b in _known()["neighbours"]["pairs"] for r in (a, b) if _crosses(now.regions, then.regions, a, b)}
    if not common and not near:
        return Match.DIFFERENT
    if opposite and (common or near) <= paired():
        return Match.OTHER_SIDE
    return Match.SAME if common else Match.NEAR


def _crosses(now: Regions, then: Regions, a: str, b: str) -> bool:
    return (a in now and b in then) or (b in now and a in then)
