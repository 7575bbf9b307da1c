"""From files to the library: scan, copy each object encrypted, then one transaction a study. Originals are only read."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.dicom.behind import behind_the_window
from app.dicom.byte_source import FileByteSource
from app.dicom.one_value import has_one_value, remark
from app.dicom.scanner import ScanResult, scan
from app.domain.ports import ByteSource, Cancelled, Progress
from app.domain.problem import Problem, ProblemError, Severity
from app.domain.study import Instance, RefusedFile, Series, Study
from app.session.import_journal import CopyJournal, series_key
from app.session.kept_aside import keep_refused, keep_twice, shown_path, told_aside
from app.store.database import Tx
from app.store.library import Library
from app.store.objects import StoredBytes
from app.store.studies import ImportOutcome

SCAN_SHARE = 0.25
_TWICE, _OTHER_BYTES = "dicom.duplicate_same", "dicom.duplicate_uid"
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


class Watch(Protocol):
    """Told, from the copying threads, where the bytes are. What ``moved`` raises ends that copy."""

    def moved(self, locator: str, size_bytes: int) -> None: ...

    def ended(self, locator: str, problem: Problem | None) -> None: ...


def import_paths(library: Library, paths: Sequence[Path], progress: Progress, person: str = "") -> ImportSummary:
    """Imports every study below ``paths``, a study at a time.

    A full disk or a cancel keeps the whole studies that came before and nothing half: ``stopped`` says why. Only a cancel
    during the scan raises (``Cancelled``): nothing has been touched then.
    """
    found = scan(paths, Share(progress, 0.0, SCAN_SHARE))
    return import_scanned(library, found, Share(progress, SCAN_SHARE, 1 - SCAN_SHARE), person)


def import_scanned(
    library: Library,
    found: ScanResult,
    progress: Progress,
    person: str = "",
    *,
    chosen: frozenset[str] | None = None,
    same_here: frozenset[str] = frozenset(),
    journal: CopyJournal | None = None,
    watch: Watch | None = None,
) -> ImportSummary:
    """Imports what a scan found: of all studies, or of the series whose ``series_key`` is in ``chosen``.

    ``same_here``: SOP Instance UIDs whose bytes were compared with the library's and are the same; they are not read
    again. With a ``journal`` what was copied before a cut is kept, and is not copied again when the job goes on.
    """
    studies = _chosen(found.studies, chosen)
    source = FileByteSource()
    total = sum(i.size_bytes for s in studies for series in s.series for i in series.instances) or 1
    others = (dataclasses.replace(d, problem=told_aside(d.problem)) for d in found.duplicates if d.problem.code != _TWICE)
    tally = _Tally([*found.refused, *others])
    tally.known = sum(d.problem.code == _TWICE for d in found.duplicates)
    stopped: Problem | None = None
    try:
        brought = {i.sop_instance_uid for s in studies for series in s.series for i in series.instances}
        twice = [d for d in found.duplicates if d.problem.code == _OTHER_BYTES and d.sop_instance_uid in brought]
        for n, study in enumerate(studies):
            if journal is not None and journal.is_done(study):
                tally.read += sum(i.size_bytes for series in study.series for i in series.instances)
                continue
            try:
                _Study(library, source, study, tally, progress, total, person, same_here, journal, watch).run()
            except Cancelled:
                step = "import.next.go_on" if journal is not None else "next.import_again"
                stopped = Problem("import.cancelled", severity=Severity.NOTE, next_step=step)
                break
            except ProblemError as error:
                stopped = error.problem
                for missed in studies[n:]:
                    _not_imported(missed, error.problem, tally.refused)
                break
        if stopped is None and twice:
            stopped = keep_twice(library, source, twice, person)
    finally:
        source.close()
    return ImportSummary(
        studies=tuple(dict.fromkeys(tally.new_studies)),
        known_studies=tuple(tally.known_studies),
        patients=len({s.patient.key for s in studies}),
        added=tally.added,
        known=tally.known,
        refused=tuple(tally.refused),
        repaired=tally.repaired,
        remarks=found.remarks,
        bytes_read=tally.read,
        files_seen=found.files_seen,
        stopped=stopped,
    )


def _chosen(studies: Sequence[Study], chosen: frozenset[str] | None) -> list[Study]:
    if chosen is None:
        return list(studies)
    kept = []
    for study in studies:
        series = tuple(s for s in study.series if series_key(study, s) in chosen)
        if series:
            kept.append(dataclasses.replace(study, series=series))
    return kept


@dataclass
class _Study:
    """One study on its way: its objects are copied, then named in one transaction."""

    library: Library
    source: ByteSource
    study: Study
    tally: _Tally
    progress: Progress
    total: int
    person: str
    same_here: frozenset[str]
    journal: CopyJournal | None
    watch: Watch | None
    copied: list[str] = dataclasses.field(default_factory=list)

    def run(self) -> None:
        """On any failure what was copied goes again, but for what the journal keeps."""
        refused: list[RefusedFile] = []
        tally, before = self.tally, self.tally.read
        same = 0
        try:
            kept_series = []
            for series in self.study.series:
                new = [i for i in series.instances if i.sop_instance_uid not in self.same_here]
                same += len(series.instances) - len(new)
                tally.read += sum(i.size_bytes for i in series.instances) - sum(i.size_bytes for i in new)
                kept = self._copied(new, refused)
                if kept:
                    kept_series.append(dataclasses.replace(series, instances=tuple(kept)))
            outcome = self._keep(kept_series) if kept_series else None
        except BaseException:
            tally.read = before
            if self.journal is not None:
                self.journal.flush()
            self.library.remove_unreferenced(self.copied)
            raise
        tally.refused += refused
        tally.known += same
        uid = self.study.study_instance_uid
        if outcome is None:
            if same:
                tally.known_studies.append(uid)
            return
        if outcome.refused:
            self.library.remove_unreferenced(self.copied)
        tally.repaired += sum(bool(i.repairs) for s in kept_series for i in s.instances)
        tally.added += len(outcome.added)
        tally.known += len(outcome.known)
        by_uid = {i.sop_instance_uid: i.locator for s in self.study.series for i in s.instances}
        named = [
            dataclasses.replace(r, path=shown_path(by_uid.get(r.sop_instance_uid, r.path)), problem=told_aside(r.problem))
            for r in outcome.refused
        ]
        tally.refused += named
        if self.watch is not None:
            for one in outcome.refused:
                self.watch.ended(by_uid.get(one.sop_instance_uid, ""), one.problem)
        if outcome.added:
            tally.new_studies.append(uid)
        elif outcome.known or same:
            tally.known_studies.append(uid)

    def _copied(self, instances: Sequence[Instance], refused: list[RefusedFile]) -> list[Instance]:
        kept: list[Instance] = []
        with closing(self._copies(instances)) as copies:
            for instance, stored in copies:
                if self.progress.cancelled():
                    raise Cancelled
                self.tally.read += instance.size_bytes
                if isinstance(stored, Problem):
                    refused.append(_refused(instance, stored))
                else:
                    kept.append(stored)
                self.progress.report(min(1.0, self.tally.read / self.total), "import.stage.copying")
        return kept

    def _keep(self, series: list[Series]) -> ImportOutcome:
        kept = dataclasses.replace(self.study, series=tuple(series))
        journal = self.journal

        def work(tx: Tx) -> ImportOutcome:
            outcome = self.library.studies.import_study(tx, kept, person=self.person)
            keep_refused(self.library, tx, self.study, series, outcome.refused, self.person)
            if journal is not None:
                journal.study_done(tx, self.study)
            return outcome

        return self.library.write(work)

    def _copies(self, instances: Sequence[Instance]) -> Generator[tuple[Instance, Instance | Problem], None, None]:
        """Each instance with its copy in the library, in order, several at a time; or with why its file was unreadable.

        The name of every object written comes into ``copied``, also when nobody takes the answer any more. Raises
        ``ProblemError`` of the library's own disk; nothing further is begun then.
        """
        stop = threading.Event()

        def copy(instance: Instance) -> Instance | Problem | None:
            if stop.is_set():
                return None
            stored = self.journal.there(instance) if self.journal is not None else None
            if stored is None:
                answer = self._put(instance, stop)
                if answer is None or isinstance(answer, Problem):
                    return answer
                stored = answer
            elif self.watch is not None:
                self.watch.moved(instance.locator, instance.size_bytes)
            if self.watch is not None:
                self.watch.ended(instance.locator, None)
            told = (remark(),) if has_one_value(instance, self.source) else ()
            return dataclasses.replace(
                instance,
                locator=stored.locator,
                sha256=stored.sha256,
                size_bytes=stored.size_bytes,
                repairs=(*instance.repairs, *told),
            )

        with ThreadPoolExecutor(_COPYING_AT_ONCE, "ekinshi-import", behind_the_window) as pool:
            try:
                # Asked for in pieces, so that a cancel does not wait for a whole series.
                for start in range(0, len(instances), 16 * _COPYING_AT_ONCE):
                    part = instances[start : start + 16 * _COPYING_AT_ONCE]
                    for instance, stored in zip(part, pool.map(copy, part), strict=True):
                        if stored is not None:
                            yield instance, stored
                    if self.journal is not None:
                        self.journal.flush()
            finally:
                stop.set()

    def _put(self, instance: Instance, stop: threading.Event) -> StoredBytes | Problem | None:
        def moved(size: int) -> None:
            if stop.is_set() or self.progress.cancelled():
                raise Cancelled
            if self.watch is not None:
                self.watch.moved(instance.locator, size)

        try:
            content = self.source.plain_path(instance.locator) or self.source.read(instance.locator)
            stored = self.library.objects.put(content, moved)
        except Cancelled:
            if stop.is_set() and not self.progress.cancelled():
                return None  # stopped by the trouble of a copy beside it, which tells itself
            stop.set()
            raise
        except ProblemError as error:
            if error.problem.code.startswith("store."):
                stop.set()
                raise
            if self.watch is not None:
                self.watch.ended(instance.locator, error.problem)
            return error.problem
        self.copied.append(stored.name)
        if self.journal is not None:
            self.journal.add(instance, stored)
        return stored


def _refused(instance: Instance, problem: Problem) -> RefusedFile:
    return RefusedFile(shown_path(instance.locator), problem, instance.sop_instance_uid, instance.transfer_syntax_uid)


def _not_imported(study: Study, problem: Problem, refused: list[RefusedFile]) -> None:
    refused += [_refused(i, problem) for series in study.series for i in series.instances]


class Share:
    """A part of somebody's progress bar."""

    def __init__(self, outer: Progress, start: float, share: float) -> None:
        self._outer, self._start, self._share = outer, start, share

    def report(self, fraction: float, stage: str = "") -> None:
        self._outer.report(self._start + self._share * fraction, stage)

    def cancelled(self) -> bool:
        return self._outer.cancelled()
