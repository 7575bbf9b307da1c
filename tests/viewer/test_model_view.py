"""A surface model by itself: all of it is seen however it is turned, sizes need a unit, too many triangles are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.domain.document import Surface
from app.viewer.decorations import Style
from app.viewer.model_view import ModelLook, axes_primitives, render_model, size_mm, turned_model
from app.viewer.primitives import Text

FRONT = ModelLook((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


def brick(a: float, b: float, c: float, unit: str = "mm") -> Surface:
    """Twelve triangles, turned outwards, far from the origin."""
    corners = np.array([[x, y, z] for x in (0, a) for y in (0, b) for z in (0, c)], np.float32) + (1000.0, -500.0, 250.0)
    faces = (
        (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
        (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
    )  # fmt: skip
    return Surface(corners[np.array(faces).ravel()].astype(np.float32), unit)


def test_size_needs_a_unit_of_length() -> None:
    assert size_mm(brick(30, 20, 10)) == pytest.approx((30.0, 20.0, 10.0))
    assert size_mm(brick(3, 2, 1, "cm")) == pytest.approx((30.0, 20.0, 10.0), rel=1e-5)
    assert size_mm(brick(3, 2, 1, "")) is None
    assert size_mm(brick(3, 2, 1, "{pixels}")) is None


@pytest.mark.parametrize("moving", [True, False])
def test_a_brick_is_painted_in_its_proportions(moving: bool) -> None:
    surface = brick(30, 20, 10)
    picture = render_model(surface, FRONT, (300, 200), moving)
    assert (picture.shown, picture.made, picture.coarse) == (12, 12, False)
    lit = picture.pixels.max(axis=2) > 20
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    wide, tall = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    assert wide / tall == pytest.approx(3.0, rel=0.03)  # x to the right, z up: 30 by 10
    side = render_model(surface, turned_model(FRONT, 0.5, 0.0), (300, 200), moving).pixels.max(axis=2) > 20
    columns = np.flatnonzero(side.any(axis=0))
    assert (columns[-1] - columns[0] + 1) / wide == pytest.approx(20 / 30, rel=0.03)


def test_all_of_it_is_seen_however_it_is_turned_and_pan_moves_it_with_the_hand() -> None:
    surface = brick(5, 60, 8)
    for n in range(6):
        look = turned_model(FRONT, 0.17 * n, 0.11 * n)
        lit = render_model(surface, look, (120, 200), True).pixels.max(axis=2) > 20
        assert lit.any()
        assert not np.concatenate([lit[0], lit[-1], lit[:, 0], lit[:, -1]]).any()
    before = np.argwhere(render_model(surface, FRONT, (200, 200), True).pixels.max(axis=2) > 20).mean(axis=0)
    after = np.argwhere(render_model(surface, replace(FRONT, pan=(0.1, -0.05)), (200, 200), True).pixels.max(axis=2) > 20)
    assert after.mean(axis=0) - before == pytest.approx((-10.0, 20.0), abs=1.0)


def test_turning_keeps_right_angles_and_names_the_axes_of_the_file() -> None:
    look = FRONT
    for n in range(50):
        look = turned_model(look, 0.13, 0.07 * (n % 3))
    right, down = np.asarray(look.right), np.asarray(look.down)
    assert float(right @ down) == pytest.approx(0.0, abs=1e-9)
    assert float(right @ right) == pytest.approx(1.0)
    texts = [p.text for p in axes_primitives(FRONT, (300, 300), Style()) if isinstance(p, Text)]
    assert texts == ["-Y"]


def test_too_many_triangles_are_merged_and_counted() -> None:
    rng = np.random.default_rng(5)
    middles = rng.random((200_000, 1, 3)) * 40
    points = (middles + rng.random((200_000, 3, 3))).reshape(-1, 3).astype(np.float32)
    picture = render_model(Surface(points), FRONT, (64, 64), True)
    assert picture.made == 200_000
    assert 0 < picture.shown <= 100_000
    assert picture.coarse
