"""The active pane against an earlier study: which images go on it, difference, flicker, off; films flicker only.

Subtraction needs values that mean the same every time: Hounsfield units. Everything else, MR above all, is compared by eye.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.domain.pixels import FramePixels
from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySetKind, Instance
from app.domain.volume import Volume
from app.imaging.film_alignment import FilmPlace, aligned, fitted
from app.session.clock import dicom_date
from app.session.images import Images
from app.session.pane_content import PaneContent
from app.session.panes import Over, PaneState
from app.viewer.fusion import gain_between
from app.viewer.hanging_rules import Candidate
from app.viewer.layers import FilmLayer, ImageLayer, OverMode
from app.viewer.series_kind import likeness, unlike
from app.viewer.view_state import Appearance, Plane
from app.viewer.voi_lut import to_grey, voi_of_frame

_OPPOSITE = dict(zip("LRAPHF", "RLPAFH", strict=True))


class ChangeView:
    """Main thread only."""

    def __init__(self, content: PaneContent, images: Images) -> None:
        self._content, self._images = content, images
        self.arrived: Callable[[], None] = lambda: None
        """Called when two films have been aligned; set by whoever shows them."""
        self._places: dict[tuple[str, int, str, int], FilmPlace] = {}
        self._gains: weakref.WeakKeyDictionary[Volume, tuple[Volume, tuple[float, float]]] = weakref.WeakKeyDictionary()

    # -- which images ----------------------------------------------------------------------------------------------

    def candidate(self, display_set_id: str, frame_index: int = 0, prior: bool = False) -> Candidate | None:
        """A display set, or one film of it, as the hanging rules see it."""
        if not self._content.knows(display_set_id):
            return None
        chosen, study = self._content.set_by_id(display_set_id), self._content.study_of(display_set_id)
        if not chosen.frames or chosen.kind not in (DisplaySetKind.STACK, DisplaySetKind.IMAGES):
            return None
        at = frame_index if chosen.kind is DisplaySetKind.IMAGES and frame_index < len(chosen.frames) else 0
        instance = self._images.instance(chosen.frames[at].sop_instance_uid)
        return Candidate(study, chosen, self._content.series_of(chosen), instance, at, prior)

    def _usable(self, candidate: Candidate) -> bool:
        return not candidate.is_stack or self._images.can_be_volume(candidate.display_set)

    def _others(self, now: Candidate) -> Iterator[Candidate]:
        """Everything of earlier studies, picture by picture."""
        for chosen in self._content.sets():
            study = self._content.study_of(chosen.display_set_id)
            if study is now.study or study.study_datetime > now.study.study_datetime:
                continue
            count = len(chosen.frames) if chosen.kind is DisplaySetKind.IMAGES else 1
            for n in range(count):
                found = self.candidate(chosen.display_set_id, n, prior=True)
                if found is not None and self._usable(found):
                    yield found

    def prior_for(self, pane: PaneState, panes: Sequence[PaneState]) -> Candidate | None:
        """What hangs beside goes first, if it may be laid on the pane; else the newest study that has something alike."""
        now = self.candidate(pane.display_set_id, pane.view.frame_index)
        if now is None or pane.prior or not self._usable(now):
            return None
        beside = [self.candidate(p.display_set_id, p.view.frame_index, prior=True) for p in panes if p.prior]
        hung = [(s, c) for c in beside if c and self._usable(c) and (s := likeness(now, c, by_hand=True)) is not None]
        if hung:
            return max(hung, key=lambda item: item[0])[1]
        return self.prior_like(now)

    def prior_like(self, now: Candidate) -> Candidate | None:
        """Of the newest earlier study that has images of the same part, side, plane and kind: the likest."""
        found = [(c.study.study_datetime, s, c) for c in self._others(now) if (s := likeness(now, c)) is not None]
        return max(found, key=lambda item: item[:2])[2] if found else None

    # -- the steps -------------------------------------------------------------------------------------------------

    def next(self, pane: PaneState, panes: Sequence[PaneState]) -> tuple[PaneState | None, Problem | None]:
        """(the pane at its next step, what has to be said): off, difference where values allow it, flicker, off."""
        over = pane.over
        if over is not None and over.mode is OverMode.DIFFERENCE:
            return replace(pane, over=replace(over, mode=OverMode.SECOND, flicker=True)), None
        if over is not None and over.flicker:
            return replace(pane, over=None), None
        prior = self.prior_for(pane, panes)
        if prior is None:
            return None, Problem("viewer.change_without_prior")
        name = prior.display_set.display_set_id
        if not prior.is_stack:
            if pane.view.plane is not Plane.STACK:
                return None, Problem("viewer.change_without_prior")
            over = Over(name, OverMode.SECOND, Appearance(), flicker=True, film=prior.frame_index)
            return replace(pane, over=over), Problem("change.films_flicker", severity=Severity.NOTE)
        if _has_units(prior):
            return replace(pane, over=Over(name, OverMode.DIFFERENCE, Appearance())), None
        note = Problem("change.flicker_only", severity=Severity.NOTE)
        return replace(pane, over=Over(name, OverMode.SECOND, Appearance(), flicker=True)), note

    def remarks(self, over: Over) -> tuple[Problem, ...]:
        """Of when the other images are: the corner of the pane tells the date of its own."""
        on = dicom_date(self._content.study_of(over.display_set_id).study_datetime)
        return (Problem("change.prior_of", {"date": on or "–"}, Severity.NOTE),)

    def states(self, pane: PaneState) -> tuple[str, ...]:
        """Message ids: in what the two sets of a CT differ, so that a difference is no change of the patient."""
        over = pane.over
        if over is None or over.mode is OverMode.BLEND:
            return ()
        now, then = self.candidate(pane.display_set_id), self.candidate(over.display_set_id, prior=True)
        if now is None or then is None:
            return ()
        return tuple(f"viewer.over.other_{what}" for what in unlike(now, then))

    def gain(self, pane: PaneState, second: Volume) -> tuple[float, float] | None:
        """Brings the prior's values to the present range where they mean nothing by themselves; None while it is unknown."""
        now = self.candidate(pane.display_set_id)
        if now is None or _has_units(now):
            return (1.0, 0.0)
        first = self._images.volume(pane.display_set_id)
        if first is None:
            return None
        known = self._gains.get(second)
        if known is None or known[0] is not first:
            known = self._gains[second] = (first, gain_between(first.voxels, second.voxels))
        return known[1]

    # -- films -----------------------------------------------------------------------------------------------------

    def film(self, pane: PaneState, base: ImageLayer) -> FilmLayer | None:
        """The prior film in the place of the pane's own; None while it is on its way, or where it is no match of it."""
        over = pane.over
        if over is None or over.film is None or base.frame is None or not self.film_fits(pane):
            return None
        chosen = self._content.set_by_id(over.display_set_id)
        ref = chosen.frames[over.film]
        frame = self._images.frame(ref, chosen)
        instance, mine = self._images.instance(ref.sop_instance_uid), self._images.instance(base.sop_instance_uid)
        if frame is None or instance is None or mine is None:
            return None
        place = self._place(pane, base, mine, frame, instance, ref.frame)
        return FilmLayer(frame, place.to_second, place.aligned)

    def film_fits(self, pane: PaneState) -> bool:
        """Whether the film that flickers goes with the one that the pane shows now: the reader may have turned the page."""
        over = pane.over
        if over is None or over.film is None:
            return False
        now = self.candidate(pane.display_set_id, pane.view.frame_index)
        then = self.candidate(over.display_set_id, over.film, prior=True)
        return now is not None and then is not None and likeness(now, then, by_hand=True) is not None

    def _place(
        self, pane: PaneState, base: ImageLayer, mine: Instance, frame: FramePixels, theirs: Instance, number: int
    ) -> FilmPlace:
        key = (base.sop_instance_uid, base.frame_number, theirs.sop_instance_uid, number)
        known = self._places.get(key)
        if known is not None:
            return known
        first = base.frame
        assert first is not None
        start = self._places[key] = _fit(pane, mine, theirs, first, frame)

        def came(found: FilmPlace | None) -> None:
            if found is not None and found.aligned:
                self._places[key] = found
                self.arrived()

        self._images.beside(lambda: aligned(_grey(first), _grey(frame), start), came)
        return start

    def film_place(self, first: tuple[str, int], second: tuple[str, int]) -> FilmPlace | None:
        """As it is known of two films by (SOP instance, frame); None: not laid on each other yet."""
        return self._places.get((*first, *second))


