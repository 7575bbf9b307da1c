"""Frames decoded in threads: what is visible first, then its neighbours, then what may be wanted next; cancelled by key."""

from __future__ import annotations

import heapq
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from app.dicom.behind import behind_the_window
from app.dicom.frame_pixels import frame_pixels
from app.dicom.pixel_cache import PixelCache
from app.domain.pixels import FramePixels
from app.domain.ports import ByteSource
from app.domain.problem import Problem, ProblemError
from app.domain.study import FrameRef, Instance

Done = Callable[[FrameRef, FramePixels | None, Problem | None], None]
"""Called on a pool thread with the frame or the reason why there is none; hand over through ``MainLoop.post``."""

_log = logging.getLogger(__name__)


class Priority(IntEnum):
    VISIBLE = 0
    NEIGHBOUR = 1
    PREFETCH = 2


@dataclass
class _Job:
    key: FrameRef
    instance: Instance
    priority: Priority
    ticket: int
    waiting: list[Done] = field(default_factory=list)
    running: bool = False
    cancelled: bool = False


class FramePool:
    """Decodes through a cache. One job per frame, however often it is asked for."""

    def __init__(
        self,
        source: ByteSource,
        cache: PixelCache,
        threads: int | None = None,
        load: Callable[[Instance, int, ByteSource], FramePixels] = frame_pixels,
        calm_s: float = 0.0,
    ) -> None:
        """``calm_s``: so long only what is visible is decoded; the rest would keep a window that opens from its turn."""
        self._calm_until_s = time.monotonic() + calm_s
        self._source = source
        self._cache = cache
        self._load = load
        self._ready = threading.Condition()
        self._heap: list[tuple[int, int, _Job]] = []
        self._jobs: dict[FrameRef, _Job] = {}
        self._ticket = 0
        self._closed = False
        count = threads if threads is not None else max(1, min(8, (os.cpu_count() or 2)))
        self._threads = [threading.Thread(target=self._work, name=f"decode-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def request(self, instance: Instance, frame: int, priority: Priority, done: Done) -> None:
        """Asks for a frame. A frame in the cache is handed out at once, in the caller's thread.

        Among visible frames the newest request runs first; neighbours and prefetched ones keep their order. A second request
        raises the priority of the first.
        """
        key = FrameRef(instance.sop_instance_uid, frame)
        found = self._cache.get(key)
        if found is not None:
            done(key, found, None)
            return
        with self._ready:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._ticket += 1
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job(key, instance, priority, self._ticket)
            job.waiting.append(done)
            if not job.running:
                job.priority = min(job.priority, priority)
                self._push(job)
            self._ready.notify()

    def cancel(self, keys: Iterable[FrameRef]) -> None:
        """Jobs that have not begun are dropped without a call back; those that run end into the cache only."""
        with self._ready:
            for key in keys:
                self._drop(key)

    def cancel_all_but(
        self, keys: Iterable[FrameRef], first: Priority = Priority.NEIGHBOUR, last: Priority = Priority.PREFETCH
    ) -> set[FrameRef]:
        """Drops waiting jobs of priorities ``first`` to ``last`` that are not among ``keys``: the reader scrolled on.

        Returns the frames whose requests ended thereby without a call back. A frame that is being decoded is not dropped.
        """
        kept = set(keys)
        gone = set()
        with self._ready:
            for key, job in list(self._jobs.items()):
                if first <= job.priority <= last and key not in kept and not job.running:
                    self._drop(key)
                    gone.add(key)
        return gone

    def waiting(self) -> int:
        with self._ready:
            return sum(not j.running for j in self._jobs.values())

    def close(self) -> None:
        """Drops what waits and joins the threads."""
        with self._ready:
            self._closed = True
            for key in list(self._jobs):
                self._drop(key)
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def _drop(self, key: FrameRef) -> None:
        job = self._jobs.get(key)
        if job is None:
            return
        job.cancelled = True
        job.waiting.clear()
        del self._jobs[key]

    def _push(self, job: _Job) -> None:
        order = -self._ticket if job.priority is Priority.VISIBLE else job.ticket
        heapq.heappush(self._heap, (job.priority * (1 << 62) + order, self._ticket, job))

    def _work(self) -> None:
        behind_the_window()
        while True:
            job = self._next()
            if job is None:
                return
            frame: FramePixels | None = None
            problem: Problem | None = None
            try:
                frame = self._load(job.instance, job.key.frame, self._source)
                self._cache.put(job.key, frame)
            except ProblemError as error:
                problem = error.problem
            except MemoryError:
                problem = Problem("dicom.too_large", kept_safe="kept.original")
            except Exception:  # a fault of ours must cost one frame, not the pool
                _log.exception("a frame could not be decoded")
                problem = Problem("dicom.decoder_died", kept_safe="kept.original")
            with self._ready:
                waiting = list(job.waiting)
                if self._jobs.get(job.key) is job:
                    del self._jobs[job.key]
            for done in waiting:
                try:
                    done(job.key, frame, problem)
                except Exception:
                    _log.exception("a receiver of frames failed")

    def _next(self) -> _Job | None:
        with self._ready:
            while True:
                while self._heap:
                    early_s = self._calm_until_s - time.monotonic()
                    if early_s > 0 and self._heap[0][0] > Priority.VISIBLE and not self._closed:
                        self._ready.wait(early_s)
                        continue
                    _, _, job = heapq.heappop(self._heap)
                    if not job.cancelled and not job.running:
                        job.running = True
                        return job
                if self._closed:
                    return None
                self._ready.wait()
