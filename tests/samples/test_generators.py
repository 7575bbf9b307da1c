"""The generated anatomy is where its answers say, looks to the right side, and comes out the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from app.imaging.fields import power_noise
from app.samples.chest_film import FilmNodule, generate_chest_film
from app.samples.head_ct import Bleed, generate_head_ct, thick_slices
from app.samples.mammogram import Lesion, generate_mammogram
from app.samples.panoramic import DentalPlan, generate_panoramic, random_plan

BLEED = Bleed((25.0, -5.0, 8.0), (12.0, 16.0, 13.0), 4.0)


def test_power_noise_has_its_slope() -> None:
    field = power_noise(np.random.default_rng(1), (256, 256), 3.0)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-3)
    power = np.abs(np.fft.fft2(field)) ** 2
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    chosen = (f > 0.02) & (f < 0.3)
    slope = np.polyfit(np.log(f[chosen]), np.log(power[chosen]), 1)[0]
    assert slope == pytest.approx(-3.0, abs=0.15)


def test_bleed_lies_where_the_truth_says() -> None:
    head = generate_head_ct(2, slice_mm=4.0, rows=160, bleed=BLEED)
    clean = generate_head_ct(2, slice_mm=4.0, rows=160)
    assert head.bleed is not None
    assert head.bleed_mask is not None
    assert head.bleed.side == "L"
    assert clean.bleed is None
    ellipsoid_ml = 4 / 3 * np.pi * 12 * 16 * 13 / 1000
    assert head.bleed.volume_ml == pytest.approx(ellipsoid_ml, rel=0.2)
    assert head.volume.voxels[head.bleed_mask].mean() == pytest.approx(66, abs=5)
    changed = np.abs(head.volume.voxels.astype(int) - clean.volume.voxels) > 15
    k, j, i = (round(v) for v in head.volume.geometry.to_index(head.bleed.centre_lps_mm))
    assert changed[k, j, i]
    assert not changed[0].any()


def test_head_has_air_bone_brain_and_fluid() -> None:
    voxels = generate_head_ct(4, slice_mm=8.0, rows=128).volume.voxels
    assert voxels[:, 0, 0].max() < -900
    assert (voxels > 700).mean() > 0.02
    middle = voxels[len(voxels) // 2, 40:90, 40:90]
    assert 22 < np.median(middle) < 42
    assert (middle < 15).any()


def test_tilted_slices_show_the_same_head() -> None:
    straight = generate_head_ct(2, slice_mm=3.0, rows=128, bleed=BLEED)
    tilted = generate_head_ct(2, slice_mm=3.0, rows=128, bleed=BLEED, tilt_deg=18.0)
    assert straight.bleed is not None
    assert tilted.bleed is not None
    np.testing.assert_allclose(straight.bleed.centre_lps_mm, tilted.bleed.centre_lps_mm, atol=2.0)
    step = np.asarray(tilted.volume.geometry.k_step_mm)
    normal = np.asarray(tilted.volume.geometry.plane(0).normal)
    assert np.degrees(np.arccos(step @ normal / np.linalg.norm(step))) == pytest.approx(18.0, abs=1e-6)


def test_thick_slices_keep_positions() -> None:
    thin = generate_head_ct(2, slice_mm=2.0, rows=96, bleed=BLEED)
    thick = thick_slices(thin, 3)
    for k in (0, 5):
        group = thin.volume.voxels[k * 3 : k * 3 + 3].mean(axis=0)
        assert np.abs(thick.volume.voxels[k] - group).max() <= 0.51
        assert thick.volume.geometry.to_patient((k, 0, 0)) == pytest.approx(
            thin.volume.geometry.to_patient((k * 3 + 1, 0, 0))
        )


def test_mammograms_hang_chest_wall_to_chest_wall() -> None:
    views = {v.name: v for v in generate_mammogram(5, shape=(512, 384))}
    assert list(views) == ["RCC", "LCC", "RMLO", "LMLO"]
    for name, view in views.items():
        left, right = view.pixels[:, :8].mean(), view.pixels[:, -8:].mean()
        assert (right > 5 * left) if name[0] == "R" else (left > 5 * right)
        assert view.pixels.max() <= 4095
        assert view.patient_orientation[0] == ("P" if name[0] == "R" else "A")
    # The pectoral muscle is the bright upper corner at the chest wall.
    mlo = views["LMLO"].pixels
    assert mlo[10:60, 5:40].mean() > 1.3 * np.median(mlo[mlo > 300])


def test_mass_and_calcifications_are_drawn_at_their_boxes() -> None:
    lesions = (Lesion("R", "mass", 0.6, 0.7, 0.62, 14.0), Lesion("L", "calcifications", 0.34, -0.36, -0.42, 10.0))
    with_lesions = generate_mammogram(5, lesions=lesions, shape=(1024, 768))
    without = generate_mammogram(5, shape=(1024, 768))
    for view, clean in zip(with_lesions, without, strict=True):
        (truth,) = view.lesions
        x0, y0, x1, y1 = (round(v) for v in truth.box_px)
        difference = view.pixels.astype(int) - clean.pixels
        inside = difference[y0:y1, x0:x1]
        if truth.kind == "mass":
            middle = inside[inside.shape[0] // 4 : -inside.shape[0] // 4, inside.shape[1] // 4 : -inside.shape[1] // 4]
            assert middle.mean() > 150
        assert inside.max() > 350
        far = np.ones(difference.shape, bool)
        size = x1 - x0
        far[max(0, y0 - size) : y1 + size, max(0, x0 - size) : x1 + size] = False
        assert (np.abs(difference[far]) > 400).mean() < 0.002


def test_prior_shows_the_same_breast() -> None:
    now, before = (generate_mammogram(5, shape=(256, 192), exam=n, views=("RCC",))[0].pixels for n in (1, 2))
    other = generate_mammogram(6, shape=(256, 192), views=("RCC",))[0].pixels
    same = np.corrcoef(now.ravel(), before.ravel())[0, 1]
    assert same > np.corrcoef(now.ravel(), other.ravel())[0, 1]
    assert not np.array_equal(now, before)


PLAN = DentalPlan(missing=(18, 34), fillings={16: "O", 46: "MOD"}, cavities={25: "O"}, impacted={38: 40.0}, implants=(14,))


def test_teeth_lie_in_their_quadrants() -> None:
    film = generate_panoramic(6, PLAN, columns=1024, with_labels=True)
    boxes = {t.fdi: t.box_px for t in film.teeth}
    assert len(boxes) == 32 - 2 - 1
    assert not {18, 34, 14} & set(boxes)
    middle = {n: ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for n, b in boxes.items()}
    # The patient's right is on the left of the film, upper teeth above lower ones, molars further out.
    assert middle[11][0] < middle[21][0]
    assert middle[16][0] < middle[13][0] < middle[11][0] < middle[21][0] < middle[23][0] < middle[26][0]
    assert middle[46][0] < middle[41][0] < middle[31][0] < middle[36][0]
    assert all(middle[n][1] < middle[41][1] for n in boxes if n < 30)
    assert film.labels is not None
    for n in (11, 26, 46):
        rows, columns = np.nonzero(film.labels == n)
        x0, y0, x1, y1 = boxes[n]
        assert columns.min() >= x0 - 2
        assert columns.max() <= x1 + 2
        assert rows.min() >= y0 - 2
        assert rows.max() <= y1 + 2


def test_dental_work_is_where_its_boxes_are() -> None:
    film = generate_panoramic(6, PLAN, columns=1024)
    clean = generate_panoramic(6, DentalPlan(missing=(18, 34), impacted={38: 40.0}, implants=(14,)), columns=1024)
    found = {(f.name, f.fdi): f.box_px for f in film.findings}
    assert set(found) == {("filling", 16), ("filling", 46), ("cavity", 25), ("impacted", 38), ("implant", 14)}
    teeth = {t.fdi: t.box_px for t in film.teeth}
    for (name, fdi), sign in ((("filling", 16), 1), (("filling", 46), 1), (("cavity", 25), -1)):
        x0, y0, x1, y1 = found[name, fdi]
        assert teeth[fdi][0] - 1 <= x0 <= x1 <= teeth[fdi][2] + 1
        part = np.s_[round(y0) : round(y1), round(x0) : round(x1)]
        change = film.pixels[part].astype(int) - clean.pixels[part]
        assert sign * change.mean() > 60


def test_random_mouths_differ_and_repeat() -> None:
    plans = [random_plan(seed) for seed in range(12)]
    assert len({str(p) for p in plans}) == 12
    assert random_plan(3) == random_plan(3)
    assert any(p.impacted for p in plans)
    a, b = generate_panoramic(9, columns=512), generate_panoramic(9, columns=512)
    np.testing.assert_array_equal(a.pixels, b.pixels)
    assert a.teeth == b.teeth


def test_film_nodule_is_denser_than_the_lung_around_it() -> None:
    nodule = FilmNodule(-88.0, 150.0, 20.0)
    film = generate_chest_film(3, nodules=(nodule,), columns=700)
    clean = generate_chest_film(3, columns=700)
    (truth,) = film.nodules
    assert truth.centre_px == pytest.approx(((-88 + 175) * 2, 300))
    x0, y0, x1, y1 = (round(v) for v in truth.box_px)
    change = film.pixels.astype(int) - clean.pixels
    assert change[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8].mean() > 80
    assert np.abs(change[500:, 400:]).max() < 60
    assert film.lungs[truth_row(truth.centre_px[1]), truth_row(truth.centre_px[0])]


def truth_row(position_px: float) -> int:
    """Index on the quarter-size lung map."""
    return int(position_px // 4)


def test_film_shows_the_heart_on_the_left() -> None:
    pixels = generate_chest_film(3, columns=350).pixels.astype(float)
    rows = slice(230, 270)
    # Patient's left is on the right of the film: the heart reaches further there.
    assert pixels[rows, 200:235].mean() > 1.15 * pixels[rows, 115:150].mean()
