"""What lies over an image, measured: stored voxels at places of the image below, and a second way to the same numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.measurement import MarkShape, Measurement, Quantity
from app.domain.pixels import FramePixels, VoiFunction, VoiWindow
from app.domain.volume import Volume
from app.viewer.compositor import geometry_of
from app.viewer.edits import SetAppearance, SetOverWindow
from app.viewer.layers import FusionLayer, ImageLayer, OverMode
from app.viewer.over_recheck import again_over, over_mismatches
from app.viewer.over_values import OverValues
from app.viewer.placement import annotation_of
from app.viewer.tool_api import PointerEvent, ToolContext
from app.viewer.tools.window import WindowTool
from app.viewer.view_state import Appearance, ImageGeometry, Plane, ViewState, resolve
from app.viewer.words import measurement_lines
from tests.viewer.scenes import FRAME, ORIGIN

CT = VolumeGeometry.axial((20, 40, 48), (1.5, 0.5, 0.6), ORIGIN, FRAME)
TURN = math.radians(11.0)
PET = VolumeGeometry(
    CT.to_patient((-1.2, -2.0, -3.0)),
    (0.0, 0.0, 3.3),
    (-2.1 * math.sin(TURN), 2.1 * math.cos(TURN), 0.0),
    (1.9 * math.cos(TURN), 1.9 * math.sin(TURN), 0.0),
    (12, 14, 20),
    FRAME,
)
FACTOR = 0.0004


def pet() -> Volume:
    k, j, i = np.meshgrid(*(np.arange(n, dtype=float) for n in PET.shape), indexing="ij")
    return Volume((1000 * k + 37 * j * j + 11 * i).astype(np.float32), PET, "BQML")


def over(suv: float | None = FACTOR) -> OverValues:
    look = Appearance(VoiWindow(5000.0, 10000.0, VoiFunction.LINEAR_EXACT), "hot_iron", 0.6)
    return OverValues(FusionLayer(pet(), PET, look), "PT", suv)


def context(upper: OverValues | None) -> ToolContext:
    layer = ImageLayer(Appearance(VoiWindow(40, 400)), volume=Volume(np.full(CT.shape, 40, np.int16), CT, "HU"))
    view = ViewState(plane=Plane.AXIAL, point_mm=CT.to_patient((9.0, 20.0, 24.0)))
    resolved = resolve(view, (400, 300), geometry_of(layer, view))
    return ToolContext(resolved, layer, VoiWindow(40, 400), over=upper)


def expected(shape: MarkShape, points: tuple[tuple[float, float], ...], geometry: ImageGeometry) -> np.ndarray:
    """One pixel after the other, in words: inside the shape, its place in the patient, the voxel that holds it."""
    (x0, y0), (x1, y1) = points
    found = []
    for j in range(geometry.rows):
        for i in range(geometry.columns):
            x, y = i + 0.5, j + 0.5
            if shape is MarkShape.ELLIPSE:
                inside = ((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2 <= 1
            else:
                inside = x0 <= x <= x1 and y0 <= y <= y1
            if inside:
                at = geometry.px_to_patient(x, y)
                assert at is not None
                k, row, column = (round(v) for v in PET.to_index(at))
                found.append(float(pet().voxels[k, row, column]))
    return np.asarray(found)


@pytest.mark.parametrize("shape", [MarkShape.ELLIPSE, MarkShape.RECTANGLE])
def test_a_region_has_the_values_of_both_images_with_their_units(shape: MarkShape) -> None:
    here = context(over())
    points = ((8.3, 6.1), (36.2, 31.4))
    drawn = annotation_of("2.25.1", shape, points, here)
    own = {(m.quantity, m.unit): m.value for m in drawn.measurements if not m.of}
    assert own[(Quantity.MEAN, "[hnsf'U]")] == 40.0
    theirs = {m.quantity: m for m in drawn.measurements if m.of == "PT"}
    values = expected(shape, points, here.resolved.geometry) * FACTOR
    assert values.size > 300
    for quantity, value in (
        (Quantity.OVERLAY_MEAN, values.mean()),
        (Quantity.OVERLAY_STANDARD_DEVIATION, values.std()),
        (Quantity.OVERLAY_MINIMUM, values.min()),
        (Quantity.OVERLAY_MAXIMUM, values.max()),
    ):
        assert theirs[quantity].unit == "{SUVbw}g/ml"
        assert theirs[quantity].value == pytest.approx(value, rel=1e-6)
    second = again_over(shape, points, here.over, here.resolved.geometry)
    assert {q: theirs[q].value for q in second} == pytest.approx(dict(second))
    assert set(second) == set(theirs)
    assert over_mismatches(drawn, here.over, here.resolved.geometry, points) == ()
    wrong = replace(drawn, measurements=tuple(replace(m, value=m.value * 1.001) for m in drawn.measurements))
    assert {m.quantity for m in over_mismatches(wrong, here.over, here.resolved.geometry, points)} == set(theirs)
    lines = measurement_lines({}, drawn.measurements)
    assert [line for line in lines if line.startswith("PT ")] == [
        f"PT \u2300 {values.mean():.2f} \u00b1 {values.std():.2f}\u202fSUVbw",
        f"PT {values.min():.2f} \u2026 {values.max():.2f}\u202fSUVbw",
    ]


def test_between_two_voxels_both_ways_take_the_lower_one() -> None:
    """Grids of one origin and twice the spacing: the middle of every second pixel lies on an edge."""
    twice = VolumeGeometry.axial((10, 20, 24), (3.0, 1.0, 1.2), CT.to_patient((0.0, 0.5, 0.5)), FRAME)
    j, i = np.meshgrid(np.arange(20), np.arange(24), indexing="ij")
    values = np.broadcast_to((100 * j + i).astype(np.float32), twice.shape)
    upper = OverValues(FusionLayer(Volume(np.ascontiguousarray(values), twice), twice), "NM")
    here = context(upper)
    drawn = annotation_of("2.25.1", MarkShape.RECTANGLE, ((3.1, 3.1), (30.3, 28.7)), here)
    assert over_mismatches(drawn, upper, here.resolved.geometry, ((3.1, 3.1), (30.3, 28.7))) == ()
    (edge,) = upper.at(twice.to_patient((3.0, 4.5, 6.5)))
    assert edge.value == 406.0


def test_a_point_has_the_voxel_that_holds_it() -> None:
    upper = over(None)
    for index in ((3, 5, 7), (0, 0, 0), (11, 13, 19)):
        at = PET.to_patient(tuple(v + d for v, d in zip(index, (0.4, -0.3, 0.2), strict=True)))  # type: ignore[arg-type]
        assert upper.at(at) == (Measurement(Quantity.OVERLAY_VALUE, float(pet().voxels[index]), "Bq/ml", of="PT"),)
    assert upper.at(PET.to_patient((3.0, 5.0, 19.6))) == ()
    assert upper.at(None) == ()
    geometry = context(upper).resolved.geometry
    (told,) = upper.measured(MarkShape.POINT, ((20.2, 18.7),), geometry)
    assert again_over(MarkShape.POINT, ((20.2, 18.7),), upper, geometry) == {told.quantity: told.value}


def test_nothing_is_told_of_a_region_that_reaches_beyond_the_upper_images() -> None:
    small = Volume(np.ones((2, 3, 3), np.float32), PET.cropped(slice(3, 5), slice(5, 8), slice(7, 10)))
    upper = OverValues(FusionLayer(small, small.geometry), "PT")
    assert upper.measured(MarkShape.RECTANGLE, ((2.0, 2.0), (40.0, 30.0)), context(upper).resolved.geometry) == ()
    flat = ImageGeometry(10, 10)
    assert upper.measured(MarkShape.RECTANGLE, ((1.0, 1.0), (4.0, 4.0)), flat) == ()


def test_with_shift_the_window_tool_sets_the_window_of_what_lies_over() -> None:
    here = context(over())
    tool = WindowTool()
    tool.press(PointerEvent(100, 100, shift=True), here)
    (edit,) = tool.drag(PointerEvent(200, 100), here)
    assert isinstance(edit, SetOverWindow)
    assert edit.window.width == pytest.approx(10000 * 1.5)
    assert edit.window.center == 5000
    tool.cancel()
    tool.press(PointerEvent(100, 100), here)
    assert isinstance(tool.drag(PointerEvent(200, 100), here)[0], SetAppearance)
    alone = context(None)
    tool.press(PointerEvent(100, 100, shift=True), alone)
    assert isinstance(tool.drag(PointerEvent(200, 100), alone)[0], SetAppearance), "nothing lies over it"
    change = OverValues(FusionLayer(pet(), PET, mode=OverMode.DIFFERENCE), "CT")
    tool.press(PointerEvent(100, 100, shift=True), context(change))
    assert isinstance(tool.drag(PointerEvent(200, 100), context(change))[0], SetAppearance)


def test_colour_below_is_measured_above_all_the_same() -> None:
    frame = FramePixels(np.zeros((40, 48, 3), np.uint8))
    plane = ImageGeometry.of_plane(CT.plane(9))
    layer = ImageLayer(frame=frame, geometry=plane, sop_instance_uid="1.9")
    here = ToolContext(resolve(ViewState(), (96, 80), plane), layer, over=over())
    drawn = annotation_of("2.25.1", MarkShape.RECTANGLE, ((8.0, 6.0), (36.0, 31.0)), here)
    assert {m.of for m in drawn.measurements} == {"", "PT"}
