"""Undo and redo of each kind of thing that a reader does, and of what was done before the programme died."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.domain.verdict import Decision, Overall, RejectReason
from app.session.reading_session import ReadingSession
from app.session.undoing import Aspect, Undoing
from app.viewer.tool_api import PointerEvent
from app.viewer.volume_presets import volume_presets_for
from tests.flows import stage
from tests.flows.stage import BALLS, Beacon, Stage, install_beacon

# -- the journal by itself


@dataclass
class Box:
    value: int = 0


def journal(box: Box) -> Undoing:
    def put(value: int) -> None:
        box.value = value

    return Undoing({"box": Aspect(lambda: box.value, put, lambda state, other: state, int)})


def change(undoing: Undoing, box: Box, *values: int) -> None:
    for value in values:
        undoing.note("box")
        box.value = value


def test_steps_go_back_and_forth_and_a_new_one_ends_the_way_forth() -> None:
    box = Box()
    undoing = journal(box)
    change(undoing, box, 1, 2, 2, 3)
    assert [undoing.undo() and box.value for _ in range(4)] == [2, 1, 0, False]
    assert [undoing.redo() and box.value for _ in range(2)] == [1, 2]
    change(undoing, box, 2)
    assert undoing.redo(), "a step that changed nothing took the way forth away"
    change(undoing, box, 9)
    assert not undoing.redo()
    assert undoing.undo()
    assert box.value == 3


def test_looking_at_the_state_does_not_end_a_gesture() -> None:
    box = Box()
    undoing = journal(box)
    undoing.note("box")
    assert undoing.state() == {"done": [], "undone": []}
    box.value = 5
    kept = json.loads(json.dumps(undoing.state()))
    assert [s["before"] for s in kept["done"]] == [0]
    box.value = 7
    assert undoing.undo()
    assert box.value == 0
    again = journal(box)
    box.value = 5
    again.restore(kept)
    assert again.undo()
    assert box.value == 0


@pytest.mark.parametrize("state", [None, 3, {"done": [{"aspect": "gone"}]}, {"done": 4}, {"done": [{"aspect": "box"}]}])
def test_a_state_that_does_not_fit_is_passed_over(state: object) -> None:
    undoing = journal(Box())
    undoing.restore(state)
    assert not undoing.undo()


def test_several_changes_can_be_one_step() -> None:
    box = Box()
    undoing = journal(box)
    with undoing.together("box"):
        change(undoing, box, 1, 2, 3)
    assert undoing.undo()
    assert box.value == 0


def test_a_heavy_step_is_undone_but_not_kept_for_a_restart() -> None:
    box = Box()

    def put(value: int) -> None:
        box.value = value

    heavy = Aspect(lambda: box.value, put, lambda state, other: state, int, lambda before, after: 400_000 * (after == 2))
    undoing = Undoing({"box": heavy})
    change(undoing, box, 1, 2, 3, 4)
    undoing.note("box")
    assert [s["after"] for s in undoing.state()["done"]] == [3, 4]
    assert [undoing.undo() and box.value for _ in range(4)] == [3, 2, 1, 0]


# -- every kind of action of an open study


@pytest.fixture
def beacon(tmp_path: Path) -> Beacon:
    return install_beacon(tmp_path / "packages")


@pytest.fixture
def desk(tmp_path: Path, beacon: Beacon) -> Iterator[Stage]:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", beacon) as made:
        made.bring(tmp_path / "dicom")
        made.read()
        yield made


def opened(s: Stage) -> ReadingSession:
    reading = s.ws.open_study(s.row().study_instance_uid)  # type: ignore[attr-defined]
    shown(s, reading)
    return reading


def shown(s: Stage, reading: ReadingSession) -> None:
    for pane in reading.layout().panes:
        reading.picture_request(pane.pane_id, 400, 400)()
    s.until(lambda: not s.ws.images_busy())
    for pane in reading.layout().panes:
        reading.picture_request(pane.pane_id, 400, 400)()


def stroke(reading: ReadingSession, tool: str, y: float = 200.0, x: float = 140.0) -> None:
    reading.set_tool(tool)
    for kind, dx in (("press", 0.0), ("drag", 60.0), ("release", 60.0)):
        reading.pointer("pane-0", kind, PointerEvent(x + dx, y + dx / 3))


def state(reading: ReadingSession) -> tuple[object, ...]:
    """Everything that an action may change, comparable."""
    room, desk = reading.room, reading.desk
    verdicts = {k: (v.decision, v.reason, v.modified) for k, v in desk.verdicts.items()}
    return room.layout().name, room.stage, room.panes(), desk.marks, desk.starred(), verdicts


def edit(reading: ReadingSession) -> None:
    reading.edit_mark(reading.desk.own_findings()[0].finding_id, confidence=4)


def other_set(reading: ReadingSession) -> None:
    reading.set_layout("1x2")


def crop(reading: ReadingSession) -> None:
    reading.room.change_view(crop=(0.0, 1.0, 0.5, 1.0, 0.0, 1.0))


def curve(reading: ReadingSession) -> None:
    reading.set_tool("curve")
    for x, y in ((120.0, 180.0), (200.0, 230.0), (280.0, 180.0), (280.0, 180.0)):
        for kind in ("press", "release"):
            reading.pointer("pane-0", kind, PointerEvent(x, y))


def offset(reading: ReadingSession) -> None:
    """One pane a slice away from the others, then linked so."""
    room = reading.room
    room.toggle("linked")
    room.scroll(2)
    room.toggle("linked")
    reading.command("link_by_hand")


ACTIONS: dict[str, Callable[[ReadingSession], object]] = {
    "window": lambda r: stroke(r, "window"),
    "preset": lambda r: r.command("window_preset", name=r.window_presets()[1][0]),
    "zoom": lambda r: stroke(r, "zoom"),
    "pan": lambda r: stroke(r, "pan"),
    "invert": lambda r: r.command("invert"),
    "rotate": lambda r: r.command("rotate_left"),
    "flip": lambda r: r.command("flip_h"),
    "one to one": lambda r: r.command("one_to_one"),
    "layout": other_set,
    "stage": lambda r: r.next_stage(),
    "volume view": lambda r: r.command("volume_view"),
    "look of the volume": lambda r: r.room.change_view(volume_preset=volume_presets_for("HU")[1].name),
    "crop": crop,
    "offset by hand": offset,
    "length": lambda r: stroke(r, "length"),
    "ellipse": lambda r: stroke(r, "ellipse"),
    "arrow": lambda r: stroke(r, "arrow"),
    "brush": lambda r: stroke(r, "brush"),
    "curve": curve,
    "mark": lambda r: r.add_mark(),
    "mark edited": edit,
    "key image": lambda r: r.command("toggle_key_image"),
}


@pytest.mark.parametrize("name", list(ACTIONS))
def test_an_action_is_taken_back_and_done_again(desk: Stage, name: str) -> None:
    reading = opened(desk)
    if name == "mark edited":
        reading.add_mark()
    if name == "offset by hand":
        reading.set_layout("1x2")
        reading.put_in_pane("pane-1", reading.room.pane("pane-0").display_set_id)
        shown(desk, reading)
    before = state(reading)
    ACTIONS[name](reading)
    desk.loop.run_until(lambda: False, 0.02)
    after = state(reading)
    if name == "offset by hand":
        assert any(any(p.offset_mm) for p in reading.room.panes())
        before = (*before[:2], tuple(replace(p, offset_mm=(0.0, 0.0, 0.0)) for p in after[2]), *before[3:])  # type: ignore[attr-defined]
    assert after != before, "the action did nothing here"
    for _ in range(2):
        reading.command("undo")
        while state(reading) != before and reading.undoing.undo():
            pass  # a curve is a mark and an arrangement: two steps
        assert state(reading) == before
        reading.command("redo")
        while state(reading) != after and reading.undoing.redo():
            pass
        assert state(reading) == after


def test_verdicts_are_taken_back_in_the_library_too(desk: Stage) -> None:
    reading = opened(desk)
    reading.room.show_point(BALLS[0])
    reading.add_mark()
    reading.commit(Overall.FINDINGS)
    first, second, third = (c.finding.finding_id for c in reading.second_read().ai_only)
    reading.accept_agreed()
    reading.accept(first)
    reading.reject(second, RejectReason.NOT_PRESENT)
    reading.accept(second)
    reading.modify(third, long_axis_mm=11.5)
    assert reading.second_read().unanswered == 0
    uid, store = reading.study.study_instance_uid, desk.ws.library.verdicts

    def held() -> list[Decision | None]:
        current = store.current(uid)
        assert current == reading.desk.verdicts
        return [current[f].decision if f in current else None for f in (first, second, third)]

    assert held() == [Decision.ACCEPTED, Decision.ACCEPTED, Decision.MODIFIED]
    reading.undo()
    assert held() == [Decision.ACCEPTED, Decision.ACCEPTED, None]
    assert reading.second_read().unanswered == 1
    assert "report.blocked.unanswered" in [p.code for p in reading.report().blocked_by]
    reading.undo()
    assert held()[1] is Decision.REJECTED
    assert store.current(uid)[second].reason is RejectReason.NOT_PRESENT
    reading.undo()
    reading.undo()
    assert held() == [None, None, None]
    reading.undo()
    assert store.current(uid) == {}, "the agreed ones are one step"
    for _ in range(5):
        reading.redo()
    assert held() == [Decision.ACCEPTED, Decision.ACCEPTED, Decision.MODIFIED]
    modified = store.current(uid)[third].modified
    assert modified is not None
    long_axis = modified.measured("long_axis")
    assert long_axis is not None
    assert long_axis.value == 11.5
    assert len(store.history(uid)) > 10, "the log keeps every change of mind"


def test_what_was_done_can_be_undone_after_the_programme_died(desk: Stage) -> None:
    reading = opened(desk)
    clean = state(reading)
    stroke(reading, "length")
    one = state(reading)
    stroke(reading, "window")
    reading.command("toggle_key_image")
    reading.command("undo")
    stood = state(reading)
    kept = json.loads(json.dumps(reading.state_to_keep()))
    # As after a death: the same library, nothing of this session but what was kept.
    desk.ws.library.write(lambda tx: desk.ws.library.recovery.save(tx, desk.ws.person.person_id, kept))
    desk.ws.reading = None
    again = opened(desk)
    assert again is not reading
    assert state(again) == stood
    again.redo()
    assert again.desk.starred()
    again.undo()
    again.undo()
    assert state(again) == one
    again.undo()
    assert state(again) == clean
    again.redo()
    assert state(again) == one
