"""Many segments as one plane of numbers: exact against the volume that was written, lazily and as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.byte_source import FileByteSource
from app.dicom.label_planes import LabelPlanes, is_large, open_label_planes
from app.dicom.saved_overlays import PALETTE
from app.dicom.scanner import scan
from app.domain.problem import ProblemError
from app.domain.saved_overlay import OverlayPart
from app.session.many_segments import layer_of
from app.viewer.labels import with_labels, with_labels_below
from tests import phantoms
from tests.perf.seg_objects import label_volume, write_binary, write_label_map

SEGMENTS = 30


def patient() -> Dataset:
    d = Dataset()
    d.PatientName, d.PatientID, d.StudyDate = "Phantom^One", "P1", "20260101"
    return d


def written(folder: Path, columns: int, label_map: bool, segments: int = SEGMENTS) -> tuple[np.ndarray, LabelPlanes]:
    grid = phantoms.geometry((20, 24, columns), (2.5, 0.6, 0.8))
    labels = label_volume(grid.shape, segments)
    write = write_label_map if label_map else write_binary
    write(folder / "seg.dcm", labels, segments, grid, ("2.25.77", grid.frame_of_reference_uid or "2.25.3"), patient())
    instance = scan([folder / "seg.dcm"]).studies[0].series[0].instances[0]
    planes = open_label_planes(instance, FileByteSource())
    used = np.flatnonzero(labels.any(axis=(1, 2))) if not label_map else np.arange(len(labels))
    np.testing.assert_allclose(planes.geometry.to_patient((0, 3, 5)), grid.to_patient((float(used[0]), 3, 5)), atol=1e-3)
    np.testing.assert_allclose(planes.geometry.spacing_mm, grid.spacing_mm, atol=1e-3)
    return labels[used[0] : used[-1] + 1], planes


@pytest.mark.parametrize("label_map", [False, True])
@pytest.mark.parametrize("columns", [32, 29])
def test_planes_and_the_whole_are_what_was_written(columns: int, label_map: bool, tmp_path: Path) -> None:
    labels, planes = written(tmp_path, columns, label_map)
    assert [s.label for s in planes.segments][:2] == ["Organ 1", "Organ 2"]
    assert planes.segments[0].meaning == "Organ 1"
    assert planes.segments[1].lab == (40000, (2 * 7919) % 65536, (2 * 104729) % 65536)
    np.testing.assert_array_equal(planes.plane(7), labels[7])
    np.testing.assert_array_equal(planes.whole(), labels)
    assert not planes.overlap
    assert planes.geometry.shape == labels.shape


def test_more_than_255_segments_are_counted_in_two_bytes(tmp_path: Path) -> None:
    labels, planes = written(tmp_path, 32, True, 300)
    assert planes.whole().dtype == np.uint16
    np.testing.assert_array_equal(planes.whole(), labels)


def test_the_later_segment_is_on_top_where_two_overlap(tmp_path: Path) -> None:
    import pydicom

    labels, _ = written(tmp_path, 32, False)
    d = pydicom.dcmread(tmp_path / "seg.dcm")
    raw = bytearray(d.PixelData)
    raw[:] = b"\xff" * len(raw)
    d.PixelData = bytes(raw)
    d.save_as(tmp_path / "full.dcm")
    planes = open_label_planes(scan([tmp_path / "full.dcm"]).studies[0].series[0].instances[0], FileByteSource())
    numbers = [g.SegmentIdentificationSequence[0].ReferencedSegmentNumber for g in d.PerFrameFunctionalGroupsSequence]
    places = [float(g.PlanePositionSequence[0].ImagePositionPatient[2]) for g in d.PerFrameFunctionalGroupsSequence]
    top = max(n for n, z in zip(numbers, places, strict=True) if z == min(places))
    assert (planes.plane(0) == top).all()
    planes.whole()
    assert planes.overlap
    assert len(labels)


def test_what_lies_below_is_kept_and_drawn(tmp_path: Path) -> None:
    """Three segments of one slice set to: left half, right three quarters, all; every pair that meets is told."""
    import pydicom

    written(tmp_path, 32, False)
    d = pydicom.dcmread(tmp_path / "seg.dcm")
    groups = d.PerFrameFunctionalGroupsSequence
    numbers = [int(g.SegmentIdentificationSequence[0].ReferencedSegmentNumber) for g in groups]
    places = [float(g.PlanePositionSequence[0].ImagePositionPatient[2]) for g in groups]
    z = next(p for p in places if places.count(p) >= 3)
    frames = sorted((n, f) for f, (n, p) in enumerate(zip(numbers, places, strict=True)) if p == z)
    bits = np.zeros((len(places), 24, 32), np.uint8)
    (a, first), (b, second), (c, third) = frames[0], frames[1], frames[2]
    bits[first, :, :16], bits[second, :, 8:], bits[third, :4] = 1, 1, 1
    d.PixelData = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    d.save_as(tmp_path / "three.dcm")
    planes = open_label_planes(scan([tmp_path / "three.dcm"]).studies[0].series[0].instances[0], FileByteSource())
    assert planes.under() is None
    k = round((z - planes.geometry.origin_mm[2]) / planes.geometry.spacing_mm[0])
    top = planes.plane(k)
    under = planes.under()
    assert under is not None
    below = under.plane(k)
    assert (top[0, 0], below[0, 0]) == (c, a)
    assert (top[0, 10], below[0, 10]) == (c, b)  # a, b and c meet: the lowest is not seen
    assert (top[9, 10], below[9, 10]) == (b, a)
    assert (top[9, 0], below[9, 0]) == (a, 0)
    assert (top[9, 20], below[9, 20]) == (b, 0)
    layer = layer_of(
        planes, tuple(OverlayPart(s.number, s.label, "", PALETTE[n % 10]) for n, s in enumerate(planes.segments))
    )
    drawn = with_labels_below(with_labels(np.zeros((24, 32), np.uint8), layer, top), layer, below)
    colours = {tuple(int(v) for v in p) for p in drawn[6:22, 9:15, 2::-1].reshape(-1, 3)}
    assert PALETTE[(a - 1) % 10] in colours
    alone = {tuple(int(v) for v in p) for p in drawn[6:22, 20:30, 2::-1].reshape(-1, 3)}
    assert PALETTE[(a - 1) % 10] not in alone


def test_what_has_no_common_grid_is_refused(tmp_path: Path) -> None:
    import pydicom

    written(tmp_path, 32, True)
    d = pydicom.dcmread(tmp_path / "seg.dcm")
    d.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0].ImagePositionPatient = [5.0, 6.0, 7.0]
    d.save_as(tmp_path / "odd.dcm")
    instance = scan([tmp_path / "odd.dcm"]).studies[0].series[0].instances[0]
    assert is_large(instance)
    with pytest.raises(ProblemError, match="no_place"):
        open_label_planes(instance, FileByteSource())
