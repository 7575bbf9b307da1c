"""What goes out is read back; nothing half stays; a medium is one that others can read; nobody is named when so chosen."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from app.dicom.deidentify import Profile
from app.dicom.frame_encoder import Syntax
from app.dicom.image_writer import SeriesHeader, StudyHeader, instance_uid, write_projection
from app.dicom.scanner import scan
from app.domain.event import EventKind
from app.domain.messages import LANGUAGES, sentence
from app.domain.ports import Cancelled, SilentProgress
from app.domain.problem import ProblemError
from app.domain.study import Patient, PersonName
from app.session import exporting
from app.session.clock import SystemClock
from app.session.exporting import ExportOptions, Form, export_studies
from app.session.importing import import_paths
from app.store.library import Library
from tests import phantoms
from tests.store.conftest import FixedKey

SILENT = SilentProgress()
OTHER = Patient("5", "", PersonName("Aux*Com1:^Jo/hn."), "19500101", "M")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "home", FixedKey(), SystemClock()) as opened:
        phantoms.write_ct(tmp_path / "in" / "a", phantoms.index_volume((4, 24, 20)), patient=phantoms.ALIYA, key="a")
        phantoms.write_ct(tmp_path / "in" / "b", phantoms.index_volume((3, 24, 20)), patient=OTHER, key="b")
        import_paths(opened, [tmp_path / "in"], SILENT)
        yield opened


def uids(library: Library) -> list[str]:
    return [row.study_instance_uid for row in library.studies.search()]


def objects(library: Library) -> dict[str, bytes]:
    return {
        i.sop_instance_uid: library.objects.read(i.locator)
        for uid in uids(library)
        for s in library.studies.load(uid).series
        for i in s.instances
    }


class Stop:
    """Cancels when a stage has come so far."""

    def __init__(self, at: float) -> None:
        self._at, self._now = at, 0.0

    def report(self, fraction: float, stage: str = "") -> None:
        self._now = fraction

    def cancelled(self) -> bool:
        return self._now >= self._at


def test_a_folder_holds_the_same_bytes_under_names_that_any_system_takes(library: Library, tmp_path: Path) -> None:
    done = export_studies(library, uids(library), tmp_path / "out", ExportOptions(), SILENT, "me")
    written = {f.sop_instance_uid: (tmp_path / "out" / f.path).read_bytes() for f in done.files}
    assert written == objects(library)
    for path in (tmp_path / "out").rglob("*"):
        assert not set(path.name) & set('<>:"\\|?*')
        assert not path.name.endswith((" ", "."))
    assert len({f.path.casefold() for f in done.files}) == 7
    (event, _) = library.events.query(kinds=(EventKind.STUDY_EXPORTED,))
    assert (event.person, event.body["objects"], event.body["deidentified"]) == ("me", 7, False)
    assert str(tmp_path) not in str(dict(event.body))


def test_writing_again_changes_nothing_and_other_bytes_are_never_overwritten(library: Library, tmp_path: Path) -> None:
    done = export_studies(library, uids(library), tmp_path / "out", ExportOptions(), SILENT)
    export_studies(library, uids(library), tmp_path / "out", ExportOptions(), SILENT)
    other = tmp_path / "out" / done.files[-1].path
    other.write_bytes(b"something of somebody")
    with pytest.raises(ProblemError) as caught:
        export_studies(library, uids(library), tmp_path / "out", ExportOptions(), SILENT)
    assert caught.value.problem.code == "export.target_exists"
    assert other.read_bytes() == b"something of somebody"
    assert (tmp_path / "out" / done.files[0].path).exists(), "what an earlier export wrote is not ours to remove"


def test_an_archive_is_there_whole_or_not_at_all(library: Library, tmp_path: Path) -> None:
    done = export_studies(library, uids(library), tmp_path / "out.zip", ExportOptions(Form.ZIP), SILENT)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert {f.sop_instance_uid: archive.read(f.path) for f in done.files} == objects(library)
    with pytest.raises(ProblemError) as caught:
        export_studies(library, uids(library), tmp_path / "out.zip", ExportOptions(Form.ZIP), SILENT)
    assert caught.value.problem.code == "export.target_exists"
    for at in (0.3, 0.9):
        with pytest.raises(Cancelled):
            export_studies(library, uids(library), tmp_path / "cut.zip", ExportOptions(Form.ZIP), Stop(at))
        assert [p.name for p in tmp_path.iterdir() if "cut" in p.name] == []


@pytest.mark.parametrize("form", [Form.FOLDER, Form.MEDIA])
@pytest.mark.parametrize("at", [0.3, 0.85])
def test_nothing_half_stays_after_a_cancel(library: Library, tmp_path: Path, form: Form, at: float) -> None:
    with pytest.raises(Cancelled):
        export_studies(library, uids(library), tmp_path / "out", ExportOptions(form), Stop(at))
    assert not (tmp_path / "out").exists()


def test_a_target_that_gives_other_bytes_back_is_not_called_done(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = exporting.write_atomically

    def write(path: Path, data: bytes) -> None:
        real(path, data[:-1] + bytes([data[-1] ^ 1]))

    monkeypatch.setattr(exporting, "write_atomically", write)
    with pytest.raises(ProblemError) as caught:
        export_studies(library, uids(library), tmp_path / "out", ExportOptions(), SILENT)
    assert caught.value.problem.code == "export.differs"
    assert not (tmp_path / "out").exists()
    assert all(sentence(language, caught.value.problem) for language in LANGUAGES)


def write_films(folder: Path) -> dict[str, np.ndarray]:
    """One film in each syntax; stored values by SOP Instance UID."""
    folder.mkdir()
    patient = Patient("77", "", PersonName("Doe^Jane"), "19700101", "F")
    study, series = StudyHeader(patient, "1.2.77"), SeriesHeader("1.2.77.1", "DX", 1, body_part_examined="CHEST")
    values = (np.arange(40 * 32) * 7 % 4096).astype(np.uint16).reshape(40, 32)
    made = {}
    syntaxes = (
        Syntax.IMPLICIT_LE, Syntax.EXPLICIT_BE, Syntax.DEFLATED_LE, Syntax.RLE, Syntax.JPEG_LOSSLESS_SV1, Syntax.JPEG_LS,
        Syntax.JPEG_2000_LOSSLESS,
    )  # fmt: skip
    for number, syntax in enumerate(syntaxes, 1):
        write_projection(values, folder / f"{number}.dcm", study, series, instance_number=number, syntax=syntax)
        made[instance_uid(series, number)] = values
    return made


def test_a_medium_has_a_directory_and_uncompressed_objects(library: Library, tmp_path: Path) -> None:
    films = write_films(tmp_path / "films")
    import_paths(library, [tmp_path / "films"], SILENT)
    done = export_studies(library, uids(library), tmp_path / "out", ExportOptions(Form.MEDIA), SILENT)
    assert not done.left_out
    seen = {}
    for one in done.files:
        assert all(len(part) <= 8 and part == part.upper() for part in one.path.split("/"))
        if one.sop_instance_uid:
            ds = pydicom.dcmread(tmp_path / "out" / one.path)
            assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
            seen[str(ds.SOPInstanceUID)] = ds.pixel_array
    assert {uid: np.array_equal(seen[uid], values) for uid, values in films.items()} == dict.fromkeys(films, True)
    directory = pydicom.dcmread(tmp_path / "out" / "DICOMDIR")
    kinds = [r.DirectoryRecordType for r in directory.DirectoryRecordSequence]
    assert (kinds.count("PATIENT"), kinds.count("STUDY"), kinds.count("IMAGE")) == (3, 3, 14)
    found = scan([tmp_path / "out"])
    assert (len(found.studies), found.refused) == (3, ())
    assert [r.code for r in found.remarks] == ["dicom.several_patients"]
    with pytest.raises(ProblemError) as caught:
        export_studies(library, uids(library), tmp_path / "out", ExportOptions(Form.MEDIA), SILENT)
    assert caught.value.problem.code == "export.not_empty"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_the_directory_passes_dciodvfy(library: Library, tmp_path: Path) -> None:
    export_studies(library, uids(library), tmp_path / "out", ExportOptions(Form.MEDIA), SILENT)
    told = subprocess.run(["dciodvfy", str(tmp_path / "out" / "DICOMDIR")], capture_output=True, text=True, check=False)
    assert [line for line in told.stderr.splitlines() if line.startswith("Error")] == []


def test_nobody_is_named_in_a_deidentified_export(library: Library, tmp_path: Path) -> None:
    options = ExportOptions(Form.ZIP, Profile(bytes(32)))
    done = export_studies(library, uids(library), tmp_path / "out.zip", options, SILENT)
    assert done.deidentified
    originals = objects(library)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for one in done.files:
            data = archive.read(one.path)
            for text in ("Әлия", phantoms.ALIYA.patient_id, OTHER.name.alphabetic.split("^")[0], *originals):
                assert text.encode() not in data
                assert text not in one.path
        kept = [pydicom.dcmread(io.BytesIO(archive.read(f.path))).PixelData for f in done.files]
    assert sorted(kept) == sorted(pydicom.dcmread(io.BytesIO(d)).PixelData for d in originals.values())


def test_objects_with_a_name_in_their_pixels_stay_unless_that_is_wanted(library: Library, tmp_path: Path) -> None:
    from app.dicom.secondary_capture import Binding, film_kinds
    from app.session.picture_import import import_picture
    from tests.session.test_import_desk import png

    (tmp_path / "film.png").write_bytes(png(np.zeros((30, 40), np.uint8)))
    made = import_picture(library, str(tmp_path / "film.png"), Binding(OTHER, film_kinds()["other"]))
    profile = Profile(bytes(32))
    with pytest.raises(ProblemError) as caught:
        export_studies(library, [made.study_instance_uid], tmp_path / "out", ExportOptions(profile=profile), SILENT)
    assert caught.value.problem.code == "export.nothing"
    assert not (tmp_path / "out").exists()
    both = export_studies(library, uids(library), tmp_path / "out", ExportOptions(profile=profile), SILENT)
    assert [r.problem.code for r in both.left_out] == ["export.names_in_pixels"]
    options = ExportOptions(profile=profile, burned_in=True)
    wanted = export_studies(library, [made.study_instance_uid], tmp_path / "also", options, SILENT)
    assert (len(wanted.files), [w.code for w in wanted.warnings]) == (1, ["export.with_names"])


def test_a_command_exports_and_binds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
    from app.session import file_commands
    from tests.session.test_import_desk import png

    class Kept:
        def __enter__(self) -> Library:
            return library

        def __exit__(self, *_: Any) -> None:
            return

    monkeypatch.setattr(file_commands, "open_library", lambda create: Kept())
    (tmp_path / "film.png").write_bytes(png(np.zeros((30, 40), np.uint8)))
    words = file_commands.PatientWords(phantoms.ALIYA.patient_id)
    document = file_commands.import_pictures([tmp_path / "film.png"], words, "panoramic", "2019", False, "", SILENT)
    assert [p["added"] for p in document["pictures"]] == [True]
    (row,) = [r for r in library.studies.search() if "PX" in r.modalities]
    assert row.patient.key == phantoms.ALIYA.key
    for wrong, code in (
        (file_commands.PatientWords("nobody"), "picture.which_patient"),
        (file_commands.PatientWords(phantoms.ALIYA.patient_id, "Other Name", "19010101"), "picture.other_person"),
    ):
        with pytest.raises(ProblemError) as caught:
            file_commands.import_pictures([tmp_path / "film.png"], wrong, "panoramic", "", False, "", SILENT)
        assert caught.value.problem.code == code
    answer = file_commands.export_from_library(
        [row.study_instance_uid], tmp_path / "out.zip", form=Form.ZIP, deidentified=False, dates="remove",
        keep_characteristics=False, burned_in=False, progress=SILENT,
    )  # fmt: skip
    assert (answer["schema"], answer["verified"], len(answer["files"])) == ("ekinshi.export/1", True, 1)
