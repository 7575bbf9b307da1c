"""Raw header values to :class:`domain.Instance` and the attributes of its patient, study and series."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from app.dicom import tags
from app.dicom.dental_anatomy import dental_anatomy
from app.dicom.diffusion import b_value_of
from app.dicom.display_shutter import shutter_attributes
from app.dicom.frame_headers import classic_frames, enhanced_frames, repaired
from app.dicom.mask_subtraction import mask_attributes
from app.dicom.nm_frames import is_nm, nm_frames
from app.dicom.pixel_description import checked_length, pixel_format_of
from app.dicom.raw_items import RawDataset, RawFile
from app.dicom.suv import pet_attributes
from app.dicom.text import person_name
from app.dicom.transfer_syntaxes import syntax_of
from app.dicom.values import code, codes, double, integer, number, numbers, text, unsigned, us_or_ss
from app.dicom.view_words import anatomic_region, view_modifiers
from app.domain.identity import uid_for
from app.domain.problem import Problem
from app.domain.study import FrameHeader, Instance, Patient

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True)
class StudyAttributes:
    study_instance_uid: str
    patient: Patient
    study_datetime: str = ""
    accession_number: str = ""
    description: str = ""
    referring_physician: str = ""
    institution: str = ""
    study_id: str = ""
    patient_age: str = ""


@dataclass(frozen=True)
class SeriesAttributes:
    series_instance_uid: str
    modality: str
    series_number: int | None = None
    description: str = ""
    body_part_examined: str = ""
    laterality: str = ""
    protocol_name: str = ""


@dataclass(frozen=True)
class FileHeader:
    """What one file says about itself and where it belongs."""

    instance: Instance
    series: SeriesAttributes
    study: StudyAttributes


_STUDY_TAGS = (
    tags.STUDY_INSTANCE_UID,
    tags.PATIENT_NAME,
    tags.PATIENT_ID,
    tags.ISSUER_OF_PATIENT_ID,
    tags.PATIENT_BIRTH_DATE,
    tags.PATIENT_SEX,
    tags.PATIENT_AGE,
    tags.STUDY_DATE,
    tags.STUDY_TIME,
    tags.ACCESSION_NUMBER,
    tags.STUDY_DESCRIPTION,
    tags.REFERRING_PHYSICIAN_NAME,
    tags.INSTITUTION_NAME,
    tags.STUDY_ID,
)
_SERIES_TAGS = (
    tags.SERIES_INSTANCE_UID,
    tags.MODALITY,
    tags.SERIES_NUMBER,
    tags.SERIES_DESCRIPTION,
    tags.BODY_PART_EXAMINED,
    tags.LATERALITY,
    tags.PROTOCOL_NAME,
)


@lru_cache(maxsize=64)
def _study(raws: tuple[bytes, ...], charsets: tuple[str, ...], fallback: str) -> tuple[StudyAttributes, tuple[str, ...]]:
    dataset = RawDataset(dict(zip(_STUDY_TAGS, raws, strict=True)), True, charsets)
    mended: list[str] = []
    name, codec = person_name(dataset.raw(tags.PATIENT_NAME), charsets)
    physician, _ = person_name(dataset.raw(tags.REFERRING_PHYSICIAN_NAME), charsets)
    if codec:
        mended.append(codec)
    patient = Patient(
        text(dataset, tags.PATIENT_ID, mended),
        text(dataset, tags.ISSUER_OF_PATIENT_ID, mended),
        name,
        _date(dataset, tags.PATIENT_BIRTH_DATE),
        code(dataset, tags.PATIENT_SEX)[:1].upper(),
    )
    uid = code(dataset, tags.STUDY_INSTANCE_UID)
    if not uid:
        uid = uid_for("study", patient.patient_id, name.display(), _date(dataset, tags.STUDY_DATE), fallback)
    found = StudyAttributes(
        uid,
        patient,
        _datetime(dataset, tags.STUDY_DATE, tags.STUDY_TIME),
        text(dataset, tags.ACCESSION_NUMBER, mended),
        text(dataset, tags.STUDY_DESCRIPTION, mended),
        physician.display(),
        text(dataset, tags.INSTITUTION_NAME, mended),
        text(dataset, tags.STUDY_ID, mended),
        code(dataset, tags.PATIENT_AGE),
    )
    return found, tuple(mended)


@lru_cache(maxsize=128)
def _series(raws: tuple[bytes, ...], charsets: tuple[str, ...], study_uid: str) -> tuple[SeriesAttributes, tuple[str, ...]]:
    dataset = RawDataset(dict(zip(_SERIES_TAGS, raws, strict=True)), True, charsets)
    mended: list[str] = []
    modality = code(dataset, tags.MODALITY).upper()
    uid = code(dataset, tags.SERIES_INSTANCE_UID)
    number_ = integer(dataset, tags.SERIES_NUMBER)
    found = SeriesAttributes(
        uid or uid_for("series", study_uid, modality, str(number_)),
        modality or "OT",
        number_,
        text(dataset, tags.SERIES_DESCRIPTION, mended),
        code(dataset, tags.BODY_PART_EXAMINED),
        code(dataset, tags.LATERALITY),
        text(dataset, tags.PROTOCOL_NAME, mended),
    )
    return found, tuple(mended)


def _date(dataset: RawDataset, tag: int) -> str:
    """YYYYMMDD; ACR-NEMA's YYYY.MM.DD is taken too."""
    value = code(dataset, tag).replace(".", "").replace("-", "")
    return value if len(value) == 8 and value.isdigit() else ""


