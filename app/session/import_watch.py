"""How far an import is, by bytes: told by the copying threads, asked by the main thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.domain.ports import Progress
from app.domain.problem import Problem

_TOLD_EVERY_S = 0.2


@dataclass
class SeriesCount:
    total_bytes: int = 0
    done_bytes: int = 0
    files: int = 0
    ended: int = 0
    refused: list[Problem] = field(default_factory=list)


class ImportWatch:
    """One import. Files are grouped by series key; ``told`` is called from any thread, a few times a second."""

    def __init__(self, files: dict[str, tuple[str, int]], told: Callable[[], None]) -> None:
        """``files``: series key and size by locator."""
        self._files = files
        self._told = told
        self._lock = threading.Lock()
        self._moved: dict[str, int] = {}
        self._next_telling = 0.0
        self._running = threading.Event()
        self._running.set()
        self._clock = time.monotonic()
        self._active_s = 0.0
        self.series: dict[str, SeriesCount] = {}
        for key, size in files.values():
            count = self.series.setdefault(key, SeriesCount())
            count.total_bytes += size
            count.files += 1
        self.total_bytes = sum(size for _, size in files.values())
        self.done_bytes = 0
        self.copied_bytes = 0
        """Of these, what was read now and not before a cut."""
        self.now = ""

    def moved(self, locator: str, size_bytes: int) -> None:
        key, size = self._files.get(locator, ("", 0))
        with self._lock:
            before = self._moved.get(locator, 0)
            step = max(0, min(size_bytes, size - before))
            self._moved[locator] = before + step
            self.done_bytes += step
            self.copied_bytes += step
            if key:
                self.series[key].done_bytes += step
            self.now = locator
        self._tell()

    def ended(self, locator: str, problem: Problem | None) -> None:
        key, size = self._files.get(locator, ("", 0))
        with self._lock:
            rest = size - self._moved.get(locator, 0)
            self._moved[locator] = size
            self.done_bytes += max(0, rest)
            if key:
                count = self.series[key]
                count.done_bytes += max(0, rest)
                count.ended += 1
                if problem is not None:
                    count.refused.append(problem)
        self._tell()

    def skip(self, keys: set[str]) -> None:
        """Series that were in the library, whole, before this run."""
        with self._lock:
            for key in keys:
                count = self.series[key]
                self.done_bytes += count.total_bytes - count.done_bytes
                count.done_bytes, count.ended = count.total_bytes, count.files

    def of_file(self, locator: str) -> tuple[int, int]:
        """(bytes moved, size)."""
        with self._lock:
            return self._moved.get(locator, 0), self._files.get(locator, ("", 0))[1]

    def _tell(self) -> None:
        now = time.monotonic()
        if now >= self._next_telling:
            self._next_telling = now + _TOLD_EVERY_S
            self._told()

    # -- pause

    def pause(self) -> None:
        if self._running.is_set():
            self._active_s += time.monotonic() - self._clock
            self._running.clear()

    def go_on(self) -> None:
        if not self._running.is_set():
            self._clock = time.monotonic()
            self._running.set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def wait(self, progress: Progress) -> None:
        """Holds a copying thread while the import is paused and not cancelled."""
        while not self._running.wait(0.1):
            if progress.cancelled():
                return

    def speed(self) -> float | None:
        """Bytes a second while it ran; None in the first moments."""
        active = self._active_s + (0.0 if self.paused else time.monotonic() - self._clock)
        return self.copied_bytes / active if active > 0.5 and self.copied_bytes else None


class PausableProgress:
    """The task's progress; asking whether it was cancelled waits while the import is paused."""

    def __init__(self, inner: Progress, watch: ImportWatch) -> None:
        self._inner = inner
        self._watch = watch

    def report(self, fraction: float, stage: str = "") -> None:
        self._inner.report(fraction, stage)

    def cancelled(self) -> bool:
        self._watch.wait(self._inner)
        return self._inner.cancelled()
