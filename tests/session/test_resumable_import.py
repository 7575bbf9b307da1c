"""`ekinshi import` that is killed in the middle goes on where it was, and never twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.ports import Cancelled, SilentProgress
from app.session.clock import SystemClock
from app.session.import_views import Phase
from app.session.resumable_import import import_resumably
from app.store.library import Library
from app.store.objects import ObjectStore
from tests import phantoms
from tests.session.test_import_desk import Desk, is_clean
from tests.store.conftest import FixedKey

_KILLED = """
import os, sys, time
from pathlib import Path
from app.domain.ports import SilentProgress
from app.session.clock import SystemClock
from app.session.resumable_import import import_resumably
from app.store.library import Library
from app.store.objects import ObjectStore
from tests.store.conftest import FixedKey

real, count = ObjectStore.put, [0]
def put(self, content, moved=None):
    count[0] += 1
    if count[0] > 66:
        os.write(1, b"NOW\\n")  # four write at once: one write, so that their lines stay apart
        time.sleep(60)
    return real(self, content, moved)
ObjectStore.put = put
with Library.open(Path(sys.argv[1]), FixedKey(), SystemClock()) as library:
    import_resumably(library, [Path(sys.argv[2])], SilentProgress())
"""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "home", FixedKey(), SystemClock()) as opened:
        yield opened


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many objects are written from here on."""
    written: list[int] = []
    real = ObjectStore.put

    def put(self: ObjectStore, content: object, moved: object = None) -> object:
        written.append(1)
        return real(self, content, moved)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "put", put)
    return written


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_import_goes_on_and_copies_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((80, 16, 16)))
    arguments = [sys.executable, "-c", _KILLED, str(tmp_path / "home"), str(tmp_path / "dicom")]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "NOW"
        time.sleep(0.3)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    with Library.open(tmp_path / "home", FixedKey(), SystemClock()) as library:
        ((_, got),) = library.import_jobs.waiting()
        assert got > 0
        written = counted(monkeypatch)
        summary, resumed = import_resumably(library, [tmp_path / "dicom"], SilentProgress())
        assert resumed
        assert summary.added == 80
        assert len(written) < 40, "what was journalled before the kill is not copied again"
        assert library.import_jobs.waiting() == ()
        assert is_clean(library)
        again, resumed = import_resumably(library, [tmp_path / "dicom"], SilentProgress())
        assert (again.added, again.known, resumed) == (0, 80, False)


class Stop(SilentProgress):
    """Cancels after so many questions."""

    def __init__(self, after: int) -> None:
        self.left = after

    def cancelled(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_an_interrupt_leaves_a_job_that_anybody_may_take_up(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((30, 16, 16)))
    real, count = ObjectStore.put, [0]

    def put(self: ObjectStore, content: object, moved: object = None) -> object:
        count[0] += 1
        if count[0] == 12:
            raise KeyboardInterrupt
        return real(self, content, moved)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "put", put)
        with pytest.raises(KeyboardInterrupt):
            import_resumably(library, [tmp_path / "dicom"], SilentProgress())
    assert len(library.import_jobs.waiting()) == 1
    assert library.studies.count() == 0
    summary, resumed = import_resumably(library, [tmp_path / "dicom"], SilentProgress())
    assert (summary.added, resumed) == (30, True)
    assert is_clean(library)


def test_a_study_that_grew_since_the_cut_is_looked_at_again(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dicom"
    phantoms.write_ct(folder / "a", phantoms.index_volume((20, 16, 16)))
    held = sorted((folder / "a").iterdir())[-3:]
    for path in held:
        path.rename(tmp_path / path.name)
    summary, _ = import_resumably(library, [folder], SilentProgress())
    assert summary.added == 17
    # A job of the same folder that was cut right after this study had come in.
    from app.dicom.scanner import scan
    from app.session.import_journal import study_key
    from app.store.import_jobs import ImportJob

    (study,) = scan([folder]).studies
    job = ImportJob("1", "", (str(folder),), (), "a", 1, "2026-11-23T08:00:00+00:00", (study_key(study),))
    library.write(lambda tx: library.import_jobs.begin(tx, job))
    library.write(lambda tx: library.import_jobs.let_go(tx, "1"))
    for path in held:
        (tmp_path / path.name).rename(path)
    summary, resumed = import_resumably(library, [folder], SilentProgress())
    assert resumed
    assert (summary.added, summary.known) == (3, 17)
    assert library.import_jobs.waiting() == ()


def test_a_cancel_while_it_looks_touches_nothing(library: Library, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((6, 16, 16)))
    with pytest.raises(Cancelled):
        import_resumably(library, [tmp_path / "dicom"], Stop(0))
    assert library.import_jobs.waiting() == ()


def cut_after(monkeypatch: pytest.MonkeyPatch, count: int, error: type[BaseException]) -> None:
    """So many objects are written, then the process is interrupted."""
    real, seen = ObjectStore.put, [0]

    def put(self: ObjectStore, content: object, moved: object = None) -> object:
        seen[0] += 1
        if seen[0] > count:
            raise error
        return real(self, content, moved)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "put", put)


def test_the_window_goes_on_with_what_the_command_line_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((80, 16, 16)))
    made = Desk(tmp_path / "home")
    try:
        with monkeypatch.context() as patch:
            cut_after(patch, 70, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                import_resumably(made.library, [tmp_path / "dicom"], SilentProgress())
        (cut,) = made.desk.cut_imports()
        assert cut.here
        assert 0 < cut.done_bytes < cut.total_bytes
        written = counted(monkeypatch)
        assert made.desk.resume(cut.job_id)
        made.until(lambda: bool(made.summaries))
        assert made.summaries[0].added == 80
        assert len(written) < 40, "one journal: what the command line copied is not copied again"
        assert made.desk.cut_imports() == ()
        assert is_clean(made.library)
    finally:
        made.close()


def test_the_command_line_goes_on_with_what_the_window_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phantoms.write_ct(tmp_path / "dicom", phantoms.index_volume((80, 16, 16)))
    made = Desk(tmp_path / "home")
    try:
        made.look(tmp_path / "dicom")
        with monkeypatch.context() as patch:
            cut_after(patch, 70, Cancelled)
            made.desk.start()
            made.until(lambda: made.desk.phase is not Phase.IMPORTING or not made.tasks.running())
        assert made.library.studies.count() == 0
        written = counted(monkeypatch)
        summary, resumed = import_resumably(made.library, [tmp_path / "dicom"], SilentProgress())
        assert (summary.added, resumed) == (80, True)
        assert len(written) < 40
        assert made.desk.cut_imports() == ()
        assert is_clean(made.library)
    finally:
        made.close()
