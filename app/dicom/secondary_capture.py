"""Plain pictures as DICOM: Secondary Capture with every bit of the source, or an Encapsulated PDF (PS3.3 A.8, A.45).

No millimetre is written: what a scanner says about its resolution is not the patient's size. UIDs follow from the source's
bytes and the patient, so that the same picture bound twice to one person is one object.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from app import __version__
from app.dicom.encapsulated import encapsulate_pdf
from app.dicom.frame_encoder import Syntax
from app.dicom.image_writer import (
    MULTI_FRAME_BYTE_STORAGE,
    MULTI_FRAME_COLOUR_STORAGE,
    SECONDARY_CAPTURE_STORAGE,
    SeriesHeader,
    StudyHeader,
    general_dataset,
    set_pixels,
)
from app.dicom.object_header import IMPLEMENTATION_CLASS_UID, MANUFACTURER, MODEL, ObjectHeader
from app.dicom.picture_process import picture_process
from app.dicom.picture_values import profile_of, text_of
from app.dicom.plain_pictures import PictureInfo, upright_info
from app.domain.identity import uid_for
from app.domain.problem import fail
from app.domain.resources import resource_path
from app.domain.study import Patient, Study

MULTI_FRAME_WORD_STORAGE = "1.2.840.10008.5.1.4.1.1.7.3"
_EXTENDED = "1.2.840.10008.1.2.4.51"
Pixels = npt.NDArray[np.generic]


@dataclass(frozen=True)
class FilmKind:
    """What a picture without a header can be: a section of ``resources/film_kinds.toml``."""

    name: str
    modality: str
    body_part: str = ""
    view: str = ""
    paired: bool = False
    """There is a left one and a right one."""


@cache
def film_kinds() -> Mapping[str, FilmKind]:
    """By name, in the order of the file."""
    found = tomllib.loads(resource_path("film_kinds.toml").read_text(encoding="utf-8"))
    return {
        name: FilmKind(name, str(k["modality"]), str(k.get("body_part", "")), str(k.get("view", "")), bool(k.get("paired")))
        for name, k in found.items()
    }


@dataclass(frozen=True)
class Binding:
    """What a person confirmed about a picture."""

    patient: Patient
    kind: FilmKind
    taken_on: str = ""
    """YYYYMMDD, YYYY, or empty when nobody knows."""
    mirrored: bool = False
    """The film lay the wrong way round: left and right are exchanged."""
    laterality: str = ""
    """R or L of a paired part, as the person said; empty when not said."""
    description: str = ""
    institution: str = ""
    demonstration: bool = False


@dataclass(frozen=True)
class Converted:
    """One DICOM object made of (a page of) a picture."""

    sop_instance_uid: str
    data: bytes


def picture_uids(digest: str, binding: Binding) -> tuple[str, str]:
    """(study, series) UIDs: films of one person and one day lie together, others each in a study of their own."""
    person = "|".join(binding.patient.key)
    day = binding.taken_on if len(binding.taken_on) == 8 else digest
    study = uid_for("plain picture study", person, day)
    return study, uid_for("plain picture series", study, digest, str(binding.mirrored), binding.kind.name)


def page_uid(series_uid: str, page: int) -> str:
    return uid_for("plain picture", series_uid, str(page))


def convert(data: bytes, info: PictureInfo, binding: Binding, now: datetime, title: str = "") -> tuple[Converted, ...]:
    """The objects of a picture file: one, or one a page where the pages differ in size.

    ``now``: aware; the moment of the conversion. Raises ``picture.broken``.
    """
    if now.tzinfo is None:
        raise ValueError('"now" needs a time zone')
    if len(binding.taken_on) not in (0, 4, 8):
        raise ValueError('"taken_on" is YYYYMMDD, YYYY or empty')
    digest = hashlib.sha256(data).hexdigest()
    study_uid, series_uid = picture_uids(digest, binding)
    if info.kind == "pdf":
        return (_document(data, binding, study_uid, series_uid, now, title),)
    if info.as_is and info.orientation == 1 and not binding.mirrored:
        ds = _dataset(info, binding, study_uid, series_uid, page_uid(series_uid, 1), digest, now)
        _put_stream(ds, data, info)
        _put_profile(ds, data, info)
        syntax = Syntax.JPEG_BASELINE if info.stream is not None and info.stream.process == 0 else _EXTENDED
        return (_converted(ds, str(syntax)),)
    pages = [(upright_info(page), _mirrored(values, binding)) for page, values in picture_process.pages(data, info)]
    same = len({(v.shape, v.dtype.str, p.white_is_zero, p.slope, p.intercept) for p, v in pages}) == 1
    # a true colour multi-frame object holds eight bits
    together = len(pages) > 1 and same and not (pages[0][1].ndim == 3 and pages[0][1].dtype != np.uint8)
    groups = [pages] if together else [[page] for page in pages]
    out = []
    for number, group in enumerate(groups, 1):
        first, values = group[0]
        uid = page_uid(series_uid, number)
        ds = _dataset(first, binding, study_uid, series_uid, uid, digest, now, number, turned=info.orientation != 1)
        grey = "MONOCHROME1" if first.white_is_zero else "MONOCHROME2"
        set_pixels(ds, np.stack([v for _, v in group]), photometric_interpretation="RGB" if values.ndim == 3 else grey)
        if len(group) > 1:
            _multi_frame(ds, values, len(group))
        if (first.slope, first.intercept) != (1.0, 0.0):
            ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = text_of(first.slope), text_of(first.intercept), "US"
        _put_profile(ds, data, first)
        if first.lossy:
            _lossy(ds, sum(v.nbytes for _, v in pages), len(data))
        out.append(_converted(ds, str(Syntax.EXPLICIT_LE)))
    return tuple(out)


def _mirrored(values: Pixels, binding: Binding) -> Pixels:
    return np.ascontiguousarray(values[:, ::-1]) if binding.mirrored else values


def _dataset(
    info: PictureInfo,
    binding: Binding,
    study_uid: str,
    series_uid: str,
    uid: str,
    digest: str,
    now: datetime,
    number: int = 1,
    *,
    turned: bool = False,
) -> Dataset:
    day = binding.taken_on if len(binding.taken_on) == 8 else ""
    study = StudyHeader(
        binding.patient, study_uid, day, "", description=binding.description[:64], institution=binding.institution
    )
    series = SeriesHeader(
        series_uid,
        binding.kind.modality,
        1 + int(digest[:4], 16) % 8999,
        f"{'DEMONSTRATION ' if binding.demonstration else ''}{binding.description}"[:64],
        binding.kind.body_part,
        manufacturer="",
        model_name="",
    )
    ds = general_dataset(study, series, SECONDARY_CAPTURE_STORAGE, uid)
    for keyword in ("ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "AcquisitionTime", "SeriesTime"):
        if keyword in ds:
            del ds[keyword]
    for keyword in ("SeriesDate", "AcquisitionDate", "ContentDate", "ContentTime"):
        if not ds.get(keyword) and keyword in ds:
            del ds[keyword]
    if len(binding.taken_on) == 4:
        ds.AcquisitionDateTime = binding.taken_on  # DT may be a year alone, DA may not
    ds.Manufacturer = ""  # of the device that made the picture: unknown
    ds.ConversionType = "SI" if info.kind == "tiff" else "WSD"
    ds.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    ds.SecondaryCaptureDeviceManufacturerModelName = MODEL
    ds.SecondaryCaptureDeviceSoftwareVersions = __version__
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    ds.InstanceCreationDate, ds.InstanceCreationTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    ds.TimezoneOffsetFromUTC = f"{now:%z}"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.InstanceNumber = number
    ds.PatientOrientation = ""
    if binding.kind.paired:
        ds.Laterality = binding.laterality
    if binding.kind.view:
        ds.ViewPosition = binding.kind.view
    ds.BurnedInAnnotation = "YES"  # nobody has looked for names on the film yet
    if info.aspect is not None:
        ds.PixelAspectRatio = [str(info.aspect[0]), str(info.aspect[1])]
    changes = [word for word, done in (("turned upright", turned), ("mirrored", binding.mirrored)) if done]
    how = f"; {', '.join(changes)}" if changes else ""
    ds.DerivationDescription = f"From {info.kind.upper()}, {_kept(info)}{how}; SHA-256 of the source {digest}"
    return ds


def _kept(info: PictureInfo) -> str:
    if info.inks:
        return "CMYK to sRGB"
    if info.exact:
        return "no value changed"
    return f"values mapped to 16 bits by slope {text_of(info.slope)} and intercept {text_of(info.intercept)}"


def _put_profile(ds: Dataset, data: bytes, info: PictureInfo) -> None:
    """The picture's own ICC profile (PS3.3 C.11.15), applied when it is shown; pixels stay what they are."""
    profile = profile_of(data, info.kind)
    if profile and ds.SamplesPerPixel == 3 and not info.inks and profile[16:20] == b"RGB ":
        ds.ICCProfile = profile + b"\0" * (len(profile) % 2)


