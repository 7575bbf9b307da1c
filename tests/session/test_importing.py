"""Bad input is named with its reason, the rest comes in, nothing half-written stays."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.event import EventKind
from app.domain.messages import LANGUAGES, sentence
from app.domain.ports import Cancelled, SilentProgress
from app.domain.study import RefusedFile
from app.session.clock import SystemClock
from app.session.importing import ImportSummary, import_paths
from app.store.library import Library
from app.store.objects import ObjectStore
from tests import phantoms
from tests.store.conftest import FixedKey

SILENT = SilentProgress()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "home", FixedKey(), SystemClock()) as opened:
        yield opened


def reasons(summary: ImportSummary) -> dict[str, str]:
    return {Path(r.path).name: r.problem.code for r in summary.refused}


def is_clean(library: Library, home: Path) -> bool:
    """Nothing half-written: no temporary file, no object that no row names, every object whole."""
    # beside the lock and the journal only half-written objects can lie there; their names are 24 hex digits
    left = [f for f in (home / "objects" / "tmp").rglob("*") if f.is_file() and len(f.name) == 24]
    for name in library.objects.names():
        library.objects.verify(name)
    return not library.unreferenced() and not left


def told_in_every_language(refused: tuple[RefusedFile, ...]) -> bool:
    return all(sentence(lang, r.problem) not in ("", r.problem.code) for r in refused for lang in LANGUAGES)


def test_every_bad_file_is_named_and_the_good_one_comes_in(library: Library, tmp_path: Path) -> None:
    bad = phantoms.write_bad_files(tmp_path / "dicom")
    summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert summary.stopped is None
    assert {Path(r.path): r.problem.code for r in summary.refused} == {
        bad["empty"]: "dicom.empty_file",
        bad["not_dicom"]: "dicom.not_dicom",
        bad["preamble_only"]: "dicom.truncated",
        bad["truncated_header"]: "dicom.truncated",
        bad["truncated_pixels"]: "dicom.truncated",
        bad["unknown_syntax"]: "dicom.transfer_syntax_unsupported",
        bad["no_pixels"]: "dicom.pixels_missing",
        bad["wrong_rows"]: "dicom.pixels_short",
    }
    # zero spacing and missing identifiers can be mended; that is said with the image
    kept = [i for u in summary.studies for s in library.studies.load(u).series for i in s.instances]
    assert sorted(p.code for i in kept for p in i.repairs) == ["dicom.repaired.uids", "dicom.zero_spacing"]
    assert (summary.added, summary.repaired) == (3, 2)
    assert told_in_every_language(summary.refused)
    assert is_clean(library, tmp_path / "home")


def test_originals_are_not_touched(library: Library, tmp_path: Path) -> None:
    paths = phantoms.write_ct(tmp_path / "dicom")
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in paths}
    import_paths(library, [tmp_path / "dicom"], SILENT)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in paths} == before


def test_importing_again_adds_nothing(library: Library, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom")
    first = import_paths(library, [tmp_path / "dicom"], SILENT)
    events = library.events.count()
    second = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert (first.added, first.known, second.added, second.known) == (12, 0, 0, 12)
    assert second.known_studies == first.studies
    assert second.studies == ()
    assert library.events.count() == events
    assert is_clean(library, tmp_path / "home")


def test_two_patients_in_one_folder_become_two_studies(library: Library, tmp_path: Path) -> None:
    phantoms.write_two_patients(tmp_path / "dicom")
    summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert (len(summary.studies), summary.patients, summary.refused) == (2, 2, ())


def test_two_patients_under_one_study_uid_are_never_mixed(library: Library, tmp_path: Path) -> None:
    phantoms.write_two_patients_one_study(tmp_path / "dicom")
    summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert len(library.studies.search()) == 1
    assert summary.refused, "the second patient is not named"
    assert told_in_every_language(summary.refused)
    assert is_clean(library, tmp_path / "home")


def test_the_other_patient_under_a_known_study_uid_is_refused_later_too(library: Library, tmp_path: Path) -> None:
    first, second = phantoms.write_two_patients_one_study(tmp_path / "dicom")
    import_paths(library, [first], SILENT)
    summary = import_paths(library, [second], SILENT)
    assert summary.studies == ()
    assert reasons(summary) == {second.name: "store.other_patient"}
    assert is_clean(library, tmp_path / "home")


def test_the_same_uid_with_other_bytes_keeps_the_first(library: Library, tmp_path: Path) -> None:
    paths = phantoms.write_duplicates(tmp_path / "dicom")
    summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert reasons(summary) == {paths["other"].name: "dicom.duplicate_uid"}
    assert (summary.added, summary.known) == (3, 1)
    assert told_in_every_language(summary.refused)
    assert is_clean(library, tmp_path / "home")
    kept = {i.sha256 for u in summary.studies for s in library.studies.load(u).series for i in s.instances}
    assert hashlib.sha256(paths["first"].read_bytes()).hexdigest() in kept


def test_other_bytes_in_a_later_import_are_refused_by_file(library: Library, tmp_path: Path) -> None:
    paths = phantoms.write_ct(tmp_path / "one", phantoms.index_volume((3, 32, 32)))
    import_paths(library, [tmp_path / "one"], SILENT)
    changed = tmp_path / "two" / paths[0].name
    changed.parent.mkdir()
    data = bytearray(paths[0].read_bytes())
    data[-1] ^= 1
    changed.write_bytes(bytes(data))
    summary = import_paths(library, [changed.parent], SILENT)
    assert reasons(summary) == {changed.name: "store.same_uid_other_bytes"}
    assert (summary.added, summary.studies, summary.known_studies) == (0, (), ())
    assert is_clean(library, tmp_path / "home")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights do not bind this account")
def test_an_unreadable_folder_is_named_by_its_rights(library: Library, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom" / "open")
    closed = tmp_path / "dicom" / "closed"
    phantoms.write_ct(closed, key="other")
    closed.chmod(0)
    try:
        summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    finally:
        closed.chmod(0o700)
    assert summary.added == 12
    assert "closed" in reasons(summary)


def test_an_unreadable_folder_is_named(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above for an account that rights do not bind: the listing itself fails."""
    phantoms.write_ct(tmp_path / "dicom" / "open")
    closed = tmp_path / "dicom" / "closed"
    phantoms.write_ct(closed, key="other")
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if os.fspath(path).rstrip("/").endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert summary.added == 12
    assert [Path(r.path).name for r in summary.refused] == ["closed"]
    assert told_in_every_language(summary.refused)


