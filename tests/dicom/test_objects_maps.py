from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.dicom import coding
from app.dicom.parametric_map import PARAMETRIC_MAP, heatmap_object, heatmap_pm, read_heatmap, read_pm
from app.dicom.segmentation import finding_masks_seg, read_seg
from app.domain.finding import Finding, Heatmap, Location, ReadResult, ReadState, SegmentMask, Source
from app.domain.geometry import VolumeGeometry
from app.domain.identity import uid_for
from app.domain.problem import ProblemError
from tests.dicom.objects_phantom import (
    GEOMETRY,
    NODULE,
    READER,
    ai_finding,
    ai_result,
    ct_study,
    film_study,
    header,
    iod_errors,
)


def with_masks(*masks: SegmentMask) -> ReadResult:
    return replace(ai_result(ai_finding(1), ai_finding(2, 2)), masks=masks)


def test_masks_on_crops_come_back_in_their_place(tmp_path: Path) -> None:
    crop = GEOMETRY.cropped(slice(2, 5), slice(6, 12), slice(9, 16))
    one = np.zeros(crop.shape, bool)
    one[1, 2:5, 3:6] = True
    two = np.zeros(GEOMETRY.shape, bool)
    two[2, 4, 5] = True
    result = with_masks(
        SegmentMask(ai_finding(1).finding_id, one, crop), SegmentMask(ai_finding(2).finding_id, two, GEOMETRY)
    )
    data = finding_masks_seg(ct_study(), result, header("seg"))
    assert iod_errors(data, tmp_path) == []
    assert finding_masks_seg(ct_study(), result, header("seg")) == data
    first, second = read_seg(data)
    assert [s.tracking_uid for s in (first, second)] == [ai_finding(1).finding_id, ai_finding(2).finding_id]
    assert first.code == NODULE
    assert first.label.startswith("A1")
    for segment, values, geometry in ((first, one, crop), (second, two, GEOMETRY)):
        assert segment.geometry is not None
        want = geometry.to_patient_many(np.argwhere(values).astype(float))
        got = segment.geometry.to_patient_many(np.argwhere(segment.values).astype(float))
        np.testing.assert_allclose(got, want, atol=1e-4)
        assert segment.geometry.frame_of_reference_uid == GEOMETRY.frame_of_reference_uid
    # frames are planes of the source images: rows and columns are theirs, and the image is named
    assert first.values.shape[1:] == GEOMETRY.shape[1:]
    assert first.source_sop_instance_uids == (uid_for("objects", "ct", "3"),)


def test_overlapping_masks_keep_all_their_voxels() -> None:
    one, two = np.zeros(GEOMETRY.shape, bool), np.zeros(GEOMETRY.shape, bool)
    one[2:4, 3:8, 3:8] = True
    two[3:5, 6:9, 6:9] = True
    masks = (SegmentMask(ai_finding(n).finding_id, m, GEOMETRY) for n, m in ((1, one), (2, two)))
    segments = read_seg(finding_masks_seg(ct_study(), with_masks(*masks), header("seg")))
    for segment, values in zip(segments, (one, two), strict=True):
        assert segment.geometry is not None
        np.testing.assert_allclose(
            segment.geometry.to_patient_many(np.argwhere(segment.values).astype(float)),
            GEOMETRY.to_patient_many(np.argwhere(values).astype(float)),
            atol=1e-4,
        )


def test_masks_on_a_grid_of_their_own(tmp_path: Path) -> None:
    grid = VolumeGeometry.axial((3, 5, 6), (1.0, 1.0, 1.0), (-120.0, -305.5, -740.0), GEOMETRY.frame_of_reference_uid)
    values = np.zeros(grid.shape, bool)
    values[0, 1, 2] = values[2, 3, 4] = True
    data = finding_masks_seg(ct_study(), with_masks(SegmentMask(ai_finding(1).finding_id, values, grid)), header("seg"))
    assert iod_errors(data, tmp_path) == []
    (segment,) = read_seg(data)
    assert segment.geometry is not None
    np.testing.assert_allclose(
        segment.geometry.to_patient_many(np.argwhere(segment.values).astype(float)),
        grid.to_patient_many(np.argwhere(values).astype(float)),
        atol=1e-4,
    )


def test_a_film_mask_at_low_resolution_spans_the_film(tmp_path: Path) -> None:
    uid = uid_for("objects", "dx")
    values = np.zeros((4, 5), bool)
    values[1, 2] = True
    finding = Finding(
        uid_for("film finding"), Source.AI, NODULE, Location(sop_instance_uid=uid, centre_px=(25.0, 15.0)), reader=READER
    )
    result = ReadResult(
        READER,
        film_study().study_instance_uid,
        ReadState.COMPLETED,
        (finding,),
        masks=(SegmentMask(finding.finding_id, values, None, uid),),
    )
    data = finding_masks_seg(film_study(), result, header("seg"))
    assert iod_errors(data, tmp_path) == []
    (segment,) = read_seg(data)
    assert segment.values.shape == (40, 50)
    assert (np.argwhere(segment.values).min(0).tolist(), np.argwhere(segment.values).max(0).tolist()) == ([10, 20], [19, 29])


