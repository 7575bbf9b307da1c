"""The whole way of an object through every answer that a server can give, on a real store."""

from __future__ import annotations

import threading
import time

import pytest

from app.domain.outbox import OutboxItem, OutboxState, Receipt
from app.store.errors import StoreBug
from app.store.library import Library
from app.sync.store_outbox import StoreOutbox
from app.sync.targets.dicomweb import DicomWebSettings, DicomWebTarget
from app.sync.worker import BACKOFF_CAP_S, DrainReport, SyncWorker, backoff_s
from tests.dicom.objects_phantom import header
from tests.servers import ScriptedServer, Step
from tests.store.conftest import HandClock
from tests.sync.objects import TARGET, pdf_object, queue


@pytest.fixture
def worker(library: Library, server: ScriptedServer, clock: HandClock) -> SyncWorker:
    target = DicomWebTarget(DicomWebSettings(TARGET, server.url, "ws", "pw", read_timeout_s=5.0), clock)
    return SyncWorker(StoreOutbox(library), {TARGET: target}, clock, draw=lambda: 1.0)


def state(library: Library, item: OutboxItem) -> OutboxState:
    found = library.outbox.item(item.item_id)
    assert found is not None
    return found.state


def levels(library: Library, item: OutboxItem) -> list[str]:
    return [r.level for r in library.outbox.receipts(item.item_id)]


def uid(name: str) -> str:
    return header(name).sop_instance_uid


def test_sent_then_proven_in_order(library: Library, worker: SyncWorker, server: ScriptedServer) -> None:
    items = queue(library, "one", "two", "three")
    assert worker.drain_once() == DrainReport(proven=3)
    assert [state(library, i) for i in items] == [OutboxState.VERIFIED] * 3
    assert [levels(library, i) for i in items] == [["accepted", "verified"]] * 3
    assert list(server.stored) == [uid("one"), uid("two"), uid("three")]
    assert server.stored[uid("one")] == pdf_object("one")
    assert worker.drain_once() == DrainReport()


def test_an_answer_that_got_lost_is_found_out_and_nothing_goes_twice(
    library: Library, worker: SyncWorker, server: ScriptedServer, clock: HandClock
) -> None:
    (item,) = queue(library, "one")
    server.posts = [Step("store_then_drop")]
    assert worker.drain_once() == DrainReport(waiting=1)
    assert (state(library, item), levels(library, item)) == (OutboxState.WAITING, [])
    assert worker.drain_once() == DrainReport()  # not due yet
    clock.wall += 6
    assert worker.drain_once() == DrainReport(proven=1)
    assert levels(library, item) == ["verified"]
    assert server.times_stored == {uid("one"): 1}


def test_a_cut_line_sends_again(library: Library, worker: SyncWorker, server: ScriptedServer, clock: HandClock) -> None:
    (item,) = queue(library, "one")
    server.posts = [Step("drop_mid_body"), Step("drop_mid_body")]
    for attempt, wait in ((1, 5), (2, 10)):
        assert worker.drain_once() == DrainReport(waiting=1)
        found = library.outbox.item(item.item_id)
        assert found is not None
        assert (found.attempts, found.last_problem) == (attempt, "sync.line_down")
        assert found.next_at == pytest.approx(clock.wall + wait)
        clock.wall += wait + 0.1
    assert worker.drain_once() == DrainReport(proven=1)


def test_the_server_is_asked_again_when_it_said(
    library: Library, worker: SyncWorker, server: ScriptedServer, clock: HandClock
) -> None:
    (item,) = queue(library, "one")
    server.posts = [Step("status", 503, {"Retry-After": "600"})]
    worker.drain_once()
    found = library.outbox.item(item.item_id)
    assert found is not None
    assert found.next_at == pytest.approx(clock.wall + 600)
    assert (found.last_problem, found.last_params) == ("sync.server_busy", {"status": 503})
    clock.wall += 601
    assert worker.drain_once() == DrainReport(proven=1)


