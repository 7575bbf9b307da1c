"""A library: one folder with an encrypted database and encrypted object files. Several processes may have it open."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from app.domain.event import EventKind
from app.domain.ports import Clock, KeyProvider
from app.domain.problem import fail
from app.store import cipher
from app.store.aside import Aside
from app.store.database import Tx, Writer, connect, migrate
from app.store.drafts import Drafts
from app.store.errors import DatabaseError, StoreBug, environment, told
from app.store.events import Events
from app.store.import_jobs import ImportJobs
from app.store.objects import SCHEME, ObjectStore
from app.store.opinions import Opinions
from app.store.outbox import Outbox
from app.store.process_slot import exclusive
from app.store.recovery import Recovery
from app.store.reports import Reports
from app.store.sealed import Sealed
from app.store.settings import Settings
from app.store.studies import Studies
from app.store.verdicts import Verdicts

T = TypeVar("T")
DATABASE_NAME = "library.db"
OBJECTS_NAME = "objects"
_IDLE_READERS = 8


class Library:
    """The repositories of one home. Reads may come from any thread; writes go through ``write``.

    ``studies, events, drafts, sealed, opinions, verdicts, reports, outbox, settings, recovery, import_jobs, aside,
    objects``.
    """

    def __init__(self, home: Path, database_key: bytes, objects: ObjectStore, clock: Clock, device: str, *, create: bool):
        self.home = home
        self.clock = clock
        self.objects = objects
        self._path = home / DATABASE_NAME
        self._key = database_key
        self._idle: list[Any] = []
        self._idle_lock = threading.Lock()
        self._closed = False
        connection = connect(self._path, database_key, create=create)
        try:
            self.schema_version = migrate(connection)
        except BaseException:
            connection.close()
            raise
        self._writer = Writer(connection, clock, device)
        self.device = device
        self.is_demo = False
        self.store_id = ""
        self.events = Events(self)
        self.studies = Studies(self, self.events, objects.exists)
        self.drafts = Drafts(self, self.events)
        self.sealed = Sealed(self, self.events)
        self.opinions = Opinions(self, self.events)
        self.verdicts = Verdicts(self, self.events)
        self.reports = Reports(self, self.events)
        self.outbox = Outbox(self, self.events, objects.owner, objects.owner_lives)
        self.settings = Settings(self, self.events)
        self.recovery = Recovery(self)
        self.import_jobs = ImportJobs(self, objects.owner, objects.owner_lives)
        self.aside = Aside(self, self.events)

    @classmethod
    def open(
        cls,
        home: Path,
        keys: KeyProvider,
        clock: Clock,
        *,
        create: bool = True,
        demo: bool = False,
        device: str | None = None,
    ) -> Library:
        """Opens the library of ``home``, making it first where ``create`` allows.

        ``demo`` makes a demonstration store, the only kind with scripted verdicts and signatures; an existing store never
        changes its kind. ``device`` names this workstation in events (made once and kept when not given).
        Raises ``ProblemError``: ``store.missing``, ``store.wrong_key``, ``store.key_lost``, ``store.newer``,
        ``store.other_kind``, ``store.damaged``, ``store.busy``, ``store.disk_full``, ``store.no_permission``.
        """
        exists = (home / DATABASE_NAME).exists()
        if not exists and not create:
            raise fail("store.missing", kept_safe="safe.untouched", next_step="next.check_home")
        with told():
            home.mkdir(parents=True, exist_ok=True)
            if os.name != "nt" and not exists:
                home.chmod(0o700)
            # One process at a time: two that start together must end with one key and one identity of the store.
            with exclusive(home / "opening.lock"):
                return cls._open(home, keys, clock, create, demo, device)

    @classmethod
    def _open(cls, home: Path, keys: KeyProvider, clock: Clock, create: bool, demo: bool, device: str | None) -> Library:
        # A new key for old data would make it unreadable for ever: a key is made for a new library only.
        master_key = keys.master_key(home, create and not (home / DATABASE_NAME).exists())
        objects = ObjectStore(home / OBJECTS_NAME, master_key)
        try:
            database_key = cipher.derive(master_key, "database")
            library = cls(home, database_key, objects, clock, device or "", create=create)
        except BaseException:
            objects.close()
            raise
        try:
            library._introduce(demo=demo, device=device)
            objects.sweep(library.remove_unreferenced)
        except BaseException:
            library.close()
            raise
        return library

    def _introduce(self, *, demo: bool, device: str | None) -> None:
        """Reads, or writes once, what this store is."""

        def known_already(tx: Tx) -> dict[str, str]:
            return {str(key): str(value) for key, value in tx.all("SELECT key, value FROM meta")}

        def work(tx: Tx) -> dict[str, str]:
            tx.device = device or uuid.uuid4().hex[:12]
            known = {"store_id": str(uuid.uuid4()), "demo": "1" if demo else "0", "device": tx.device}
            for key, value in known.items():
                tx.execute("INSERT INTO meta VALUES (?, ?)", (key, value))
            self.events.append(tx, EventKind.STORE_CREATED, body={"store_id": known["store_id"], "demo": demo})
            return known

        known = self.read(known_already)
        if "store_id" not in known:
            known = self.write(work)
        self.store_id = known["store_id"]
        self.is_demo = known["demo"] == "1"
        self.device = device or known["device"]
        self._writer.device = self.device
        if demo and not self.is_demo:
            raise fail("store.other_kind", kept_safe="safe.untouched", next_step="next.use_other_home")

    def write(self, work: Callable[[Tx], T]) -> T:
        """Runs ``work`` as one durable transaction on the writer thread and waits for it.

        ``ProblemError`` for the environment (nothing of ``work`` is kept, earlier things are safe), ``StoreBug`` for ours.
        """
        return self._writer.run(work)

    def write_async(self, work: Callable[[Tx], T]) -> Future[T]:
        """Like ``write`` without waiting; the future is done when the transaction is durable."""
        return self._writer.submit(work)

    def read(self, work: Callable[[Tx], T]) -> T:
        """Runs ``work`` on one consistent state, on a read-only connection."""
        if self._writer.is_this_thread():
            raise StoreBug("a reading beside its own transaction: hand over tx")
        with self._idle_lock:
            if self._closed:
                raise StoreBug("the library is closed")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = connect(self._path, self._key, create=False, read_only=True)
        sound = True
        try:
            connection.execute("BEGIN")
            try:
                return work(Tx(connection, self.clock, self.device, False))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except DatabaseError as error:
            sound = False  # a connection that met a damaged page stays in error
            raise environment(error) or StoreBug(f"{type(error).__name__} while reading") from error
        finally:
            with self._idle_lock:
                keep = sound and not self._closed and len(self._idle) < _IDLE_READERS
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def remove_unreferenced(self, names: Iterable[str]) -> int:
        """Deletes those of these objects that no row names (left by a broken import); returns how many.

        Runs as a writing transaction: an import of the same bytes by another process is either seen here, or finds the
        object gone when it commits and says so.
        """

        def work(tx: Tx) -> int:
            removed = 0
            for name in names:
                if self.objects.exists(name) and not _is_named(tx, name):
                    self.objects.remove(name)
                    removed += 1
            return removed

        return self.write(work)

    def unreferenced(self) -> tuple[str, ...]:
        """Objects on disk that no row names: left by processes that died between the copy and the index."""
        return self.read(lambda tx: tuple(name for name in self.objects.names() if not _is_named(tx, name)))

    def check_integrity(self) -> tuple[str, ...]:
        """Damage found in the database pages (empty when whole); the chain and the objects have their own checks."""

        def work(tx: Tx) -> tuple[str, ...]:
            pages = tuple(str(row[0]) for row in tx.all("PRAGMA cipher_integrity_check"))
            # The second check reads every page and would stop at the first that cannot be decrypted.
            return pages or tuple(str(row[0]) for row in tx.all("PRAGMA integrity_check") if row[0] != "ok")

        return self.read(work)

    def close(self) -> None:
        """Finishes queued writes, then lets everything go. May be called twice."""
        with self._idle_lock:
            if self._closed:
                return
            self._closed = True
            idle, self._idle = self._idle, []
        self._writer.close()
        for connection in idle:
            connection.close()
        self.objects.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _is_named(tx: Tx, name: str) -> bool:
    sql = (
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM instances WHERE locator = ?) "
        "OR EXISTS (SELECT 1 FROM stored_objects WHERE object_name = ?) "
        "OR EXISTS (SELECT 1 FROM sealed_results WHERE object_name = ?) "
        "OR EXISTS (SELECT 1 FROM outbox WHERE object_name = ?) "
        "OR EXISTS (SELECT 1 FROM import_copies WHERE object_name = ?) "
        "OR EXISTS (SELECT 1 FROM source_files WHERE object_name = ?) "
        "OR EXISTS (SELECT 1 FROM kept_aside WHERE object_name = ?)"
    )
    return tx.one(sql, (SCHEME + name, *[name] * 6)) is not None
