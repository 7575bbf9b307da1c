"""Planes and slabs by command: the active pane's plane, three planes of its volume side by side, how thick slabs are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.problem import Problem
from app.session import cross_sections
from app.session.images import Images
from app.session.panes import PaneState, boxes
from app.session.views import Notice
from app.viewer.layers import OverMode
from app.viewer.linking import nearest_frame
from app.viewer.slabs import least_mm, stepped_mm, steps_from, usual_mm
from app.viewer.slice_sampler import normal_of
from app.viewer.triad import REFORMATS, Fellow, plane_name, view_along
from app.viewer.view_state import Plane, SlabMode, ViewState

if TYPE_CHECKING:
    from app.session.reading_room import ReadingRoom

LAYOUT = "1+2"
PLANES = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)
TOOL = "crosshair"
"""In the hand when three planes come up: their lines are there to be taken."""
_UPRIGHT = 1e-6


@dataclass(frozen=True)
class ReformatView:
    """What the menu shows of the active pane. ``refused``: why it has no other planes and no slab."""

    refused: Problem | None = None
    plane: str = ""
    """"stack", "axial", "coronal", "sagittal", "oblique"; "" for what is none of them."""
    three: bool = False
    slab_mode: str = ""
    """"max", "min", "mean"; "" without a slab."""
    slab_mm: float = 0.0
    thicknesses: tuple[float, ...] = ()
    curve: bool = False
    """Along a curve or across it: height and cross-sections can be chosen."""
    in_row: bool = False


def fellows(pane: PaneState, panes: Sequence[PaneState]) -> tuple[Fellow, ...]:
    """The other reformats of a reformat's volume; none for everything else."""
    if pane.view.plane not in REFORMATS or pane.curve:
        return ()
    return tuple(
        Fellow(p.pane_id, p.view)
        for p in panes
        if p.pane_id != pane.pane_id
        and p.display_set_id == pane.display_set_id
        and p.view.plane in REFORMATS
        and not p.curve
    )


