"""Why did it not open: files that were refused or mended, held against the standard. Main thread; reading runs beside."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.dicom.byte_source import FileByteSource, RoutedByteSource, file_locator, locator_of
from app.dicom.examine import EXACT, REFUSED, REPAIRED, Examination, examine
from app.dicom.sample_export import Sample, sample_of
from app.domain.ports import ByteSource, Cancelled, MainLoop, Progress, SilentProgress
from app.domain.problem import Problem, ProblemError, fail
from app.domain.study import RefusedFile, Study
from app.session.importing import Share
from app.session.repair_copy import RepairDesk
from app.session.tasks import TaskRunner
from app.session.views import Words

_log = logging.getLogger(__name__)
_SEPARATORS = re.compile(r"[/\\]")
"""Of folders, on every system."""
_PIECE = 8 << 20
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
    """Files that an import refused; members of archives are named as ``archive!member``."""
    out = []
    for item in refused:
        locator = locator_of(item.path)
        inside = item.path.replace("!", "/") if locator.startswith("zip:") else item.path
        parts = [p for p in _SEPARATORS.split(inside) if p]
        name = parts[-1] if parts else item.path
        parent = parts[-2] if len(parts) > 1 else ""
        out.append(ExplorerFile(locator, name, parent, REFUSED, item.problem))
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

    def __init__(self, objects: ByteSource, loop: MainLoop, tasks: TaskRunner, repairs: RepairDesk | None = None) -> None:
        plain = FileByteSource()
        self._source: ByteSource = RoutedByteSource({"file": plain, "zip": plain, "object": objects})
        self._loop = loop
        self._tasks = tasks
        self.repairs = repairs
        """Where copies are repaired; None without a library."""
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

    def start_sample(
        self, key: str, target: Path, noise: bool, done: Callable[[Sample], None], failed: Callable[[Problem], None]
    ) -> str:
        """``write_sample`` as a task with progress and cancel; returns its id. The answers come on the main thread."""
        return self._tasks.start(
            Words("task.sample", {"what": target.name}),
            lambda progress: self.write_sample(key, target, noise, progress),
            done,
            failed,
        )

    def write_sample(self, key: str, target: Path, noise: bool, progress: Progress | None = None) -> Sample:
        """Writes a sample without identity of the file ``key`` to ``target``; an existing file is replaced whole.

        Any thread: a large object takes its time. Raises ``explorer.nothing_to_export``, ``explorer.cannot_write`` and
        ``Cancelled`` (nothing is left of the target then).
        """
        progress = progress if progress is not None else SilentProgress()
        data = self._read(key, Share(progress, 0.0, 0.4))
        sample = sample_of(data, noise, Share(progress, 0.4, 0.3))
        part = target.with_name(f".{target.name}.part")
        try:
            with open(part, "wb") as stream:
                for start in range(0, len(sample.data), _PIECE):
                    _go_on(progress, 0.7 + 0.3 * start / len(sample.data))
                    stream.write(memoryview(sample.data)[start : start + _PIECE])
            part.replace(target)
        except OSError as error:
            raise fail("explorer.cannot_write", kept_safe="kept.original") from error
        finally:
            part.unlink(missing_ok=True)
        return sample

    def _read(self, key: str, progress: Progress) -> bytearray:
        """In pieces, so that a cancel does not wait for the whole."""
        path = self._source.plain_path(key)
        size = path.stat().st_size if path is not None and path.is_file() else 0
        data = bytearray()
        while True:
            _go_on(progress, len(data) / size if size else 0.0)
            part = self._source.read_range(key, len(data), _PIECE)
            data += part
            if len(part) < _PIECE:
                return data

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)


def _go_on(progress: Progress, fraction: float) -> None:
    if progress.cancelled():
        raise Cancelled
    progress.report(min(1.0, fraction), "explorer.stage.sample")


def of_path(path: Path) -> ExplorerFile:
    """A file on the disk."""
    return ExplorerFile(file_locator(path), path.name, path.parent.name, EXACT)
