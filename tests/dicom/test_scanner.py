"""Folders, archives and media: everything is named, nothing crashes, nothing is skipped in silence."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource, RoutedByteSource
from app.dicom.frame_decoder import stored_frame
from app.dicom.header import read_header
from app.dicom.scanner import scan
from app.domain.ports import Cancelled, SilentProgress
from app.domain.problem import ProblemError
from tests.dicom.builders import image, save, series

RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)


def codes(result) -> dict[str, str]:
    return {Path(r.path).name: r.problem.code for r in result.refused}


def test_a_messy_folder(tmp_path: Path) -> None:
    series(tmp_path / "a" / "b", [0, 1.5, 3.0])
    (tmp_path / "a" / "empty.dcm").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    found = scan([tmp_path])
    assert [s.instance_count() for s in found.studies] == [3]
    assert codes(found) == {
        "empty.dcm": "dicom.empty_file",
        "notes.txt": "dicom.not_dicom",
        "gone": "dicom.not_a_file",
        "pipe": "dicom.not_a_file",
    }
    assert [Path(p).name for p in found.ignored] == [".DS_Store"]
    assert found.files_seen == 8


def test_templates_give_what_the_slow_way_gives(tmp_path: Path) -> None:
    folder = series(tmp_path, [10.0 + 1.25 * k for k in range(9)])
    source = FileByteSource()
    for opened in scan([folder]).files:
        assert read_header(opened.instance.locator, source).instance == opened.instance


def test_a_template_does_not_hide_a_difference(tmp_path: Path) -> None:
    folder = series(tmp_path, [float(k) for k in range(1, 7)])
    odd = image(RAMP, PatientID="KZ-2", SOPInstanceUID="2.25.1009", InstanceNumber="9")
    odd.ImagePositionPatient = [-121.5, 87.25, 649.125]
    save(odd, folder / "z.dcm")
    found = scan([folder])
    assert sorted(s.patient.patient_id for s in found.studies) == ["KZ-1", "KZ-2"]
    assert {p.code for p in found.remarks} == {"dicom.several_patients", "dicom.mixed_patients"}


def test_duplicates_by_content_and_by_identity_alone(tmp_path: Path) -> None:
    first = save(image(RAMP), tmp_path / "1.dcm")
    (tmp_path / "2.dcm").write_bytes(first.read_bytes())
    save(image(RAMP + 1), tmp_path / "3.dcm")
    found = scan([tmp_path])
    assert [d.problem.code for d in found.duplicates] == ["dicom.duplicate_same", "dicom.duplicate_uid"]
    assert [p.code for p in found.remarks] == ["dicom.duplicate_uids"]
    assert found.studies[0].instance_count() == 1
    assert len(found.files) == 3


def test_zip_members_are_read_in_place(tmp_path: Path) -> None:
    plain = save(image(RAMP), tmp_path / "x" / "1.dcm")
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        z.write(plain, "CD/1.dcm")
        z.writestr("CD/readme.txt", "hello")
    found = scan([archive])
    assert [s.instance_count() for s in found.studies] == [1]
    assert [r.problem.code for r in found.refused] == ["dicom.not_dicom"]
    source = RoutedByteSource({"zip": FileByteSource(), "file": FileByteSource()})
    assert np.array_equal(stored_frame(found.files[0].instance, 0, source), RAMP)
    assert source.plain_path(found.files[0].instance.locator) is None


def test_hostile_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("zeros.dcm", b"\0" * (40 << 20))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + b"garbage" * 20)
    with zipfile.ZipFile(tmp_path / "up.zip", "w") as z:
        z.writestr("../../escape.dcm", b"no")
    found = scan([tmp_path])
    assert {Path(r.path).name: r.problem.code for r in found.refused} == {
        "bomb.zip!zeros.dcm": "zip.bomb",
        "broken.zip": "zip.broken",
        "escape.dcm": "dicom.not_dicom",
    }
    assert not (tmp_path.parent.parent / "escape.dcm").exists()


def test_dicomdir_names_what_is_missing(tmp_path: Path) -> None:
    from pydicom.fileset import FileSet

    media = FileSet()
    media.add(save(image(RAMP), tmp_path / "in" / "1.dcm"))
    second = image(RAMP, SOPInstanceUID="2.25.12", InstanceNumber="2")
    media.add(save(second, tmp_path / "in" / "2.dcm"))
    media.write(tmp_path / "cd")
    files = sorted(p for p in (tmp_path / "cd").rglob("*") if p.is_file() and p.name != "DICOMDIR")
    files[1].unlink()
    save(image(RAMP, SOPInstanceUID="2.25.13"), tmp_path / "cd" / "unlisted")
    found = scan([tmp_path / "cd" / "DICOMDIR"])
    assert found.studies[0].instance_count() == 2
    assert [p.code for p in found.remarks] == ["media.files_missing"]
    assert [r.problem.code for r in found.refused] == ["media.file_missing"]
    assert [Path(p).name for p in found.ignored] == ["DICOMDIR"]


def test_unreadable_folder(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser reads every folder")
    (tmp_path / "locked").mkdir(mode=0)
    assert codes(scan([tmp_path])) == {"locked": "dicom.folder_unreadable"}


def test_cancel_and_missing_path(tmp_path: Path) -> None:
    series(tmp_path, [0.0, 1.0])

    class Stop(SilentProgress):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        scan([tmp_path], Stop())
    assert codes(scan([tmp_path / "no"])) == {"no": "dicom.file_gone"}
    with pytest.raises(ProblemError):
        FileByteSource().read("nowhere:/x")
