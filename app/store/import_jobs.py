"""Imports that have begun: what was chosen and what has been copied, so that a cut import goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.store.database import Tx
from app.store.reading import Reads, Repository


@dataclass(frozen=True)
class ImportJob:
    """What a person chose to import. ``series`` are keys of :func:`app.session.import_tree.series_key`; empty: all."""

    job_id: str
    person: str
    paths: tuple[str, ...]
    series: tuple[str, ...]
    title: str
    total_bytes: int
    begun_at: str
    done_studies: tuple[str, ...] = ()
    """Keys of the studies that are in the library, whole."""
    done_bytes: int = 0
    """Of those studies."""


@dataclass(frozen=True)
class Copy:
    """A source that has been copied: unchanged size and time of change mean that it need not be read again."""

    locator: str
    size_bytes: int
    changed_ns: int
    sha256: str
    object_name: str


@dataclass(frozen=True)
class SourceFile:
    """The unaltered bytes that a converted picture was made from."""

    sop_instance_uid: str
    object_name: str
    sha256: str
    size_bytes: int
    media_type: str


class ImportJobs(Repository):
    def __init__(self, library: Reads, owner: str, owner_lives: Callable[[str], bool]) -> None:
        super().__init__(library)
        self._owner = owner
        self._owner_lives = owner_lives

    def begin(self, tx: Tx, job: ImportJob) -> None:
        """Keeps a job, or takes over one that was cut."""
        tx.execute(
            "INSERT INTO import_jobs VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (job_id) DO UPDATE SET owner = excluded.owner, body = excluded.body",
            (job.job_id, job.person, tx.tick(), self._owner, _packed(job)),
        )

    def copied(self, tx: Tx, job_id: str, copies: Iterable[Copy]) -> None:
        rows = [(job_id, c.locator, c.size_bytes, c.changed_ns, c.sha256, c.object_name) for c in copies]
        tx.execute_many("INSERT OR REPLACE INTO import_copies VALUES (?, ?, ?, ?, ?, ?)", rows)

    def copies(self, job_id: str, tx: Tx | None = None) -> dict[str, Copy]:
        """By locator of the source."""
        sql = "SELECT locator, size_bytes, changed_ns, sha256, object_name FROM import_copies WHERE job_id = ?"
        return {str(r[0]): Copy(*r) for r in self._read(lambda t: t.all(sql, (job_id,)), tx)}

    def study_done(self, tx: Tx, job: ImportJob, locators: Sequence[str]) -> None:
        """A study came in whole: its copies now belong to the library. ``job`` names it among the done ones."""
        tx.execute("UPDATE import_jobs SET body = ? WHERE job_id = ?", (_packed(job), job.job_id))
        tx.execute_many(
            "DELETE FROM import_copies WHERE job_id = ? AND locator = ?", [(job.job_id, name) for name in locators]
        )

    def finish(self, tx: Tx, job_id: str) -> tuple[str, ...]:
        """Forgets a job; returns the names of objects that it had copied and that may now be in no index."""
        names = tuple(str(r[0]) for r in tx.all("SELECT object_name FROM import_copies WHERE job_id = ?", (job_id,)))
        tx.execute("DELETE FROM import_copies WHERE job_id = ?", (job_id,))
        tx.execute("DELETE FROM import_jobs WHERE job_id = ?", (job_id,))
        return names

    def let_go(self, tx: Tx, job_id: str) -> None:
        """A cancelled job: any process may go on with it."""
        tx.execute("UPDATE import_jobs SET owner = '' WHERE job_id = ?", (job_id,))

    def waiting(self, tx: Tx | None = None) -> tuple[tuple[ImportJob, int], ...]:
        """Jobs that nobody works on, oldest first, with the bytes that they have got so far."""

        def work(t: Tx) -> list[tuple[str, str, int]]:
            sql = (
                "SELECT owner, body, (SELECT coalesce(sum(size_bytes), 0) FROM import_copies c WHERE c.job_id = j.job_id) "
                "FROM import_jobs j ORDER BY hlc"
            )
            return [(str(o), str(b), int(n)) for o, b, n in t.all(sql)]

        found = []
        for owner, body, copied in self._read(work, tx):
            if not owner or not self._owner_lives(owner):
                job = _unpacked(body)
                found.append((job, job.done_bytes + copied))
        return tuple(found)

    def keep_source(self, tx: Tx, source: SourceFile) -> None:
        """Binds unaltered source bytes to the object that was made of them; the first stays."""
        tx.execute(
            "INSERT OR IGNORE INTO source_files VALUES (?, ?, ?, ?, ?, ?)",
            (
                source.sop_instance_uid, source.object_name, source.sha256, source.size_bytes, source.media_type, tx.tick()
            ),
        )  # fmt: skip

    def source_of(self, sop_instance_uid: str, tx: Tx | None = None) -> SourceFile | None:
        sql = "SELECT sop_uid, object_name, sha256, size_bytes, media_type FROM source_files WHERE sop_uid = ?"
        row = self._read(lambda t: t.one(sql, (sop_instance_uid,)), tx)
        return SourceFile(*row) if row else None


def _packed(job: ImportJob) -> str:
    return json.dumps(job.__dict__, ensure_ascii=False)


def _unpacked(text: str) -> ImportJob:
    body = json.loads(text)
    for key in ("paths", "series", "done_studies"):
        body[key] = tuple(body[key])
    return ImportJob(**body)
