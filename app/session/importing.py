"""From files to the library: scan, copy each object encrypted, then one transaction a study. Originals are only read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.dicom.byte_source import FileByteSource
from app.dicom.scanner import scan
from app.domain.ports import ByteSource, Cancelled, Progress
from app.domain.problem import Problem, ProblemError
from app.domain.study import Instance, RefusedFile, Series, Study
from app.store.library import Library
from app.store.studies import ImportOutcome

_SCAN_SHARE = 0.25


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
    """Instances that were here with the same bytes."""
    refused: tuple[RefusedFile, ...]
    repaired: int
    remarks: tuple[Problem, ...]
    bytes_read: int
    files_seen: int


def import_paths(library: Library, paths: Sequence[Path], progress: Progress, person: str = "") -> ImportSummary:
    """Imports every study below ``paths``. A full disk or a cancel keeps whole studies that came before and nothing half.

    Raises ``ProblemError`` of the environment (disk full...) after removing what it had copied of the unfinished study.
    """
    found = scan(paths, _Share(progress, 0.0, _SCAN_SHARE))
    source = FileByteSource()
    total = sum(i.size_bytes for s in found.studies for series in s.series for i in series.instances) or 1
    read = 0
    added, known, repaired = 0, 0, 0
    new_studies: list[str] = []
    known_studies: list[str] = []
    refused = list(found.refused)
    for study in found.studies:
        copied = _Copied(library)
        try:
            series_kept = []
            for series in study.series:
                kept: list[Instance] = []
                for instance in series.instances:
                    if progress.cancelled():
                        raise Cancelled
                    read += instance.size_bytes
                    stored = _copy(library, source, instance, copied, refused)
                    if stored is not None:
                        kept.append(stored)
                        repaired += bool(stored.repairs)
                    progress.report(_SCAN_SHARE + (1 - _SCAN_SHARE) * min(1.0, read / total), "import.stage.copying")
                if kept:
                    series_kept.append(dataclasses.replace(series, instances=tuple(kept)))
            outcome = _keep(library, study, series_kept, person) if series_kept else None
        except BaseException:
            copied.remove_unreferenced()
            raise
        if outcome is None:
            continue
        copied.remove_unreferenced()
        added += len(outcome.added)
        known += len(outcome.known)
        by_uid = {i.sop_instance_uid: i.locator for s in study.series for i in s.instances}
        refused += [dataclasses.replace(r, path=_shown(by_uid.get(r.sop_instance_uid, r.path))) for r in outcome.refused]
        (new_studies if outcome.added else known_studies).append(study.study_instance_uid)
    return ImportSummary(
        studies=tuple(new_studies),
        known_studies=tuple(known_studies),
        patients=len({s.patient.key for s in found.studies}),
        added=added,
        known=known,
        refused=tuple(refused),
        repaired=repaired,
        remarks=found.remarks,
        bytes_read=read,
        files_seen=found.files_seen,
    )


class _Copied:
    """Objects written for a study that is not yet in the index; taken away again unless the index names them."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._names: list[str] = []

    def add(self, name: str) -> None:
        self._names.append(name)

    def remove_unreferenced(self) -> None:
        if not self._names:
            return
        named = self._library.studies.locators()
        for name in self._names:
            if f"object:{name}" not in named:
                self._library.objects.remove(name)


def _copy(
    library: Library, source: ByteSource, instance: Instance, copied: _Copied, refused: list[RefusedFile]
) -> Instance | None:
    """The instance with its place in the library, or None when its bytes could not be read (named in ``refused``)."""
    try:
        content: bytes | Path = source.plain_path(instance.locator) or source.read(instance.locator)
        stored = library.objects.put(content)
    except ProblemError as error:
        if error.problem.code.startswith("store."):
            raise  # the library's disk, not this file
        refused.append(
            RefusedFile(_shown(instance.locator), error.problem, instance.sop_instance_uid, instance.transfer_syntax_uid)
        )
        return None
    copied.add(stored.name)
    return dataclasses.replace(instance, locator=stored.locator, sha256=stored.sha256, size_bytes=stored.size_bytes)


def _keep(library: Library, study: Study, series: list[Series], person: str) -> ImportOutcome:
    kept = dataclasses.replace(study, series=tuple(series))
    return library.write(lambda tx: library.studies.import_study(tx, kept, person=person))


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
