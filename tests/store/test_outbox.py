"""The outbox as stored: once per content, one lease, states by the table only, proof only with equal bytes."""

from __future__ import annotations

import dataclasses
from itertools import product
from pathlib import Path

import pytest

from app.domain.event import EventKind
from app.domain.outbox import NEXT, ImpossibleTransition, OutboxEvent, OutboxItem, OutboxState, Receipt
from app.domain.problem import Problem, ProblemError
from app.store.errors import StoreBug
from app.store.library import Library
from tests.store import made
from tests.store.conftest import FixedKey, HandClock


def queue(library: Library, uid: str, target: str = "folder", priority: int = 50, study: str = "1.2.3") -> OutboxItem:
    stored = made.stored(uid, study)
    return library.write(lambda tx: library.outbox.enqueue(tx, target, stored, report_id="r1", priority=priority))


def claim(library: Library, target: str = "folder") -> OutboxItem | None:
    return library.write(lambda tx: library.outbox.claim(tx, target))


def receipt(item: OutboxItem, level: str = "verified", **more) -> Receipt:
    back = item.sha256 if level == "verified" else ""
    return Receipt(item.item_id, item.target, item.sop_instance_uid, level, item.sha256, back, **more)


def apply(library: Library, item: OutboxItem, event: OutboxEvent, **more) -> OutboxItem:
    if event is OutboxEvent.PROVE:
        more.setdefault("receipt", receipt(item))
    if event is OutboxEvent.ACCEPT:
        more.setdefault("receipt", receipt(item, "accepted"))
    return library.write(lambda tx: library.outbox.apply(tx, item.item_id, event, **more))


def test_the_same_object_for_the_same_target_is_queued_once(library: Library) -> None:
    first = queue(library, "2.1")
    assert queue(library, "2.1") == first
    assert queue(library, "2.1", "web").item_id != first.item_id
    changed = dataclasses.replace(made.stored("2.1"), sha256="11" * 32)
    assert library.write(lambda tx: library.outbox.enqueue(tx, "folder", changed)).item_id != first.item_id
    assert library.outbox.counts()[OutboxState.QUEUED] == 3


@pytest.mark.parametrize(("state", "event"), list(product(OutboxState, OutboxEvent)))
def test_every_pair_of_state_and_event(library: Library, state: OutboxState, event: OutboxEvent) -> None:
    item = queue(library, "2.1")
    library.write(
        lambda tx: tx.execute(
            "UPDATE outbox SET state = ?, lease_owner = ?",
            (state.value, library.objects.owner if state == "sending" else ""),
        )
    )
    if (state, event) in NEXT:
        assert apply(library, item, event).state is NEXT[(state, event)]
        (change,) = library.events.query(kinds=[EventKind.OUTBOX_CHANGED], after_seq=2)
        assert (change.body["from"], change.body["to"]) == (state.value, NEXT[(state, event)].value)
    else:
        with pytest.raises(ImpossibleTransition):
            apply(library, item, event)
        assert library.outbox.items()[0].state is state


def test_the_way_to_proof(library: Library, clock: HandClock) -> None:
    item = queue(library, "2.1")
    taken = claim(library)
    assert taken is not None
    assert (taken.item_id, taken.state, taken.attempts) == (item.item_id, OutboxState.SENDING, 1)
    assert claim(library) is None
    with pytest.raises(StoreBug):
        library.write(lambda tx: library.outbox.apply(tx, item.item_id, OutboxEvent.ACCEPT))
    accepted = apply(library, item, OutboxEvent.ACCEPT)
    assert accepted.state is OutboxState.ACCEPTED
    with pytest.raises(StoreBug):
        apply(library, item, OutboxEvent.PROVE, receipt=receipt(item, "accepted"))
    with pytest.raises(StoreBug):
        apply(library, item, OutboxEvent.PROVE, receipt=dataclasses.replace(receipt(item), sop_instance_uid="9"))
    other = dataclasses.replace(receipt(item), sha256_sent="00" * 32, sha256_read_back="00" * 32)
    with pytest.raises(StoreBug):
        apply(library, item, OutboxEvent.PROVE, receipt=other)
    assert apply(library, item, OutboxEvent.PROVE).state is OutboxState.VERIFIED
    assert [r.level for r in library.outbox.receipts(item.item_id)] == ["accepted", "verified"]


def test_objects_of_a_study_go_in_order(library: Library) -> None:
    late = queue(library, "2.3", priority=90)
    early = queue(library, "2.1", priority=10)
    middle = queue(library, "2.2", priority=50)
    elsewhere = queue(library, "2.9", priority=99, study="7.7")
    assert claim(library) == library.outbox.item(early.item_id)
    following = claim(library)
    assert following is not None
    assert following.item_id == elsewhere.item_id
    apply(library, early, OutboxEvent.LINE_DOWN, next_at=1_800_000_060.0)
    assert claim(library) is None
    library.write(lambda tx: library.outbox.retry(tx, early.item_id))
    assert claim(library) == library.outbox.item(early.item_id)
    # A conflict is a person's to solve; the rest of the study need not wait for that.
    apply(library, early, OutboxEvent.DIFFERS, problem=Problem("sync.other_bytes_there"))
    nxt = claim(library)
    assert nxt is not None
    assert nxt.item_id == middle.item_id
    apply(library, middle, OutboxEvent.ACCEPT)
    assert claim(library) == library.outbox.item(late.item_id)