def _has_units(candidate: Candidate) -> bool:
    """Hounsfield units: CT, but no cone beam CT, whose greys depend on the device and on what lies around."""
    return candidate.display_set.modality == "CT" and "jaws" not in candidate.anatomy.regions


def _grey(frame: FramePixels) -> npt.NDArray[np.uint8]:
    if frame.is_colour:
        return np.asarray(frame.values.mean(axis=2), dtype=np.uint8)
    return to_grey(frame.values, voi_of_frame(frame), frame.inverse)


def _fit(pane: PaneState, mine: Instance, theirs: Instance, first: FramePixels, second: FramePixels) -> FilmPlace:
    """On the side of the chest wall where there is one, else about the middle."""
    ax, ay = pane.view.anchor
    anchor = (1.0 - ax if pane.view.flip_h else ax, 1.0 - ay if pane.view.flip_v else ay)
    (h, w), (oh, ow) = first.values.shape[:2], second.values.shape[:2]
    return _fitted(mine, theirs, (w, h), (ow, oh), anchor)


def film_fit(mine: Instance, theirs: Instance) -> FilmPlace | None:
    """Of two films by their headers alone; None without pixels."""
    a, b = mine.pixel_format, theirs.pixel_format
    if a is None or b is None or not (a.rows and a.columns and b.rows and b.columns):
        return None
    return _fitted(mine, theirs, (a.columns, a.rows), (b.columns, b.rows), (0.5, 0.5))


def _fitted(
    mine: Instance, theirs: Instance, first: tuple[int, int], second: tuple[int, int], anchor: tuple[float, float]
) -> FilmPlace:
    """By millimetres where both films have the same kind of them, else by width; mirrored where one was stored so."""
    scale = None
    known = [(i.pixel_spacing_mm, i.imager_pixel_spacing_mm) for i in (mine, theirs)]
    for own, other in zip(*known, strict=True):
        if scale is None and own is not None and other is not None:
            scale = (own[1] / other[1], own[0] / other[0])
    ways = list(zip(mine.patient_orientation, theirs.patient_orientation, strict=False))
    turned = [bool(a and b and _OPPOSITE.get(a[0]) == b[0]) for a, b in ways[:2]]
    mirrored = (turned[0], turned[1]) if len(turned) == 2 else (False, False)
    return fitted(first, second, scale, anchor, mirrored)
