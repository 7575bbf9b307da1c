"""Linked panes by frame of reference."""

from __future__ import annotations

from dataclasses import replace

from app.domain.pixels import VoiWindow
from app.viewer.linking import LinkedPane, go_to, linked_camera, linked_point, linked_scroll, linked_window, nearest_frame
from app.viewer.view_state import Plane, ViewState
from tests import phantoms

GRID = phantoms.geometry()
PLANES = tuple(GRID.plane(k) for k in range(GRID.shape[0]))
STACK = LinkedPane("a", ViewState("s", frame_index=3), "g", PLANES, unit="HU", modality="CT", window=VoiWindow(40, 400))
THICK = LinkedPane("b", ViewState("t", frame_index=0), "g", PLANES[::3], unit="HU", modality="CT", window=VoiWindow(40, 400))
CORONAL = LinkedPane(
    "c", ViewState("s", Plane.CORONAL), "g", volume=GRID, unit="HU", modality="CT", window=VoiWindow(-600, 1500)
)


def test_parallel_stacks_follow_to_the_nearest_slice() -> None:
    out = linked_scroll(replace(STACK, view=replace(STACK.view, frame_index=8)), (STACK, THICK, CORONAL))
    assert {k: v.frame_index for k, v in out.items()} == {"b": 3}


def test_other_frames_of_reference_do_not_follow_without_an_offset() -> None:
    other = tuple(replace(p, frame_of_reference_uid="9.9") for p in PLANES)
    pane = replace(THICK, planes=other)
    source = replace(STACK, view=replace(STACK.view, frame_index=8))
    assert linked_scroll(source, (pane,)) == {}
    by_hand = replace(pane, offset_mm=(0.0, 0.0, 2.5))
    assert linked_scroll(source, (by_hand,))["b"].frame_index == 9
    assert linked_scroll(replace(source, group=""), (THICK,)) == {}


def test_the_crosshair_moves_every_plane() -> None:
    point = GRID.to_patient((7.0, 10.0, 30.0))
    out = linked_point("x", point, GRID.frame_of_reference_uid, (STACK, THICK, CORONAL))
    assert out["a"].frame_index == 7
    assert out["c"].point_mm == point
    assert linked_point("x", point, "", (STACK, CORONAL)) == {}
    assert go_to(replace(STACK, planes=(None, None)), point) == STACK.view


def test_camera_and_window_follow_only_where_they_mean_something() -> None:
    zoomed = replace(STACK, view=replace(STACK.view, zoom=2.0, pan=(0.1, 0.0)))
    out = linked_camera(zoomed, (STACK, THICK, CORONAL))
    assert set(out) == {"b"}
    right = LinkedPane("r", ViewState(anchor=(1.0, 0.5), zoom=2.0, pan=(0.1, 0.2)), "m")
    left = LinkedPane("l", ViewState(anchor=(0.0, 0.5)), "m")
    assert linked_camera(right, (left,))["l"].pan == (-0.1, 0.2)
    assert linked_window(STACK, (STACK, THICK, CORONAL)) == ("b",)
    assert linked_window(STACK, (replace(THICK, unit="", modality="MR"),)) == ()


def test_the_nearest_frame_is_that_of_the_distances_one_by_one() -> None:
    grid = phantoms.geometry((23, 30, 34))
    planes = (None, *(grid.plane(k) for k in (5, 0, 22, 7, 5, 11)), None)
    for k in (-3.0, 0.2, 4.9, 6.2, 9.4, 30.0):
        point = grid.to_patient((k, 3.0, 28.0))
        distances = {n: abs(p.to_index(point)[2]) for n, p in enumerate(planes) if p is not None}
        assert nearest_frame(planes, point) == min(distances, key=lambda n: (round(distances[n], 6), n))
    assert nearest_frame((None, None), (0.0, 0.0, 0.0)) is None
