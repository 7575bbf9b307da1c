"""Volumes are right or refused: hand-worked phantoms with unequal spacing and origins far from zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.dicom.volume_pool import VolumePool
from app.domain.ports import Cancelled, SilentProgress
from app.domain.problem import ProblemError
from app.domain.volume import Volume
from tests.dicom.builders import ORIGIN, image, save, series


def built(folder: Path, **options) -> Volume:
    study = scan([folder]).studies[0]
    sets = display_sets(study)
    assert len(sets) == 1
    return build_volume(study, sets[0], FileByteSource(), **options)


def flat(value_hu: int) -> np.ndarray:
    return np.full((6, 8), 1024 + value_hu, np.uint16)


def refused(folder: Path) -> str:
    with pytest.raises(ProblemError) as caught:
        built(folder)
    return caught.value.problem.code


def test_a_regular_stack_is_ordered_by_position_only(tmp_path: Path) -> None:
    volume = built(series(tmp_path, [0.0, 2.5, 5.0, 7.5]))
    assert volume.voxels.dtype == np.int16
    assert volume.voxels[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert volume.unit == "HU"
    assert volume.source_sop_instance_uids == ("2.25.1000", "2.25.1001", "2.25.1002", "2.25.1003")
    assert volume.geometry.origin_mm == ORIGIN
    assert volume.geometry.spacing_mm == pytest.approx((2.5, 0.5, 0.75))
    # Hand-worked: k=3, j=2, i=5.
    assert volume.geometry.to_patient((3, 2, 5)) == pytest.approx((-121.5 + 5 * 0.75, 87.25 + 2 * 0.5, 640.125 + 7.5))
    assert not volume.interpolated
    assert volume.remarks == ()


def test_every_pixel_lands_in_its_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    stored = rng.integers(0, 4096, (3, 6, 8), dtype=np.uint16)
    volume = built(series(tmp_path, [0.0, 1.0, 2.0], lambda k: stored[k], BitsStored=12, HighBit=11))
    assert np.array_equal(volume.voxels, stored.astype(np.int16) - 1024)


def test_rescale_of_each_frame(tmp_path: Path) -> None:
    for k in range(3):
        d = image(
            np.full((6, 8), 100, np.uint16), RescaleSlope=str(k + 1), RescaleIntercept=str(-k), SOPInstanceUID=f"2.25.5{k}"
        )
        d.ImagePositionPatient = [0, 0, k]
        save(d, tmp_path / f"{k}.dcm")
    assert built(tmp_path).voxels[:, 0, 0].tolist() == [100, 199, 298]


def test_fractions_become_float_and_wide_values_int32(tmp_path: Path) -> None:
    volume = built(series(tmp_path / "f", [0.0, 1.0], RescaleSlope="0.5"))
    assert volume.voxels.dtype == np.float32
    assert volume.voxels[1, 0, 0] == 1025 * 0.5 - 1024
    wide = built(series(tmp_path / "w", [0.0, 1.0], lambda k: np.full((6, 8), 40000 + k, np.uint16), RescaleIntercept="0"))
    assert wide.voxels.dtype == np.int32
    assert wide.voxels[:, 0, 0].tolist() == [40000, 40001]
    signed = built(series(tmp_path / "s", [0.0, 1.0], lambda k: np.full((6, 8), -5 - k, np.int16), RescaleIntercept="-1024"))
    assert signed.voxels.dtype == np.int16
    assert signed.voxels[:, 0, 0].tolist() == [-1029, -1030]


def test_tilt_is_corrected_and_named(tmp_path: Path) -> None:
    # A line that stands upright in the patient: with a shear of 0.5 mm a mm its row moves back one row (0.5 mm) a slice.
    def make(k: int) -> np.ndarray:
        values = np.full((12, 8), 1024, np.uint16)
        values[8 - k] = 2024
        return values

    folder = series(tmp_path, [0.0, 1.0, 2.0, 3.0], make, tilt_mm_per_mm=0.5)
    volume = built(folder)
    assert volume.interpolated
    assert volume.source_sop_instance_uids == ()
    assert {p.code for p in volume.remarks} == {"stack.tilt", "volume.tilt_resampled"}
    assert volume.geometry.k_step_mm == pytest.approx((0, 0, 1.0))
    assert volume.geometry.origin_mm == pytest.approx(ORIGIN)
    assert volume.voxels.shape == (4, 15, 8)
    assert [int(np.argmax(volume.voxels[k, :, 3])) for k in range(4)] == [8, 8, 8, 8]
    assert volume.voxels[:, 8, 3].tolist() == [1000] * 4
    assert volume.voxels[3, 0, 0] == -1024


def test_unequal_steps_are_resampled_and_named(tmp_path: Path) -> None:
    volume = built(series(tmp_path, [0.0, 1.0, 2.5, 4.0, 6.0], lambda k: flat([0, 10, 25, 40, 60][k])))
    assert volume.interpolated
    assert volume.geometry.spacing_mm[0] == pytest.approx(1.0)
    assert volume.voxels[:, 2, 2].tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert {p.code for p in volume.remarks} == {"stack.unequal_spacing", "volume.unequal_resampled"}


def test_gaps(tmp_path: Path) -> None:
    one = built(series(tmp_path / "one", [0.0, 1.0, 2.0, 4.0, 5.0], lambda k: flat([0, 1, 2, 4, 5][k])))
    assert one.voxels[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert one.interpolated
    assert {p.code for p in one.remarks} == {"stack.missing_slices", "volume.gap_filled"}
    assert refused(series(tmp_path / "two", [0.0, 1.0, 2.0, 5.0, 6.0, 7.0])) == "volume.gap"
    assert refused(series(tmp_path / "far", [0.0, 1.0, 2.0, 14.5])) == "volume.unequal_spacing"


def test_doubles(tmp_path: Path) -> None:
    same = [0.0, 1.0, 1.0, 2.0]
    volume = built(series(tmp_path / "same", same, lambda k: np.full((6, 8), 1024, np.uint16)))
    assert volume.voxels.shape[0] == 3
    assert "volume.doubles_dropped" in {p.code for p in volume.remarks}
    assert refused(series(tmp_path / "other", same)) == "volume.duplicate_slices"


def test_refusals(tmp_path: Path) -> None:
    assert refused(series(tmp_path / "single", [0.0])) == "volume.too_few_slices"
    folder = series(tmp_path / "units", [0.0, 1.0])
    odd = image(np.zeros((6, 8), np.uint16), SOPInstanceUID="2.25.77", RescaleType="OD")
    odd.ImagePositionPatient = [*ORIGIN[:2], ORIGIN[2] + 2]
    save(odd, folder / "z.dcm")
    assert refused(folder) == "volume.mixed_units"


def test_given_memory_and_the_pool(tmp_path: Path) -> None:
    folder = series(tmp_path, [0.0, 1.0, 2.0])
    out = np.empty((3, 6, 8), np.int16)
    assert built(folder, out=out).voxels is out
    wrong = np.empty((2, 6, 8), np.int16)
    assert built(folder, out=wrong).voxels is not wrong
    pool = VolumePool()
    first = built(folder, pool=pool)
    assert pool.free_bytes() == 0
    part = first.crop(k=slice(1, 3)).voxels
    del first
    assert pool.free_bytes() == 0, "a view must keep its buffer"
    assert part[0, 0, 0] == 1
    del part
    assert pool.free_bytes() > 0


def test_cancel(tmp_path: Path) -> None:
    class Stop(SilentProgress):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        built(series(tmp_path, [0.0, 1.0]), progress=Stop())


def test_a_file_cut_after_the_scan_is_an_error(tmp_path: Path) -> None:
    folder = series(tmp_path, [0.0, 1.0, 2.0])
    study = scan([folder]).studies[0]
    victim = folder / "f001.dcm"
    victim.write_bytes(victim.read_bytes()[:-20])
    with pytest.raises(ProblemError) as caught:
        build_volume(study, display_sets(study)[0], FileByteSource())
    assert caught.value.problem.code == "dicom.truncated"
