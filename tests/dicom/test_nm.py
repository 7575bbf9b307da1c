"""Nuclear medicine: tomographic slices by hand-worked positions, time slots apart, views side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.domain.study import DisplaySetKind
from app.session.hanging_words import series_cards
from app.session.open_study import OpenStudy
from tests.dicom.builders import image, save

NM = "1.2.840.10008.5.1.4.1.1.20"
ORIGIN = [-121.5, 87.25, 640.125]


def nm(kind: str, frames: int, pointer: list[int], **changes: Any) -> Dataset:
    """Frame n holds n everywhere; 4 x 5 pixels of 3 x 2 mm (row, column)."""
    values = np.stack([np.full((4, 5), n, np.uint16) for n in range(frames)])
    d = image(values, RescaleSlope=None, RescaleIntercept=None, Modality="NM")
    d.SOPClassUID, d.ImageType = NM, ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    d.PixelSpacing, d.FrameIncrementPointer = [3, 2], pointer
    del d["ImagePositionPatient"], d["ImageOrientationPatient"]
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = ORIGIN, [1, 0, 0, 0, 1, 0]
    d.DetectorInformationSequence = [detector]
    d.NumberOfDetectors = 1
    for name, value in changes.items():
        setattr(d, name, value)
    return d


@pytest.mark.parametrize("step", [4.5, -4.5])
def test_reconstructed_slices_are_stacked_along_the_normal_by_the_sign_of_their_spacing(tmp_path: Path, step: float) -> None:
    d = nm("RECON TOMO", 3, [0x00540080], SliceVector=[1, 2, 3], SpacingBetweenSlices=step, SliceThickness=9)
    save(d, tmp_path / "a.dcm")
    study = scan([tmp_path]).studies[0]
    (chosen,) = display_sets(study)
    assert chosen.kind is DisplaySetKind.STACK
    volume = build_volume(study, chosen, FileByteSource())
    along = [0, 1, 2] if step > 0 else [2, 1, 0]
    assert volume.voxels[:, 0, 0].tolist() == along
    assert volume.geometry.to_patient((0, 0, 0)) == pytest.approx((ORIGIN[0], ORIGIN[1], ORIGIN[2] + min(0.0, 2 * step)))
    assert volume.geometry.to_patient((2, 1, 1)) == pytest.approx(
        (ORIGIN[0] + 2, ORIGIN[1] + 3, ORIGIN[2] + max(0.0, 2 * step))
    )
    assert not volume.interpolated


def test_gated_slices_are_one_volume_a_time_slot(tmp_path: Path) -> None:
    pointer = [0x00540060, 0x00540070, 0x00540080]
    d = nm(
        "RECON GATED TOMO", 6, pointer, RRIntervalVector=[1] * 6, TimeSlotVector=[1, 1, 1, 2, 2, 2],
        SliceVector=[1, 2, 3] * 2, SpacingBetweenSlices=4.5,
    )  # fmt: skip
    save(d, tmp_path / "a.dcm")
    study = scan([tmp_path]).studies[0]
    first, second = display_sets(study)
    assert (first.label, second.label) == ("T1", "T2")
    assert first.split_reason is not None
    assert first.split_reason.code == "split.time"
    assert first.moment is not None
    assert second.moment is not None
    assert first.moment.group == second.moment.group
    assert [(s.moment.number, s.moment.count, s.moment.value) for s in (first, second) if s.moment] == [
        (1, 2, "T1"), (2, 2, "T2"),
    ]  # fmt: skip
    (card,) = series_cards(OpenStudy(study, (first, second)), {second.display_set_id})
    assert (card.display_set_id, card.images, card.active) == (second.display_set_id, 6, True)
    assert card.split_reason is not None
    assert (card.split_reason.code, dict(card.split_reason.params)) == ("split.moments", {"n": 2})
    volumes = [build_volume(study, s, FileByteSource()) for s in (first, second)]
    assert [v.voxels[:, 0, 0].tolist() for v in volumes] == [[0, 1, 2], [3, 4, 5]]
    assert volumes[0].geometry == volumes[1].geometry


def test_a_missing_spacing_is_named(tmp_path: Path) -> None:
    save(nm("RECON TOMO", 3, [0x00540080], SliceVector=[1, 2, 3], SliceThickness=9), tmp_path / "a.dcm")
    study = scan([tmp_path]).studies[0]
    (chosen,) = display_sets(study)
    assert build_volume(study, chosen, FileByteSource()).geometry.spacing_mm[0] == pytest.approx(9)
    assert [p.code for p in study.series[0].instances[0].repairs] == ["dicom.repaired.slice_step"]


@pytest.mark.parametrize(
    ("kind", "pointer", "vectors", "expected"),
    [
        ("STATIC", [0x00540020], {"DetectorVector": [1, 2]}, DisplaySetKind.IMAGES),
        ("WHOLE BODY", [0x00540020], {"DetectorVector": [1, 2]}, DisplaySetKind.IMAGES),
        ("DYNAMIC", [0x00540030, 0x00540100], {"PhaseVector": [1, 1], "TimeSliceVector": [1, 2]}, DisplaySetKind.CINE),
        ("TOMO", [0x00540090], {"AngularViewVector": [1, 2]}, DisplaySetKind.CINE),
    ],
)
def test_planar_frames_have_no_place(
    tmp_path: Path, kind: str, pointer: list[int], vectors: dict[str, list[int]], expected: DisplaySetKind
) -> None:
    save(nm(kind, 2, pointer, **vectors), tmp_path / "a.dcm")
    study = scan([tmp_path]).studies[0]
    (chosen,) = display_sets(study)
    assert chosen.kind is expected
    assert all(f.plane is None for f in study.series[0].instances[0].frames)
    times = [f.temporal_position for f in study.series[0].instances[0].frames]
    assert times == ([1.0, 2.0] if kind == "DYNAMIC" else [None, None])
