"""Masks by hand on phantoms with unequal spacing: the volumes are counted out here, voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Quantity
from app.domain.volume import Volume
from app.imaging.growing import (
    Bound,
    BoxMask,
    along,
    grow,
    grow_bounded,
    like_seed,
    nearest_index,
    stroke,
    trimmed,
    union,
    without,
)
from app.imaging.masks import volume_mm3
from app.imaging.packed import counted_values, pack

GEOMETRY = VolumeGeometry((-151.25, 38.5, -1210.75), (0.0, 0.6, 2.4), (0.0, 0.8, -0.2), (0.6, 0.0, 0.0), (24, 40, 48), "1.9")
"""Tilted: the steps are not at right angles."""


def _ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.arange(n) for n in GEOMETRY.shape), indexing="ij")
    at = GEOMETRY.to_patient_many(np.stack([k.ravel(), j.ravel(), i.ravel()], 1).astype(float))
    return (np.linalg.norm(at - np.asarray(centre), axis=1) <= radius).reshape(GEOMETRY.shape)


CENTRE = GEOMETRY.to_patient((12, 20, 24))
INSIDE = _ball(CENTRE, 6.01)


def _phantom() -> Volume:
    rng = np.random.default_rng(5)
    values = np.where(INSIDE, 60.0, -700.0) + rng.normal(0, 8, GEOMETRY.shape)
    values[12, 20, 27] = 900.0  # a calcification inside is filled
    far = _ball(GEOMETRY.to_patient((3, 5, 5)), 3.0)
    values[far] = 60.0  # of the same values, but not joined
    return Volume(values.astype(np.int16), GEOMETRY, "HU")


def test_growing_takes_exactly_the_ball() -> None:
    volume = _phantom()
    seed = nearest_index(GEOMETRY, CENTRE)
    assert seed == (12, 20, 24)
    found = grow(volume, seed, (-200.0, 300.0))
    assert found is not None
    whole = np.zeros(GEOMETRY.shape, bool)
    k, j, i = (slice(a, b) for a, b in zip(found.start, found.stop, strict=True))
    whole[k, j, i] = found.values
    assert np.array_equal(whole, INSIDE)
    voxel = abs(np.linalg.det(np.stack([GEOMETRY.k_step_mm, GEOMETRY.j_step_mm, GEOMETRY.i_step_mm])))
    assert volume_mm3(found.values, GEOMETRY.cropped(k, j, i)) == pytest.approx(INSIDE.sum() * voxel)


def test_the_range_comes_from_the_seed_s_surroundings() -> None:
    volume = _phantom()
    low, high = like_seed(volume, (12, 20, 22))
    assert -700 < low < 60 < high < 900
    even = Volume(np.where(INSIDE, 100, 0).astype(np.int16), GEOMETRY, "HU")
    low, high = like_seed(even, (12, 20, 24))
    assert low < 100 < high
    assert low > 0
    assert grow(even, (12, 20, 24), (200.0, 300.0)) is None


def test_growth_stops_at_its_radius() -> None:
    even = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY, "HU")
    found = grow(even, (12, 20, 24), (-1.0, 1.0), radius_mm=6.01)
    assert found is not None
    assert int(found.values.sum()) == int(INSIDE.sum())


def test_a_stroke_is_balls_within_a_range_and_can_be_taken_back() -> None:
    volume = _phantom()
    painted = stroke(volume, [CENTRE], 6.01, None)
    assert painted is not None
    assert int(painted.values.sum()) == int(INSIDE.sum())
    limited = stroke(volume, [CENTRE], 9.0, (-200.0, 300.0))
    assert limited is not None
    assert int(limited.values.sum()) == int(INSIDE.sum()) - 1  # without the calcification
    half = stroke(volume, [CENTRE], 3.0, None)
    assert half is not None
    rest = without(painted, half)
    assert rest is not None
    assert int(rest.values.sum()) == int(INSIDE.sum()) - int(half.values.sum())
    assert without(half, painted) is None
    assert stroke(volume, [(1e4, 1e4, 1e4)], 5.0, None) is None


def test_union_and_trim_keep_every_voxel_in_its_place() -> None:
    a = BoxMask(np.ones((1, 2, 3), bool), (2, 3, 4))
    b = BoxMask(np.ones((2, 1, 1), bool), (5, 0, 9))
    both = union(a, b)
    assert both.start == (2, 0, 4)
    assert int(both.values.sum()) == 8
    assert both.values[0, 3, 0]
    assert both.values[3, 0, 5]
    padded = np.zeros((5, 5, 5), bool)
    padded[1, 2, 3] = True
    small = trimmed(BoxMask(padded, (10, 10, 10)))
    assert small is not None
    assert (small.start, small.values.shape) == ((11, 12, 13), (1, 1, 1))
    assert trimmed(BoxMask(np.zeros((2, 2, 2), bool), (0, 0, 0))) is None


def test_points_along_a_stroke_leave_no_gap() -> None:
    points = along([(0.0, 0.0, 0.0), (10.0, 0.0, 0.0), (10.0, 3.0, 0.0)], 2.0)
    gaps = [np.linalg.norm(np.subtract(a, b)) for a, b in zip(points, points[1:], strict=False)]
    assert max(gaps) <= 2.0
    assert points[0] == (0.0, 0.0, 0.0)
    assert points[-1] == (10.0, 3.0, 0.0)


FINE = VolumeGeometry.axial((60, 80, 80), (1.0, 1.0, 1.0), (-31.5, 88.0, -404.0), "1.9")


def _two_rooms(neck: int) -> Volume:
    """A ball of 10 mm, a passage ``neck`` voxels wide, and a room beyond that never ends."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in FINE.shape), indexing="ij")
    ball = (k - 30) ** 2 + (j - 40) ** 2 + (i - 24) ** 2 <= 100
    passage = (np.abs(k - 30) * 2 < neck) & (np.abs(j - 40) * 2 < neck) & (i >= 24) & (i <= 46)
    beyond = i >= 44
    return Volume(np.where(ball | passage | beyond, 60, -800).astype(np.int16), FINE, "HU")


