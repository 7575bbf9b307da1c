"""The reader's own marks, saved as they are drawn: an event for each change and the present state beside it."""

from __future__ import annotations

from app.domain.event import Event, EventKind
from app.domain.finding import Finding
from app.store import codec
from app.store.database import Tx
from app.store.events import Events
from app.store.reading import Reads, Repository


class Drafts(Repository):
    def __init__(self, library: Reads, events: Events) -> None:
        super().__init__(library)
        self._events = events

    def put(self, tx: Tx, study_uid: str, person_id: str, mark: Finding) -> Event:
        """Adds a mark or replaces it by its new version, keeping its place in the list."""
        stamp = tx.tick()
        tx.execute(
            "INSERT INTO marks (study, person, finding_id, position, body, hlc) VALUES (?, ?, ?, "
            "(SELECT coalesce(max(position), 0) + 1 FROM marks WHERE study = ? AND person = ?), ?, ?) "
            "ON CONFLICT (study, person, finding_id) DO UPDATE SET body = excluded.body, hlc = excluded.hlc",
            (study_uid, person_id, mark.finding_id, study_uid, person_id, codec.pack(mark), stamp),
        )
        tx.execute(
            "UPDATE studies SET reading_state = 'in_progress', reading_person = ? "
            "WHERE study_uid = ? AND reading_state = 'unread'",
            (person_id, study_uid),
        )
        return self._events.append(
            tx, EventKind.MARK_PUT, study=study_uid, person=person_id, body={"mark": codec.encode(mark)}, stamp=stamp
        )

    def remove(self, tx: Tx, study_uid: str, person_id: str, finding_id: str) -> Event | None:
        """Takes a mark away; the log keeps it. None when there was no such mark."""
        gone = tx.execute(
            "DELETE FROM marks WHERE study = ? AND person = ? AND finding_id = ?", (study_uid, person_id, finding_id)
        )
        if not gone:
            return None
        return self._events.append(
            tx, EventKind.MARK_REMOVED, study=study_uid, person=person_id, body={"finding_id": finding_id}
        )

    def marks(self, study_uid: str, person_id: str, tx: Tx | None = None) -> tuple[Finding, ...]:
        """The person's marks in the order they were first drawn."""
        sql = "SELECT body FROM marks WHERE study = ? AND person = ? ORDER BY position"
        rows = self._read(lambda t: t.all(sql, (study_uid, person_id)), tx)
        return tuple(codec.unpack(Finding, row[0]) for row in rows)
