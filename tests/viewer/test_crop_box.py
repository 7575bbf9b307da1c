"""Crop box and cube: sides move with the hand to voxel borders, letters are the patient's however the pane is turned."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry, orientation_letters
from app.domain.volume import Volume
from app.viewer.compositor import geometry_of
from app.viewer.crop_box import (
    SIDES,
    box_primitives,
    cells_along,
    dragged,
    hit,
    removed_mm,
    step_mm,
    with_removed,
    with_side,
)
from app.viewer.decorations import Style, edge_letters
from app.viewer.layers import ImageLayer
from app.viewer.orientation_cube import cube_primitives
from app.viewer.primitives import Ellipse, Line, Text
from app.viewer.tool_api import Button, PointerEvent, ToolContext
from app.viewer.tools.turn import TurnTool, turned
from app.viewer.view_state import Plane, ResolvedView, ViewState, resolve, volume_centre
from app.viewer.volume_parts import WHOLE, box_mm
from tests.viewer.scenes import FRAME, ORIGIN

SIZE = (600, 500)
AXIAL = VolumeGeometry.axial((40, 50, 64), (2.0, 1.0, 0.5), ORIGIN, FRAME)
SAGITTAL = VolumeGeometry(ORIGIN, (3.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (20, 50, 64), FRAME)
OBLIQUE = VolumeGeometry(ORIGIN, (0.0, 0.0, 2.0), (0.6, 0.8, 0.0), (0.8, -0.6, 0.0), (40, 50, 64), FRAME)
FRONT = ViewState(plane=Plane.RENDERED, oblique_row=(1.0, 0.0, 0.0), oblique_column=(0.0, 0.0, -1.0), crop_box=True)


def layer_of(geometry: VolumeGeometry) -> ImageLayer:
    return ImageLayer(volume=Volume(np.zeros(geometry.shape, np.int16), geometry, "HU"))


def shown(view: ViewState, geometry: VolumeGeometry) -> ResolvedView:
    view = replace(view, point_mm=volume_centre(geometry))
    return resolve(view, SIZE, geometry_of(layer_of(geometry), view))


def test_sides_snap_to_the_borders_of_voxels_and_never_pass_each_other() -> None:
    assert [cells_along(AXIAL, a) for a in range(3)] == [64, 50, 40]
    assert [cells_along(SAGITTAL, a) for a in range(3)] == [20, 64, 50]
    assert [cells_along(OBLIQUE, a) for a in range(3)] == [0, 0, 40]
    assert with_side(WHOLE, 0, 0.26, AXIAL)[0] == pytest.approx(17 / 64)
    assert with_side(WHOLE, 5, 0.51, SAGITTAL)[5] == pytest.approx(26 / 50)
    assert with_side(WHOLE, 0, 0.2637, OBLIQUE)[0] == pytest.approx(0.2637)
    narrow = with_side(with_side(WHOLE, 0, 0.5, AXIAL), 1, 0.1, AXIAL)
    assert narrow[:2] == (pytest.approx(0.5), pytest.approx(0.5 + 1 / 64))
    assert with_side(WHOLE, 3, 7.0, AXIAL) == WHOLE


@pytest.mark.parametrize("geometry", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"])
def test_numbers_are_what_each_side_takes_away(geometry: VolumeGeometry) -> None:
    low, high = box_mm(geometry)
    assert removed_mm(WHOLE, geometry) == (0.0,) * 6
    for side, _ in enumerate(SIDES):
        step = step_mm(geometry, side)
        crop = with_removed(WHOLE, side, 5 * step, geometry)
        taken = removed_mm(crop, geometry)
        assert taken[side] == pytest.approx(5 * step)
        assert sum(taken) == pytest.approx(5 * step)
        edge = low + (high - low) * np.asarray(crop[0::2]) if side % 2 == 0 else low + (high - low) * np.asarray(crop[1::2])
        assert edge[side // 2] == pytest.approx(
            (low if side % 2 == 0 else high)[side // 2] + (5 if side % 2 == 0 else -5) * step
        )


@pytest.mark.parametrize("geometry", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"])
def test_a_handle_is_where_it_is_drawn_and_follows_the_hand(geometry: VolumeGeometry) -> None:
    view = turned(FRONT, 35.0, 25.0, volume_centre(geometry))
    resolved = shown(view, geometry)
    crop = (0.2, 0.9, 0.1, 0.8, 0.25, 0.75)
    drawn = {p.key: p for p in box_primitives(resolved, geometry, crop, Style()) if isinstance(p, Ellipse)}
    assert len(drawn) == 6
    for side, name in enumerate(SIDES):
        handle = drawn[f"crop_handle_{name}"]
        assert hit(resolved, geometry, crop, (handle.cx, handle.cy)) == side
        # Dragged along its own axis by a fifth of the box, then looked up again: the handle is under the hand.
        low, high = box_mm(geometry)
        wanted = with_side(crop, side, crop[side] + (0.1 if side % 2 == 0 else -0.1), geometry)
        there = {p.key: p for p in box_primitives(resolved, geometry, wanted, Style()) if isinstance(p, Ellipse)}
        moved_to = there[f"crop_handle_{name}"]
        by = (moved_to.cx - handle.cx, moved_to.cy - handle.cy)
        assert dragged(resolved, geometry, crop, side, by) == pytest.approx(wanted)
        assert math.hypot(*by) > 1.0
        assert (high > low).all()
    assert hit(resolved, geometry, crop, (2.0, 2.0)) is None


def test_a_side_that_looks_at_the_reader_has_no_handle() -> None:
    resolved = shown(FRONT, AXIAL)
    drawn = box_primitives(resolved, AXIAL, WHOLE, Style())
    assert {p.key for p in drawn if isinstance(p, Ellipse)} == {
        f"crop_handle_{n}" for n in ("right", "left", "feet", "head")
    }
    assert sum(isinstance(p, Line) for p in drawn) == 12
    assert [p.text for p in drawn if isinstance(p, Text)] == ["R", "L", "F", "H"]
    assert dragged(resolved, AXIAL, WHOLE, 2, (30.0, 30.0)) == WHOLE


def test_the_turn_tool_takes_a_handle_and_turns_beside_it() -> None:
    view = replace(FRONT, point_mm=volume_centre(AXIAL))
    resolved = shown(view, AXIAL)
    context = ToolContext(resolved, layer_of(AXIAL), None, 1, (), "")
    handle = next(p for p in box_primitives(resolved, AXIAL, WHOLE, Style()) if p.key == "crop_handle_right")
    assert isinstance(handle, Ellipse)
    tool = TurnTool()
    tool.press(PointerEvent(handle.cx, handle.cy, Button.LEFT), context)
    mm = resolved.mm_per_pane_px or 1.0
    (edit,) = tool.drag(PointerEvent(handle.cx + 8.0 / mm, handle.cy + 40, Button.LEFT), context)
    assert edit.view.crop == (pytest.approx(16 / 64), 1.0, 0.0, 1.0, 0.0, 1.0)  # type: ignore[union-attr]
    assert edit.view.oblique_row == view.oblique_row  # type: ignore[union-attr]
    tool.press(PointerEvent(5, 5, Button.LEFT), context)
    (edit,) = tool.drag(PointerEvent(105, 5, Button.LEFT), context)
    assert edit.view.crop == WHOLE  # type: ignore[union-attr]
    assert edit.view.oblique_row != view.oblique_row  # type: ignore[union-attr]


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("geometry", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"])
def test_the_cube_s_letters_are_those_of_the_edges(geometry: VolumeGeometry, flips: tuple[bool, bool]) -> None:
    """Whatever the volume's grid, the pane's turn and its flips: a face towards an edge has that edge's letter."""
    for right_deg, down_deg in ((0.0, 0.0), (90.0, 0.0), (35.0, 20.0), (180.0, -40.0), (0.0, 90.0)):
        view = replace(turned(FRONT, right_deg, down_deg, None), flip_h=flips[0], flip_v=flips[1])
        resolved = shown(view, geometry)
        directions = resolved.edge_directions()
        assert directions is not None
        right, down = (np.asarray(d) for d in directions)
        towards = -np.cross(right, down)
        texts = [p for p in cube_primitives(resolved, Style()) if isinstance(p, Text)]
        nearest = max(texts, key=lambda t: t.size_px)
        assert nearest.text == orientation_letters(tuple(float(v) for v in towards))[:1]  # type: ignore[arg-type]
        middle = np.mean([(t.x, t.y) for t in texts], axis=0) if len(texts) > 1 else None
        letters = edge_letters(resolved)
        assert letters is not None
        if middle is not None and len(texts) == 3:
            rightmost = max(texts, key=lambda t: t.x)
            assert rightmost.text in letters[1] + nearest.text
    small = resolve(replace(FRONT, point_mm=volume_centre(geometry)), (150, 150), shown(FRONT, geometry).geometry)
    assert not cube_primitives(small, Style())
