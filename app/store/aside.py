"""Bytes that came under a number that is here with other bytes: kept aside, encrypted, until a person has chosen.

Neither of the two is ever deleted. A choice says which one the study shows; the other stays aside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.event import EventKind
from app.domain.problem import fail
from app.domain.study import Instance, Series
from app.store import codec
from app.store.database import Row, Tx
from app.store.events import Events
from app.store.objects import SCHEME, StoredBytes
from app.store.reading import Reads, Repository

_COLUMNS = "sop_uid, sha256, study_uid, object_name, size_bytes, source, decided"
_NOT_STARTED = ("refused", "failed")
"""States of a second reader that has seen no pixels of a study."""


@dataclass(frozen=True)
class AsideObject:
    sop_instance_uid: str
    sha256: str
    study_instance_uid: str
    """Of the object that is shown."""
    object_name: str
    size_bytes: int
    source: str
    """File or archive member that it came from, as a person is shown it; empty for what was shown first."""
    decided: bool = False

    @property
    def locator(self) -> str:
        return SCHEME + self.object_name


class Aside(Repository):
    def __init__(self, library: Reads, events: Events) -> None:
        super().__init__(library)
        self._events = events

    def keep(self, tx: Tx, sop_instance_uid: str, stored: StoredBytes, source: str, person: str = "") -> bool:
        """Keeps other bytes of an object that is here; False when these are kept already, are the ones that are shown, or
        no such object is here (then nothing is kept)."""
        shown = tx.one(_SHOWN, (sop_instance_uid,))
        if shown is None or shown[1] == stored.sha256:
            return False
        values = (sop_instance_uid, stored.sha256, shown[0], stored.name, stored.size_bytes, source, 0, person, tx.tick())
        return tx.execute("INSERT OR IGNORE INTO kept_aside VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values) == 1

    def waiting(self, tx: Tx | None = None) -> tuple[AsideObject, ...]:
        """What nobody has decided on yet, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM kept_aside WHERE decided = 0 ORDER BY hlc"
        return tuple(map(_aside, self._read(lambda t: t.all(sql), tx)))

    def all(self, tx: Tx | None = None) -> tuple[AsideObject, ...]:
        sql = f"SELECT {_COLUMNS} FROM kept_aside ORDER BY hlc"
        return tuple(map(_aside, self._read(lambda t: t.all(sql), tx)))

    def keep_shown(self, tx: Tx, one: AsideObject, person: str) -> None:
        """The object that is shown stays; the other bytes stay aside, decided."""
        self._decide(tx, one, person)
        self._chosen(tx, one, person, "shown")

    def show_other(self, tx: Tx, one: AsideObject, instance: Instance, person: str) -> None:
        """The other bytes are shown from now on; those that were shown lie aside, decided. ``instance``: their header.

        Raises ``aside.in_use`` when a person or a second reader has begun with the study: what they saw must stay.
        """
        row = tx.one(_SHOWN, (one.sop_instance_uid,))
        if row is None:
            raise fail("store.no_such_study", next_step="next.import_again")
        study_uid, sha256, locator, size, series_id = row
        if self.is_in_use(study_uid, tx):
            raise fail("aside.in_use", kept_safe="safe.kept_aside")
        body = tx.one("SELECT body FROM series WHERE id = ?", (series_id,))
        series = codec.unpack(Series, body[0] if body else b"")
        there = next(i for i in series.instances if i.sop_instance_uid == one.sop_instance_uid)
        put = replace(instance, locator=one.locator, sha256=one.sha256, size_bytes=one.size_bytes)
        mended = replace(series, instances=tuple(put if i is there else i for i in series.instances))
        tx.execute("UPDATE series SET body = ? WHERE id = ?", (codec.pack(mended), series_id))
        tx.execute(
            "UPDATE instances SET sha256 = ?, size_bytes = ?, locator = ? WHERE sop_uid = ?",
            (one.sha256, one.size_bytes, one.locator, one.sop_instance_uid),
        )
        tx.execute(
            "UPDATE studies SET size_bytes = size_bytes + ? WHERE study_uid = ?", (one.size_bytes - int(size), study_uid)
        )
        tx.execute("DELETE FROM kept_aside WHERE sop_uid = ? AND sha256 = ?", (one.sop_instance_uid, one.sha256))
        name = str(locator).removeprefix(SCHEME)
        tx.execute(
            "INSERT OR REPLACE INTO kept_aside VALUES (?, ?, ?, ?, ?, '', 1, ?, ?)",
            (one.sop_instance_uid, sha256, study_uid, name, size, person, tx.tick()),
        )
        self._chosen(tx, one, person, "other")

    def is_in_use(self, study_uid: str, tx: Tx | None = None) -> bool:
        """Somebody has begun to read the study, or a second reader has (or will have) seen its pixels."""
        marks = ", ".join("?" * len(_NOT_STARTED))
        sql = (
            "SELECT EXISTS (SELECT 1 FROM studies WHERE study_uid = ? AND reading_state != 'unread') "
            f"OR EXISTS (SELECT 1 FROM sealed_results WHERE study = ? AND state NOT IN ({marks}))"
        )
        row = self._read(lambda t: t.one(sql, (study_uid, study_uid, *_NOT_STARTED)), tx)
        return bool(row and row[0])

    def _decide(self, tx: Tx, one: AsideObject, person: str) -> None:
        sql = "UPDATE kept_aside SET decided = 1, person = ? WHERE sop_uid = ? AND sha256 = ?"
        tx.execute(sql, (person, one.sop_instance_uid, one.sha256))

    def _chosen(self, tx: Tx, one: AsideObject, person: str, which: str) -> None:
        body = {"sop_instance_uid": one.sop_instance_uid, "sha256": one.sha256, "shown": which}
        self._events.append(tx, EventKind.OBJECT_CHOSEN, study=one.study_instance_uid, person=person, body=body)


_SHOWN = (
    "SELECT st.study_uid, i.sha256, i.locator, i.size_bytes, i.series_id FROM instances i "
    "JOIN series se ON i.series_id = se.id JOIN studies st ON se.study_id = st.id WHERE i.sop_uid = ?"
)


def _aside(row: Row) -> AsideObject:
    sop, sha256, study, name, size, source, decided = row
    return AsideObject(str(sop), str(sha256), str(study), str(name), int(size), str(source), bool(decided))
