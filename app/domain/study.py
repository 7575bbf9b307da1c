"""Patient, study, series, instance and display set, as read from headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.geometry import PlaneGeometry
from app.domain.pixels import ModalityTransform, PixelFormat, VoiWindow
from app.domain.problem import Problem


@dataclass(frozen=True)
class PersonName:
    """PN with its three component groups (PS3.5 6.2.1.1), each ``family^given^middle^prefix^suffix``."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""

    def display(self) -> str:
        """Family, given, middle in reading order; the ideographic group wins where there is no alphabetic one."""
        text = self.alphabetic or self.ideographic or self.phonetic
        return " ".join(part for part in text.split("^")[:3] if part)


@dataclass(frozen=True)
class Patient:
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    name: PersonName = PersonName()
    birth_date: str = ""
    """YYYYMMDD or empty."""
    sex: str = ""
    """M, F, O or empty."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What must agree before two objects may be shown as one person."""
        return (self.issuer_of_patient_id, self.patient_id, self.name.display().casefold(), self.birth_date)


@dataclass(frozen=True)
class FrameHeader:
    """What differs from frame to frame of a multi-frame object; also the single frame of a classic one."""

    plane: PlaneGeometry | None = None
    modality_transform: ModalityTransform = ModalityTransform()
    windows: tuple[VoiWindow, ...] = ()
    dimension_index: tuple[int, ...] = ()
    temporal_position: float | None = None
    stack_id: str = ""
    b_value: float | None = None
    """Of this frame of an enhanced MR, s/mm2."""
    echo_time_ms: float | None = None
    cardiac: tuple[float, str] | None = None
    """Nominal place in the heart's cycle: (number, "ms" after the R wave or "%" of the interval)."""


@dataclass(frozen=True)
class Instance:
    """The header of one SOP instance: what hanging, geometry and the second readers ask for, no pixels."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    locator: str
    """Where the bytes are, understood by a ``ByteSource``: ``file:/...``, ``zip:/....zip!member``, ``object:<name>``."""
    size_bytes: int = 0
    sha256: str = ""
    """Of the file's bytes; filled at import, empty after a mere scan."""
    instance_number: int | None = None
    pixel_format: PixelFormat | None = None
    """None for objects without pixels (SR, PR, KO, encapsulated documents...)."""
    pixel_data_offset: int | None = None
    """File offset of the value of the pixel element when it is native and stored plainly."""
    pixel_data_length: int | None = None
    frames: tuple[FrameHeader, ...] = ()
    """One per frame; empty for objects without pixels."""
    image_type: tuple[str, ...] = ()
    laterality: str = ""
    """Image Laterality or Laterality: R, L, B, U or empty."""
    view_position: str = ""
    """View Position or the short form of the View Code Sequence (CC, MLO, PA, AP, LL...)."""
    patient_orientation: tuple[str, ...] = ()
    body_part_examined: str = ""
    acquisition_number: int | None = None
    acquisition_datetime: str = ""
    content_datetime: str = ""
    slice_thickness_mm: float | None = None
    slice_location_mm: float | None = None
    imager_pixel_spacing_mm: tuple[float, float] | None = None
    """(row, column) at the detector; not a patient measure without a stated magnification."""
    pixel_spacing_mm: tuple[float, float] | None = None
    """(row, column) for planes without a position (projection, dental)."""
    pixel_spacing_calibrated: bool = False
    pixel_aspect_ratio: tuple[float, float] | None = None
    gantry_tilt_deg: float | None = None
    kvp: float | None = None
    exposure_mas: float | None = None
    convolution_kernel: str = ""
    contrast_agent: str = ""
    echo_time_ms: float | None = None
    b_value: float | None = None
    padding_value: int | None = None
    padding_range_limit: int | None = None
    lossy: bool = False
    lossy_ratio: str = ""
    burned_in_annotation: str = ""
    presentation_intent_type: str = ""
    recommended_frame_rate: float | None = None
    frame_of_reference_uid: str = ""
    concatenation_uid: str = ""
    """Of the multi-frame object that this one is a piece of (PS3.3 C.7.6.16.2.2.4)."""
    concatenation_number: int | None = None
    """Which piece, from 1."""
    document_title: str = ""
    manufacturer: str = ""
    repairs: tuple[Problem, ...] = ()
    """What had to be mended to read it; shown with the image."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further keywords as text, for hanging rules and the corner texts."""


@dataclass(frozen=True)
class Series:
    series_instance_uid: str
    modality: str
    instances: tuple[Instance, ...]
    series_number: int | None = None
    description: str = ""
    body_part_examined: str = ""
    laterality: str = ""
    protocol_name: str = ""


@dataclass(frozen=True)
class Study:
    study_instance_uid: str
    patient: Patient
    series: tuple[Series, ...]
    study_datetime: str = ""
    """DT: YYYYMMDDHHMMSS, as much as is known."""
    accession_number: str = ""
    description: str = ""
    referring_physician: str = ""
    institution: str = ""
    study_id: str = ""
    patient_age: str = ""
    """AS as sent, e.g. 064Y."""

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(sorted({s.modality for s in self.series}))

    def instance_count(self) -> int:
        return sum(len(s.instances) for s in self.series)


@dataclass(frozen=True)
class RefusedFile:
    """A file that could not be opened, named with its reason; never skipped in silence."""

    path: str
    problem: Problem
    sop_instance_uid: str = ""
    transfer_syntax_uid: str = ""


class DisplaySetKind(StrEnum):
    STACK = "stack"
    """Frames with positions, scrolled as slices; may become a volume."""
    IMAGES = "images"
    """Single pictures without a common geometry (films, views)."""
    CINE = "cine"
    """Frames in time."""
    DOCUMENT = "document"
    """Encapsulated documents and structured reports."""
    DERIVED = "derived"
    """SEG, PR, KO, parametric map, RT: shown over or with other images."""


@dataclass(frozen=True)
class FrameRef:
    sop_instance_uid: str
    frame: int = 0
    """Zero-based."""


@dataclass(frozen=True)
class Moment:
    """One moment of several at the same places: the display sets of a group are one 4D series."""

    group: str
    number: int
    """From 1, in the order of time."""
    count: int
    label: str = ""
    """What the whole group is called."""
    value: str = ""
    """What tells this moment: "40 %", "33 ms", "T3"."""


@dataclass(frozen=True)
class DisplaySet:
    """Frames that are shown together, and why they were split from the rest of the series."""

    display_set_id: str
    """Stable across restarts: series UID plus the split key."""
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    kind: DisplaySetKind
    frames: tuple[FrameRef, ...]
    """In display order: by position for stacks, by instance and frame number otherwise."""
    label: str = ""
    split_reason: Problem | None = None
    remarks: tuple[Problem, ...] = ()
    """Missing or duplicate slices, unequal spacing, tilt: shown on the strip and in the pane."""
    moment: Moment | None = None
    """Of a 4D series; None for a set that stands alone."""
