"""The phantoms say what they promise; the writer gives every syntax back."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.dicom.frame_encoder import Syntax, jpeg_lossless_sv1
from app.domain.problem import ProblemError
from tests import phantoms

LOSSLESS = [s for s in Syntax if not s.lossy]


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize(("bits", "signed"), [(16, True), (12, False)])
def test_every_lossless_syntax_gives_the_stored_values_back(tmp_path: Path, syntax: Syntax, bits: int, signed: bool) -> None:
    rng = np.random.default_rng(5)
    hu = (rng.normal(0, 200, (2, 33, 47)).cumsum(axis=2) / 4).clip(-1024, 3000).astype(np.int16)
    volume = phantoms.Volume(hu, phantoms.geometry(hu.shape), "HU")
    paths = phantoms.write_ct(tmp_path, volume, syntax=syntax, bits_stored=bits, signed=signed)
    for k, path in enumerate(paths):
        ds = pydicom.dcmread(path)
        assert ds.file_meta.TransferSyntaxUID == str(syntax)
        np.testing.assert_array_equal(ds.pixel_array.astype(np.int32) - 1024, hu[k])


@pytest.mark.parametrize("syntax", [Syntax.JPEG_LS_NEAR, Syntax.JPEG_2000])
def test_lossy_syntaxes_say_so_and_stay_near(tmp_path: Path, syntax: Syntax) -> None:
    paths = phantoms.write_ct(tmp_path, phantoms.index_volume((1, 64, 64)), syntax=syntax, bits_stored=12, signed=False)
    ds = pydicom.dcmread(paths[0])
    assert ds.LossyImageCompression == "01"
    expected = phantoms.index_volume((1, 64, 64)).voxels[0]
    assert np.abs(ds.pixel_array.astype(np.int32) - 1024 - expected).max() <= 8


@pytest.mark.parametrize("syntax", [s for s in Syntax if s is not Syntax.JPEG_LOSSLESS_SV1])
def test_colour_comes_back(tmp_path: Path, syntax: Syntax) -> None:
    ds = pydicom.dcmread(phantoms.write_colour(tmp_path / "c.dcm", 3, syntax))
    error = np.abs(ds.pixel_array.astype(int) - phantoms.colour_frames(3)).max()
    assert error <= (0 if not syntax.lossy else 6)
    assert ds.NumberOfFrames == 3


def test_dicomdir_lists_every_file(tmp_path: Path) -> None:
    phantoms.write_two_patients(tmp_path / "source")
    directory = pydicom.dcmread(phantoms.write_dicomdir(tmp_path / "disc", tmp_path / "source"))
    records = [r.DirectoryRecordType for r in directory.DirectoryRecordSequence]
    assert records.count("PATIENT") == 2
    assert records.count("IMAGE") == 9


def test_jpeg_lossless_takes_the_widest_jump() -> None:
    import imagecodecs

    frame = np.zeros((3, 5), np.uint16)
    frame[:, ::2] = 32768
    frame[1, 1] = 65535
    decoded = imagecodecs.ljpeg_decode(jpeg_lossless_sv1(frame, 16))
    np.testing.assert_array_equal(decoded, frame)


def test_baseline_refuses_sixteen_bits(tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as caught:
        phantoms.write_ct(tmp_path, phantoms.index_volume((1, 16, 16)), syntax=Syntax.JPEG_BASELINE)
    assert caught.value.problem.code == "dicom.cannot_encode"


@pytest.mark.parametrize("grid", [phantoms.geometry(), phantoms.oblique_geometry(), phantoms.tilted_geometry()])
def test_positions_in_headers_are_those_of_the_grid(tmp_path: Path, grid: phantoms.VolumeGeometry) -> None:
    volume = phantoms.ramp_volume(grid)
    for k, path in enumerate(phantoms.write_ct(tmp_path, volume)):
        ds = pydicom.dcmread(path)
        np.testing.assert_allclose(ds.ImagePositionPatient, grid.to_patient((k, 0, 0)), atol=1e-6)
        assert float(ds.PixelSpacing[0]) == pytest.approx(grid.spacing_mm[1])
        assert float(ds.PixelSpacing[1]) == pytest.approx(grid.spacing_mm[2])
        assert ds.InstanceNumber == grid.shape[0] - k


def test_sphere_has_its_volume() -> None:
    grid = phantoms.geometry((40, 90, 120))
    centre = grid.to_patient((20.0, 45.0, 60.0))
    ball = phantoms.Sphere(centre, 12.0)
    volume = phantoms.spheres_volume([ball], grid)
    voxel_mm3 = float(np.prod(grid.spacing_mm))
    assert (volume.voxels == 60).sum() * voxel_mm3 == pytest.approx(ball.volume_mm3, rel=0.02)


def test_the_same_phantom_has_the_same_bytes(tmp_path: Path) -> None:
    a = phantoms.write_ct(tmp_path / "a", phantoms.index_volume((2, 16, 16)))
    b = phantoms.write_ct(tmp_path / "b", phantoms.index_volume((2, 16, 16)))
    assert [p.read_bytes() for p in a] == [p.read_bytes() for p in b]


def test_faulty_folders_hold_their_faults(tmp_path: Path) -> None:
    bad = phantoms.write_bad_files(tmp_path / "bad")
    assert bad["empty"].stat().st_size == 0
    assert bad["truncated_pixels"].stat().st_size == bad["good"].stat().st_size - 700
    assert pydicom.dcmread(bad["unknown_syntax"], stop_before_pixels=True).file_meta.TransferSyntaxUID.endswith("9.9.9")
    assert len(phantoms.write_gap(tmp_path / "gap")) == 8
    twins = phantoms.write_duplicates(tmp_path / "dup")
    uids = {name: pydicom.dcmread(p).SOPInstanceUID for name, p in twins.items()}
    assert len(set(uids.values())) == 1
    assert twins["first"].read_bytes() == twins["same"].read_bytes() != twins["other"].read_bytes()
    a, b = phantoms.write_two_patients_one_study(tmp_path / "mixed")
    assert pydicom.dcmread(a).SeriesInstanceUID == pydicom.dcmread(b).SeriesInstanceUID
    assert pydicom.dcmread(a).PatientID != pydicom.dcmread(b).PatientID


def iod_complaints(path: Path) -> list[str]:
    """Errors and warnings of dciodvfy."""
    out = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    return [line for line in (out.stdout + out.stderr).splitlines() if line.startswith(("Error", "Warning"))]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is not installed")
def test_written_objects_are_valid(tmp_path: Path) -> None:
    paths = [phantoms.write_ct(tmp_path / "ct", phantoms.index_volume((1, 16, 16)))[0]]
    paths += [phantoms.write_tilted(tmp_path / "tilted")[0]]
    paths += [phantoms.write_film(tmp_path / f"{m}.dcm", modality=m) for m in ("DX", "PX")]
    paths += [phantoms.write_film(tmp_path / "mg.dcm", modality="MG", laterality="R", view_position="MLO")]
    paths += [phantoms.write_film(tmp_path / "pa.dcm", view_position="PA")]
    paths += [phantoms.write_colour(tmp_path / "colour.dcm"), phantoms.write_colour(tmp_path / "cine.dcm", 3)]
    assert {p.name: iod_complaints(p) for p in paths} == {p.name: [] for p in paths}
