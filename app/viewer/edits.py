"""What a gesture asks for. Tools return edits; the session turns them into commands with undo. All frozen."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.geometry import Point3
from app.domain.measurement import Annotation, Measurement
from app.viewer.view_state import Appearance, ViewState


@dataclass(frozen=True)
class SetView:
    view: ViewState


@dataclass(frozen=True)
class SetAppearance:
    """Of the pane's image layer."""

    appearance: Appearance


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


Edit = SetView | SetAppearance | PutAnnotation | RemoveAnnotation | SelectAnnotation | ShowProbe | HideProbe | SetPoint
Edits = tuple[Edit, ...]
