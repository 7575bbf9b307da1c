"""Undo, redo and the next start of what is no pane, mark or verdict: millimetres, words, looks, switches, a mount."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.session.layout_recovery import restore, state_of
from app.session.reading_session import ReadingSession
from app.session.shown_state import ShownState, shown
from app.store.codec import decode, encode
from tests.flows import stage
from tests.flows.stage import BALLS, READER, Beacon, Stage, install_beacon
from tests.session.test_calibration import draw, lengths, note
from tests.session.test_calibration import opened as opened_film
from tests.session.test_object_displays import opened as opened_saved
from tests.session.test_object_displays import write_saved
from tests.session.test_prior_desk import _uid as study_uid
from tests.session.test_prior_desk import _write as write_ct
from tests.session.test_prior_desk import beside, marked, nodule


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
    reading = s.ws.open_study(s.row().study_instance_uid)
    for pane in reading.layout().panes:
        reading.picture_request(pane.pane_id, 400, 400)()
    s.until(lambda: not s.ws.images_busy())
    return reading


def looked_at(reading: ReadingSession) -> ShownState:
    return shown(reading.room, reading.desk)


SWITCHES: dict[str, Callable[[ReadingSession], None]] = {
    "link": lambda r: r.command("toggle_linking"),
    "crosshair": lambda r: r.command("toggle_crosshair"),
    "corner texts": lambda r: r.command("toggle_overlay_text"),
    "heat map": lambda r: r.command("toggle_ai"),
    "heat opacity": lambda r: r.set_heatmap(opacity=0.31),
    "heat threshold": lambda r: r.set_heatmap(threshold=0.77),
}


def test_every_switch_goes_back_and_forth(desk: Stage) -> None:
    reading = opened(desk)
    seen = [looked_at(reading)]
    for change in SWITCHES.values():
        change(reading)
        seen.append(looked_at(reading))
    assert len({json.dumps(encode(s), sort_keys=True) for s in seen}) == len(seen), "each one is seen in the state"
    for before in reversed(seen[:-1]):
        assert reading.undo() == "panes"
        assert looked_at(reading) == before
    for after in seen[1:]:
        assert reading.redo() == "panes"
        assert looked_at(reading) == after


def test_a_slider_is_one_step_however_often_it_moves(desk: Stage) -> None:
    reading = opened(desk)
    before = looked_at(reading)
    for value in (0.1, 0.2, 0.3, 0.4):
        reading.set_heatmap(opacity=value)
    reading.set_heatmap(threshold=0.5)
    reading.undo()
    assert reading.desk.heat.opacity == 0.4
    reading.undo()
    assert looked_at(reading) == before
    assert reading.undo() == ""


def test_words_of_the_report_go_back_and_are_not_forgotten(desk: Stage) -> None:
    reading = opened(desk)
    section = reading.report().report.sections[0].section_id

    def words() -> list[str]:
        return [line.text for s in reading.report().report.sections for line in s.lines]

    states = [words()]
    reading.add_line(section, "A line of my own.")
    states.append(words())
    reading.edit_line(section, len(reading.report().report.sections[0].lines) - 1, "Other words.")
    states.append(words())
    reading.command("toggle_linking")
    reading.remove_line(section, len(reading.report().report.sections[0].lines) - 1)
    states.append(words())
    reading.set_report_language("kk")
    assert [reading.undo(), reading.undo()] == ["report", "report"]
    assert (words(), reading.report().report.language) == (states[2], "en")
    assert [reading.undo(), reading.undo()] == ["panes", "report"]
    assert words() == states[1]
    kept = json.loads(json.dumps(reading.undoing.state()))
    reading.undoing.forget()
    reading.undoing.restore(kept)
    assert reading.undo() == "report"
    assert words() == states[0]
    draft = desk.ws.library.reports.draft(reading.study.study_instance_uid)
    assert draft is not None
    assert [line.text for s in draft.sections for line in s.lines] == states[0], "in the library too"
    for state in states[1:3]:
        reading.redo()
        assert words() == state


def test_a_calibration_is_taken_back_and_erases_nothing(tmp_path: Path) -> None:
    with stage.stage(tmp_path / "home", None) as made:
        reading = opened_film(made, tmp_path)
        draw(made, reading, "length", (100, 100), (100, 300))
        draw(made, reading, "calibrate", (40, 60), (40, 260))
        reading.answer("25")
        draw(made, reading, "length", (300, 50), (380, 50))
        assert lengths(reading) == [(25.0, "mm", True), (10.0, "mm", True)]
        assert reading.undo() == "marks"
        assert reading.undo() == "calibration"
        assert lengths(reading) == [(100.0, "px", False)]
        assert note(reading) == "viewer.spacing.unknown"
        assert reading.redo() == "calibration"
        assert lengths(reading) == [(25.0, "mm", True)]
        assert note(reading) == "viewer.spacing.by_hand"
        kept = json.loads(json.dumps(reading.undoing.state()))
        reading.undoing.forget()
        reading.undoing.restore(kept)
        assert [reading.undo(), reading.undo(), reading.undo()] == ["calibration", "marks", ""]
        assert reading.desk.marks == ()
        made.until(lambda: not made.ws.images_busy())
        assert reading.desk.doubts == {}


def test_drawings_on_a_prior_and_proposals_go_back_and_forth(tmp_path: Path) -> None:
    """Each one a step of its own: what was done before it on the present study stays."""
    for key in ("then", "now"):
        write_ct(tmp_path, key)
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "then", tmp_path / "now")
        (then,) = marked(s, "then", (BALLS[0], 6.0, 0.0))
        reading = s.ws.open_study(study_uid("now"))
        beside(reading)
        desk, verbs = reading.desk, reading.earlier
        assert verbs is not None
        mine = nodule(reading, BALLS[1], 7.0)
        desk.keep(mine)
        placement = Placement(reading.room.studies()[1][0].display_sets[0].frames[3].sop_instance_uid, 0, ((5, 5), (9, 5)))
        desk.put_annotation(Annotation("2.25.77", MarkShape.LENGTH, placement), False)

        def state() -> tuple[object, ...]:
            kept = {m.finding_id for m in s.ws.library.drafts.marks(study_uid("then"), READER.person_id)}
            drawn = {m.finding.finding_id for m in verbs.desk.marks()}
            assert kept == drawn, "in the library as on the screen"
            proposed = {p.finding_id: p.measurements for p in verbs.desk.proposals()}
            return drawn, proposed, {m.finding_id for m in desk.marks}

        def longer() -> None:
            (held,) = [a for a in desk.annotations() if a.annotation_id != mine.finding_id]
            desk.put_annotation(replace(held, measurements=(Measurement(Quantity.LENGTH, 9.0, "mm"),)), False)

        seen = [state()]
        for change in (
            lambda: verbs.carry(then.finding_id),
            longer,
            lambda: verbs.drop(verbs.desk.proposals()[0].finding_id),
            lambda: verbs.carry(then.finding_id),
            lambda: verbs.drop("2.25.77"),
            lambda: verbs.accept(verbs.desk.proposals()[0].finding_id),
        ):
            change()
            seen.append(state())
        assert all(one != other for one, other in pairwise(seen)), "each one is seen in the state"
        names = ["accepted", *["prior_marks"] * 5]
        for name, before in zip(names, reversed(seen[:-1]), strict=True):
            assert reading.undo() == name
            assert state() == before
        for after in seen[1:]:
            assert reading.redo() in names
            assert state() == after
        kept = json.loads(json.dumps(reading.undoing.state()))
        reading.undoing.forget()
        reading.undoing.restore(kept)
        for before in reversed(seen[:-1]):
            reading.undo()
            assert state() == before
        assert reading.undo() == "prior_marks", "the drawing on the prior, not the mark before it"
        assert state() == ({then.finding_id}, {}, {mine.finding_id})
        assert reading.undo() == "marks"
        assert desk.marks == ()


def test_what_was_looked_at_stands_again_after_a_death(desk: Stage) -> None:
    reading = opened(desk)
    for change in SWITCHES.values():
        change(reading)
    state = json.loads(json.dumps(state_of("x", reading.room, reading.desk)))
    stood = looked_at(reading)
    for _ in SWITCHES:
        reading.undo()
    assert looked_at(reading) != stood
    assert restore(reading.room, reading.desk, state)
    assert looked_at(reading) == stood
    older = {k: v for k, v in state.items() if k != "shown"}
    assert restore(reading.room, reading.desk, older), "what an older programme kept is enough for the panes"


def test_a_programme_that_died_shows_what_it_showed(tmp_path: Path) -> None:
    """A study with a saved look and a segment of fractions, both switched on; links and crosshair off."""
    write_saved(tmp_path / "in")
    s = Stage(tmp_path / "home", None)
    try:
        s.bring(tmp_path / "in")
        reading = opened_saved(s)
        card = next(c for c in reading.series_cards() if c.images == 3)
        s.until(lambda: bool(reading.series_cards()[0].looks), 20)
        assert reading.saved is not None
        reading.saved.apply_look(card.display_set_id, "2.25.801")
        reading.saved.toggle("2.25.802")
        reading.picture_request(reading.room.active, 300, 200)()
        for name in ("toggle_linking", "toggle_crosshair"):
            reading.command(name)
        stood = looked_at(reading)
        s.loop.run_until(lambda: False, 0.1)
        s.ws.library.write(lambda tx: None)
    finally:
        s.die()
    assert [look.uid for look in stood.looks] == ["2.25.801"]
    with stage.stage(tmp_path / "home", None) as again:
        back = again.ws.open_study(again.ws.study_to_restore())
        assert looked_at(back) == stood
        assert (back.room.linked, back.room.crosshair) == (False, False)
        # The segment lies over its image again.
        again.until(lambda: len(back.picture_request(back.room.active, 300, 200).layers) > 1, 20)
        assert back.undo() == "panes"
        assert back.room.crosshair


def test_a_kept_state_is_read_as_it_was_written() -> None:
    state = ShownState(linked=False, overlays=("1.2", "1.3"), subtracted={"a": True}, value_map=2)
    assert decode(ShownState, json.loads(json.dumps(encode(state, compact=True)))) == state
