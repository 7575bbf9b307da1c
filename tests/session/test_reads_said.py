"""Which of several second readers heads the panel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from app.domain.finding import ReadState
from app.session.reads_said import read_first


def row(reader: str) -> Any:
    return SimpleNamespace(reader=reader)


def opened(reader: str, state: ReadState) -> Any:
    return SimpleNamespace(reader=SimpleNamespace(name=reader), state=state)


def test_a_reader_that_found_the_film_out_of_its_scope_stands_behind_one_that_read_it() -> None:
    rows = (row("chest_xray"), row("dental_panoramic"))
    results = (opened("chest_xray", ReadState.OUT_OF_SCOPE), opened("dental_panoramic", ReadState.COMPLETED))
    assert [r.reader for r in read_first(rows, results)] == ["dental_panoramic", "chest_xray"]


def test_before_the_first_opinion_nothing_of_the_results_shows_in_the_order() -> None:
    rows = (row("chest_xray"), row("dental_panoramic"))
    assert read_first(rows, ()) == rows
