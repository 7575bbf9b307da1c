"""The earlier film of the patient beside the present one: which, laid where, and what it says of a mark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.ai.reader_api import EarlierFilms, FilmImage
from app.ai.readers.chest.change import Compared, Laid, compared, laid
from app.ai.readers.chest.field import ChestField, prepare
from app.ai.readers.chest.scope import film_refusal
from app.ai.readers.chest.sides import stated_right
from app.ai.readers.film.places import Floats, Places
from app.domain import earlier_mark
from app.domain.finding import Finding
from app.domain.problem import Problem, Severity

NEAR_PX = 8.0
"""On the grid: how far from the mark's place the earlier film's score may lie."""


@dataclass(frozen=True, eq=False)
class EarlierScored:
    """An earlier film with the chance of a mark at each of its places."""

    date: str
    film: FilmImage
    field: ChestField
    places: Places
    chance: Floats


@dataclass(frozen=True, eq=False)
class Beside:
    earlier: EarlierScored
    laid: Laid


def earlier_scored(
    earlier: EarlierFilms | None, chances: Callable[[ChestField], tuple[Places, Floats]]
) -> tuple[EarlierScored, ...]:
    """The frontal films of the earlier study that the reader would read; ``chances`` are its own."""
    found = []
    for film in earlier.films if earlier is not None else ():
        field = prepare(film.values, film.valid, film.detector_spacing_mm or film.spacing_mm)
        if film_refusal(film, field) is None and earlier is not None:
            found.append(EarlierScored(earlier.study_date, film, field, *chances(field)))
    return tuple(found)


def beside(film: FilmImage, field: ChestField, earlier: Sequence[EarlierScored]) -> tuple[Beside | None, list[Problem]]:
    """The earlier film that lies best on the present one, those of the same view first; or the remark that none does."""
    same_way = [e for e in earlier if {stated_right(film), stated_right(e.film)} != {"L", "R"}]
    same_view = [e for e in same_way if e.film.view_position.upper() == film.view_position.upper()]
    tried = [(laid(field, e.field), e) for e in same_view or same_way]
    kept = [(place, e) for place, e in tried if place is not None]
    if kept:
        place, best = max(kept, key=lambda k: k[0].alike)
        return Beside(best, place), []
    if earlier:
        return None, [Problem("ai.chest.earlier_unlike", {}, Severity.NOTE)]
    return None, []


def with_earlier(finding: Finding, field: ChestField, x: float, y: float, then: Beside) -> Finding:
    """``finding`` at (x, y) of the present grid, with what the earlier film says of its place."""
    seen = compared(field, then.earlier.field, then.laid, x, y)
    told = (
        (earlier_mark.STATE, seen.state.value),
        (earlier_mark.DATE, then.earlier.date),
        (earlier_mark.CHANCE, f"{chance_at(then.earlier, seen):.2f}"),
    )
    return replace(finding, attributes=(*finding.attributes, *told))


def chance_at(earlier: EarlierScored, seen: Compared) -> float:
    """The highest chance near the place; 0 outside the lung fields."""
    if not len(earlier.places):
        return 0.0
    away = np.hypot(earlier.places[:, 1] - seen.place[0], earlier.places[:, 0] - seen.place[1])
    near = earlier.chance[away <= NEAR_PX]
    return float(near.max()) if len(near) else 0.0