def test_a_wrong_password_stops_the_queue_and_burns_no_attempts(
    library: Library, worker: SyncWorker, server: ScriptedServer
) -> None:
    first, second = queue(library, "one", "two")
    server.posts = [Step("status", 401)]
    assert worker.drain_once() == DrainReport(needs_person=1)
    for _ in range(3):
        worker.drain_once()
    assert (state(library, first), state(library, second)) == (OutboxState.AUTH, OutboxState.QUEUED)
    assert len([s for s in server.seen if s.method == "POST"]) == 1
    library.write(lambda tx: library.outbox.retry_target(tx, TARGET, (OutboxState.AUTH,)))
    assert worker.drain_once() == DrainReport(proven=2)


@pytest.mark.parametrize(
    ("step", "end"),
    [
        (Step("status", 413), OutboxState.REFUSED),
        (Step("status", 409), OutboxState.REFUSED),
        (Step("redirect", 302, {"Location": "http://127.0.0.1:9/"}), OutboxState.REFUSED),
        (Step("portal"), OutboxState.WAITING),
        (Step("empty"), OutboxState.WAITING),
    ],
)
def test_what_is_not_taken_is_kept_and_can_go_later(
    library: Library, worker: SyncWorker, server: ScriptedServer, clock: HandClock, step: Step, end: OutboxState
) -> None:
    (item,) = queue(library, "one")
    server.posts = [step]
    worker.drain_once()
    assert (state(library, item), levels(library, item)) == (end, [])
    library.write(lambda tx: library.outbox.retry(tx, item.item_id))
    assert worker.drain_once() == DrainReport(proven=1)


def test_old_bytes_under_our_uid_are_never_called_proven(
    library: Library, worker: SyncWorker, server: ScriptedServer
) -> None:
    server.stored[uid("one")] = pdf_object("one", b"an older version")
    (item,) = queue(library, "one")
    assert worker.drain_once() == DrainReport(needs_person=1)
    assert (state(library, item), levels(library, item)) == (OutboxState.CONFLICT, ["accepted"])
    assert server.stored[uid("one")] == pdf_object("one", b"an older version")


def test_accepted_and_forgotten_is_sent_again(
    library: Library, worker: SyncWorker, server: ScriptedServer, clock: HandClock
) -> None:
    (item,) = queue(library, "one")
    server.posts = [Step("forget")]
    assert worker.drain_once() == DrainReport(accepted=1)
    found = library.outbox.item(item.item_id)
    assert found is not None
    assert (found.state, found.last_problem) == (OutboxState.ACCEPTED, "sync.not_there_yet")
    clock.wall += 6
    worker.drain_once()
    assert state(library, item) is OutboxState.VERIFIED
    assert server.stored[uid("one")] == pdf_object("one")


def test_accepted_stays_accepted_while_it_cannot_be_read_back(
    library: Library, worker: SyncWorker, server: ScriptedServer, clock: HandClock
) -> None:
    (item,) = queue(library, "one")
    server.gets = [Step("status", 503), Step("portal"), Step("status", 401)]
    for _ in range(3):
        worker.drain_once()
        assert (state(library, item), levels(library, item)) == (OutboxState.ACCEPTED, ["accepted"])
        clock.wall += 60
    worker.drain_once()
    assert levels(library, item) == ["accepted", "verified"]
    assert server.times_stored == {uid("one"): 1}


