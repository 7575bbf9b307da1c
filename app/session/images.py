"""Decoded frames and volumes of what is open: asked for on the main thread, made elsewhere, kept within a byte budget."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from app.dicom.behind import behind_the_window
from app.dicom.frame_decoder import release_videos
from app.dicom.frame_pixels import frame_pixels
from app.dicom.memory_budget import MemoryBudget, shared_budget
from app.dicom.volume_builder import refusal
from app.domain.pixels import FramePixels
from app.domain.ports import ByteSource, MainLoop
from app.domain.problem import Problem, ProblemError
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Study
from app.domain.study_lookup import instances_by_uid
from app.domain.volume import Volume
from app.session.frame_feed import FrameFeed
from app.session.volume_feed import VolumeFeed

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Opened:
    study: Study
    instances: dict[str, Instance]


class Images:
    """Main thread only, but for ``now``. ``arrived`` is called there after something came."""

    def __init__(
        self,
        source: ByteSource,
        loop: MainLoop,
        arrived: Callable[[], None],
        threads: int = 2,
        budget: MemoryBudget | None = None,
        cache_bytes: int = 0,
    ) -> None:
        """``cache_bytes``: a fixed small cache of frames instead of a share of the budget, for pictures in lists."""
        self._source = source
        self._loop = loop
        self._arrived = arrived
        budget = budget or shared_budget
        self._feed = FrameFeed(source, self._post, arrived, self.instance, budget, threads, cache_bytes)
        self._volume_feed = VolumeFeed(source, self._post, arrived, budget)
        self._side_pool = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-beside", initializer=behind_the_window)
        self._slow_pool = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-slow", initializer=behind_the_window)
        self._studies: dict[str, _Opened] = {}
        self._by_uid: dict[str, Instance] = {}
        self._sets: dict[str, DisplaySet] = {}
        self._closed = False
        self._beside = 0
        self.on_settle: list[Callable[[], None]] = []
        """Each keeps what a person did and what is still being computed beside."""

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
        """The frame if it is here; else it is asked for, what the scroll of the display set comes to next after it."""
        return self._feed.frame(ref, display_set)

    def is_here(self, ref: FrameRef) -> bool:
        """Decoded, or known to have no picture: a cine waits for neither."""
        return self._feed.is_here(ref)

    def ask_ahead(self, refs: Iterable[FrameRef]) -> None:
        """Frames that will be wanted soon, in this order; those on screen go before them."""
        self._feed.ask_ahead(refs)

    def showing(self, refs: Iterable[FrameRef], display_set_ids: Iterable[str]) -> None:
        """What is on screen: it is never given up for something else."""
        self._feed.showing(refs)
        self._volume_feed.showing(display_set_ids)

    def problem(self, ref: FrameRef) -> Problem | None:
        return self._feed.problem(ref)

    def now(self, ref: FrameRef) -> FramePixels:
        """Decodes on the calling thread, without the cache. Raises ``ProblemError``; ``KeyError`` for an unknown image."""
        return frame_pixels(self._by_uid[ref.sop_instance_uid], ref.frame, self._source)

    # -- volumes ---------------------------------------------------------------------------------------------------

    def volume(self, display_set_id: str) -> Volume | None:
        """The volume if it is here; else it is being built, or ``volume_problem`` says why it cannot be."""
        chosen = self._sets[display_set_id]
        study = self._studies[chosen.study_instance_uid].study
        return self._volume_feed.get(study, chosen, self.can_be_volume(chosen))

    def volume_if_here(self, display_set_id: str) -> Volume | None:
        """Without asking for it."""
        return self._volume_feed.if_here(display_set_id)

    def volume_problem(self, display_set_id: str) -> Problem | None:
        return self._volume_feed.problem(display_set_id)

    def volume_refusal(self, display_set: DisplaySet) -> Problem | None:
        """Why a set cannot be a volume, as far as its headers tell; what was found while one was built goes before."""
        known = self._volume_feed.problem(display_set.display_set_id)
        if known is not None or self._volume_feed.if_here(display_set.display_set_id) is not None:
            return known
        study = self._studies[display_set.study_instance_uid].study
        return refusal(study, display_set, self._source)

    def volume_fraction(self, display_set_id: str) -> float:
        return self._volume_feed.fraction(display_set_id)

    def can_be_volume(self, display_set: DisplaySet) -> bool:
        return display_set.kind is DisplaySetKind.STACK and len(display_set.frames) > 2

    # -- other work ------------------------------------------------------------------------------------------------

    def beside(self, work: Callable[[], T | None], came: Callable[[T | None], None], slow: bool = False) -> None:
        """Runs ``work`` on a decode thread; its result, or None when the images would not do, comes on the main thread.

        ``slow``: seconds rather than milliseconds (a registration); such work waits for its like only.
        """

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
            (self._slow_pool if slow else self._side_pool).submit(run)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _post(self, call: Callable[[], None]) -> None:
        if not self._closed:
            self._loop.post(call)

    def settle(self) -> None:
        """What was let go of is kept now, however long it takes: before an undo, before the end."""
        for keep in self.on_settle:
            keep()

    def busy(self) -> bool:
        return bool(self._feed.busy() or self._volume_feed.busy() or self._beside)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self.settle()
        self._closed = True
        self._feed.close()
        self._side_pool.shutdown(wait=True, cancel_futures=True)
        self._slow_pool.shutdown(wait=True, cancel_futures=True)
        self._volume_feed.close()
        release_videos()
