"""From files to the library: scan, copy each object encrypted, then one transaction a study. Originals are only read."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.dicom.byte_source import FileByteSource
from app.dicom.scanner import scan
from app.domain.ports import ByteSource, Cancelled, Progress
from app.domain.problem import Problem, ProblemError, Severity
from app.domain.study import Instance, RefusedFile, Series, Study
from app.store.library import Library
from app.store.studies import ImportOutcome

_SCAN_SHARE = 0.25
_TWICE = "dicom.duplicate_same"
_COPYING_AT_ONCE = 4
"""Most of a copy is waiting for the disk."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import brought. Nothing is skipped in silence."""

    studies: tuple[str, ...]
    """Study UIDs that have something new."""
    known_studies: tuple[str, ...]
    """Study UIDs that were here already, whole."""
    patients: int
    added: int
    """New instances."""
    known: int
    """Files whose object was here with the same bytes, or lies twice in what was imported."""
    refused: tuple[RefusedFile, ...]
    repaired: int
    remarks: tuple[Problem, ...]
    bytes_read: int
    files_seen: int
    stopped: Problem | None = None
    """Why it ended before the last study (cancelled, disk full...). The studies above are here, whole; every file of the
    others is in ``refused`` when it was not the person who stopped it."""


@dataclass
class _Tally:
    """What has come so far."""

    refused: list[RefusedFile]
    read: int = 0
    added: int = 0
    known: int = 0
    repaired: int = 0
    new_studies: list[str] = dataclasses.field(default_factory=list)
    known_studies: list[str] = dataclasses.field(default_factory=list)


def import_paths(library: Library, paths: Sequence[Path], progress: Progress, person: str = "") -> ImportSummary:
    """Imports every study below ``paths``, a study at a time.

    A full disk or a cancel keeps the whole studies that came before and nothing half: ``stopped`` says why. Only a cancel
    during the scan raises (``Cancelled``): nothing has been touched then.
    """
    found = scan(paths, _Share(progress, 0.0, _SCAN_SHARE))
    source = FileByteSource()
    total = sum(i.size_bytes for s in found.studies for series in s.series for i in series.instances) or 1
    tally = _Tally([*found.refused, *(d for d in found.duplicates if d.problem.code != _TWICE)])
    tally.known = sum(d.problem.code == _TWICE for d in found.duplicates)
    stopped: Problem | None = None
    try:
        for n, study in enumerate(found.studies):
            try:
                _import_study(library, source, study, tally, progress, total, person)
            except Cancelled:
                stopped = Problem("import.cancelled", severity=Severity.NOTE, next_step="next.import_again")
                break
            except ProblemError as error:
                stopped = error.problem
                for missed in found.studies[n:]:
                    _not_imported(missed, error.problem, tally.refused)
                break
    finally:
        source.close()
    return ImportSummary(
        studies=tuple(tally.new_studies),
        known_studies=tuple(tally.known_studies),
        patients=len({s.patient.key for s in found.studies}),
        added=tally.added,
        known=tally.known,
        refused=tuple(tally.refused),
        repaired=tally.repaired,
        remarks=found.remarks,
        bytes_read=tally.read,
        files_seen=found.files_seen,
        stopped=stopped,
    )


def _import_study(
    library: Library, source: ByteSource, study: Study, tally: _Tally, progress: Progress, total: int, person: str
) -> None:
    """Copies the objects, then names them in one transaction; on any failure what was copied goes again."""
    copied: list[str] = []
    refused: list[RefusedFile] = []
    repaired = 0
    before = tally.read
    try:
        series_kept = []
        for series in study.series:
            kept: list[Instance] = []
            with closing(_copies(library, source, series.instances, copied)) as copies:
                for instance, stored in copies:
                    if progress.cancelled():
                        raise Cancelled
                    tally.read += instance.size_bytes
                    if isinstance(stored, Problem):
                        refused.append(_refused(instance, stored))
                    else:
                        kept.append(stored)
                        repaired += bool(stored.repairs)
                    done = _SCAN_SHARE + (1 - _SCAN_SHARE) * min(1.0, tally.read / total)
                    progress.report(done, "import.stage.copying")
            if kept:
                series_kept.append(dataclasses.replace(series, instances=tuple(kept)))
        outcome = _keep(library, study, series_kept, person) if series_kept else None
    except BaseException:
        tally.read = before
        library.remove_unreferenced(copied)
        raise
    tally.refused += refused
    if outcome is None:
        return
    if outcome.refused:
        library.remove_unreferenced(copied)
    tally.repaired += repaired
    tally.added += len(outcome.added)
    tally.known += len(outcome.known)
    by_uid = {i.sop_instance_uid: i.locator for s in study.series for i in s.instances}
    tally.refused += [dataclasses.replace(r, path=_shown(by_uid.get(r.sop_instance_uid, r.path))) for r in outcome.refused]
    if outcome.added:
        tally.new_studies.append(study.study_instance_uid)
    elif outcome.known:
        tally.known_studies.append(study.study_instance_uid)


def _copies(
    library: Library, source: ByteSource, instances: Sequence[Instance], copied: list[str]
) -> Generator[tuple[Instance, Instance | Problem], None, None]:
    """Each instance with its copy in the library, in order, several at a time; or with why its file could not be read.

    The name of every object written comes into ``copied``, also when nobody takes the answer any more. Raises
    ``ProblemError`` of the library's own disk; nothing further is begun then.
    """
    stop = threading.Event()

    def copy(instance: Instance) -> Instance | Problem | None:
        if stop.is_set():
            return None
        try:
            stored = library.objects.put(source.plain_path(instance.locator) or source.read(instance.locator))
        except ProblemError as error:
            if error.problem.code.startswith("store."):
                stop.set()
                raise
            return error.problem
        copied.append(stored.name)
        return dataclasses.replace(instance, locator=stored.locator, sha256=stored.sha256, size_bytes=stored.size_bytes)

    with ThreadPoolExecutor(_COPYING_AT_ONCE, "ekinshi-import") as pool:
        try:
            # Asked for in pieces, so that a cancel does not wait for a whole series.
            for start in range(0, len(instances), 16 * _COPYING_AT_ONCE):
                part = instances[start : start + 16 * _COPYING_AT_ONCE]
                for instance, stored in zip(part, pool.map(copy, part), strict=True):
                    if stored is not None:
                        yield instance, stored
        finally:
            stop.set()


def _keep(library: Library, study: Study, series: list[Series], person: str) -> ImportOutcome:
    kept = dataclasses.replace(study, series=tuple(series))
    return library.write(lambda tx: library.studies.import_study(tx, kept, person=person))


def _refused(instance: Instance, problem: Problem) -> RefusedFile:
    return RefusedFile(_shown(instance.locator), problem, instance.sop_instance_uid, instance.transfer_syntax_uid)


def _not_imported(study: Study, problem: Problem, refused: list[RefusedFile]) -> None:
    refused += [_refused(i, problem) for series in study.series for i in series.instances]


def _shown(locator: str) -> str:
    """A path for a person: without the scheme."""
    return locator.split(":", 1)[1] if locator.startswith(("file:", "zip:")) else locator


class _Share:
    """A part of somebody's progress bar."""

    def __init__(self, outer: Progress, start: float, share: float) -> None:
        self._outer, self._start, self._share = outer, start, share

    def report(self, fraction: float, stage: str = "") -> None:
        self._outer.report(self._start + self._share * fraction, stage)

    def cancelled(self) -> bool:
        return self._outer.cancelled()
