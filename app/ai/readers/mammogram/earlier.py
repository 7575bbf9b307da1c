"""The same view of the same breast in an earlier study: which, laid where, and what it says of a mark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.ai.reader_api import EarlierFilms, FilmImage
from app.ai.readers.mammogram.change import Laid, compared, laid
from app.ai.readers.mammogram.view import BreastView
from app.domain import earlier_mark
from app.domain.earlier_mark import EarlierState
from app.domain.finding import Finding

Prepared = tuple[FilmImage, BreastView]


@dataclass(frozen=True, eq=False)
class Then:
    """An earlier view of the same kind; ``laid`` None where the two do not lie on each other."""

    date: str
    laid: Laid | None


def views_then(
    earlier: EarlierFilms | None, wanted: Sequence[FilmImage], prepared: Callable[[FilmImage], BreastView | None]
) -> tuple[Prepared, ...]:
    """The earlier views that any of ``wanted`` can be compared with; ``prepared`` gives None for what is not read."""
    found = []
    for film in earlier.films if earlier is not None else ():
        if any(same_view(film, now) for now in wanted):
            view = prepared(film)
            if view is not None:
                found.append((film, view))
    return tuple(found)


def same_view(a: FilmImage, b: FilmImage) -> bool:
    """Same side and same projection, both stated."""
    return (
        a.laterality in ("L", "R")
        and a.laterality == b.laterality
        and bool(a.view_position)
        and a.view_position.upper() == b.view_position.upper()
    )


def then_of(film: FilmImage, view: BreastView, earlier: EarlierFilms | None, views: Sequence[Prepared]) -> Then | None:
    """None where the earlier study has no view of this kind."""
    same = [v for f, v in views if same_view(f, film)]
    if earlier is None or not same:
        return None
    tried = [place for place in (laid(view, v) for v in same) if place is not None]
    return Then(earlier.study_date, max(tried, key=lambda p: p.alike, default=None))


def with_earlier(finding: Finding, view: BreastView, then: Then | None) -> Finding:
    """``finding`` with what the earlier view says of its place; nothing else of it changes."""
    at = finding.location.centre_px
    if then is None or at is None:
        return finding
    state = EarlierState.UNLIKE if then.laid is None else compared(then.laid, *view.to_grid(*at)).state
    told = ((earlier_mark.STATE, state.value), (earlier_mark.DATE, then.date))
    return replace(finding, attributes=(*finding.attributes, *told))
