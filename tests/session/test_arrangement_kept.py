"""What is kept of an arrangement: sides on films stored another way, windows, other stages, changes, depth."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.dicom.hanging_object import hanging_object, read_hanging_object
from app.session.arranged import arranged_pane
from app.session.panes import Over, PaneState
from app.session.second_images import hung_over
from app.viewer.arrangement import ArrangedPane, habit_key, protocol_data
from app.viewer.hanging import Hanging, hang
from app.viewer.hanging_protocols import protocol_from, shipped_data, shipped_protocols
from app.viewer.layers import OverMode
from app.viewer.layouts import layout_cells
from app.viewer.presets import preset, presets_for
from app.viewer.sides import letters_of, shown_at, turned_to
from app.viewer.view_state import Appearance, Plane, SlabMode, ViewState
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_reading import desk, opened
from tests.viewer.test_hanging import MAMMO, study_of
from tests.viewer.test_hanging_anatomy import CASES
from tests.viewer.test_hanging_descriptions import ct, hung

__all__ = ["desk"]


def kept(
    hanging: Hanging, panes: list[ArrangedPane], study: Any, sets: Any, at: int = 0, layout: str = ""
) -> dict[str, Any]:
    s = hanging.stages[at]
    return protocol_data("own", study, sets, (), layout or s.layout, panes, shipped_data(hanging.protocol), s.number)


def with_own(data: dict[str, Any]) -> tuple:
    return (protocol_from(data), *shipped_protocols().protocols)


def as_hung(hanging: Hanging, at: int = 0) -> list[ArrangedPane]:
    return [
        ArrangedPane(p.display_set_id, p.view, p.preset, p.link, p.over, label=p.label, exposed=p.fit_exposed, ai=p.ai)
        for p in hanging.stages[at].panes
    ]


def mammograms(ways: list[list[str]]) -> dict[str, Any]:
    entries = [{**e, "orientation": way} for e, way in zip(MAMMO["display_set"], ways, strict=True)]
    return {**MAMMO, "display_set": entries}


@pytest.mark.parametrize(
    "ways",
    [
        [["A", "F"], ["P", "L"], ["P", "F"], ["P", "R"]],
        [["P", "F"], ["A", "L"], ["A", "F"], ["A", "R"]],
        [["P", "H"], ["A", "R"], ["A", "H"], ["A", "L"]],
        [["F", "A"], ["L", "P"], ["F", "P"], ["R", "A"]],
        [["H", "P"], ["R", "A"], ["H", "A"], ["L", "P"]],
    ],
)
def test_chest_walls_meet_in_the_middle_however_the_next_films_were_stored(ways: list[list[str]]) -> None:
    study, sets = study_of(MAMMO)
    hanging = hang(study, sets)
    data = kept(hanging, as_hung(hanging), study, sets)
    following, following_sets = study_of(mammograms(ways), "1.7")
    found = hang(following, following_sets, protocols=with_own(data))
    assert found.protocol == "own"
    by_id = {s.display_set_id: i for s, i in zip(following_sets, (x.instances[0] for x in following.series), strict=True)}
    edges = [
        (p.view.anchor[0], *shown_at(p.view, letters_of(by_id[p.display_set_id].patient_orientation, None)))
        for p in found.stages[0].panes
    ]
    assert edges == [(1.0, "P", "L"), (0.0, "A", "R"), (1.0, "P", "F"), (0.0, "A", "F")]


def test_a_film_that_the_reader_mirrored_shows_the_same_sides_again_and_one_without_letters_stays_as_it_is() -> None:
    entry = {"modality": "DX", "kind": "images", "frames": 1, "view_position": "AP", "orientation": ["L", "F"]}
    example = {"study_description": "X-ray hand", "display_set": [entry]}
    study, sets = study_of(example)
    pane = ArrangedPane(sets[0].display_set_id, ViewState(sets[0].display_set_id, flip_h=True))
    data = kept(hang(study, sets), [pane], study, sets, layout="1x1")
    for way, turn in ((["L", "F"], (0.0, True, False)), (["R", "F"], (0.0, False, False)), ([], (0.0, False, False))):
        again = {**example, "display_set": [{**entry, "orientation": way}]}
        (view,) = (p.view for p in hang(*study_of(again, "1.7"), protocols=with_own(data)).stages[0].panes)
        assert (view.rotation_deg, view.flip_h, view.flip_v) == turn


def test_sides_are_told_and_found_for_every_turn() -> None:
    stored = ("P", "F")
    for turn in ((r, h, v) for r in (0.0, 90.0, 180.0, 270.0) for h in (False, True) for v in (False, True)):
        view = ViewState(rotation_deg=turn[0], flip_h=turn[1], flip_v=turn[2])
        right, down = shown_at(view, stored)
        assert shown_at(turned_to(ViewState(), stored, right, down), stored) == (right, down)
        other = ("H", "A")
        assert shown_at(turned_to(ViewState(), other, right, down), other) == (right, down)
    assert turned_to(ViewState(), ("", ""), "P", "F") == ViewState()
    assert shown_at(ViewState(flip_h=True), ("", "F")) == ("", "F")


CHEST = [ct("Lung 1.0", 1.0, "B70f"), ct("Soft 3.0", 3.0, "B30f")]


def chest(uid: str = "1.2", description: str = "CT chest") -> tuple:
    sets = [{"modality": m, "description": d, **more} for m, d, more in CHEST]
    return study_of({"study_description": description, "display_set": sets}, uid)


def test_the_other_stages_stay_and_the_rearranged_one_goes() -> None:
    study, sets = chest()
    hanging = hang(study, sets)
    names = [s.name for s in hanging.stages]
    assert names == ["lung", "mediastinum", "bone"]
    for at in range(3):
        data = kept(hanging, as_hung(hanging)[:2], study, sets, at, "1x2")
        again = hang(*chest("1.7"), protocols=with_own(data))
        assert [s.name for s in again.stages] == ["own", *(n for n in names if n != names[at])]
        assert again.stages[0].layout == "1x2"
        bone = next((s for s in again.stages if s.name == "bone"), None)
        assert bone is None or all(p.display_set_id and p.preset == "bone" for p in bone.panes)
    twice = protocol_data("own", study, sets, (), "2x1", as_hung(hanging)[:2], data, 0)
    assert [s["name"] for s in twice["stage"]] == ["own", "lung", "mediastinum", "compare"]
    assert hang(*chest("1.7"), protocols=(*with_own(data), protocol_from({**twice, "name": "newer"}))).protocol == "newer"


def test_an_own_arrangement_is_for_the_studies_that_its_protocol_was_for() -> None:
    study, sets = chest()
    hanging = hang(study, sets)
    own = with_own(kept(hanging, as_hung(hanging), study, sets))
    assert hang(*chest("1.7", "КТ ОГК"), protocols=own).protocol == "own"
    for other in ("CT head", "КТ шеи", "CT abdomen", "CT T-SPINE"):
        assert hang(*chest("1.7", other), protocols=own).protocol != "own", other


def test_what_came_from_no_protocol_of_its_anatomy_is_for_its_region() -> None:
    sets = [{"modality": "MR", "kind": "stack", "frames": 20, "plane": "axial", "description": f"t{n}"} for n in (1, 2)]
    study, shown = study_of({"study_description": "MR wrist", "display_set": sets})
    hanging = hang(study, shown)
    assert hanging.protocol == "mr"
    own = with_own(kept(hanging, as_hung(hanging)[:1], study, shown, layout="1x1"))
    assert (
        hang(*study_of({"study_description": "МРТ запястья", "display_set": sets}, "1.7"), protocols=own).protocol == "own"
    )
    for other in ("MR elbow", "MR brain", "MR"):
        found = hang(*study_of({"study_description": other, "display_set": sets}, "1.7"), protocols=own)
        assert found.protocol != "own", other


def test_every_look_comes_back() -> None:
    study, sets = chest()
    one, two = (s.display_set_id for s in sets)
    s = 0.5**0.5
    panes = [
        ArrangedPane(one, ViewState(one), "lung", "a", two, OverMode.DIFFERENCE, label="hanging.pane.lung", ai=False),
        ArrangedPane(one, ViewState(one, Plane.AXIAL), "", "", two, OverMode.SECOND, flicker=True, window=(-500.0, 1400.0)),
        ArrangedPane("", ViewState()),
        ArrangedPane(
            one, ViewState(one, Plane.OBLIQUE, oblique_row=(s, s, 0.0), oblique_column=(0.0, 0.0, -1.0), slab_mm=8.0,
                           slab_mode=SlabMode.MEAN, rotation_deg=90.0),
            over_id=two, over_look=("viridis", 0.3),
        ),
        ArrangedPane(
            one, ViewState(one, Plane.RENDERED, oblique_row=(0.0, 1.0, 0.0), oblique_column=(0.0, 0.0, -1.0),
                           volume_preset="vessels", crop=(0.0, 1.0, 0.5, 1.0, 0.0, 1.0)),
        ),
        ArrangedPane(two, ViewState(two, zoom=3.0), margin=0.8, exposed=True),
    ]  # fmt: skip
    data = kept(hang(study, sets), panes, study, sets, layout="2x3")
    found = hang(*chest("1.7"), protocols=with_own(data))
    change, flicker, empty, oblique, solid, last = found.stages[0].panes
    other = "1.7.1"
    assert (change.over, change.over_mode, change.preset, change.label, change.ai) == (
        other, OverMode.DIFFERENCE, "lung", "hanging.pane.lung", False,
    )  # fmt: skip
    assert hung_over(change.over, change.over_mode, change.flicker, change.over_look) == Over(
        other, OverMode.DIFFERENCE, Appearance()
    )
    assert (flicker.over_mode, flicker.flicker) == (OverMode.SECOND, True)
    assert flicker.window is not None
    assert (flicker.window.center, flicker.window.width) == (-500.0, 1400.0)
    assert empty.display_set_id == ""
    assert (oblique.view.plane, oblique.view.oblique_row, oblique.view.rotation_deg) == (Plane.OBLIQUE, (s, s, 0.0), 90.0)
    assert (oblique.view.slab_mm, oblique.view.slab_mode) == (8.0, SlabMode.MEAN)
    laid = hung_over(oblique.over, oblique.over_mode, oblique.flicker, oblique.over_look)
    assert laid is not None
    assert (laid.mode, laid.appearance.lut, laid.appearance.opacity) == (OverMode.BLEND, "viridis", 0.3)
    assert (solid.view.plane, solid.view.volume_preset, solid.view.crop[2]) == (Plane.RENDERED, "vessels", 0.5)
    assert solid.needs_volume
    assert (last.view.zoom, last.fit_exposed) == (0.8, True)
    assert habit_key(data) != habit_key({**data, "stage": [{**data["stage"][0], "layout": "3x2"}]})
    content = hanging_object(data, layout_cells, "Own", "Site", datetime(2026, 11, 23))
    assert read_hanging_object(content) == {"title": "Own", **data}


def test_thin_and_thick_sets_are_told_apart_when_they_come_back() -> None:
    thin, thick = ct("Head", 0.6), ct("Head", 5.0)
    for saved in (0, 1):
        hanging = hung("CT head", [thin, thick])
        entries = [{"modality": m, "description": d, **more} for m, d, more in (thin, thick)]
        study, sets = study_of({"study_description": "CT head", "display_set": entries})
        pane = ArrangedPane(sets[saved].display_set_id, ViewState(sets[saved].display_set_id))
        data = kept(hanging, [pane], study, sets, layout="1x1")
        swapped = study_of({"study_description": "CT head", "display_set": entries[::-1]}, "1.7")
        (found,) = hang(*swapped, protocols=with_own(data)).stages[0].panes
        assert found.display_set_id == f"1.7.{1 - saved}"


def test_what_a_pane_says_is_what_is_kept() -> None:
    description, entries, *_ = CASES["pet"]
    study, sets = study_of({"study_description": description, "display_set": entries})
    first = hang(study, sets).stages[0].panes[2]
    over = hung_over(first.over)
    state = PaneState("pane-0", first.display_set_id, first.view, Appearance(), over=over, title="t", ai=False, curve="m")
    made = arranged_pane(replace(state, fit_exposed=True), first)
    assert (made.over_id, made.over_mode, made.over_look) == (first.over, OverMode.BLEND, ("hot_iron", 0.6))
    assert (made.label, made.ai, made.curved, made.exposed) == ("t", False, True, True)
    assert made.over_preset == "pet"
    assert over is not None
    in_stored = replace(over, appearance=replace(over.appearance, window=presets_for("BQML", 0.25)[1].window))
    assert arranged_pane(replace(state, over=in_stored), first, 0.25).over_preset == "pet_wide"
    assert arranged_pane(replace(state, over=in_stored), first).over_preset == ""
    wide = hung_over("x", window="pet_wide")
    assert wide is not None
    assert wide.appearance.window == preset("pet_wide").window


def test_a_preset_of_the_readers_hand_is_kept_and_a_dragged_window_is_none(desk: Stage) -> None:
    reading = opened(desk)
    room = reading.room
    desk.until(lambda: bool(room.presets()))
    reading.command("window_preset", name="bone")
    assert room.pane(room.active).preset == "bone"
    reading.command("save_arrangement")
    (own,) = reading.hangings.own.own()
    first = reading.hangings.own.data_of(own.name)["stage"][0]["pane"][0]
    assert first["preset"] == "bone"
    room.set_window(replace(room.pane(room.active).appearance.window, width=777.0))
    assert room.pane(room.active).preset == ""
    room.reset()
    assert room.pane(room.active).preset == room.stages[room.stage].panes[0].preset


def test_next_and_previous_stage_are_there_after_saving(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        before = reading.room.stages
        reading.set_layout("2x1")
        reading.command("save_arrangement")
    with stage.stage(tmp_path / "home", None) as s:
        reading = opened(s)
        assert [x.name for x in reading.room.stages] == ["own", *(x.name for x in before[1:])]
        if len(before) > 1:
            reading.next_stage()
            assert reading.layout().name == before[1].layout
