"""What the panes ask of their neighbours: of the owner of marks, and of labels that may be dragged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.domain.finding import Finding
from app.domain.measurement import Annotation
from app.session.picture import Drawer, ShownMark
from app.viewer.layers import HeatmapLayer, MaskLayer
from app.viewer.tool_api import PointerEvent, ToolContext


@dataclass(frozen=True)
class Overlay:
    """What the findings side wants drawn: marks everywhere, heatmaps and masks over the current study only."""

    marks: tuple[ShownMark, ...] = ()
    layers: tuple[HeatmapLayer | MaskLayer, ...] = ()
    ai_shown: bool = False
    research_only: bool = True


class MarkOwner(Protocol):
    """What the room asks of the owner of marks."""

    def overlay(self) -> Overlay: ...

    def annotations(self) -> tuple[Annotation, ...]: ...

    def put_annotation(self, annotation: Annotation, provisional: bool) -> None: ...

    def remove_annotation(self, annotation_id: str) -> None: ...

    def select(self, finding_id: str) -> None: ...

    def selected_id(self) -> str: ...

    def starred(self) -> frozenset[tuple[str, int]]: ...

    def mark(self, finding_id: str) -> Finding | None: ...


class Labels(Protocol):
    """Movable words over an image. ``press``, ``drag`` and ``release`` say whether the gesture is theirs."""

    def drawers(self, sop_instance_uid: str) -> tuple[Drawer, ...]: ...

    def press(self, event: PointerEvent, context: ToolContext) -> bool: ...

    def drag(self, event: PointerEvent, context: ToolContext) -> bool: ...

    def release(self, event: PointerEvent, context: ToolContext) -> bool: ...


class MarksBeside(Protocol):
    """Drawings that are none of the study's own marks: on a prior's images, and proposals that wait for the reader."""

    def take(self, annotation: Annotation, provisional: bool) -> bool:
        """True when the drawing is theirs: it is kept nowhere else then."""
        ...

    def annotations(self) -> tuple[Annotation, ...]: ...

    def overlay(self) -> tuple[ShownMark, ...]: ...

    def drop(self, finding_id: str) -> bool: ...

    def drop_provisional(self) -> None:
        """What was drawn but not kept is gone."""
        ...
