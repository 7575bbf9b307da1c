"""Measured values: number, unit, and what was measured. Never a grey level, never millimetres without calibration."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.geometry import Point3


@dataclass(frozen=True)
class Code:
    """A coded concept (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        if not (self.value and self.scheme and self.meaning):
            raise ValueError("a code needs value, scheme and meaning")


class Quantity(StrEnum):
    LENGTH = "length"
    LONG_AXIS = "long_axis"
    SHORT_AXIS = "short_axis"
    MEAN_DIAMETER = "mean_diameter"
    ANGLE = "angle"
    AREA = "area"
    VOLUME = "volume"
    VALUE = "value"
    MEAN = "mean"
    STANDARD_DEVIATION = "standard_deviation"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    COUNT = "count"
    RATIO = "ratio"
    """Cardiothoracic ratio, in per cent."""
    HEART_WIDTH = "heart_width"
    THORAX_WIDTH = "thorax_width"
    FIRST_LENGTH = "first_length"
    """Of a pair, in the order in which they were drawn: no side is claimed."""
    SECOND_LENGTH = "second_length"
    DIFFERENCE = "difference"
    TIME = "time"
    """Between two points of a time curve or an M-mode picture."""
    DEPTH = "depth"
    VELOCITY = "velocity"
    FREQUENCY = "frequency"
    DOSE = "dose"
    """Absorbed dose at a point of a radiotherapy plan: Gy, or % of what the plan refers to."""
    OVERLAY_VALUE = "overlay_value"
    """Of a map, or of other images, that lie over the image, in their own unit."""
    OVERLAY_MEAN = "overlay_mean"
    OVERLAY_STANDARD_DEVIATION = "overlay_standard_deviation"
    OVERLAY_MINIMUM = "overlay_minimum"
    OVERLAY_MAXIMUM = "overlay_maximum"


@dataclass(frozen=True)
class Measurement:
    quantity: Quantity
    value: float
    unit: str
    """UCUM: mm, mm2, mm3, deg, [hnsf'U], {SUVbw}g/ml, px, 1."""
    calibrated: bool = True
    """False when the unit is px because the image says nothing reliable about millimetres."""
    of: str = ""
    """Which other images the value is of: their modality, or their series' number; empty for the image itself."""


class MarkShape(StrEnum):
    POINT = "point"
    LENGTH = "length"
    BIDIRECTIONAL = "bidirectional"
    ANGLE = "angle"
    ELLIPSE = "ellipse"
    RECTANGLE = "rectangle"
    POLYGON = "polygon"
    ARROW = "arrow"
    FREEHAND = "freehand"
    COBB = "cobb"
    CARDIOTHORACIC = "cardiothoracic"
    LEG_LENGTH = "leg_length"
    TEXT = "text"
    SPINE = "spine"
    TOOTH = "tooth"
    CURVE = "curve"
    """Points of a spline that a reformat follows."""
    MASK = "mask"
    """Painted or grown voxels; the placement is their middle."""
    KEY_IMAGE = "key_image"
    """The star of an image, not a drawing."""


@dataclass(frozen=True)
class Placement:
    """Where something lies. Patient millimetres when the image has a position, ``image_px`` always for 2-D images.

    ``points_px`` are (x, y) in the corner-origin image system of ``sop_instance_uid`` / ``frame``;
    ``points_mm`` the same points in LPS. For a rectangle or ellipse the points are two opposite corners of its box;
    of an ellipse that was turned the ends of one axis, then of the other.
    """

    sop_instance_uid: str = ""
    frame: int = 0
    points_px: tuple[tuple[float, float], ...] = ()
    points_mm: tuple[Point3, ...] = ()
    frame_of_reference_uid: str = ""
    axes_mm: tuple[Point3, ...] = ()
    """Drawn on a reformat: unit directions of the rows and the columns of its plane (LPS), along which the sides of a box
    run. Its values were taken from interpolated pixels. Empty for a drawing on an acquired image."""

    def __post_init__(self) -> None:
        if not (self.points_px or self.points_mm):
            raise ValueError("a placement needs points")


@dataclass(frozen=True)
class Annotation:
    """A drawn measurement that belongs to a study; immutable, replaced by a new version when edited."""

    annotation_id: str
    """Own UID (2.25.): the tracking unique identifier."""
    shape: MarkShape
    placement: Placement
    measurements: tuple[Measurement, ...] = ()
    text: str = ""
