"""The basic profile: nothing that says who it is stays, pixels and relations stay exact."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from app.dicom.deidentify import BurnedIn, Dates, Profile, burned_in_of, deidentify, leaks, table
from app.dicom.image_writer import SeriesHeader, StudyHeader, general_dataset, save_dataset, set_pixels
from app.domain.problem import ProblemError
from app.domain.study import Patient, PersonName

SECRET = bytes(range(32))
NAME = "Серікбаева^Әлия"


def made(tmp_path: Any, number: int = 1, **more: Any) -> bytes:
    patient = Patient("930412400123", "KZ", PersonName(NAME), "19930412", "F")
    study = StudyHeader(
        patient, "1.2.3.4", "20260310", "101500", "77", "ACC-4711", "Chest of Serikbayeva", "Omarov^B", "093Y"
    )
    series = SeriesHeader("1.2.3.4.5", "CT", 1, "Lung", "CHEST")
    ds = general_dataset(study, series, "1.2.840.10008.5.1.4.1.1.2", f"1.2.3.4.5.{number}")
    set_pixels(ds, np.arange(64, dtype=np.int16).reshape(1, 8, 8), bits_stored=16)
    ds.FrameOfReferenceUID = "1.2.3.9"
    ds.InstitutionName = "Ақтөбе, clinic 4"
    ds.PatientSize, ds.PatientWeight = "1.62", "58"
    ds.add_new(0x00091001, "LO", "private Серікбаева")
    ds.ImageComments = f"seen by {NAME}"
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5.1"
    ds.ReferencedImageSequence = [source]
    ds.AlgorithmName = "ACC-4711 reader"
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    path = save_dataset(ds, tmp_path / f"{number}.dcm")
    return path.read_bytes()


def read(data: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(data))


def test_nothing_that_names_the_patient_stays(tmp_path: Any) -> None:
    out = deidentify(made(tmp_path), Profile(SECRET))
    ds = read(out.data)
    named = ("Серікбаева", "Әлия", "930412400123", "ACC-4711", "Omarov", "Ақтөбе", "Serikbayeva", "19930412")
    for text in (*named, "1.2.3.4", "1.2.3.9"):
        assert text.encode() not in out.data, text
    assert ds.PatientIdentityRemoved == "YES"
    assert str(ds.PatientName) == ds.PatientID == out.patient_id
    assert (ds.PatientBirthDate, ds.StudyDate, ds.AccessionNumber) == ("", "", "")
    assert not [e for e in ds.iterall() if e.tag.group % 2]
    assert [i.CodeValue for i in ds.DeidentificationMethodCodeSequence] == ["113100"]
    assert ds.LongitudinalTemporalInformationModified == "REMOVED"
    assert ds.preamble == bytes(128)
    assert ds.AlgorithmName == "REMOVED", "a text that the table leaves, with an identifier in it"


def test_pixels_are_the_same_bytes(tmp_path: Any) -> None:
    data = made(tmp_path)
    assert read(deidentify(data, Profile(SECRET)).data).PixelData == read(data).PixelData


def test_relations_stay_within_an_export_and_nowhere_else(tmp_path: Any) -> None:
    one, two = (read(deidentify(made(tmp_path, n), Profile(SECRET)).data) for n in (1, 2))
    other = read(deidentify(made(tmp_path, 1), Profile(bytes(32))).data)
    assert one.StudyInstanceUID == two.StudyInstanceUID != other.StudyInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert two.ReferencedImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert one.PatientID == two.PatientID != other.PatientID
    assert one.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


def test_dates_by_choice(tmp_path: Any) -> None:
    first = read(deidentify(made(tmp_path, 1), Profile(SECRET, Dates.SHIFT)).data)
    later = read(deidentify(made(tmp_path, 2, StudyDate="20260320"), Profile(SECRET, Dates.SHIFT)).data)
    kept = read(deidentify(made(tmp_path, 3), Profile(SECRET, Dates.KEEP)).data)
    from datetime import date

    days = [date(int(d[:4]), int(d[4:6]), int(d[6:8])) for d in (first.StudyDate, later.StudyDate)]
    assert (days[1] - days[0]).days == 10
    assert first.StudyDate != "20260310"
    assert (first.LongitudinalTemporalInformationModified, kept.StudyDate) == ("MODIFIED", "20260310")
    assert first.PatientBirthDate == kept.PatientBirthDate == "", "a birth date is no date of the study"


def test_characteristics_by_choice_and_great_ages_are_one(tmp_path: Any) -> None:
    kept = read(deidentify(made(tmp_path), Profile(SECRET, keep_characteristics=True)).data)
    gone = read(deidentify(made(tmp_path), Profile(SECRET)).data)
    assert (kept.PatientSex, str(kept.PatientWeight), kept.PatientAge) == ("F", "58", "090Y")
    assert gone.get("PatientSex", "") == ""
    assert "PatientWeight" not in gone


def test_documents_cannot_be_cleaned(tmp_path: Any) -> None:
    ds = read(made(tmp_path))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    out = io.BytesIO()
    ds.save_as(out)
    with pytest.raises(ProblemError) as caught:
        deidentify(out.getvalue(), Profile(SECRET))
    assert caught.value.problem.code == "deident.document"


def test_names_in_the_pixels_are_told() -> None:
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    assert burned_in_of(ds) is BurnedIn.LIKELY
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.4"
    assert burned_in_of(ds) is BurnedIn.LIKELY
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    assert burned_in_of(ds) is BurnedIn.NO
    ds.BurnedInAnnotation = "YES"
    assert burned_in_of(ds) is BurnedIn.YES


def test_an_original_is_seen_as_leaking(tmp_path: Any) -> None:
    data = made(tmp_path)
    assert "PatientName" in leaks(data, frozenset({"Серікбаева"}))
    assert leaks(deidentify(data, Profile(SECRET)).data, frozenset({"Серікбаева", "1.2.3.4", "930412400123"})) == ()


def test_the_table_is_whole() -> None:
    rules = table()
    assert len(rules) > 600
    assert {r.basic for r in rules.values()} <= {"X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*"}
    assert (rules[0x00100010].basic, rules[0x00080018].basic) == ("Z", "U")
