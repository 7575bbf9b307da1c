"""How the panes of an open study are looked at: every look by command, and what follows it in linked panes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.domain.finding import Finding
from app.domain.geometry import Point3
from app.domain.pixels import VoiWindow
from app.domain.problem import Problem
from app.session import rendered_panes
from app.session.images import Images
from app.session.moments import Moments
from app.session.open_study import OpenStudy
from app.session.pane_board import PaneBoard
from app.session.pane_content import offsets_by_hand
from app.session.panes import PaneState
from app.session.saved_objects import SavedObjects
from app.session.views import Changes, Notice
from app.viewer.hanging_protocols import HangingProtocol
from app.viewer.layers import ImageLayer
from app.viewer.linking import (
    LinkedPane,
    frame_of_reference,
    linked_camera,
    linked_point,
    linked_scroll,
    linked_window,
    point_of,
)
from app.viewer.presets import WindowPreset, presets_for
from app.viewer.triad import REFORMATS
from app.viewer.view_state import Appearance, Plane, ViewState


class PaneLooks(PaneBoard):
    """How the panes are looked at: views and windows with what is linked to them, moments, differences, depth."""

    def __init__(
        self,
        current: OpenStudy,
        images: Images,
        mark: Callable[[str], Finding | None],
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
        protocols: Sequence[HangingProtocol] | None,
    ) -> None:
        super().__init__(current, images, announce, notice, protocols)
        self.point_mm: Point3 | None = None
        self.linked = True
        self.corner_texts = True
        self.crosshair = True
        self.saved: SavedObjects | None = None
        """What others saved with the study; set by whoever opens it."""
        self.solid = rendered_panes.SolidDesk(mark, lambda: self.saved)
        self.moments = Moments(self.content, self._put_panes)

    def toggle_subtraction(self) -> None:
        """Shows the active pane's frames less their mask, or as they were taken."""
        chosen = self.display_set(self._panes[self.active])
        if chosen is not None and self.content.angio.can_subtract(chosen):
            self._remember()
            self.content.angio.toggle(chosen)
            self._announce(Changes(view=True, layout=True))

    def subtracts(self) -> bool:
        """The active pane shows differences."""
        chosen = self.display_set(self._panes[self.active])
        return chosen is not None and self.content.angio.can_subtract(chosen) and self.content.angio.subtracts(chosen)

    def move(self, pane_id: str, view: ViewState) -> None:
        """A pane's new view with what is linked to it; the caller announces."""
        self._set_view(pane_id, view)

    def look_at(self, views: Mapping[str, ViewState]) -> None:
        """New views of several panes at once; nothing else follows them."""
        self._remember()
        self._take(views)
        self._announce(Changes(view=True, layout=True))

    def _set_view(self, pane_id: str, view: ViewState) -> None:
        before = self._panes[pane_id]
        kept = before.true_size and view.zoom == before.view.zoom
        self._panes[pane_id] = after = replace(before, view=view, true_size=kept)
        if not self.linked:
            return
        source, others = self._linked(after), tuple(self._linked(p) for p in self._panes.values())
        moved = view.frame_index != before.view.frame_index or view.point_mm != before.view.point_mm
        if moved:
            self._take(linked_scroll(source, others))
            self.point_mm = self._point_on(source)
        if (view.zoom, view.pan) != (before.view.zoom, before.view.pan):
            self._take(linked_camera(source, others))

    def _set_appearance(self, pane_id: str, appearance: Appearance, preset: str = "") -> None:
        """A new window goes to the linked panes that had the same one: the reformats of one series look alike. ``preset``:
        the one that it is of, so that an arrangement can be kept with it.
        """
        before = self._panes[pane_id]
        if appearance.window == before.appearance.window:
            self._panes[pane_id] = replace(before, appearance=appearance, preset=preset or before.preset)
            return
        self._panes[pane_id] = replace(before, appearance=appearance, preset=preset)
        if not self.linked:
            return
        for other in linked_window(self.content.linked(before), tuple(self.content.linked(p) for p in self._panes.values())):
            pane = self._panes[other]
            look = replace(pane.appearance, window=appearance.window)
            self._panes[other] = replace(pane, appearance=look, preset=preset)

    def _linked(self, pane: PaneState) -> LinkedPane:
        return self.second.linked(pane, self.panes())

    def next_change(self) -> Problem | None:
        """The active pane against its prior: difference where values allow it, flicker, off; what has to be said of it."""
        changed, said = self.second.change.next(self._panes[self.active], self.panes())
        if changed is not None:
            self._remember()
            self._panes[self.active] = changed
            self._announce(Changes(view=True, layout=True))
        return said

    def step_moment(self, by: int, pane_id: str = "") -> bool:
        """Another moment of the 4D series of a pane (the active one); False where there is one only."""
        return self.moments.step(self._panes[pane_id or self.active], self.panes(), by)

    def flickers(self) -> bool:
        return any(p.over is not None and p.over.flicker for p in self._panes.values())

    def flicker(self) -> None:
        """The other of the two images, in every pane that flickers."""
        self.second.flicker_on = not self.second.flicker_on
        self._announce(Changes(view=True))

    def _point_on(self, source: LinkedPane) -> Point3 | None:
        """The common point moved onto the source's plane; the plane's middle where there is none yet."""
        if source.view.plane is not Plane.STACK or self.point_mm is None:
            return point_of(source)
        plane = source.planes[source.view.frame_index] if source.view.frame_index < len(source.planes) else None
        if plane is None:
            return self.point_mm
        j, i, _ = plane.to_index(self.point_mm)
        return plane.to_patient(j, i)

    def centre_of(self, pane_id: str) -> Point3 | None:
        """A patient point on the pane's plane."""
        return self._point_on(self.content.linked(self._panes[pane_id]))

    def show_point(self, point_mm: Point3, source_pane: str = "") -> None:
        """Every pane of the current study's frame of reference goes to the patient position."""
        self.point_mm = point_mm
        panes = tuple(self._linked(p) for p in self._panes.values())
        reference = next((r for p in panes if not self._panes[p.pane_id].prior and (r := frame_of_reference(p))), "")
        self._take(linked_point(source_pane, point_mm, reference, panes))
        source = self._panes.get(source_pane)
        if source is not None and source.view.plane in REFORMATS and not source.curve:
            self._panes[source_pane] = replace(source, view=replace(source.view, point_mm=point_mm))
        self._announce(Changes(view=True))

    def change_view(self, **fields: object) -> None:
        """Sets fields of the active pane's view; remembered for undo."""
        self._remember()
        pane = self._panes[self.active]
        self._set_view(self.active, replace(pane.view, **fields))  # type: ignore[arg-type]
        self._announce(Changes(view=True))

    def set_window(self, window: VoiWindow | None, preset: str = "") -> None:
        self._remember()
        pane = self._panes[self.active]
        self._set_appearance(self.active, replace(pane.appearance, window=window), preset)
        self._announce(Changes(view=True))

    def preset(self, name: str) -> None:
        found = next((p for p in self.presets() if p.name == name), None)
        if found is not None:
            self.set_window(found.window, found.name)

    def presets(self) -> tuple[WindowPreset, ...]:
        layer = self.image_layer(self._panes[self.active]) if self.active in self._panes else None
        return presets_for(layer.unit, layer.suv) if layer is not None else ()

    def link_by_hand(self) -> None:
        """What every pane of the group shows now counts as the same place; again: the offsets are forgotten."""
        self._remember()
        offsets = offsets_by_hand(self._panes[self.active], self.panes(), self.content)
        self._panes = {i: replace(p, offset_mm=offsets.get(i, (0.0, 0.0, 0.0))) for i, p in self._panes.items()}
        self._announce(Changes(view=True, layout=True))

    def reset(self) -> None:
        """The active pane as it was hung; the slice stays."""
        self._remember()
        pane = self._panes[self.active]
        hung = None
        if self.stages and self._layout == self.stages[self._stage].layout:
            n = int(self.active.split("-")[1])
            hung = self.stages[self._stage].panes[n] if n < len(self.stages[self._stage].panes) else None
        same = hung is not None and hung.display_set_id == pane.display_set_id
        base = hung.view if hung is not None and same else ViewState()
        view = replace(
            base,
            display_set_id=pane.display_set_id,
            plane=pane.view.plane,
            frame_index=pane.view.frame_index,
            point_mm=pane.view.point_mm,
            oblique_row=pane.view.oblique_row,
            oblique_column=pane.view.oblique_column,
        )
        window = hung.window if hung is not None and same else None
        look = replace(pane.appearance, window=window)
        self._panes[self.active] = replace(
            pane, view=view, appearance=look, preset=hung.preset if hung is not None and same else ""
        )
        self._announce(Changes(view=True))

    def toggle(self, name: str) -> None:
        """corner_texts, linked or crosshair."""
        self._remember()
        setattr(self, name, not getattr(self, name))
        self._announce(Changes(view=True, layout=True))

    def toggle_crop_box(self) -> None:
        """The box of the active 3D view with its handles, and the view far enough to see them; and away again."""
        if rendered_panes.is_rendered(self._panes[self.active]):
            self.change_view(**rendered_panes.box_toggled(self._panes[self.active].view))

    def show_only(self, part_id: str, hide: bool = False) -> None:
        """The 3D view of the active pane shows a mask's voxels alone, or without them; "" shows all."""
        self._remember()
        self._panes[self.active] = replace(self._panes[self.active], only_mask=part_id, hide_mask=hide)
        self._announce(Changes(view=True))

    def volume_looks(self) -> tuple[tuple[str, bool], ...]:
        """(name, chosen) when the active pane is a rendering, else nothing."""
        pane = self._panes.get(self.active)
        if pane is None or not rendered_panes.is_rendered(pane):
            return ()
        return rendered_panes.looks(self.image_layer(pane), pane.view)

    def volume_view(self) -> Problem | None:
        """The active pane's volume from outside, and back; says why there is none."""
        pane = self._panes[self.active]
        chosen = self.display_set(pane)
        if not rendered_panes.is_rendered(pane) and (chosen is None or not self._images.can_be_volume(chosen)):
            return Problem("masks.no_volume")
        self._remember()
        volume = self._images.volume(pane.display_set_id)
        layer = ImageLayer(pane.appearance, volume=volume) if volume is not None else None
        self._panes[self.active] = rendered_panes.toggled(pane, layer)
        self._announce(Changes(view=True, layout=True))
        return None
