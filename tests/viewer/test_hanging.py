"""Every protocol loads, hangs its own example, refuses the empty study, and says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.geometry import PlaneGeometry
from app.domain.messages import load_catalogues
from app.domain.pixels import PixelFormat
from app.domain.resources import resource_path
from app.domain.study import DisplaySet, DisplaySetKind, FrameHeader, FrameRef, Instance, Patient, Series, Study
from app.viewer.exposed import exposed_box
from app.viewer.hanging import hang
from app.viewer.hanging_protocols import HangingProtocol, load_protocols, protocol_from, shipped_protocols
from app.viewer.hanging_rules import check, rule_from
from app.viewer.layouts import grid_for, layout_cells, layout_names
from app.viewer.presets import preset, preset_name, presets_for, window_presets
from app.viewer.view_state import ImageGeometry, Plane, ViewState, resolve

PROTOCOLS = shipped_protocols().protocols
NAMED = {p.name: p for p in PROTOCOLS}
COSINES = {"axial": ((1, 0, 0), (0, 1, 0)), "sagittal": ((0, 1, 0), (0, 0, -1)), "coronal": ((1, 0, 0), (0, 0, -1))}


def study_of(example: Mapping[str, Any], uid: str = "1.2") -> tuple[Study, tuple[DisplaySet, ...]]:
    """A study made of a protocol's ``[example]``."""
    series, sets = [], []
    for n, entry in enumerate(example["display_set"]):
        frames = entry["frames"]
        plane = None
        if "plane" in entry:
            row, column = COSINES[entry["plane"]]
            plane = PlaneGeometry((0.0, 0.0, 0.0), row, column, 0.7, 0.7, 64, 64, f"{uid}.9")
        instances = tuple(
            Instance(
                f"{uid}.{n}.{k}",
                "",
                "",
                "",
                pixel_format=PixelFormat(64, 64),
                frames=(FrameHeader(plane),),
                slice_thickness_mm=entry.get("thickness"),
                laterality=entry.get("laterality", ""),
                view_position=entry.get("view_position", ""),
                convolution_kernel=entry.get("kernel", ""),
                imager_pixel_spacing_mm=entry.get("spacing"),
                patient_orientation=tuple(entry.get("orientation", ())),
            )
            for k in range(frames)
        )
        series.append(Series(f"{uid}.{n}", entry["modality"], instances, n + 1, entry.get("description", "")))
        refs = tuple(FrameRef(i.sop_instance_uid) for i in instances)
        sets.append(DisplaySet(f"{uid}.{n}", f"{uid}.{n}", uid, entry["modality"], DisplaySetKind(entry["kind"]), refs))
    return Study(uid, Patient(), tuple(series), description=example["study_description"]), tuple(sets)


def test_all_files_load() -> None:
    assert shipped_protocols().problems == ()
    assert {"chest_ct", "head_ct", "mammography", "chest_film", "panoramic", "mr", "generic"} <= set(NAMED)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_every_protocol_hangs_its_own_example_and_no_empty_study(protocol: HangingProtocol) -> None:
    study, sets = study_of(protocol.example)
    hanging = hang(study, sets)
    assert hanging.protocol == protocol.name
    assert any(p.display_set_id for p in hanging.stages[0].panes)
    assert len(hanging.stages[0].panes) == len(layout_cells(hanging.stages[0].layout))
    empty = hang(Study("1.9", Patient(), ()), (), protocols=(protocol,))
    assert (empty.protocol, empty.stages) == ("", ())
    documents = tuple(replace(s, kind=DisplaySetKind.DOCUMENT) for s in sets)
    assert hang(study, documents).protocol == "documents"


def test_chest_ct_hangs_one_and_three_with_prior() -> None:
    study, sets = study_of(NAMED["chest_ct"].example)
    prior, prior_sets = study_of(NAMED["chest_ct"].example, "1.3")
    alone = hang(study, sets).stages[0]
    assert (alone.layout, [p.view.plane for p in alone.panes]) == (
        "1+3",
        [Plane.STACK, Plane.CORONAL, Plane.SAGITTAL, Plane.STACK],
    )
    assert [p.preset for p in alone.panes] == ["lung", "lung", "lung", "mediastinum"]
    assert [p.needs_volume for p in alone.panes] == [False, True, True, False]
    with_prior = hang(study, sets, [(prior, prior_sets)])
    last = with_prior.stages[0].panes[3]
    assert (last.study_instance_uid, last.prior, last.preset) == ("1.3", True, "lung")
    assert "compare" in [s.name for s in with_prior.stages]
    assert "compare" not in [s.name for s in hang(study, sets).stages]