def _datetime(dataset: RawDataset, date_tag: int, time_tag: int) -> str:
    return date_and_time(_date(dataset, date_tag), code(dataset, time_tag))


def date_and_time(date: str, time: str) -> str:
    """YYYYMMDD and TM to one DT of whole seconds; empty without a date."""
    time = time.split("\\")[0].strip().replace(":", "").split(".")[0]
    return date + (time[:6] if time.isdigit() else "") if date else ""


_VIEWS = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399348003": "AP",
    "R-10206": "AP",
    "399348003+": "AP",
    "399173006": "LL",
    "R-10236": "LL",
    "399198007": "RL",
    "R-10232": "RL",
    "272479007": "PA",
    "R-10214": "PA",
}
"""CID 4010 and 4014 (SCT, SRT) to the short forms of View Position."""


def _view(dataset: RawDataset) -> str:
    plain = code(dataset, tags.VIEW_POSITION).upper()
    if plain:
        return plain
    item = dataset.first(tags.VIEW_CODE_SEQUENCE)
    return _VIEWS.get(code(item, tags.CODE_VALUE), "") if item is not None else ""


def build_header(raw: RawFile, locator: str, size: int, repairs: list[Problem]) -> FileHeader:
    """Raises ``ProblemError`` when the object cannot be shown or listed at all."""
    d = raw.dataset
    get = d.values.get
    study, mended = _study(tuple(_bytes(get(t)) for t in _STUDY_TAGS), d.charsets, "")
    series, more = _series(tuple(_bytes(get(t)) for t in _SERIES_TAGS), d.charsets, study.study_instance_uid)
    if mended or more:
        repairs.append(repaired("dicom.repaired.charset", codec=(mended or more)[0]))
    sop_class = code(d, tags.SOP_CLASS_UID) or code(d, tags.MEDIA_STORAGE_SOP_CLASS_UID)
    sop_instance = code(d, tags.SOP_INSTANCE_UID) or code(d, tags.MEDIA_STORAGE_SOP_INSTANCE_UID)
    if not code(d, tags.STUDY_INSTANCE_UID) or not code(d, tags.SERIES_INSTANCE_UID) or not sop_instance:
        repairs.append(repaired("dicom.repaired.uids"))
    if not sop_instance:
        sop_instance = uid_for("instance", series.series_instance_uid, locator.rsplit("/", 1)[-1], str(size))
    pixel_format = pixel_format_of(raw, repairs)
    native = raw.pixel is not None and raw.pixel.length is not None and raw.inflated is None
    if pixel_format is not None and raw.pixel is not None:
        pixel_format = checked_length(raw, pixel_format, repairs)
    frames: tuple[FrameHeader, ...] = ()
    if pixel_format is not None:
        build = enhanced_frames if d.items(tags.PER_FRAME_FUNCTIONAL_GROUPS) else classic_frames
        if is_nm(d, series.modality, pixel_format.frames):
            build = nm_frames
        frames = build(
            d,
            series.modality,
            pixel_format.rows,
            pixel_format.columns,
            pixel_format.frames,
            pixel_format.signed,
            repairs,
        )
    signed = pixel_format.signed if pixel_format else False
    imager = numbers(d, tags.IMAGER_PIXEL_SPACING) or numbers(d, tags.IMAGE_PLANE_PIXEL_SPACING)
    spacing = numbers(d, tags.PIXEL_SPACING) or _shared_spacing(d)
    aspect = numbers(d, tags.PIXEL_ASPECT_RATIO)
    acquired = code(d, tags.ACQUISITION_DATETIME) or _datetime(d, tags.ACQUISITION_DATE, tags.ACQUISITION_TIME)
    instance = Instance(
        sop_instance_uid=sop_instance,
        sop_class_uid=sop_class or (SECONDARY_CAPTURE if pixel_format else ""),
        transfer_syntax_uid=raw.transfer_syntax_uid,
        locator=locator,
        size_bytes=size,
        instance_number=integer(d, tags.INSTANCE_NUMBER),
        pixel_format=pixel_format,
        pixel_data_offset=raw.pixel.offset if native and raw.pixel else None,
        pixel_data_length=raw.pixel.length if native and raw.pixel else None,
        frames=frames,
        image_type=codes(d, tags.IMAGE_TYPE),
        laterality=code(d, tags.IMAGE_LATERALITY).upper() or series.laterality.upper(),
        view_position=_view(d),
        patient_orientation=codes(d, tags.PATIENT_ORIENTATION),
        body_part_examined=series.body_part_examined,
        acquisition_number=integer(d, tags.ACQUISITION_NUMBER),
        acquisition_datetime=acquired,
        content_datetime=_datetime(d, tags.CONTENT_DATE, tags.CONTENT_TIME),
        slice_thickness_mm=number(d, tags.SLICE_THICKNESS),
        slice_location_mm=number(d, tags.SLICE_LOCATION),
        imager_pixel_spacing_mm=_pair(imager),
        pixel_spacing_mm=_pair(spacing),
        pixel_spacing_calibrated=bool(d.raw(tags.PIXEL_SPACING_CALIBRATION_TYPE)),
        pixel_aspect_ratio=_pair(aspect),
        gantry_tilt_deg=number(d, tags.GANTRY_DETECTOR_TILT),
        kvp=number(d, tags.KVP),
        exposure_mas=number(d, tags.EXPOSURE),
        convolution_kernel=text(d, tags.CONVOLUTION_KERNEL),
        contrast_agent=text(d, tags.CONTRAST_BOLUS_AGENT),
        echo_time_ms=number(d, tags.ECHO_TIME),
        b_value=b_value_of(d, series.modality),
        padding_value=us_or_ss(d, tags.PIXEL_PADDING_VALUE, signed),
        padding_range_limit=us_or_ss(d, tags.PIXEL_PADDING_RANGE_LIMIT, signed),
        lossy=_is_lossy(d, raw.transfer_syntax_uid),
        lossy_ratio=code(d, tags.LOSSY_IMAGE_COMPRESSION_RATIO),
        burned_in_annotation=code(d, tags.BURNED_IN_ANNOTATION).upper(),
        presentation_intent_type=code(d, tags.PRESENTATION_INTENT_TYPE).upper(),
        recommended_frame_rate=_frame_rate(d),
        frame_of_reference_uid=code(d, tags.FRAME_OF_REFERENCE_UID),
        concatenation_uid=code(d, tags.CONCATENATION_UID),
        concatenation_number=unsigned(d, tags.IN_CONCATENATION_NUMBER),
        document_title=_title(d),
        manufacturer=text(d, tags.MANUFACTURER),
        repairs=tuple(repairs),
        extra=_extra(d),
    )
    return FileHeader(instance, series, study)