def test_a_damaged_object_is_not_sent(
    library: Library, worker: SyncWorker, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = queue(library, "one")
    monkeypatch.setattr(library.objects, "read", lambda _: b"something else")
    assert worker.drain_once() == DrainReport(needs_person=1)
    found = library.outbox.item(item.item_id)
    assert found is not None
    assert (found.state, found.last_problem) == (OutboxState.REFUSED, "sync.payload_damaged")
    assert server.seen == []


def test_what_was_proven_is_asked_for_again_after_a_day(
    library: Library, worker: SyncWorker, server: ScriptedServer, clock: HandClock
) -> None:
    (item,) = queue(library, "one")
    worker.drain_once()
    clock.wall += 25 * 3600
    worker.drain_once()
    assert levels(library, item) == ["accepted", "verified", "verified"]
    worker.drain_once()
    assert len(levels(library, item)) == 3  # not again before the next day
    server.stored.clear()
    clock.wall += 25 * 3600
    worker.drain_once()
    assert state(library, item) is OutboxState.QUEUED
    worker.drain_once()
    assert state(library, item) is OutboxState.VERIFIED
    assert server.stored[uid("one")] == pdf_object("one")


def test_a_refused_object_does_not_hold_up_another_study(
    library: Library, worker: SyncWorker, server: ScriptedServer
) -> None:
    items = queue(library, "one", "two")
    server.posts = [Step("status", 413)]
    worker.drain_once()
    assert [state(library, i) for i in items] == [OutboxState.REFUSED, OutboxState.VERIFIED]


def test_the_thread_sends_when_woken_and_stops(library: Library, worker: SyncWorker) -> None:
    others = set(threading.enumerate())
    worker.start()
    try:
        (item,) = queue(library, "one")
        worker.wake()
        end = time.monotonic() + 20
        while state(library, item) is not OutboxState.VERIFIED and time.monotonic() < end:
            time.sleep(0.02)
        assert state(library, item) is OutboxState.VERIFIED
    finally:
        assert worker.stop()
    assert [t.name for t in threading.enumerate() if t not in others and t.name == "sync"] == []


def test_stopping_finishes_the_request_in_flight(library: Library, worker: SyncWorker, server: ScriptedServer) -> None:
    items = queue(library, "one", "two")
    server.posts = [Step("wait", seconds=0.4)]
    worker.start()
    end = time.monotonic() + 20
    while not server.times_stored and time.monotonic() < end:
        time.sleep(0.01)
    assert worker.stop()
    assert [state(library, i) for i in items] == [OutboxState.VERIFIED, OutboxState.QUEUED]


def test_changes_are_announced(library: Library, server: ScriptedServer, clock: HandClock) -> None:
    target = DicomWebTarget(DicomWebSettings(TARGET, server.url), clock)
    told: list[str] = []
    worker = SyncWorker(StoreOutbox(library), {TARGET: target}, clock, on_change=told.append)
    queue(library, "one")
    worker.drain_once()
    assert set(told) == {TARGET}


def test_backoff_has_full_jitter_and_a_cap() -> None:
    assert [backoff_s(n, None, lambda: 1.0) for n in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert backoff_s(50, None, lambda: 1.0) == BACKOFF_CAP_S
    assert backoff_s(5, None, lambda: 0.0) == 0.5
    assert backoff_s(1, 90.0, lambda: 1.0) == 90.0
    assert backoff_s(9, 1.0, lambda: 1.0) == 1280.0


def test_a_receipt_cannot_claim_proof_without_equal_bytes() -> None:
    with pytest.raises(ValueError, match="verified"):
        Receipt("i", TARGET, "1.2", "verified", "a" * 64, "b" * 64)


def test_a_large_object_on_a_slow_line_keeps_its_lease(library: Library, clock: HandClock) -> None:
    from app.dicom.encapsulated import encapsulate_pdf
    from tests.dicom.objects_phantom import ct_study
    from tests.sync.objects import stored_object

    large = encapsulate_pdf(ct_study(), b"%PDF-1.4 " + bytes(6_000_000), "x", header("large"))  # five minutes at 20 kB/s
    small = pdf_object("small")
    for n, (name, data) in enumerate((("large", large), ("small", small))):
        stored = stored_object(library, name, data)
        library.write(lambda tx, s=stored, n=n: library.outbox.enqueue(tx, f"{TARGET}{n}", s))  # type: ignore[misc]
    outbox = StoreOutbox(library)
    assert outbox.claim(f"{TARGET}0", 120.0) is not None
    assert outbox.claim(f"{TARGET}1", 120.0) is not None
    clock.wall += 200
    assert outbox.recover() == 1  # the small one only
    clock.wall += 300
    assert outbox.recover() == 1


def test_the_thread_lives_on_when_what_is_due_cannot_be_asked(
    library: Library, worker: SyncWorker, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed or damaged index between two rounds: the next round tries again and sends."""
    asked = threading.Event()

    def broken(target: str) -> float | None:
        asked.set()
        raise StoreBug("the library is closed")

    monkeypatch.setattr(worker._outbox, "due_at", broken)
    worker.start()
    try:
        assert asked.wait(20)
        (item,) = queue(library, "one")
        worker.wake()
        end = time.monotonic() + 20
        while state(library, item) is not OutboxState.VERIFIED and time.monotonic() < end:
            time.sleep(0.01)
        assert state(library, item) is OutboxState.VERIFIED
    finally:
        worker.stop()
