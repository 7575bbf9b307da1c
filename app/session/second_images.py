"""A second set of images on a pane: one series fused over another, a prior subtracted or flickering, registered scroll."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.domain.geometry import Point2, Point3
from app.domain.measurement import Measurement, Quantity
from app.domain.pixels import VoiWindow
from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySet
from app.domain.volume import Volume
from app.session.change_view import ChangeView
from app.session.images import Images
from app.session.over_looks import ends, factor_of, is_dose, looked, named, same_scale, short_name, told_unit
from app.session.pane_content import PaneContent
from app.session.panes import Over, PaneState
from app.session.picture import Drawer
from app.session.registrations import Registrations, matrix_to_fixed
from app.viewer.anatomy import Match
from app.viewer.dose_levels import Isodose, isodoses
from app.viewer.fusion import window_of
from app.viewer.grid_value import grid_value
from app.viewer.isodose import dose_unit, isodose_legend
from app.viewer.layers import FilmLayer, FusionLayer, ImageLayer, OverMode
from app.viewer.linking import LinkedPane, frame_of_reference, parallel
from app.viewer.no_value import volume_window
from app.viewer.over_legend import over_legend
from app.viewer.over_values import OverValues
from app.viewer.presets import preset
from app.viewer.priors import goes_with
from app.viewer.view_state import Appearance
from app.viewer.words import Texts

Beside = Callable[[Point3 | None, Point2], Sequence[Measurement]]


class SecondImages:
    """Main thread only."""

    def __init__(self, content: PaneContent, images: Images, registrations: Registrations) -> None:
        self._content = content
        self._images = images
        self.registrations = registrations
        self.change = ChangeView(content, images)
        """Comparison with an earlier study."""
        registrations.same_scale = lambda a, b: same_scale(content.set_by_id(a), content.set_by_id(b))
        self._tops: weakref.WeakKeyDictionary[Volume, float] = weakref.WeakKeyDictionary()
        self._autos: weakref.WeakKeyDictionary[Volume, VoiWindow] = weakref.WeakKeyDictionary()
        self.flicker_on = True

    # -- fusion and change -----------------------------------------------------------------------------------------

    def layer(self, pane: PaneState, base: ImageLayer) -> FusionLayer | None:
        """The second images as a layer; None while they or their place are on their way."""
        over = pane.over
        if over is None or over.film is not None or (over.flicker and not self.flicker_on):
            return None
        volume = self._images.volume(over.display_set_id)
        if volume is None:
            return None
        gain = self.change.gain(pane, volume) if over.mode is OverMode.SECOND else (1.0, 0.0)
        if gain is None:
            return None
        mine = self._reference(pane, base)
        if mine and volume.geometry.frame_of_reference_uid == mine:
            lines = self._isodoses(over, volume)
            return FusionLayer(volume, volume.geometry, self.look(over, volume), over.mode, isodoses=lines, gain=gain)
        placed = self.registrations.placed(pane.display_set_id, over.display_set_id, volume.geometry, mine)
        return (
            FusionLayer(volume, placed, self.look(over, volume), over.mode, registered=True, gain=gain)
            if placed is not None
            else None
        )

    def look(self, over: Over, volume: Volume) -> Appearance:
        """With its window in the values that are stored; one of their own where none is meant."""
        found = looked(self._content, over, self._content.set_by_id(over.display_set_id), lambda: self.highest(volume))
        if found.window is not None or over.mode is not OverMode.BLEND:
            return found
        known = self._autos.get(volume)
        if known is None:
            known = self._autos[volume] = volume_window(volume)
        return replace(found, window=known)

    def _is_dose(self, over: Over) -> bool:
        return is_dose(self._content.set_by_id(over.display_set_id), over.mode)

    def _isodoses(self, over: Over, volume: Volume) -> tuple[Isodose, ...]:
        return isodoses(self.highest(volume)) if self._is_dose(over) else ()

    def measured(self, pane: PaneState, base: ImageLayer) -> OverValues | None:
        """What lies over the pane's own images, as it is measured and windowed; None for a dose, and while it comes."""
        over = pane.over
        layer = self.layer(pane, base) if over is not None and not self._is_dose(over) else None
        if over is None or layer is None:
            return None
        chosen = self._content.set_by_id(over.display_set_id)
        studied = self._content.study_of(over.display_set_id).study_datetime
        of = short_name(chosen, self._content.display_set(pane), self._content.series_of(chosen), studied)
        return OverValues(layer, of, factor_of(self._content, chosen)[0])

    def beside(self, pane: PaneState, base: ImageLayer) -> Beside:
        """What the probe says of a place besides: the value of what lies over it, or the dose in the unit of the plan."""
        over = pane.over
        if over is None:
            return lambda point_mm, px: ()
        if not self._is_dose(over):
            upper = self.measured(pane, base)
            return lambda point_mm, px: upper.at(point_mm) if upper is not None else ()
        layer = self.layer(pane, base)
        if layer is None:
            return lambda point_mm, px: ()
        unit, factor = dose_unit(layer.volume.unit)

        def told(point_mm: Point3 | None, px: Point2) -> Sequence[Measurement]:
            found = grid_value(layer.volume.voxels, layer.geometry, point_mm) if point_mm is not None else None
            return () if found is None else (Measurement(Quantity.DOSE, found * factor, unit),)

        return told

    def drawers(self, pane: PaneState, base: ImageLayer, texts: Texts) -> tuple[Drawer, ...]:
        """The legend of the isodose lines, or the scale of the colours."""
        over = pane.over
        layer = self.layer(pane, base) if over is not None and over.mode is OverMode.BLEND else None
        if over is None or layer is None:
            return ()
        if layer.isodoses:
            return (lambda resolved, style: isodose_legend(layer.isodoses, layer.volume.unit, resolved, texts, style),)
        window = window_of(layer)
        factor, name = factor_of(self._content, self._content.set_by_id(over.display_set_id))
        unit, scale = told_unit(layer.volume.unit, name)
        scale *= factor or 1.0
        low, high = (window.center - window.width / 2) * scale, (window.center + window.width / 2) * scale
        return (lambda resolved, style: over_legend(layer.appearance.lut, low, high, unit, resolved, texts, style),)

    def highest(self, volume: Volume) -> float:
        """Its highest value, looked for once."""
        found = self._tops.get(volume)
        if found is None:
            found = self._tops[volume] = float(volume.voxels.max())
        return found

    def remarks(self, pane: PaneState) -> tuple[Problem, ...]:
        """What must be known of the second images: which they are, and up to which value the colours go."""
        over = pane.over
        if over is not None and over.mode is not OverMode.BLEND:
            return self.change.remarks(over)
        chosen = self._content.display_set(replace(pane, display_set_id=over.display_set_id)) if over is not None else None
        volume = self._images.volume_if_here(over.display_set_id) if over is not None else None
        if over is None or chosen is None or volume is None:
            return ()
        if not self._is_dose(over):
            return self._said(over, chosen, volume)
        unit, scale = dose_unit(volume.unit)
        return (Problem("viewer.dose_scale", {"top": round(self.highest(volume) * scale, 1), "unit": unit}, Severity.NOTE),)

    def _said(self, over: Over, chosen: DisplaySet, volume: Volume) -> tuple[Problem, ...]:
        if over.mode is not OverMode.BLEND:
            return ()
        window = window_of(FusionLayer(volume, volume.geometry, self.look(over, volume)))
        factor, name = factor_of(self._content, chosen)
        unit, scale = told_unit(volume.unit, name)
        scale *= factor or 1.0
        low, high = ends((window.center - window.width / 2) * scale, (window.center + window.width / 2) * scale)
        told: dict[str, str | int | float] = {
            "name": named(chosen, self._content.series_of(chosen)),
            "low": low,
            "high": high,
        }
        return (Problem("fusion.over", {**told, "unit": unit or ""}, Severity.NOTE),)

    def _reference(self, pane: PaneState, base: ImageLayer) -> str:
        if base.volume is not None:
            return base.volume.geometry.frame_of_reference_uid
        return frame_of_reference(self._content.linked(pane))

    def states(self, pane: PaneState, base: ImageLayer | None) -> tuple[str, ...]:
        """Message ids for the pane's corner: what lies over it, and how well its place is known."""
        out: list[str] = []
        over = pane.over
        if over is not None and base is not None:
            failed = self.registrations.failed(pane.display_set_id, over.display_set_id)
            if failed is not None:
                out.append("viewer.over.no_place")
            elif over.film is not None:
                out += self._film_states(pane, base)
            elif self.layer(replace(pane, over=replace(over, flicker=False)), base) is None:
                out.append("viewer.over.loading")
            elif over.mode is OverMode.DIFFERENCE:
                out.append("viewer.over.difference")
            elif over.flicker:
                out.append("viewer.over.prior" if self.flicker_on else "viewer.over.current")
            else:
                out.append("viewer.over.blend")
            out += (*self._placed_how(pane, base), *self.change.states(pane))
        return tuple(out)

    def _placed_how(self, pane: PaneState, base: ImageLayer) -> tuple[str, ...]:
        """That the place of the second images was searched for, and when the search did not end well."""
        over = pane.over
        layer = self.layer(replace(pane, over=replace(over, flicker=False)), base) if over is not None else None
        if over is None or layer is None or not layer.registered:
            return ()
        found = self.registrations.found(pane.display_set_id, over.display_set_id)
        return ("viewer.registered_poorly",) if found is not None and found.poor else ("viewer.over.registered",)

    def film(self, pane: PaneState, base: ImageLayer) -> FilmLayer | None:
        """The prior's film while it is its turn; None else."""
        return self.change.film(pane, base) if self.flicker_on else None

    def _film_states(self, pane: PaneState, base: ImageLayer) -> tuple[str, ...]:
        layer = self.change.film(pane, base)
        if layer is None:
            return ("viewer.over.loading" if self.change.film_fits(pane) else "viewer.over.other_film",)
        turn = "viewer.over.prior" if self.flicker_on else "viewer.over.current"
        return (turn, "viewer.over.film_aligned" if layer.aligned else "viewer.over.film_fitted")

    # -- registered scroll -----------------------------------------------------------------------------------------

    def fixed_for(self, pane: PaneState, panes: Sequence[PaneState]) -> PaneState | None:
        """The current pane that a prior one of another frame of reference should follow."""
        mine = self._content.display_set(pane)
        if not pane.prior or not pane.link or mine is None or not self._images.can_be_volume(mine):
            return None
        linked = self._content.linked(pane)
        for other in panes:
            theirs = self._content.display_set(other)
            if other.prior or other.link != pane.link or theirs is None or not self._may_follow(other, pane):
                continue
            there = self._content.linked(other)
            same = frame_of_reference(there) == frame_of_reference(linked)
            if not same and self._images.can_be_volume(theirs) and parallel(there, linked):
                return other
        return None

    def _may_follow(self, now: PaneState, then: PaneState) -> bool:
        """One modality, and no other part of the body: a knee is not looked for in a head."""
        a, b = self.change.candidate(now.display_set_id), self.change.candidate(then.display_set_id, prior=True)
        if a is None or b is None or not _alike(a.display_set, b.display_set):
            return False
        return goes_with(a, b) > Match.OTHER_SIDE

    def linked(self, pane: PaneState, panes: Sequence[PaneState]) -> LinkedPane:
        """The pane for the linking rules, with its registration to the current images where one is known."""
        linked = self._content.linked(pane)
        fixed = self.fixed_for(pane, panes)
        transform = self.registrations.found(fixed.display_set_id, pane.display_set_id) if fixed is not None else None
        if fixed is None or transform is None:
            return linked
        common = frame_of_reference(self._content.linked(fixed))
        return replace(linked, common_from_own=matrix_to_fixed(transform), common=common)

    def registered(self, pane: PaneState, panes: Sequence[PaneState]) -> tuple[bool, bool]:
        """(registered, poorly). Asks for the registration of a prior that hangs beside its current images."""
        fixed = self.fixed_for(pane, panes)
        if fixed is None:
            return False, False
        transform = self.registrations.want(fixed.display_set_id, pane.display_set_id)
        return transform is not None, transform is not None and transform.poor


def _alike(a: DisplaySet, b: DisplaySet) -> bool:
    return a.modality == b.modality


def hung_over(
    display_set_id: str,
    mode: OverMode = OverMode.BLEND,
    flicker: bool = False,
    look: tuple[str, float] = ("", 0.0),
    window: str = "",
) -> Over | None:
    """What a hanging protocol lays over a pane: PET in its own preset, in the colours that are asked for; or a change."""
    if not display_set_id:
        return None
    if mode is not OverMode.BLEND:
        return Over(display_set_id, mode, Appearance(), flicker)
    chosen = preset(window or "pet")
    lut, opacity = look if look[0] else ("hot_iron", 0.6)
    return Over(display_set_id, appearance=Appearance(chosen.window if chosen else None, lut, opacity))
