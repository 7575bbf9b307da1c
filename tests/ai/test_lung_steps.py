"""Steps of the lung reader on small arrays with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from app.ai.readers.lung.candidates import find_candidates, prepare
from app.ai.readers.lung.canonical import turn
from app.ai.readers.lung.grid import cube, work_grid
from app.ai.readers.lung.malignancy import malignancy_of, measured_terms
from app.ai.readers.lung.mask import close_by_ball, find_lungs
from app.ai.readers.lung.nodule import axes_of, measure, region_of
from app.ai.readers.lung.window import GRID, inside, make_window, sample, sample_mask, to_array
from app.domain.geometry import VolumeGeometry


def ramp(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    return (3.0 * k - 2.0 * j + 1.0 * i).astype(np.float32)


def ball(shape, spacing, centre, radius_mm):
    grid = np.meshgrid(*((np.arange(n) - c) * s for n, c, s in zip(shape, centre, spacing, strict=True)), indexing="ij")
    return np.sqrt(sum(g**2 for g in grid)) <= radius_mm


def test_cube_reads_a_ramp_exactly_where_steps_match():
    spacing = (2.0, 0.5, 0.5)
    values = ramp((30, 60, 60), spacing)
    read = cube(values, spacing, (14.0, 30.0, 31.0), 0.5, 4)
    offsets = (np.arange(4) - 1.5) * 0.5
    wanted = 3 * (28 + offsets)[:, None, None] - 2 * (15 + offsets)[None, :, None] + (15.5 + offsets)[None, None, :]
    assert np.allclose(read, wanted, atol=1e-3)


def test_cube_outside_is_air():
    values = np.full((8, 8, 8), 40, np.int16)
    read = cube(values, (1.0, 1.0, 1.0), (0.0, 4.0, 4.0), 1.0, 8)
    assert (read[0] == -1000).all()
    assert (read[-1, 3:5, 3:5] == 40).all()


def test_work_grid_goes_back_to_the_source():
    spacing = (2.5, 0.7, 0.7)
    grid = work_grid(ramp((20, 50, 60), spacing), spacing, 1.25)
    assert grid.step_mm == pytest.approx((1.25, 1.25, 1.2353), rel=0.02)
    inner = np.asarray([[7.0, 12.0, 9.0], [20.0, 8.0, 20.0]])
    source = grid.to_source(inner)
    assert np.allclose(grid.to_work(source), inner)
    values = 3 * source[:, 0] * 2.5 - 2 * source[:, 1] * 0.7 + source[:, 2] * 0.7
    assert np.allclose([grid.values[7, 12, 9], grid.values[20, 8, 20]], values, atol=0.6)


def test_closing_keeps_a_nodule_at_the_wall():
    step = (2.0, 2.0, 2.0)
    lung = ball((40, 40, 40), step, (20, 20, 20), 30.0)
    bite = ball((40, 40, 40), step, (20, 20, 33), 6.0)
    closed = close_by_ball(lung & ~bite, 13.0, step)
    assert closed[bite & lung].mean() > 0.7  # all but the cap that pokes through the surface
    assert closed[20, 20, 31]
    # The ball does not grow over the border of the lung.
    assert not (closed & ~ball((40, 40, 40), step, (20, 20, 20), 32.5)).any()


def chest(shape=(60, 70, 90), step=2.5):
    """Two lungs of air in a body of water, air around it."""
    values = np.full(shape, -1000.0, np.float32)
    values[ball(shape, (0.01, step, step), (0, 35, 45), 82.0)] = 40.0
    for i in (28, 62):
        values[ball(shape, (step, step, step), (30, 35, i), 33.0)] = -850.0
    return values


def test_lungs_are_two_sides_and_no_outside_air():
    found = find_lungs(chest(), (2.5, 2.5, 2.5))
    wanted = 4 / 3 * np.pi * 33**3 / 1000
    assert found.millilitres == pytest.approx((wanted, wanted), rel=0.08)
    assert found.sides[30, 35, 28] == 1
    assert found.sides[30, 35, 62] == 2
    assert found.sides[30, 2, 2] == 0


def test_lung_that_is_open_to_the_outside_is_still_found():
    values = chest()
    values[29:31, 34:36, :20] = -1000.0  # a hole through the wall of the first lung
    found = find_lungs(values, (2.5, 2.5, 2.5))
    assert found.sides[30, 35, 28] == 1
    assert found.sides[30, 35, 62] == 2
    assert sum(found.millilitres) < 420


def test_no_lungs_in_a_water_block():
    found = find_lungs(np.full((40, 40, 40), 30.0, np.float32), (2.5, 2.5, 2.5))
    assert found.millilitres == (0.0, 0.0)
    assert not found.sides.any()


def test_every_ball_is_a_candidate():
    """Solid balls of 4 to 20 mm, free and at the wall, 1 mm slices: all are among the candidates."""
    spacing = (1.0, 0.8, 0.8)
    shape = (130, 200, 260)
    rng = np.random.default_rng(1)
    values = np.full(shape, 40.0, np.float32)
    lungs = []
    for i in (75, 185):
        lung = ball(shape, spacing, (65, 100, i), 41.0)
        values[lung] = -860.0
        lungs.append(lung)
    values[:, :3] = values[:, -3:] = values[:, :, :3] = values[:, :, -3:] = -1000.0
    truth = []
    for i, offset in ((75, 0.0), (185, 3.0)):
        for n, diameter in enumerate((4.0, 6.0, 9.0, 14.0)):
            angle = n * np.pi / 2 + offset
            reach = 22.0 if diameter < 14 else 20.0
            centre = (65 + 6.0 * (n - 1.5), 100 + reach * np.sin(angle) / 0.8, i + reach * np.cos(angle) / 0.8)
            values[ball(shape, spacing, centre, diameter / 2)] = 20.0
            truth.append((centre, diameter))
        wall = (65.0, 100.0, i - (41.0 - 3.0) / 0.8)
        values[ball(shape, spacing, wall, 4.0)] = 20.0
        truth.append((wall, 8.0))
    values += rng.normal(0, 20, shape)
    found = find_candidates(prepare(values, spacing))
    for centre, diameter in truth:
        gap = np.linalg.norm((found.kji - np.asarray(centre)) * spacing, axis=1)
        assert gap.min() <= diameter / 2, (centre, diameter, gap.min())
    assert len(found) < 900


def test_window_round_trip():
    spacing = (1.5, 0.7, 0.7)
    mask = ball((30, 60, 60), spacing, (15, 30, 31), 9.0)
    window = make_window((15.4, 29.5, 31.0), spacing, 30.0)
    soft, within = sample_mask(mask, window)
    assert within.all()
    back = to_array(soft, window, mask.shape) > 0.5
    assert 2 * (back & mask).sum() / (back.sum() + mask.sum()) > 0.97


def test_the_border_of_the_cut_tells_nothing():
    """The image is mirrored beyond the cut: no value appears that the cut does not hold."""
    rng = np.random.default_rng(0)
    values = rng.integers(-900, -700, (6, 40, 40)).astype(np.int16)
    window = make_window((3.0, 20.0, 20.0), (1.0, 0.7, 0.7), 40.0)
    x = sample(values, window)
    assert x.shape == (3, *GRID)
    low, high = (np.asarray([-900, -700]) + 1000) / 700 - 1
    assert x[0].min() >= low - 1e-6
    assert x[0].max() <= high + 1e-6
    assert not inside(window, values.shape)[0].any()


def test_axes_of_a_rectangle_and_a_disc():
    plane = np.zeros((40, 40), bool)
    plane[10:14, 5:25] = True
    long_mm, short_mm, _, _ = axes_of(plane, (1.0, 0.5))
    assert long_mm == pytest.approx(np.hypot(9.5, 3.0) + 0.5 + 0.2, abs=0.6)
    assert short_mm == pytest.approx(4.0, abs=1.0)
    disc = ball((1, 61, 61), (1.0, 0.5, 0.5), (0, 30, 30), 10.0)[0]
    long_mm, short_mm, _, _ = axes_of(disc, (0.5, 0.5))
    assert long_mm == pytest.approx(20.5, abs=0.8)
    assert short_mm == pytest.approx(20.5, abs=0.8)


@pytest.mark.parametrize(
    ("core_hu", "rim_hu", "kind"), [(30, 30, "solid"), (30, -560, "part_solid"), (-560, -560, "ground_glass")]
)
def test_measures_of_a_ball(core_hu, rim_hu, kind):
    spacing = (1.0, 0.7, 0.7)
    shape = (40, 60, 60)
    mask = ball(shape, spacing, (20, 30, 30), 8.0)
    values = np.full(shape, -860, np.int16)
    values[mask] = rim_hu
    values[ball(shape, spacing, (20, 30, 30), 4.5)] = core_hu
    found = measure(values, mask, spacing)
    assert found.volume_mm3 == pytest.approx(4 / 3 * np.pi * 512, rel=0.03)
    assert found.mean_diameter_mm == pytest.approx(16.0, abs=1.0)
    assert found.slice_index == 20
    assert found.kind == kind
    assert (found.solid_mm > 0) == (kind != "ground_glass")


def test_volume_of_balls_over_slice_thickness():
    """Sub-voxel: the mean of many positions of a 6 mm ball is within a tenth of the truth."""
    for thickness in (0.6, 1.25, 2.5):
        spacing = (thickness, 0.6, 0.6)
        volumes = []
        for shift in np.linspace(0, 0.9, 6):
            fine = ball((int(24 / thickness), 40, 40), spacing, (12 / thickness + shift, 20 + shift, 20), 3.0)
            volumes.append(measure(np.zeros(fine.shape, np.int16), fine, spacing).volume_mm3)
        assert np.mean(volumes) == pytest.approx(4 / 3 * np.pi * 27, rel=0.1)


def test_regions():
    assert region_of("L", 0.9, 0.5) == "region.lung.left_upper"
    assert region_of("L", 0.1, 0.5) == "region.lung.left_lower"
    assert region_of("R", 0.42, 0.1) == "region.lung.right_middle"
    assert region_of("R", 0.9, 0.2) == "region.lung.right_upper"
    assert region_of("R", 0.2, 0.9) == "region.lung.right_lower"


def test_turned_volume_keeps_patient_positions():
    rng = np.random.default_rng(2)
    voxels = rng.integers(0, 99, (5, 6, 7)).astype(np.int16)
    # Sagittal slices from left to right, rows from head to foot, columns from back to front.
    geometry = VolumeGeometry((80.0, 120.0, -333.0), (-2.0, 0, 0), (0, 0, -1.5), (0, -1.25, 0), (5, 6, 7), "1.2.3")
    turned = turn(voxels, geometry)
    assert turned.geometry.shape == (6, 7, 5)
    assert turned.geometry.spacing_mm == pytest.approx((1.5, 1.25, 2.0))
    for index in ((0, 0, 0), (2, 3, 4), (5, 6, 4)):
        source = tuple(round(v) for v in geometry.to_index(turned.geometry.to_patient(index)))
        assert turned.voxels[index] == voxels[source]
    block, start = turned.back(np.asarray(turned.voxels)[1:4, 2:5, 0:2], (1, 2, 0))
    here = tuple(slice(a, a + n) for a, n in zip(start, block.shape, strict=True))
    assert np.array_equal(block, voxels[here])


def test_connected_part_is_the_seeded_one():
    from app.ai.readers.lung.outline import connected

    values = np.zeros((10, 10, 10), np.float32)
    values[4:6, 4:6, 4:6] = 0.9
    values[0:2, 0:2, 0:2] = 0.9
    mask = connected(values, 0.5)
    assert mask.sum() == 8
    assert mask[4, 4, 4]
    assert ndimage.label(mask)[1] == 1


@pytest.mark.parametrize("radius_mm", [3.0, 5.0, 9.0])
def test_a_vessel_is_taken_off_and_a_ball_is_left_as_it_is(radius_mm):
    from app.ai.readers.lung.trim import without_tail

    spacing = (2.5, 0.7, 0.7)
    z, y, x = (np.arange(n) * s for n, s in zip((30, 90, 90), spacing, strict=True))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    middle = np.asarray([37.5, 31.0, 31.0])
    ball = (z - middle[0]) ** 2 + (y - middle[1]) ** 2 + (x - middle[2]) ** 2 <= radius_mm**2
    along = ball | (((y - middle[1]) ** 2 + (x - middle[2]) ** 2 <= 1.4**2) & (z > middle[0]) & (z < middle[0] + 25))
    across = ball | (((z - middle[0]) ** 2 + (x - middle[2]) ** 2 <= 1.6**2) & (y > middle[1]))
    beside = tuple((middle + [0.8, 0.6, -0.5]) / spacing)
    assert (without_tail(ball, beside, spacing) == ball).all()
    for tailed in (along, across):
        kept = without_tail(tailed, beside, spacing)
        if kept.sum() < tailed.sum():
            assert kept.sum() <= 1.15 * ball.sum()
        off_mm = (np.argwhere(kept).mean(0) * spacing) - middle
        assert np.linalg.norm(off_mm) < 0.4 * radius_mm


def test_an_outline_without_any_voxel_stays_empty():
    from app.ai.readers.lung.trim import without_tail

    assert not without_tail(np.zeros((4, 4, 4), bool), (2.0, 2.0, 2.0), (1.0, 1.0, 1.0)).any()


def test_a_nodule_is_judged_by_its_width_its_densest_place_and_the_rating_the_network_expects():
    spacing = (1.0, 0.5, 0.5)
    inside = ball((40, 80, 80), spacing, (20.0, 40.0, 42.0), 5.0)
    soft = np.where(inside, 30, -850).astype(np.int16)
    width, densest = measured_terms(soft, inside, spacing)
    assert np.exp(width) == pytest.approx(10.0, abs=0.6)
    assert densest == pytest.approx(200 / 500)
    hard = np.where(ball((40, 80, 80), spacing, (20.0, 40.0, 42.0), 2.5), 700, soft).astype(np.int16)
    assert measured_terms(hard, inside, spacing)[1] == pytest.approx(700 / 500, abs=0.1)

    weights = {"log_width": 2.0, "densest": -3.0, "rating": 4.0, "bias": 1.0}
    told = malignancy_of(soft, inside, spacing, [9.0, 0.5] + [9.0] * 7, weights)
    assert told == pytest.approx(2.0 * width - 3.0 * densest + 4.0 * 0.5 + 1.0)
    before = {"log_width": 2.0, "densest": -3.0, "network": 4.0, "bias": 1.0}  # a package of 0.3.0 reads on as it did
    told = malignancy_of(soft, inside, spacing, [0.25] + [9.0] * 8, before)
    assert told == pytest.approx(2.0 * width - 3.0 * densest + 4.0 * 0.25 + 1.0)
