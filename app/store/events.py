"""The append-only event log with its hash chain. Everything clinical or audited is an event first."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.event import Event, EventKind
from app.store.database import Row, Tx
from app.store.errors import StoreBug
from app.store.reading import Repository

_COLUMNS = "event_id, hlc, device, person, study, kind, version, body, prev_hash"


@dataclass(frozen=True)
class ChainReport:
    """Result of ``verify_chain``. ``broken_at`` is the sequence number of the first bad event, 0 when all fit."""

    length: int
    head: str
    broken_at: int = 0

    @property
    def intact(self) -> bool:
        return self.broken_at == 0


class Events(Repository):
    def append(
        self,
        tx: Tx,
        kind: EventKind,
        *,
        study: str = "",
        person: str = "",
        body: Mapping[str, Any] | None = None,
        version: int = 1,
        stamp: str = "",
    ) -> Event:
        """Adds one event inside ``tx`` and extends the chain. ``stamp``: an HLC already taken with ``tx.tick()``."""
        head = tx.one("SELECT hash, hlc FROM events ORDER BY seq DESC LIMIT 1")
        stamp = stamp or tx.tick()
        if head is not None and stamp <= head[1]:
            raise StoreBug("an event with a stamp older than the log's last")
        event = Event(
            event_id=str(uuid.uuid4()),
            hlc=stamp,
            device=tx.device,
            person=person,
            study=study,
            kind=kind,
            version=version,
            body=dict(body or {}),
            prev_hash=head[0] if head else "",
        )
        text = json.dumps(event.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        chain_hash = event.chain_hash()
        seq = tx.insert(
            f"INSERT INTO events ({_COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (event.event_id, event.hlc, event.device, person, study, kind.value, version, text, event.prev_hash, chain_hash),
        )
        tx.execute(
            "INSERT INTO meta VALUES ('chain_head', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (f"{seq}:{chain_hash}",),
        )
        return event

    def query(
        self,
        *,
        study: str | None = None,
        kinds: Iterable[EventKind] = (),
        after_seq: int = 0,
        limit: int = 100_000,
        tx: Tx | None = None,
    ) -> tuple[Event, ...]:
        """Events in the order of their writing; of one study and of some kinds where given."""
        return tuple(event for _, event in self.numbered(study=study, kinds=kinds, after_seq=after_seq, limit=limit, tx=tx))

    def numbered(
        self,
        *,
        study: str | None = None,
        kinds: Iterable[EventKind] = (),
        after_seq: int = 0,
        limit: int = 100_000,
        tx: Tx | None = None,
    ) -> tuple[tuple[int, Event], ...]:
        """Like ``query``, each with its sequence number, for readers that come back for more."""
        where = ["seq > ?"]
        parameters: list[Any] = [after_seq]
        if study is not None:
            where.append("study = ?")
            parameters.append(study)
        wanted = [kind.value for kind in kinds]
        if wanted:
            where.append(f"kind IN ({', '.join('?' * len(wanted))})")
            parameters.extend(wanted)
        sql = f"SELECT seq, {_COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?"
        rows = self._read(lambda t: t.all(sql, (*parameters, limit)), tx)
        return tuple((int(row[0]), _event(row[1:])) for row in rows)

    def count(self, tx: Tx | None = None) -> int:
        row = self._read(lambda t: t.one("SELECT count(*) FROM events"), tx)
        return int(row[0]) if row else 0

    def verify_chain(self, tx: Tx | None = None) -> ChainReport:
        """Recomputes every hash from the content; notices changed, missing, added and cut-off events.

        Who holds the database key can rebuild the whole chain: see ``docs/threat-model.md``.
        """
        return self._read(_verify, tx)


def _verify(tx: Tx) -> ChainReport:
    seq, expected, stamp, length = 0, "", "", 0
    while rows := tx.all(f"SELECT seq, hash, {_COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT 2000", (seq,)):
        for row in rows:
            event = _event(row[2:])
            fits = row[0] == seq + 1 and event.prev_hash == expected and event.hlc > stamp and event.chain_hash() == row[1]
            if not fits:
                return ChainReport(length, expected, int(row[0]))
            seq, expected, stamp, length = int(row[0]), str(row[1]), event.hlc, length + 1
    head = tx.one("SELECT value FROM meta WHERE key = 'chain_head'")
    if (head[0] if head else "0:") != f"{seq}:{expected}":
        return ChainReport(length, expected, seq + 1)
    return ChainReport(length, expected)


def _event(row: Row) -> Event:
    event_id, hlc, device, person, study, kind, version, body, prev_hash = row
    return Event(event_id, hlc, device, person, study, EventKind(kind), int(version), json.loads(body), prev_hash)
