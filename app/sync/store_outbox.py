"""The outbox of a library as the worker wants it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from app.domain.outbox import OutboxEvent, OutboxItem, OutboxState, Receipt
from app.domain.problem import Problem, fail
from app.store.database import Tx
from app.store.library import Library
from app.store.objects import SCHEME

SLOWEST_LINE_BYTES_PER_S = 20_000


class StoreOutbox:
    """``OutboxPort`` over ``Library.outbox``: each call is one durable transaction."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def recover(self) -> int:
        return self._library.write(lambda tx: self._library.outbox.recover(tx))

    def claim(self, target: str, lease_s: float) -> OutboxItem | None:
        if self._library.outbox.due_at(target) is None:
            return None  # nothing waits: no writing transaction for it

        def work(tx: Tx) -> OutboxItem | None:
            item = self._library.outbox.claim(tx, target, lease_s=lease_s)
            if item is not None and item.size_bytes > SLOWEST_LINE_BYTES_PER_S * lease_s / 2:
                # Another process must not take a large object over while it still crawls up a slow line.
                self._library.outbox.extend_lease(tx, item.item_id, lease_s + item.size_bytes / SLOWEST_LINE_BYTES_PER_S)
            return item

        return self._library.write(work)

    def apply(
        self,
        item_id: str,
        event: OutboxEvent,
        *,
        problem: Problem | None = None,
        next_at: float = 0.0,
        receipt: Receipt | None = None,
    ) -> OutboxItem:
        return self._library.write(
            lambda tx: self._library.outbox.apply(tx, item_id, event, problem=problem, next_at=next_at, receipt=receipt)
        )

    def accepted(self, target: str) -> tuple[OutboxItem, ...]:
        found = self._library.outbox.items(target=target, states=(OutboxState.ACCEPTED,), limit=10_000)
        return tuple(reversed(found))

    def to_check_again(self, target: str, older_than_s: float) -> tuple[OutboxItem, ...]:
        limit = datetime.fromtimestamp(self._library.clock.wall_s() - older_than_s, UTC)
        items = self._library.outbox.to_check_again(limit.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        return tuple(i for i in items if i.target == target and i.state is OutboxState.VERIFIED)

    def bytes_of(self, item: OutboxItem) -> bytes:
        data = self._library.objects.read(SCHEME + item.object_name)
        if hashlib.sha256(data).hexdigest() != item.sha256:
            raise fail("sync.payload_damaged", kept_safe="safe.signed_report", next_step="next.tell_support")
        return data

    def due_at(self, target: str) -> float | None:
        return self._library.outbox.due_at(target)
