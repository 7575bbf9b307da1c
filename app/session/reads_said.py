"""What every second reader says of its own read once it may be told: read or not and why, remarks, values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.domain.finding import ReadResult, ReadState
from app.domain.model_card import ModelCard
from app.domain.problem import Problem
from app.session.views import ReaderSaid, Words
from app.store.sealed import SealedResult, SealState

_NOT_READ = {SealState.REFUSED: ReadState.OUT_OF_SCOPE, SealState.FAILED: ReadState.FAILED}
_NOT_TOLD = frozenset({"breast.cluster_views", "breast.highest_view_score", "head.highest_slice_score"})
"""Study values that only mean something beside other studies; they go into the structured report, not on the screen."""


def said(
    rows: Sequence[SealedResult], results: Sequence[ReadResult], cards: Mapping[str, ModelCard]
) -> tuple[ReaderSaid, ...]:
    """One entry a reader whose run has ended, those that did not read first. ``results`` are the opened ones only."""
    opened = {r.reader.name: r for r in results}
    found = []
    for row in rows:
        card = cards.get(row.reader)
        titles = dict(card.titles) if card is not None else {}
        result = opened.get(row.reader)
        if result is not None:
            problems = _each_once((*result.problems, *row.problems))
            values = tuple((Words(i), value, unit) for i, value, unit in result.measurements if i not in _NOT_TOLD)
            found.append(ReaderSaid(row.reader, row.reader_version, titles, result.state, problems, values))
        elif row.state in _NOT_READ:
            found.append(ReaderSaid(row.reader, row.reader_version, titles, _NOT_READ[row.state], row.problems))
    return tuple(sorted(found, key=lambda s: s.has_read))


def read_first(rows: Sequence[SealedResult], results: Sequence[ReadResult]) -> tuple[SealedResult, ...]:
    """Of opened runs those that looked at the study before those that found it out of their scope: a film of the jaws is
    headed by the dental reader, not by that of the chest."""
    aside = {r.reader.name for r in results if r.state is not ReadState.COMPLETED}
    return tuple(sorted(rows, key=lambda row: row.reader in aside))


def _each_once(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    kept: list[Problem] = []
    for problem in problems:
        if problem not in kept:
            kept.append(problem)
    return tuple(kept)
