"""Real files of the development data, where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.header import read_header
from app.dicom.info import all_opened, inspect
from app.dicom.scanner import scan
from app.dicom.volume_builder import build_volume
from app.domain.study import DisplaySetKind
from tests.perf.conformance import LOSSLESS

ROOT = Path(os.environ.get("EKINSHI_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "dicom"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the shared development data is not here")


def test_one_slice_in_fifteen_transfer_syntaxes() -> None:
    report = inspect([ROOT / "decode-ct-transfer-syntaxes"], pixels=True)
    files = {f["transfer_syntax_uid"]: f for f in report["files"] if f["state"] != "refused"}
    assert len(files) == 15
    lossless = {f["pixels"]["sha256"] for uid, f in files.items() if uid in LOSSLESS}
    assert len(lossless) == 1
    # The sixteenth is a text file under the name of a picture.
    assert [f["reason"] for f in report["files"] if f["state"] == "refused"] == ["dicom.not_dicom"]
    assert not all_opened(report)


def test_lossy_twins_agree_in_hounsfield_units() -> None:
    source = FileByteSource()
    found = {}
    for opened in scan([ROOT / "decode-ct-transfer-syntaxes"]).files:
        from app.dicom.frame_pixels import frame_pixels

        found[opened.instance.transfer_syntax_uid] = frame_pixels(opened.instance, 0, source).values.astype(np.float64)
    reference = found["1.2.840.10008.1.2.1"]
    for tail, mean_hu in {".51": 25, ".53": 25, ".55": 25, ".81": 1, ".91": 3}.items():
        gap = np.abs(found[f"1.2.840.10008.1.2.4{tail}"] - reference)
        assert gap.mean() < mean_hu, tail


def test_the_screening_ct_becomes_a_volume() -> None:
    study = scan([ROOT / "ct-chest-nlst"]).studies[0]
    stack = next(s for s in display_sets(study) if s.kind is DisplaySetKind.STACK)
    volume = build_volume(study, stack, FileByteSource())
    assert volume.voxels.shape == (143, 512, 512)
    assert volume.geometry.spacing_mm == pytest.approx((2.0, 0.54, 0.54))
    assert volume.remarks == ()


def test_the_tilted_head_is_corrected_and_says_so() -> None:
    study = scan([ROOT / "ct-head-ge-tilt"]).studies[0]
    volume = build_volume(study, display_sets(study)[0], FileByteSource())
    assert volume.interpolated
    assert {"volume.tilt_resampled", "volume.unequal_resampled"} <= {p.code for p in volume.remarks}
    k, j, i = (np.asarray(s) for s in (volume.geometry.k_step_mm, volume.geometry.j_step_mm, volume.geometry.i_step_mm))
    assert abs(float(k @ j)) + abs(float(k @ i)) < 1e-6


def test_time_points_and_echoes_of_enhanced_mr() -> None:
    studies = scan([ROOT / "mr-enhanced-multiframe"]).studies
    reasons = {s.split_reason.code for study in studies for s in display_sets(study) if s.split_reason}
    assert reasons == {"split.time", "split.echo"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("chrRuss.dcm", "Люкceмбypг"), ("chrX2.dcm", "王^小东"), ("chrGB2312.dcm", "张^小东"), ("chrH32.dcm", "山田^太郎")],
)
def test_names_in_many_alphabets(name: str, expected: str) -> None:
    person = read_header(f"file:{ROOT / 'charsets' / name}", FileByteSource()).study.patient.name
    assert expected in (person.alphabetic, person.ideographic)


def test_a_medium_with_its_directory() -> None:
    found = scan([ROOT / "media-dicomdir" / "DICOMDIR"])
    assert len(found.studies) > 3
    assert any(p.code == "dicom.several_patients" for p in found.remarks)
    assert sum(p.endswith("DICOMDIR") for p in found.ignored) == 2
