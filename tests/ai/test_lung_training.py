"""Data and steps behind the lung reader's weights: NIfTI, cuts, blending, examples that keep sides apart."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from app.ai.training.blend import paste, paste_nodule
from app.ai.training.evaluation.lung_ct import seed_of
from app.ai.training.lidc import Nodule, load_nodules
from app.ai.training.lung_figures import calibrate, fit_malignancy
from app.ai.training.lung_scans import Examples, Placed, allowed_without, free_places, hits
from app.ai.training.nifti import read_nifti


def nifti(path: Path, values: np.ndarray, spacing_xyz: tuple[float, float, float], slope: float = 1.0) -> None:
    header = bytearray(352)
    header[0:4] = struct.pack("<i", 348)
    header[40:56] = struct.pack("<8h", 3, *values.shape[::-1], 1, 1, 1, 1)
    header[70:74] = struct.pack("<2h", 4, 16)
    header[76:108] = struct.pack("<8f", 1, *spacing_xyz, 0, 0, 0, 0)
    header[108:120] = struct.pack("<3f", 352.0, slope, 0.0)
    header[344:348] = b"n+1\0"
    path.write_bytes(gzip.compress(bytes(header) + values.astype("<i2").tobytes()))


def nodule(radius_mm: float = 4.0, spacing=(2.0, 0.7, 0.7)) -> Nodule:
    shape = (9, 41, 43)
    grid = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij")
    mask = np.sqrt(sum(g**2 for g in grid)) <= radius_mm
    hu = np.where(mask, 20, -880).astype(np.int16)
    return Nodule("a.nii.gz", "p", hu, mask, spacing, 2 * radius_mm, 1, (4.0, 1.0, 1.0, 4.0, 4.0, 5.0, 5.0), 0.0, "train")


def test_nifti_is_read_in_slice_row_column_order(tmp_path):
    values = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    nifti(tmp_path / "a.nii.gz", values, (0.5, 0.6, 2.5))
    read = read_nifti(tmp_path / "a.nii.gz")
    assert np.array_equal(read.values, values)
    assert read.spacing_mm == pytest.approx((2.5, 0.6, 0.5))
    nifti(tmp_path / "b.nii.gz", values, (1, 1, 1), slope=2.0)
    assert np.array_equal(read_nifti(tmp_path / "b.nii.gz").values, values * 2)
    (tmp_path / "c.nii").write_bytes(b"no image" * 100)
    with pytest.raises(ValueError, match="NIfTI"):
        read_nifti(tmp_path / "c.nii")


def test_a_folder_without_split_is_all_test(tmp_path):
    (tmp_path / "image").mkdir()
    (tmp_path / "nodule_mask").mkdir()
    one = nodule()
    nifti(tmp_path / "image" / "x.nii.gz", one.hu, (0.7, 0.7, 2.0))
    nifti(tmp_path / "nodule_mask" / "x.nii.gz", one.mask, (0.7, 0.7, 2.0))
    (tmp_path / "labels.csv").write_text("file,patient_id,diameter_mm,malignant\nx.nii.gz,p1,8.0,\n", encoding="utf-8")
    (found,) = load_nodules(tmp_path, "test")
    assert found.malignant is None
    assert found.patient == "p1"
    assert found.equivalent_diameter_mm == pytest.approx(8.0, rel=0.1)
    with pytest.raises(ValueError, match="no nodule"):
        load_nodules(tmp_path, "train")


def test_the_seed_is_off_by_at_most_3_mm_and_fixed():
    one = nodule()
    seed = seed_of(one)
    assert seed == seed_of(one)
    shift = (np.asarray(seed) - one.centroid) * one.spacing_mm
    assert 0 < np.linalg.norm(shift) <= 3.0


def test_a_pasted_nodule_keeps_its_size_and_tears_no_wall():
    rng = np.random.default_rng(0)
    voxels = np.full((40, 120, 120), -850, np.int16)
    voxels[:, :, :20] = 40
    before = voxels.copy()
    put = paste_nodule(voxels, (1.5, 0.8, 0.8), (20.0, 60.0, 60.0), nodule(), rng)
    assert put is not None
    assert put.diameter_mm == pytest.approx(7.5, rel=0.12)
    assert voxels[20, 60, 60] > -50
    far = np.ones(voxels.shape, bool)
    far[10:30, 45:75, 45:75] = False
    assert np.array_equal(voxels[far], before[far])
    at_wall = voxels.copy()
    assert paste(at_wall, (1.5, 0.8, 0.8), (20.0, 60.0, 22.0), nodule().hu, nodule().mask, (2.0, 0.7, 0.7), rng) is not None
    assert (at_wall[:, :, :20] >= 40).all()
    assert paste_nodule(voxels, (1.5, 0.8, 0.8), (1.0, 60.0, 60.0), nodule(), rng) is None


def test_places_are_in_the_lungs_and_apart():
    lungs = np.zeros((20, 60, 60), bool)
    lungs[5:15, 10:50, 10:50] = True
    taken = [((10.0, 30.0, 30.0), 5.0)]
    found = free_places(lungs, (2.0, 1.0, 1.0), taken, 5, np.random.default_rng(1))
    for n, place in enumerate(found):
        assert lungs[tuple(round(v) for v in place)]
        for other, radius in [*taken, *((p, 6.0) for p in found[:n])]:
            assert np.linalg.norm((np.asarray(place) - other) * (2.0, 1.0, 1.0)) - radius >= 12.0


def test_hits_need_the_nodules_radius():
    from app.ai.readers.lung.candidates import Candidates

    places = np.asarray([[10.0, 10.0, 10.0], [10.0, 10.0, 14.5], [0.0, 0.0, 0.0]])
    found = Candidates(places, np.ones(3), np.ones(3), np.ones(3, np.int64))
    truth = [Placed((10.0, 10.0, 10.0), 8.0, "solid", "t")]
    assert hits(found, truth, (1.0, 1.0, 1.0)).tolist() == [0, -1, -1]
    assert hits(found, truth, (1.0, 1.0, 0.5)).tolist() == [0, 0, -1]


def test_cross_fitting_leaves_a_side_out():
    """Side 1 of the real scan: its own copies of that side, unknown sides, and chests with pieces of it are left out."""
    origin = np.asarray([0, 0, 0, 1000, 1001], np.int32)
    side = np.asarray([1, 2, 0, 1, 1], np.int8)
    data = Examples(np.zeros((5, 2, 1, 1, 1), np.uint8), np.zeros(5, np.int8), side, origin)
    assert allowed_without(data, 1).tolist() == [1, 4]
    assert allowed_without(data, 2).tolist() == [0, 3]


def test_calibration_rises_and_stays_off_the_ends():
    rng = np.random.default_rng(4)
    score = rng.normal(0, 2, 400)
    truth = rng.random(400) < 1 / (1 + np.exp(-score))
    table = calibrate(list(zip(score.tolist(), truth.tolist(), strict=True)))
    assert np.all(np.diff(table["probability"]) >= 0)
    assert min(table["probability"]) > 0
    assert max(table["probability"]) < 1
    assert float(np.interp(0.0, table["score"], table["probability"])) == pytest.approx(0.5, abs=0.2)


def test_malignancy_weights_are_found_again():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4000, 2))
    y = (rng.random(4000) < 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.5 * x[:, 1] + 0.3)))).astype(float)
    assert fit_malignancy(x, y, 0.01) == pytest.approx([1.5, -0.5, 0.3], abs=0.15)
