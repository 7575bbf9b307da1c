"""How somebody saved the look of an image: a softcopy presentation state (PS3.3 C.10, C.11, A.33), as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.pixels import Lut, ModalityTransform, VoiWindow
from app.domain.problem import Problem


class PresentationKind(StrEnum):
    GREYSCALE = "greyscale"
    COLOUR = "colour"
    PSEUDO_COLOUR = "pseudo_colour"


class AreaMode(StrEnum):
    """Presentation Size Mode (0070,0100)."""

    FIT = "SCALE TO FIT"
    TRUE_SIZE = "TRUE SIZE"
    MAGNIFY = "MAGNIFY"


class Units(StrEnum):
    """Annotation units: of the image, or of the displayed area."""

    PIXEL = "PIXEL"
    DISPLAY = "DISPLAY"


@dataclass(frozen=True)
class ImageScope:
    """Which frames something applies to. Empty: all that the state refers to."""

    frames: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """(SOP Instance UID, zero-based frames; empty for all of them)."""

    def covers(self, sop_instance_uid: str, frame: int) -> bool:
        if not self.frames:
            return True
        return any(uid == sop_instance_uid and (not own or frame in own) for uid, own in self.frames)


@dataclass(frozen=True)
class DisplayedArea:
    """Image px, corner origin: (x0, y0, x1, y1) of the pixels that are to be seen."""

    scope: ImageScope
    box_px: tuple[float, float, float, float]
    mode: AreaMode
    magnification: float = 1.0
    """Screen pixels per image pixel (MAGNIFY)."""
    spacing_mm: tuple[float, float] | None = None
    """(row, column) as the state gives it."""
    aspect: tuple[float, float] | None = None
    """(vertical, horizontal) pixel aspect ratio."""


@dataclass(frozen=True)
class SavedGraphic:
    kind: str
    """POINT, POLYLINE, INTERPOLATED, CIRCLE or ELLIPSE (C.10.5.1.2)."""
    points: tuple[Point2, ...]
    units: Units
    filled: bool = False
    rgb: tuple[int, int, int] | None = None
    """Of its own line style."""


@dataclass(frozen=True)
class Tick:
    """On a ruler or an axis: 0 is its first point, 1 its last."""

    position: float
    label: str = ""


@dataclass(frozen=True)
class CompoundGraphic:
    """A shape that the displaying system draws in its own way (PS3.3 C.10.5.1.3)."""

    kind: str
    """MULTILINE, INFINITELINE, CUTLINE, RANGELINE, RULER, AXIS, CROSSHAIR, ARROW, RECTANGLE or ELLIPSE."""
    points: tuple[Point2, ...]
    units: Units
    filled: bool = False
    rotation_deg: float = 0.0
    """Counterclockwise as seen, around ``rotation_point``."""
    rotation_point: Point2 | None = None
    gap: float = 0.0
    """Diameter of what stays free around the rotation point, in parts of the display."""
    diameter: float = 0.0
    """Of what a crosshair covers, in parts of the display; 0: all of it."""
    ticks: tuple[Tick, ...] = ()
    tick_side: str = "CENTER"
    """TOP, CENTER or BOTTOM of a line that runs from left to right."""
    label_side: str = "BOTTOM"
    show_labels: bool = True
    rgb: tuple[int, int, int] | None = None
    dashed: bool = False


@dataclass(frozen=True)
class SavedText:
    text: str
    units: Units
    box: tuple[float, float, float, float] | None = None
    """Top left and bottom right as displayed."""
    anchor: Point2 | None = None
    anchor_units: Units = Units.PIXEL
    anchor_visible: bool = False
    justification: str = "LEFT"


@dataclass(frozen=True)
class SavedAnnotation:
    layer: str
    scope: ImageScope
    graphics: tuple[SavedGraphic, ...] = ()
    texts: tuple[SavedText, ...] = ()
    compounds: tuple[CompoundGraphic, ...] = ()


@dataclass(frozen=True)
class GraphicLayer:
    name: str
    order: int
    description: str = ""
    rgb: tuple[int, int, int] | None = None
    """Recommended colour, where one is stated."""


@dataclass(frozen=True)
class SavedVoi:
    scope: ImageScope
    window: VoiWindow | None = None
    lut: Lut | None = None


@dataclass(frozen=True, eq=False)
class Shutter:
    """What is covered (C.7.6.11, C.7.6.15). Coordinates in image px, corner origin."""

    rectangle: tuple[float, float, float, float] | None = None
    circle: tuple[float, float, float] | None = None
    """(x, y, radius)."""
    polygon: tuple[Point2, ...] = ()
    bitmap: npt.NDArray[np.bool_] | None = None
    """True where the image is covered; (rows, columns)."""
    grey: int = 0
    """0..255, from Shutter Presentation Value (a P-value)."""


@dataclass(frozen=True, eq=False)
class PresentationState:
    sop_instance_uid: str
    kind: PresentationKind
    patient_id: str
    patient_name: str
    study_instance_uid: str
    label: str
    description: str
    creator: str
    created: str
    """YYYYMMDDHHMMSS as far as it is stated."""
    images: ImageScope
    rotation_deg: int = 0
    """Clockwise; acts before the flip (C.10.6)."""
    flip: bool = False
    modality: ModalityTransform | None = None
    vois: tuple[SavedVoi, ...] = ()
    inverse: bool | None = None
    """Presentation LUT Shape; None for colour."""
    presentation_lut: Lut | None = None
    palette: npt.NDArray[np.uint8] | None = None
    """(n, 3) RGB of a pseudo-colour state; its first entry is the lowest grey level, its last the highest."""
    areas: tuple[DisplayedArea, ...] = ()
    layers: tuple[GraphicLayer, ...] = ()
    annotations: tuple[SavedAnnotation, ...] = ()
    shutter: Shutter | None = None
    overlay_groups: tuple[int, ...] = ()
    """Groups 60xx of the images' own overlays that are switched on."""
    overlays: tuple[npt.NDArray[np.bool_], ...] = ()
    """Overlay planes that the state itself brings."""
    remarks: tuple[Problem, ...] = ()
    """What it asks for and is not shown."""

    def covers(self, sop_instance_uid: str, frame: int) -> bool:
        return any(uid == sop_instance_uid and (not own or frame in own) for uid, own in self.images.frames)

    def voi(self, sop_instance_uid: str, frame: int) -> SavedVoi | None:
        return next((v for v in self.vois if v.scope.covers(sop_instance_uid, frame)), None)

    def area(self, sop_instance_uid: str, frame: int) -> DisplayedArea | None:
        return next((a for a in self.areas if a.scope.covers(sop_instance_uid, frame)), None)

    def shown_annotations(self, sop_instance_uid: str, frame: int) -> tuple[SavedAnnotation, ...]:
        """In the order of their layers, the lowest first."""
        order = {layer.name: layer.order for layer in self.layers}
        found = [a for a in self.annotations if a.scope.covers(sop_instance_uid, frame)]
        return tuple(sorted(found, key=lambda a: order.get(a.layer, 0)))
