"""What was found: by the reader (a mark) or by a second reader. One owner; overlay, list and report line derive from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.measurement import Code, MarkShape, Measurement, Placement
from app.domain.problem import Problem
from app.domain.teeth import NumberedTooth

ASYMMETRY = "asymmetry"
"""Attribute of a mark on a mammogram: how far its place outshines the same place of the other breast, in robust standard
deviations of the view."""
SUSPICION = "malignancy_estimate"
"""Attribute of a lung nodule: how probably readers would call it malignant, 0 to 1."""
CALCIFICATIONS = "calcifications"
"""Attribute of a cluster on a mammogram: how many bright points of it stand clear of the noise."""


class Source(StrEnum):
    MINE = "mine"
    AI = "ai"


class Band(StrEnum):
    """By the operating points of the reader's card, never global."""

    LOW = "low"
    MID = "mid"
    HIGH = "high"


@dataclass(frozen=True)
class ReaderIdentity:
    """Which second reader said it; goes into every output."""

    name: str
    version: str
    package_sha256: str
    operating_point: str = ""
    engine: str = ""
    research_use_only: bool = True


@dataclass(frozen=True)
class Location:
    """Where a finding lies. Volumes: patient millimetres. Films: ``image_px`` of one image (corner origin)."""

    centre_lps_mm: Point3 | None = None
    box_lps_mm: tuple[Point3, Point3] | None = None
    """Two opposite corners of the axis-aligned box in LPS."""
    frame_of_reference_uid: str = ""
    sop_instance_uid: str = ""
    """The image that shows it best."""
    frame: int = 0
    centre_px: tuple[float, float] | None = None
    """(x, y) on ``sop_instance_uid``."""
    box_px: tuple[float, float, float, float] | None = None
    """(x0, y0, x1, y1) on ``sop_instance_uid``."""
    contour_px: tuple[tuple[float, float], ...] = ()
    """Outline on ``sop_instance_uid`` where there is one."""

    def __post_init__(self) -> None:
        if self.centre_lps_mm is None and self.centre_px is None:
            raise ValueError("a location needs a centre in the patient or on an image")


@dataclass(frozen=True)
class PackedMask:
    """Voxels that the reader painted or grew: small enough to be kept with the mark itself."""

    bits: bytes
    """zlib of ``numpy.packbits`` over the box in [k, j, i] order."""
    geometry: VolumeGeometry
    """Of the box."""
    display_set_id: str
    source_sop_instance_uids: tuple[str, ...] = ()
    """Of the slices that the box touches; empty when the volume was resampled."""
    grown: bool = False
    """A threshold helped (region growing); False: by the brush alone."""


@dataclass(frozen=True)
class Finding:
    finding_id: str
    """Own UID (2.25.), the tracking UID of every object written about it; deterministic for AI (see ``uid_for``)."""
    source: Source
    code: Code
    """What it is, e.g. (27925004, SCT, Nodule)."""
    location: Location
    measurements: tuple[Measurement, ...] = ()
    laterality: str = ""
    """R, L, B or empty."""
    region: str = ""
    """Message id of the anatomical region (``region.lung.left_upper``), FDI number, ASPECTS region..."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Message-id pairs such as ("composition", "solid")."""
    comment: str = ""
    confidence: int | None = None
    """The reader's own certainty 1 to 5."""
    shape: MarkShape = MarkShape.POINT
    placement: Placement | None = None
    """The reader's own drawing."""
    score: float | None = None
    """Raw output of the second reader."""
    probability: float | None = None
    """Calibrated; None when no calibration exists."""
    band: Band | None = None
    reader: ReaderIdentity | None = None
    source_sop_instance_uids: tuple[str, ...] = ()
    mask: PackedMask | None = None
    """The reader's own voxels."""

    def __post_init__(self) -> None:
        if self.source is Source.AI and self.reader is None:
            raise ValueError('"reader" is needed on a finding of a second reader')
        if self.probability is not None and not 0.0 <= self.probability <= 1.0:
            raise ValueError('"probability" must lie in 0..1')

    def measured(self, quantity: str) -> Measurement | None:
        return next((m for m in self.measurements if m.quantity == quantity), None)


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Probability on an absolute scale, 0 to 1, with its place. Never stretched to its own maximum."""

    code: Code
    values: npt.NDArray[np.float16]
    """Volumes ``[k, j, i]``; films ``[rows, columns]``."""
    geometry: VolumeGeometry | None = None
    """For volumes."""
    sop_instance_uid: str = ""
    """For films: the image it lies on; the array spans the whole image at its own resolution."""
    is_probability: bool = True
    """False for an activation map, labelled "attention, not location"."""


@dataclass(frozen=True, eq=False)
class SegmentMask:
    """One finding's mask on a grid of the source images (volume) or on an image."""

    finding_id: str
    values: npt.NDArray[np.bool_]
    geometry: VolumeGeometry | None = None
    sop_instance_uid: str = ""


class ReadState(StrEnum):
    """States of one reader's run, the words of the command line's JSON."""

    COMPLETED = "completed"
    OUT_OF_SCOPE = "out_of_scope"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, eq=False)
class ReadResult:
    """All that one second reader says about one study."""

    reader: ReaderIdentity
    study_instance_uid: str
    state: ReadState
    findings: tuple[Finding, ...] = ()
    heatmaps: tuple[Heatmap, ...] = ()
    masks: tuple[SegmentMask, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Why out of scope, failed or incomplete; remarks otherwise."""
    display_set_id: str = ""
    seconds: float = 0.0
    measurements: tuple[tuple[str, float, str], ...] = field(default_factory=tuple)
    """Study-level values (message id, value, unit), e.g. density per cent."""
    teeth: tuple[NumberedTooth, ...] = ()
    """Of dental films: every number with its place."""
