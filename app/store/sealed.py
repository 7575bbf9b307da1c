"""What the second readers' runs came to, without telling what they found: reader, state, name of the sealed object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from app.domain.event import EventKind
from app.domain.problem import Problem
from app.store import codec
from app.store.database import Row, Tx
from app.store.events import Events
from app.store.reading import Reads, Repository


class SealState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SEALED = "sealed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class SealedResult:
    """One reader's run on one study. ``object_name`` is the sealed, padded blob in the object store."""

    study_instance_uid: str
    reader: str
    reader_version: str
    state: SealState
    object_name: str
    problems: tuple[Problem, ...]
    """Why it was refused or failed."""
    hlc: str


_KIND = {
    SealState.WAITING: EventKind.READ_REQUESTED,
    SealState.SEALED: EventKind.READ_SEALED,
    SealState.REFUSED: EventKind.READ_REFUSED,
    SealState.FAILED: EventKind.READ_FAILED,
}


class Sealed(Repository):
    def __init__(self, library: Reads, events: Events) -> None:
        super().__init__(library)
        self._events = events

    def put(
        self,
        tx: Tx,
        study_uid: str,
        reader: str,
        reader_version: str,
        state: SealState,
        *,
        object_name: str = "",
        problems: tuple[Problem, ...] = (),
        person: str = "",
    ) -> SealedResult:
        """Sets the state of a reader's run. A sealed result needs its object; a retry replaces the row, never the log."""
        if (state is SealState.SEALED) != bool(object_name):
            raise ValueError('"object_name" belongs to a sealed result and to no other')
        stamp = tx.tick()
        encoded = codec.encode(problems)
        tx.execute(
            "INSERT INTO sealed_results VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (study, reader) DO UPDATE SET "
            "reader_version = excluded.reader_version, state = excluded.state, object_name = excluded.object_name, "
            "problems = excluded.problems, hlc = excluded.hlc",
            (study_uid, reader, reader_version, state.value, object_name, json.dumps(encoded, ensure_ascii=False), stamp),
        )
        kind = _KIND.get(state)
        if kind is not None:
            body = {"reader": reader, "version": reader_version, "object": object_name, "problems": encoded}
            self._events.append(tx, kind, study=study_uid, person=person, body=body, stamp=stamp)
        return SealedResult(study_uid, reader, reader_version, state, object_name, problems, stamp)

    def for_study(self, study_uid: str, tx: Tx | None = None) -> tuple[SealedResult, ...]:
        """By reader name: an order that tells nothing."""
        sql = "SELECT * FROM sealed_results WHERE study = ? ORDER BY reader"
        return tuple(_result(row) for row in self._read(lambda t: t.all(sql, (study_uid,)), tx))

    def by_study(self, tx: Tx | None = None) -> dict[str, tuple[SealedResult, ...]]:
        """Every run of the library, for a whole worklist at once."""
        found: dict[str, list[SealedResult]] = {}
        for row in self._read(lambda t: t.all("SELECT * FROM sealed_results ORDER BY study, reader"), tx):
            result = _result(row)
            found.setdefault(result.study_instance_uid, []).append(result)
        return {study: tuple(results) for study, results in found.items()}

    def unfinished(self, tx: Tx | None = None) -> tuple[SealedResult, ...]:
        """Runs that were waiting or under way, to be queued again after a crash; oldest first."""
        sql = "SELECT * FROM sealed_results WHERE state IN ('waiting', 'running') ORDER BY hlc"
        return tuple(_result(row) for row in self._read(lambda t: t.all(sql), tx))


def _result(row: Row) -> SealedResult:
    study, reader, version, state, name, problems, stamp = row
    return SealedResult(study, reader, version, SealState(state), name, codec.loads(tuple[Problem, ...], problems), stamp)