def test_a_file_that_vanishes_between_scan_and_copy_is_named(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = phantoms.write_ct(tmp_path / "dicom")
    real = ObjectStore.put

    def put(self: ObjectStore, content: bytes | Path, moved: Any = None) -> Any:
        if isinstance(content, Path) and content.name == paths[3].name:
            content.unlink(missing_ok=True)
        return real(self, content)

    monkeypatch.setattr(ObjectStore, "put", put)
    summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert summary.added == 11
    assert reasons(summary) == {paths[3].name: "import.source_unreadable"}
    assert summary.stopped is None
    assert is_clean(library, tmp_path / "home")


def test_a_full_disk_keeps_whole_studies_and_names_every_file_that_did_not_come(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantoms.write_ct(tmp_path / "dicom" / "a", patient=phantoms.ALIYA)
    phantoms.write_ct(tmp_path / "dicom" / "b", patient=phantoms.VIKTOR)
    real, put_so_far = ObjectStore._write, []

    def write(self: ObjectStore, file: Any, content: Any, digest: bytes, size: int, moved: Any) -> None:
        if len(put_so_far) >= 17:
            file.write(b"half of an object")
            raise OSError(errno.ENOSPC, "No space left on device")
        put_so_far.append(1)
        real(self, file, content, digest, size, moved)

    monkeypatch.setattr(ObjectStore, "_write", write)
    summary = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert summary.stopped is not None
    assert summary.stopped.code == "store.disk_full"
    assert summary.stopped.next_step
    assert len(summary.studies) == 1
    assert summary.added == 12
    assert len(summary.refused) == 12
    assert {r.problem.code for r in summary.refused} == {"store.disk_full"}
    assert told_in_every_language(summary.refused)
    assert len(library.studies.search()) == 1
    assert is_clean(library, tmp_path / "home")
    # with room again the same import brings the rest
    monkeypatch.undo()
    again = import_paths(library, [tmp_path / "dicom"], SILENT)
    assert (again.added, again.known, again.refused) == (12, 12, ())


def _small_disk(folder: Path, size: str) -> bool:
    import subprocess

    folder.mkdir()
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False).returncode == 0


@pytest.mark.skipif(shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs mount")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    if not _small_disk(disk, "2m"):
        pytest.skip("this machine does not let a test mount a small disk")
    try:
        study = tmp_path / "dicom"
        phantoms.write_ct(study, phantoms.index_volume((28, 256, 256)))
        phantoms.write_ct(tmp_path / "small", phantoms.index_volume((2, 32, 32)), patient=phantoms.VIKTOR)
        with Library.open(disk / "home", FixedKey(), SystemClock()) as library:
            import_paths(library, [tmp_path / "small"], SILENT)
            summary = import_paths(library, [study], SILENT)
            assert summary.stopped is not None
            assert summary.stopped.code == "store.disk_full"
            assert summary.studies == ()
            assert len(library.studies.search()) == 1
            assert is_clean(library, disk / "home")
            assert library.events.verify_chain().intact
    finally:
        subprocess.run(["umount", str(disk)], check=True)


class _CancelAfter:
    def __init__(self, fraction: float) -> None:
        self.at, self.fraction = fraction, 0.0

    def report(self, fraction: float, stage: str = "") -> None:
        del stage
        self.fraction = fraction

    def cancelled(self) -> bool:
        return self.fraction >= self.at


def test_a_cancel_keeps_whole_studies_and_nothing_half(library: Library, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom" / "a", patient=phantoms.ALIYA)
    phantoms.write_ct(tmp_path / "dicom" / "b", patient=phantoms.VIKTOR)
    summary = import_paths(library, [tmp_path / "dicom"], _CancelAfter(0.75))
    assert summary.stopped is not None
    assert summary.stopped.code == "import.cancelled"
    assert (len(summary.studies), summary.added, summary.refused) == (1, 12, ())
    assert is_clean(library, tmp_path / "home")
    with pytest.raises(Cancelled):
        import_paths(library, [tmp_path / "dicom"], _CancelAfter(0.0))


def test_the_event_log_says_what_came(library: Library, tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom")
    import_paths(library, [tmp_path / "dicom"], SILENT, "reader-1")
    events = library.events.query(kinds=(EventKind.STUDY_IMPORTED,))
    assert [(e.person, e.body["added"]) for e in events] == [("reader-1", 12)]