def test_thin_lung_series_goes_before_thick_soft_ones() -> None:
    example = {
        "study_description": "CT thorax",
        "display_set": [
            {"modality": "CT", "kind": "stack", "frames": 1, "plane": "coronal", "description": "Topogram"},
            {
                "modality": "CT",
                "kind": "stack",
                "frames": 40,
                "plane": "axial",
                "thickness": 5.0,
                "description": "Soft 5.0",
                "kernel": "B30f",
            },
            {
                "modality": "CT",
                "kind": "stack",
                "frames": 200,
                "plane": "axial",
                "thickness": 1.0,
                "description": "Lung 1.0",
                "kernel": "B70f",
            },
            {
                "modality": "CT",
                "kind": "stack",
                "frames": 100,
                "plane": "coronal",
                "thickness": 1.0,
                "description": "Lung cor",
            },
        ],
    }
    stage = hang(*study_of(example)).stages[0]
    assert [p.display_set_id for p in stage.panes] == ["1.2.2", "1.2.2", "1.2.2", "1.2.1"]


MAMMO = {
    "study_description": "Screening",
    "display_set": [
        {
            "modality": "MG",
            "kind": "images",
            "frames": 1,
            "laterality": side,
            "view_position": view,
            "spacing": spacing,
            "orientation": way,
        }
        for side, view, spacing, way in (
            ("L", "MLO", (0.07, 0.07), ("A", "F")),
            ("R", "CC", (0.07, 0.07), ("P", "L")),
            ("R", "MLO", (0.1, 0.1), ("P", "F")),
            ("L", "CC", (0.07, 0.07), ("P", "R")),
        )
    ],
}


def test_mammography_hangs_chest_wall_to_chest_wall_at_one_scale() -> None:
    study, sets = study_of(MAMMO)
    hanging = hang(study, sets, [study_of(MAMMO, "1.3")])
    panes = hanging.stages[1].panes
    assert [p.display_set_id for p in panes] == ["1.2.1", "1.2.3", "1.2.2", "1.2.0"]
    assert [p.view.anchor[0] for p in panes] == [1.0, 0.0, 1.0, 0.0]
    assert [p.view.flip_h for p in panes] == [False, True, False, False]  # only the L CC was stored the other way
    assert {p.view.fit_extent_mm for p in panes} == {(64 * 0.1, 64 * 0.1)}
    rows = hanging.stages[0]
    assert (rows.layout, [p.prior for p in rows.panes]) == ("2x4", [False] * 4 + [True] * 4)


def test_a_film_without_a_scale_claims_none_for_the_group() -> None:
    broken = {**MAMMO, "display_set": [{**MAMMO["display_set"][0], "spacing": None}, *MAMMO["display_set"][1:]]}
    assert {p.view.fit_extent_mm for p in hang(*study_of(broken)).stages[0].panes} == {None}


def test_four_views_in_one_display_set_hang_too() -> None:
    study, sets = study_of(MAMMO)
    together = DisplaySet("all", "1.2.0", "1.2", "MG", DisplaySetKind.IMAGES, tuple(s.frames[0] for s in sets))
    panes = hang(study, (together,)).stages[0].panes
    assert [(p.display_set_id, p.view.frame_index) for p in panes] == [("all", 1), ("all", 3), ("all", 2), ("all", 0)]


def test_why_did_it_hang_like_this_has_an_answer() -> None:
    study, sets = study_of(NAMED["chest_ct"].example)
    hanging = hang(study, sets)
    chosen = hanging.considered[0]
    assert (chosen.protocol, chosen.score) == ("chest_ct", hanging.score)
    by = {r.rule.attribute: r for r in chosen.rules}
    assert (by["Modality"].found, by["Modality"].passed) == ("CT", True)
    refused = next(c for c in hanging.considered if c.protocol == "mammography")
    assert refused.score is None
    assert not refused.rules[0].passed
    assert len(hanging.considered) == len(PROTOCOLS)


def test_a_grid_holds_nine_at_most_and_leaves_few_panes_empty() -> None:
    entry = {"modality": "MR", "kind": "stack", "frames": 3, "plane": "axial"}
    for n, layout in ((1, "1x1"), (2, "1x2"), (3, "1x3"), (4, "2x2"), (5, "2x3"), (7, "2x4"), (14, "3x3")):
        stage = hang(*study_of({"study_description": "", "display_set": [entry] * n})).stages[0]
        assert stage.layout == layout == grid_for(n)
    assert grid_for(3, 16 / 9) == "2x2"
    assert grid_for(2, 3.0) == "2x1"
    assert grid_for(3, 0.75) == "1x3"


