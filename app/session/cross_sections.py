"""Cross-sections of a curve in the panes: where each lies along it, how far apart those of a row are, how high all are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.session.panes import PaneState, boxes
from app.viewer.view_state import Plane, SlabMode, ViewState

ALONE, ROW = "1+2", "2+6"
"""Layouts: the reformat with the drawn pane and one cross-section; with a row of numbered ones beneath."""
IN_ROW = 6
EVERY_MM = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
USUAL_EVERY_MM = 2.0
STEP_MM = 1.0
"""Of a cross-section that stands alone."""
THICKNESS_MM = 8.0
HEIGHT_MM = 70.0
HEIGHTS_MM = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 120.0, 150.0)


@dataclass(frozen=True)
class Section:
    """One cross-section on the screen."""

    pane_id: str
    along_mm: float
    """Arc length from the curve's first point."""
    every_mm: float
    """0: it stands alone."""

    @property
    def number(self) -> int:
        """In a row, counted along the whole curve from 1."""
        return round(self.along_mm / self.every_mm) + 1 if self.every_mm > 0 else 0


def height_of(pane: PaneState) -> float:
    return pane.height_mm or HEIGHT_MM


def sections(panes: Iterable[PaneState], curve_id: str, length_mm: float) -> tuple[Section, ...]:
    """Those of a curve, in the order of the panes."""
    return tuple(
        Section(p.pane_id, along_of(p, length_mm), p.section_every_mm)
        for p in panes
        if p.curve == curve_id and p.view.plane is Plane.OBLIQUE
    )


def along_of(pane: PaneState, length_mm: float) -> float:
    """Where a pane's section lies: in the curve's middle until it is said, and never beyond its ends."""
    return min(max(length_mm / 2.0 if pane.section_mm is None else pane.section_mm, 0.0), length_mm)