@pytest.mark.parametrize("neck", [1, 3])
def test_a_leak_through_a_neck_is_cut_and_told(neck: int) -> None:
    found = grow_bounded(_two_rooms(neck), (30, 40, 24), (0.0, 120.0), radius_mm=30.0)
    assert found is not None
    assert found.bound is Bound.NECK
    k, j, i = np.meshgrid(*(np.arange(n) for n in FINE.shape), indexing="ij")
    ball = int(((k - 30) ** 2 + (j - 40) ** 2 + (i - 24) ** 2 <= 100).sum())
    assert abs(int(found.mask.values.sum()) - ball) < 0.05 * ball
    assert found.mask.stop[2] <= 40


def test_a_wide_leak_is_held_by_the_ball_and_told() -> None:
    volume = _two_rooms(13)
    found = grow_bounded(volume, (30, 40, 24), (0.0, 120.0), radius_mm=30.0)
    assert found is not None
    assert found.bound is Bound.BALL
    at = np.argwhere(found.mask.values) + np.asarray(found.mask.start)
    assert np.linalg.norm(at - (30, 40, 24), axis=1).max() <= 30.0
    whole = grow_bounded(volume, (30, 40, 24), (1000.0, 2000.0), radius_mm=30.0)
    assert whole is None


def test_what_stays_inside_is_not_touched_by_the_bounds() -> None:
    volume = _phantom()
    found = grow_bounded(volume, (12, 20, 24), (-200.0, 300.0))
    assert found is not None
    assert found.bound is Bound.NONE
    assert int(found.mask.values.sum()) == int(INSIDE.sum())


def test_values_are_counted_again_by_another_way() -> None:
    volume = _phantom()
    found = grow(volume, (12, 20, 24), (-200.0, 300.0))
    assert found is not None
    packed = pack(found, volume, "d", True)
    k, j, i = (slice(a, b) for a, b in zip(found.start, found.stop, strict=True))
    inside = volume.voxels[k, j, i][found.values].astype(float)
    again = counted_values(packed, volume)
    assert again[Quantity.MEAN] == pytest.approx(inside.mean(), rel=1e-12)
    assert again[Quantity.STANDARD_DEVIATION] == pytest.approx(inside.std(), rel=1e-12)
    assert (again[Quantity.MINIMUM], again[Quantity.MAXIMUM]) == (inside.min(), inside.max())
