"""Image objects from arrays: CT series and projection films, in any transfer syntax that we can encode.

Used for generated studies (demo, tests, training) and derived pictures; originals of a person are never rewritten here.
Attributes follow PS3.3 A.3 (CT), A.26 (DX) and A.27 (MG); names in ``extra`` are DICOM keywords, sequences are lists of
mappings.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from app.dicom.frame_encoder import Syntax, encode_frame, native_bytes
from app.domain.identity import uid_for
from app.domain.ports import Progress, SilentProgress
from app.domain.study import Patient
from app.domain.volume import Volume

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
DX_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.1.1"
MG_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.1.2"
SECONDARY_CAPTURE_STORAGE = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_BYTE_STORAGE = "1.2.840.10008.5.1.4.1.1.7.2"
MULTI_FRAME_COLOUR_STORAGE = "1.2.840.10008.5.1.4.1.1.7.4"

IMPLEMENTATION_CLASS_UID = uid_for("ekinshi", "implementation")
IMPLEMENTATION_VERSION = "EKINSHI"

Extra = Mapping[str, Any]

_VIEWS = {
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
    "ML": ("399260004", "medio-lateral"),
    "LM": ("399352003", "latero-medial"),
    "PA": ("399348003", "postero-anterior"),
    "AP": ("399321005", "antero-posterior"),
    "LL": ("399173006", "left lateral"),
}
"""View code by its short word (PS3.16 CID 4010, 4014; SNOMED CT)."""
_REGIONS = {
    "CHEST": ("43799004", "Thorax"),
    "BREAST": ("76752008", "Breast"),
    "JAW": ("661005", "Jaw region"),
    "HEAD": ("69536005", "Head"),
}
"""Anatomic region by Body Part Examined (PS3.16 annex L)."""


@dataclass(frozen=True)
class StudyHeader:
    """Patient and study of an object to be written."""

    patient: Patient
    study_instance_uid: str
    study_date: str = "20260101"
    study_time: str = "080000"
    study_id: str = "1"
    accession_number: str = ""
    description: str = ""
    referring_physician: str = ""
    patient_age: str = ""
    """AS, e.g. 064Y."""
    institution: str = ""
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class SeriesHeader:
    """Series of an object to be written."""

    series_instance_uid: str
    modality: str
    series_number: int = 1
    description: str = ""
    body_part_examined: str = ""
    protocol_name: str = ""
    manufacturer: str = "Ekinshi"
    model_name: str = "Sample generator"
    series_time: str = ""
    """Empty: the study's time."""
    extra: Extra = field(default_factory=dict)
    """Attributes of every object of the series, after the writer's own ones."""


@dataclass(frozen=True)
class ImageLevel:
    """Windows and further attributes of one object."""

    instance_number: int = 1
    windows: tuple[tuple[float, float, str], ...] = ()
    """(centre, width, explanation) each."""
    extra: Extra = field(default_factory=dict)


