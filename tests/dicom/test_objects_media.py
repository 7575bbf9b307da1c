from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet

from app.dicom import media_writer
from app.dicom.encapsulated import encapsulate_pdf
from app.dicom.key_objects import key_objects
from app.dicom.media_writer import MediaFolder
from app.dicom.parametric_map import heatmap_pm
from app.dicom.structured_report import ai_findings_sr
from app.domain.finding import Heatmap
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


def objects() -> list[bytes]:
    images = (uid_for("objects", "ct", "1"),)
    return [
        ai_findings_sr(ct_study(), ai_result(ai_finding()), header("ai")),
        encapsulate_pdf(ct_study(), b"%PDF-1.4 x", "Қорытынды", header("pdf")),
        encapsulate_pdf(film_study(), b"%PDF-1.4 y", "Report", header("pdf film")),
        key_objects(ct_study(), images, header("ko")),
        heatmap_pm(ct_study(), Heatmap(NODULE, np.zeros(GEOMETRY.shape, np.float16), GEOMETRY), READER, header("pm")),
    ]


def test_the_folder_is_a_file_set_that_others_read(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path)
    written = [folder.add(data) for data in objects()]
    assert folder.write_directory()
    assert not folder.write_directory()
    assert iod_errors((tmp_path / "DICOMDIR").read_bytes(), tmp_path.parent) == []
    file_set = FileSet(tmp_path / "DICOMDIR")
    assert {str(i.SOPInstanceUID) for i in file_set} == {f.sop_instance_uid for f in written}
    assert len(file_set.find_values("PatientID")) == 2
    assert "Серікбаева^Әлия^Маратқызы" in {str(n) for n in file_set.find_values("PatientName")}
    for instance in file_set:
        assert pydicom.dcmread(instance.path).SOPInstanceUID == instance.SOPInstanceUID
    for file in written:
        assert all(len(part) <= 8 and part.isalnum() and part.isupper() for part in file.file_id)
        assert file.path.read_bytes() in objects()


def test_an_object_is_found_by_its_uids_and_is_never_changed(tmp_path: Path) -> None:
    folder, data = MediaFolder(tmp_path), objects()[1]
    folder.add(data)
    study = ct_study().study_instance_uid
    assert folder.read(study, header("pdf").sop_instance_uid) == data
    assert folder.read(study, "1.2.3") is None
    folder.add(data)
    assert len(list(folder.files())) == 1
    other = encapsulate_pdf(ct_study(), b"%PDF-1.4 other", "Қорытынды", header("pdf"))
    with pytest.raises(ProblemError, match="media.other_bytes"):
        folder.add(other)
    assert folder.read(study, header("pdf").sop_instance_uid) == data


def test_half_a_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, data = MediaFolder(tmp_path), objects()[1]

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(media_writer.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder.add(data)
    assert list(folder.files()) == []
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name.startswith(".")] == []


def test_the_directory_is_built_anew_after_a_crash(tmp_path: Path) -> None:
    first, *rest = objects()
    MediaFolder(tmp_path).add(first)
    MediaFolder(tmp_path).write_directory()
    for data in rest:
        MediaFolder(tmp_path).add(data)  # and the process dies before it writes the directory
    (tmp_path / "DICOM" / "notes.txt").write_text("not DICOM")
    os.makedirs(tmp_path / "DICOM" / "EMPTY", exist_ok=True)
    assert MediaFolder(tmp_path).write_directory()
    assert len(list(FileSet(tmp_path / "DICOMDIR"))) == len(objects())


def test_what_is_not_dicom_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="media.not_dicom"):
        MediaFolder(tmp_path).add(b"junk")


def test_what_a_killed_writer_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path)
    kept = folder.add(objects()[1])
    old, young = kept.path.with_name(".AAAA.00.new"), kept.path.with_name(".BBBB.00.new")
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(kept.path, (0, 0))
    assert folder.sweep() == 1
    assert (old.exists(), young.exists(), kept.path.exists()) == (False, True, True)
    folder.write_directory()
    assert len(list(FileSet(tmp_path / "DICOMDIR"))) == 1
