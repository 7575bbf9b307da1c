"""Regions of one flat image: what grows, what is painted, and an outline that holds exactly their pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from app.domain.measurement import MarkShape
from app.imaging.flat_outlines import Borders, outline, widest_outline
from app.imaging.flat_regions import (
    calmed,
    disc_stroke,
    grown,
    largest_part,
    like_pixel,
    part_with,
    parts_touching,
)
from app.viewer.measure import region


def disc(size: int = 60, centre: tuple[float, float] = (25.0, 30.0), radius: float = 12.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size] + 0.5
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


@pytest.mark.parametrize("seed", range(12))
def test_exactly_the_pixels_of_a_part_lie_inside_its_outline(seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=(48, 57)), 0.6 + seed % 3)
    part = largest_part(noise > np.quantile(noise, 0.45))
    assert part is not None
    assert ndimage.label(part)[1] == 1
    points = outline(part)
    rows, columns, inside = region(MarkShape.FREEHAND, points, 48, 57)
    found = np.zeros(part.shape, bool)
    found[rows, columns] = inside
    assert np.array_equal(found, part)
    x, y = np.asarray(points).T
    assert abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 == part.sum(), "its area is that of the pixels"
    steps = np.abs(np.diff(np.vstack([points, points[:1]]), axis=0))
    assert (steps.min(axis=1) == 0).all(), "along the sides of the pixels"
    turned = steps.argmax(axis=1)
    assert (turned != np.roll(turned, 1)).all(), "a corner at every turn and nowhere else"


def test_small_parts_have_outlines() -> None:
    mask = np.zeros((3, 4), bool)
    assert outline(mask) == ()
    mask[2, 3] = True
    assert outline(mask) == ((3.0, 2.0), (4.0, 2.0), (4.0, 3.0), (3.0, 3.0))
    mask[:] = True
    assert set(outline(mask)) == {(0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0)}


def test_growth_takes_what_is_like_the_seed_and_joined_to_it_with_its_holes() -> None:
    random = np.random.default_rng(1)
    values = np.where(disc(), 900, 100) + random.normal(0, 8, (60, 60))
    values[disc(60, (50.0, 50.0), 5.0)] += 800
    values[30, 25] = 20
    mask = grown(values, (34, 25), like_pixel(values, (34, 25)))
    assert mask is not None
    assert np.count_nonzero(mask ^ disc()) <= 0.02 * np.count_nonzero(disc())
    assert mask[30, 25], "the hole is filled"
    assert not mask[50, 50], "like it, but not joined"
    left_out = np.zeros((60, 60), bool)
    left_out[:, :20] = True
    less = grown(values, (34, 25), like_pixel(values, (34, 25)), left_out)
    assert less is not None
    assert not less[:, :20].any()
    assert grown(values, (34, 25), (2000.0, 3000.0)) is None


def test_even_values_grow_and_unknown_ones_do_not() -> None:
    flat = np.where(disc(), 50.0, 10.0)
    mask = grown(flat, (30, 25), like_pixel(flat, (30, 25)))
    assert np.array_equal(mask, disc())
    assert grown(np.full((9, 9), np.nan), (4, 4), like_pixel(np.full((9, 9), np.nan), (4, 4))) is None


def test_a_stroke_is_as_wide_as_its_disc_and_keeps_to_its_range() -> None:
    painted = disc_stroke((40, 80), [(10.0, 20.0), (70.0, 20.0)], (6.0, 3.0))
    y, x = np.mgrid[:40, :80] + 0.5
    away = np.clip(np.abs(x - 40) - 30, 0, None) / 6.0
    exact = away**2 + ((y - 20) / 3.0) ** 2 <= 1.0
    assert np.count_nonzero(painted ^ exact) <= 0.02 * np.count_nonzero(exact)
    assert not (painted & ~exact).any()
    values = np.tile(np.arange(80.0), (40, 1))
    bounded = disc_stroke((40, 80), [(10.0, 20.0), (70.0, 20.0)], (6.0, 3.0), values, (30.0, 50.0))
    assert np.array_equal(bounded, painted & (values >= 30) & (values <= 50))
    beyond = disc_stroke((40, 80), [(-30.0, 20.0), (-20.0, -20.0)], (6.0, 3.0))
    assert not beyond.any()


def test_parts() -> None:
    two = disc() | disc(60, (50.0, 10.0), 4.0)
    assert np.array_equal(largest_part(two), disc())
    assert np.array_equal(part_with(two, (10, 50)), disc(60, (50.0, 10.0), 4.0))
    assert part_with(two, (0, 0)) is None
    assert largest_part(np.zeros((4, 4), bool)) is None
    ring = disc() & ~disc(radius=5.0)
    assert np.array_equal(largest_part(ring), disc())


def test_a_border_made_of_noise_is_calmed_and_a_calm_one_stays() -> None:
    rows, columns = np.mgrid[:700, :700]
    away = np.hypot(rows - 350, columns - 350)
    disc = away <= 300
    assert calmed(disc) is disc
    ragged = largest_part(disc & (np.random.default_rng(5).random((700, 700)) < 0.62) | (away <= 180))
    assert ragged is not None
    before, after = outline(ragged), outline(calmed(ragged))
    assert len(before) > 2500
    assert len(after) < 0.65 * len(before)
    assert abs(int(calmed(ragged).sum()) - int(ragged.sum())) < 0.1 * int(ragged.sum())


def test_of_several_borders_the_widest_is_followed() -> None:
    mask = np.zeros((30, 40), bool)
    mask[1:4, 1:4] = True
    mask[6:26, 5:35] = True
    mask[10:20, 10:30] = False
    mask[12:18, 12:28] = True
    whole = np.zeros_like(mask)
    whole[6:26, 5:35] = True
    assert set(widest_outline(mask)) == set(outline(whole))
    assert widest_outline(np.zeros((3, 3), bool)) == ()


def test_parts_that_hold_a_seed_stay() -> None:
    mask = np.zeros((8, 9), bool)
    mask[1:3, 1:3] = mask[3:5, 3:5] = mask[6, 6:8] = True
    seeds = np.zeros_like(mask)
    seeds[1, 1] = seeds[7, 7] = seeds[6, 7] = True
    kept = parts_touching(mask, seeds)
    assert kept[1:3, 1:3].all()
    assert not kept[3:5, 3:5].any(), "by a corner is not by a side"
    assert kept[6, 6:8].all()
    assert kept.sum() == 6


def test_where_pixels_meet_by_their_corners_the_border_keeps_to_its_own() -> None:
    pinched = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1]], bool)
    found = np.zeros((3, 3), bool)
    rows, columns, inside = region(MarkShape.FREEHAND, outline(pinched), 3, 3)
    found[rows, columns] = inside
    assert np.array_equal(found, pinched), "from one to the other the way leads around, not across"


def test_a_border_is_followed_while_its_mask_changes() -> None:
    random = np.random.default_rng(3)
    mask = np.zeros((200, 150), bool)
    box = [100, 100, 70, 70]
    borders = Borders(mask)
    assert borders.widest() == ()
    for step in range(60):
        j, i = int(random.integers(0, 190)), int(random.integers(0, 140))
        rows, columns = slice(j, min(200, j + 25)), slice(i, min(150, i + 20))
        mask[rows, columns] = random.random((rows.stop - j, columns.stop - i)) < 0.6 if step % 3 else step % 2
        box = [min(box[0], j), max(box[1], rows.stop), min(box[2], i), max(box[3], columns.stop)]
        borders.changed(rows, slice(box[2], box[3]))
        assert borders.widest() == widest_outline(mask)
        assert borders.first() == outline(mask)


def test_of_a_change_only_its_rows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((3000, 400), bool)
    mask[10:2990, 20:380] = True
    borders = Borders(mask)
    looked: list[int] = []
    plain = np.flatnonzero
    monkeypatch.setattr(np, "flatnonzero", lambda a: looked.append(np.size(a)) or plain(a))
    mask[1500:1540, 380:390] = True
    borders.changed(slice(1500, 1540), slice(20, 390))
    assert 0 < sum(looked) <= 42 * 370
