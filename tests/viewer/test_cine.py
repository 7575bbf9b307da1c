"""Frames in time: the due frame by hand-worked times, the object's own rate, order and speed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance
from app.viewer.cine import SPEEDS, CineClock, CineTiming, latest_ready, next_speed, timing_of

TENTHS = CineTiming((0.1,) * 5)


def _set(count: int, kind: DisplaySetKind = DisplaySetKind.CINE) -> DisplaySet:
    return DisplaySet("s/1", "s", "t", "US", kind, tuple(FrameRef("2.25.1", n) for n in range(count)))


INSTANCE = Instance("2.25.1", "1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.1.2.1", "file:/x")


def shown(clock: CineClock, *times: float) -> list[int]:
    return [clock.frame_of(clock.step_at(t)) for t in times]


def test_a_loop_begins_again_after_its_last_frame() -> None:
    clock = CineClock(TENTHS, 100.0, first_step=3)
    assert shown(clock, 99.0, 100.0, 100.09, 100.1, 100.199, 100.2, 100.75) == [3, 3, 3, 4, 4, 0, 0]


def test_there_and_back_shows_the_ends_once() -> None:
    clock = CineClock(TENTHS, 0.0, sweep=True)
    assert shown(clock, *(n / 10 + 0.01 for n in range(11))) == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2]


def test_frames_of_unequal_time_stand_as_long_as_the_vector_says() -> None:
    vector = replace(
        INSTANCE, extra={"frame_time_vector": json.dumps([0, 20, 80, 40]), "preferred_playback_sequencing": "1"}
    )
    timing = timing_of(_set(4), vector)
    assert timing.durations_s == pytest.approx((0.02, 0.08, 0.04, 0.04))
    assert timing.stated
    assert timing.sweep
    clock = CineClock(timing, 0.0)
    assert shown(clock, 0.0, 0.019, 0.02, 0.099, 0.1, 0.139, 0.14, 0.179, 0.18) == [0, 0, 1, 1, 2, 2, 3, 3, 0]


def test_the_rate_is_the_objects_own_or_named_as_a_default() -> None:
    assert timing_of(_set(3), replace(INSTANCE, recommended_frame_rate=30.0)).rate == pytest.approx(30.0)
    unnamed = timing_of(_set(3), INSTANCE)
    assert (unnamed.rate, unnamed.stated) == (pytest.approx(15.0), False)
    assert timing_of(_set(3, DisplaySetKind.STACK), None).rate == pytest.approx(10.0)


def test_a_vector_of_another_length_is_not_used() -> None:
    odd = replace(INSTANCE, extra={"frame_time_vector": "[0, 20]"}, recommended_frame_rate=5.0)
    assert timing_of(_set(4), odd).rate == pytest.approx(5.0)


def test_speed_goes_on_from_the_frame_that_is_shown() -> None:
    clock = CineClock(TENTHS, 0.0)
    step = clock.step_at(0.35)
    fast = clock.changed(0.35, step, speed=2.0)
    assert shown(fast, 0.35, 0.399, 0.4, 0.45) == [3, 3, 4, 0]
    assert fast.rate == pytest.approx(20.0)


def test_the_way_back_is_kept_when_the_speed_changes() -> None:
    clock = CineClock(TENTHS, 0.0, sweep=True)
    step = clock.step_at(0.55)
    assert clock.frame_of(step) == 3
    assert shown(clock.changed(0.55, step, speed=1.0), 0.56, 0.66) == [3, 2]
    assert shown(clock.changed(0.55, step, sweep=False), 0.56, 0.66) == [3, 4]


def test_speeds_have_ends() -> None:
    assert next_speed(1.0, 1) == 1.5
    assert next_speed(1.0, -1) == 0.75
    assert next_speed(SPEEDS[-1], 1) == SPEEDS[-1]
    assert next_speed(SPEEDS[0], -1) == SPEEDS[0]


def test_the_latest_decoded_frame_is_taken_and_nothing_goes_back() -> None:
    clock = CineClock(TENTHS, 0.0)
    assert latest_ready(clock, 0, 3, lambda n: n in (1, 2)) == 2
    assert latest_ready(clock, 2, 3, lambda n: n in (1, 2)) is None
    assert latest_ready(clock, 4, 6, lambda n: n == 0) == 5


def test_a_year_of_playing_is_exact() -> None:
    clock = CineClock(TENTHS, 0.0)
    assert shown(clock, 365 * 86400.0 + 0.25) == [2]
