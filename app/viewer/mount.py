"""A full mouth of films in its mount: which film belongs into which place, and how that is known. Pure.

Seven periapical places in the upper jaw, four bitewings, seven in the lower jaw; the patient's right is on the left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_UPPER = ((18, 17, 16), (15, 14), (13, 12), (11, 21), (22, 23), (24, 25), (26, 27, 28))
_LOWER = ((48, 47, 46), (45, 44), (43, 42), (41, 31), (32, 33), (34, 35), (36, 37, 38))
_BITEWINGS = ((18, 17, 16, 46, 47, 48), (15, 14, 44, 45), (24, 25, 34, 35), (26, 27, 28, 36, 37, 38))


@dataclass(frozen=True)
class Slot:
    name: str
    """Message id ``mount.<name>``."""
    teeth: frozenset[int]
    bitewing: bool = False

    @property
    def side(self) -> str:
        right = sum(t // 10 in (1, 4) for t in self.teeth)
        return "R" if right == len(self.teeth) else "L" if right == 0 else ""

    @property
    def jaw(self) -> str:
        upper = sum(t // 10 in (1, 2) for t in self.teeth)
        return "upper" if upper == len(self.teeth) else "lower" if upper == 0 else ""


_PLACES = ("molar_r", "premolar_r", "canine_r", "incisors", "canine_l", "premolar_l", "molar_l")
SLOTS: tuple[Slot, ...] = (
    *(Slot(f"upper_{n}", frozenset(t)) for n, t in zip(_PLACES, _UPPER, strict=True)),
    *(
        Slot(f"bitewing_{n}", frozenset(t), True)
        for n, t in zip(("molar_r", "premolar_r", "premolar_l", "molar_l"), _BITEWINGS, strict=True)
    ),
    *(Slot(f"lower_{n}", frozenset(t)) for n, t in zip(_PLACES, _LOWER, strict=True)),
)


@dataclass(frozen=True)
class Film:
    """What is known of one film: ``teeth`` by codes, ``side`` R or L, ``words`` of its descriptions."""

    teeth: frozenset[int] = frozenset()
    side: str = ""
    words: str = ""


@dataclass(frozen=True)
class Placed:
    film: int
    """Index of the film."""
    guessed: bool
    """Nothing in the object says so: order of the study."""


_BITE = re.compile(r"bite ?-?wing|\bbw\b|интерпрокс|прикус")
_JAWS = {"upper": re.compile(r"upper|maxill|верхн|жоғар"), "lower": re.compile(r"lower|mandib|нижн|төмен")}
_SIDES = {"R": re.compile(r"right|прав|оң\b|\br\b"), "L": re.compile(r"left|лев|сол\b|\bl\b")}
_KINDS = (
    ("premolar", re.compile(r"premolar|bicuspid|премоляр")),
    ("molar", re.compile(r"(?<!pre)molar|(?<!пре)моляр|азу")),
    ("canine", re.compile(r"canine|cuspid|клык|ит тіс")),
    ("incisors", re.compile(r"incisor|central|anterior|резц|күрек")),
)


def fit(film: Film, slot: Slot) -> float:
    """How well a film belongs into a place; 0 or less: nothing speaks for it."""
    score = 0.0
    if film.teeth:
        common = len(film.teeth & slot.teeth)
        if not common:
            return -1.0
        jaws = {t // 10 in (1, 2) for t in film.teeth}
        if (len(jaws) == 2) != slot.bitewing:
            return -1.0
        score += 10.0 * common / len(film.teeth | slot.teeth) + common / len(film.teeth)
    words = film.words.casefold()
    if not film.teeth and words:
        if bool(_BITE.search(words)) != slot.bitewing and (_BITE.search(words) or slot.bitewing):
            return -1.0
        if _BITE.search(words):
            score += 2.0
        for jaw, pattern in _JAWS.items():
            if pattern.search(words) and slot.jaw:
                score += 2.0 if slot.jaw == jaw else -10.0
        kind = next((k for k, pattern in _KINDS if pattern.search(words)), "")
        if kind:
            score += 2.0 if kind in slot.name and (kind != "molar" or "premolar" not in slot.name) else -10.0
    said = film.side or next((s for s, p in _SIDES.items() if not film.teeth and p.search(words)), "")
    if said in ("R", "L") and slot.side and not film.teeth:
        score += 1.5 if said == slot.side else -10.0
    return score


def mounted(films: Sequence[Film]) -> tuple[tuple[Placed | None, ...], tuple[int, ...]]:
    """(what lies in each of ``SLOTS``, films for which there was no place left).

    What the objects say goes first, the surest first. The rest fills the empty places in the order of the study, as a guess.
    """
    sure = sorted(
        ((fit(f, s), -n, -m) for n, f in enumerate(films) for m, s in enumerate(SLOTS)),
        reverse=True,
    )
    places: list[Placed | None] = [None] * len(SLOTS)
    laid: set[int] = set()
    for score, n, m in sure:
        if score > 0 and -n not in laid and places[-m] is None:
            places[-m] = Placed(-n, False)
            laid.add(-n)
    rest = [n for n in range(len(films)) if n not in laid]
    for m, place in enumerate(places):
        if place is None and rest and _may(films[rest[0]], SLOTS[m]):
            places[m] = Placed(rest.pop(0), True)
    for m, place in enumerate(places):
        if place is None and rest:
            places[m] = Placed(rest.pop(0), True)
    return tuple(places), tuple(rest)


def _may(film: Film, slot: Slot) -> bool:
    return fit(film, slot) >= 0
