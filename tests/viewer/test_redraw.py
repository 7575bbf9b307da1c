"""A stretch of a freehand outline drawn anew, and the inside of outlines with many corners."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.domain.measurement import MarkShape, Quantity
from app.viewer.edits import PutAnnotation, SelectAnnotation
from app.viewer.measure import region
from app.viewer.placement import annotation_of
from app.viewer.redraw import place_on, redrawn
from app.viewer.view_state import ViewState
from tests.viewer.test_tools import NAMED, at_px, context, film, kept

SQUARE = ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0))


def area(points: tuple[tuple[float, float], ...]) -> float:
    x, y = np.asarray(points).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("path_back", [False, True])
def test_the_shorter_stretch_is_replaced_wherever_the_outline_begins(turn: int, backwards: bool, path_back: bool) -> None:
    outline = SQUARE[turn:] + SQUARE[:turn]
    outline = outline[::-1] if backwards else outline
    path = ((15.0, 10.0), (15.0, 5.0), (25.0, 5.0), (25.0, 10.0))
    found = redrawn(outline, path[::-1] if path_back else path)
    assert area(found) == pytest.approx(400 + 10 * 5)
    assert set(SQUARE) <= set(found)
    assert len(found) == 8


def test_a_corner_is_cut_off() -> None:
    found = redrawn(SQUARE, ((20.0, 10.5), (24.0, 16.0), (29.5, 20.0)))
    assert (30.0, 10.0) not in found
    assert found[0] == (20.0, 10.0)
    assert place_on(SQUARE, (33.0, 20.0)) == (30.0, (30.0, 20.0), 3.0)


def redraw(strokes: list[tuple[float, float]], cancel: bool = False) -> tuple[list, object]:
    plain = context(ViewState(), film())
    mark = annotation_of("2.25.9", MarkShape.FREEHAND, SQUARE, plain)
    c = context(ViewState(), film(), annotations=(mark,))
    tool = NAMED["freehand"].make()
    edits = list(tool.press(at_px(c, *strokes[0]), c))
    assert SelectAnnotation("2.25.9") in edits
    for point in strokes[1:]:
        edits += tool.drag(at_px(c, *point), c)
    edits += tool.cancel() if cancel else tool.release(at_px(c, *strokes[-1]), c)
    return edits, mark


BULGE = [(30.0, 13.0), (36.0, 13.0), (40.0, 20.0), (36.0, 27.0), (30.0, 27.0)]


def test_a_stroke_from_the_outline_back_to_it_changes_that_stretch_of_the_same_mark() -> None:
    edits, mark = redraw(BULGE)
    (done,) = kept(tuple(edits))
    assert done.annotation_id == "2.25.9"
    by = {m.quantity: m.value for m in done.measurements}
    assert by[Quantity.AREA] == pytest.approx(area(done.placement.points_px) * 0.8 * 0.5)
    assert by[Quantity.AREA] > 400 * 0.4 * 1.2
    assert any(isinstance(e, PutAnnotation) and e.provisional for e in edits), "it is seen while it is drawn"


@pytest.mark.parametrize("cancel", [False, True])
def test_a_stroke_that_does_not_come_back_leaves_everything_as_it_was(cancel: bool) -> None:
    edits, mark = redraw([(30.0, 13.0), (40.0, 13.0), (50.0, 20.0), (55.0, 45.0)], cancel)
    assert kept(tuple(edits)) == []
    assert edits[-1] == PutAnnotation(mark, provisional=True)


def test_a_click_on_the_outline_only_selects_it() -> None:
    edits, _ = redraw([(30.0, 20.0)])
    assert edits == [SelectAnnotation("2.25.9")]


@pytest.mark.parametrize("seed", range(6))
def test_the_inside_is_the_same_pixel_by_pixel(seed: int) -> None:
    """Against the definition, for each pixel centre alone: crossings to its right are odd, or it lies on the outline."""
    random = np.random.default_rng(seed)
    turns = np.sort(random.uniform(0, 2 * math.pi, 40))
    radius = random.uniform(3, 19, 40)
    points = np.stack([20 + radius * np.cos(turns), 20 + radius * np.sin(turns)], axis=1)
    if seed % 2:
        points = np.round(points) + 0.5  # corners and edges on pixel centres
    rows, columns, mask = region(MarkShape.FREEHAND, [tuple(p) for p in points], 40, 40)
    whole = np.zeros((40, 40), bool)
    whole[rows, columns] = mask
    for j in range(40):
        for i in range(40):
            x, y, odd, on = i + 0.5, j + 0.5, False, False
            for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
                cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                between = min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by)
                on |= between and abs(cross) < 1e-9
                odd ^= bool((ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay))
            assert whole[j, i] == (odd or on), (j, i)
