"""What a tool is: it gets pointer events in pane pixels and a frozen context, and returns edits. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2, Point3
from app.domain.identity import new_uid
from app.domain.measurement import Annotation, Measurement
from app.domain.pixels import VoiWindow
from app.viewer.edits import Edits
from app.viewer.layers import ImageLayer
from app.viewer.over_values import OverValues
from app.viewer.plane_values import plane_padding, plane_values, without
from app.viewer.triad import Fellow
from app.viewer.view_state import Appearance, ResolvedView, ViewState


class Button(StrEnum):
    LEFT = "left"
    MIDDLE = "middle"
    RIGHT = "right"
    NONE = "none"


@dataclass(frozen=True)
class PointerEvent:
    """``x``, ``y`` in device pixels of the pane (corner origin). ``wheel`` in notches, up is positive."""

    x: float
    y: float
    button: Button = Button.LEFT
    wheel: float = 0.0
    shift: bool = False
    control: bool = False
    alt: bool = False

    @property
    def at(self) -> Point2:
        return (self.x, self.y)


@dataclass(frozen=True, eq=False)
class ToolContext:
    """The pane at the moment of the event."""

    resolved: ResolvedView
    layer: ImageLayer
    window: VoiWindow | None = None
    """The window in use (``Picture.window``)."""
    frame_count: int = 1
    """Frames of the display set, for scrolling a stack."""
    annotations: tuple[Annotation, ...] = ()
    """Those of this study; tools pick what lies on the shown image."""
    selected_id: str = ""
    beside: Callable[[Point3 | None, Point2], Sequence[Measurement]] = lambda point_mm, px: ()
    """What else is known of a place (in the patient, on the image): the dose of a plan, the values of a map over it."""
    new_id: Callable[[], str] = new_uid
    fellows: tuple[Fellow, ...] = ()
    """Other reformats of the same volume that move and turn with this one."""
    lines_shown: bool = True
    """Their planes are drawn as lines over the pane."""
    over: OverValues | None = None
    """Other images over the image, as they are measured and windowed."""

    @property
    def view(self) -> ViewState:
        return self.resolved.view

    @property
    def appearance(self) -> Appearance:
        return self.layer.appearance

    def px(self, event: PointerEvent) -> Point2:
        """Image px under the pointer."""
        return self.resolved.pane_to_px(event.x, event.y)

    def point_mm(self, event: PointerEvent) -> Point3 | None:
        return self.resolved.pane_to_patient(event.x, event.y)

    def values(self) -> npt.NDArray[np.generic] | None:
        """Modality values on the image px grid: (rows, columns); None for colour."""
        return plane_values(self.layer, self.resolved)

    def padding(self) -> npt.NDArray[np.bool_] | None:
        """What is left out of statistics: where there is no value, and what a display shutter covers."""
        return without(plane_padding(self.layer, self.resolved), self.layer.covered)


class Tool(Protocol):
    """Holds at most one gesture. ``drag`` and ``release`` without a ``press`` return nothing."""

    def press(self, event: PointerEvent, context: ToolContext) -> Edits: ...

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits: ...

    def release(self, event: PointerEvent, context: ToolContext) -> Edits: ...

    def hover(self, event: PointerEvent, context: ToolContext) -> Edits:
        """The pointer moves without a button."""
        ...

    def wheel(self, event: PointerEvent, context: ToolContext) -> Edits: ...

    def cancel(self) -> Edits:
        """Esc: forget the gesture; returns what removes its provisional drawing."""
        ...


class QuietTool:
    """Does nothing for the events that a tool does not mind."""

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        del event, context
        return ()

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        del event, context
        return ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        del event, context
        return ()

    def hover(self, event: PointerEvent, context: ToolContext) -> Edits:
        del event, context
        return ()

    def wheel(self, event: PointerEvent, context: ToolContext) -> Edits:
        del event, context
        return ()

    def cancel(self) -> Edits:
        return ()


@dataclass(frozen=True)
class ToolSpec:
    """``name`` is also its message id ``tool.<name>`` and its key in ``resources/shortcuts.toml``."""

    name: str
    group: str
    """"look", "measure" or "mark"."""
    icon: str
    """File name in ``resources/icons`` without the ending."""
    make: Callable[[], Tool]
    order: int = 100
    draws: bool = field(default=False)
    """Makes annotations."""
    hovers: bool = False
    """Wants to know where the pointer is without a button."""
