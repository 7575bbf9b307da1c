"""Two lines that belong together: the Cobb angle however the spine lies, and crossed axes that stay at right angles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.domain.measurement import Annotation, MarkShape, Placement, Quantity
from app.viewer.handles import EditGesture, Hit
from app.viewer.measure import measure
from app.viewer.recheck import again
from app.viewer.view_state import ImageGeometry, ViewState
from tests.viewer.test_tools import NAMED, at_px, context, drag, film, kept

G = ImageGeometry(600, 500, 0.8, 0.5, True)
FLAT = ImageGeometry(600, 500, 0.8, 0.5, False)


def plates(tilts: tuple[float, float], spine_deg: float) -> list[tuple[float, float]]:
    """Two end plates in px that tilt against the line across a spine, which runs at an angle on the stored image."""
    middles = np.array([[120.0, 100.0], [120.0, 190.0]])
    turn = math.radians(spine_deg)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    out = []
    for middle, tilt in zip(middles, tilts, strict=True):
        arm = 20.0 * np.array([math.cos(math.radians(tilt)), math.sin(math.radians(tilt))])
        for end in (middle - arm, middle + arm):
            mm = rotation @ (end - (120.0, 145.0)) + (200.0, 130.0)
            out.append((float(mm[0]) / 0.8, float(mm[1]) / 0.5))
    return out


@pytest.mark.parametrize("spine_deg", [0, 30, 86, 90, 94, 180, 271])
@pytest.mark.parametrize("tilts", [(-12.0, 18.5), (3.0, -4.0), (0.0, 0.0), (62.0, -51.0)])
def test_cobb_is_the_same_however_the_spine_lies(tilts: tuple[float, float], spine_deg: float) -> None:
    points = plates(tilts, spine_deg)
    for order in ((0, 1, 2, 3), (1, 0, 2, 3), (0, 1, 3, 2), (2, 3, 1, 0)):
        drawn = [points[n] for n in order]
        (found,) = measure(MarkShape.COBB, drawn, G)
        assert found.value == pytest.approx(abs(tilts[0] - tilts[1]), abs=1e-6)
        mark = Annotation("2.25.1", MarkShape.COBB, Placement("1.9", 0, tuple(drawn)), (found,))
        assert again(mark, G)[Quantity.ANGLE] == pytest.approx(found.value, abs=1e-6)


def test_plates_that_cross_have_the_smaller_angle_between_them() -> None:
    points = ((80.0, 100.0), (120.0, 100.0), (100.0, 60.0), (100.0, 140.0))
    (found,) = measure(MarkShape.COBB, points, G)
    mark = Annotation("2.25.1", MarkShape.COBB, Placement("1.9", 0, points), (found,))
    assert found.value == pytest.approx(90.0)
    assert again(mark, G)[Quantity.ANGLE] == pytest.approx(90.0)


def corner(points: tuple[tuple[float, float], ...], geometry: ImageGeometry) -> float:
    """Cosine between the axes, in true proportions."""
    p = np.asarray(points) * (geometry.column_spacing, geometry.row_spacing)
    u, v = p[1] - p[0], p[3] - p[2]
    return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def drawn_axes() -> tuple[Annotation, object]:
    c = context(ViewState(), film())
    tool = NAMED["bidirectional"].make()
    edits = drag(tool, c, (10.0, 25.0), (40.0, 30.0)) + drag(tool, c, (25.0, 20.0), (27.0, 40.0))
    return kept(edits)[0], c


def lengths(mark: Annotation) -> tuple[float, float]:
    by = {m.quantity: m.value for m in mark.measurements}
    return by[Quantity.LONG_AXIS], by[Quantity.SHORT_AXIS]


@pytest.mark.parametrize("handle", [0, 1, 2, 3])
@pytest.mark.parametrize("to", [(5.0, 8.0), (50.0, 44.0), (31.0, 2.0), (500.0, -300.0)])
def test_axes_stay_at_right_angles_when_an_end_is_moved(handle: int, to: tuple[float, float]) -> None:
    mark, c = drawn_axes()
    g = c.resolved.geometry
    start = mark.placement.points_px[handle]
    edit = EditGesture(Hit(mark, handle), at_px(c, *start), c)
    moved = edit.moved(at_px(c, *to), c)
    points = moved.placement.points_px
    assert corner(points, g) == pytest.approx(0.0, abs=1e-6)
    assert all(-1e-6 <= x <= g.columns + 1e-6 and -1e-6 <= y <= g.rows + 1e-6 for x, y in points)


def test_an_end_goes_where_the_hand_goes_and_the_rest_follows() -> None:
    mark, c = drawn_axes()
    before = mark.placement.points_px
    for handle, to in ((0, (5.0, 15.0)), (3, (30.0, 44.0))):
        edit = EditGesture(Hit(mark, handle), at_px(c, *before[handle]), c)
        moved = edit.moved(at_px(c, *to), c)
        assert moved.placement.points_px[handle] == pytest.approx(to, abs=1e-6)
        if handle == 0:
            assert moved.placement.points_px[1] == pytest.approx(before[1])
            assert lengths(moved)[1] == pytest.approx(lengths(mark)[1]), "the short axis came along as it was"
        else:
            assert np.asarray(moved.placement.points_px[:2]) == pytest.approx(np.asarray(before[:2]))


def test_a_whole_mark_moves_as_it_is() -> None:
    mark, c = drawn_axes()
    edit = EditGesture(Hit(mark, None), at_px(c, 25.0, 28.0), c)
    moved = edit.moved(at_px(c, 28.0, 30.0), c)
    shift = np.asarray(moved.placement.points_px) - np.asarray(mark.placement.points_px)
    assert shift == pytest.approx(np.tile(shift[0], (4, 1)))
    assert lengths(moved) == pytest.approx(lengths(mark))


def test_a_short_axis_drawn_beyond_the_edge_ends_there_and_is_not_bent() -> None:
    c = context(ViewState(), film())
    g = c.resolved.geometry
    tool = NAMED["bidirectional"].make()
    edits = drag(tool, c, (5.0, 10.0), (50.0, 30.0)) + drag(tool, c, (30.0, 25.0), (10.0, 400.0))
    points = kept(edits)[0].placement.points_px
    assert corner(points, g) == pytest.approx(0.0, abs=1e-9)
    assert min(points[3][0], g.columns - points[3][0], points[3][1], g.rows - points[3][1]) == pytest.approx(0.0, abs=1e-9)


def test_uncalibrated_plates_have_the_angle_of_the_proportions() -> None:
    points = plates((-10.0, 15.0), 90.0)
    calibrated, not_ = measure(MarkShape.COBB, points, G)[0], measure(MarkShape.COBB, points, FLAT)[0]
    assert replace(calibrated, calibrated=False) == replace(not_, value=pytest.approx(calibrated.value))