def test_a_slice_stored_upside_down_stands_upright_and_an_oblique_one_as_it_was() -> None:
    study, sets = study_of(
        {"study_description": "", "display_set": [{"modality": "CT", "kind": "stack", "frames": 5, "plane": "axial"}]}
    )

    def hung(row: tuple, column: tuple) -> tuple:
        plane = PlaneGeometry((0.0, 0.0, 0.0), row, column, 0.7, 0.7, 64, 64, "1.9")
        first = study.series[0]
        turned = replace(first, instances=tuple(replace(i, frames=(FrameHeader(plane),)) for i in first.instances))
        view = hang(replace(study, series=(turned,)), sets).stages[0].panes[0].view
        resolved = resolve(view, (300, 300), ImageGeometry.of_plane(plane))
        return (view.rotation_deg, view.flip_h), resolved.edge_directions()

    way, (right, down) = hung((1, 0, 0), (0, -1, 0))  # feet-first of a converter: the back is at the top
    assert way == (180.0, True)
    assert right == pytest.approx((1, 0, 0), abs=1e-9)
    assert down == pytest.approx((0, 1, 0), abs=1e-9)
    way, (right, down) = hung((-1, 0, 0), (0, -1, 0))  # prone
    assert way == (180.0, False)
    assert down == pytest.approx((0, 1, 0), abs=1e-9)
    way, (right, down) = hung((0, 0, 1), (0, -1, 0))  # sagittal, lying on the face
    assert (right, down) == (pytest.approx((0, 1, 0), abs=1e-9), pytest.approx((0, 0, -1), abs=1e-9))
    assert hung((1, 0, 0), (0, 1, 0))[0] == (0.0, False)
    s = 0.5**0.5
    assert hung((-1, 0, 0), (0, -s, -s))[0] == (0.0, False)


def test_a_panoramic_film_is_to_fit_its_exposed_field_and_no_other_pane_is() -> None:
    (pane,) = hang(*study_of(NAMED["panoramic"].example)).stages[0].panes
    assert (pane.fit_exposed, pane.guessed) == (True, False)
    assert not any(p.fit_exposed or p.guessed for p in hang(*study_of(MAMMO)).stages[0].panes)


def test_a_film_fits_its_exposed_field() -> None:
    values = np.full((100, 200), 1023, np.uint16)
    assert exposed_box(values) is None
    values[20:90, 30:180] = np.arange(150) * 3
    assert exposed_box(values) == (30.0, 20.0, 180.0, 90.0)
    view = ViewState(fit_box=(30.0, 20.0, 180.0, 90.0))
    resolved = resolve(view, (300, 300), ImageGeometry(200, 100))
    assert resolved.px_to_pane(30, 20) == pytest.approx((0.0, 80.0))
    assert resolved.px_to_pane(180, 90) == pytest.approx((300.0, 220.0))
    assert exposed_box(np.arange(20000).reshape(100, 200)) is None
    values[:] = 7
    values[50, 100] = 9
    assert exposed_box(values) is None  # a speck is no field


def test_the_outer_side_of_a_cc_view_is_on_top_however_it_was_stored() -> None:
    def hung(side: str, orientation: list[str], view: str = "CC") -> tuple[bool, bool]:
        entry = {"modality": "MG", "kind": "images", "frames": 1, "view_position": view}
        both = [{**entry, "laterality": s, "orientation": orientation} for s in "RL"]
        panes = hang(*study_of({"study_description": "", "display_set": both})).stages[0].panes
        chosen = next(p for p in panes if p.display_set_id == f"1.2.{'RL'.index(side)}")
        return chosen.view.flip_h, chosen.view.flip_v

    assert hung("R", ["P", "L"]) == (False, False)  # outer (R) on top of the right breast
    assert hung("R", ["P", "R"]) == (False, True)
    assert hung("L", ["A", "R"]) == (False, False)
    assert hung("L", ["P", "L"]) == (True, True)
    assert hung("R", ["P", "HR"], "MLO") == (False, True)


