"""The chain notices every kind of change; stamps only grow."""

from __future__ import annotations

import pytest

from app.domain.event import EventKind
from app.store import hlc
from app.store.database import Tx
from app.store.errors import StoreBug
from app.store.library import Library
from tests.store.conftest import HandClock


def filled(library: Library, count: int = 10) -> None:
    for n in range(count):
        library.write(
            lambda tx, n=n: library.events.append(
                tx, EventKind.STUDY_OPENED, study=f"1.{n % 2}", person="p", body={"n": n, "имя": "Ә", "x": 0.1}
            )
        )


def tampered(library: Library, *statements: str) -> bool:
    """Whether the chain notices, after somebody with the key took the triggers away and ran these statements."""

    def work(tx: Tx) -> None:
        tx.execute("DROP TRIGGER events_keep")
        tx.execute("DROP TRIGGER events_stay")
        for statement in statements:
            assert tx.execute(statement) > 0

    library.write(work)
    return not library.events.verify_chain().intact


def test_an_untouched_chain_is_intact(library: Library) -> None:
    filled(library)
    chain = library.events.verify_chain()
    assert (chain.intact, chain.length) == (True, 11)


@pytest.mark.parametrize("column", ["event_id", "device", "person", "study", "kind", "version", "body", "prev_hash", "hash"])
def test_every_changed_column_is_noticed(library: Library, column: str) -> None:
    filled(library)
    value = {"version": "7", "kind": "'ai.revealed'", "body": "'{}'"}.get(column, "'x'")
    assert tampered(library, f"UPDATE events SET {column} = {value} WHERE seq = 5")
    assert library.events.verify_chain().broken_at == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET hlc = '1' WHERE seq = 5",
        "DELETE FROM events WHERE seq = 5",
        "DELETE FROM events WHERE seq = 1",
        "DELETE FROM events WHERE seq > 9",
        "DELETE FROM events",
    ],
)
def test_missing_and_cut_off_events_are_noticed(library: Library, statement: str) -> None:
    filled(library)
    assert tampered(library, statement)


def test_swapped_events_are_noticed(library: Library) -> None:
    filled(library)
    assert tampered(
        library,
        "UPDATE events SET seq = 100 WHERE seq = 5",
        "UPDATE events SET seq = 5 WHERE seq = 6",
        "UPDATE events SET seq = 6 WHERE seq = 100",
    )


def test_queries_by_study_kind_and_place(library: Library) -> None:
    filled(library)
    assert [e.body["n"] for e in library.events.query(study="1.1")] == [1, 3, 5, 7, 9]
    assert [e.kind for e in library.events.query(kinds=[EventKind.STORE_CREATED])] == [EventKind.STORE_CREATED]
    assert library.events.query(study="1.1", kinds=[EventKind.MARK_PUT]) == ()
    numbered = library.events.numbered(after_seq=9)
    assert [(seq, e.body["n"]) for seq, e in numbered] == [(10, 8), (11, 9)]
    assert len(library.events.query(limit=3)) == 3


def test_a_stamp_from_before_is_refused(library: Library) -> None:
    def work(tx: Tx) -> None:
        early = tx.tick()
        library.events.append(tx, EventKind.STUDY_OPENED)
        library.events.append(tx, EventKind.STUDY_OPENED, stamp=early)

    with pytest.raises(StoreBug):
        library.write(work)


def test_stamps_grow_when_the_clock_runs_back(library: Library, clock: HandClock) -> None:
    filled(library, 3)
    clock.wall -= 365 * 86400
    filled(library, 3)
    clock.wall += 2 * 365 * 86400
    filled(library, 3)
    stamps = [e.hlc for e in library.events.query()]
    assert stamps == sorted(set(stamps))
    assert library.events.verify_chain().intact


def test_clock_texts_sort_as_they_follow() -> None:
    first = hlc.after("", 1_800_000_000.1234, "dev")
    assert first == "001800000000123.000000.dev"
    assert hlc.after(first, 1_800_000_000.1234, "abc") == "001800000000123.000001.abc"
    assert hlc.after(first, 0.0, "dev") == "001800000000123.000001.dev"
    assert hlc.after("001800000000123.999999.dev", 0.0, "dev") == "001800000000124.000000.dev"
    assert hlc.after(first, 1_900_000_000.0, "dev") == "001900000000000.000000.dev"
    assert hlc.utc_iso(first) == "2027-01-15T08:00:00.123Z"
