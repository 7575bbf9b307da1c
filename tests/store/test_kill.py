"""A round of the kill benchmark (three kills while two processes write to one home), and what its examination notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.store.library import Library
from tests.perf.store_kill import Tally, examine, run
from tests.store import made
from tests.store.conftest import FixedKey


def test_nothing_confirmed_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    tally = run(1, 20261123, tmp_path)
    assert tally.clean, tally
    assert tally.kills == 3
    assert tally.confirmed > 5


@pytest.mark.parametrize(
    "fact",
    [
        {"kind": "object", "locator": "object:" + "ab" * 32, "sha256": "cd" * 32},
        {"kind": "study", "study": "9.9"},
        {"kind": "mark", "study": "1.2.3", "finding": "2.25.7"},
        {"kind": "opinion", "study": "1.2.3"},
        {"kind": "verdict", "study": "1.2.3", "verdict": "v"},
        {"kind": "report", "study": "1.2.3", "report": "r"},
        {"kind": "proof", "item": "i"},
    ],
    ids=lambda fact: fact["kind"],
)
def test_the_examination_notices_what_is_missing(home: Path, tmp_path: Path, clock, fact: dict[str, str]) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        library.write(lambda tx: library.studies.import_study(tx, made.study()))
    (tmp_path / "notes").write_text(json.dumps(fact) + "\n")
    tally = Tally()
    examine(home, [tmp_path / "notes"], tally)
    assert (tally.lost, tally.clean) == (1, False)


def test_the_examination_notices_a_torn_signature(home: Path, clock) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        library.write(lambda tx: library.reports.add_objects(tx, "r", [made.stored("2.25.5")]))
    tally = Tally()
    examine(home, [], tally)
    assert (tally.torn, tally.clean) == (1, False)
