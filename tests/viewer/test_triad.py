"""Three planes taken by their lines: turned ones stay at right angles, a moved one moves alone, landmarks stay in place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from app.domain.geometry import Point2, Point3, VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.viewer.compositor import Picture, geometry_of, render
from app.viewer.decorations import Style, decorate
from app.viewer.edits import SetPoint, SetView, SetViews, StepSlab
from app.viewer.layers import ImageLayer
from app.viewer.pane_info import PaneInfo
from app.viewer.primitives import Line, Text
from app.viewer.slabs import least_mm, stepped_mm, usual_mm
from app.viewer.slice_sampler import normal_of
from app.viewer.tool_api import PointerEvent, Tool, ToolContext
from app.viewer.tools.crosshair import CrosshairTool
from app.viewer.tools.slab import SlabTool
from app.viewer.tools.turn import TurnTool
from app.viewer.triad import (
    Fellow,
    cross_lines,
    handles,
    meeting_point,
    plane_name,
    shown_point,
    triad_primitives,
    view_along,
)
from app.viewer.view_state import Appearance, Plane, ResolvedView, SlabMode, ViewState, plane_axes, resolve
from tests.viewer.scenes import centroid, geometries, landmark_volume

SIZE = (420, 360)
KINDS = ("anisotropic", "tilted", "oblique", "flipped", "coronal")


@dataclass
class Room:
    """Panes of one volume: edits of a tool change them as the session would."""

    volume: Volume
    views: dict[str, ViewState] = field(default_factory=dict)

    @property
    def layer(self) -> ImageLayer:
        return ImageLayer(Appearance(VoiWindow(1000, 2000)), volume=self.volume)

    def resolved(self, pane: str) -> ResolvedView:
        return resolve(self.views[pane], SIZE, geometry_of(self.layer, self.views[pane]))

    def fellows(self, pane: str) -> tuple[Fellow, ...]:
        return tuple(Fellow(i, v) for i, v in self.views.items() if i != pane)

    def context(self, pane: str) -> ToolContext:
        return ToolContext(self.resolved(pane), self.layer, VoiWindow(1000, 2000), fellows=self.fellows(pane))

    def drag(self, pane: str, tool: Tool, start: Point2, end: Point2, **keys: bool) -> None:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        for kind, at in (("press", start), ("drag", middle), ("drag", end), ("release", end)):
            for edit in getattr(tool, kind)(PointerEvent(*at, **keys), self.context(pane)):
                if isinstance(edit, SetView):
                    self.views[pane] = edit.view
                elif isinstance(edit, SetViews):
                    self.views.update(edit.views)
                elif isinstance(edit, SetPoint):
                    self.views[pane] = replace(self.views[pane], point_mm=edit.point_mm)

    def normals(self) -> np.ndarray:
        return np.array([normal_of(v) for v in self.views.values()])

    def picture(self, pane: str) -> Picture:
        return render(self.views[pane], [self.layer], SIZE)


def middle_voxel(geometry: VolumeGeometry) -> Point3:
    return geometry.to_patient((12.0, 21.0, 23.0))


def room(kind: str = "anisotropic") -> Room:
    geometry = geometries()[kind]
    point = middle_voxel(geometry)
    views = {p.value: ViewState("set", p, point_mm=point) for p in (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)}
    return Room(landmark_volume(geometry, point), views)


def line_of(r: Room, pane: str, other: str) -> tuple[Point2, Point2]:
    """(a place on the line well away from handles and meeting point, its handle)."""
    found = next(x for x in cross_lines(r.resolved(pane), r.volume.geometry, r.fellows(pane)) if x.pane_id == other)
    return found.point(0.17 * min(SIZE)), handles(found, r.resolved(pane))[1]


def assert_landmark_in_place(r: Room, point: Point3) -> None:
    for pane in r.views:
        picture = r.picture(pane)
        x, y, away = picture.resolved.patient_to_pane(point)  # type: ignore[misc]
        mm = picture.resolved.mm_per_pane_px
        assert mm is not None
        assert abs(away) < 1e-6, f"{pane} does not go through the landmark"
        found = centroid(picture.pixels)
        assert math.hypot(found[0] - x, found[1] - y) * mm < 0.15, pane


@pytest.mark.parametrize("kind", KINDS)
def test_planes_turned_by_a_handle_and_by_a_drag_stay_at_right_angles_on_the_landmark(kind: str) -> None:
    r = room(kind)
    point = middle_voxel(r.volume.geometry)
    before = dict(r.views)
    _, handle = line_of(r, "axial", "coronal")
    centre = r.resolved("axial").patient_to_pane(point)
    assert centre is not None
    a = math.atan2(handle[1] - centre[1], handle[0] - centre[0]) + math.radians(33.0)
    reach = math.dist(handle, centre[:2])
    r.drag("axial", CrosshairTool(), handle, (centre[0] + reach * math.cos(a), centre[1] + reach * math.sin(a)))
    assert r.views["axial"] == before["axial"], "the pane whose lines were taken turned itself"
    turned = math.degrees(math.acos(abs(float(np.dot(normal_of(before["coronal"]), normal_of(r.views["coronal"]))))))
    assert turned == pytest.approx(33.0, abs=0.01)
    assert np.abs(r.normals() @ r.normals().T - np.eye(3)).max() < 1e-9
    assert_landmark_in_place(r, point)
    # The picture of another plane is tilted under the hand: the others go with it.
    r.drag("sagittal", TurnTool(), (200, 150), (237, 122))
    assert all(v.plane is Plane.OBLIQUE for v in r.views.values())
    assert np.abs(r.normals() @ r.normals().T - np.eye(3)).max() < 1e-9
    assert np.allclose(meeting_point(r.volume.geometry, r.views["axial"], r.fellows("axial")), point, atol=1e-6)
    assert_landmark_in_place(r, point)
    told = {p.key: p.text for p in decorate(r.resolved("axial"), PaneInfo(), TEXTS) if isinstance(p, Text)}
    assert "interpolated" in told["zoom"]


TEXTS = {"viewer.interpolated": "interpolated", "viewer.zoom": "{value}x", "viewer.plane.coronal": "Coronal"}


def test_the_scale_does_not_breathe_while_planes_turn() -> None:
    r = room()
    scale = r.resolved("coronal").mm_per_pane_px
    _, handle = line_of(r, "axial", "coronal")
    r.drag("axial", CrosshairTool(), handle, (handle[0] - 30, handle[1] + 90))
    assert r.resolved("coronal").mm_per_pane_px == pytest.approx(scale, rel=1e-9)


def test_with_shift_a_turn_goes_by_steps_of_five_degrees() -> None:
    r = room()
    _, handle = line_of(r, "axial", "coronal")
    r.drag("axial", CrosshairTool(), handle, (handle[0] - 7, handle[1] + 40), shift=True)
    angle = math.degrees(math.acos(abs(normal_of(r.views["coronal"])[1])))
    assert angle == pytest.approx(5.0 * round(angle / 5.0), abs=1e-9)
    assert angle > 4.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_moves_its_own_plane_only(kind: str) -> None:
    r = room(kind)
    geometry = r.volume.geometry
    before = {i: shown_point(geometry, v) for i, v in r.views.items()}
    on_line, _ = line_of(r, "axial", "coronal")
    r.drag("axial", CrosshairTool(), on_line, (on_line[0] + 25, on_line[1] + 40))
    mm = r.resolved("axial").mm_per_pane_px
    assert mm is not None
    gone = {i: abs(float((shown_point(geometry, v) - before[i]) @ np.asarray(normal_of(v)))) for i, v in r.views.items()}
    slice_mm = max(geometry.spacing_mm)
    assert gone["coronal"] == pytest.approx(40 * mm, abs=slice_mm / 2 + 1e-6)
    assert gone["sagittal"] < 1e-6
    assert gone["axial"] < 1e-6


def test_the_meeting_point_moves_all_planes_and_a_click_goes_where_it_points() -> None:
    r = room("tilted")
    geometry = r.volume.geometry
    wanted = geometry.to_patient((12.0, 15.0, 31.0))
    centre = r.resolved("axial").patient_to_pane(middle_voxel(geometry))
    on_axial = np.asarray(wanted) * (1, 1, 0) + np.asarray(middle_voxel(geometry)) * (0, 0, 1)
    to = r.resolved("axial").patient_to_pane(tuple(on_axial))  # type: ignore[arg-type]
    assert centre is not None
    assert to is not None
    r.drag("axial", CrosshairTool(), (centre[0] + 3, centre[1] - 4), (to[0] + 3, to[1] - 4))
    found = meeting_point(geometry, r.views["axial"], r.fellows("axial"))
    assert np.allclose(found, on_axial, atol=1e-6), "the planes meet where the hand let go"
    # A click beside a line, without a move, is a click.
    on_line, _ = line_of(r, "axial", "sagittal")
    at = r.resolved("axial").pane_to_patient(on_line[0] + 3, on_line[1])
    r.drag("axial", CrosshairTool(), (on_line[0] + 3, on_line[1]), (on_line[0] + 3, on_line[1]))
    assert at is not None
    assert np.allclose(meeting_point(geometry, r.views["axial"], r.fellows("axial")), at, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_lines_lie_where_the_planes_cut(kind: str) -> None:
    r = room(kind)
    r.views["coronal"] = replace(r.views["coronal"], slab_mm=6.0)
    r.drag("sagittal", TurnTool(), (200, 150), (215, 190))
    for pane in r.views:
        resolved, fellows = r.resolved(pane), r.fellows(pane)
        drawn = triad_primitives(resolved, r.volume.geometry, fellows, Style(), TEXTS, True)
        lines = [p for p in drawn if isinstance(p, Line)]
        planes = [(np.asarray(normal_of(f.view)), shown_point(r.volume.geometry, f.view), f.view.slab_mm) for f in fellows]
        assert {p.key for p in lines} >= {"plane_line"}
        for line in lines:
            ends = [np.asarray(resolved.pane_to_patient(x, y)) for x, y in ((line.x0, line.y0), (line.x1, line.y1))]
            offset = 3.0 if line.key == "slab_line" else 0.0
            away = [max(abs(abs(float((e - p) @ n)) - offset) for e in ends) for n, p, mm in planes if mm > 0 or not offset]
            assert min(away) < 1e-6, line.key
        slabs = sum(p.key == "slab_line" for p in lines)
        assert slabs == (0 if pane == "coronal" else 2)
        assert sum(getattr(p, "key", "") == "turn_handle" for p in drawn) == 4


def test_acquired_frames_become_the_plane_that_they_lie_in() -> None:
    grids = geometries()
    view = ViewState("set", frame_index=3)
    assert view_along(view, grids["anisotropic"].plane(3)).plane is Plane.AXIAL
    assert view_along(view, grids["coronal"].plane(3)).plane is Plane.CORONAL
    flipped = view_along(view, grids["flipped"].plane(3))
    assert (flipped.plane, plane_name(flipped)) == (Plane.OBLIQUE, Plane.AXIAL)
    assert plane_axes(flipped) == (grids["flipped"].plane(3).row_cosines, grids["flipped"].plane(3).column_cosines)
    leaning = view_along(view, grids["oblique"].plane(3))
    assert plane_name(leaning) is Plane.OBLIQUE
    # Its slab is made of whole slices: nothing is resampled within them.
    volume = landmark_volume(grids["oblique"], grids["oblique"].to_patient((3.0, 20.0, 24.0)))
    thick = replace(leaning, point_mm=grids["oblique"].to_patient((3.0, 20.0, 24.0)), slab_mm=5.0, slab_mode=SlabMode.MEAN)
    layer = ImageLayer(Appearance(VoiWindow(1000, 2000)), volume=volume)
    flat = geometry_of(layer, thick)
    assert (flat.columns, flat.rows) == (48, 40)


def test_slabs_go_by_steps_that_show_something() -> None:
    grid = geometries()["anisotropic"]
    axial, oblique = (
        ViewState("set", Plane.AXIAL),
        replace(ViewState("set"), plane=Plane.OBLIQUE, oblique_row=(0.6, 0.8, 0.0)),
    )
    oblique = replace(oblique, oblique_column=(0.0, 0.0, -1.0))
    assert least_mm(grid, axial) == 5.0, "half of it must reach the next slice"
    assert least_mm(grid, oblique) == 0.0
    assert least_mm(None, ViewState("set"), (grid.plane(0), grid.plane(1))) == pytest.approx(5.0)
    assert [stepped_mm(now, 1, 5.0) for now in (0.0, 5.0, 9.0, 600.0, 700.0)] == [5.0, 6.0, 10.0, 600.0, 700.0]
    assert [stepped_mm(now, -1, 5.0) for now in (0.0, 5.0, 9.0, 700.0)] == [0.0, 0.0, 8.0, 600.0]
    assert stepped_mm(3.0, -9, 0.0) == 0.0
    assert (usual_mm(0.0), usual_mm(11.0)) == (10.0, 12.0)
    tool, context = SlabTool(), ToolContext(resolve(axial, SIZE, geometry_of(room().layer, axial)), room().layer)
    assert tool.wheel(PointerEvent(5, 5, wheel=2.0), context) == (StepSlab(2),)
    tool.press(PointerEvent(5, 100), context)
    assert tool.drag(PointerEvent(5, 50), context) == (StepSlab(2),)
    assert tool.release(PointerEvent(5, 50), context) == ()
