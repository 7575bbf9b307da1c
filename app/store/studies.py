"""The studies of a library: import that never overwrites, search in any script, and the whole header tree back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from app.domain.event import EventKind
from app.domain.problem import Problem, fail
from app.domain.study import Instance, Patient, RefusedFile, Series, Study
from app.store import codec
from app.store.database import Row, Tx
from app.store.events import Events
from app.store.objects import SCHEME
from app.store.reading import Reads, Repository
from app.store.search_key import query_words, search_key


@dataclass(frozen=True)
class ImportOutcome:
    """What an import did with each instance. ``refused`` names what was not taken, with its reason."""

    study_instance_uid: str
    added: tuple[str, ...]
    """SOP instance UIDs that are new."""
    known: tuple[str, ...]
    """Already there with the same bytes."""
    refused: tuple[RefusedFile, ...]


@dataclass(frozen=True)
class StudyRow:
    """One line of the worklist. States never tell what a second reader found."""

    study_instance_uid: str
    patient: Patient
    study_datetime: str
    modalities: tuple[str, ...]
    description: str
    accession_number: str
    series_count: int
    instance_count: int
    size_bytes: int
    imported_at: str
    reading_state: str
    """unread, in_progress, committed, signed, addended."""
    reading_person: str
    ai_states: tuple[tuple[str, str], ...]
    """(reader, state) by reader name; see ``sealed.SealState``."""
    revealed: bool
    sync_states: tuple[tuple[str, int], ...]
    """(outbox state, number of items)."""
    institution: str = ""


class Studies(Repository):
    def __init__(self, library: Reads, events: Events, object_exists: Callable[[str], bool]) -> None:
        super().__init__(library)
        self._events = events
        self._object_exists = object_exists

    def import_study(
        self, tx: Tx, study: Study, sha256_by_instance: Mapping[str, str] | None = None, *, person: str = ""
    ) -> ImportOutcome:
        """Adds what is new of a study; importing again changes nothing.

        SHA-256 comes from ``sha256_by_instance`` (SOP instance UID to hex) or from the instances. An instance whose UID is
        here with other bytes is refused (``store.same_uid_other_bytes``: the first is kept); so is every instance of
        another patient under a known study UID (``store.other_patient``). Raises ``ValueError`` for a missing SHA-256,
        ``store.object_missing`` when an ``object:`` locator leads nowhere (another process removed what it had copied).
        """
        digests = sha256_by_instance or {}
        known_study = tx.one("SELECT id, patient_key, body FROM studies WHERE study_uid = ?", (study.study_instance_uid,))
        patient_key = "\x1f".join(study.patient.key)
        if known_study is not None and known_study[1] != patient_key:
            refused = tuple(_refused(i, "store.other_patient") for s in study.series for i in s.instances)
            return ImportOutcome(study.study_instance_uid, (), (), refused)
        study_id = known_study[0] if known_study else self._insert_study(tx, study, patient_key)
        added: list[str] = []
        known: list[str] = []
        refused_files: list[RefusedFile] = []
        for series in study.series:
            fresh: dict[str, Instance] = {}
            for instance in series.instances:
                sha256 = digests.get(instance.sop_instance_uid) or instance.sha256
                if not sha256:
                    raise ValueError('"sha256" is needed for every instance that is imported')
                there = tx.one("SELECT sha256 FROM instances WHERE sop_uid = ?", (instance.sop_instance_uid,))
                twice = fresh.get(instance.sop_instance_uid)
                first = there[0] if there else twice.sha256 if twice else None
                if first is None:
                    self._require_object(instance)
                    fresh[instance.sop_instance_uid] = dataclasses.replace(instance, sha256=sha256)
                elif first == sha256:
                    known.append(instance.sop_instance_uid)
                else:
                    refused_files.append(_refused(instance, "store.same_uid_other_bytes"))
            if fresh:
                self._add_to_series(tx, study_id, series, list(fresh.values()))
                added.extend(fresh)
        if added:
            self._count_again(tx, study_id)
        elif known_study is None:
            tx.execute("DELETE FROM studies WHERE id = ?", (study_id,))
        if added or refused_files:
            body = {
                "added": len(added),
                "known": len(known),
                "refused": [{"sop_instance_uid": r.sop_instance_uid, "code": r.problem.code} for r in refused_files],
            }
            self._events.append(tx, EventKind.STUDY_IMPORTED, study=study.study_instance_uid, person=person, body=body)
        return ImportOutcome(study.study_instance_uid, tuple(added), tuple(known), tuple(refused_files))

    def _require_object(self, instance: Instance) -> None:
        if instance.locator.startswith(SCHEME) and not self._object_exists(instance.locator.removeprefix(SCHEME)):
            name = instance.locator.removeprefix(SCHEME)[:12]
            raise fail("store.object_missing", kept_safe="safe.others_readable", next_step="next.import_again", object=name)

    def _insert_study(self, tx: Tx, study: Study, patient_key: str) -> int:
        patient, name = study.patient, study.patient.name
        key = search_key(
            name.alphabetic, name.ideographic, name.phonetic, patient.patient_id, study.accession_number, study.description
        )
        return tx.insert(
            "INSERT INTO studies (study_uid, patient_key, patient_id, study_datetime, accession, modalities, search_key, "
            "series_count, instance_count, size_bytes, reading_state, imported_at, body) "
            "VALUES (?, ?, ?, ?, ?, '', ?, 0, 0, 0, 'unread', ?, ?)",
            (
                study.study_instance_uid, patient_key, patient.patient_id, study.study_datetime, study.accession_number,
                key, tx.clock.now_iso(), codec.pack(dataclasses.replace(study, series=())),
            ),
        )  # fmt: skip

    def _add_to_series(self, tx: Tx, study_id: int, series: Series, fresh: list[Instance]) -> None:
        row = tx.one(
            "SELECT id, body FROM series WHERE study_id = ? AND series_uid = ?", (study_id, series.series_instance_uid)
        )
        if row is None:
            position = tx.one("SELECT count(*) FROM series WHERE study_id = ?", (study_id,))
            merged = dataclasses.replace(series, instances=tuple(fresh))
            series_id = tx.insert(
                "INSERT INTO series (study_id, series_uid, modality, position, body) VALUES (?, ?, ?, ?, ?)",
                (study_id, series.series_instance_uid, series.modality, position[0] if position else 0, codec.pack(merged)),
            )
        else:
            series_id = int(row[0])
            before = codec.unpack(Series, row[1])
            merged = dataclasses.replace(before, instances=before.instances + tuple(fresh))
            tx.execute("UPDATE series SET body = ? WHERE id = ?", (codec.pack(merged), series_id))
        tx.execute_many(
            "INSERT INTO instances (sop_uid, series_id, sha256, size_bytes, locator) VALUES (?, ?, ?, ?, ?)",
            [(i.sop_instance_uid, series_id, i.sha256, i.size_bytes, i.locator) for i in fresh],
        )

    def _count_again(self, tx: Tx, study_id: int) -> None:
        found = [str(row[0]) for row in tx.all("SELECT modality FROM series WHERE study_id = ?", (study_id,))]
        totals = tx.one(
            "SELECT count(*), coalesce(sum(i.size_bytes), 0) FROM instances i JOIN series s ON i.series_id = s.id "
            "WHERE s.study_id = ?",
            (study_id,),
        )
        count, size = totals or (0, 0)
        tx.execute(
            "UPDATE studies SET modalities = ?, series_count = ?, instance_count = ?, size_bytes = ? WHERE id = ?",
            ("\\".join(sorted(set(found))), len(found), count, size, study_id),
        )

    def load(self, study_uid: str, tx: Tx | None = None) -> Study:
        """The whole study as it was scanned, with locators into the library. Raises ``store.no_such_study``."""

        def work(t: Tx) -> Study:
            row = t.one("SELECT id, body FROM studies WHERE study_uid = ?", (study_uid,))
            if row is None:
                raise fail("store.no_such_study", next_step="next.import_again")
            series = t.all("SELECT body FROM series WHERE study_id = ? ORDER BY position", (row[0],))
            return dataclasses.replace(codec.unpack(Study, row[1]), series=tuple(codec.unpack(Series, s[0]) for s in series))

        return self._read(work, tx)

    def exists(self, study_uid: str, tx: Tx | None = None) -> bool:
        return self._read(lambda t: t.one("SELECT 1 FROM studies WHERE study_uid = ?", (study_uid,)), tx) is not None

    def search(
        self,
        text: str = "",
        *,
        modalities: Iterable[str] = (),
        reading_states: Iterable[str] = (),
        date_from: str = "",
        date_to: str = "",
        patient_id: str = "",
        limit: int = 500,
        offset: int = 0,
        tx: Tx | None = None,
    ) -> tuple[StudyRow, ...]:
        """Rows of the worklist, newest study first. Every word of ``text``, in any script, begins a word of the name,
        number, accession number or description. ``date_from`` and ``date_to`` are YYYYMMDD, both included."""
        where: list[str] = []
        values: list[object] = []
        for word in query_words(text):
            where.append("search_key LIKE ?")
            values.append(f"% {word}%")
        wanted = list(modalities)
        if wanted:
            where.append("(" + " OR ".join(["'\\' || modalities || '\\' LIKE ?"] * len(wanted)) + ")")
            values.extend(f"%\\{m}\\%" for m in wanted)
        states = list(reading_states)
        if states:
            where.append(f"reading_state IN ({', '.join('?' * len(states))})")
            values.extend(states)
        for condition, value in (
            ("study_datetime >= ?", date_from),
            ("study_datetime < ?", date_to and date_to + "~"),
            ("patient_id = ?", patient_id),
        ):
            if value:
                where.append(condition)
                values.append(value)
        sql = (
            f"SELECT {_ROW} FROM studies s {'WHERE ' + ' AND '.join(where) if where else ''} "
            "ORDER BY study_datetime DESC, study_uid LIMIT ? OFFSET ?"
        )
        return tuple(_row(r) for r in self._read(lambda t: t.all(sql, (*values, limit, offset)), tx))

    def row(self, study_uid: str, tx: Tx | None = None) -> StudyRow | None:
        found = self._read(lambda t: t.one(f"SELECT {_ROW} FROM studies s WHERE study_uid = ?", (study_uid,)), tx)
        return _row(found) if found else None

    def of_patient(self, study_uid: str, tx: Tx | None = None) -> tuple[StudyRow, ...]:
        """The study and its priors: same patient by issuer, number, name and birth date; newest first."""
        sql = (
            f"SELECT {_ROW} FROM studies s WHERE patient_key = (SELECT patient_key FROM studies WHERE study_uid = ?) "
            "ORDER BY study_datetime DESC, study_uid"
        )
        return tuple(_row(r) for r in self._read(lambda t: t.all(sql, (study_uid,)), tx))

    def count(self, tx: Tx | None = None) -> int:
        row = self._read(lambda t: t.one("SELECT count(*) FROM studies"), tx)
        return int(row[0]) if row else 0

    def instance(self, sop_instance_uid: str, tx: Tx | None = None) -> tuple[str, str, str] | None:
        """(study UID, SHA-256, locator) of an instance, or None."""
        sql = (
            "SELECT st.study_uid, i.sha256, i.locator FROM instances i JOIN series se ON i.series_id = se.id "
            "JOIN studies st ON se.study_id = st.id WHERE i.sop_uid = ?"
        )
        row = self._read(lambda t: t.one(sql, (sop_instance_uid,)), tx)
        return (str(row[0]), str(row[1]), str(row[2])) if row else None

    def digests(self, sop_instance_uids: Iterable[str], tx: Tx | None = None) -> dict[str, tuple[str, str, int]]:
        """(study UID, SHA-256, bytes) of those of these instances that are here, by SOP Instance UID."""
        sql = (
            "SELECT i.sop_uid, st.study_uid, i.sha256, i.size_bytes FROM instances i JOIN series se ON i.series_id = se.id "
            "JOIN studies st ON se.study_id = st.id WHERE i.sop_uid IN "
        )
        wanted = list(dict.fromkeys(sop_instance_uids))

        def work(t: Tx) -> dict[str, tuple[str, str, int]]:
            found = {}
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                for uid, study, sha256, size in t.all(f"{sql}({', '.join('?' * len(part))})", part):
                    found[str(uid)] = (str(study), str(sha256), int(size))
            return found

        return self._read(work, tx)

    def patient_key(self, study_uid: str, tx: Tx | None = None) -> str | None:
        """Who a known Study Instance UID belongs to, in the form of ``Patient.key`` joined; None when it is not here."""
        row = self._read(lambda t: t.one("SELECT patient_key FROM studies WHERE study_uid = ?", (study_uid,)), tx)
        return str(row[0]) if row else None

    def locators(self, tx: Tx | None = None) -> set[str]:
        """Where the bytes of all instances are."""
        return {str(row[0]) for row in self._read(lambda t: t.all("SELECT locator FROM instances"), tx)}

    def opened(self, tx: Tx, study_uid: str, person_id: str) -> None:
        """Audits that somebody looked at a study."""
        self._events.append(tx, EventKind.STUDY_OPENED, study=study_uid, person=person_id)


_ROW = (
    "s.study_uid, s.body, s.modalities, s.series_count, s.instance_count, s.size_bytes, s.imported_at, s.reading_state, "
    "s.reading_person, "
    "(SELECT group_concat(reader || '=' || state, '|' ORDER BY reader) FROM sealed_results WHERE study = s.study_uid), "
    "EXISTS (SELECT 1 FROM reveals WHERE study = s.study_uid), "
    "(SELECT group_concat(state || '=' || n, '|' ORDER BY state) FROM "
    "(SELECT state, count(*) AS n FROM outbox WHERE study = s.study_uid GROUP BY state))"
)


def _row(row: Row) -> StudyRow:
    uid, body, modalities, series_count, instances, size, imported, state, person, ai, revealed, sync = row
    study = codec.unpack(Study, body)
    return StudyRow(
        study_instance_uid=uid,
        patient=study.patient,
        study_datetime=study.study_datetime,
        modalities=tuple(modalities.split("\\")) if modalities else (),
        description=study.description,
        accession_number=study.accession_number,
        series_count=series_count,
        instance_count=instances,
        size_bytes=size,
        imported_at=imported,
        reading_state=state,
        reading_person=person,
        ai_states=tuple(_pairs(ai)),
        revealed=bool(revealed),
        sync_states=tuple((name, int(count)) for name, count in _pairs(sync)),
        institution=study.institution,
    )


def _pairs(text: str | None) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split("|") if text else ():
        name, _, value = part.rpartition("=")
        pairs.append((name, value))
    return pairs


def _refused(instance: Instance, code: str) -> RefusedFile:
    problem = Problem(code, kept_safe="safe.first_kept", next_step="next.check_source")
    return RefusedFile(instance.locator, problem, instance.sop_instance_uid, instance.transfer_syntax_uid)