def code(value: str, scheme: str, meaning: str) -> dict[str, str]:
    """One item of a code sequence (PS3.3 8.1)."""
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def apply_extra(ds: Dataset, extra: Extra) -> None:
    """Sets DICOM keywords from plain values; lists of mappings become sequences; None removes an attribute."""
    for keyword, value in extra.items():
        if value is None:
            if keyword in ds:
                delattr(ds, keyword)
            continue
        setattr(ds, keyword, _plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        item = Dataset()
        apply_extra(item, value)
        return item
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def general_dataset(study: StudyHeader, series: SeriesHeader, sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """Patient, study, series, equipment and SOP Common modules."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = sop_instance_uid
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = study.study_date
    ds.StudyTime = study.study_time
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = series.series_time or study.study_time
    ds.AccessionNumber = study.accession_number
    ds.Modality = series.modality
    ds.Manufacturer = series.manufacturer
    ds.ManufacturerModelName = series.model_name
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = "1"
    if study.institution:
        ds.InstitutionName = study.institution
    ds.ReferringPhysicianName = study.referring_physician
    if study.description:
        ds.StudyDescription = study.description
    if series.description:
        ds.SeriesDescription = series.description
    names = (study.patient.name.alphabetic, study.patient.name.ideographic, study.patient.name.phonetic)
    ds.PatientName = "=".join(names).rstrip("=")
    ds.PatientID = study.patient.patient_id
    if study.patient.issuer_of_patient_id:
        ds.IssuerOfPatientID = study.patient.issuer_of_patient_id
    ds.PatientBirthDate = study.patient.birth_date
    ds.PatientSex = study.patient.sex
    if study.patient_age:
        ds.PatientAge = study.patient_age
    if series.body_part_examined:
        ds.BodyPartExamined = series.body_part_examined
    if series.protocol_name:
        ds.ProtocolName = series.protocol_name
    ds.StudyInstanceUID = study.study_instance_uid
    ds.SeriesInstanceUID = series.series_instance_uid
    ds.StudyID = study.study_id
    ds.SeriesNumber = series.series_number
    apply_extra(ds, study.extra)
    return ds


def set_pixels(
    ds: Dataset,
    frames: npt.NDArray[np.generic],
    syntax: Syntax = Syntax.EXPLICIT_LE,
    bits_stored: int | None = None,
    photometric_interpretation: str = "MONOCHROME2",
) -> None:
    """Puts ``frames`` (frames, rows, columns[, 3]) stored values into ``ds`` as Pixel Data of ``syntax``."""
    if frames.ndim not in (3, 4):
        raise ValueError('"frames" must be (frames, rows, columns) or (frames, rows, columns, samples)')
    bits_allocated = frames.dtype.itemsize * 8
    bits = bits_stored or bits_allocated
    ds.SamplesPerPixel = frames.shape[3] if frames.ndim == 4 else 1
    ds.PhotometricInterpretation = photometric_interpretation
    if frames.ndim == 4:
        ds.PlanarConfiguration = 0
    if frames.shape[0] > 1:
        ds.NumberOfFrames = frames.shape[0]
    ds.Rows, ds.Columns = frames.shape[1], frames.shape[2]
    ds.BitsAllocated = bits_allocated
    ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = 1 if frames.dtype.kind == "i" else 0
    if syntax.encapsulated:
        if frames.ndim == 4 and syntax in (Syntax.JPEG_2000_LOSSLESS, Syntax.HTJ2K_LOSSLESS):
            ds.PhotometricInterpretation = "YBR_RCT"
        elif frames.ndim == 4 and syntax is Syntax.JPEG_2000:
            ds.PhotometricInterpretation = "YBR_ICT"
        elif frames.ndim == 4 and syntax is Syntax.JPEG_BASELINE:
            ds.PhotometricInterpretation = "YBR_FULL_422"
        streams = [encode_frame(frame, syntax, bits) for frame in frames]
        ds.PixelData = encapsulate(streams)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        if syntax.lossy:
            ratio = frames.nbytes / max(1, sum(len(s) for s in streams))
            ds.LossyImageCompression = "01"
            ds.LossyImageCompressionRatio = f"{ratio:.2f}"
            ds.LossyImageCompressionMethod = {
                Syntax.JPEG_BASELINE: "ISO_10918_1",
                Syntax.JPEG_LS_NEAR: "ISO_14495_1",
                Syntax.JPEG_2000: "ISO_15444_1",
            }[syntax]
    else:
        if bits < bits_allocated and frames.dtype.kind == "i":
            mask = (1 << bits) - 1
            unsigned = frames.view(frames.dtype.str.replace("i", "u"))
            frames = np.asarray(unsigned & unsigned.dtype.type(mask))
        ds.PixelData = native_bytes(frames, syntax)
        ds["PixelData"].VR = "OB" if bits_allocated == 8 and syntax is not Syntax.IMPLICIT_LE else "OW"


def save_dataset(ds: Dataset, path: Path, syntax: Syntax = Syntax.EXPLICIT_LE) -> Path:
    """Writes ``ds`` as a PS3.10 file; the same data set gives the same bytes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = UID(str(syntax))
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    implicit = syntax is Syntax.IMPLICIT_LE
    little = syntax is not Syntax.EXPLICIT_BE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        file = FileDataset(
            str(path), ds, preamble=b"\0" * 128, file_meta=meta, is_implicit_VR=implicit, is_little_endian=little
        )
        file.save_as(str(path), enforce_file_format=True)
    return path


def _set_windows(ds: Dataset, windows: Sequence[tuple[float, float, str]]) -> None:
    if not windows:
        return
    ds.WindowCenter = [_ds(w[0]) for w in windows]
    ds.WindowWidth = [_ds(w[1]) for w in windows]
    if all(w[2] for w in windows):
        ds.WindowCenterWidthExplanation = [w[2] for w in windows]


def _ds(value: float) -> str:
    """A number as DS, at most 16 characters (PS3.5 6.2)."""
    text = f"{value:.10g}"
    return text if len(text) <= 16 else f"{value:.8g}"


def ct_dataset(
    volume: Volume,
    k: int,
    study: StudyHeader,
    series: SeriesHeader,
    image: ImageLevel,
    sop_instance_uid: str,
    *,
    slice_thickness_mm: float | None = None,
    rescale: tuple[float, float] = (1.0, -1024.0),
    bits_stored: int = 16,
    signed: bool = True,
    syntax: Syntax = Syntax.EXPLICIT_LE,
) -> Dataset:
    """One CT Image object of slice ``k`` (PS3.3 A.3). ``rescale`` = (slope, intercept); voxels are HU."""
    plane = volume.geometry.plane(k)
    ds = general_dataset(study, series, CT_IMAGE_STORAGE, sop_instance_uid)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.PatientPosition = "HFS"
    ds.AcquisitionNumber = 1
    ds.InstanceNumber = image.instance_number
    ds.FrameOfReferenceUID = volume.geometry.frame_of_reference_uid or uid_for(study.study_instance_uid, "frame")
    ds.PositionReferenceIndicator = ""
    ds.ImagePositionPatient = [_ds(c) for c in plane.origin_mm]
    ds.ImageOrientationPatient = [_ds(c) for c in (*plane.row_cosines, *plane.column_cosines)]
    ds.PixelSpacing = [_ds(plane.row_spacing_mm), _ds(plane.column_spacing_mm)]
    ds.SliceThickness = _ds(slice_thickness_mm if slice_thickness_mm is not None else volume.geometry.spacing_mm[0])
    ds.SliceLocation = _ds(plane.position_along_normal_mm())
    ds.KVP = "120"
    ds.RescaleSlope, ds.RescaleIntercept = _ds(rescale[0]), _ds(rescale[1])
    ds.RescaleType = "HU"
    _set_windows(ds, image.windows)
    low, high = (-(1 << (bits_stored - 1)), (1 << (bits_stored - 1)) - 1) if signed else (0, (1 << bits_stored) - 1)
    stored = np.rint((volume.voxels[k].astype(np.float32) - rescale[1]) / rescale[0]).clip(low, high)
    set_pixels(ds, stored.astype(np.int16 if signed else np.uint16)[None], syntax, bits_stored)
    apply_extra(ds, series.extra)
    apply_extra(ds, image.extra)
    return ds


def write_ct_series(
    volume: Volume,
    folder: Path,
    study: StudyHeader,
    series: SeriesHeader,
    *,
    syntax: Syntax = Syntax.EXPLICIT_LE,
    windows: tuple[tuple[float, float, str], ...] = ((40.0, 400.0, "MEDIASTINUM"),),
    slice_thickness_mm: float | None = None,
    rescale: tuple[float, float] = (1.0, -1024.0),
    bits_stored: int = 16,
    signed: bool = True,
    top_first: bool = True,
    file_names: str = "IM{number:04d}.dcm",
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Writes ``volume`` (HU) as one CT object per slice and gives the paths by slice ``k``.

    SOP Instance UIDs are ``volume.source_sop_instance_uids`` where given, else ``uid_for(series, number)``. ``top_first``
    numbers the slice of the highest k 1, as scanners do from head to feet.
    """
    progress = progress or SilentProgress()
    folder.mkdir(parents=True, exist_ok=True)
    count = volume.voxels.shape[0]
    paths = []
    for k in range(count):
        number = count - k if top_first else k + 1
        uids = volume.source_sop_instance_uids
        uid = uids[k] if uids else instance_uid(series, number)
        ds = ct_dataset(
            volume,
            k,
            study,
            series,
            ImageLevel(number, windows),
            uid,
            slice_thickness_mm=slice_thickness_mm,
            rescale=rescale,
            bits_stored=bits_stored,
            signed=signed,
            syntax=syntax,
        )
        paths.append(save_dataset(ds, folder / file_names.format(number=number, k=k), syntax))
        progress.report((k + 1) / count, series.description)
    return tuple(paths)


def instance_uid(series: SeriesHeader, number: int) -> str:
    """SOP Instance UID that the writers give to image ``number`` of a series."""
    return uid_for(series.series_instance_uid, str(number))


def write_projection(
    array: npt.NDArray[np.generic],
    path: Path,
    study: StudyHeader,
    series: SeriesHeader,
    *,
    sop_class_uid: str = "",
    sop_instance_uid: str = "",
    instance_number: int = 1,
    pixel_spacing_mm: tuple[float, float] | None = (0.2, 0.2),
    laterality: str = "U",
    patient_orientation: tuple[str, str] = ("L", "F"),
    view_position: str = "",
    windows: tuple[tuple[float, float, str], ...] = (),
    bits_stored: int = 12,
    inverse: bool = False,
    syntax: Syntax = Syntax.EXPLICIT_LE,
    extra: Extra | None = None,
) -> Path:
    """Writes a film ``array`` (rows, columns; unsigned) as DX (panoramic too) or MG FOR PRESENTATION (PS3.3 A.26, A.27).

    ``pixel_spacing_mm`` is Imager Pixel Spacing (at the detector). ``inverse`` writes MONOCHROME1.
    """
    mammography = series.modality == "MG"
    sop_class = sop_class_uid or (MG_IMAGE_STORAGE if mammography else DX_IMAGE_STORAGE)
    ds = general_dataset(study, series, sop_class, sop_instance_uid or instance_uid(series, instance_number))
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.InstanceNumber = instance_number
    ds.AcquisitionNumber = instance_number
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageLaterality = laterality
    ds.PatientOrientation = list(patient_orientation)
    ds.PositionerType = ""
    region = _REGIONS.get(series.body_part_examined)
    if region:
        ds.AnatomicRegionSequence = _plain([code(region[0], "SCT", region[1])])
    if view_position in _VIEWS:
        value, meaning = _VIEWS[view_position]
        ds.ViewCodeSequence = _plain([{**code(value, "SCT", meaning), "ViewModifierCodeSequence": []}])
    if mammography:
        ds.PositionerType = "MAMMOGRAPHIC"
        ds.OrganExposed = "BREAST"
        ds.BreastImplantPresent = "NO"
    elif view_position:
        # View Position has no defined term for the views of the breast: there the code alone speaks (C.8.11.5.1.3).
        ds.ViewPosition = view_position
    if pixel_spacing_mm is not None:
        ds.ImagerPixelSpacing = [_ds(v) for v in pixel_spacing_mm]
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = 1 if inverse else -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    ds.LossyImageCompression = "00"
    ds.BurnedInAnnotation = "NO"
    ds.DetectorType = "DIRECT" if mammography else "SCINTILLATOR"
    ds.AcquisitionContextSequence = []
    _set_windows(ds, windows)
    photometric = "MONOCHROME1" if inverse else "MONOCHROME2"
    set_pixels(ds, np.asarray(array)[None], syntax, bits_stored, photometric)
    apply_extra(ds, series.extra)
    apply_extra(ds, extra or {})
    return save_dataset(ds, path, syntax)


def write_secondary_capture(
    frames: npt.NDArray[np.uint8],
    path: Path,
    study: StudyHeader,
    series: SeriesHeader,
    *,
    instance_number: int = 1,
    frame_time_ms: float = 40.0,
    syntax: Syntax = Syntax.EXPLICIT_LE,
    extra: Extra | None = None,
) -> Path:
    """Writes 8-bit ``frames`` (frames, rows, columns[, 3]) as Secondary Capture, several as a cine (PS3.3 A.8)."""
    colour = frames.ndim == 4
    several = MULTI_FRAME_COLOUR_STORAGE if colour else MULTI_FRAME_BYTE_STORAGE
    sop_class = several if frames.shape[0] > 1 else SECONDARY_CAPTURE_STORAGE
    ds = general_dataset(study, series, sop_class, instance_uid(series, instance_number))
    if frames.shape[0] > 1:
        ds.FrameTime = _ds(frame_time_ms)
        ds.FrameIncrementPointer = 0x00181063
        ds.BurnedInAnnotation = "NO"
        if not colour:
            ds.PresentationLUTShape = "IDENTITY"
            ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.InstanceNumber = instance_number
    ds.PatientOrientation = ""
    ds.ConversionType = "WSD"
    set_pixels(ds, np.asarray(frames), syntax, 8, "RGB" if colour else "MONOCHROME2")
    apply_extra(ds, series.extra)
    apply_extra(ds, extra or {})
    return save_dataset(ds, path, syntax)
