"""What other systems saved over images: segments, maps, structures. Plain data, no findings of this programme."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.finding import SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.problem import Problem

Rgb = tuple[int, int, int]


class OverlayKind(StrEnum):
    SEGMENTATION = "segmentation"
    MAP = "map"
    STRUCTURES = "structures"


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed planar contour (or a single point, or an open line) in LPS mm."""

    points_mm: npt.NDArray[np.float64]
    """(n, 3)."""
    closed: bool = True


@dataclass(frozen=True, eq=False)
class Fraction:
    """How much of each voxel belongs to a segment, or how likely it does: 0..1."""

    values: npt.NDArray[np.float16]
    """``[k, j, i]`` on ``geometry``, or (rows, columns) over the whole source image."""
    geometry: VolumeGeometry | None = None
    sop_instance_uid: str = ""


@dataclass(frozen=True, eq=False)
class OverlayPart:
    """A segment or a structure."""

    number: int
    label: str
    meaning: str
    rgb: Rgb
    masks: tuple[SegmentMask, ...] = ()
    contours: tuple[Contour, ...] = ()
    fractions: tuple[Fraction, ...] = ()
    """Instead of masks, where the object tells more than yes and no."""


@dataclass(frozen=True, eq=False)
class ValueMap:
    """A map of real values on its absolute scale ``low``..``high`` in ``unit``."""

    values: npt.NDArray[np.float32]
    """``[k, j, i]`` on ``geometry``, or (rows, columns) over the whole source image; NaN where there is no value."""
    geometry: VolumeGeometry | None
    sop_instance_uid: str
    low: float
    high: float
    unit: str
    quantity: str


@dataclass(frozen=True, eq=False)
class SavedOverlay:
    sop_instance_uid: str
    kind: OverlayKind
    title: str
    parts: tuple[OverlayPart, ...] = ()
    value_map: ValueMap | None = None
    frame_of_reference_uid: str = ""
    source_sop_instance_uids: tuple[str, ...] = ()
    fractional: bool = False
    """The parts are fractions; a remark says of what."""
    remarks: tuple[Problem, ...] = ()


class ShapeKind(StrEnum):
    POINTS = "points"
    LINE = "line"
    OUTLINE = "outline"
    CIRCLE = "circle"
    """Centre and a point on it."""
    ELLIPSE = "ellipse"
    """Ends of the major axis, then of the minor one."""
    ELLIPSOID = "ellipsoid"
    """Ends of three axes, in pairs; in the patient only."""
    IMAGE = "image"
    """The whole image: somebody chose it as a key image."""


@dataclass(frozen=True)
class PlacedShape:
    """What a report of any maker places on an image (``points_px``) or in the patient (``points_mm``)."""

    kind: ShapeKind
    words: tuple[str, ...] = ()
    """The report's own meanings: what it is, then its numbers."""
    points_px: tuple[tuple[float, float], ...] = ()
    """Corner origin, on ``sop_instance_uid`` and ``frame``."""
    sop_instance_uid: str = ""
    frame: int = 0
    points_mm: tuple[tuple[float, float, float], ...] = ()
    frame_of_reference_uid: str = ""
