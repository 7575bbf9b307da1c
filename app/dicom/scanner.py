"""Folders, ZIP archives, DICOMDIR media and single files to a tree of studies, headers only.

Nothing is skipped in silence: every file ends as an instance, a duplicate, a refusal with its reason, or ignored.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.dicom.byte_source import (
    FileByteSource,
    check_nested,
    is_of_a_program,
    is_zip,
    open_nested,
    open_zip,
    read_member,
)
from app.dicom.header import IsDirectory, RefusedHeader, fetch_from_bytes, header_from_raw, is_directory, read_with
from app.dicom.header import _guarded as guarded_read
from app.dicom.instance_builder import FileHeader
from app.dicom.media_index import listed_files, wrong_links
from app.dicom.raw_items import RawFile
from app.dicom.series_template import SeriesTemplates
from app.dicom.study_tree import StudyTree
from app.dicom.tags import HEADER_TAGS
from app.domain.ports import ByteSource, Cancelled, Progress, SilentProgress
from app.domain.problem import Problem, ProblemError, Severity, fail
from app.domain.study import Instance, RefusedFile, Study

_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "autorun.inf", ".localized"})
_MAX_FILES = 5_000_000
_HEADER_COST = 64 << 10


@dataclass(frozen=True)
class OpenedFile:
    """A file whose header could be read; duplicates of an instance are here too."""

    path: str
    instance: Instance


@dataclass(frozen=True)
class ScanResult:
    studies: tuple[Study, ...]
    refused: tuple[RefusedFile, ...] = ()
    ignored: tuple[str, ...] = ()
    """Paths that are no objects and were not meant to be: DICOMDIR, system litter."""
    files_seen: int = 0
    remarks: tuple[Problem, ...] = ()
    files: tuple[OpenedFile, ...] = ()
    duplicates: tuple[RefusedFile, ...] = ()
    """Files left out of the tree: their SOP Instance UID is there already; the reason says whether the bytes differ."""


@dataclass
class _Collector:
    progress: Progress
    tree: StudyTree
    refused: list[RefusedFile]
    ignored: list[str]
    remarks: list[Problem]
    files: list[OpenedFile]
    duplicates: list[RefusedFile]
    seen: int = 0
    templates: SeriesTemplates = field(default_factory=SeriesTemplates)

    def refuse(self, path: str, problem: Problem, raw: RawFile | None = None) -> None:
        uid = ""
        if raw is not None:
            uid = raw.dataset.raw(0x00080018).decode("ascii", "replace").strip("\0 ")
        self.refused.append(RefusedFile(path, problem, uid, raw.transfer_syntax_uid if raw is not None else ""))


def scan(paths: Sequence[Path], progress: Progress | None = None, source: ByteSource | None = None) -> ScanResult:
    """The studies below ``paths``. Raises ``Cancelled``; single files never raise, they are refused by name."""
    progress = progress if progress is not None else SilentProgress()
    files_source = source if source is not None else FileByteSource()
    work = _Collector(progress, StudyTree(), [], [], [], [], [])
    explicit = {os.path.abspath(p) for p in paths}
    listed = list(dict.fromkeys(name for path in sorted(explicit) for name in _files_below(path, work)))
    share = _shares(listed, progress)
    for n, path in enumerate(listed):
        if progress.cancelled():
            raise Cancelled
        if n % 16 == 0:
            progress.report(share(n), "scan")
        if path[-4:].lower() == ".zip" and _is_zip(path):
            _scan_zip(path, work)
        else:
            _scan_file(path, work, files_source, path in explicit)
    progress.report(1.0, "scan")
    studies = work.tree.studies()
    work.remarks.extend(work.tree.remarks())
    return ScanResult(
        studies,
        tuple(work.refused),
        tuple(work.ignored),
        work.seen,
        tuple(work.remarks),
        tuple(work.files),
        tuple(work.duplicates),
    )


def _shares(listed: Sequence[str], progress: Progress) -> Callable[[int], float]:
    """How far a scan is before file ``n``: by bytes, up to what a header costs of a large file; an archive counts whole."""
    if isinstance(progress, SilentProgress):
        return lambda n: n / max(len(listed), 1)
    so_far = [0]
    for path in listed:
        try:
            size = os.path.getsize(path)
        except OSError:
            size = 0
        so_far.append(so_far[-1] + (size if path[-4:].lower() == ".zip" else min(size, _HEADER_COST)))
    return lambda n: so_far[n] / max(so_far[-1], 1)


def _files_below(path: str, work: _Collector) -> Iterator[str]:
    """Files in a stable order; folders that cannot be read are refused by name, loops of links are walked once."""
    if not os.path.isdir(path):
        if not os.path.exists(path):
            work.seen += 1
            work.refuse(path, fail("dicom.file_gone", next_step="dicom.next.rescan").problem)
            return
        yield path
        if os.path.basename(path).upper().startswith("DICOMDIR"):
            # The directory may lie or be incomplete: its folder decides, the directory only names what is missing.
            yield from (p for p in _files_below(os.path.dirname(path), work) if p != path)
        return
    visited: set[tuple[int, int]] = set()
    stack = [path]
    count = 0
    while stack:
        folder = stack.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited and status.st_ino:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda e: e.name)
        except OSError:
            work.refuse(folder, fail("dicom.folder_unreadable", next_step="dicom.next.permission").problem)
            continue
        folders: list[str] = []
        for entry in entries:
            try:
                if entry.is_dir():
                    folders.append(entry.path)
                elif entry.is_file():
                    count += 1
                    yield entry.path
                else:
                    work.seen += 1
                    work.refuse(entry.path, fail("dicom.not_a_file").problem)
            except OSError:
                work.seen += 1
                work.refuse(entry.path, fail("dicom.unreadable", kept_safe="kept.original").problem)
            if count > _MAX_FILES:
                work.remarks.append(Problem("dicom.too_many_files", {"limit": _MAX_FILES}, Severity.WARNING))
                return
        stack.extend(reversed(folders))


def _is_zip(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return is_zip(stream.read(4))
    except OSError:
        return False


def _scan_file(name: str, work: _Collector, source: ByteSource, asked_for: bool) -> None:
    work.seen += 1
    if os.path.basename(name).lower() in _LITTER and not asked_for:
        work.ignored.append(name)
        return
    try:
        _, header = read_with(work.templates, name, source)
    except IsDirectory:
        _note_directory(Path(name), work, asked_for)
        return
    except ProblemError as error:
        if _is_zip(name) and _scan_zip(name, work, sniffed=True):
            work.seen -= 1  # an archive under another name: its members count
            return
        work.refuse(name, error.problem, error.raw if isinstance(error, RefusedHeader) else None)
        return
    _accept(name, header, work, source)


def _note_directory(path: Path, work: _Collector, asked_for: bool) -> None:
    """Compares what a DICOMDIR lists with what is there."""
    work.ignored.append(str(path))
    listed = listed_files(path)
    if listed is None:
        work.remarks.append(Problem("media.directory_broken", {"name": path.name}, Severity.WARNING))
        return
    wrong = wrong_links(path)
    if wrong is not None:
        work.remarks.append(wrong)
    missing = [p for p in listed if not p.exists()]
    if missing:
        params: dict[str, str | int | float] = {"name": path.name, "missing": len(missing), "listed": len(listed)}
        work.remarks.append(Problem("media.files_missing", params, Severity.WARNING))
    if asked_for:
        for gone in missing[:10_000]:
            work.refuse(str(gone), fail("media.file_missing", next_step="dicom.next.ask_again").problem)


def _scan_zip(path: str, work: _Collector, *, sniffed: bool = False) -> bool:
    """``sniffed``: known by its first bytes only; False then for the ZIP of a program or an office document."""
    try:
        archive = open_zip(path)
    except ProblemError as error:
        work.seen += 1
        work.refuse(path, error.problem)
        return True
    with archive:
        if sniffed and is_of_a_program(archive):
            return False
        _scan_members(archive, path, work, nested=False)
    return True


def _scan_members(archive: zipfile.ZipFile, path: str, work: _Collector, *, nested: bool) -> None:
    """``path``: of the archive, or ``archive!member`` for one inside another."""
    for info in archive.infolist():
        if work.progress.cancelled():
            raise Cancelled
        if info.filename.endswith("/"):  # is_dir() fails on a member without a name
            continue
        work.seen += 1
        name = f"{path}!{info.filename}"
        if info.filename.rsplit("/", 1)[-1].lower() in _LITTER or info.filename.startswith("__MACOSX/"):
            work.ignored.append(name)
            continue
        raw: RawFile | None = None
        try:
            if info.filename[-4:].lower() == ".zip":
                check_nested(info)
            data = read_member(archive, info)
            if is_zip(data) and _scan_nested(data, info, name, work, nested):
                continue
            raw = guarded_read(fetch_from_bytes(data), len(data), HEADER_TAGS, lambda data=data: data)  # type: ignore[misc]
            if is_directory(raw):
                work.ignored.append(name)
                continue
            header = header_from_raw(raw, f"zip:{name}", len(data))
        except ProblemError as error:
            work.refuse(name, error.problem, raw)
            continue
        _accept(name, header, work, None, data)


def _scan_nested(data: bytes, info: zipfile.ZipInfo, name: str, work: _Collector, nested: bool) -> bool:
    """An archive inside an archive, one deep; False for one that is a program or a document. Raises ``ProblemError``."""
    with open_nested(data, info) as archive:
        if is_of_a_program(archive):
            return False
        if nested:
            raise fail("zip.nested_deep", kept_safe="kept.original", next_step="zip.next.unpack_it")
        work.seen -= 1
        _scan_members(archive, name, work, nested=True)
    return True


def _accept(name: str, header: FileHeader, work: _Collector, source: ByteSource | None, data: bytes | None = None) -> None:
    instance = header.instance
    work.files.append(OpenedFile(name, instance))
    first = work.tree.add(header)
    if first is None:
        return
    same = instance.size_bytes == first.size_bytes and _digest(instance, source, data) == _digest(first, source, None)
    code = "dicom.duplicate_same" if same else "dicom.duplicate_uid"
    severity = Severity.NOTE if same else Severity.WARNING
    problem = Problem(code, {}, severity, kept_safe="kept.original")
    work.duplicates.append(RefusedFile(name, problem, instance.sop_instance_uid, instance.transfer_syntax_uid))
    if not same:
        work.tree.clashes += 1


def _digest(instance: Instance, source: ByteSource | None, data: bytes | None) -> bytes:
    if data is None:
        data = (source if source is not None else FileByteSource()).read(instance.locator)
    return hashlib.sha256(data).digest()
