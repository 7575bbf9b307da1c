"""Rendering elsewhere: frozen requests, the newest of each pane wins, a failed one counts as finished. No Qt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.domain.problem import Problem, ProblemError
from app.viewer.compositor import Picture, SampleCache, render
from app.viewer.layers import Layer
from app.viewer.view_state import Size, ViewState


@dataclass(frozen=True, eq=False)
class RenderRequest:
    pane_id: str
    serial: int
    view: ViewState
    layers: tuple[Layer, ...]
    size: Size
    draft: bool = False


@dataclass(frozen=True, eq=False)
class RenderResult:
    """``picture`` or ``problem``; show it only while ``serial`` is the last one asked for by that pane."""

    request: RenderRequest
    picture: Picture | None
    problem: Problem | None = None

    @property
    def pane_id(self) -> str:
        return self.request.pane_id

    @property
    def serial(self) -> int:
        return self.request.serial


def perform(request: RenderRequest, cache: SampleCache | None = None) -> RenderResult:
    """Pure; safe on any thread. Errors become a problem, so that no pane says "loading" for ever."""
    try:
        return RenderResult(request, render(request.view, request.layers, request.size, cache, request.draft))
    except ProblemError as error:
        return RenderResult(request, None, error.problem)
    except MemoryError:
        return RenderResult(request, None, Problem("viewer.render_out_of_memory"))
    except Exception as error:  # a bug of ours must reach the pane by name, not end a thread in silence
        return RenderResult(request, None, Problem("viewer.render_failed", {"kind": type(error).__name__}))


class Renderer:
    """A few threads. ``done`` is called on a render thread: hand the result to the main thread there (``MainLoop.post``).

    Requests of a pane that were superseded before they started are dropped without a result; one that is running is
    finished and delivered, and the receiver compares the serial.
    """

    def __init__(self, done: Callable[[RenderResult], None], threads: int = 2) -> None:
        self._done = done
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="render")
        self._waiting: dict[str, RenderRequest] = {}
        self._busy: set[str] = set()
        self._caches: dict[str, SampleCache] = {}
        self._idle = threading.Condition()
        self._closed = False

    def submit(self, request: RenderRequest) -> None:
        """Replaces what the pane was waiting for. Does nothing after ``close``."""
        with self._idle:
            if self._closed:
                return
            self._waiting[request.pane_id] = request
            if request.pane_id in self._busy:
                return
            self._busy.add(request.pane_id)
        self._pool.submit(self._work, request.pane_id)

    def forget(self, pane_id: str) -> None:
        """The pane is gone: its waiting request and its samples are dropped."""
        with self._idle:
            self._waiting.pop(pane_id, None)
            self._caches.pop(pane_id, None)

    def wait_until_idle(self, timeout_s: float = 10.0) -> bool:
        """True when nothing waits or runs; for tests and pictures."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy and not self._waiting, timeout_s)

    def close(self) -> None:
        with self._idle:
            self._closed = True
            self._waiting.clear()
        self._pool.shutdown(wait=True)

    def _work(self, pane_id: str) -> None:
        while True:
            with self._idle:
                request = self._waiting.pop(pane_id, None)
                if request is None:
                    self._busy.discard(pane_id)
                    self._idle.notify_all()
                    return
                cache = self._caches.setdefault(pane_id, SampleCache())
            result = perform(request, cache)
            try:
                self._done(result)
            except Exception:
                with self._idle:
                    self._busy.discard(pane_id)
                    self._idle.notify_all()
                raise
