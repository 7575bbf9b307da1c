"""First opinions, kept as they were, and the moment the second reader was revealed. Nothing is revealed before a commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.event import EventKind
from app.domain.problem import fail
from app.domain.verdict import FirstOpinion
from app.store import codec
from app.store.database import Tx
from app.store.events import Events
from app.store.reading import Reads, Repository


@dataclass(frozen=True)
class Reveal:
    """Who was shown what, when."""

    study_instance_uid: str
    person_id: str
    hlc: str
    readers: tuple[str, ...]


class Opinions(Repository):
    def __init__(self, library: Reads, events: Events) -> None:
        super().__init__(library)
        self._events = events

    def commit(self, tx: Tx, opinion: FirstOpinion) -> FirstOpinion:
        """Keeps the first opinion for ever. Raises ``store.opinion_exists`` when this person has given one already."""
        study, person = opinion.study_instance_uid, opinion.person_id
        if self.get(study, person, tx) is not None:
            raise fail("store.opinion_exists", kept_safe="safe.first_opinion", next_step="next.give_verdicts")
        tx.execute("INSERT INTO first_opinions VALUES (?, ?, ?, ?)", (study, person, opinion.hlc, codec.pack(opinion)))
        tx.execute(
            "UPDATE studies SET reading_state = 'committed', reading_person = ? "
            "WHERE study_uid = ? AND reading_state IN ('unread', 'in_progress')",
            (person, study),
        )
        self._events.append(
            tx, EventKind.OPINION_COMMITTED, study=study, person=person, body={"opinion": codec.encode(opinion)}
        )
        return opinion

    def reveal(self, tx: Tx, study_uid: str, person_id: str, readers: Sequence[str]) -> Reveal:
        """Records that these readers' results are shown from now on. Raises ``store.not_committed`` before a commit.

        A later call adds readers that finished meanwhile; the first moment stays.
        """
        if self.get(study_uid, person_id, tx) is None:
            raise fail("store.not_committed", kept_safe="safe.sealed", next_step="next.commit_first")
        before = self.revealed(study_uid, person_id, tx)
        names = tuple(sorted({*readers, *(before.readers if before else ())}))
        if before is not None and names == before.readers:
            return before
        stamp = tx.tick()
        reveal = Reveal(study_uid, person_id, before.hlc if before else stamp, names)
        tx.execute(
            "INSERT INTO reveals VALUES (?, ?, ?, ?) ON CONFLICT (study, person) DO UPDATE SET readers = excluded.readers",
            (study_uid, person_id, reveal.hlc, json.dumps(names)),
        )
        self._events.append(
            tx, EventKind.AI_REVEALED, study=study_uid, person=person_id, body={"readers": list(names)}, stamp=stamp
        )
        return reveal

    def get(self, study_uid: str, person_id: str, tx: Tx | None = None) -> FirstOpinion | None:
        sql = "SELECT body FROM first_opinions WHERE study = ? AND person = ?"
        row = self._read(lambda t: t.one(sql, (study_uid, person_id)), tx)
        return codec.unpack(FirstOpinion, row[0]) if row else None

    def all_for(self, study_uid: str, tx: Tx | None = None) -> tuple[FirstOpinion, ...]:
        """Every person's first opinion of a study, oldest first."""
        sql = "SELECT body FROM first_opinions WHERE study = ? ORDER BY hlc"
        return tuple(codec.unpack(FirstOpinion, row[0]) for row in self._read(lambda t: t.all(sql, (study_uid,)), tx))

    def is_committed(self, study_uid: str, person_id: str = "", tx: Tx | None = None) -> bool:
        """By this person, or by anybody when no person is given."""
        sql = "SELECT 1 FROM first_opinions WHERE study = ? AND (? = '' OR person = ?)"
        return self._read(lambda t: t.one(sql, (study_uid, person_id, person_id)), tx) is not None

    def committed_studies(self, person_id: str, tx: Tx | None = None) -> frozenset[str]:
        """Studies that this person has given a first opinion on."""
        rows = self._read(lambda t: t.all("SELECT study FROM first_opinions WHERE person = ?", (person_id,)), tx)
        return frozenset(str(row[0]) for row in rows)

    def revealed(self, study_uid: str, person_id: str, tx: Tx | None = None) -> Reveal | None:
        sql = "SELECT hlc, readers FROM reveals WHERE study = ? AND person = ?"
        row = self._read(lambda t: t.one(sql, (study_uid, person_id)), tx)
        return Reveal(study_uid, person_id, row[0], tuple(json.loads(row[1]))) if row else None
