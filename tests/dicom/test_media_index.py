"""A DICOMDIR is believed in nothing: its folder decides, and what is wrong with it is said."""

from __future__ import annotations

import os
from pathlib import Path

import pydicom
import pytest

from app.dicom.media_index import listed_files, wrong_links
from app.dicom.media_writer import MediaFolder
from app.dicom.scanner import scan
from app.domain.messages import LANGUAGES, sentence
from tests import phantoms

SHARED = Path(os.environ.get("EKINSHI_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data")


def medium(folder: Path) -> Path:
    for path in phantoms.write_ct(folder.parent / "ct", phantoms.index_volume((3, 16, 16))):
        MediaFolder(folder).add(path.read_bytes())
    MediaFolder(folder).write_directory()
    return folder / "DICOMDIR"


def test_a_sound_directory_has_nothing_to_say(tmp_path: Path) -> None:
    directory = medium(tmp_path / "disc")
    assert wrong_links(directory) is None
    assert len(listed_files(directory) or ()) == 3
    assert scan([directory]).remarks == ()


@pytest.mark.parametrize("how", ["next", "lower", "first", "circle"])
def test_wrong_offsets_are_said_and_every_image_is_found_all_the_same(tmp_path: Path, how: str) -> None:
    directory = medium(tmp_path / "disc")
    ds = pydicom.dcmread(directory)
    records = ds.DirectoryRecordSequence
    if how == "next":
        records[3].OffsetOfTheNextDirectoryRecord = 77
    elif how == "lower":
        records[1].OffsetOfReferencedLowerLevelDirectoryEntity = 0
    elif how == "first":
        ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 12
    else:
        records[4].OffsetOfTheNextDirectoryRecord = records[3].seq_item_tell
    ds.save_as(directory)
    problem = wrong_links(directory)
    assert problem is not None
    assert problem.code == "media.wrong_links"
    assert all(sentence(language, problem) != problem.code for language in LANGUAGES)
    found = scan([directory])
    assert [len(s.instances) for study in found.studies for s in study.series] == [3]
    assert [r.code for r in found.remarks] == ["media.wrong_links"]


def test_a_directory_that_lists_what_is_gone_names_it(tmp_path: Path) -> None:
    directory = medium(tmp_path / "disc")
    (listed_files(directory) or [])[0].unlink()
    found = scan([directory])
    assert [r.code for r in found.remarks] == ["media.files_missing"]
    assert [r.problem.code for r in found.refused] == ["media.file_missing"]
    assert sum(s.instance_count() for s in found.studies) == 2


def test_a_directory_of_nonsense_does_not_hide_its_folder(tmp_path: Path) -> None:
    directory = medium(tmp_path / "disc")
    directory.write_bytes(directory.read_bytes()[:300])
    found = scan([tmp_path / "disc"])
    assert sum(s.instance_count() for s in found.studies) == 3


@pytest.mark.skipif(not (SHARED / "dicom" / "media-dicomdir").is_dir(), reason="the shared development data are not here")
def test_directories_of_the_field() -> None:
    folder = SHARED / "dicom" / "media-dicomdir"
    wrong = {p.name for p in folder.rglob("DICOMDIR*") if wrong_links(p) is not None}
    assert wrong == {"DICOMDIR-nopatient"}
    found = scan([folder / "DICOMDIR-reordered"])
    assert len(found.studies) == 6
