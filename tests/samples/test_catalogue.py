"""The sample studies as files: complete, valid, marked, repeatable."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.domain.ports import Cancelled
from app.samples.catalogue import SampleStudy, write_samples
from tests.samples.test_phantoms import iod_complaints


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[SampleStudy]:
    return write_samples(tmp_path_factory.mktemp("samples"), small=True)


def datasets(study: SampleStudy) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(p) for p in sorted(study.folder.rglob("*.dcm"))]


def test_five_patients_and_two_priors(samples: list[SampleStudy]) -> None:
    by_key = {s.key: s for s in samples}
    assert len({s.patient.patient_id for s in samples}) == 5
    for prior, current in (("chest_ct_prior", "chest_ct"), ("mammogram_prior", "mammogram")):
        assert by_key[prior].prior_of == by_key[current].study_instance_uid
        assert by_key[prior].patient == by_key[current].patient
        assert by_key[prior].study_date < by_key[current].study_date
    names = " ".join(s.patient.name.alphabetic for s in samples)
    assert "Әлия" in names
    assert "Тимуровна" in names
    assert "NURGALIYEVA" in names


def test_every_object_says_what_it_is(samples: list[SampleStudy]) -> None:
    uids = []
    for study in samples:
        files = datasets(study)
        assert len(files) == study.files
        for ds in files:
            uids.append(ds.SOPInstanceUID)
            assert ds.StudyInstanceUID == study.study_instance_uid
            assert str(ds.PatientName) == study.patient.name.alphabetic
            assert ds.PatientID.startswith("DEMO-")
            assert ds.SpecificCharacterSet == "ISO_IR 192"
            assert "DEMONSTRATION" in ds.ImageComments
            assert "DEMONSTRATION" in ds.InstitutionName
            assert ds.Modality == study.modality
            assert ds.pixel_array.std() > 0
    assert len(set(uids)) == len(uids)


def test_answers_point_at_images_of_the_study(samples: list[SampleStudy]) -> None:
    for study in samples:
        assert study.answers
        images = {ds.SOPInstanceUID: ds for ds in datasets(study)}
        for answer in study.answers:
            ds = images[answer.sop_instance_uid]
            if answer.centre_lps_mm is not None:
                normal = np.cross(*np.reshape(ds.ImageOrientationPatient, (2, 3)))
                away = abs((np.asarray(answer.centre_lps_mm) - ds.ImagePositionPatient) @ normal)
                assert away <= float(ds.SliceThickness) / 2 + 0.01
            if answer.box_px is not None:
                x0, y0, x1, y1 = answer.box_px
                assert 0 <= x0 < x1 <= ds.Columns
                assert 0 <= y0 < y1 <= ds.Rows


def test_the_nodule_grew(samples: list[SampleStudy]) -> None:
    by_key = {s.key: s for s in samples}
    now, before = by_key["chest_ct"].answers[0], by_key["chest_ct_prior"].answers[0]
    assert now.volume_ml is not None
    assert before.volume_ml is not None
    assert now.volume_ml > 1.8 * before.volume_ml
    assert len(by_key["chest_ct"].answers) == len(by_key["chest_ct_prior"].answers) + 1


def test_second_call_finds_the_same_folder(samples: list[SampleStudy]) -> None:
    folder = samples[0].folder.parent.parent
    stamp = {p: p.stat().st_mtime_ns for p in folder.rglob("*.dcm")}
    assert write_samples(folder, small=True) == samples
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.dcm")} == stamp


class _Watch:
    """Remembers what was reported; may cancel at once."""

    def __init__(self, stop: bool = False) -> None:
        self.seen: list[float] = []
        self.stop = stop

    def report(self, fraction: float, stage: str = "") -> None:
        self.seen.append(fraction)

    def cancelled(self) -> bool:
        return self.stop


def test_a_damaged_folder_is_written_anew_with_the_same_bytes(samples: list[SampleStudy], tmp_path: Path) -> None:
    root = samples[0].folder.parent
    copy = tmp_path / root.name
    shutil.copytree(root, copy)
    shutil.copyfile(root.with_name(root.name + ".json"), copy.with_name(copy.name + ".json"))
    assert write_samples(tmp_path, small=True)[0].folder == copy / samples[0].key
    victim = next(p for p in sorted(copy.rglob("*.dcm")))
    content = victim.read_bytes()
    victim.unlink()
    watch = _Watch()
    again = write_samples(tmp_path, watch, small=True)
    assert watch.seen == sorted(watch.seen)
    assert watch.seen[-1] == pytest.approx(1.0)
    assert len(watch.seen) > 10
    assert sorted(p.name for p in tmp_path.iterdir()) == [root.name, root.name + ".json"]
    assert all(p.suffix == ".dcm" for p in copy.rglob("*") if p.is_file())
    assert [s.key for s in again] == [s.key for s in samples]
    assert victim.read_bytes() == content
    for path in sorted(root.rglob("*.dcm")):
        assert (copy / path.relative_to(root)).read_bytes() == path.read_bytes()


def test_cancel_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        write_samples(tmp_path, _Watch(stop=True), small=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is not installed")
def test_dciodvfy_has_nothing_to_say(samples: list[SampleStudy]) -> None:
    chosen = [p for s in samples for p in (sorted(s.folder.rglob("*.dcm"))[0], sorted(s.folder.rglob("*.dcm"))[-1])]
    assert {p.name: c for p in chosen if (c := iod_complaints(p))} == {}
