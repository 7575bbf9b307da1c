"""Playing against a clock and a decoder by hand: what is due, what waits, what is left out, what stops it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Moment
from app.session.cine import Cine
from app.session.panes import PaneState
from app.viewer.view_state import ViewState


def loop(name: str, count: int = 10) -> DisplaySet:
    return DisplaySet(name, "s", "t", "US", DisplaySetKind.CINE, tuple(FrameRef(name, n) for n in range(count)))


@dataclass
class Room:
    sets: dict[str, DisplaySet]
    shown: dict[str, PaneState]
    active: str = "pane-0"
    linked: bool = True

    def panes(self) -> tuple[PaneState, ...]:
        return tuple(self.shown.values())

    def pane(self, pane_id: str) -> PaneState:
        return self.shown[pane_id]

    def display_set(self, pane: PaneState) -> DisplaySet | None:
        return self.sets.get(pane.display_set_id)

    def move(self, pane_id: str, view: ViewState) -> None:
        self.shown[pane_id] = replace(self.shown[pane_id], view=view)


@dataclass
class Images:
    here: set[FrameRef] = field(default_factory=set)
    asked: list[FrameRef] = field(default_factory=list)

    def is_here(self, ref: FrameRef) -> bool:
        return ref in self.here

    def ask_ahead(self, refs: object) -> None:
        self.asked.extend(refs)  # type: ignore[arg-type, call-overload]

    def instance(self, uid: str) -> object:
        return SimpleNamespace(extra={}, recommended_frame_rate=10.0)


class Bench:
    def __init__(self, panes: int = 1) -> None:
        sets = {f"loop{n}": loop(f"loop{n}") for n in range(panes)}
        self.room = Room(sets, {f"pane-{n}": PaneState(f"pane-{n}", f"loop{n}", link="x") for n in range(panes)})
        self.images = Images()
        self.now = 100.0
        self.told = 0
        self.cine = Cine(self.room, self.images, self._tell, lambda: self.now)  # type: ignore[arg-type]

    def _tell(self) -> None:
        self.told += 1

    def at(self, seconds: float) -> int:
        self.now = 100.0 + seconds
        self.cine.tick()
        return self.room.pane("pane-0").view.frame_index

    def decode(self, *frames: int) -> None:
        self.images.here |= {FrameRef("loop0", n) for n in frames}


def test_a_frame_that_is_not_decoded_is_waited_for_and_counted() -> None:
    bench = Bench()
    bench.decode(0, 1)
    bench.cine.toggle()
    assert [f.frame for f in bench.images.asked[:3]] == [1, 2, 3]
    assert bench.at(0.11) == 1
    assert bench.at(0.31) == 1, "nothing newer is there"
    bench.decode(2, 3, 4)
    assert bench.at(0.45) == 4
    info = bench.cine.info(bench.room.pane("pane-0"))
    assert info is not None
    assert (info.playing, info.dropped, round(info.rate, 9)) == (True, 2, 10.0)


def test_a_due_frame_that_comes_late_is_shown_before_newer_ones_come() -> None:
    bench = Bench()
    bench.decode(0, 3)
    bench.cine.toggle()
    assert bench.at(0.55) == 3


def test_a_reader_who_scrolls_takes_over() -> None:
    bench = Bench()
    bench.decode(*range(10))
    bench.cine.toggle()
    bench.at(0.15)
    bench.room.move("pane-0", ViewState(frame_index=7))
    assert bench.at(0.25) == 7
    assert not bench.cine.playing
    assert bench.told >= 2


def test_a_4d_series_plays_through_time_at_one_slice() -> None:
    bench = Bench()
    moments = tuple(
        replace(loop(f"m{t}", 5), kind=DisplaySetKind.STACK, modality="NM", moment=Moment("g", t + 1, 3)) for t in range(3)
    )
    bench.room.sets.update({m.display_set_id: m for m in moments})
    bench.room.shown["pane-0"] = PaneState("pane-0", "m0", ViewState(frame_index=2))
    bench.cine.moments = lambda pane: moments

    def show(pane_id: str, moment: DisplaySet) -> None:
        bench.room.shown[pane_id] = replace(bench.room.shown[pane_id], display_set_id=moment.display_set_id)

    bench.cine.show_moment = show
    bench.images.here = {FrameRef(f"m{t}", 2) for t in range(3)}
    bench.cine.toggle()
    assert bench.images.asked[:2] == [FrameRef("m1", 2), FrameRef("m2", 2)]
    seen = []
    for step in (0.15, 0.25, 0.35, 0.45):
        assert bench.at(step) == 2, "the slice stays"
        seen.append(bench.room.pane("pane-0").display_set_id)
        bench.cine.painted("pane-0", 2)
    assert seen == ["m1", "m2", "m0", "m1"]
    info = bench.cine.info(bench.room.pane("pane-0"))
    assert info is not None
    assert info.playing
    assert round(info.shown_rate or 0.0, 6) == 10.0
    # Somebody scrolls to another slice: that is no longer what is played.
    bench.room.move("pane-0", ViewState(frame_index=3))
    bench.at(0.55)
    assert not bench.cine.playing
    # Moments of unlike stacks are played as any stack: slice by slice.
    bench.cine.moments = lambda pane: (*moments[:2], loop("m2", 4))
    bench.room.shown["pane-0"] = PaneState("pane-0", "m0", ViewState(frame_index=0))
    bench.images.here = {FrameRef("m0", n) for n in range(5)}
    bench.cine.toggle()
    assert bench.at(0.70) == 1
    assert bench.room.pane("pane-0").display_set_id == "m0"


def test_another_set_in_the_pane_stops_it() -> None:
    bench = Bench(2)
    bench.decode(*range(10))
    bench.room.linked = False
    bench.cine.toggle()
    bench.room.shown["pane-0"] = PaneState("pane-0", "loop1")
    bench.at(0.15)
    assert not bench.cine.playing


def test_linked_loops_start_and_stop_together() -> None:
    bench = Bench(4)
    bench.cine.toggle()
    assert all(bench.cine.is_playing(f"pane-{n}") for n in range(4))
    bench.room.active = "pane-2"
    bench.cine.toggle()
    assert not bench.cine.playing


def test_the_shown_rate_is_that_of_painted_frames() -> None:
    bench = Bench()
    bench.decode(*range(10))
    bench.cine.toggle()
    for n in range(1, 9):
        frame = bench.at(0.25 * n)
        bench.cine.painted("pane-0", frame)
        bench.cine.painted("pane-0", frame)  # painted again for another reason: no new frame
    info = bench.cine.info(bench.room.pane("pane-0"))
    assert info is not None
    assert info.shown_rate is not None
    assert abs(info.shown_rate - 4.0) < 1e-6
    assert bench.cine.behind("pane-0")


def test_a_chosen_speed_is_kept_for_its_loop() -> None:
    bench = Bench()
    bench.cine.faster()
    bench.cine.toggle()
    info = bench.cine.info(bench.room.pane("pane-0"))
    assert info is not None
    assert round(info.rate, 9) == 15.0
    bench.cine.as_stated()
    assert round(bench.cine.rate, 9) == 10.0
