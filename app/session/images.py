"""Decoded frames and volumes of what is open: asked for on the main thread, made elsewhere, kept within a byte budget."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from app.dicom.frame_pixels import frame_pixels
from app.dicom.frame_pool import FramePool, Priority
from app.dicom.pixel_cache import PixelCache
from app.dicom.volume_builder import build_volume
from app.domain.pixels import FramePixels
from app.domain.ports import ByteSource, Cancelled, MainLoop
from app.domain.problem import Problem, ProblemError
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Study
from app.domain.study_lookup import instances_by_uid
from app.domain.volume import Volume

T = TypeVar("T")
_log = logging.getLogger(__name__)
_FRAME_BUDGET_BYTES = 768 << 20
_NEIGHBOURS = 3


@dataclass(frozen=True, eq=False)
class _Opened:
    study: Study
    instances: dict[str, Instance]


class _Stop:
    """Progress of a volume: only its cancel flag matters here."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.fraction = 0.0

    def report(self, fraction: float, stage: str = "") -> None:
        del stage
        self.fraction = fraction

    def cancelled(self) -> bool:
        return self.event.is_set()


class Images:
    """Main thread only, but for ``now`` and ``volume_now``. ``arrived`` is called there after something came."""

    def __init__(self, source: ByteSource, loop: MainLoop, arrived: Callable[[], None], threads: int = 2) -> None:
        self._source = source
        self._loop = loop
        self._arrived = arrived
        self._cache = PixelCache(_FRAME_BUDGET_BYTES)
        self._pool = FramePool(source, self._cache, threads)
        self._side_pool = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-beside")
        self._volumes_pool = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-volume")
        self._studies: dict[str, _Opened] = {}
        self._by_uid: dict[str, Instance] = {}
        self._sets: dict[str, DisplaySet] = {}
        self._wanted: set[FrameRef] = set()
        self._problems: dict[FrameRef, Problem] = {}
        self._volumes: dict[str, Volume] = {}
        self._volume_problems: dict[str, Problem] = {}
        self._building: dict[str, _Stop] = {}
        self._closed = False
        self._beside = 0

    def add(self, study: Study, sets: tuple[DisplaySet, ...]) -> None:
        """Makes a study's images available."""
        opened = _Opened(study, instances_by_uid(study))
        self._studies[study.study_instance_uid] = opened
        self._by_uid.update(opened.instances)
        self._sets.update({s.display_set_id: s for s in sets})

    def instance(self, sop_instance_uid: str) -> Instance | None:
        return self._by_uid.get(sop_instance_uid)

    # -- frames ----------------------------------------------------------------------------------------------------

    def frame(self, ref: FrameRef, display_set: DisplaySet | None = None) -> FramePixels | None:
        """The frame if it is here; else it is asked for, its neighbours in the display set after it."""
        found = self._cache.get(ref)
        if found is None:
            self._want(ref, Priority.VISIBLE)
        if display_set is not None:
            at = display_set.frames.index(ref)
            for step in range(1, _NEIGHBOURS + 1):
                for near in (at + step, at - step):
                    if 0 <= near < len(display_set.frames) and display_set.frames[near] not in self._cache:
                        self._want(display_set.frames[near], Priority.NEIGHBOUR)
        return found

    def is_here(self, ref: FrameRef) -> bool:
        """Decoded, or known to have no picture: a cine waits for neither."""
        return ref in self._cache or ref in self._problems

    def ask_ahead(self, refs: Iterable[FrameRef]) -> None:
        """Frames that will be wanted soon, in this order; those on screen go before them."""
        for ref in refs:
            if ref not in self._cache:
                self._want(ref, Priority.NEIGHBOUR)

    def problem(self, ref: FrameRef) -> Problem | None:
        return self._problems.get(ref)

    def now(self, ref: FrameRef) -> FramePixels:
        """Decodes on the calling thread, without the cache. Raises ``ProblemError``; ``KeyError`` for an unknown image."""
        return frame_pixels(self._by_uid[ref.sop_instance_uid], ref.frame, self._source)

    def _want(self, ref: FrameRef, priority: Priority) -> None:
        instance = self._by_uid.get(ref.sop_instance_uid)
        if ref in self._problems or self._closed or instance is None:
            return
        if ref in self._wanted:
            if priority is not Priority.VISIBLE:
                return
        else:
            self._wanted.add(ref)

        def done(key: FrameRef, frame: FramePixels | None, problem: Problem | None) -> None:
            del frame  # it lies in the cache
            self._post(lambda: self._came(key, problem))

        self._pool.request(instance, ref.frame, priority, done)

    def _came(self, ref: FrameRef, problem: Problem | None) -> None:
        self._wanted.discard(ref)
        if problem is not None:
            self._problems[ref] = problem
        self._arrived()

    # -- volumes ---------------------------------------------------------------------------------------------------

    def volume(self, display_set_id: str) -> Volume | None:
        """The volume if it is here; else it is being built, or ``volume_problem`` says why it cannot be."""
        found = self._volumes.get(display_set_id)
        if found is None and display_set_id not in self._building and display_set_id not in self._volume_problems:
            self._build(display_set_id)
        return found

    def volume_if_here(self, display_set_id: str) -> Volume | None:
        """Without asking for it."""
        return self._volumes.get(display_set_id)

    def volume_problem(self, display_set_id: str) -> Problem | None:
        return self._volume_problems.get(display_set_id)

    def volume_fraction(self, display_set_id: str) -> float:
        building = self._building.get(display_set_id)
        return building.fraction if building else 0.0

    def can_be_volume(self, display_set: DisplaySet) -> bool:
        return display_set.kind is DisplaySetKind.STACK and len(display_set.frames) > 2

    def volume_now(self, display_set_id: str) -> Volume:
        """Builds on the calling thread. Raises ``ProblemError`` when the slices make no volume."""
        return self._built(display_set_id, _Stop())

    def _built(self, display_set_id: str, progress: _Stop) -> Volume:
        chosen = self._sets[display_set_id]
        return build_volume(self._studies[chosen.study_instance_uid].study, chosen, self._source, progress=progress)

    def _build(self, display_set_id: str) -> None:
        if self._closed or not self.can_be_volume(self._sets[display_set_id]):
            return
        progress = self._building[display_set_id] = _Stop()

        def build() -> None:
            try:
                volume = self._built(display_set_id, progress)
            except Cancelled:
                return
            except ProblemError as error:
                problem = error.problem
                self._post(lambda: self._volume_failed(display_set_id, problem))
            except MemoryError:
                self._post(lambda: self._volume_failed(display_set_id, Problem("images.volume_out_of_memory")))
            except Exception as error:  # a bug of ours: the pane names it instead of loading for ever
                _log.exception("a volume could not be built")
                broken = Problem("images.volume_failed", {"kind": type(error).__name__})
                self._post(lambda: self._volume_failed(display_set_id, broken))
            else:
                self._post(lambda: self._volume_came(display_set_id, volume))

        self._volumes_pool.submit(build)

    def _volume_came(self, display_set_id: str, volume: Volume) -> None:
        self._building.pop(display_set_id, None)
        self._volumes[display_set_id] = volume
        self._arrived()

    def _volume_failed(self, display_set_id: str, problem: Problem) -> None:
        self._building.pop(display_set_id, None)
        self._volume_problems[display_set_id] = problem
        self._arrived()

    # -- other work ------------------------------------------------------------------------------------------------

    def beside(self, work: Callable[[], T | None], came: Callable[[T | None], None]) -> None:
        """Runs ``work`` on a decode thread; its result, or None when the images would not do, comes on the main thread."""

        def run() -> None:
            result: T | None = None
            try:
                result = work()
            except ProblemError as error:
                _log.info("a picture could not be made: %s", error.problem.code)
            except Exception:
                _log.exception("a picture could not be made")
            self._post(lambda: ended(result))

        def ended(result: T | None) -> None:
            self._beside -= 1
            came(result)

        if not self._closed:
            self._beside += 1
            self._side_pool.submit(run)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _post(self, call: Callable[[], None]) -> None:
        if not self._closed:
            self._loop.post(call)

    def busy(self) -> bool:
        return bool(self._wanted or self._building or self._beside)

    def close(self) -> None:
        self._closed = True
        for progress in self._building.values():
            progress.event.set()
        self._pool.close()
        self._side_pool.shutdown(wait=True, cancel_futures=True)
        self._volumes_pool.shutdown(wait=True, cancel_futures=True)
        self._cache.clear()
        self._volumes.clear()
