"""The outbox table: what waits for which target, under whose lease, with what proof. The domain's table moves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from app.domain.event import EventKind
from app.domain.identity import new_uid
from app.domain.outbox import OutboxEvent, OutboxItem, OutboxState, Receipt, advance
from app.domain.problem import Problem, fail
from app.domain.report import StoredObject
from app.store import codec
from app.store.database import Row, Tx
from app.store.errors import StoreBug
from app.store.events import Events
from app.store.reading import Reads, Repository

_COLUMNS = (
    "item_id, target, study, report_id, sop_uid, sop_class_uid, object_name, sha256, size_bytes, kind, priority, state, "
    "attempts, next_at, last_problem, last_params, created_hlc, updated_hlc"
)
_LONGEST_LEASE_S = 3600.0
_LONGEST_WAIT_S = 6 * 3600.0
# The objects of one study go in order: later ones wait while an earlier one is still on its way.
_ON_ITS_WAY = "('queued', 'sending', 'waiting')"


class Outbox(Repository):
    """``owner`` names this process among those that have the library open; ``owner_lives`` asks for another's."""

    def __init__(self, library: Reads, events: Events, owner: str, owner_lives: Callable[[str], bool]) -> None:
        super().__init__(library)
        self._events = events
        self._owner = owner
        self._owner_lives = owner_lives

    def enqueue(
        self, tx: Tx, target: str, stored: StoredObject, *, report_id: str = "", priority: int = 50, person: str = ""
    ) -> OutboxItem:
        """Queues an object for a target; the same object for the same target again gives the item that is there."""
        key = f"{target}|{stored.sop_instance_uid}|{stored.sha256}"
        row = tx.one(f"SELECT {_COLUMNS} FROM outbox WHERE dedup_key = ?", (key,))
        if row is not None:
            return _item(row)
        stamp = tx.tick()
        item = OutboxItem(
            item_id=new_uid(),
            target=target,
            study_instance_uid=stored.study_instance_uid,
            report_id=report_id,
            sop_instance_uid=stored.sop_instance_uid,
            sop_class_uid=stored.sop_class_uid,
            object_name=stored.object_name,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
            kind=stored.kind,
            priority=priority,
            state=OutboxState.QUEUED,
            created_hlc=stamp,
            updated_hlc=stamp,
        )
        tx.execute(
            f"INSERT INTO outbox ({_COLUMNS}, dedup_key, lease_owner, lease_until) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', '{}', ?, ?, ?, '', 0)",
            (
                item.item_id, target, item.study_instance_uid, report_id, item.sop_instance_uid, item.sop_class_uid,
                item.object_name, item.sha256, item.size_bytes, item.kind, priority, item.state.value, stamp, stamp, key,
            ),
        )  # fmt: skip
        self._note(tx, item, "", person, stamp)
        return item

    def claim(self, tx: Tx, target: str, *, lease_s: float = 120.0) -> OutboxItem | None:
        """Takes the next due item of a target for this process, or None.

        None as well while an item of the target waits for credentials (``auth``). Lower ``priority`` goes first; within a
        study a later object waits until the earlier ones have arrived or a person has to decide about them.
        """
        if tx.one("SELECT 1 FROM outbox WHERE target = ? AND state = 'auth' LIMIT 1", (target,)):
            return None
        self._wake(tx, target)
        row = tx.one(
            f"SELECT {_COLUMNS} FROM outbox AS o WHERE state = 'queued' AND target = ? AND NOT EXISTS ("
            f"SELECT 1 FROM outbox AS e WHERE e.study = o.study AND e.target = o.target AND e.state IN {_ON_ITS_WAY} "
            "AND (e.priority < o.priority OR (e.priority = o.priority AND e.seq < o.seq))) "
            "ORDER BY priority, seq LIMIT 1",
            (target,),
        )
        if row is None:
            return None
        item = _item(row)
        self._move(tx, item, OutboxEvent.CLAIM, attempts=item.attempts + 1)
        tx.execute(
            "UPDATE outbox SET lease_owner = ?, lease_until = ? WHERE item_id = ?",
            (self._owner, tx.clock.wall_s() + min(lease_s, _LONGEST_LEASE_S), item.item_id),
        )
        return self._required(tx, item.item_id)

    def extend_lease(self, tx: Tx, item_id: str, lease_s: float = 120.0) -> None:
        """For a long upload; raises ``store.lease_lost`` when the item is not this process's any more."""
        changed = tx.execute(
            "UPDATE outbox SET lease_until = ? WHERE item_id = ? AND state = 'sending' AND lease_owner = ?",
            (tx.clock.wall_s() + min(lease_s, _LONGEST_LEASE_S), item_id, self._owner),
        )
        if not changed:
            raise fail("store.lease_lost", kept_safe="safe.in_outbox", next_step="next.wait")

    def apply(
        self,
        tx: Tx,
        item_id: str,
        event: OutboxEvent,
        *,
        problem: Problem | None = None,
        next_at: float = 0.0,
        receipt: Receipt | None = None,
        person: str = "",
    ) -> OutboxItem:
        """Moves an item by the table of ``domain.outbox``. ACCEPT and PROVE need a receipt, PROVE one read back.

        Raises ``ImpossibleTransition`` or ``StoreBug`` (a receipt of other bytes), ``store.lease_lost`` when another process
        holds the item.
        """
        item = self._required(tx, item_id)
        if item.state is OutboxState.SENDING and event is not OutboxEvent.LEASE_LOST:
            holder = tx.one("SELECT lease_owner FROM outbox WHERE item_id = ?", (item_id,))
            if holder is None or holder[0] != self._owner:
                raise fail("store.lease_lost", kept_safe="safe.in_outbox", next_step="next.wait")
        _check_receipt(item, event, receipt)
        moved = self._move(tx, item, event, problem=problem, next_at=next_at, person=person)
        if receipt is not None:
            tx.execute(
                "INSERT INTO receipts (item_id, sop_uid, level, hlc, body) VALUES (?, ?, ?, ?, ?)",
                (item_id, item.sop_instance_uid, receipt.level, moved.updated_hlc, codec.pack(receipt)),
            )
        return moved

    def recover(self, tx: Tx) -> int:
        """Gives back what dead processes were sending (a crash, a power cut); returns how many items that were.

        Whether the bytes had arrived is found out by reading back before they are sent again: same UID, same bytes.
        """
        now = tx.clock.wall_s()
        lost = 0
        rows = tx.all(f"SELECT {_COLUMNS}, lease_owner, lease_until FROM outbox WHERE state = 'sending'")
        for row in rows:
            owner, until = row[-2], row[-1]
            # A lease far in the future was given before the clock was set back.
            expired = until < now or until > now + _LONGEST_LEASE_S
            if expired or not self._owner_lives(owner):
                self._move(tx, _item(row[:-2]), OutboxEvent.LEASE_LOST)
                lost += 1
        return lost

    def retry(self, tx: Tx, item_id: str, person: str = "") -> OutboxItem:
        """A person says: try again."""
        return self.apply(tx, item_id, OutboxEvent.RETRY, person=person)

    def retry_target(self, tx: Tx, target: str, states: Collection[OutboxState], person: str = "") -> int:
        """All items of a target in these states: ``auth`` after a corrected password, ``waiting`` when the line is up."""
        count = 0
        for item in self.items(target=target, states=states, limit=10**9, tx=tx):
            self._move(tx, item, OutboxEvent.RETRY, person=person)
            count += 1
        return count

    def items(
        self,
        *,
        target: str = "",
        states: Collection[OutboxState] = (),
        study_uid: str = "",
        report_id: str = "",
        limit: int = 1000,
        tx: Tx | None = None,
    ) -> tuple[OutboxItem, ...]:
        """For the tray: newest first."""
        where = ["1 = 1"]
        parameters: list[Any] = []
        for column, value in (("target", target), ("study", study_uid), ("report_id", report_id)):
            if value:
                where.append(f"{column} = ?")
                parameters.append(value)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            parameters.extend(state.value for state in states)
        sql = f"SELECT {_COLUMNS} FROM outbox WHERE {' AND '.join(where)} ORDER BY seq DESC LIMIT ?"
        return tuple(_item(row) for row in self._read(lambda t: t.all(sql, (*parameters, limit)), tx))

    def item(self, item_id: str, tx: Tx | None = None) -> OutboxItem | None:
        row = self._read(lambda t: t.one(f"SELECT {_COLUMNS} FROM outbox WHERE item_id = ?", (item_id,)), tx)
        return _item(row) if row else None

    def counts(self, target: str = "", tx: Tx | None = None) -> dict[OutboxState, int]:
        """Items by state, all states named; of one target where it is given."""
        sql = "SELECT state, count(*) FROM outbox WHERE ? IN ('', target) GROUP BY state"
        rows = self._read(lambda t: t.all(sql, (target,)), tx)
        found = {OutboxState(state): int(count) for state, count in rows}
        return {state: found.get(state, 0) for state in OutboxState}

    def reports_proven_since(self, wall_ms: int, tx: Tx | None = None) -> int:
        """Reports with an object that was proven at or after a moment."""
        sql = "SELECT count(DISTINCT report_id) FROM outbox WHERE state = 'verified' AND updated_hlc >= ?"
        row = self._read(lambda t: t.one(sql, (f"{wall_ms:015d}",)), tx)
        return int(row[0]) if row else 0

    def due_at(self, target: str, tx: Tx | None = None) -> float | None:
        """Wall clock seconds when something of this target may go: 0 for now, None for nothing."""
        sql = (
            "SELECT min(CASE state WHEN 'queued' THEN 0 ELSE next_at END) FROM outbox "
            "WHERE target = ? AND state IN ('queued', 'waiting')"
        )
        row = self._read(lambda t: t.one(sql, (target,)), tx)
        return float(row[0]) if row and row[0] is not None else None

    def receipts(self, item_id: str, tx: Tx | None = None) -> tuple[Receipt, ...]:
        """Oldest first."""
        sql = "SELECT body FROM receipts WHERE item_id = ? ORDER BY seq"
        return tuple(codec.unpack(Receipt, row[0]) for row in self._read(lambda t: t.all(sql, (item_id,)), tx))

    def to_check_again(self, older_than_iso: str, tx: Tx | None = None) -> tuple[OutboxItem, ...]:
        """Accepted or verified items whose last receipt is older than this; the archive may have lost them since."""

        def work(t: Tx) -> tuple[OutboxItem, ...]:
            rows = t.all(f"SELECT {_COLUMNS} FROM outbox WHERE state IN ('accepted', 'verified') ORDER BY seq")
            items = [_item(row) for row in rows]
            return tuple(i for i in items if (r := self.receipts(i.item_id, t)) and r[-1].checked_at < older_than_iso)

        return self._read(work, tx)

    def _wake(self, tx: Tx, target: str) -> None:
        now = tx.clock.wall_s()
        rows = tx.all(
            # A wait longer than any backoff means that the clock was set back: it must not hold a report for a year.
            f"SELECT {_COLUMNS} FROM outbox WHERE target = ? AND state = 'waiting' AND (next_at <= ? OR next_at > ?)",
            (target, now, now + _LONGEST_WAIT_S),
        )
        for row in rows:
            self._move(tx, _item(row), OutboxEvent.DUE)

    def _move(
        self,
        tx: Tx,
        item: OutboxItem,
        event: OutboxEvent,
        *,
        problem: Problem | None = None,
        next_at: float = 0.0,
        attempts: int | None = None,
        person: str = "",
    ) -> OutboxItem:
        state = advance(item.state, event)
        stamp = tx.tick()
        params: Mapping[str, str | int | float] = problem.params if problem else {}
        tx.execute(
            "UPDATE outbox SET state = ?, attempts = ?, next_at = ?, last_problem = ?, last_params = ?, updated_hlc = ?, "
            "lease_owner = '', lease_until = 0 WHERE item_id = ?",
            (
                state.value, item.attempts if attempts is None else attempts, next_at, problem.code if problem else "",
                json.dumps(dict(params), ensure_ascii=False), stamp, item.item_id,
            ),
        )  # fmt: skip
        moved = self._required(tx, item.item_id)
        self._note(tx, moved, item.state.value, person, stamp, event)
        return moved

    def _note(
        self, tx: Tx, item: OutboxItem, before: str, person: str, stamp: str, event: OutboxEvent | None = None
    ) -> None:
        body = {
            "item_id": item.item_id,
            "target": item.target,
            "sop_instance_uid": item.sop_instance_uid,
            "sha256": item.sha256,
            "from": before,
            "to": item.state.value,
            "event": event.value if event else "enqueue",
            "problem": item.last_problem,
        }
        self._events.append(
            tx, EventKind.OUTBOX_CHANGED, study=item.study_instance_uid, person=person, body=body, stamp=stamp
        )

    def _required(self, tx: Tx, item_id: str) -> OutboxItem:
        item = self.item(item_id, tx)
        if item is None:
            raise StoreBug("no such outbox item")
        return item


def _check_receipt(item: OutboxItem, event: OutboxEvent, receipt: Receipt | None) -> None:
    level = {OutboxEvent.ACCEPT: "accepted", OutboxEvent.PROVE: "verified"}.get(event)
    if level is not None and (receipt is None or receipt.level != level):
        raise StoreBug(f"{event.value} needs a receipt of level {level}")
    if receipt is None:
        return
    fits = (receipt.item_id, receipt.sop_instance_uid, receipt.target, receipt.sha256_sent) == (
        item.item_id, item.sop_instance_uid, item.target, item.sha256
    )  # fmt: skip
    if not fits:
        raise StoreBug("a receipt of another object")


def _item(row: Row) -> OutboxItem:
    (
        item_id, target, study, report_id, sop_uid, sop_class_uid, object_name, sha256, size, kind, priority, state,
        attempts, next_at, problem, params, created, updated,
    ) = row  # fmt: skip
    return OutboxItem(
        item_id, target, study, report_id, sop_uid, sop_class_uid, object_name, sha256, size, kind, priority,
        OutboxState(state), attempts, next_at, problem, json.loads(params), created, updated,
    )  # fmt: skip
