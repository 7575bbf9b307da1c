"""A stage brings the tool that it is read with, until the reader takes another; marks stay off panes that want none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from app.dicom.hanging_object import hanging_object
from app.session.reading_room import DEFAULT_TOOL
from app.viewer.arrangement import ArrangedPane, protocol_data
from app.viewer.hanging import hang
from app.viewer.hanging_protocols import protocol_from, shipped_data, shipped_protocols
from app.viewer.layouts import layout_cells
from app.viewer.tools.registry import discover
from tests.flows import stage
from tests.session.test_reading import opened
from tests.viewer.test_hanging import study_of
from tests.viewer.test_hanging_descriptions import HEAD_SETS, hung


def own(*tools: str, layout: str = "1x1", panes: Sequence[dict[str, Any]] = ({"set": "a"},)) -> bytes:
    stages = [{"name": "all", "layout": layout, "pane": [*panes], **({"tool": tool} if tool else {})} for tool in tools]
    data: dict[str, Any] = {
        "name": "chest_ct_own1",
        "rank": 20.0,
        "match": [{"attribute": "Modality", "equals": "CT", "required": True}],
        "set": [{"name": "a", "rule": [{"attribute": "Modality", "equals": "CT", "required": True}]}],
        "stage": stages,
    }
    return hanging_object(data, layout_cells, "Own", "Site", datetime(2026, 11, 23))


def test_the_tool_of_a_stage_is_in_the_hand_until_the_reader_takes_another(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        assert reading.active_tool == DEFAULT_TOOL
        reading.hangings.own.bring(own("length", "", "crosshair", "no_such_tool"))
    with stage.stage(tmp_path / "home", None) as s:
        reading = opened(s)
        found = [reading.active_tool]
        for _ in range(3):
            reading.next_stage()
            found.append(reading.active_tool)
        assert found == ["length", DEFAULT_TOOL, "crosshair", DEFAULT_TOOL]
        assert [t.name for t in reading.tools() if t.active] == [DEFAULT_TOOL]
        reading.previous_stage()
        reading.set_tool("ellipse")
        assert reading.active_tool == "ellipse"
        for _ in range(2):
            reading.previous_stage()
            assert reading.active_tool == "ellipse"


def test_the_lines_of_the_planes_can_be_taken_while_a_stage_brings_the_crosshair(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    planes = [{"set": "a", "plane": plane, "link": "planes"} for plane in ("axial", "coronal", "sagittal")]
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        reading.hangings.own.bring(own("crosshair", layout="1+2", panes=planes))
    with stage.stage(tmp_path / "home", None) as s:
        reading = opened(s)
        assert reading.active_tool == "crosshair"
        for pane in reading.room.panes():
            made = reading.picture_request(pane.pane_id, 400, 400)()
            assert sum(getattr(p, "key", "") == "turn_handle" for p in made.decorations) == 4
        reading.set_tool("length")
        made = reading.picture_request("pane-0", 400, 400)()
        assert not any(getattr(p, "key", "") == "turn_handle" for p in made.decorations)


def test_tools_of_protocols_are_there_and_some_stages_have_them() -> None:
    known = set(discover().by_name())
    asked = {(p.name, s.name): s.tool for p in shipped_protocols().protocols for s in p.stages if s.tool}
    assert set(asked.values()) <= known
    assert asked[("head_ct", "planes")] == asked[("cbct", "planes")] == asked[("pet_ct", "fusion")] == "crosshair"
    assert asked[("mammography", "cc")] == "magnifier"
    assert asked[("tomosynthesis", "tomosynthesis")] == "scroll"
    by_name = {s.name: s.tool for s in hung("CT HEAD W/O", HEAD_SETS).stages}
    assert by_name == {"brain": "", "planes": "crosshair", "bone": ""}


def test_a_plain_pane_stands_beside_annotated_ones_and_stays_plain_when_kept() -> None:
    panes = hung("CT HEAD W/O", HEAD_SETS).stages[0].panes
    assert [p.ai for p in panes] == [True, True, False, True]
    entries = [{"modality": m, "description": d, **more} for m, d, more in HEAD_SETS]
    study, sets = study_of({"study_description": "CT HEAD W/O", "display_set": entries})
    hanging = hang(study, sets)
    kept = [ArrangedPane(p.display_set_id, p.view, p.preset, p.link, ai=p.ai) for p in hanging.stages[1].panes]
    kept[2] = ArrangedPane(kept[2].display_set_id, kept[2].view, ai=False)
    data = protocol_data("own", study, sets, (), "1+2", kept, shipped_data("head_ct"), hanging.stages[1].number)
    first = hang(study, sets, protocols=(protocol_from(data),)).stages[0]
    assert (first.tool, [p.ai for p in first.panes]) == ("crosshair", [True, True, False])
