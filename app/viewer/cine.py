"""Frames in time: how long each one stands, and which one is due. Pure arithmetic; the clock is the caller's."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from app.domain.pixels import FramePixels, VoiFunction, VoiWindow
from app.domain.study import DisplaySet, DisplaySetKind, Instance
from app.viewer.voi_lut import auto_window

DEFAULT_CINE_RATE = 15.0
"""Frames a second of a multi-frame object that states none."""
STACK_RATE = 10.0
SPEEDS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
MAX_RATE = 120.0


@dataclass(frozen=True)
class CineTiming:
    """How long each frame stands, in seconds, and whether the object says so itself."""

    durations_s: tuple[float, ...]
    stated: bool = False
    sweep: bool = False
    """Preferred Playback Sequencing (0018,1244): there and back again."""

    @property
    def rate(self) -> float:
        """Frames a second, on the average."""
        return len(self.durations_s) / sum(self.durations_s)


def timing_of(display_set: DisplaySet, instance: Instance | None) -> CineTiming:
    """Frame Time Vector, else the recommended, cine or frame-time rate of the object (PS3.3 C.7.6.5), else a default."""
    count = max(1, len(display_set.frames))
    extra = instance.extra if instance is not None else {}
    sweep = extra.get("preferred_playback_sequencing", "") == "1"
    vector = json.loads(extra["frame_time_vector"]) if "frame_time_vector" in extra else []
    if len(vector) == count > 1 and all(v > 0 for v in vector[1:]):
        # Element n is the time from frame n - 1 to n; the last frame stands as long as the middle one of them.
        steps = [v / 1000.0 for v in vector[1:]]
        return CineTiming((*steps, sorted(steps)[len(steps) // 2]), True, sweep)
    rate = instance.recommended_frame_rate if instance is not None else None
    stated = rate is not None and 0 < rate <= 1000
    if rate is None or not stated:
        rate = STACK_RATE if display_set.kind is DisplaySetKind.STACK else DEFAULT_CINE_RATE
    return CineTiming((1.0 / rate,) * count, stated, sweep)


@dataclass(frozen=True)
class CineClock:
    """A run of frames from one moment on. ``step`` counts frames of the run without end; ``frame_of`` names them."""

    timing: CineTiming
    started_s: float
    first_step: int = 0
    speed: float = 1.0
    sweep: bool = False

    @cached_property
    def _sequence(self) -> tuple[int, ...]:
        count = len(self.timing.durations_s)
        forth = tuple(range(count))
        return forth + forth[-2:0:-1] if self.sweep else forth

    @cached_property
    def _ends(self) -> tuple[float, ...]:
        """When each step of one round ends, in seconds at speed 1."""
        total, out = 0.0, []
        for frame in self._sequence:
            total += self.timing.durations_s[frame]
            out.append(total)
        return tuple(out)

    @property
    def rate(self) -> float:
        """Frames a second that are asked for."""
        return min(self.timing.rate * self.speed, MAX_RATE)

    @property
    def _pace(self) -> float:
        return self.rate / self.timing.rate

    def frame_of(self, step: int) -> int:
        return self._sequence[step % len(self._sequence)]

    def step_at(self, now_s: float) -> int:
        """The step that is due; never before the first."""
        length, size = self._ends[-1], len(self._ends)
        rounds, place = divmod(self.first_step, size)
        before = rounds * length + (self._ends[place - 1] if place else 0.0)
        at = before + max(0.0, now_s - self.started_s) * self._pace
        # A picture is due from its first moment on; what the clock loses in rounding must not hold it back.
        whole = math.floor(at / length + 1e-9)
        inside = max(0.0, at - whole * length)
        return whole * size + min(bisect_right(self._ends, inside + 1e-9), size - 1)

    def changed(self, now_s: float, step: int, speed: float | None = None, sweep: bool | None = None) -> CineClock:
        """Goes on from the frame of ``step``, from now on, at another speed or in another order."""
        way = self.sweep if sweep is None else sweep
        first = self.frame_of(step)
        if way and self.sweep:
            first = step % len(self._sequence)  # on the way back it stays on the way back
        return replace(self, started_s=now_s, first_step=first, speed=self.speed if speed is None else speed, sweep=way)


def steady_window(frame: FramePixels, bits_stored: int) -> VoiWindow | None:
    """One window for all frames of a loop that offers none: percentiles of each frame would make it flicker.

    Eight bits are shown as they are stored, more bits by the percentiles of this frame. None where the object says.
    """
    if frame.is_colour or frame.windows or frame.voi_lut is not None:
        return None
    if frame.values.dtype.kind in "iu" and bits_stored <= 8:
        top = (1 << bits_stored) - 1
        return VoiWindow(top / 2.0, float(top), VoiFunction.LINEAR_EXACT, "stored")
    return auto_window(frame.values, frame.padding)


def next_speed(speed: float, by: int) -> float:
    """The next faster (1) or slower (-1) of ``SPEEDS``."""
    nearest = min(range(len(SPEEDS)), key=lambda n: abs(SPEEDS[n] - speed))
    return SPEEDS[min(max(nearest + by, 0), len(SPEEDS) - 1)]


def latest_ready(clock: CineClock, after: int, due: int, ready: Callable[[int], bool]) -> int | None:
    """The latest step in ``after`` + 1 .. ``due`` whose frame is decoded; None when none is. ``ready`` is asked by frame."""
    lowest = max(after + 1, due - len(clock.timing.durations_s))
    return next((step for step in range(due, lowest - 1, -1) if ready(clock.frame_of(step))), None)