def test_a_single_view_of_a_breast_hangs_with_its_chest_wall_at_the_edge() -> None:
    entry = {"modality": "MG", "kind": "images", "frames": 1, "view_position": "MLO", "orientation": ["P", "FL"]}
    right = hang(*study_of({"study_description": "", "display_set": [{**entry, "laterality": "R"}]})).stages[0]
    left = hang(*study_of({"study_description": "", "display_set": [{**entry, "laterality": "L"}]})).stages[0]
    assert (right.layout, right.panes[0].view.anchor, right.panes[0].view.flip_h) == ("1x1", (1.0, 0.5), False)
    assert (left.panes[0].view.anchor, left.panes[0].view.flip_h) == ((0.0, 0.5), True)
    both = [{**entry, "laterality": "R"}, {**entry, "laterality": "L", "view_position": "CC"}]
    stage = hang(*study_of({"study_description": "", "display_set": both})).stages[0]
    assert stage.layout == "1x2"
    assert all(p.display_set_id for p in stage.panes)


@pytest.mark.parametrize(
    ("entry", "found", "passed"),
    [
        ({"equals": "CT"}, ("CT", "SR"), True),
        ({"equals": "CT"}, "", False),
        ({"contains_any": ["chest"]}, "LDCT Chest", True),
        ({"lacks": ["bone"]}, ("Bone 1.0",), False),
        ({"lacks": ["bone"]}, "", True),
        ({"at_most": 2.5}, 2.5, True),
        ({"at_most": 2.5}, None, False),
        ({"at_least": 2}, "3", False),
        ({"exists": True}, "", False),
        ({"exists": False}, None, True),
    ],
)
def test_rules(entry: dict, found: object, passed: bool) -> None:
    assert check(rule_from({"attribute": "Modality", **entry}), found) is passed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name = 1",
        "not toml",
        'name="x"\ngrid=true\n[[match]]\nattribute="PatientName"\nequals="x"',
        'name="x"\ngrid=true\n[[match]]\nattribute="Modality"',
    ],
)
def test_a_broken_file_is_told_by_name_and_the_rest_still_hang(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.toml").write_text(text)
    (tmp_path / "good.toml").write_text(resource_path("hanging_protocols", "generic.toml").read_text())
    found = load_protocols(tmp_path)
    assert [p.name for p in found.protocols] == ["generic"]
    assert found.problems[0].params["file"] == "broken.toml"


def test_panes_that_do_not_fit_or_exist_are_refused() -> None:
    base = {"name": "x", "match": [{"attribute": "Modality", "equals": "CT"}], "set": [{"name": "a"}]}
    for stage in (
        {"name": "s", "layout": "1x1", "pane": [{"set": "a"}, {"set": "a"}]},
        {"name": "s", "layout": "1x1", "pane": [{"set": "b"}]},
        {"name": "s", "layout": "9x9", "pane": [{"set": "a"}]},
        {"name": "s", "layout": "1x1", "pane": [{"set": "a", "preset": "nope"}]},
    ):
        with pytest.raises(ValueError, match=r"."):
            protocol_from({**base, "stage": [stage]})


def test_layouts_fill_the_room() -> None:
    for name in layout_names():
        assert sum(w * h for _, _, w, h in layout_cells(name)) == pytest.approx(1.0)


def test_presets_belong_to_a_unit() -> None:
    assert presets_for("") == ()
    assert {p.name for p in presets_for("HU")} >= {"lung", "brain", "bone"}
    assert preset_name(preset("lung").window, "HU") == "lung"
    assert preset_name(preset("lung").window, "") == ""
    keys = [(p.unit, p.key) for p in window_presets() if p.key]
    assert len(keys) == len(set(keys))


def test_every_word_of_the_viewer_is_there_in_three_languages() -> None:
    from app.viewer.actions import ACTIONS
    from app.viewer.tools.registry import discover

    wanted = {f"hanging.{p.name}" for p in PROTOCOLS} | {f"preset.{p.name}" for p in window_presets()}
    wanted |= {f"hanging.stage.{s.name}" for p in PROTOCOLS for s in p.stages}
    wanted |= {pane.label for p in PROTOCOLS for s in p.stages for pane in s.panes if pane.label}
    wanted |= {f"tool.{t.name}" for t in discover().tools} | {f"action.{a}" for a in ACTIONS}
    wanted |= {f"viewer.plane.{p.value}" for p in Plane if p is not Plane.STACK}
    catalogues = load_catalogues(resource_path("i18n", "messages"))
    for language in ("en", "ru", "kk"):
        assert wanted - set(catalogues[language]) == set()
