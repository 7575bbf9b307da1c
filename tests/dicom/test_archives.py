"""Archives under any name and one inside another: read in place, within the limits, else refused for what it is."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from app.dicom import byte_source
from app.dicom.byte_source import FileByteSource, locator_of, split_zip_locator
from app.dicom.scanner import ScanResult, scan
from app.domain.ports import SilentProgress
from app.domain.problem import Problem, ProblemError
from app.domain.study import RefusedFile
from app.session.clock import SystemClock
from app.session.explorer import of_refused
from app.session.picture_import import picture_bytes
from app.session.resumable_import import import_resumably
from app.store.library import Library
from tests.dicom.builders import image, save
from tests.store.conftest import FixedKey

RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)


def packed(members: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def objects(tmp_path: Path, count: int = 2) -> dict[str, bytes]:
    found = {}
    for n in range(count):
        d = image(RAMP, SOPInstanceUID=f"2.25.7{n}", InstanceNumber=str(n))
        found[f"a/{n}.dcm"] = save(d, tmp_path / "made" / f"{n}.dcm").read_bytes()
    return found


def uids(found: ScanResult) -> list[str]:
    return sorted(i.sop_instance_uid for s in found.studies for series in s.series for i in series.instances)


def refused(found: ScanResult) -> dict[str, str]:
    return {r.path.rsplit("!", 1)[-1].rsplit("/", 1)[-1]: r.problem.code for r in found.refused}


def test_an_archive_in_an_archive_is_read_in_place(tmp_path: Path) -> None:
    inside = objects(tmp_path)
    target = tmp_path / "media" / "outer.zip"
    target.parent.mkdir()
    target.write_bytes(packed({"disc/inner.zip": packed(inside), "other.dcm": b"nothing"}))
    found = scan([target.parent])
    assert uids(found) == ["2.25.70", "2.25.71"]
    assert found.files_seen == 3
    assert refused(found) == {"other.dcm": "dicom.not_dicom"}
    source = FileByteSource()
    for instance in found.studies[0].series[0].instances:
        assert instance.locator.startswith(f"zip:{target}!disc/inner.zip!a/")
        assert source.read(instance.locator) == inside[instance.locator.rsplit("!", 1)[1]]
    for missing in ("disc/inner.zip!b.dcm", "disc/none.zip!a/0.dcm"):
        with pytest.raises(ProblemError, match="file_gone"):
            source.read(f"zip:{target}!{missing}")
    source.close()


@pytest.mark.parametrize("name", ["study.img", "STUDY", "export.zip.part", "a!b.bin"])
def test_an_archive_under_any_name_is_recognised_by_its_bytes(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "media!x"
    folder.mkdir()
    (folder / name).write_bytes(packed({"inner.dat": packed(objects(tmp_path)), "readme.dcm": b"words" * 90}))
    found = scan([folder])
    assert uids(found) == ["2.25.70", "2.25.71"]
    assert found.files_seen == 3
    source = FileByteSource()
    assert all(source.read(i.locator)[128:132] == b"DICM" for i in found.studies[0].series[0].instances)
    # What is refused inside can be looked at too.
    (file,) = of_refused(found.refused)
    assert (file.name, file.detail) == ("readme.dcm", name.rsplit("!", 1)[-1])
    assert source.read(file.key) == b"words" * 90
    assert picture_bytes(found.refused[0].path, archives=source) == b"words" * 90
    source.close()


def test_programs_and_documents_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    jar = packed({"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0", "Viewer.class": b"\xca\xfe\xba\xbe"})
    (tmp_path / "media" / "viewer.jar").write_bytes(jar)
    (tmp_path / "media" / "letter.docx").write_bytes(packed({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}))
    (tmp_path / "media" / "outer.zip").write_bytes(packed({"viewer2.jar": jar}))
    found = scan([tmp_path / "media"])
    assert refused(found) == dict.fromkeys(["viewer.jar", "letter.docx", "viewer2.jar"], "dicom.not_dicom")
    assert found.files_seen == 3


def test_deeper_and_larger_ones_are_refused_for_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "media").mkdir()
    deep = packed({"deep.zip": packed({"deeper.zip": packed(objects(tmp_path))}), "broken.zip": b"PK\x03\x04" + b"x" * 99})
    (tmp_path / "media" / "outer.zip").write_bytes(deep)
    found = scan([tmp_path / "media"])
    assert refused(found) == {"deeper.zip": "zip.nested_deep", "broken.zip": "zip.broken"}
    assert found.studies == ()
    monkeypatch.setattr(byte_source, "MAX_NESTED_BYTES", 200)
    found = scan([tmp_path / "media"])
    assert refused(found) == {"deep.zip": "zip.nested_large", "broken.zip": "zip.broken"}
    with pytest.raises(ProblemError, match="nested_large"):
        FileByteSource().read(f"zip:{tmp_path / 'media' / 'outer.zip'}!deep.zip!deeper.zip")


def test_a_bomb_in_two_steps_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each step grows less than the limit; both together grow more.
    monkeypatch.setattr(byte_source, "_NESTED_FLOOR", 1 << 16)
    many = packed({f"{n}.dcm": b"\0" * (1 << 14) for n in range(60)})
    (tmp_path / "b.zip").write_bytes(packed({"inner.zip": many}))
    assert refused(scan([tmp_path / "b.zip"])) == {"inner.zip": "zip.bomb"}


def test_where_an_archive_ends_and_its_member_begins(tmp_path: Path) -> None:
    (tmp_path / "a!b").mkdir()
    archive = tmp_path / "a!b" / "x.img"
    archive.write_bytes(packed({"m!1.dcm": b"1", "in.zip": packed({"m.dcm": b"2"})}))
    assert split_zip_locator(f"zip:{archive}!in.zip!m.dcm") == (str(archive), "in.zip!m.dcm")
    assert FileByteSource().read(f"zip:{archive}!in.zip!m.dcm") == b"2"
    assert FileByteSource().read(f"zip:{archive}!m!1.dcm") == b"1"
    assert locator_of(f"{archive}!m!1.dcm") == f"zip:{archive}!m!1.dcm"
    assert locator_of(str(archive)) == f"file:{archive}"
    assert split_zip_locator("zip:/gone/s.zip!a!b.dcm") == ("/gone/s.zip", "a!b.dcm")


def test_names_of_refused_files_of_every_system() -> None:
    broken = Problem("dicom.truncated")
    paths = (r"E:\DICOM\OLD\IM000213.dcm", "/media/disc/OLD/IM2", "/media/s.zip!DICOM/IM3", "only")
    found = [(f.name, f.detail) for f in of_refused([RefusedFile(p, broken) for p in paths])]
    assert found == [("IM000213.dcm", "OLD"), ("IM2", "OLD"), ("IM3", "DICOM"), ("only", "")]


def test_what_lies_in_an_archive_in_an_archive_comes_into_the_library(tmp_path: Path) -> None:
    inside = objects(tmp_path, 3)
    outer = tmp_path / "outer.img"
    outer.write_bytes(packed({"inner.zip": packed(inside), "viewer.exe": b"MZ"}, zipfile.ZIP_STORED))
    with Library.open(tmp_path / "home", FixedKey(), SystemClock()) as library:
        summary, _ = import_resumably(library, [outer], SilentProgress())
        assert (summary.added, summary.stopped) == (3, None)
        (row,) = library.studies.search()
        study = library.studies.load(row.study_instance_uid)
        kept = {library.objects.read(i.locator) for s in study.series for i in s.instances}
        assert kept == set(inside.values())
        again, _ = import_resumably(library, [outer], SilentProgress())
        assert (again.added, again.known) == (0, 3)
