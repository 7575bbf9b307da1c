"""Verdicts on findings of the second reader: append-only; a change of mind names what it replaces."""

from __future__ import annotations

from app.domain.event import EventKind
from app.domain.problem import fail
from app.domain.verdict import Decision, Verdict
from app.store import codec
from app.store.database import Tx
from app.store.events import Events
from app.store.reading import Reads, Repository


class Verdicts(Repository):
    def __init__(self, library: Reads, events: Events) -> None:
        super().__init__(library)
        self._events = events

    def give(self, tx: Tx, study_uid: str, verdict: Verdict) -> Verdict:
        """Adds a verdict. Giving the same one again changes nothing.

        Raises ``store.not_committed`` before the person's first opinion, ``store.verdict_outdated`` when ``supersedes`` is
        not the verdict that holds now (somebody else, or another window, has decided meanwhile).
        """
        if tx.one("SELECT 1 FROM verdicts WHERE verdict_id = ?", (verdict.verdict_id,)):
            return verdict
        if not tx.one("SELECT 1 FROM first_opinions WHERE study = ? AND person = ?", (study_uid, verdict.person_id)):
            raise fail("store.not_committed", kept_safe="safe.sealed", next_step="next.commit_first")
        holds = self.last(study_uid, tx).get(verdict.finding_id)
        if verdict.supersedes != (holds.verdict_id if holds else ""):
            raise fail("store.verdict_outdated", kept_safe="safe.earlier_verdict", next_step="next.look_again")
        tx.execute(
            "INSERT INTO verdicts (verdict_id, study, finding_id, supersedes, hlc, body) VALUES (?, ?, ?, ?, ?, ?)",
            (verdict.verdict_id, study_uid, verdict.finding_id, verdict.supersedes, verdict.hlc, codec.pack(verdict)),
        )
        self._events.append(
            tx, EventKind.VERDICT_GIVEN, study=study_uid, person=verdict.person_id, body={"verdict": codec.encode(verdict)}
        )
        return verdict

    def history(self, study_uid: str, tx: Tx | None = None) -> tuple[Verdict, ...]:
        """All verdicts of a study in the order they were given."""
        sql = "SELECT body FROM verdicts WHERE study = ? ORDER BY seq"
        return tuple(codec.unpack(Verdict, row[0]) for row in self._read(lambda t: t.all(sql, (study_uid,)), tx))

    def last(self, study_uid: str, tx: Tx | None = None) -> dict[str, Verdict]:
        """Finding id to the last word about it, also one that takes the others back."""
        return {verdict.finding_id: verdict for verdict in self.history(study_uid, tx)}

    def current(self, study_uid: str, tx: Tx | None = None) -> dict[str, Verdict]:
        """Finding id to the verdict that holds; findings whose verdict was taken back are not in it."""
        return {k: v for k, v in self.last(study_uid, tx).items() if v.decision is not Decision.WITHDRAWN}