def _shared_spacing(d: RawDataset) -> tuple[float, ...]:
    """Of an enhanced object whose frames have no place in the patient: its Pixel Measures still hold."""
    shared = d.first(tags.SHARED_FUNCTIONAL_GROUPS)
    measures = shared.first(tags.PIXEL_MEASURES_SEQUENCE) if shared is not None else None
    return numbers(measures, tags.PIXEL_SPACING) if measures is not None else ()


def _bytes(value: object) -> bytes:
    return value if type(value) is bytes else b""


def _pair(values: tuple[float, ...]) -> tuple[float, float] | None:
    return (values[0], values[1]) if len(values) >= 2 and values[0] > 0 and values[1] > 0 else None


def _is_lossy(d: RawDataset, syntax_uid: str) -> bool:
    if code(d, tags.LOSSY_IMAGE_COMPRESSION) == "01":
        return True
    syntax = syntax_of(syntax_uid)
    # JPEG 2000 (.91, .93, .203) may hold reversible streams: there only the attribute decides.
    return bool(syntax and syntax.lossy and syntax.codec not in ("jpeg2000", "htj2k", "jpegxl"))


def _frame_rate(d: RawDataset) -> float | None:
    rate = number(d, tags.RECOMMENDED_DISPLAY_FRAME_RATE) or number(d, tags.CINE_RATE)
    if rate and rate > 0:
        return rate
    time_ms = number(d, tags.FRAME_TIME)
    if time_ms and time_ms > 0:
        return 1000.0 / time_ms
    steps = [v for v in numbers(d, tags.FRAME_TIME_VECTOR)[1:] if v > 0]
    return 1000.0 * len(steps) / sum(steps) if steps else None