def _put_stream(ds: Dataset, data: bytes, info: PictureInfo) -> None:
    """The JPEG as it is: not one byte of it is changed."""
    stream = info.stream
    assert stream is not None
    ds.SamplesPerPixel = stream.components
    ds.PhotometricInterpretation = "MONOCHROME2" if stream.components == 1 else _photometric(data, info)
    if stream.components > 1:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = stream.rows, stream.columns
    ds.BitsAllocated = 8 if stream.precision == 8 else 16
    ds.BitsStored = stream.precision
    ds.HighBit = stream.precision - 1
    ds.PixelRepresentation = 0
    ds.PixelData = encapsulate([data])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    _lossy(ds, stream.rows * stream.columns * stream.components * ds.BitsAllocated // 8, len(data))


def _photometric(data: bytes, info: PictureInfo) -> str:
    stream = info.stream
    assert stream is not None
    if stream.adobe_transform == 0 or (not stream.jfif and stream.component_ids == (0x52, 0x47, 0x42)):
        return "RGB"
    return "YBR_FULL" if _first_sampling(data) == 0x11 else "YBR_FULL_422"


def _first_sampling(data: bytes) -> int:
    """Sampling factors of the first component; 0x11 means that chroma has every pixel too."""
    pos = 2
    while pos + 12 < len(data):
        marker = data[pos + 1]
        if marker in (0xC0, 0xC1):
            return data[pos + 11]
        if marker == 0xFF:
            pos += 1
            continue
        (length,) = struct.unpack_from(">H", data, pos + 2)
        pos += 2 + length
    raise fail("picture.broken", reason="JPEG", kept_safe="kept.original")


def _lossy(ds: Dataset, decoded: int, encoded: int) -> None:
    ds.LossyImageCompression = "01"
    ds.LossyImageCompressionRatio = f"{decoded / max(encoded, 1):.2f}"
    ds.LossyImageCompressionMethod = "ISO_10918_1"


def _multi_frame(ds: Dataset, values: Pixels, pages: int) -> None:
    """SC Multi-frame Image and Vector modules (PS3.3 C.8.6.3, C.8.6.4): the pages of a document."""
    if values.ndim == 3:
        ds.SOPClassUID = MULTI_FRAME_COLOUR_STORAGE
    else:
        ds.SOPClassUID = MULTI_FRAME_BYTE_STORAGE if values.dtype == np.uint8 else MULTI_FRAME_WORD_STORAGE
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
        ds.PresentationLUTShape = "INVERSE" if ds.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
    ds.FrameIncrementPointer = 0x00182001
    ds.PageNumberVector = list(range(1, pages + 1))


def _converted(ds: Dataset, syntax: str) -> Converted:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    ds.file_meta = meta
    ds.preamble = bytes(128)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return Converted(str(ds.SOPInstanceUID), buffer.getvalue())


def _document(data: bytes, binding: Binding, study_uid: str, series_uid: str, now: datetime, title: str) -> Converted:
    day = binding.taken_on if len(binding.taken_on) == 8 else ""
    study = Study(study_uid, binding.patient, (), day, description=binding.description, study_id="1")
    uid = page_uid(series_uid, 1)
    header = ObjectHeader(
        uid, series_uid, now, 1, 1, binding.description, demonstration=binding.demonstration, institution=binding.institution
    )
    return Converted(
        uid, encapsulate_pdf(study, data, title or binding.description or "PDF", header, code=None, scanned=True)
    )
