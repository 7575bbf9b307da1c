"""Why did it not open: files that were refused or mended, held against the standard. Main thread; reading runs beside."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.dicom.byte_source import FileByteSource, RoutedByteSource, file_locator
from app.dicom.examine import EXACT, REFUSED, REPAIRED, Examination, examine
from app.dicom.sample_export import Sample, sample_of
from app.domain.ports import ByteSource, MainLoop
from app.domain.problem import Problem, ProblemError, fail
from app.domain.study import RefusedFile, Study

_log = logging.getLogger(__name__)
_KEPT = 6
"""Examinations that stay at hand."""


@dataclass(frozen=True)
class ExplorerFile:
    """A line of the explorer's list. ``key`` is its locator."""

    key: str
    name: str
    detail: str
    """Folder, or series and modality."""
    state: str
    """exact, repaired or refused, as far as it is known before the file is examined."""
    problem: Problem | None = None


def of_refused(refused: Sequence[RefusedFile]) -> tuple[ExplorerFile, ...]:
    """Files that an import refused; ZIP members are named as ``archive.zip!member``."""
    out = []
    for item in refused:
        archive = item.path.lower().find(".zip!")
        if item.path.startswith("object:"):
            locator = item.path
        else:
            locator = f"zip:{item.path}" if archive >= 0 else file_locator(item.path)
        name = item.path.rsplit("!", 1)[-1].rsplit("/", 1)[-1] or item.path
        parent = item.path[: len(item.path) - len(name)].rstrip("/!")
        out.append(ExplorerFile(locator, name, parent.rsplit("/", 1)[-1], REFUSED, item.problem))
    return tuple(out)


def of_study(
    study: Study, series_instance_uid: str = "", sop_instance_uids: frozenset[str] = frozenset()
) -> tuple[ExplorerFile, ...]:
    """Objects of a study (of one series or display set where named), those that were mended first."""
    found = []
    for series in study.series:
        if series_instance_uid and series.series_instance_uid != series_instance_uid:
            continue
        for instance in series.instances:
            if sop_instance_uids and instance.sop_instance_uid not in sop_instance_uids:
                continue
            number = "" if series.series_number is None else f"{series.series_number} · "
            title = instance.document_title or (
                f"#{instance.instance_number}" if instance.instance_number is not None else instance.sop_instance_uid[-12:]
            )
            found.append(
                ExplorerFile(
                    instance.locator,
                    f"{series.modality} {title}",
                    f"{number}{series.description or series.modality}",
                    REPAIRED if instance.repairs else EXACT,
                    instance.repairs[0] if instance.repairs else None,
                )
            )
    return tuple(sorted(found, key=lambda f: f.state != REPAIRED))


class Explorer:
    """Examines one file at a time; the newest wish counts. ``came(key, examination, problem)`` comes on the main thread."""

    def __init__(self, objects: ByteSource, loop: MainLoop) -> None:
        plain = FileByteSource()
        self._source: ByteSource = RoutedByteSource({"file": plain, "zip": plain, "object": objects})
        self._loop = loop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-explorer")
        self._kept: OrderedDict[str, Examination] = OrderedDict()
        self._wanted = ""
        self._busy = 0
        self._closed = False

    def busy(self) -> bool:
        return self._busy > 0

    @property
    def source(self) -> ByteSource:
        return self._source

    def look_at(self, file: ExplorerFile, came: Callable[[str, Examination | None, Problem | None], None]) -> None:
        """Examines a file; what is known already comes at once."""
        self._wanted = file.key
        kept = self._kept.get(file.key)
        if kept is not None:
            came(file.key, kept, None)
            return
        told = file.problem if file.state == REFUSED else None

        def run() -> None:
            found: Examination | None = None
            problem: Problem | None = None
            if self._wanted == file.key and not self._closed:
                try:
                    found = examine(file.key, self._source, file.name, told)
                except ProblemError as error:
                    problem = error.problem
                except Exception as error:  # bytes that we do not know: the list stays, the reason is named
                    _log.exception("a file could not be examined")
                    problem = Problem("explorer.failed", {"kind": type(error).__name__}, kept_safe="kept.original")
            self._loop.post(lambda: ended(found, problem))

        def ended(found: Examination | None, problem: Problem | None) -> None:
            self._busy -= 1
            if self._closed or (found is None and problem is None):
                return
            if found is not None:
                self._kept[file.key] = found
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            came(file.key, found, problem)

        self._busy += 1
        self._pool.submit(run)

    def write_sample(self, key: str, target: Path, noise: bool) -> Sample:
        """Writes a sample without identity of the file ``key`` to ``target``; an existing file is replaced whole.

        Raises ``explorer.nothing_to_export`` or ``explorer.cannot_write``.
        """
        sample = sample_of(self._source.read(key), noise)
        part = target.with_name(f".{target.name}.part")
        try:
            part.write_bytes(sample.data)
            part.replace(target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise fail("explorer.cannot_write", kept_safe="kept.original") from error
        return sample

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)


def of_path(path: Path) -> ExplorerFile:
    """A file on the disk."""
    return ExplorerFile(file_locator(path), path.name, path.parent.name, EXACT)