def _title(d: RawDataset) -> str:
    plain = text(d, tags.DOCUMENT_TITLE) or text(d, tags.CONTENT_LABEL)
    if plain:
        return plain
    item = d.first(tags.CONCEPT_NAME_CODE_SEQUENCE)
    return text(item, tags.CODE_MEANING) if item is not None else ""


_EXTRA = (
    (tags.MODEL_NAME, "manufacturer_model_name"),
    (tags.REPETITION_TIME, "repetition_time"),
    (tags.SPACING_BETWEEN_SLICES, "spacing_between_slices"),
    (tags.PATIENT_WEIGHT, "patient_weight"),
    (tags.PATIENT_SIZE, "patient_size"),
    (tags.TIMEZONE_OFFSET, "timezone_offset_from_utc"),
    (tags.ESTIMATED_MAGNIFICATION, "estimated_radiographic_magnification_factor"),
    (tags.DERIVATION_DESCRIPTION, "derivation_description"),
    (tags.TEMPORAL_POSITION_IDENTIFIER, "temporal_position_identifier"),
    (tags.UNITS, "units"),
)


def _extra(d: RawDataset) -> dict[str, str]:
    found = {name: text(d, tag) for tag, name in _EXTRA if tag in d.values}
    regions = [_region(item) for item in d.items(tags.SEQUENCE_OF_ULTRASOUND_REGIONS)]
    sid, sad = number(d, tags.RT_IMAGE_SID), number(d, tags.RADIATION_MACHINE_SAD)
    if sid and sad and sid > 0 and sad > 0:
        # An RT image lies in its own plane; at the axis of the machine everything is smaller by SAD / SID (C.8.8.2).
        found.setdefault("estimated_radiographic_magnification_factor", repr(sid / sad))
    vector = numbers(d, tags.FRAME_TIME_VECTOR)
    if len(vector) > 1:
        found["frame_time_vector"] = json.dumps(vector)
    playback = unsigned(d, tags.PREFERRED_PLAYBACK_SEQUENCING)
    if playback is not None:
        found["preferred_playback_sequencing"] = str(playback)
    if code(d, tags.MODALITY) in ("IO", "PX", "DX", "CR", "RG"):
        found |= dental_anatomy(d)
    for name, words in (("anatomy", anatomic_region(d)), ("view_modifiers", view_modifiers(d))):
        if words:
            found.setdefault(name, words)
    pet = pet_attributes(d)
    if pet:
        found["pet"] = json.dumps(pet)
    for name, attributes in (("shutter", shutter_attributes(d)), ("mask_subtraction", mask_attributes(d))):
        if attributes:
            found[name] = json.dumps(attributes)
    if regions:
        found["ultrasound_regions"] = json.dumps(regions)
    return found


def _region(item: RawDataset) -> dict[str, float | int | None]:
    """One calibrated region (PS3.3 C.8.5.5): bounds in pixels, physical step per pixel, unit codes (3 = cm)."""
    return {
        "x0": unsigned(item, 0x00186018),
        "y0": unsigned(item, 0x0018601A),
        "x1": unsigned(item, 0x0018601C),
        "y1": unsigned(item, 0x0018601E),
        "spatial_format": unsigned(item, 0x00186012),
        "units_x": unsigned(item, 0x00186024),
        "units_y": unsigned(item, 0x00186026),
        "delta_x": double(item, 0x0018602C),
        "delta_y": double(item, 0x0018602E),
        "flags": unsigned(item, 0x00186016),
        "reference_x": us_or_ss(item, 0x00186020, True),
        "reference_y": us_or_ss(item, 0x00186022, True),
        "value_x": double(item, 0x00186028),
        "value_y": double(item, 0x0018602A),
    }
