"""Tools without a window: every tool survives a drag in every plane; what they leave is exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from app.domain.measurement import Annotation, MarkShape, Quantity
from app.domain.pixels import FramePixels, Lut, VoiWindow
from app.viewer.compositor import geometry_of
from app.viewer.edits import (
    HideProbe,
    PutAnnotation,
    RemoveAnnotation,
    SelectAnnotation,
    SetAppearance,
    SetPoint,
    SetView,
    ShowProbe,
)
from app.viewer.layers import ImageLayer
from app.viewer.placement import points_on
from app.viewer.tool_api import PointerEvent, Tool, ToolContext, ToolSpec
from app.viewer.tools.registry import discover
from app.viewer.tools.select import remove_selected
from app.viewer.view_state import Appearance, ImageGeometry, Plane, ViewState, resolve
from tests import phantoms

TOOLS = discover().tools
NAMED = {t.name: t for t in TOOLS}
SIZE = (240, 200)
VOLUME = replace(phantoms.ramp_volume(), source_sop_instance_uids=tuple(f"1.2.{k}" for k in range(phantoms.SHAPE[0])))
WINDOW = VoiWindow(40, 400)


def context(view: ViewState, layer: ImageLayer | None = None, **fields: object) -> ToolContext:
    layer = layer or ImageLayer(Appearance(WINDOW), volume=VOLUME)
    ids = count(1)
    resolved = resolve(view, SIZE, geometry_of(layer, view))
    return ToolContext(resolved, layer, WINDOW, 12, new_id=lambda: f"2.25.{next(ids)}", **fields)


def film(calibrated: bool = True) -> ImageLayer:
    values = np.arange(50 * 60, dtype=np.int16).reshape(50, 60)
    return ImageLayer(
        Appearance(WINDOW), FramePixels(values, "HU"), ImageGeometry(60, 50, 0.8, 0.5, calibrated), sop_instance_uid="1.9"
    )


def at_px(c: ToolContext, x: float, y: float, **fields: object) -> PointerEvent:
    px, py = c.resolved.px_to_pane(x, y)
    return PointerEvent(px, py, **fields)


def drag(tool: Tool, c: ToolContext, a: tuple[float, float], b: tuple[float, float]) -> tuple:
    """Press, two moves, release, at image px; all edits."""
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    out = tool.press(at_px(c, *a), c)
    for p in (middle, b):
        out += tool.drag(at_px(c, *p), c)
    return out + tool.release(at_px(c, *b), c)


def kept(edits: tuple) -> list[Annotation]:
    return [e.annotation for e in edits if isinstance(e, PutAnnotation) and not e.provisional]


def test_every_tool_file_loads() -> None:
    found = discover()
    assert found.problems == ()
    wanted = {
        "window",
        "zoom",
        "pan",
        "scroll",
        "probe",
        "length",
        "bidirectional",
        "angle",
        "ellipse",
        "rectangle",
        "arrow",
        "select",
    }
    assert wanted <= set(found.by_name())


@pytest.mark.parametrize("spec", TOOLS, ids=lambda t: t.name)
@pytest.mark.parametrize("plane", [p for p in Plane if p is not Plane.CURVED])
def test_every_tool_survives_a_gesture_in_every_plane(spec: ToolSpec, plane: Plane) -> None:
    view = ViewState(plane=plane, oblique_row=(0.6, 0.8, 0.0), oblique_column=(0.0, 0.0, -1.0), rotation_deg=90, flip_h=True)
    c = context(view)
    for a, b in (((50.0, 60.0), (120.0, 130.0)), ((-20.0, 5.0), (900.0, 900.0)), ((60.0, 60.0), (60.0, 60.0))):
        tool = spec.make()
        press, release = PointerEvent(*a), PointerEvent(*b)
        edits = tool.drag(press, c) + tool.release(press, c) if spec.name not in ("window",) else ()
        assert kept(edits) == []
        edits = tool.press(press, c) + tool.drag(release, c) + tool.release(release, c)
        edits += tool.hover(press, c) + tool.wheel(replace(press, wheel=-1.0), c) + tool.cancel()
        for edit in edits:
            if isinstance(edit, SetView):
                resolve(edit.view, SIZE, geometry_of(c.layer, edit.view))
            if isinstance(edit, PutAnnotation):
                assert edit.annotation.placement.points_mm


def test_length_is_exact_on_unequal_spacing() -> None:
    c = context(ViewState(), film())
    (mark,) = kept(drag(NAMED["length"].make(), c, (10.0, 10.0), (25.0, 26.0)))
    (m,) = mark.measurements
    assert (m.quantity, m.value, m.unit) == (Quantity.LENGTH, pytest.approx(np.hypot(12.0, 8.0)), "mm")
    assert mark.placement.sop_instance_uid == "1.9"
    assert mark.placement.points_px == (pytest.approx((10.0, 10.0)), pytest.approx((25.0, 26.0)))
    uncalibrated = kept(drag(NAMED["length"].make(), context(ViewState(), film(False)), (10.0, 10.0), (10.0, 26.0)))[0]
    assert (uncalibrated.measurements[0].unit, uncalibrated.measurements[0].calibrated) == ("px", False)


@pytest.mark.parametrize("plane", [Plane.STACK, Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.OBLIQUE])
def test_length_in_a_volume_is_the_distance_in_the_patient(plane: Plane) -> None:
    c = context(
        ViewState(plane=plane, frame_index=4, oblique_row=(0.6, 0.8, 0.0), oblique_column=(0.0, 0.0, -1.0), flip_v=True)
    )
    g = c.resolved.geometry
    (mark,) = kept(drag(NAMED["length"].make(), c, (g.columns * 0.3, g.rows * 0.4), (g.columns * 0.7, g.rows * 0.6)))
    a, b = (np.asarray(p) for p in mark.placement.points_mm)
    assert mark.measurements[0].value == pytest.approx(float(np.linalg.norm(a - b)))
    assert mark.placement.frame_of_reference_uid == VOLUME.geometry.frame_of_reference_uid


def test_a_mark_on_an_axial_plane_belongs_to_its_acquired_slice_and_is_seen_there() -> None:
    point = VOLUME.geometry.to_patient((5.0, 20.0, 20.0))
    c = context(ViewState(plane=Plane.AXIAL, point_mm=point))
    (mark,) = kept(drag(NAMED["length"].make(), c, (10.0, 12.0), (30.0, 28.0)))
    assert mark.placement.sop_instance_uid == "1.2.5"
    stack = ViewState(plane=Plane.STACK, frame_index=5)
    seen = resolve(stack, SIZE, geometry_of(c.layer, stack))
    assert points_on(mark.placement, c.layer, seen) == (pytest.approx((10.0, 12.0)), pytest.approx((30.0, 28.0)))
    beside = resolve(replace(stack, frame_index=6), SIZE, geometry_of(c.layer, replace(stack, frame_index=6)))
    assert points_on(mark.placement, c.layer, beside) is None
    plane = VOLUME.geometry.plane(5)
    frame = ImageLayer(frame=FramePixels(VOLUME.voxels[5]), geometry=ImageGeometry.of_plane(plane), sop_instance_uid="1.2.5")
    as_frame = resolve(ViewState(frame_index=5), SIZE, frame.geometry)
    assert points_on(mark.placement, frame, as_frame) == mark.placement.points_px


@pytest.mark.parametrize("name", ["ellipse", "rectangle"])
def test_regions_measure_modality_values(name: str) -> None:
    c = context(ViewState(rotation_deg=90, zoom=1.3), film())
    (mark,) = kept(drag(NAMED[name].make(), c, (10.0, 10.0), (20.0, 18.0)))
    by = {m.quantity: m for m in mark.measurements}
    values = c.layer.frame.values[10:18, 10:20].astype(float)
    if name == "rectangle":
        assert by[Quantity.COUNT].value == 80
        assert by[Quantity.MEAN].value == pytest.approx(values.mean())
        assert by[Quantity.STANDARD_DEVIATION].value == pytest.approx(values.std())
    assert by[Quantity.MEAN].unit == "[hnsf'U]"
    assert by[Quantity.AREA].value == pytest.approx(8.0 * 4.0 * (np.pi / 4 if name == "ellipse" else 1))


def test_two_strokes_make_a_bidirectional_at_right_angles() -> None:
    c = context(ViewState(), film())
    tool = NAMED["bidirectional"].make()
    assert kept(drag(tool, c, (10.0, 10.0), (30.0, 20.0))) == []  # the long axis alone is no measurement
    (mark,) = kept(drag(tool, c, (18.0, 10.0), (22.0, 30.0)))
    p = np.asarray(mark.placement.points_px) * [0.8, 0.5]
    assert mark.shape is MarkShape.BIDIRECTIONAL
    assert float((p[1] - p[0]) @ (p[3] - p[2])) == pytest.approx(0.0, abs=1e-9)
    again = NAMED["bidirectional"].make()
    drag(again, c, (10.0, 10.0), (30.0, 20.0))
    assert again.cancel() == (RemoveAnnotation("2.25.2"),)


def test_angle_takes_a_stroke_and_a_click() -> None:
    c = context(ViewState(), film())
    tool = NAMED["angle"].make()
    drag(tool, c, (30.0, 10.0), (10.0, 10.0))
    assert isinstance(tool.hover(at_px(c, 10.0, 30.0), c)[0], PutAnnotation)
    click = at_px(c, 10.0, 30.0)
    (mark,) = kept(tool.press(click, c) + tool.release(click, c))
    assert mark.measurements[0].value == pytest.approx(90.0)


def test_a_slip_of_the_hand_leaves_nothing() -> None:
    c = context(ViewState(), film())
    assert drag(NAMED["length"].make(), c, (10.0, 10.0), (10.2, 10.2))[-1] == RemoveAnnotation("2.25.1")


def test_probe_shows_the_stored_value_and_a_click_keeps_it() -> None:
    c = context(ViewState(), film())
    tool = NAMED["probe"].make()
    event = at_px(c, 7.9, 3.1)
    (shown,) = tool.hover(event, c)
    assert isinstance(shown, ShowProbe)
    assert shown.measurements[0].value == 3 * 60 + 7
    (mark,) = kept(tool.press(event, c) + tool.release(event, c))
    assert mark.shape is MarkShape.POINT
    assert tool.hover(PointerEvent(0.1, 0.1), context(ViewState(zoom=0.3), film())) == (HideProbe(),)


def test_handles_and_bodies_are_moved_with_new_values() -> None:
    c = context(ViewState(), film())
    (mark,) = kept(drag(NAMED["length"].make(), c, (10.0, 10.0), (20.0, 10.0)))
    c = replace(c, annotations=(mark,), selected_id=mark.annotation_id)
    for name in ("select", "ellipse"):  # a drawing tool takes the handle too
        edits = drag(NAMED[name].make(), c, (20.0, 10.0), (30.0, 10.0))
        assert edits[0] == SelectAnnotation(mark.annotation_id)
        (moved,) = kept(edits)
        assert moved.annotation_id == mark.annotation_id
        assert moved.measurements[0].value == pytest.approx(16.0)
    (shifted,) = kept(drag(NAMED["select"].make(), c, (15.0, 10.0), (15.0, -90.0)))
    assert shifted.placement.points_px == (pytest.approx((10.0, 0.0)), pytest.approx((20.0, 0.0)))  # stops at the edge
    assert shifted.measurements[0].value == pytest.approx(8.0)
    assert remove_selected(c) == (RemoveAnnotation(mark.annotation_id), SelectAnnotation(""))
    assert NAMED["select"].make().press(at_px(c, 50.0, 40.0), c) == (SelectAnnotation(""),)


def test_window_drag_widens_to_the_right_and_keeps_whole_numbers() -> None:
    c = context(ViewState(), film())
    tool = NAMED["window"].make()
    tool.press(PointerEvent(100, 100), c)
    (edit,) = tool.drag(PointerEvent(124, 100), c)
    assert isinstance(edit, SetAppearance)
    assert (edit.appearance.window.width, edit.appearance.window.center) == (480.0, 40.0)
    (edit,) = tool.drag(PointerEvent(-10000, 100), c)
    assert edit.appearance.window.width >= 1.0


def test_window_drag_starts_from_the_span_of_a_voi_lut() -> None:
    values = np.arange(50 * 60, dtype=np.int16).reshape(50, 60)
    lut = Lut(100, np.arange(200, dtype=np.uint16), 8)
    layer = ImageLayer(frame=FramePixels(values, voi_lut=lut), geometry=ImageGeometry(60, 50))
    c = replace(context(ViewState(), layer), window=None)
    tool = NAMED["window"].make()
    tool.press(PointerEvent(100, 100), c)
    (edit,) = tool.drag(PointerEvent(100, 100), c)
    assert (edit.appearance.window.center, edit.appearance.window.width) == (200.0, 200.0)
    colour = ImageLayer(frame=FramePixels(np.zeros((50, 60, 3), np.uint8)), geometry=ImageGeometry(60, 50))
    painted = replace(context(ViewState(), colour), window=None)
    assert tool.press(PointerEvent(1, 1), painted) + tool.drag(PointerEvent(50, 50), painted) == ()


def test_scroll_steps_slice_by_slice_and_stops_at_the_ends() -> None:
    for plane, axis in ((Plane.AXIAL, 0), (Plane.CORONAL, 1), (Plane.SAGITTAL, 2)):
        c = context(ViewState(plane=plane, point_mm=VOLUME.geometry.to_patient((5.0, 20.0, 20.0))))
        start = VOLUME.geometry.to_index(c.view.point_mm)[axis]
        (edit,) = NAMED["scroll"].make().wheel(PointerEvent(1, 1, wheel=-1.0), c)
        assert abs(VOLUME.geometry.to_index(edit.view.point_mm)[axis] - start) == pytest.approx(1.0)
        (edit,) = NAMED["scroll"].make().wheel(PointerEvent(1, 1, wheel=-500.0), c)
        end = VOLUME.geometry.to_index(edit.view.point_mm)[axis]
        assert end == pytest.approx(0) or end == pytest.approx(phantoms.SHAPE[axis] - 1)
    stack = context(ViewState(frame_index=11), film())
    (edit,) = NAMED["scroll"].make().wheel(PointerEvent(1, 1, wheel=-3.0), stack)
    assert edit.view.frame_index == 11


def test_crosshair_tells_the_patient_position() -> None:
    c = context(ViewState(plane=Plane.CORONAL))
    (edit,) = NAMED["crosshair"].make().press(PointerEvent(120, 100), c)
    assert edit == SetPoint(c.resolved.pane_to_patient(120, 100))
    assert NAMED["crosshair"].make().press(PointerEvent(120, 100), context(ViewState(), film())) == ()


def test_polygon_is_closed_by_its_first_corner() -> None:
    c = context(ViewState(), film())
    tool = NAMED["polygon"].make()
    edits: tuple = ()
    for corner in ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0), (10.3, 10.2)):
        event = at_px(c, *corner)
        edits += tool.press(event, c) + tool.release(event, c)
    (mark,) = kept(edits)
    by = {m.quantity: m for m in mark.measurements}
    assert len(mark.placement.points_px) == 4
    assert by[Quantity.AREA].value == pytest.approx(20 * 0.8 * 20 * 0.5)
    assert by[Quantity.MEAN].value == pytest.approx(c.layer.frame.values[10:30, 10:30].mean())
    tool.press(at_px(c, 5.0, 5.0), c)
    tool.release(at_px(c, 5.0, 5.0), c)
    assert tool.cancel() == (RemoveAnnotation("2.25.2"),)
    assert tool.cancel() == ()


def test_window_from_a_region_fits_its_values() -> None:
    c = context(ViewState(), film())
    (edit,) = drag(NAMED["roi_window"].make(), c, (10.0, 10.0), (20.0, 20.0))
    low, high = np.percentile(c.layer.frame.values[10:20, 10:20], (2, 98))
    assert (edit.appearance.window.center, edit.appearance.window.width) == pytest.approx(((low + high) / 2, high - low))
    assert drag(NAMED["roi_window"].make(), c, (10.0, 10.0), (10.1, 10.1)) == ()
