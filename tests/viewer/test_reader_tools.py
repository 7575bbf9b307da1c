"""The reader's further tools: values against formulas written out here, and the second path against the first."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.domain.pixels import FramePixels
from app.viewer.compositor import render
from app.viewer.edits import (
    AskText,
    BrushMask,
    GrowMask,
    PutAnnotation,
    RemoveAnnotation,
    SetPoint,
    SetView,
    ShowBand,
    ShowLens,
)
from app.viewer.layers import ImageLayer
from app.viewer.measure import measure
from app.viewer.placement import annotation_of
from app.viewer.recheck import again, mismatches, unknown
from app.viewer.recheck_outlines import crosses_itself
from app.viewer.view_state import Appearance, ImageGeometry, Plane, ViewState, resolve
from app.viewer.vocabulary import next_tooth, next_vertebra, spoken
from app.viewer.words import measurement_lines
from tests.viewer.test_tools import NAMED, SIZE, VOLUME, WINDOW, at_px, context, drag, film, kept

MM = ImageGeometry(60, 50, 0.8, 0.5, True)
PX = ImageGeometry(60, 50, 0.8, 0.5, False)


def _by(measurements: tuple[Measurement, ...]) -> dict[Quantity, Measurement]:
    return {m.quantity: m for m in measurements}


def two_strokes(name: str, strokes: list[tuple[tuple[float, float], tuple[float, float]]]) -> Annotation:
    c = context(ViewState(), film())
    tool = NAMED[name].make()
    edits: tuple = ()
    for a, b in strokes:
        edits += drag(tool, c, a, b)
    return kept(edits)[0]


def test_cobb_is_the_angle_of_the_plates_however_they_are_drawn() -> None:
    plates = [((10.0, 20.0), (30.0, 10.0)), ((30.0, 40.0), (10.0, 30.0))]
    # In millimetres: (16, -5) and, read from left to right, (16, 5).
    expected = 2 * math.degrees(math.atan2(5.0, 16.0))
    for strokes in (plates, [plates[0][::-1], plates[1]], [plates[0][::-1], plates[1][::-1]]):
        found = two_strokes("cobb", strokes).measurements
        assert [m.quantity for m in found] == [Quantity.ANGLE]
        assert found[0].value == pytest.approx(expected, abs=1e-9)
        assert found[0].unit == "deg"


def test_cardiothoracic_ratio_projects_the_heart_on_the_thorax_line() -> None:
    drawn = two_strokes("cardiothoracic", [((20.0, 20.0), (40.0, 24.0)), ((10.0, 30.0), (50.0, 30.0))])
    by = _by(drawn.measurements)
    assert by[Quantity.HEART_WIDTH].value == pytest.approx(16.0)
    assert by[Quantity.THORAX_WIDTH].value == pytest.approx(32.0)
    assert by[Quantity.RATIO] == Measurement(Quantity.RATIO, pytest.approx(50.0), "%", True)
    assert measurement_lines({}, drawn.measurements) == ("CTR 50.0\u202f%", "16.0 / 32.0\u202fmm")
    uncalibrated = _by(measure(MarkShape.CARDIOTHORACIC, drawn.placement.points_px, PX))
    assert uncalibrated[Quantity.RATIO].value == pytest.approx(50.0)
    assert uncalibrated[Quantity.HEART_WIDTH].unit == "px"
    assert measure(MarkShape.CARDIOTHORACIC, ((1, 1), (5, 1), (9, 9), (9, 9)), MM) == ()


def test_leg_length_gives_both_and_the_difference_without_a_side() -> None:
    drawn = two_strokes("leg_length", [((10.0, 5.0), (10.0, 45.0)), ((40.0, 5.0), (43.0, 45.0))])
    by = _by(drawn.measurements)
    second = math.hypot(3 * 0.8, 40 * 0.5)
    assert by[Quantity.FIRST_LENGTH].value == pytest.approx(20.0)
    assert by[Quantity.SECOND_LENGTH].value == pytest.approx(second)
    assert by[Quantity.DIFFERENCE].value == pytest.approx(second - 20.0)
    assert drawn.measurements[0].unit == "mm"


def test_freehand_measures_what_its_outline_holds() -> None:
    layer = film()
    c = context(ViewState(), layer)
    tool = NAMED["freehand"].make()
    path = [(10.0, 10.0), (30.0, 10.0), (30.0, 25.0), (10.0, 25.0)]
    edits = tool.press(at_px(c, *path[0]), c)
    for p in path[1:]:
        edits += tool.drag(at_px(c, *p), c)
    edits += tool.release(at_px(c, 10.0, 11.0), c)
    drawn = kept(edits)[0]
    by = _by(drawn.measurements)
    assert drawn.shape is MarkShape.FREEHAND
    assert by[Quantity.AREA].value == pytest.approx(20 * 0.8 * 15 * 0.5)
    inside = layer.frame.values[10:25, 10:30].astype(float)
    assert by[Quantity.COUNT].value == inside.size
    assert by[Quantity.MEAN].value == pytest.approx(inside.mean())
    slip = tool.press(at_px(c, 40.0, 40.0), c) + tool.release(at_px(c, 40.1, 40.0), c)
    assert not kept(slip)
    assert any(isinstance(e, RemoveAnnotation) for e in slip)
    begun = tool.press(at_px(c, 40.0, 40.0), c) + tool.drag(at_px(c, 45.0, 44.0), c)
    assert any(isinstance(e, PutAnnotation) and e.provisional for e in begun)
    assert isinstance(tool.cancel()[0], RemoveAnnotation)


CASES: dict[MarkShape, tuple[tuple[float, float], ...]] = {
    MarkShape.LENGTH: ((3.2, 4.1), (40.7, 31.9)),
    MarkShape.BIDIRECTIONAL: ((3.0, 4.0), (40.0, 31.0), (20.0, 30.0), (26.0, 8.0)),
    MarkShape.ANGLE: ((3.0, 4.0), (20.0, 31.0), (44.0, 8.0)),
    MarkShape.COBB: ((10.0, 20.0), (30.0, 10.0), (35.0, 44.0), (12.0, 30.0)),
    MarkShape.CARDIOTHORACIC: ((20.0, 20.0), (40.0, 24.0), (10.0, 30.0), (50.0, 33.0)),
    MarkShape.LEG_LENGTH: ((10.0, 5.0), (10.0, 45.0), (40.0, 5.0), (43.0, 45.0)),
    MarkShape.RECTANGLE: ((10.3, 8.2), (33.9, 30.5)),
    MarkShape.ELLIPSE: ((10.3, 8.2), (33.9, 30.5)),
    MarkShape.POLYGON: ((5.0, 5.0), (30.0, 8.0), (25.5, 35.5), (12.25, 20.5)),
    MarkShape.FREEHAND: ((5.1, 5.2), (30.3, 8.4), (44.0, 20.5), (25.6, 35.7), (12.8, 20.9)),
    MarkShape.POINT: ((17.3, 22.8),),
    MarkShape.CURVE: ((5.1, 5.2), (30.3, 8.4), (44.0, 20.5), (25.6, 35.7), (12.8, 20.9)),
}


def test_every_shape_that_is_measured_is_computed_twice() -> None:
    """A new shape or value without a second path fails here."""
    wordless = {MarkShape.ARROW, MarkShape.TEXT, MarkShape.SPINE, MarkShape.TOOTH, MarkShape.KEY_IMAGE, MarkShape.MASK}
    assert set(MarkShape) == set(CASES) | wordless
    c = context(ViewState(), film())
    for shape in wordless:
        assert annotation_of("2.25.1", shape, CASES[MarkShape.LENGTH], c).measurements == ()


def test_a_curve_of_two_or_three_points_has_the_length_of_its_spline() -> None:
    for n in (2, 3, 4):
        points = CASES[MarkShape.CURVE][:n]
        (found,) = measure(MarkShape.CURVE, points, MM)
        mark = Annotation("2.25.1", MarkShape.CURVE, Placement("1.9", 0, points), (found,))
        assert mismatches((found,), again(mark, MM)) == ()
        wrong = replace(found, value=found.value * 1.0001)
        assert len(mismatches((wrong,), again(mark, MM))) == 1


@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL, Plane.OBLIQUE])
@pytest.mark.parametrize("shape", CASES)
def test_the_second_path_agrees_in_the_patient(shape: MarkShape, plane: Plane) -> None:
    view = ViewState(plane=plane, oblique_row=(math.sqrt(0.5), math.sqrt(0.5), 0.0), oblique_column=(0.0, 0.0, -1.0))
    c = context(view)
    g = c.resolved.geometry
    points = tuple((x / 60 * g.columns, y / 50 * g.rows) for x, y in CASES[shape])
    drawn = annotation_of("2.25.1", shape, points, c)
    found = again(drawn, g, c.values(), c.padding(), points)
    assert drawn.measurements
    assert unknown(drawn.measurements, found) == (), "every value is computed twice"
    assert mismatches(drawn.measurements, found) == ()


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("shape", CASES)
def test_the_second_path_agrees_on_films(shape: MarkShape, calibrated: bool) -> None:
    c = context(ViewState(), film(calibrated))
    drawn = annotation_of("2.25.1", shape, CASES[shape], c)
    found = again(drawn, c.resolved.geometry, c.values())
    assert drawn.measurements
    assert unknown(drawn.measurements, found) == ()
    assert mismatches(drawn.measurements, found) == ()


def test_the_second_path_agrees_on_pixels_that_lie_on_the_outline() -> None:
    values = np.arange(50 * 60, dtype=np.float32).reshape(50, 60)
    padding = np.zeros((50, 60), bool)
    padding[10:14] = True
    values[20, 20] = np.nan
    corners = ((4.5, 4.5), (30.5, 4.5), (30.5, 30.5), (17.5, 17.5), (4.5, 30.5))
    for shape, points in (
        (MarkShape.POLYGON, corners),
        (MarkShape.RECTANGLE, ((4.5, 4.5), (30.5, 30.5))),
        (MarkShape.ELLIPSE, ((0.0, 0.0), (49.0, 49.0))),
    ):
        first = measure(shape, points, MM, values, "HU", padding)
        drawn = Annotation("2.25.1", shape, Placement("1.9", 0, points), first)
        assert mismatches(first, again(drawn, MM, values, padding)) == ()


def test_a_wrong_value_is_found() -> None:
    c = context(ViewState(), film())
    drawn = annotation_of("2.25.1", MarkShape.ELLIPSE, CASES[MarkShape.ELLIPSE], c)
    for n, m in enumerate(drawn.measurements):
        wrong = tuple(replace(x, value=x.value * 1.00001 + 1e-3) if i == n else x for i, x in enumerate(drawn.measurements))
        found = mismatches(wrong, again(drawn, c.resolved.geometry, c.values()))
        assert [f.quantity for f in found] == [m.quantity]


def test_an_outline_that_crosses_itself_is_known() -> None:
    assert crosses_itself(((0, 0), (10, 10), (10, 0), (0, 10)))
    assert not crosses_itself(CASES[MarkShape.FREEHAND])


def test_text_asks_for_its_words_and_a_click_on_it_asks_again() -> None:
    c = context(ViewState(), film())
    tool = NAMED["text"].make()
    edits = tool.press(at_px(c, 20, 20), c) + tool.release(at_px(c, 20, 20), c)
    asked = [e for e in edits if isinstance(e, AskText)]
    assert len(asked) == 1
    assert asked[0].annotation.shape is MarkShape.TEXT
    assert asked[0].suggestion == ""
    own = replace(asked[0].annotation, text="clip")
    again_ = context(ViewState(), film(), annotations=(own,))
    edits = tool.press(at_px(again_, 20, 20), again_) + tool.release(at_px(again_, 20, 20), again_)
    asked = [e for e in edits if isinstance(e, AskText)]
    assert [(a.annotation.annotation_id, a.suggestion) for a in asked] == [(own.annotation_id, "clip")]
    moved = tool.press(at_px(again_, 20, 20), again_) + tool.release(at_px(again_, 30, 25), again_)
    assert kept(moved)[0].text == "clip"
    assert kept(moved)[0].placement.points_px[0] == pytest.approx((30, 25))


def test_vertebrae_count_on_from_the_nearest_neighbour() -> None:
    view = ViewState(plane=Plane.SAGITTAL)
    c = context(view)
    tool = NAMED["spine"].make()
    middle = (c.resolved.geometry.columns / 2, c.resolved.geometry.rows / 2)
    first = tool.press(at_px(c, *middle), c) + tool.release(at_px(c, *middle), c)
    assert isinstance(first[-1], AskText)
    named = replace(first[-1].annotation, text="L1")
    c = context(view, annotations=(named,))
    below, above = (middle[0], middle[1] + 3), (middle[0], middle[1] - 3)
    for where, expected in ((below, "L2"), (above, "T12")):
        clicked = tool.press(at_px(c, *where), c) + tool.release(at_px(c, *where), c)
        assert [a.text for a in kept(clicked)] == [expected]
    upside_down = context(replace(view, flip_v=True), annotations=(named,))
    clicked = tool.press(at_px(upside_down, *below), upside_down)
    clicked += tool.release(at_px(upside_down, *below), upside_down)
    assert [a.text for a in kept(clicked)] == ["L2"]
    across = context(ViewState(plane=Plane.AXIAL), annotations=(named,))
    centre = (across.resolved.geometry.columns / 2, across.resolved.geometry.rows / 2 + 4)
    clicked = tool.press(at_px(across, *centre), across) + tool.release(at_px(across, *centre), across)
    assert not kept(clicked)


def test_a_tooth_is_suggested_and_never_set_unseen() -> None:
    tool = NAMED["tooth"].make()
    c = context(ViewState(), film())
    first = tool.press(at_px(c, 20, 20), c) + tool.release(at_px(c, 20, 20), c)
    named = replace(first[-1].annotation, text="11")
    c = context(ViewState(), film(), annotations=(named,))
    for x, expected in ((26, "21"), (14, "12")):
        edits = tool.press(at_px(c, x, 20), c) + tool.release(at_px(c, x, 20), c)
        assert not kept(edits)
        assert edits[-1].suggestion == expected


def test_words_of_spine_and_teeth() -> None:
    assert [next_vertebra("C7", True), next_vertebra("L5", True), next_vertebra("C1", False)] == ["T1", "S1", ""]
    assert [next_tooth("48", False), next_tooth("41", True), next_tooth("65", True)] == ["", "31", ""]
    assert spoken(MarkShape.SPINE, " th 12") == "T12"
    assert spoken(MarkShape.SPINE, "\u0421 5") == "C5"  # Cyrillic letter
    assert spoken(MarkShape.SPINE, "L7") is None
    assert [spoken(MarkShape.TOOTH, t) for t in ("36", "19", "55", "56", "")] == ["36", None, "55", None, None]
    assert spoken(MarkShape.TEXT, "  a \n b ") == "a b"


def test_zoom_to_a_region_puts_the_box_into_the_middle() -> None:
    c = context(ViewState(), film())
    edits = drag(NAMED["zoom_region"].make(), c, (10, 10), (30, 20))
    assert any(isinstance(e, ShowBand) and e.box for e in edits)
    assert edits[-2] == ShowBand(None)
    assert isinstance(edits[-1], SetView)
    zoomed = resolve(edits[-1].view, SIZE, c.resolved.geometry)
    a, b = zoomed.px_to_pane(10, 10), zoomed.px_to_pane(30, 20)
    assert ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) == pytest.approx((SIZE[0] / 2, SIZE[1] / 2))
    assert b[0] - a[0] == pytest.approx(SIZE[0])
    assert b[1] - a[1] <= SIZE[1]


def test_shutter_blackens_what_lies_outside_and_nothing_else() -> None:
    layer = film()
    c = context(ViewState(), layer)
    tool = NAMED["shutter"].make()
    view = drag(tool, c, (10, 10), (30, 20))[-1].view
    assert view.shutter == pytest.approx((10, 10, 30, 20))
    plain, shut = render(ViewState(), (layer,), SIZE), render(view, (layer,), SIZE)
    (x0, y0), (x1, y1) = c.resolved.px_to_pane(10, 10), c.resolved.px_to_pane(30, 20)
    inner = np.s_[math.ceil(y0) + 1 : math.floor(y1) - 1, math.ceil(x0) + 1 : math.floor(x1) - 1]
    assert np.array_equal(shut.pixels[inner], plain.pixels[inner])
    outside = shut.pixels.copy()
    outside[math.floor(y0) - 1 : math.ceil(y1) + 1, math.floor(x0) - 1 : math.ceil(x1) + 1] = 0
    assert not outside.any()
    assert tool.press(at_px(c, 5, 5), c) + tool.release(at_px(c, 5, 5), c) == (
        ShowBand(None),
        SetView(replace(c.view, shutter=None)),
    )


def test_lens_and_cursor_follow_the_pointer() -> None:
    c = context(ViewState(plane=Plane.AXIAL))
    lens = NAMED["magnifier"].make()
    edits = drag(lens, c, (5, 5), (20, 20))
    assert isinstance(edits[0], ShowLens)
    assert edits[0].at is not None
    assert edits[-1] == ShowLens(None)
    found = NAMED["cursor3d"].make().hover(at_px(c, 5.5, 6.5), c)
    assert isinstance(found[0], SetPoint)
    assert found[0].point_mm == pytest.approx(c.resolved.geometry.px_to_patient(5.5, 6.5))
    assert NAMED["cursor3d"].make().hover(at_px(c, -5, 6), c) == ()


def test_mask_tools_ask_for_voxels() -> None:
    c = context(ViewState(plane=Plane.AXIAL))
    grow, brush = NAMED["region_grow"].make(), NAMED["brush"].make()
    edits = grow.press(at_px(c, 5, 6), c) + grow.release(at_px(c, 5, 6), c)
    assert edits == (GrowMask(pytest.approx((5, 6)), 3.0, True), GrowMask(pytest.approx((5, 6))))
    start = at_px(c, 5, 6)
    grow.press(start, c)
    (wider,) = grow.drag(replace(start, y=start.y - 90.0), c)
    assert (wider.preview, wider.spreads) == (True, 6.0)
    assert grow.drag(replace(start, y=start.y - 90.2), c) == ()
    (narrowest,) = grow.drag(replace(start, y=start.y + 900.0), c)
    assert narrowest.spreads == 0.8
    assert grow.release(start, c) == (GrowMask(pytest.approx((5, 6)), 0.8),)
    grow.press(start, c)
    assert [e.spreads for e in grow.cancel()] == [0.0]
    assert grow.press(at_px(c, -5, 6), c) == grow.release(at_px(c, -5, 6), c) == ()
    edits = drag(brush, c, (5, 5), (12, 9))
    assert all(isinstance(e, BrushMask) for e in edits)
    assert [e.last for e in edits] == [False, False, False, True]
    assert edits[0].radius_mm == pytest.approx(14.0 * c.resolved.mm_per_pane_px)
    assert edits[-1].points_px[-1] == pytest.approx((12, 9))
    uncalibrated = context(ViewState(), film(False))
    edits = drag(NAMED["brush"].make(), uncalibrated, (5, 5), (12, 9))
    assert [e.radius_mm for e in edits] == [0.0] * 4
    assert edits[0].radius_px == pytest.approx(14.0 * 60 / 150)


def test_colour_images_get_lengths_and_no_values() -> None:
    rgb = FramePixels(np.zeros((50, 60, 3), np.uint8))
    c = context(ViewState(), ImageLayer(Appearance(WINDOW), rgb, MM, sop_instance_uid="1.9"))
    drawn = annotation_of("2.25.1", MarkShape.FREEHAND, CASES[MarkShape.FREEHAND], c)
    assert [m.quantity for m in drawn.measurements] == [Quantity.AREA]
    assert VOLUME.voxels.ndim == 3