def test_waiting_items_wake_when_due(library: Library, clock: HandClock) -> None:
    item = queue(library, "2.1")
    assert library.outbox.due_at("folder") == 0.0
    claim(library)
    assert library.outbox.due_at("folder") is None
    problem = Problem("sync.http", {"status": 503, "server": "pacs"})
    waiting = apply(library, item, OutboxEvent.LINE_DOWN, problem=problem, next_at=clock.wall + 60)
    assert (waiting.last_problem, dict(waiting.last_params)) == ("sync.http", {"status": 503, "server": "pacs"})
    assert library.outbox.due_at("folder") == clock.wall + 60
    assert claim(library) is None
    clock.wall += 61
    taken = claim(library)
    assert taken is not None
    assert taken.attempts == 2


def test_a_clock_set_back_does_not_hold_a_report_for_a_year(library: Library, clock: HandClock) -> None:
    item = queue(library, "2.1")
    claim(library)
    apply(library, item, OutboxEvent.LINE_DOWN, next_at=clock.wall + 60)
    clock.wall -= 365 * 86400
    assert claim(library) is not None


def test_wrong_credentials_stop_the_target_until_corrected(library: Library) -> None:
    item = queue(library, "2.1")
    queue(library, "2.2", study="7.7")
    queue(library, "2.3", "web")
    claim(library)
    apply(library, item, OutboxEvent.UNAUTHORISED)
    assert claim(library) is None
    assert claim(library, "web") is not None
    assert library.write(lambda tx: library.outbox.retry_target(tx, "folder", [OutboxState.AUTH])) == 1
    assert claim(library) is not None


def test_a_lease_of_a_dead_process_is_given_back(home: Path, clock: HandClock) -> None:
    first = Library.open(home, FixedKey(), clock)
    item = queue(first, "2.1")
    claim(first)
    with Library.open(home, FixedKey(), clock) as second:
        assert second.write(second.outbox.recover) == 0
        with pytest.raises(ProblemError) as caught:
            apply(second, item, OutboxEvent.PROVE)
        assert caught.value.problem.code == "store.lease_lost"
        clock.wall += 121
        assert second.write(second.outbox.recover) == 1
        with pytest.raises(ProblemError):
            first.write(lambda tx: first.outbox.extend_lease(tx, item.item_id))
        assert claim(second) is not None
        with pytest.raises(ProblemError):
            apply(first, item, OutboxEvent.PROVE)
        first.close()
    with Library.open(home, FixedKey(), clock) as third:
        # The second process ended without giving its lease back.
        assert third.write(third.outbox.recover) == 1
        taken = claim(third)
        assert taken is not None
        assert taken.attempts == 3


def test_leases_can_be_extended_and_survive_a_clock_set_back(library: Library, clock: HandClock) -> None:
    item = queue(library, "2.1")
    claim(library)
    clock.wall += 100
    library.write(lambda tx: library.outbox.extend_lease(tx, item.item_id))
    clock.wall += 100
    assert library.write(library.outbox.recover) == 0
    clock.wall -= 365 * 86400
    assert library.write(library.outbox.recover) == 1


def test_the_tray_s_questions(library: Library) -> None:
    one = queue(library, "2.1")
    two = queue(library, "2.2", "web", study="7.7")
    assert [i.item_id for i in library.outbox.items()] == [two.item_id, one.item_id]
    assert [i.item_id for i in library.outbox.items(target="web", states=[OutboxState.QUEUED])] == [two.item_id]
    assert [i.item_id for i in library.outbox.items(study_uid="1.2.3", report_id="r1")] == [one.item_id]
    assert library.outbox.items(states=[OutboxState.VERIFIED]) == ()
    assert library.outbox.counts() == {s: 2 if s is OutboxState.QUEUED else 0 for s in OutboxState}
    assert library.outbox.item("nothing") is None


def test_old_proofs_are_checked_again(library: Library) -> None:
    item = queue(library, "2.1")
    claim(library)
    apply(library, item, OutboxEvent.PROVE, receipt=receipt(item, checked_at="2026-01-01T00:00:00.000Z"))
    assert [i.item_id for i in library.outbox.to_check_again("2026-01-02T00:00:00.000Z")] == [item.item_id]
    assert library.outbox.to_check_again("2025-12-31T00:00:00.000Z") == ()
    gone = apply(library, item, OutboxEvent.LOST_THERE)
    assert gone.state is OutboxState.QUEUED
