"""Which panes are playing, and what each of them shows next. Main thread only; the window's timer calls ``tick``."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from app.domain.study import DisplaySet, DisplaySetKind, FrameRef
from app.session.images import Images
from app.session.panes import PaneState
from app.viewer.cine import CineClock, CineTiming, latest_ready, next_speed, timing_of
from app.viewer.pane_info import CineInfo
from app.viewer.view_state import Plane, ViewState

AHEAD = 12
"""Frames asked for before they are due."""
_MEASURED_OVER_S = 2.0


class CineRoom(Protocol):
    """What playing asks of the reading room."""

    active: str
    linked: bool

    def panes(self) -> tuple[PaneState, ...]: ...

    def pane(self, pane_id: str) -> PaneState: ...

    def display_set(self, pane: PaneState) -> DisplaySet | None: ...

    def move(self, pane_id: str, view: ViewState) -> None: ...


@dataclass
class _Run:
    display_set: DisplaySet
    clock: CineClock
    step: int
    dropped: int = 0
    painted: deque[float] = field(default_factory=deque)
    last_painted: int = -1


class Cine:
    def __init__(
        self,
        room: CineRoom,
        images: Images,
        announce: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._room = room
        self._images = images
        self._announce = announce
        self._clock = clock
        self._runs: dict[str, _Run] = {}
        self._kept: dict[str, tuple[float, bool]] = {}
        """Display set to the speed and order that the reader chose for it."""
        self.moments: Callable[[PaneState], tuple[DisplaySet, ...]] = lambda pane: ()
        """Of the 4D series in a pane, in order; such a series plays through time at one slice, not through its slices."""
        self.show_moment: Callable[[str, DisplaySet], None] = lambda pane_id, moment: None
        self._reels: dict[str, DisplaySet] = {}
        """One slice of all moments, as what is played."""

    # -- what is asked for -----------------------------------------------------------------------------------------

    def can_play(self, pane_id: str) -> bool:
        return self._playable(self._room.pane(pane_id)) is not None

    def is_playing(self, pane_id: str) -> bool:
        return pane_id in self._runs

    @property
    def playing(self) -> bool:
        return bool(self._runs)

    @property
    def rate(self) -> float:
        """The highest rate that is asked for; 0 while nothing plays."""
        return max((r.clock.rate for r in self._runs.values()), default=0.0)

    def toggle(self) -> None:
        """Plays or pauses the active pane, and with linking on every pane of its group whose frames are frames in time."""
        active = self._room.active
        group = self._group(active)
        if any(p in self._runs for p in group):
            for pane_id in group:
                self._runs.pop(pane_id, None)
        else:
            now = self._clock()
            for pane_id in group:
                self._start(pane_id, now)
        self._announce()

    def stop(self, pane_id: str = "") -> None:
        """One pane, or all of them; what hangs stays on the frame that it shows."""
        gone = list(self._runs) if not pane_id else [p for p in (pane_id,) if p in self._runs]
        for found in gone:
            del self._runs[found]
        if gone:
            self._announce()

    def faster(self, by: int = 1) -> None:
        self._change(lambda speed, sweep: (next_speed(speed, by), sweep))

    def slower(self) -> None:
        self.faster(-1)

    def as_stated(self) -> None:
        """The rate that the object asks for."""
        self._change(lambda speed, sweep: (1.0, sweep))

    def toggle_sweep(self) -> None:
        """Round and round, or there and back."""
        self._change(lambda speed, sweep: (speed, not sweep))

    # -- what is shown ---------------------------------------------------------------------------------------------

    def tick(self) -> tuple[str, ...]:
        """Moves every playing pane to the frame that is due, where it is decoded; gives the panes that changed.

        A pane that somebody else moved or refilled since the last tick stops: the reader has taken over.
        """
        now = self._clock()
        before = {p.pane_id: p.view for p in self._room.panes()}
        for pane_id, run in list(self._runs.items()):
            pane = next((p for p in self._room.panes() if p.pane_id == pane_id), None)
            taken = pane is None or self._playable(pane) is not run.display_set
            if pane is None or taken or self._position(pane) != run.clock.frame_of(run.step):
                del self._runs[pane_id]
                self._announce()
                continue
            self._advance(pane, run, now)
        return tuple(p.pane_id for p in self._room.panes() if before.get(p.pane_id) != p.view)

    def painted(self, pane_id: str, frame_index: int) -> None:
        """The window has painted this frame of a pane: what the actual rate is measured by."""
        run = self._runs.get(pane_id)
        if run is not None and run.display_set.display_set_id in self._reels:
            frame_index = self._position(self._room.pane(pane_id))
        if run is None or frame_index == run.last_painted:
            return
        run.last_painted = frame_index
        now = self._clock()
        run.painted.append(now)
        while run.painted and run.painted[0] < now - _MEASURED_OVER_S:
            run.painted.popleft()

    def behind(self, pane_id: str) -> bool:
        """Painting does not keep up: a draft will do."""
        run, shown = self._runs.get(pane_id), self._shown_rate(pane_id)
        return run is not None and shown is not None and shown < 0.8 * run.clock.rate

    def info(self, pane: PaneState) -> CineInfo | None:
        """For the corner: None for a pane that has nothing to play."""
        chosen = self._playable(pane)
        run = self._runs.get(pane.pane_id)
        if chosen is None or (run is None and chosen.kind is DisplaySetKind.STACK):
            return None
        timing = self._timing(chosen)
        speed, sweep = self._kept.get(chosen.display_set_id, (1.0, timing.sweep))
        rate = run.clock.rate if run is not None else CineClock(timing, 0.0, 0, speed, sweep).rate
        return CineInfo(
            rate,
            run is not None,
            self._shown_rate(pane.pane_id),
            run.dropped if run is not None else 0,
            sweep,
            timing.stated,
            chosen.kind is DisplaySetKind.CINE,
        )

    # -- inside ----------------------------------------------------------------------------------------------------

    def _playable(self, pane: PaneState) -> DisplaySet | None:
        chosen = self._room.display_set(pane)
        if chosen is None or pane.view.plane is not Plane.STACK or len(chosen.frames) < 2:
            return None
        if chosen.modality == "SM":
            return None  # tiles of one slide, not moments
        if chosen.moment is not None:
            return self._reel(pane, chosen) or chosen
        return chosen if chosen.kind in (DisplaySetKind.CINE, DisplaySetKind.STACK) else None

    def _reel(self, pane: PaneState, chosen: DisplaySet) -> DisplaySet | None:
        """The slice of a pane in all moments of its 4D series; None where their slices do not agree."""
        group = self.moments(pane)
        at = min(max(pane.view.frame_index, 0), len(chosen.frames) - 1)
        if len(group) < 2 or any(len(m.frames) != len(chosen.frames) for m in group) or chosen.moment is None:
            return None
        name = f"{chosen.moment.group}@{at}"
        if name not in self._reels:
            frames = tuple(m.frames[at] for m in group)
            self._reels[name] = replace(chosen, display_set_id=name, kind=DisplaySetKind.CINE, frames=frames)
        return self._reels[name]

    def _position(self, pane: PaneState) -> int:
        """Which of the played frames a pane shows."""
        chosen = self._room.display_set(pane)
        playable = self._playable(pane)
        if chosen is not None and chosen.moment is not None and playable is not chosen:
            return chosen.moment.number - 1
        return pane.view.frame_index

    def _group(self, active: str) -> tuple[str, ...]:
        """Frames in time play together; a linked stack leads its followers by their positions and plays alone."""
        pane = self._room.pane(active)
        chosen = self._playable(pane)
        if chosen is None:
            return ()
        if not self._room.linked or chosen.kind is not DisplaySetKind.CINE:
            return (active,)
        others = [p for p in self._room.panes() if p.pane_id != active and p.prior == pane.prior and p.link == pane.link]
        found = [p.pane_id for p in others if (c := self._playable(p)) is not None and c.kind is DisplaySetKind.CINE]
        return (active, *found)

    def _timing(self, chosen: DisplaySet) -> CineTiming:
        return timing_of(chosen, self._images.instance(chosen.frames[0].sop_instance_uid))

    def _start(self, pane_id: str, now: float) -> None:
        pane = self._room.pane(pane_id)
        chosen = self._playable(pane)
        if chosen is None:
            return
        timing = self._timing(chosen)
        speed, sweep = self._kept.get(chosen.display_set_id, (1.0, timing.sweep))
        start = min(max(self._position(pane), 0), len(chosen.frames) - 1)
        clock = CineClock(timing, now, start, speed, sweep)
        self._runs[pane_id] = _Run(chosen, clock, start)
        self._ask(chosen, clock, start)

    def _change(self, how: Callable[[float, bool], tuple[float, bool]]) -> None:
        now = self._clock()
        for pane_id in self._group(self._room.active):
            chosen = self._playable(self._room.pane(pane_id))
            if chosen is None:
                continue
            kept = self._kept.get(chosen.display_set_id, (1.0, self._timing(chosen).sweep))
            speed, sweep = self._kept[chosen.display_set_id] = how(*kept)
            run = self._runs.get(pane_id)
            if run is not None:
                run.clock = run.clock.changed(now, run.step, speed, sweep)
                run.step = run.clock.first_step
                run.painted.clear()
        self._announce()

    def _advance(self, pane: PaneState, run: _Run, now: float) -> None:
        due = run.clock.step_at(now)
        if due <= run.step:
            return
        frames = run.display_set.frames
        step = latest_ready(run.clock, run.step, due, lambda n: self._images.is_here(frames[n]))
        self._ask(run.display_set, run.clock, run.step if step is None else step)
        if step is None:
            return
        run.dropped += step - run.step - 1
        run.step = step
        at = run.clock.frame_of(step)
        if run.display_set.display_set_id in self._reels:
            self.show_moment(pane.pane_id, self.moments(pane)[at])
        else:
            self._room.move(pane.pane_id, replace(pane.view, frame_index=at))

    def _ask(self, chosen: DisplaySet, clock: CineClock, step: int) -> None:
        wanted: list[FrameRef] = [chosen.frames[clock.frame_of(step + n)] for n in range(1, AHEAD + 1)]
        self._images.ask_ahead(dict.fromkeys(wanted))

    def _shown_rate(self, pane_id: str) -> float | None:
        run = self._runs.get(pane_id)
        if run is None or len(run.painted) < 3:
            return None
        return (len(run.painted) - 1) / max(run.painted[-1] - run.painted[0], 1e-3)