def row_about(middle_mm: float, every_mm: float, length_mm: float) -> tuple[float, ...]:
    """The places of a row's sections, whole steps from the start of the curve, as near to the middle as its ends allow."""
    last = math.floor(length_mm / every_mm + 1e-6)
    first = min(max(round(middle_mm / every_mm) - (IN_ROW - 1) // 2, 0), max(last - IN_ROW + 1, 0))
    return tuple((first + n) * every_mm for n in range(IN_ROW))


def every_that_fits(wanted_mm: float, length_mm: float) -> float:
    """The wanted distance, or the widest below it with which a whole row lies on the curve."""
    fitting = [mm for mm in EVERY_MM if mm <= wanted_mm + 1e-6 and mm * (IN_ROW - 1) <= length_mm]
    return fitting[-1] if fitting else EVERY_MM[0]


def opened(drawn: PaneState, curve_id: str, length_mm: float, in_row: bool) -> tuple[str, tuple[PaneState, ...], str]:
    """Layout, panes and the active one: the reformat along a curve, the pane it was drawn in, and what lies across it."""
    layout = ROW if in_row else ALONE
    places = [b.pane_id for b in boxes(layout)]
    look = drawn.appearance
    along = ViewState(drawn.display_set_id, Plane.CURVED, slab_mm=THICKNESS_MM, slab_mode=SlabMode.MEAN)
    flat = PaneState(places[0], drawn.display_set_id, along, look, prior=drawn.prior, curve=curve_id)
    across = _across(flat, places[2:], length_mm, length_mm / 2.0, USUAL_EVERY_MM if in_row else 0.0)
    return layout, (flat, replace(drawn, pane_id=places[1]), *across), places[1]


def _across(
    flat: PaneState,
    places: Iterable[str],
    length_mm: float,
    middle_mm: float,
    every_mm: float,
    view: ViewState | None = None,
) -> tuple[PaneState, ...]:
    one = replace(
        flat, view=view or ViewState(flat.display_set_id, Plane.OBLIQUE), section_mm=middle_mm, section_every_mm=0.0
    )
    if every_mm <= 0:
        return tuple(replace(one, pane_id=place) for place in places)
    every = every_that_fits(every_mm, length_mm)
    at = row_about(middle_mm, every, length_mm)
    return tuple(
        replace(one, pane_id=place, section_mm=mm, section_every_mm=every) for place, mm in zip(places, at, strict=True)
    )


def other_arrangement(
    panes: tuple[PaneState, ...], curve_id: str, length_mm: float
) -> tuple[str, tuple[PaneState, ...], str] | None:
    """One cross-section becomes a row, a row becomes one; None where the panes no longer stand as they were opened."""
    flat = next((p for p in panes if p.curve == curve_id and p.view.plane is Plane.CURVED), None)
    drawn = next((p for p in panes if not p.curve), None)
    shown = sections(panes, curve_id, length_mm)
    if flat is None or drawn is None or not shown:
        return None
    in_row = shown[0].every_mm <= 0
    layout = ROW if in_row else ALONE
    places = [b.pane_id for b in boxes(layout)]
    now = shown[(len(shown) - 1) // 2]
    view = next(p.view for p in panes if p.pane_id == now.pane_id)
    across = _across(flat, places[2:], length_mm, now.along_mm, USUAL_EVERY_MM if in_row else 0.0, view)
    kept = (replace(flat, pane_id=places[0]), replace(drawn, pane_id=places[1]))
    return layout, (*kept, *across), places[2]


def shown_at(panes: Iterable[PaneState], curve_id: str, mm: float, length_mm: float) -> tuple[PaneState, ...]:
    """The panes whose section changes when the place ``mm`` along the curve is wanted."""
    own = [p for p in panes if p.curve == curve_id and p.view.plane is Plane.OBLIQUE]
    row = [p for p in own if p.section_every_mm > 0]
    out = [replace(p, section_mm=min(max(mm, 0.0), length_mm)) for p in own if p.section_every_mm <= 0]
    if row:
        at = row_about(mm, row[0].section_every_mm, length_mm)
        out += [replace(p, section_mm=place) for p, place in zip(row, at, strict=False)]
    return tuple(out)


def stepped(panes: Iterable[PaneState], curve_id: str, steps: int, length_mm: float) -> tuple[PaneState, ...]:
    """One section on for every step; the row stops where its first or last one reaches an end."""
    own = [p for p in panes if p.curve == curve_id and p.view.plane is Plane.OBLIQUE]
    row = [p for p in own if p.section_every_mm > 0]
    out = [
        replace(p, section_mm=min(max(along_of(p, length_mm) + steps * STEP_MM, 0.0), length_mm))
        for p in own
        if p.section_every_mm <= 0
    ]
    if row:
        every = row[0].section_every_mm
        first, last = along_of(row[0], length_mm), math.floor(length_mm / every + 1e-6)
        now = round(first / every)
        start = min(max(now + steps, 0), max(last - len(row) + 1, 0))
        out += [replace(p, section_mm=(start + n) * every) for n, p in enumerate(row)]
    return tuple(out)


def spaced(panes: Iterable[PaneState], curve_id: str, by: int, length_mm: float) -> tuple[PaneState, ...]:
    """The row's sections farther apart (closer below zero) about its middle; nothing where no row is shown."""
    row = [p for p in panes if p.curve == curve_id and p.section_every_mm > 0]
    if not row:
        return ()
    now = row[0].section_every_mm
    wider = [mm for mm in EVERY_MM if (mm - now) * by > 1e-6]
    if not wider:
        return ()
    every = every_that_fits(wider[0] if by > 0 else wider[-1], length_mm)
    middle = sum(along_of(p, length_mm) for p in row) / len(row)
    at = row_about(middle, every, length_mm)
    return tuple(replace(p, section_mm=mm, section_every_mm=every) for p, mm in zip(row, at, strict=False))


def heightened(panes: Iterable[PaneState], curve_id: str, by: int, most_mm: float) -> tuple[PaneState, ...]:
    """The reformat and its sections higher or lower; nothing at the end of the steps. ``most_mm``: the volume's height."""
    own = [p for p in panes if p.curve == curve_id]
    now = min(height_of(own[0]), most_mm) if own else 0.0
    other = [mm for mm in HEIGHTS_MM if own and (mm - now) * by > 1e-6 and (by < 0 or now < most_mm - 1e-6)]
    if not other:
        return ()
    return tuple(replace(p, height_mm=other[0] if by > 0 else other[-1]) for p in own)
