"""The series strip, as words."""

from __future__ import annotations

from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySet, DisplaySetKind
from app.session.open_study import OpenStudy
from app.session.views import SeriesCard


def series_cards(opened: OpenStudy, shown: set[str], prior_date: str = "") -> tuple[SeriesCard, ...]:
    """One card a display set, and one for all moments of a 4D series; ``shown`` are the ids that lie in a pane."""
    by_uid = {s.series_instance_uid: s for s in opened.study.series}
    cards = []
    for chosen in opened.display_sets:
        if chosen.kind is DisplaySetKind.DERIVED or not _stands_for_its_group(chosen, opened, shown):
            continue
        moment = chosen.moment
        reason = chosen.split_reason
        if moment is not None:
            reason = Problem("split.moments", {"n": moment.count}, Severity.NOTE)
        series = by_uid[chosen.series_instance_uid]
        cards.append(
            SeriesCard(
                chosen.display_set_id,
                "" if series.series_number is None else str(series.series_number),
                (moment.label if moment is not None else chosen.label) or series.description,
                len(chosen.frames) * (moment.count if moment is not None else 1),
                chosen.modality,
                chosen.kind.value,
                reason,
                chosen.remarks,
                chosen.display_set_id in shown,
                prior_date,
                opened.study.study_instance_uid,
            )
        )
    return tuple(cards)


def _stands_for_its_group(chosen: DisplaySet, opened: OpenStudy, shown: set[str]) -> bool:
    """Of the moments of a 4D series the one that is shown, else the first."""
    if chosen.moment is None:
        return True
    group = sorted(
        (d for d in opened.display_sets if d.moment is not None and d.moment.group == chosen.moment.group),
        key=lambda d: d.moment.number if d.moment is not None else 0,
    )
    return chosen is next((d for d in group if d.display_set_id in shown), group[0])
