"""The library as a whole: keys, transactions, several processes, damage, a full disk."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from app.domain.event import EventKind
from app.domain.problem import ProblemError
from app.store import database
from app.store.errors import StoreBug
from app.store.library import DATABASE_NAME, OBJECTS_NAME, Library
from app.store.objects import ObjectStore
from tests.store import made
from tests.store.conftest import FixedKey, HandClock, LostKey

ROOT = Path(__file__).resolve().parents[2]


def code_of(caught: pytest.ExceptionInfo[ProblemError]) -> str:
    return caught.value.problem.code


def test_every_file_of_a_home_is_unreadable_without_the_key(home: Path, clock: HandClock) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        library.write(lambda tx: library.studies.import_study(tx, made.study(), person="p1"))
        library.write(lambda tx: library.drafts.put(tx, "1.2.3", "p1", made.mark()))
        library.objects.put("Ахметова^Әлия 870412400123".encode() * 10)
        wal = (home / f"{DATABASE_NAME}-wal").read_bytes()
        assert wal
    needles = ["Ахметова".encode(), b"870412400123", b"1.2.3", b"SQLite format", b"studies", b"nodule", b"Nodule"]
    for raw in (wal, *(f.read_bytes() for f in home.rglob("*") if f.is_file())):
        assert not any(needle in raw for needle in needles)


def test_a_wrong_key_a_lost_key_and_a_missing_library_are_told(home: Path, clock: HandClock) -> None:
    with pytest.raises(ProblemError) as caught:
        Library.open(home, FixedKey(), clock, create=False)
    assert code_of(caught) == "store.missing"
    assert not home.exists()
    Library.open(home, LostKey(7), clock).close()
    before = (home / DATABASE_NAME).read_bytes()
    with pytest.raises(ProblemError) as caught:
        Library.open(home, FixedKey(8), clock)
    assert code_of(caught) == "store.wrong_key"
    # The keyring was emptied: no new key may be made for old data.
    with pytest.raises(ProblemError) as caught:
        Library.open(home, LostKey(7), clock)
    assert code_of(caught) == "key.lost"
    assert (home / DATABASE_NAME).read_bytes() == before
    Library.open(home, FixedKey(7), clock).close()


def test_a_demonstration_store_is_made_and_stays_one(home: Path, tmp_path: Path, clock: HandClock) -> None:
    with Library.open(home, FixedKey(), clock, demo=True) as library:
        assert library.is_demo
    with Library.open(home, FixedKey(), clock) as library:
        assert library.is_demo
    with Library.open(tmp_path / "real", FixedKey(), clock) as library:
        assert not library.is_demo
    with pytest.raises(ProblemError) as caught:
        Library.open(tmp_path / "real", FixedKey(), clock, demo=True)
    assert code_of(caught) == "store.other_kind"


def test_device_and_store_keep_their_names(home: Path, clock: HandClock) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        names = (library.store_id, library.device)
    with Library.open(home, FixedKey(), clock) as library:
        assert (library.store_id, library.device) == names
        assert library.events.query()[0].kind is EventKind.STORE_CREATED
    with Library.open(home, FixedKey(), clock, device="pane-2") as library:
        assert library.write(lambda tx: library.events.append(tx, EventKind.SESSION_STARTED)).device == "pane-2"


def test_a_failed_transaction_leaves_nothing(library: Library) -> None:
    def broken(tx: database.Tx) -> None:
        library.studies.import_study(tx, made.study())
        raise KeyError("ours")

    with pytest.raises(KeyError):
        library.write(broken)
    assert library.studies.count() == 0
    assert library.events.verify_chain().intact
    library.write(lambda tx: library.studies.import_study(tx, made.study()))
    assert library.studies.count() == 1


def test_errors_of_ours_carry_no_values(library: Library) -> None:
    with pytest.raises(StoreBug) as caught:
        library.write(lambda tx: tx.execute("INSERT INTO no_such_table VALUES ('Ахметова')"))
    assert "Ахметова" not in str(caught.value)
    with pytest.raises(StoreBug):
        library.read(lambda tx: tx.execute("DELETE FROM meta"))
    with pytest.raises(StoreBug):
        library.read(lambda tx: tx.tick())
    with pytest.raises(StoreBug):
        library.write(lambda tx: library.write(lambda inner: None))
    with pytest.raises(StoreBug):
        library.write(lambda tx: library.studies.count())
    assert library.write(lambda tx: library.studies.count(tx)) == 0


def test_a_full_disk_is_the_environment_and_everything_before_is_safe(library: Library, home: Path) -> None:
    library.write(lambda tx: library.studies.import_study(tx, made.study()))

    def fill(tx: database.Tx) -> None:
        pages = tx.one("PRAGMA page_count")
        assert pages is not None
        tx.one(f"PRAGMA max_page_count = {pages[0]}")
        for n in range(200):
            library.studies.import_study(tx, made.study(f"1.3.{n}", count=50))

    with pytest.raises(ProblemError) as caught:
        library.write(fill)
    assert code_of(caught) == "store.disk_full"
    assert (caught.value.problem.kept_safe, caught.value.problem.next_step) == ("safe.saved_before", "next.free_disk")
    library.write(lambda tx: tx.one("PRAGMA max_page_count = 1000000"))
    assert library.studies.count() == 1
    library.write(lambda tx: library.studies.import_study(tx, made.study("1.4")))
    assert library.events.verify_chain().intact


def test_a_lock_held_elsewhere_is_told_as_busy(home: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 50)
    with Library.open(home, FixedKey(), clock) as one, Library.open(home, FixedKey(), clock) as two:
        held, free = threading.Event(), threading.Event()

        def hold(tx: database.Tx) -> None:
            tx.tick()
            held.set()
            assert free.wait(20)

        waiting = one.write_async(hold)
        assert held.wait(20)
        with pytest.raises(ProblemError) as caught:
            two.write(lambda tx: tx.tick())
        assert code_of(caught) == "store.busy"
        # Readers are never blocked by a writer.
        assert two.studies.count() == 0
        free.set()
        waiting.result(20)
        two.write(lambda tx: tx.tick())


def test_a_library_of_a_newer_programme_is_not_touched(home: Path, clock: HandClock) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        library.write(lambda tx: tx.execute("PRAGMA user_version = 99"))
    with pytest.raises(ProblemError) as caught:
        Library.open(home, FixedKey(), clock)
    assert code_of(caught) == "store.newer"


def test_a_damaged_index_is_told_and_the_objects_stay_readable(home: Path, clock: HandClock) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        for n in range(30):
            library.write(lambda tx, n=n: library.studies.import_study(tx, made.study(f"1.3.{n}", count=30)))
        locator = library.objects.put(b"pixels").locator
        assert library.check_integrity() == ()
    path = home / DATABASE_NAME
    raw = bytearray(path.read_bytes())
    for page in range(5, len(raw) // 4096, 2):
        raw[page * 4096 + 100] ^= 0xFF
    path.write_bytes(raw)

    def read_everything() -> None:
        with Library.open(home, FixedKey(), clock) as library:
            for n in range(30):
                library.studies.load(f"1.3.{n}")

    with pytest.raises(ProblemError) as caught:
        read_everything()
    assert code_of(caught) == "store.damaged"
    objects = ObjectStore(home / OBJECTS_NAME, FixedKey().key)
    assert objects.read(locator) == b"pixels"
    objects.close()


def test_one_damaged_page_is_found_by_the_check(home: Path, clock: HandClock) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        library.write(lambda tx: library.settings.set(tx, "long", "x" * 50_000))
    path = home / DATABASE_NAME
    raw = bytearray(path.read_bytes())
    raw[-2000] ^= 1
    path.write_bytes(raw)
    with Library.open(home, FixedKey(), clock) as library:
        assert library.check_integrity() != ()


def test_migrations_are_numbered_without_gaps_and_run_once(home: Path, clock: HandClock) -> None:
    versions = [version for version, _ in database.migrations()]
    assert versions == list(range(1, len(versions) + 1))
    with Library.open(home, FixedKey(), clock) as library:
        assert library.schema_version == versions[-1]
        settings = library.read(
            lambda tx: (tx.one("PRAGMA journal_mode"), tx.one("PRAGMA synchronous"), tx.one("PRAGMA foreign_keys"))
        )
        assert settings == (("wal",), (2,), (1,))


def test_many_threads_read_and_write(library: Library) -> None:
    def work(n: int) -> int:
        library.write(lambda tx: library.studies.import_study(tx, made.study(f"1.5.{n}", count=1)))
        return len(library.studies.search("aliya"))

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(work, range(40)))
    assert max(seen) == 40
    assert library.events.verify_chain().length == 41


def test_several_processes_write_one_chain(home: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from app.store.library import Library; from tests.store.conftest import FixedKey; from tests.store import made\n"
        "from app.session.clock import SystemClock\n"
        "with Library.open(Path(sys.argv[1]), FixedKey(), SystemClock()) as l:\n"
        "    for n in range(25):\n"
        "        l.write(lambda tx: l.studies.import_study(tx, made.study(f'1.{sys.argv[2]}.{n}', count=1)))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(home), str(n)], cwd=ROOT) for n in (5, 6, 7)]
    assert [p.wait(120) for p in processes] == [0, 0, 0]
    with Library.open(home, FixedKey(), HandClock(), create=False) as library:
        chain = library.events.verify_chain()
        assert (chain.intact, chain.length, library.studies.count()) == (True, 76, 75)
        stamps = [e.hlc for e in library.events.query()]
        assert stamps == sorted(set(stamps))


def test_queued_writes_are_finished_at_the_end(home: Path, clock: HandClock) -> None:
    library = Library.open(home, FixedKey(), clock)
    futures = [
        library.write_async(lambda tx, n=n: library.studies.import_study(tx, made.study(f"1.8.{n}", count=1)))
        for n in range(20)
    ]
    library.close()
    library.close()
    assert all(f.done() and f.exception() is None for f in futures)
    with pytest.raises(StoreBug):
        library.write(lambda tx: None)
    with pytest.raises(StoreBug):
        library.studies.count()
    with Library.open(home, FixedKey(), clock) as again:
        assert again.studies.count() == 20


def test_no_threads_or_files_stay_after_the_end(home: Path, clock: HandClock) -> None:
    with Library.open(home, FixedKey(), clock) as library:
        library.studies.count()
    assert not any(t.name == "store-writer" for t in threading.enumerate())
    assert list((home / "objects" / "tmp").iterdir()) == []
    assert not (home / f"{DATABASE_NAME}-wal").exists()


@pytest.mark.parametrize("table", ["events", "first_opinions", "verdicts", "signed_reports", "stored_objects", "receipts"])
def test_what_was_said_cannot_be_changed_or_deleted(library: Library, table: str) -> None:
    rows = library.read(lambda tx: tx.all("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)))
    assert sorted("UPDATE" if "BEFORE UPDATE" in r[0] else "DELETE" for r in rows) == ["DELETE", "UPDATE"]
    with pytest.raises(StoreBug):
        library.write(lambda tx: tx.execute("UPDATE events SET person = 'x'"))
    with pytest.raises(StoreBug):
        library.write(lambda tx: tx.execute("DELETE FROM events"))


def test_objects_that_nobody_names_are_found_and_removed(library: Library) -> None:
    study = made.study(count=1)
    stored = library.objects.put(b"named")
    orphan = library.objects.put(b"orphan")
    import dataclasses

    instance = dataclasses.replace(study.series[0].instances[0], locator=stored.locator, sha256=stored.sha256)
    named = dataclasses.replace(study, series=(dataclasses.replace(study.series[0], instances=(instance,)),))
    library.write(lambda tx: library.studies.import_study(tx, named))
    assert library.unreferenced() == (orphan.name,)
    assert library.remove_unreferenced([stored.name, orphan.name]) == 1
    assert library.objects.read(stored.locator) == b"named"
    gone = dataclasses.replace(instance, sop_instance_uid="1.9.9", locator=orphan.locator, sha256=orphan.sha256)
    late = dataclasses.replace(study, series=(dataclasses.replace(study.series[0], instances=(gone,)),))
    with pytest.raises(ProblemError) as caught:
        library.write(lambda tx: library.studies.import_study(tx, late))
    assert code_of(caught) == "store.object_missing"


def test_what_an_interrupted_import_copied_is_removed_at_the_next_start(home: Path, clock: HandClock) -> None:
    script = (
        "import dataclasses, os, sys; from pathlib import Path\n"
        "from app.store.library import Library; from tests.store.conftest import FixedKey, HandClock\n"
        "from tests.store import made\n"
        "l = Library.open(Path(sys.argv[1]), FixedKey(), HandClock())\n"
        "s = made.study(count=1); stored = l.objects.put(b'indexed')\n"
        "i = dataclasses.replace(s.series[0].instances[0], locator=stored.locator, sha256=stored.sha256)\n"
        "s = dataclasses.replace(s, series=(dataclasses.replace(s.series[0], instances=(i,)),))\n"
        "l.write(lambda tx: l.studies.import_study(tx, s)); l.objects.put(b'not yet indexed'); os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(home)], cwd=ROOT, check=False).returncode == 9
    with Library.open(home, FixedKey(), clock) as library:
        (name,) = library.objects.names()
        assert library.objects.read(f"object:{name}") == b"indexed"
        assert library.unreferenced() == ()
        mine = library.objects.put(b"of a living process")
        with Library.open(home, FixedKey(), clock):
            assert library.objects.exists(mine.name)


def test_the_driver_is_sqlcipher() -> None:
    connection = sqlite.connect(":memory:")
    assert connection.execute("PRAGMA cipher_version").fetchone()[0] >= "4."
    connection.close()
