"""Ellipses taken by the ends of their axes: turned, resized, measured, computed again, drawn, sent and read back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.dicom.sr_drawing import points_of, strokes
from app.domain.measurement import Annotation, MarkShape, Quantity
from app.viewer.ellipses import ends, extent, inside, ring, with_moved_end
from app.viewer.handles import EditGesture, Hit, hit
from app.viewer.marks import MarkLook, shape_primitives
from app.viewer.measure import measure, region
from app.viewer.placement import annotation_of
from app.viewer.primitives import Role
from app.viewer.recheck import again, mismatches, unknown
from app.viewer.style import Style
from app.viewer.view_state import ImageGeometry, Plane, ViewState
from tests.viewer.test_tools import at_px, context, film

G = ImageGeometry(60, 50, 0.8, 0.5, True)


def turned(
    a: float, b: float, degrees: float, centre: tuple[float, float] = (30.0, 25.0)
) -> tuple[tuple[float, float], ...]:
    """Half axes in mm, turned in the patient; px of ``G``."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    out = []
    for x, y in ((-a, 0), (a, 0), (0, -b), (0, b)):
        out.append((30.0 + (x * c - y * s) / 0.8, 25.0 + (x * s + y * c) / 0.5))
    return tuple(out)


SHAPES = [turned(9.0, 4.0, d) for d in (10, 37, 90, 123)] + [turned(6.0, 6.0, 45), turned(3.0, 7.9, 61)]


def spread(points: tuple[tuple[float, float], ...]) -> tuple[float, float, float]:
    """Both half axes in mm and the cosine between them."""
    p = np.asarray(points) * (0.8, 0.5)
    u, w = (p[1] - p[0]) / 2, (p[3] - p[2]) / 2
    return float(np.linalg.norm(u)), float(np.linalg.norm(w)), float(u @ w / np.linalg.norm(u) / np.linalg.norm(w))


@pytest.mark.parametrize("points", SHAPES)
def test_area_and_pixels_of_a_turned_ellipse(points: tuple[tuple[float, float], ...]) -> None:
    a, b, cosine = spread(points)
    assert cosine == pytest.approx(0, abs=1e-9)
    assert measure(MarkShape.ELLIPSE, points, G)[0].value == pytest.approx(math.pi * a * b)
    rows, columns, mask = region(MarkShape.ELLIPSE, points, 50, 60)
    found = np.zeros((50, 60), bool)
    found[rows, columns] = mask
    x, y = np.meshgrid((np.arange(60) + 0.5) * 0.8, (np.arange(50) + 0.5) * 0.5)
    p = np.asarray(points) * (0.8, 0.5)
    centre, along, across = p[:2].mean(axis=0), (p[1] - p[0]) / 2 / a**2, (p[3] - p[2]) / 2 / b**2
    dx, dy = x - centre[0], y - centre[1]
    exact = (dx * along[0] + dy * along[1]) ** 2 + (dx * across[0] + dy * across[1]) ** 2
    assert np.array_equal(found | (np.abs(exact - 1) < 1e-9), (exact <= 1) | (np.abs(exact - 1) < 1e-9))
    (x0, y0), (x1, y1) = extent(points)
    assert np.asarray(ring(points, 720)).min(axis=0) == pytest.approx((x0, y0), abs=1e-3)
    assert np.asarray(ring(points, 720)).max(axis=0) == pytest.approx((x1, y1), abs=1e-3)


@pytest.mark.parametrize("plane", [None, Plane.AXIAL, Plane.CORONAL, Plane.OBLIQUE])
@pytest.mark.parametrize("points", SHAPES)
def test_the_second_path_agrees(points: tuple[tuple[float, float], ...], plane: Plane | None) -> None:
    view = ViewState()
    if plane is not None:
        view = ViewState(plane=plane, oblique_row=(math.sqrt(0.5), math.sqrt(0.5), 0.0), oblique_column=(0.0, 0.0, -1.0))
    c = context(view, film() if plane is None else None)
    g = c.resolved.geometry
    scaled = tuple((x / 60 * g.columns, y / 50 * g.rows) for x, y in points)
    drawn = annotation_of("2.25.1", MarkShape.ELLIPSE, scaled, c)
    found = again(drawn, g, c.values(), c.padding(), scaled)
    assert unknown(drawn.measurements, found) == ()
    assert mismatches(drawn.measurements, found) == ()
    assert {m.quantity for m in drawn.measurements} >= {Quantity.AREA, Quantity.MEAN, Quantity.COUNT}


def upright() -> tuple[Annotation, object]:
    c = context(ViewState(), film())
    return annotation_of("2.25.1", MarkShape.ELLIPSE, ((20.0, 15.0), (40.0, 35.0)), c), c


