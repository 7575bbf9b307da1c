"""What a gesture asks for. Tools return edits; the session turns them into commands with undo. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.geometry import Point2, Point3
from app.domain.measurement import Annotation, Measurement
from app.domain.pixels import VoiWindow
from app.viewer.view_state import Appearance, ViewState


@dataclass(frozen=True)
class SetView:
    view: ViewState


@dataclass(frozen=True)
class SetAppearance:
    """Of the pane's image layer."""

    appearance: Appearance


@dataclass(frozen=True)
class SetOverWindow:
    """Of the images that lie over the pane's own, in the values that they store."""

    window: VoiWindow


@dataclass(frozen=True)
class PutAnnotation:
    """A new annotation or a new version of one (same id). ``provisional`` while the mouse is still down: not saved."""

    annotation: Annotation
    provisional: bool = False


@dataclass(frozen=True)
class RemoveAnnotation:
    annotation_id: str


@dataclass(frozen=True)
class SelectAnnotation:
    """``""`` selects nothing."""

    annotation_id: str


@dataclass(frozen=True)
class ShowProbe:
    """The value under the pointer: pane position, image px, patient position when known, measurements."""

    pane: tuple[float, float]
    image_px: tuple[float, float]
    point_mm: Point3 | None
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True)
class HideProbe:
    pass


@dataclass(frozen=True)
class SetPoint:
    """The crosshair: linked views go to this patient position."""

    point_mm: Point3


@dataclass(frozen=True)
class ShowBand:
    """The box being dragged, two corners in pane px; ``None``: take it away."""

    box: tuple[Point2, Point2] | None


@dataclass(frozen=True)
class ShowLens:
    """The magnifying glass at a pane position; ``None``: put it away."""

    at: Point2 | None


@dataclass(frozen=True)
class AskText:
    """A written mark waits for its words; ``annotation`` is provisional until they come. ``at``: pane px."""

    annotation: Annotation
    at: Point2
    suggestion: str = ""


@dataclass(frozen=True)
class OpenCurve:
    """A finished curve: the reformat along it is wanted beside."""

    annotation_id: str


@dataclass(frozen=True)
class GrowMask:
    """Voxels connected to the seed whose values are like the seed's surroundings."""

    seed_px: Point2
    spreads: float = 3.0
    """How unlike they may be, in spreads of the surroundings; 0: a preview is given up."""
    preview: bool = False
    """Shown only: the button is still down."""


@dataclass(frozen=True)
class BrushMask:
    """A ball of voxels around each point, limited to values like those under the first; ``erase`` takes away."""

    points_px: tuple[Point2, ...]
    radius_mm: float
    erase: bool = False
    last: bool = False
    """The button was let go: measured and saved now."""
    radius_px: float = 0.0
    """The same radius in px of the image (of the finer side), for images without millimetres."""


@dataclass(frozen=True)
class SetViews:
    """Of other panes, by their ids: planes that were carried along."""

    views: Mapping[str, ViewState] = field(default_factory=dict)


@dataclass(frozen=True)
class StepSlab:
    """So many steps thicker (or thinner, below zero)."""

    steps: int


@dataclass(frozen=True)
class ShowSection:
    """The cross-section at this column (image px) of a picture laid flat along a curve."""

    at_px: float


Edit = (
    SetView | SetAppearance | PutAnnotation | RemoveAnnotation | SelectAnnotation | ShowProbe | HideProbe | SetPoint
    | SetOverWindow | ShowBand | ShowLens | AskText | GrowMask | BrushMask | OpenCurve
    | SetViews | StepSlab | ShowSection
)  # fmt: skip
Edits = tuple[Edit, ...]