class Reformats:
    """Main thread only; speaks of the active pane."""

    def __init__(self, room: ReadingRoom, images: Images, notice: Callable[[Notice], None]) -> None:
        self._room, self._images, self._notice = room, images, notice
        self._before: tuple[str, int, str, tuple[PaneState, ...], str] | None = None
        """How the panes stood, and the tool, before three planes came up."""
        room.extras.slab_stepped = self.step_slab
        room.extras.section_wanted = self.show_section

    def verbs(self) -> dict[str, Callable[[], object]]:
        """By the names of the table of shortcuts."""
        return {
            "mpr_axial": lambda: self.to_plane(Plane.AXIAL),
            "mpr_coronal": lambda: self.to_plane(Plane.CORONAL),
            "mpr_sagittal": lambda: self.to_plane(Plane.SAGITTAL),
            "mpr_acquired": lambda: self.to_plane(Plane.STACK),
            "three_planes": self.three_planes,
            "slab_off": lambda: self.to_slab(None),
            "slab_mip": lambda: self.to_slab(SlabMode.MAXIMUM),
            "slab_minip": lambda: self.to_slab(SlabMode.MINIMUM),
            "slab_average": lambda: self.to_slab(SlabMode.MEAN),
            "slab_thicker": lambda: self.step_slab(self._room.active, 1),
            "slab_thinner": lambda: self.step_slab(self._room.active, -1),
            "volume_view": lambda: self._say_if(self._room.volume_view()),
            "crop_box": self._room.toggle_crop_box,
            "section_row": self.toggle_row,
            "sections_apart": lambda: self.space_sections(1),
            "sections_closer": lambda: self.space_sections(-1),
            "curve_higher": lambda: self.heighten(1),
            "curve_lower": lambda: self.heighten(-1),
        }

    def view(self) -> ReformatView:
        pane = self._pane()
        v = pane.view
        named = "" if pane.curve or v.plane not in REFORMATS else plane_name(v).value
        return ReformatView(
            self.refusal(pane),
            Plane.STACK.value if v.plane is Plane.STACK else named,
            self.is_triad(),
            v.slab_mode.value if v.slab_mm > 0 else "",
            v.slab_mm,
            steps_from(self._least(pane, v)),
            bool(pane.curve),
            bool(pane.curve) and any(p.curve == pane.curve and p.section_every_mm > 0 for p in self._room.panes()),
        )

    def _pane(self) -> PaneState:
        return self._room.pane(self._room.active)

    def _geometry(self, pane: PaneState) -> VolumeGeometry | None:
        volume = self._images.volume_if_here(pane.display_set_id) if pane.display_set_id else None
        return volume.geometry if volume is not None else None

    def refusal(self, pane: PaneState) -> Problem | None:
        """Why a pane's images have no other planes and no slab; None when they have."""
        chosen = self._room.display_set(pane)
        if chosen is None:
            return Problem("mpr.nothing_here")
        found = self._images.volume_refusal(chosen)
        if found is None and not self._images.can_be_volume(chosen):
            found = Problem("volume.too_few_slices", {"slices": len(chosen.frames), "least": 3})
        return replace(found, kept_safe="mpr.as_acquired") if found is not None else None

    def _refused(self, pane: PaneState) -> bool:
        return self._say_if(self.refusal(pane))

    def _say_if(self, problem: Problem | None) -> bool:
        if problem is not None:
            self._notice(Notice(problem))
        return problem is not None

    # -- planes ----------------------------------------------------------------------------------------------------

    def to_plane(self, plane: Plane) -> None:
        """The active pane on another plane through the same point; STACK: its frames as they were acquired."""
        pane = self._pane()
        if plane is Plane.STACK:
            if pane.view.plane is not Plane.STACK and self._room.display_set(pane) is not None:
                self._room.change_panes([self._plain(pane, self._acquired(pane))])
            return
        if self._refused(pane):
            return
        changed = [self._plain(pane, self._on_plane(pane, plane))]
        if self._room.linked and self.is_triad():
            changed += self._others_beside(pane, plane)
        self._room.change_panes(changed)

    def _others_beside(self, pane: PaneState, plane: Plane) -> list[PaneState]:
        """The two other panes of a triad on the two other planes: it stays one, and is straight again."""
        point = self._point(pane)
        left = [p for p in PLANES if p is not plane]
        others = [p for p in self._room.panes() if p.pane_id != pane.pane_id]
        # A pane that shows one of them already keeps it.
        others.sort(key=lambda p: p.view.plane not in left)
        out = []
        for other in others:
            own = other.view.plane if other.view.plane in left else left[0]
            left.remove(own)
            out.append(replace(other, view=replace(self._on_plane(other, own), point_mm=point)))
        return out

    @staticmethod
    def _plain(pane: PaneState, view: ViewState) -> PaneState:
        """The pane with another plane: what belonged to a curve or to depth is gone."""
        over = pane.over if pane.over is not None and pane.over.mode is OverMode.BLEND else None
        return replace(
            pane,
            view=view,
            over=over,
            curve="",
            only_mask="",
            hide_mask=False,
            fit_exposed=False,
            true_size=False,
            section_mm=None,
            section_every_mm=0.0,
            height_mm=0.0,
        )

    def _point(self, pane: PaneState) -> Point3 | None:
        return self._room.centre_of(pane.pane_id) or pane.view.point_mm or self._room.point_mm

    def _on_plane(self, pane: PaneState, plane: Plane) -> ViewState:
        v = pane.view
        kept = v.slab_mm if v.plane in REFORMATS and not pane.curve else 0.0
        return ViewState(
            pane.display_set_id,
            plane,
            v.frame_index,
            self._point(pane),
            invert=v.invert,
            slab_mm=kept,
            slab_mode=v.slab_mode,
        )

    def _acquired(self, pane: PaneState) -> ViewState:
        """The frame that lies nearest to where the pane was."""
        chosen = self._room.display_set(pane)
        point = self._point(pane)
        frame = nearest_frame(self._room.content.planes(chosen), point) if chosen is not None and point is not None else None
        at = pane.view.frame_index if frame is None else frame
        return ViewState(pane.display_set_id, Plane.STACK, at, invert=pane.view.invert)

    # -- three planes ----------------------------------------------------------------------------------------------

    def _is_three(self) -> bool:
        """Three reformats of one volume fill the room."""
        panes = self._room.panes()
        if self._room.layout().name != LAYOUT or len({p.display_set_id for p in panes}) != 1 or len(panes) != 3:
            return False
        return all(p.view.plane in REFORMATS and not p.curve for p in panes)

    def is_triad(self) -> bool:
        """Three planes of one volume at right angles fill the room."""
        if not self._is_three():
            return False
        normals = np.array([normal_of(p.view) for p in self._room.panes()])
        return bool(np.abs(normals @ normals.T - np.eye(3)).max() < _UPRIGHT)

    def three_planes(self) -> None:
        """The active pane's volume on three planes side by side; again: what stood there before."""
        if self.is_triad():
            self._back()
            return
        pane = self._pane()
        if self._refused(pane):
            return
        room = self._room
        if self._before is None or not self._is_three():
            self._before = (room.layout().name, room.stage, room.active, room.panes(), room.tool_name)
        point, first = self._point(pane), self._nearest_plane(pane)
        order = (first, *(p for p in PLANES if p is not first))
        panes = []
        for place, plane in zip(boxes(LAYOUT), order, strict=True):
            made = self._plain(pane, replace(self._on_plane(pane, plane), point_mm=point, slab_mm=0.0))
            panes.append(replace(made, pane_id=place.pane_id, title=f"hanging.pane.{plane.value}", guessed=False))
        room.on_remember()
        room.put_back(LAYOUT, room.stage, panes[0].pane_id, panes)
        room.set_tool(TOOL)

    def _back(self) -> None:
        before, self._before = self._before, None
        room = self._room
        if before is None or any(p.display_set_id and not room.content.knows(p.display_set_id) for p in before[3]):
            room.go_to_stage(room.stage)
            return
        layout, stage, active, panes, tool = before
        room.on_remember()
        room.put_back(layout, stage, active, panes)
        if room.tool_name == TOOL:
            room.set_tool(tool)

    def _nearest_plane(self, pane: PaneState) -> Plane:
        """The patient's plane that the pane shows, or nearly: it stays the large one."""
        normal: Point3 | None = None
        if pane.view.plane is Plane.STACK:
            chosen = self._room.display_set(pane)
            planes = self._room.content.planes(chosen) if chosen is not None else ()
            shown = planes[pane.view.frame_index] if 0 <= pane.view.frame_index < len(planes) else None
            normal = shown.normal if shown is not None else None
        elif pane.view.plane in REFORMATS:
            normal = normal_of(pane.view)
        if normal is None:
            return Plane.AXIAL
        return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[int(np.argmax(np.abs(normal)))]

    # -- slabs -----------------------------------------------------------------------------------------------------

    def to_slab(self, mode: SlabMode | None) -> None:
        """The active pane as a slab of the thickness that it has, or a usual one; None: a thin plane again."""
        pane = self._pane()
        if mode is None:
            self._slab(pane, 0.0, pane.view.slab_mode)
        elif not self._refused(pane):
            view = self._as_slab(pane)
            self._slab(pane, view.slab_mm or usual_mm(self._least(pane, view)), mode)

    def to_thickness(self, mm: float) -> None:
        """Of the active pane's slab."""
        pane = self._pane()
        if mm <= 0 or not self._refused(pane):
            self._slab(pane, mm, pane.view.slab_mode)

    def step_slab(self, pane_id: str, steps: int) -> None:
        """Thicker by so many steps, thinner below zero; a thin plane comes after the thinnest slab."""
        pane = self._room.pane(pane_id)
        if self._refused(pane):
            return
        view = self._as_slab(pane)
        self._slab(pane, stepped_mm(view.slab_mm, steps, self._least(pane, view)), view.slab_mode)

    def _least(self, pane: PaneState, view: ViewState) -> float:
        chosen = self._room.display_set(pane)
        if view.plane is Plane.CURVED or pane.curve or chosen is None:
            return 0.0
        geometry = self._geometry(pane)
        if view.plane is Plane.STACK:
            geometry = None
        return least_mm(geometry, view, self._room.content.planes(chosen))

    def _as_slab(self, pane: PaneState) -> ViewState:
        """The view that can be a slab: acquired frames become the plane that they lie in, seen as they are seen."""
        view = pane.view
        if view.plane is Plane.RENDERED:
            return self._on_plane(pane, Plane.AXIAL)
        chosen = self._room.display_set(pane)
        if view.plane is not Plane.STACK or chosen is None:
            return view
        planes = self._room.content.planes(chosen)
        plane = planes[min(max(view.frame_index, 0), len(planes) - 1)] if planes else None
        if plane is None:
            return view
        return replace(view_along(view, plane), point_mm=self._point(pane), shutter=None, fit_box=None)

    def _slab(self, pane: PaneState, mm: float, mode: SlabMode) -> None:
        if mm <= 0 and pane.view.slab_mm <= 0:
            return
        view = replace(self._as_slab(pane), slab_mm=mm, slab_mode=mode)
        if pane.curve and view.plane is Plane.OBLIQUE:
            own = [p for p in self._room.panes() if p.curve == pane.curve and p.view.plane is Plane.OBLIQUE]
            self._room.change_panes([replace(p, view=replace(p.view, slab_mm=mm, slab_mode=mode)) for p in own])
        elif pane.view.plane is Plane.RENDERED:
            self._room.change_panes([self._plain(pane, view)])
        else:
            self._room.change_panes([replace(pane, view=view)])

    # -- along and across curves -------------------------------------------------------------------------------------

    def _curve(self) -> str:
        """The active pane's curve, else one that is shown; says so where there is none."""
        active = self._pane()
        curve = active.curve or next((p.curve for p in self._room.panes() if p.curve), "")
        if not curve:
            self._notice(Notice(Problem("curve.none_shown")))
        return curve

    def toggle_row(self) -> None:
        """A row of numbered cross-sections beneath the reformat, or one beside it."""
        curve = self._curve()
        if not curve:
            return
        room = self._room
        made = cross_sections.other_arrangement(room.panes(), curve, room.curved.length_mm(curve))
        if made is None:
            self._notice(Notice(Problem("curve.rearranged")))
            return
        layout, panes, active = made
        room.on_remember()
        room.put_back(layout, room.stage, active, panes)

    def space_sections(self, by: int) -> None:
        curve = self._curve()
        panes = cross_sections.spaced(self._room.panes(), curve, by, self._room.curved.length_mm(curve)) if curve else ()
        if panes:
            self._room.change_panes(panes)

    def heighten(self, by: int) -> None:
        curve = self._curve()
        most = self._room.curved.most_mm(self._pane().display_set_id, curve)
        panes = cross_sections.heightened(self._room.panes(), curve, by, most) if curve else ()
        if panes:
            self._room.change_panes(panes)

    def show_section(self, pane_id: str, at_px: float) -> None:
        """The cross-sections at a column of the reformat; part of a gesture, which is remembered as a whole."""
        room = self._room
        curve = room.pane(pane_id).curve
        mm = room.curved.along_mm(curve, at_px) if curve else None
        if mm is not None:
            room.take_panes(cross_sections.shown_at(room.panes(), curve, mm, room.curved.length_mm(curve)))
