"""What every object that we write has in common: who it is about, its UIDs, when and by what it was written."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian

from app import __version__
from app.dicom.coding import OWN_SCHEME, OWN_SCHEME_NAME, OWN_SCHEME_UID
from app.domain.identity import uid_for
from app.domain.problem import fail
from app.domain.study import Instance, PersonName, Series, Study

MANUFACTURER = "Ekinshi"
MODEL = "Ekinshi reading workstation"
DEVICE_SERIAL = "1"
IMPLEMENTATION_CLASS_UID = "2.25.240175941350101800614569229090633115505"
CHARACTER_SET = "ISO_IR 192"
"""The only one that holds Kazakh Cyrillic."""
DEMONSTRATION = "DEMONSTRATION"


@dataclass(frozen=True)
class ObjectRef:
    """Names one stored object."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    modality: str = "SR"


@dataclass(frozen=True)
class ObjectHeader:
    """Fixed before the object is written, so that a retry writes the same bytes."""

    sop_instance_uid: str
    series_instance_uid: str
    written_at: datetime
    """Aware; written as UTC."""
    series_number: int = 9000
    instance_number: int = 1
    series_description: str = ""
    demonstration: bool = False
    institution: str = ""
    software_version: str = __version__

    def __post_init__(self) -> None:
        if self.written_at.tzinfo is None:
            raise ValueError('"written_at" needs a time zone')


def dicom_name(name: PersonName) -> str:
    return "=".join((name.alphabetic, name.ideographic, name.phonetic)).rstrip("=")


def person_pn(display_name: str) -> str:
    """``Family Given Middle`` as a person name value; a text that already has components stays as it is."""
    return display_name if "^" in display_name else "^".join(display_name.split(maxsplit=2))


def is_date(text: str) -> bool:
    """YYYYMMDD that is in a calendar. Anonymised images carry 00000000 and the like, which no object of ours may repeat."""
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return len(text) == 8


def put_patient_and_study(ds: Any, study: Study) -> None:
    """Patient, General Study and Patient Study attributes (PS3.3 C.7.1.1, C.7.2.1), as read from the images."""
    patient = study.patient
    ds.PatientName = dicom_name(patient.name)
    ds.PatientID = patient.patient_id
    if patient.issuer_of_patient_id:
        ds.IssuerOfPatientID = patient.issuer_of_patient_id
    ds.PatientBirthDate = patient.birth_date if is_date(patient.birth_date) else ""
    ds.PatientSex = patient.sex
    ds.StudyInstanceUID = study.study_instance_uid
    ds.StudyDate = study.study_datetime[:8] if len(study.study_datetime) >= 8 else ""
    ds.StudyTime = study.study_datetime[8:].split("+")[0].split("-")[0]
    ds.AccessionNumber = study.accession_number
    ds.ReferringPhysicianName = study.referring_physician
    ds.StudyID = study.study_id[:16]
    if study.description:
        ds.StudyDescription = study.description[:64]
    if study.patient_age:
        ds.PatientAge = study.patient_age


def evidence_dataset(study: Study, series: Series, instance: Instance) -> Any:
    """The header of a source image as the SR and SEG writers want it, built from the domain model."""
    ds = Dataset()
    put_patient_and_study(ds, study)
    ds.SpecificCharacterSet = CHARACTER_SET
    ds.SOPClassUID = instance.sop_class_uid
    ds.SOPInstanceUID = instance.sop_instance_uid
    ds.SeriesInstanceUID = series.series_instance_uid
    ds.Modality = series.modality
    ds.SeriesNumber = series.series_number
    ds.InstanceNumber = instance.instance_number or 1
    ds.Laterality = ""
    pixel_format = instance.pixel_format
    if pixel_format is not None:
        ds.Rows, ds.Columns = pixel_format.rows, pixel_format.columns
    plane = instance.frames[0].plane if instance.frames else None
    if plane is not None:
        ds.ImagePositionPatient = [_ds(v) for v in plane.origin_mm]
        ds.ImageOrientationPatient = [_ds(v) for v in (*plane.row_cosines, *plane.column_cosines)]
        ds.PixelSpacing = [_ds(plane.row_spacing_mm), _ds(plane.column_spacing_mm)]
        ds.SliceThickness = _ds(instance.slice_thickness_mm or 1.0)
    frame_of_reference = instance.frame_of_reference_uid or (plane.frame_of_reference_uid if plane else "")
    if frame_of_reference:
        ds.FrameOfReferenceUID = frame_of_reference
        ds.PositionReferenceIndicator = ""
    if len(instance.frames) > 1:
        ds.NumberOfFrames = len(instance.frames)
    return ds


