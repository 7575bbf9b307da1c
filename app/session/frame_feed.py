"""Frames of what is open: what is on screen first, then what the scroll comes to, then the rest of short stacks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.dicom.behind import FIRST_PICTURES_S
from app.dicom.frame_pixels import frame_pixels
from app.dicom.frame_pool import FramePool, Priority
from app.dicom.memory_budget import MemoryBudget
from app.dicom.pixel_cache import PixelCache
from app.domain.pixels import FramePixels
from app.domain.ports import ByteSource
from app.domain.problem import Problem
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance
from app.viewer.pyramid import prepare_for

_AHEAD, _BEHIND, _AT_REST = 10, 2, 3
_JUMP = 24
"""A move of more frames says nothing about the direction."""
_RECENT = 24
_WINDOW_OF_CACHE = 0.35
_WHOLE_OF_CACHE = 0.6
"""Stacks are fetched as a whole while all of them together stay below this part of the cache."""
_REST_AT_ONCE = 8
_LARGE_SIDE, _USUAL_PANE = 1536, 1000
"""Pixels: films above the one are shown smaller than they are in panes of about the other."""


def _load(instance: Instance, frame: int, source: ByteSource) -> FramePixels:
    """Decodes, and makes the level of a large film ahead, so that the first paint does not wait for it."""
    found = frame_pixels(instance, frame, source)
    longest = max(found.values.shape[:2])
    if longest > _LARGE_SIDE:
        prepare_for(found, _USUAL_PANE / longest)
    return found


@dataclass
class _Scroll:
    """How a display set is being scrolled."""

    places: dict[FrameRef, int]
    frame_bytes: int
    at: int = -1
    direction: int = 0
    window: tuple[FrameRef, ...] = ()


class FrameFeed:
    """Main thread only. ``arrived`` is called there after a frame or its problem came."""

    def __init__(
        self,
        source: ByteSource,
        post: Callable[[Callable[[], None]], None],
        arrived: Callable[[], None],
        instance: Callable[[str], Instance | None],
        budget: MemoryBudget,
        threads: int,
        cache_bytes: int = 0,
    ) -> None:
        """``cache_bytes``: a fixed small cache instead of a share of the budget, for pictures in lists."""
        self._post = post
        self._arrived = arrived
        self._instance = instance
        self._cache = PixelCache()
        self._release: Callable[[], None] = lambda: None
        if cache_bytes:
            self._cache.limit(cache_bytes)
        else:
            self._release = budget.hold("frames", self._cache.limit)
        self._pool = FramePool(source, self._cache, threads, _load, FIRST_PICTURES_S)
        self._wanted: set[FrameRef] = set()
        self._problems: dict[FrameRef, Problem] = {}
        self._scrolls: dict[str, _Scroll] = {}
        self._recent: deque[FrameRef] = deque(maxlen=_RECENT)
        self._ahead: tuple[FrameRef, ...] = ()
        self._shown: tuple[FrameRef, ...] = ()
        self._rest: deque[FrameRef] = deque()
        self._planned: set[FrameRef] = set()
        self._rest_bytes = 0
        self._rest_asked: set[FrameRef] = set()
        self._closed = False

    def frame(self, ref: FrameRef, display_set: DisplaySet | None = None) -> FramePixels | None:
        """The frame if it is here; else it is asked for. What the scroll comes to next is asked for after it."""
        found = self._cache.get(ref)
        if found is None:
            self._want(ref, Priority.VISIBLE)
        if ref not in self._recent:
            self._recent.append(ref)
        if display_set is not None:
            self._follow(ref, display_set)
        return found

    def is_here(self, ref: FrameRef) -> bool:
        """Decoded, or known to have no picture: a cine waits for neither."""
        return ref in self._cache or ref in self._problems

    def ask_ahead(self, refs: Iterable[FrameRef]) -> None:
        """Frames that will be wanted soon, in this order; those on screen go before them."""
        self._ahead = tuple(refs)
        for ref in self._ahead:
            if ref not in self._cache:
                self._want(ref, Priority.NEIGHBOUR)

    def showing(self, refs: Iterable[FrameRef]) -> None:
        """These frames are on screen: they are never thrown out, whatever else comes."""
        shown = tuple(refs)
        if shown != self._shown:
            self._shown = shown
            self._cache.pin(shown)

    def problem(self, ref: FrameRef) -> Problem | None:
        return self._problems.get(ref)

    def busy(self) -> bool:
        return bool(self._wanted)

    def close(self) -> None:
        self._closed = True
        self._pool.close()
        self._cache.clear()
        self._release()

    @property
    def used_bytes(self) -> int:
        return self._cache.used_bytes

    # -- what comes next -------------------------------------------------------------------------------------------

    def _follow(self, ref: FrameRef, display_set: DisplaySet) -> None:
        scroll = self._scrolls.get(display_set.display_set_id)
        if scroll is None:
            scroll = _Scroll({f: n for n, f in enumerate(display_set.frames)}, self._frame_bytes(ref))
            self._scrolls[display_set.display_set_id] = scroll
            if display_set.kind is DisplaySetKind.STACK:
                self._plan_rest(ref, display_set, scroll)
        at = scroll.places.get(ref)
        if at is None or at == scroll.at:
            return
        moved = at - scroll.at
        scroll.direction = (moved > 0) - (moved < 0) if scroll.at >= 0 and abs(moved) <= _JUMP else 0
        scroll.at = at
        scroll.window = self._window(at, scroll, display_set)
        self._drop_stale()
        for near in scroll.window:
            if near not in self._cache:
                self._want(near, Priority.NEIGHBOUR)
        self._fetch_rest()

    def _window(self, at: int, scroll: _Scroll, display_set: DisplaySet) -> tuple[FrameRef, ...]:
        """The next frames, nearest first: mostly in the direction of the scroll, no more than the cache can hold."""
        if scroll.direction:
            steps = [scroll.direction * n for n in range(1, _AHEAD + 1)]
            steps[2:2] = [-scroll.direction * n for n in range(1, _BEHIND + 1)]
        else:
            steps = [side * n for n in range(1, _AT_REST + 1) for side in (1, -1)]
        most = int(self._cache.budget_bytes * _WINDOW_OF_CACHE / max(scroll.frame_bytes, 1))
        places = [at + s for s in steps if 0 <= at + s < len(display_set.frames)]
        return tuple(display_set.frames[n] for n in places[: max(most, 1)])

    def _drop_stale(self) -> None:
        """What was passed by is not decoded any more."""
        kept = {*self._recent, *self._ahead, *self._shown, *(f for s in self._scrolls.values() for f in s.window)}
        gone = self._pool.cancel_all_but(kept, Priority.VISIBLE, Priority.NEIGHBOUR)
        self._wanted -= gone
        # Those of a stack that comes as a whole come later.
        self._rest.extend(gone & self._planned)
        self._rest_asked -= gone

    def _frame_bytes(self, ref: FrameRef) -> int:
        instance = self._instance(ref.sop_instance_uid)
        fmt = instance.pixel_format if instance is not None else None
        return fmt.rows * fmt.columns * fmt.samples_per_pixel * max(2, fmt.bits_allocated // 8) if fmt is not None else 0

    def _plan_rest(self, ref: FrameRef, display_set: DisplaySet, scroll: _Scroll) -> None:
        """A stack that fits comes as a whole, outwards from where the reader is, while nothing else is wanted."""
        size = scroll.frame_bytes * len(display_set.frames)
        if self._rest_bytes + size > self._cache.budget_bytes * _WHOLE_OF_CACHE:
            return
        self._rest_bytes += size
        at = scroll.places.get(ref, 0)
        self._planned.update(display_set.frames)
        self._rest.extend(sorted(display_set.frames, key=lambda f: abs(scroll.places[f] - at)))
        self._fetch_rest()

    def _fetch_rest(self) -> None:
        while self._rest and len(self._rest_asked) < _REST_AT_ONCE and not self._closed:
            ref = self._rest.popleft()
            if ref not in self._cache and ref not in self._wanted and self._want(ref, Priority.PREFETCH):
                self._rest_asked.add(ref)

    # -- asking and coming -----------------------------------------------------------------------------------------

    def _want(self, ref: FrameRef, priority: Priority) -> bool:
        instance = self._instance(ref.sop_instance_uid)
        if ref in self._problems or self._closed or instance is None:
            return False
        if ref in self._wanted:
            if priority is not Priority.VISIBLE:
                return False
        else:
            self._wanted.add(ref)

        def done(key: FrameRef, frame: FramePixels | None, problem: Problem | None) -> None:
            del frame  # it lies in the cache
            self._post(lambda: self._came(key, problem))

        self._pool.request(instance, ref.frame, priority, done)
        return True

    def _came(self, ref: FrameRef, problem: Problem | None) -> None:
        self._wanted.discard(ref)
        rest = ref in self._rest_asked
        if problem is not None:
            self._problems[ref] = problem
        self._rest_asked.discard(ref)
        self._fetch_rest()
        # A frame that nobody looks at yet changes no picture.
        if not rest or ref in self._shown or ref in self._recent or not self._wanted:
            self._arrived()
