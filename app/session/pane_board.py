"""The panes of an open study: what hangs where, and what lies in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.domain.finding import Finding
from app.domain.geometry import Point3
from app.domain.problem import Problem
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance
from app.session.images import Images
from app.session.moments import once
from app.session.open_study import OpenStudy
from app.session.pane_content import PaneContent
from app.session.panes import LayoutView, PaneBox, PaneState, boxes, middle_frame, moved
from app.session.registrations import Registrations
from app.session.second_images import SecondImages, hung_over
from app.session.views import Changes, Notice
from app.viewer.compositor import SampleCache
from app.viewer.hanging import Hanging, HungStage, hang
from app.viewer.hanging_protocols import HangingProtocol
from app.viewer.layers import ImageLayer
from app.viewer.linking import (
    nearest_frame,
)
from app.viewer.view_state import Size, ViewState


def _as_found(pane: PaneState, hung: PaneState | None) -> PaneState:
    """Without what the picture itself brought: the exposed field that it is fitted to."""
    if hung is None:
        return pane
    return replace(pane, fit_exposed=hung.fit_exposed, view=replace(pane.view, fit_box=hung.view.fit_box))


def _arranged(pane: PaneState) -> PaneState:
    """Without where in its images the pane is: a linked one follows the hand that is in another."""
    return replace(pane, fit_exposed=False, view=ViewState(plane=pane.view.plane))


def _same(pane: PaneState, hung: PaneState) -> bool:
    """The same images on the same plane in the same window: it stays where it is looked at."""
    return _arranged(pane) == _arranged(hung)


class PaneBoard:
    """Which display set lies where: stages, grids, what is in a pane. Knows nothing of marks and tools."""

    def __init__(
        self,
        current: OpenStudy,
        images: Images,
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
        protocols: Sequence[HangingProtocol] | None,
    ) -> None:
        self._current = current
        self._priors: tuple[OpenStudy, ...] = ()
        self._images = images
        self._announce = announce
        self.protocols = protocols
        """Those that were offered; None: the shipped ones."""
        self.content = PaneContent((current,), images)
        self.second = SecondImages(self.content, images, Registrations(images, announce, notice))
        self.second.change.arrived = lambda: announce(Changes(view=True, layout=True))
        self._caches: dict[str, SampleCache] = {}
        self._sizes: dict[str, Size] = {}
        self._references: dict[str, frozenset[str]] = {}
        self.on_remember: Callable[[], None] = lambda: None
        """Called before the panes change: what is to be undone is noted."""
        self.hanging: Hanging = self.judged()()
        self._stage = 0
        self._layout = "1x1"
        self._panes: dict[str, PaneState] = {}
        self._hung: tuple[str, dict[str, PaneState]] = ("", {})
        """(layout, panes) as the stage brought them: what differs is the reader's own."""
        self.active = "pane-0"
        self._hang_stage(0)

    @property
    def stages(self) -> tuple[HungStage, ...]:
        return self.hanging.stages

    @property
    def stage(self) -> int:
        return self._stage

    def _hang_stage(self, number: int) -> None:
        if not self.stages:
            self._panes = {"pane-0": PaneState("pane-0")}
            return
        stage = self.stages[number]
        self._stage, self._layout = number, stage.layout
        panes: dict[str, PaneState] = {}
        for box, hung in zip(boxes(stage.layout), stage.panes, strict=False):
            state = PaneState(
                box.pane_id,
                hung.display_set_id,
                hung.view,
                prior=hung.prior,
                preset=hung.preset,
                title=hung.label,
                link=hung.link,
                over=hung_over(hung.over, hung.over_mode, hung.flicker, hung.over_look, hung.over_preset),
                ai=hung.ai,
                fit_exposed=hung.fit_exposed,
                guessed=hung.guessed,
            )
            if hung.window is not None:
                state = replace(state, appearance=replace(state.appearance, window=hung.window))
            panes[box.pane_id] = state
        self._panes, self._hung = panes, (stage.layout, dict(panes))
        self.active = "pane-0"
        self._caches.clear()

    # -- earlier studies -------------------------------------------------------------------------------------------

    def add_prior(self, prior: OpenStudy) -> None:
        """An earlier study that was read meanwhile: panes can show it; it hangs with ``take_hanging``."""
        self._priors = (*self._priors, prior)
        self.content.add(prior)

    def judged(self) -> Callable[[], Hanging]:
        """How everything that is open now hangs; may be called on another thread."""
        current, priors, protocols = self._current, self._priors, self.protocols
        older = tuple((p.study, once(p.display_sets)) for p in priors)
        return lambda: hang(current.study, once(current.display_sets), older, protocols)

    def take_hanging(self, hanging: Hanging) -> None:
        """Hangs it without disturbing the reader: a pane that was arranged by hand, or is being looked through, keeps what
        it shows; another grid stays as it is, and no grid changes under a hand."""
        name = self.stages[self._stage].name if self._stage else ""
        layout, panes, active = self._layout, self._panes, self.active
        hung = self._hung[1]
        touched = {i for i, p in panes.items() if _as_found(p, hung.get(i)) != hung.get(i)}
        own = {i for i in touched if i == active or (i in hung and _arranged(panes[i]) != _arranged(hung[i]))}
        moved_on = bool(touched) or layout != self._hung[0]
        self.hanging = hanging
        self._hang_stage(next((n for n, s in enumerate(hanging.stages) if s.name == name), 0))
        if moved_on and layout == self._layout:
            self._panes = {i: panes[i] if i in own or _same(panes[i], p) else p for i, p in self._panes.items()}
        elif moved_on:
            self._layout, self._panes = layout, panes
        self.active = active if active in self._panes else self.active
        self._announce(Changes(layout=True, view=True))

    def references_of(self, opened: OpenStudy) -> frozenset[str]:
        """Frames of reference of a study's images; asked for with every drawing, so they are gathered once."""
        uid = opened.study.study_instance_uid
        if uid not in self._references:
            every = (i.frame_of_reference_uid for s in opened.study.series for i in s.instances)
            self._references[uid] = frozenset(reference for reference in every if reference)
        return self._references[uid]

    def place_in(self, prior: OpenStudy, finding: Finding) -> Callable[[Point3], Point3 | None]:
        """Where a position of the current study lies in a prior: by frame of reference, or by a known good registration."""
        mine = finding.location.frame_of_reference_uid
        if mine and mine in self.references_of(prior):
            return lambda point: point
        for now in self._current.display_sets:
            planes = self.content.planes(now)
            if not any(p is not None and p.frame_of_reference_uid == mine for p in planes[:1]):
                continue
            for then in prior.display_sets:
                transform = self.second.registrations.found(now.display_set_id, then.display_set_id)
                if transform is not None and not transform.poor:
                    return transform.apply
        return lambda point: None

    def put_back(self, layout: str, stage: int, active: str, panes: Sequence[PaneState]) -> None:
        """The panes as they stood before; what lay over one and is not there any more is left out."""
        self._layout, self._panes = layout, {p.pane_id: self._with_known_over(p) for p in panes}
        self._stage = stage if 0 <= stage < len(self.stages) else 0
        self.active = active if active in self._panes else next(iter(self._panes))
        self._caches.clear()
        self._announce(Changes(layout=True, view=True))

    def _with_known_over(self, pane: PaneState) -> PaneState:
        lost = pane.over is not None and not self.content.knows(pane.over.display_set_id)
        return replace(pane, over=None) if lost else pane

    def instance(self, sop_instance_uid: str) -> Instance | None:
        return self._images.instance(sop_instance_uid)

    def pane_size(self, pane_id: str) -> Size | None:
        """Of the pane on the screen, as its last picture was asked for."""
        return self._sizes.get(pane_id)

    def set_pane_size(self, pane_id: str, size: Size) -> None:
        self._sizes[pane_id] = size

    def studies(self) -> tuple[OpenStudy, tuple[OpenStudy, ...]]:
        """The current one and its priors."""
        return self._current, self._priors

    def as_hung(self) -> bool:
        """True while layout, sets and planes are still those of a stage."""
        now = [(p.display_set_id, p.view.plane) for p in self._panes.values()]
        return not self.stages or any(
            s.layout == self._layout and [(p.display_set_id, p.view.plane) for p in s.panes] == now for s in self.stages
        )

    def go_to_stage(self, number: int) -> None:
        if 0 <= number < len(self.stages):
            self._remember()
            self._hang_stage(number)
            self._announce(Changes(layout=True, view=True))

    def layout(self) -> LayoutView:
        return LayoutView(self._layout, boxes(self._layout), self.active)

    def set_layout(self, name: str) -> None:
        """Another grid; the panes that stay keep what they show, new ones take the sets that are not yet shown."""
        self._remember()
        places = boxes(name)
        shown = [p for p in self._panes.values() if p.display_set_id][: len(places)]
        rest = [
            d
            for d in once(self._current.display_sets)
            if d.display_set_id not in {p.display_set_id for p in shown} and d.kind is not DisplaySetKind.DERIVED
        ]
        states = list(shown) + [self.as_hung_by_hand(d) for d in rest]
        self._panes = {
            box.pane_id: replace(states[n], pane_id=box.pane_id) if n < len(states) else PaneState(box.pane_id)
            for n, box in enumerate(places)
        }
        self._layout = name
        if self.active not in self._panes:
            self.active = "pane-0"
        self._caches.clear()
        self._announce(Changes(layout=True, view=True))

    def as_hung_by_hand(self, display_set: DisplaySet) -> PaneState:
        """The state of a pane, without a name, into which ``display_set`` is put."""
        is_prior = display_set.study_instance_uid != self._current.study.study_instance_uid
        start = middle_frame(display_set) if display_set.kind is DisplaySetKind.STACK else 0
        view = ViewState(display_set_id=display_set.display_set_id, frame_index=start)
        # A pane that the reader fills by hand follows the others as a hung one would.
        link = next((p.link for p in self._panes.values() if p.link), "")
        return PaneState("", display_set.display_set_id, view, prior=is_prior, link=link)

    def put_in_pane(self, pane_id: str, display_set_id: str) -> None:
        self._remember()
        self._panes[pane_id] = replace(self.as_hung_by_hand(self.content.set_by_id(display_set_id)), pane_id=pane_id)
        self._caches.pop(pane_id, None)
        self.activate(pane_id)
        self._announce(Changes(layout=True, view=True))

    def activate(self, pane_id: str) -> None:
        if pane_id in self._panes and pane_id != self.active:
            self.active = pane_id
            self._announce(Changes(layout=True))

    def pane(self, pane_id: str) -> PaneState:
        return self._panes[pane_id]

    def stand_in(self, pane: PaneState) -> None:
        """A pane as it is wanted for a picture that is not for the screen; the caller puts it back, and nobody is told."""
        self._panes[pane.pane_id] = pane

    def panes(self) -> tuple[PaneState, ...]:
        return tuple(self._panes.values())

    def shown_sets(self) -> set[str]:
        return {p.display_set_id for p in self._panes.values() if p.display_set_id}

    def display_set(self, pane: PaneState) -> DisplaySet | None:
        return self.content.display_set(pane)

    def frame_ref(self, pane: PaneState) -> FrameRef | None:
        """The acquired frame that a STACK pane shows."""
        return self.content.frame_ref(pane)

    def image_layer(self, pane: PaneState) -> ImageLayer | None:
        """The image of a pane, None while it is being made ready (it has been asked for)."""
        return self.content.image_layer(pane)

    def frame_layer(self, pane: PaneState) -> ImageLayer | None:
        """The acquired frame of a pane as a layer, whatever plane it is on; None while it is being decoded."""
        return self.content.frame_layer(pane)

    def problem(self, pane: PaneState) -> Problem | None:
        """Why a pane cannot show its images."""
        return self.content.problem(pane)

    def rearrange(self, films: Mapping[str, PaneState | None]) -> None:
        """What lies in every pane of a mount; places keep their names."""
        self._remember()
        self._panes = {i: moved(p, films.get(i)) for i, p in self._panes.items()}
        self._caches.clear()
        self._announce(Changes(view=True, layout=True))

    def boxes(self) -> tuple[PaneBox, ...]:
        return boxes(self._layout)

    def _remember(self) -> None:
        self.on_remember()

    def change_panes(self, panes: Sequence[PaneState]) -> None:
        """Panes in the places that their names say, as a step that can be undone."""
        self._remember()
        self._put_panes(panes)

    def take_panes(self, panes: Sequence[PaneState]) -> None:
        """The same within a gesture, which was remembered when it began."""
        self._panes.update({p.pane_id: p for p in panes})

    def _put_panes(self, panes: Sequence[PaneState]) -> None:
        self._panes.update({p.pane_id: p for p in panes})
        self._announce(Changes(view=True, layout=True))

    def _take(self, views: Mapping[str, ViewState]) -> None:
        for pane_id, view in views.items():
            self._panes[pane_id] = replace(self._panes[pane_id], view=view)

    def frame_nearest(self, pane_id: str, sop_instance_uid: str) -> int | None:
        chosen = self.display_set(self._panes[pane_id])
        if chosen is None:
            return None
        return next((n for n, f in enumerate(chosen.frames) if f.sop_instance_uid == sop_instance_uid), None)

    def frame_nearest_point(self, pane_id: str, point_mm: Point3) -> int | None:
        """The frame of the pane's display set that lies nearest to a patient position; None without positions."""
        chosen = self.display_set(self._panes[pane_id])
        return None if chosen is None else nearest_frame(self.content.planes(chosen), point_mm)
