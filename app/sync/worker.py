"""Drains the outbox: one thread, one object at a time per target, and no claim without a receipt.

The order of things for one object: claim it under a lease; if an earlier try may have arrived, read back before sending
again; send; write "accepted"; read back; write "verified" only for equal bytes. A crash at any point leaves a state from
which the same steps lead on, because the UID and the bytes are fixed and every target can be asked what it has.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from app.domain.outbox import OutboxEvent, OutboxItem, OutboxState, Receipt
from app.domain.ports import Clock
from app.domain.problem import Problem, ProblemError
from app.sync.target import Differs, NotThere, Refused, Retryable, StorageTarget, SyncError, Unauthorised, problem

BACKOFF_BASE_S = 5.0
BACKOFF_CAP_S = 1800.0
_LEASE_BASE_S = 120.0
_IDLE_WAIT_S = 60.0
_RECHECKS_EACH_ROUND = 50
_RECHECK_PAUSE_S = 900.0

log = logging.getLogger("ekinshi.sync")


class OutboxPort(Protocol):
    """What the worker needs of the outbox; each call is one durable step."""

    def recover(self) -> int:
        """Gives back what dead senders held."""
        ...

    def claim(self, target: str, lease_s: float) -> OutboxItem | None:
        """The next due item under a lease of at least ``lease_s``, longer for a large one; None when there is none."""
        ...

    def apply(
        self,
        item_id: str,
        event: OutboxEvent,
        *,
        problem: Problem | None = None,
        next_at: float = 0.0,
        receipt: Receipt | None = None,
    ) -> OutboxItem: ...

    def accepted(self, target: str) -> tuple[OutboxItem, ...]:
        """Sent and not yet proven."""
        ...

    def to_check_again(self, target: str, older_than_s: float) -> tuple[OutboxItem, ...]:
        """Proven items whose last receipt is older than this."""
        ...

    def bytes_of(self, item: OutboxItem) -> bytes:
        """Raises ``ProblemError`` when the object is gone or damaged."""
        ...

    def due_at(self, target: str) -> float | None: ...


@dataclass(frozen=True)
class DrainReport:
    """What one pass did, by items."""

    proven: int = 0
    accepted: int = 0
    waiting: int = 0
    needs_person: int = 0

    def plus(self, state: OutboxState) -> DrainReport:
        return DrainReport(
            self.proven + (state is OutboxState.VERIFIED),
            self.accepted + (state is OutboxState.ACCEPTED),
            self.waiting + (state in (OutboxState.WAITING, OutboxState.QUEUED)),
            self.needs_person + (state in (OutboxState.AUTH, OutboxState.CONFLICT, OutboxState.REFUSED)),
        )

    def __add__(self, other: DrainReport) -> DrainReport:
        return DrainReport(
            self.proven + other.proven,
            self.accepted + other.accepted,
            self.waiting + other.waiting,
            self.needs_person + other.needs_person,
        )


def backoff_s(attempts: int, retry_after_s: float | None, draw: Callable[[], float]) -> float:
    """Full jitter: ``draw() * min(cap, base * 2^n)``, never sooner than the server asked. ``draw`` gives 0..1."""
    exponent = min(max(attempts - 1, 0), 20)
    wait = draw() * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**exponent)
    if retry_after_s is not None:
        wait = max(wait, min(retry_after_s, 4 * BACKOFF_CAP_S))
    return max(wait, 0.5)


class SyncWorker:
    """``on_change`` is called from the worker's thread after every state change, with the target's name."""

    def __init__(
        self,
        outbox: OutboxPort,
        targets: Mapping[str, StorageTarget],
        clock: Clock,
        *,
        on_change: Callable[[str], None] | None = None,
        draw: Callable[[], float] | None = None,
        recheck_after_s: float | None = 24 * 3600.0,
    ) -> None:
        self._outbox = outbox
        self._targets = dict(targets)
        self._clock = clock
        self._on_change = on_change or (lambda _: None)
        self._draw = draw or random.SystemRandom().random
        self._recheck_after_s = recheck_after_s
        self._no_recheck_before_s: dict[str, float] = {}
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._draining = threading.Lock()

    def replace(self, name: str, target: StorageTarget) -> None:
        """Another target under a name, from the next item on: its password has changed."""
        self._targets = {**self._targets, name: target}

    def start(self) -> None:
        """Starts the thread; does nothing when it runs."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Asks the thread to end after the request in flight; True when it has."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def wake(self) -> None:
        """Something was queued, or the line came back."""
        self._wake.set()

    def drain_once(self) -> DrainReport:
        """Sends all that is due now and proves what was sent. For the thread and for ``ekinshi sync --once``."""
        with self._draining:
            self._stop_if_asked()
            self._outbox.recover()
            report = DrainReport()
            for name, target in self._targets.items():
                if not self._stop.is_set():
                    report += self._drain_target(name, target)
            return report

    def _stop_if_asked(self) -> None:
        if self._thread is None:
            self._stop.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.drain_once()
            except Exception as error:  # the thread must live on: disk full and the like pass
                log.warning("sync round ended early: %s", type(error).__name__)
            if not self._stop.is_set():
                self._wake.wait(self._wait_s())

    def _wait_s(self) -> float:
        try:
            now = self._clock.wall_s()
            due = [at for name in self._targets if (at := self._outbox.due_at(name)) is not None]
            due += [i.next_at for name in self._targets for i in self._outbox.accepted(name)]
        except Exception as error:  # as above: a thread that ends would send nothing until the next start
            log.warning("the next round is not known: %s", type(error).__name__)
            return _IDLE_WAIT_S
        return min([_IDLE_WAIT_S, *(max(1.0, at - now) for at in due)])

    def _drain_target(self, name: str, target: StorageTarget) -> DrainReport:
        report = DrainReport()
        sent = False
        for pending in self._outbox.accepted(name):
            if pending.next_at <= self._clock.wall_s() and not self._stop.is_set():
                report = report.plus(self._prove(target, pending).state)
                self._on_change(name)
        while not self._stop.is_set():
            item = self._outbox.claim(name, _LEASE_BASE_S)
            if item is None:
                break
            sent = True
            report = report.plus(self._deliver(target, item).state)
            self._on_change(name)
        if sent:
            self._finish(target)
        self._recheck(name, target)
        return report

    def _finish(self, target: StorageTarget) -> None:
        try:
            target.finish()
        except SyncError as error:
            log.warning("finishing %s: %s", target.name, error.problem.code)

    def _recheck(self, name: str, target: StorageTarget) -> None:
        """Archives lose things: what was proven is asked for again from time to time."""
        if self._recheck_after_s is None or self._clock.monotonic_s() < self._no_recheck_before_s.get(name, 0.0):
            return
        # Looking for what is due reads all receipts: not every minute.
        self._no_recheck_before_s[name] = self._clock.monotonic_s() + _RECHECK_PAUSE_S
        for item in self._outbox.to_check_again(name, self._recheck_after_s)[:_RECHECKS_EACH_ROUND]:
            if self._stop.is_set():
                return
            try:
                receipt = target.prove(item, self._outbox.bytes_of(item))
                self._outbox.apply(item.item_id, OutboxEvent.PROVE, receipt=receipt)
            except NotThere as error:
                self._outbox.apply(item.item_id, OutboxEvent.LOST_THERE, problem=error.problem)
                self._on_change(name)
            except Differs as error:
                self._outbox.apply(item.item_id, OutboxEvent.DIFFERS, problem=error.problem)
                self._on_change(name)
            except (SyncError, ProblemError):
                return  # not now; it stays proven as of its last receipt

    def _deliver(self, target: StorageTarget, item: OutboxItem) -> OutboxItem:
        """A claimed item (``sending``) to the next state that it can reach now."""
        try:
            data = self._outbox.bytes_of(item)
        except ProblemError as error:
            return self._outbox.apply(item.item_id, OutboxEvent.REFUSE, problem=error.problem)
        try:
            if item.attempts > 1:
                # An earlier try may have arrived: ask before sending again.
                try:
                    receipt = target.prove(item, data)
                    return self._outbox.apply(item.item_id, OutboxEvent.PROVE, receipt=receipt)
                except NotThere:
                    pass
            receipt = target.send(item, data)
        except Retryable as error:
            return self._later(item, OutboxEvent.LINE_DOWN, error.problem, error.retry_after_s)
        except Unauthorised as error:
            return self._outbox.apply(item.item_id, OutboxEvent.UNAUTHORISED, problem=error.problem)
        except Differs as error:
            return self._outbox.apply(item.item_id, OutboxEvent.DIFFERS, problem=error.problem)
        except (Refused, NotThere) as error:
            return self._outbox.apply(item.item_id, OutboxEvent.REFUSE, problem=error.problem)
        accepted = self._outbox.apply(item.item_id, OutboxEvent.ACCEPT, receipt=receipt)
        self._on_change(target.name)
        return self._prove(target, accepted, data, just_sent=True)

    def _prove(
        self, target: StorageTarget, item: OutboxItem, data: bytes | None = None, just_sent: bool = False
    ) -> OutboxItem:
        """An accepted item to verified, conflict, back to the queue, or accepted until a later try."""
        try:
            data = data if data is not None else self._outbox.bytes_of(item)
            receipt = target.prove(item, data)
            return self._outbox.apply(item.item_id, OutboxEvent.PROVE, receipt=receipt)
        except NotThere as error:
            if just_sent:  # an archive may need a moment until it can be asked; then it counts as lost
                return self._later(item, OutboxEvent.LINE_DOWN, problem("sync.not_there_yet"), None)
            return self._outbox.apply(item.item_id, OutboxEvent.LOST_THERE, problem=error.problem)
        except Differs as error:
            return self._outbox.apply(item.item_id, OutboxEvent.DIFFERS, problem=error.problem)
        except Unauthorised as error:
            return self._later(item, OutboxEvent.UNAUTHORISED, error.problem, None)
        except Retryable as error:
            return self._later(item, OutboxEvent.LINE_DOWN, error.problem, error.retry_after_s)
        except SyncError as error:
            return self._later(item, OutboxEvent.LINE_DOWN, error.problem, None)
        except ProblemError as error:
            return self._later(item, OutboxEvent.LINE_DOWN, error.problem, BACKOFF_CAP_S)

    def _later(self, item: OutboxItem, event: OutboxEvent, why: Problem, retry_after_s: float | None) -> OutboxItem:
        wait = backoff_s(item.attempts, retry_after_s, self._draw)
        return self._outbox.apply(item.item_id, event, problem=why, next_at=self._clock.wall_s() + wait)