def moved(handle: int, to: tuple[float, float], mark: Annotation, c: object) -> Annotation:
    start = ends(mark.placement.points_px)[handle]
    return EditGesture(Hit(mark, handle), at_px(c, *start), c).moved(at_px(c, *to), c)


def test_an_end_pulled_along_its_axis_keeps_the_ellipse_upright_and_a_box() -> None:
    mark, c = upright()
    wider = moved(1, (45.0, 25.3), mark, c)
    assert len(wider.placement.points_px) == 2
    (x0, y0), (x1, y1) = wider.placement.points_px
    assert (y0, y1) == (15.0, 35.0)
    assert ((x0 + x1) / 2, x1 - x0) == (pytest.approx(30.0), pytest.approx(30.0, abs=0.05))


@pytest.mark.parametrize("handle", range(4))
def test_an_end_pulled_aside_turns_the_ellipse_about_its_middle(handle: int) -> None:
    mark, c = upright()
    to = {0: (22.0, 19.0), 1: (38.0, 31.0), 2: (34.0, 17.0), 3: (26.0, 33.0)}[handle]
    points = moved(handle, to, mark, c).placement.points_px
    assert len(points) == 4
    assert points[handle] == pytest.approx(to)
    assert np.mean(points[:2], axis=0) == pytest.approx((30.0, 25.0))
    a, b, cosine = spread(points)
    assert cosine == pytest.approx(0.0, abs=1e-9)
    assert (b if handle < 2 else a) == pytest.approx(5.0 if handle < 2 else 8.0), "the other axis keeps its length"
    back = with_moved_end(points, handle, ends(mark.placement.points_px)[handle], c.resolved.geometry)
    assert np.asarray(back) == pytest.approx(np.asarray([(20.0, 15.0), (40.0, 35.0)])), "and stands upright again"


def test_nothing_of_it_leaves_the_image() -> None:
    mark, c = upright()
    for handle in range(4):
        for to in ((500.0, 10.0), (-300.0, -300.0), (59.0, 49.0)):
            points = moved(handle, to, mark, c).placement.points_px
            (x0, y0), (x1, y1) = extent(points)
            assert min(x0, y0) >= -1e-6
            assert x1 <= 60 + 1e-6
            assert y1 <= 50 + 1e-6
    leaning = annotation_of("2.25.1", MarkShape.ELLIPSE, SHAPES[1], c)
    gone = EditGesture(Hit(leaning, None), at_px(c, 30.0, 25.0), c).moved(at_px(c, 300.0, 25.0), c)
    assert extent(gone.placement.points_px)[1][0] == pytest.approx(60.0)


def test_it_is_taken_by_its_axes_and_its_line_not_by_the_corners_of_its_box() -> None:
    mark, plain = upright()
    c = context(ViewState(), film(), annotations=(mark,), selected_id=mark.annotation_id)
    for n, end in enumerate(((20.0, 25.0), (40.0, 25.0), (30.0, 15.0), (30.0, 35.0))):
        found = hit(c.resolved.px_to_pane(*end), c)
        assert found is not None
        assert found.handle == n
    assert hit(c.resolved.px_to_pane(20.0, 15.0), c) is None
    shown = shape_primitives(
        MarkShape.ELLIPSE, SHAPES[1], c.resolved, Role.MINE, Style(), MarkLook(selected=True)
    )  # fmt: skip
    assert sum(p.key == "handle" for p in shown) == 4
    outline = next(p for p in shown if p.key == "mark")
    px = np.asarray([c.resolved.pane_to_px(*q) for q in outline.points])
    assert not inside(SHAPES[1], px[:, 0] + (px[:, 0] - 30) * 0.01, px[:, 1] + (px[:, 1] - 25) * 0.01).any()
    assert inside(SHAPES[1], 30 + (px[:, 0] - 30) * 0.99, 25 + (px[:, 1] - 25) * 0.99).all()


@pytest.mark.parametrize("points", SHAPES)
def test_a_report_has_the_ends_of_its_axes_and_gives_them_back(points: tuple[tuple[float, float], ...]) -> None:
    (stroke,) = strokes(MarkShape.ELLIPSE, points)
    assert stroke.graphic_type == "ELLIPSE"
    lengths = [math.dist(*stroke.points[:2]), math.dist(*stroke.points[2:])]
    assert lengths[0] >= lengths[1]
    read = points_of(MarkShape.ELLIPSE, (stroke,), True)
    assert measure(MarkShape.ELLIPSE, read, G)[0].value == pytest.approx(measure(MarkShape.ELLIPSE, points, G)[0].value)
    assert np.asarray(sorted(ends(read))) == pytest.approx(np.asarray(sorted(points)))
