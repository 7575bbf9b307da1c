"""The generated chest: known nodules where the truth says, the same for the same seed, any shape."""

import numpy as np
import pytest

from app.samples.chest_ct import NoduleSpec, ScanStyle, generate_chest_ct

SHAPE = (40, 128, 144)
SPACING = (6.0, 2.6, 2.4)


@pytest.fixture(scope="module")
def phantom():
    specs = (NoduleSpec(18.0), NoduleSpec(22.0, "ground_glass"), NoduleSpec(20.0, "part_solid", place="pleura"))
    return generate_chest_ct(5, SHAPE, SPACING, specs, origin_mm=(-211.0, 37.5, 902.25))


def test_same_seed_gives_the_same_scan(phantom):
    specs = (NoduleSpec(18.0), NoduleSpec(22.0, "ground_glass"), NoduleSpec(20.0, "part_solid", place="pleura"))
    again = generate_chest_ct(5, SHAPE, SPACING, specs, origin_mm=(-211.0, 37.5, 902.25))
    assert np.array_equal(phantom.volume.voxels, again.volume.voxels)
    other = generate_chest_ct(6, SHAPE, SPACING, specs)
    assert not np.array_equal(phantom.volume.voxels, other.volume.voxels)


def test_volume_is_hu_with_its_geometry(phantom):
    volume = phantom.volume
    assert volume.voxels.dtype == np.int16
    assert volume.unit == "HU"
    assert volume.geometry.spacing_mm == pytest.approx(SPACING)
    assert volume.geometry.origin_mm == (-211.0, 37.5, 902.25)
    assert -1024 <= volume.voxels.min() < -950
    assert volume.voxels.max() > 400


def test_truth_lies_where_the_nodule_is(phantom):
    for nodule in phantom.truth:
        kji = phantom.volume.geometry.to_index(nodule.centre_lps_mm)
        k, j, i = (round(v) for v in kji)
        box = nodule.box
        assert nodule.mask[k - box[0].start, j - box[1].start, i - box[2].start]
        assert phantom.lung_mask[k, j, i]
        values = phantom.volume.voxels[box][nodule.mask]
        if nodule.kind == "solid":
            assert np.median(values) > -250
        if nodule.kind == "ground_glass":
            assert -760 < np.median(values) < -450
        assert nodule.laterality == ("L" if nodule.centre_lps_mm[0] > -211.0 + 2.4 * 71.5 else "R")


@pytest.mark.parametrize("diameter_mm", [12.0, 20.0])
def test_volume_of_the_nodule_is_what_was_asked(diameter_mm):
    centre = (70.0, 0.0, 60.0)
    phantom = generate_chest_ct(
        2, (30, 200, 200), (4.0, 1.8, 1.8), (NoduleSpec(diameter_mm, centre_lps_mm=centre),), origin_mm=(-179.0, -179.0, 0.0)
    )
    (nodule,) = phantom.truth
    assert nodule.diameter_mm == pytest.approx(diameter_mm, rel=0.03)
    assert np.linalg.norm(np.subtract(nodule.centre_lps_mm, centre)) < 1.5


def test_a_second_scan_differs_by_noise_only():
    specs = (NoduleSpec(15.0),)
    first = generate_chest_ct(9, SHAPE, SPACING, specs, style=ScanStyle(noise_hu=10.0, noise_seed=1))
    second = generate_chest_ct(9, SHAPE, SPACING, specs, style=ScanStyle(noise_hu=10.0, noise_seed=2))
    difference = first.volume.voxels.astype(float) - second.volume.voxels
    assert 5 < difference.std() < 25
    assert abs(difference.mean()) < 0.5
    assert first.truth[0].centre_lps_mm == second.truth[0].centre_lps_mm


def test_lungs_hold_air_and_vessels(phantom):
    values = phantom.volume.voxels[phantom.lung_mask]
    assert 0.05 < phantom.lung_mask.mean() < 0.35
    assert -900 < np.median(values) < -780
    assert np.mean(values > -300) > 0.005


def test_outside_nodule_is_refused():
    with pytest.raises(ValueError, match="outside"):
        generate_chest_ct(1, SHAPE, SPACING, (NoduleSpec(8.0, centre_lps_mm=(9000.0, 0.0, 0.0)),))
    with pytest.raises(ValueError, match="kind"):
        NoduleSpec(8.0, "hard")