def _ds(value: float) -> str:
    """DS within its 16 characters (PS3.5 6.2)."""
    for digits in range(12, 3, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.4g}"


def evidence_of(study: Study, sop_instance_uids: Iterable[str]) -> list[Any]:
    """Headers of the named images in the study's order. Raises ``dicom.evidence_missing`` for one that is not there."""
    wanted = {uid for uid in sop_instance_uids if uid}
    found = [
        evidence_dataset(study, series, instance)
        for series in study.series
        for instance in series.instances
        if instance.sop_instance_uid in wanted
    ]
    missing = wanted - {str(ds.SOPInstanceUID) for ds in found}
    if missing:
        raise fail("dicom.evidence_missing", count=len(missing))
    return found


def first_image(study: Study) -> str:
    """SOP Instance UID of the first object with pixels. Raises ``dicom.no_images`` when there is none."""
    for series in study.series:
        for instance in series.instances:
            if instance.pixel_format is not None or instance.frames:
                return instance.sop_instance_uid
    raise fail("dicom.no_images")


def reference_dataset(study: Study, ref: ObjectRef) -> Any:
    """An object of our own as evidence."""
    ds = Dataset()
    put_patient_and_study(ds, study)
    ds.SOPClassUID, ds.SOPInstanceUID = ref.sop_class_uid, ref.sop_instance_uid
    ds.SeriesInstanceUID, ds.Modality = ref.series_instance_uid, ref.modality
    return ds


def declare_own_codes(ds: Any) -> None:
    """Coding Scheme Identification Sequence with our scheme (PS3.3 C.12.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeUID = OWN_SCHEME_UID
    item.CodingSchemeName = OWN_SCHEME_NAME
    ds.CodingSchemeIdentificationSequence = DicomSequence([item])


def _fix_dimension_uids(ds: Any, header: ObjectHeader) -> None:
    """The writer draws the Dimension Organization UID; ours follows from the object's UID."""
    uid = uid_for("dimension organization", header.sop_instance_uid)
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in ds.get(keyword) or ():
            item.DimensionOrganizationUID = uid


def finished(ds: Any, study: Study, header: ObjectHeader) -> bytes:
    """Puts identity, times and file header on ``ds`` and gives the Part 10 bytes (explicit VR little endian)."""
    put_patient_and_study(ds, study)
    at = header.written_at.astimezone(UTC)
    ds.SpecificCharacterSet = CHARACTER_SET
    ds.TimezoneOffsetFromUTC = "+0000"
    ds.InstanceCreationDate = ds.ContentDate = f"{at:%Y%m%d}"
    ds.InstanceCreationTime = ds.ContentTime = f"{at:%H%M%S}"
    ds.SeriesDate, ds.SeriesTime = ds.ContentDate, ds.ContentTime
    _fix_dimension_uids(ds, header)
    if ds.get("PerFrameFunctionalGroupsSequence") is not None and "FrameOfReferenceUID" not in ds:
        ds.PatientOrientation = ""  # type 2C of an image without a position
    if "AcquisitionDateTime" in ds:
        ds.AcquisitionDateTime = f"{at:%Y%m%d%H%M%S}"
    for item in ds.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = f"{at:%Y%m%d%H%M%S}"
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, MODEL
    ds.SoftwareVersions, ds.DeviceSerialNumber = header.software_version, DEVICE_SERIAL
    if header.institution:
        ds.InstitutionName = header.institution
    description = header.series_description
    if header.demonstration:
        description = f"{DEMONSTRATION} {description}".strip()
    if description:
        ds.SeriesDescription = description[:64]
    ds.SOPInstanceUID = header.sop_instance_uid
    ds.SeriesInstanceUID = header.series_instance_uid
    ds.SeriesNumber, ds.InstanceNumber = header.series_number, header.instance_number
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.sop_instance_uid
    meta.TransferSyntaxUID = getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", ExplicitVRLittleEndian)
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"EKINSHI_{header.software_version}"[:16]
    ds.file_meta = meta
    ds.preamble = bytes(128)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
