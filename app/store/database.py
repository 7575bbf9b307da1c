"""The encrypted database of a library: connections, migrations and the one writer thread of this process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from sqlcipher3 import dbapi2 as sqlite

from app.domain.ports import Clock
from app.domain.problem import ProblemError, fail
from app.store import hlc
from app.store.errors import DatabaseError, StoreBug, environment, told

T = TypeVar("T")
Row = tuple[Any, ...]
_BUSY_MS = 15_000


class Tx:
    """One transaction, or one consistent reading. Handed to callables by ``Library.write`` and ``Library.read``."""

    def __init__(self, connection: Any, clock: Clock, device: str, writing: bool) -> None:
        self._connection = connection
        self.clock = clock
        self.device = device
        self.writing = writing

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Runs one statement that changes something; returns the number of rows it changed."""
        self._require_writing()
        return int(self._connection.execute(sql, values).rowcount)

    def insert(self, sql: str, values: Sequence[Any]) -> int:
        """Runs one INSERT; returns the row id."""
        self._require_writing()
        return int(self._connection.execute(sql, values).lastrowid)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._require_writing()
        self._connection.executemany(sql, rows)

    def _require_writing(self) -> None:
        if not self.writing:
            raise StoreBug("a change needs a writing transaction")

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return list(self._connection.execute(sql, values).fetchall())

    def one(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def tick(self) -> str:
        """The next stamp of the hybrid logical clock: later than all of this library even if the clock ran back."""
        self._require_writing()
        row = self.one("SELECT value FROM meta WHERE key = 'hlc'")
        stamp = hlc.after(row[0] if row else "", self.clock.wall_s(), self.device)
        self.execute("INSERT INTO meta VALUES ('hlc', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (stamp,))
        return stamp


def connect(path: Path, key: bytes, *, create: bool, read_only: bool = False) -> Any:
    """An open, keyed connection in WAL mode with full synchronisation. Raises ``ProblemError`` (wrong key, damaged...)."""
    mode = "rwc" if create else "rw"
    with told():
        connection = sqlite.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            # Its messages on standard error repeat what the raised errors say, and would mix with a command's own output.
            connection.execute("PRAGMA cipher_log_level = NONE")
            connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: through the drive's cache; nothing elsewhere
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            if read_only:
                connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def migrations() -> list[tuple[int, str]]:
    """(version, SQL) of the numbered files, in order."""
    folder = resources.files("app.store").joinpath("migrations")
    found = [(int(f.name[:4]), f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")]
    return sorted(found)


def migrate(connection: Any) -> int:
    """Brings the database to the newest shape, one transaction per step; returns the version.

    Raises ``store.newer`` when the library was made by a newer programme.
    """
    steps = migrations()
    newest = steps[-1][0]
    with told():
        for version, sql in steps:
            if int(connection.execute("PRAGMA user_version").fetchone()[0]) >= version:
                continue
            connection.execute("BEGIN IMMEDIATE")
            try:
                if int(connection.execute("PRAGMA user_version").fetchone()[0]) < version:
                    for statement in _statements(sql):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {version}")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        current = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if current > newest:
        raise fail("store.newer", kept_safe="safe.untouched", next_step="next.update_program", found=current, known=newest)
    return current


def _statements(sql: str) -> list[str]:
    statements, pending = [], ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


class Writer:
    """The only thread of this process that writes. Each callable is one ``BEGIN IMMEDIATE`` transaction, in order."""

    def __init__(self, connection: Any, clock: Clock, device: str) -> None:
        self._connection = connection
        self._clock = clock
        self.device = device
        self._jobs: queue.SimpleQueue[tuple[Callable[[Tx], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        """Queues a transaction. The future is done once it is durable, or holds the error after it was rolled back."""
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise StoreBug("the library is closed")
            self._jobs.put((work, future))
        return future

    def is_this_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def run(self, work: Callable[[Tx], T]) -> T:
        if self.is_this_thread():
            raise StoreBug("a transaction inside a transaction")
        return self.submit(work).result()

    def close(self) -> None:
        """Finishes what was queued, then closes."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, future = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = self._transaction(work)
            except BaseException as error:  # whatever it is belongs to the one who asked
                future.set_exception(error)
            else:
                future.set_result(result)

    def _transaction(self, work: Callable[[Tx], T]) -> T:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = work(Tx(connection, self._clock, self.device, True))
            connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            raise _family(error) from error
        return result

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except DatabaseError:
                # The disk is gone under us; the journal rolls back at the next open. The first error is the one to tell.
                return


def _family(error: BaseException) -> BaseException:
    if isinstance(error, ProblemError) or not isinstance(error, OSError | DatabaseError):
        return error
    return environment(error) or StoreBug(f"{type(error).__name__} in a transaction")
