"""Panes and their arrangement. Layouts are data; a pane's view and look are frozen, a change is a new state."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.geometry import Point3
from app.domain.study import DisplaySet
from app.viewer.layers import OverMode
from app.viewer.layouts import layout_cells
from app.viewer.view_state import Appearance, ViewState


@dataclass(frozen=True)
class PaneBox:
    """A pane's place in the grid, in parts of its width and height."""

    pane_id: str
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True)
class LayoutView:
    name: str
    panes: tuple[PaneBox, ...]
    active: str


@dataclass(frozen=True)
class Over:
    """A second set of images on a pane's own."""

    display_set_id: str
    mode: OverMode = OverMode.BLEND
    appearance: Appearance = Appearance(lut="hot_iron", opacity=0.6)
    flicker: bool = False
    """SECOND comes and goes."""
    film: int | None = None
    """Its number in the display set, where a single picture flickers; None: a volume."""


@dataclass(frozen=True)
class PaneState:
    """What one pane shows and how."""

    pane_id: str
    display_set_id: str = ""
    view: ViewState = ViewState()
    appearance: Appearance = Appearance()
    prior: bool = False
    preset: str = ""
    title: str = ""
    """Message id."""
    link: str = ""
    """Panes of one link group follow each other."""
    offset_mm: Point3 = (0.0, 0.0, 0.0)
    """Added to a linked patient position: set by the reader where frames of reference differ."""
    over: Over | None = None
    curve: str = ""
    """CURVED: the mark that it follows. OBLIQUE: the mark that it cuts across."""
    only_mask: str = ""
    """RENDERED: the mask whose voxels alone are shown: an own mark's id, or ``<SOP Instance UID>#<number>`` of a segment."""
    hide_mask: bool = False
    """RENDERED: the mask's voxels are left out instead."""
    ai: bool = True
    """False: the second reader's marks stay off this pane."""
    guessed: bool = False
    """Of a mount: nothing in the film says that it belongs here."""
    fit_exposed: bool = False
    """The view is to fit the exposed field as soon as the picture is there."""
    true_size: bool = False
    """A millimetre of the patient was asked to be one of the screen; gone with the next zoom."""
    section_mm: float | None = None
    """Across a curve: how far along it from its first point; None: in its middle."""
    section_every_mm: float = 0.0
    """Across a curve: the distance to the next section of the row that it belongs to; 0: it stands alone."""
    height_mm: float = 0.0
    """Along or across a curve: how much of it is shown; 0: as much as usual."""


def moved(place: PaneState, film: PaneState | None) -> PaneState:
    """What lies in ``film`` at the place of ``place``; None: nothing."""
    if film is None:
        return PaneState(place.pane_id, title=place.title)
    same = film.pane_id == place.pane_id
    return replace(film, pane_id=place.pane_id, title=place.title, guessed=film.guessed and same)


def boxes(layout: str) -> tuple[PaneBox, ...]:
    """The panes of a layout in reading order. Raises ``ValueError`` for an unknown layout."""
    return tuple(PaneBox(f"pane-{n}", *cell) for n, cell in enumerate(layout_cells(layout)))


def middle_frame(display_set: DisplaySet) -> int:
    return len(display_set.frames) // 2