def test_empty_and_mixed_masks_are_refused() -> None:
    empty = SegmentMask(ai_finding(1).finding_id, np.zeros(GEOMETRY.shape, bool), GEOMETRY)
    with pytest.raises(ProblemError, match="seg_empty"):
        finding_masks_seg(ct_study(), with_masks(empty), header("seg"))
    other = VolumeGeometry.axial((2, 3, 3), (1.1, 1.0, 1.0), (0.0, 0.0, 0.0))
    masks = (
        SegmentMask(ai_finding(1).finding_id, np.ones(GEOMETRY.shape, bool), GEOMETRY),
        SegmentMask(ai_finding(2).finding_id, np.ones(other.shape, bool), other),
    )
    with pytest.raises(ProblemError, match="seg_mixed_grids"):
        finding_masks_seg(ct_study(), with_masks(*masks), header("seg"))


@pytest.mark.parametrize(("is_probability", "quantity"), [(True, coding.PROBABILITY), (False, coding.SALIENCY)])
def test_a_volume_heatmap_keeps_values_and_place(is_probability: bool, quantity: object, tmp_path: Path) -> None:
    grid = VolumeGeometry.axial((3, 5, 6), (2.0, 1.5, 1.5), (-120.0, -305.5, -740.0), GEOMETRY.frame_of_reference_uid)
    values = np.random.default_rng(1).random(grid.shape).astype(np.float16)
    heatmap = Heatmap(NODULE, values, grid, is_probability=is_probability)
    data, sop_class = heatmap_object(ct_study(), heatmap, READER, header("pm"))
    assert sop_class == PARAMETRIC_MAP
    assert iod_errors(data, tmp_path) == []
    assert heatmap_object(ct_study(), heatmap, READER, header("pm"))[0] == data
    back = read_pm(data)
    np.testing.assert_array_equal(back.values, values.astype(np.float32))
    assert back.quantity == quantity
    assert back.geometry is not None
    np.testing.assert_allclose(back.geometry.affine, grid.affine, atol=1e-6)


def test_empty_margins_are_left_out_and_said(tmp_path: Path) -> None:
    values = np.full(GEOMETRY.shape, 0.005, np.float16)
    values[2, 4:7, 5] = (0.25, 0.001, 0.5)
    data = heatmap_pm(ct_study(), Heatmap(NODULE, values, GEOMETRY), READER, header("pm"))
    assert iod_errors(data, tmp_path) == []
    assert b"every value is below 0.01" in data
    back = read_pm(data)
    assert back.geometry is not None
    np.testing.assert_array_equal(back.values, values[2:3, 4:7, 5:6].astype(np.float32))
    np.testing.assert_allclose(back.geometry.origin_mm, GEOMETRY.to_patient((2.0, 4.0, 5.0)), atol=1e-5)
    nothing = heatmap_pm(ct_study(), Heatmap(NODULE, np.zeros(GEOMETRY.shape, np.float16), GEOMETRY), READER, header("pm"))
    assert read_pm(nothing).values.max() == 0.0


def test_a_film_heatmap_keeps_its_own_resolution(tmp_path: Path) -> None:
    uid = uid_for("objects", "dx")
    values = np.linspace(0, 1, 80, dtype=np.float16).reshape(8, 10)
    data, _ = heatmap_object(film_study(), Heatmap(NODULE, values, sop_instance_uid=uid), READER, header("pm"))
    assert iod_errors(data, tmp_path) == []
    back = read_heatmap(data)
    np.testing.assert_allclose(back.values, values.astype(np.float32), atol=0.5 / 255 + 1e-6)
    assert back.quantity == coding.PROBABILITY
    assert back.geometry is None
    assert back.source_sop_instance_uids == (uid,)


def test_a_map_with_a_hole_is_refused() -> None:
    values = np.zeros((8, 10), np.float16)
    values[1, 1] = np.nan
    with pytest.raises(ProblemError, match="map_not_finite"):
        heatmap_object(
            film_study(), Heatmap(NODULE, values, sop_instance_uid=uid_for("objects", "dx")), READER, header("pm")
        )


@pytest.mark.parametrize("read", [read_seg, read_pm, read_heatmap])
def test_rubbish_is_one_clear_problem(read: object) -> None:
    with pytest.raises(ProblemError):
        read(b"rubbish")  # type: ignore[operator]
