"""The panes of an open study: what hangs where, how it is looked at, pictures, gestures, undo. No findings logic here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from app.domain.finding import Finding, Source
from app.domain.geometry import PlaneGeometry, Point3
from app.domain.measurement import Annotation, Measurement
from app.domain.pixels import VoiWindow
from app.domain.problem import Problem
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance
from app.session import rendered_panes
from app.session.cine import Cine
from app.session.curved_desk import THICKNESS_MM, CurvedDesk
from app.session.first_sight import at_first_sight
from app.session.images import Images
from app.session.moments import Moments, moved_to, once
from app.session.open_study import OpenStudy
from app.session.pane_content import PaneContent, offsets_by_hand
from app.session.panes import LayoutView, PaneBox, PaneState, boxes, middle_frame, moved
from app.session.picture import Drawer, PictureRequest, ShownMark
from app.session.registrations import Registrations
from app.session.room_tools import RoomTools
from app.session.saved_objects import SavedObjects
from app.session.second_images import Beside, SecondImages, hung_over
from app.session.views import Changes, Notice
from app.viewer.compositor import SampleCache, geometry_of, voi_of
from app.viewer.decorations import Style
from app.viewer.edits import (
    Edit,
    HideProbe,
    PutAnnotation,
    RemoveAnnotation,
    SelectAnnotation,
    SetAppearance,
    SetPoint,
    SetView,
    ShowProbe,
)
from app.viewer.hanging import Hanging, HungStage, hang
from app.viewer.hanging_protocols import HangingProtocol
from app.viewer.layers import HeatmapLayer, ImageLayer, Layer, MaskLayer, OverMode
from app.viewer.linking import (
    LinkedPane,
    frame_of_reference,
    linked_camera,
    linked_point,
    linked_scroll,
    linked_window,
    nearest_frame,
    point_of,
)
from app.viewer.pane_info import PaneInfo
from app.viewer.presets import WindowPreset, presets_for
from app.viewer.primitives import TextWidth, estimated_width
from app.viewer.tool_api import Button, PointerEvent, Tool, ToolContext, ToolSpec
from app.viewer.tools.registry import discover
from app.viewer.tools.scroll import scrolled
from app.viewer.view_state import Appearance, Plane, Size, SlabMode, ViewState, one_to_one, resolve, true_size
from app.viewer.words import Texts

__all__ = ["DEFAULT_TOOL", "MarkOwner", "OpenStudy", "Overlay", "ReadingRoom"]
DEFAULT_TOOL = "window"


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


class ReadingRoom:
    def __init__(
        self,
        current: OpenStudy,
        priors: Sequence[OpenStudy],
        images: Images,
        owner: MarkOwner,
        announce: Callable[[Changes], None],
        demonstration: bool,
        notice: Callable[[Notice], None] = lambda notice: None,
        protocols: Sequence[HangingProtocol] | None = None,
    ) -> None:
        self._current = current
        self._priors = tuple(priors)
        self._images = images
        self._owner = owner
        self._announce = announce
        self._demonstration = demonstration
        self.content = PaneContent((current, *self._priors), images)
        self.cine = Cine(self, images, lambda: announce(Changes(layout=True)))
        self.second = SecondImages(self.content, images, Registrations(images, announce, notice))
        self.curved = CurvedDesk(images, owner.mark, announce, notice)
        self.content.curved = self.curved.layer
        self._caches: dict[str, SampleCache] = {}
        self._sizes: dict[str, Size] = {}
        self._tools = discover()
        self._tool_name = DEFAULT_TOOL
        self.labels: Labels | None = None
        """What lies over a film besides marks and may be dragged (tooth numbers)."""
        self._gestures: dict[str, Tool] = {}
        self._probe: tuple[str, tuple[float, float], tuple[Measurement, ...]] | None = None
        self.extras = RoomTools()
        self.extras.curve_drawn = self._open_curve
        self.screen_mm_per_px: float | None = None
        """Site setting: the monitor's pixel, measured once."""
        self.on_remember: Callable[[], None] = lambda: None
        """Called before the panes change: what is to be undone is noted."""
        self.point_mm: Point3 | None = None
        self.linked = True
        self.corner_texts = True
        self.crosshair = True
        self.texts: Texts = {}
        self.saved: SavedObjects | None = None
        """What others saved with the study; set by whoever opens it."""
        self.solid = rendered_panes.SolidDesk(owner.mark, lambda: self.saved)
        self.text_width: TextWidth = estimated_width
        self.moments = Moments(self.content, self._put_panes)
        self.cine.moments = self.moments.of_pane
        self.cine.show_moment = lambda pane_id, moment: self._panes.update({pane_id: moved_to(self._panes[pane_id], moment)})
        self.hanging: Hanging = hang(
            current.study,
            once(current.display_sets),
            tuple((p.study, once(p.display_sets)) for p in self._priors),
            protocols,
        )
        self._stage = 0
        self._layout = "1x1"
        self._panes: dict[str, PaneState] = {}
        self.active = "pane-0"
        self._hang_stage(0)

    # -- arrangement -----------------------------------------------------------------------------------------------

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
                over=hung_over(hung.over),
                ai=hung.ai,
                fit_exposed=hung.fit_exposed,
                guessed=hung.guessed,
            )
            if hung.window is not None:
                state = replace(state, appearance=replace(state.appearance, window=hung.window))
            panes[box.pane_id] = state
        self._panes = panes
        self.active = "pane-0"
        self._caches.clear()

    def place_in(self, prior: OpenStudy, finding: Finding) -> Callable[[Point3], Point3 | None]:
        """Where a position of the current study lies in a prior: by frame of reference, or by a known registration."""
        mine = finding.location.frame_of_reference_uid
        theirs = {i.frame_of_reference_uid for s in prior.study.series for i in s.instances}
        if mine and mine in theirs:
            return lambda point: point
        for now in self._current.display_sets:
            planes = self.content.planes(now)
            if not any(p is not None and p.frame_of_reference_uid == mine for p in planes[:1]):
                continue
            for then in prior.display_sets:
                transform = self.second.registrations.found(now.display_set_id, then.display_set_id)
                if transform is not None:
                    return transform.apply
        return lambda point: None

    def put_back(self, layout: str, stage: int, active: str, panes: Sequence[PaneState]) -> None:
        """The panes as they stood before the programme died."""
        self._layout, self._panes = layout, {p.pane_id: p for p in panes}
        self._stage = stage if 0 <= stage < len(self.stages) else 0
        self.active = active if active in self._panes else next(iter(self._panes))
        self._caches.clear()
        self._announce(Changes(layout=True, view=True))

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
        states = list(shown) + [self._fresh(d) for d in rest]
        self._panes = {
            box.pane_id: replace(states[n], pane_id=box.pane_id) if n < len(states) else PaneState(box.pane_id)
            for n, box in enumerate(places)
        }
        self._layout = name
        if self.active not in self._panes:
            self.active = "pane-0"
        self._caches.clear()
        self._announce(Changes(layout=True, view=True))

    def _fresh(self, display_set: DisplaySet) -> PaneState:
        is_prior = display_set.study_instance_uid != self._current.study.study_instance_uid
        start = middle_frame(display_set) if display_set.kind is DisplaySetKind.STACK else 0
        view = ViewState(display_set_id=display_set.display_set_id, frame_index=start)
        # A pane that the reader fills by hand follows the others as a hung one would.
        link = next((p.link for p in self._panes.values() if p.link), "")
        return PaneState("", display_set.display_set_id, view, prior=is_prior, link=link)

    def put_in_pane(self, pane_id: str, display_set_id: str) -> None:
        self._remember()
        self._panes[pane_id] = replace(self._fresh(self.content.set_by_id(display_set_id)), pane_id=pane_id)
        self._caches.pop(pane_id, None)
        self.activate(pane_id)
        self._announce(Changes(layout=True, view=True))

    def activate(self, pane_id: str) -> None:
        if pane_id in self._panes and pane_id != self.active:
            self.active = pane_id
            self._announce(Changes(layout=True))

    def pane(self, pane_id: str) -> PaneState:
        return self._panes[pane_id]

    def panes(self) -> tuple[PaneState, ...]:
        return tuple(self._panes.values())

    def shown_sets(self) -> set[str]:
        return {p.display_set_id for p in self._panes.values() if p.display_set_id}

    # -- what lies in a pane ---------------------------------------------------------------------------------------

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

    def _view_ready(self, pane: PaneState, layer: ImageLayer) -> ViewState:
        if pane.curve and pane.view.plane is Plane.OBLIQUE:
            return self.curved.cross_section(pane.curve, pane.view)
        self._panes[pane.pane_id] = at_first_sight(pane, layer, self.point_mm)
        return self._panes[pane.pane_id].view

    def info(self, pane: PaneState, layer: ImageLayer | None, overlay: Overlay) -> PaneInfo:
        if self.display_set(pane) is None:
            return PaneInfo()
        registered, poorly = self.second.registered(pane, self.panes())
        info = self.content.info(pane, layer, self.point_mm)
        looks = self.saved.remarks(pane, layer) if self.saved is not None else ()
        info = replace(info, remarks=(*info.remarks, *self.second.remarks(pane), *looks, *self.moments.remark(pane)))
        noted = (*self.curved.noted(pane), *self.second.states(pane, layer))
        states = (*info.states, *noted, *(("viewer.registered_poorly",) if poorly else ()))
        return replace(
            info,
            states=states,
            registered=registered,
            cine=self.cine.info(pane),
            demonstration=self._demonstration,
            ai_shown=overlay.ai_shown and not pane.prior,
            ai_research_only=overlay.research_only,
        )

    def picture_request(self, pane_id: str, size: Size, scale: float, draft: bool) -> PictureRequest:
        """A frozen request for a pane's picture of ``size`` device pixels."""
        pane = self._panes[pane_id]
        self._sizes[pane_id] = size
        refs = [r for p in self._panes.values() if (r := self.frame_ref(p)) is not None]
        self._images.showing(refs, self.shown_sets() | {p.over.display_set_id for p in self._panes.values() if p.over})
        layer = self.image_layer(pane)
        overlay = self._owner.overlay()
        style = Style(scale, self.text_width, self.corner_texts, self._layout == "mount18")
        cache = self._caches.setdefault(pane_id, SampleCache())
        view = pane.view
        layers: list[Layer] = []
        drawers: tuple[Drawer, ...] = ()
        if layer is not None:
            view = self._view_ready(pane, layer)
            saved: tuple[Layer, ...] = ()
            if self.saved is not None:
                self.saved.screen_mm_per_px = self.screen_mm_per_px
                view, layer, saved, drawers = self.saved.dressed(pane, view, layer, size, self.texts)
                if view != self._panes[pane_id].view:
                    self._panes[pane_id] = replace(self._panes[pane_id], view=view)
            if self.labels is not None and not pane.prior:
                drawers = (*drawers, *self.labels.drawers(layer.sop_instance_uid))
            cover = self.content.angio.cover_layer(layer)
            saved = (cover, *saved) if cover is not None else saved
            self.solid.asked(pane, draft)
            over = self.second.layer(pane, layer)
            drawers = (*drawers, *self.second.drawers(pane, layer, self.texts))
            shown = () if pane.prior or not pane.ai else overlay.layers
            layers = [layer, *((over,) if over is not None else ()), *saved, *shown]
        problem = self.problem(pane) if layer is None else None
        loading = layer is None and problem is None and bool(pane.display_set_id)
        probe = None
        if self._probe is not None and self._probe[0] == pane_id:
            probe = (self._probe[1], self._probe[2])
        return PictureRequest(
            pane_id=pane_id,
            view=view,
            layers=tuple(layers),
            size=size,
            info=self.info(pane, layer, overlay),
            texts=self.texts,
            style=style,
            cache=cache,
            marks=self._marks_on(pane, overlay),
            probe=probe,
            point_mm=self.point_mm if self._tool_name == "cursor3d" else None,
            band=self.extras.band_in(pane_id),
            lens=self.extras.lens_in(pane_id),
            drawers=(
                *drawers,
                *self.curved.drawers(pane),
                *self.extras.pane_drawers(pane),
                *self.solid.drawers(pane, layer),
            ),
            handles=self.solid.handles(pane, layer),
            cut=self.solid.cut(pane) if rendered_panes.is_rendered(pane) else None,
            starred=layer is not None and (layer.sop_instance_uid, layer.frame_number) in self._owner.starred(),
            cross_references=self._cross_references(pane) if self.linked else (),
            draft=draft,
            loading=loading,
            fraction=self._images.volume_fraction(pane.display_set_id),
            problem=problem,
        )

    def _cross_references(self, pane: PaneState) -> tuple[PlaneGeometry, ...]:
        """The active pane's plane on the others."""
        active = self._panes.get(self.active)
        if active is None or active.pane_id == pane.pane_id or active.prior != pane.prior or not self.crosshair:
            return ()
        if rendered_panes.is_rendered(active) or rendered_panes.is_rendered(pane):
            return ()
        layer = self.image_layer(active)
        if layer is None:
            return ()
        plane = geometry_of(layer, self._view_ready(active, layer)).plane
        return (plane,) if plane is not None else ()

    # -- gestures --------------------------------------------------------------------------------------------------

    @property
    def tool_name(self) -> str:
        return self._tool_name

    def tool_specs(self) -> tuple[ToolSpec, ...]:
        return self._tools.tools

    def set_tool(self, name: str) -> None:
        if name in self._tools.by_name():
            self._tool_name = name
            self._probe = None
            self._announce(Changes(layout=True))

    def context(self, pane_id: str) -> ToolContext | None:
        pane = self._panes[pane_id]
        layer = self.image_layer(pane)
        size = self._sizes.get(pane_id)
        if layer is None or size is None:
            return None
        if self.saved is not None:
            layer = self.saved.value_maps.measured(layer)
        view = self._view_ready(pane, layer)
        chosen = self.display_set(pane)
        voi = voi_of(layer, self._caches.setdefault(pane_id, SampleCache()))
        return ToolContext(
            resolve(view, size, geometry_of(layer, view)),
            layer,
            voi if isinstance(voi, VoiWindow) else None,
            len(chosen.frames) if chosen else 1,
            self._owner.annotations(),
            self._owner.selected_id(),
            self._beside(pane, layer),
        )

    def _beside(self, pane: PaneState, layer: ImageLayer) -> Beside:
        """The dose of a plan and the values of maps at a place, for the probe."""
        dose = self.second.dose(pane, layer)
        maps = self.saved.beside(layer) if self.saved is not None else None
        return dose if maps is None else lambda point_mm, px: (*dose(point_mm, px), *maps(point_mm, px))

    def _tool_for(self, pane_id: str, name: str) -> Tool:
        key = f"{pane_id}/{name}"
        if key not in self._gestures:
            self._gestures[key] = self._tools.by_name()[name].make()
        return self._gestures[key]

    def pointer(self, pane_id: str, kind: str, event: PointerEvent, tool: str = "") -> None:
        """``kind``: press, drag, release, hover or wheel. ``tool`` overrides the chosen one (middle button pans...)."""
        if kind == "press":
            self.activate(pane_id)
        if kind in ("press", "wheel"):
            self.cine.stop(pane_id)
        if kind == "wheel" and self._panes[pane_id].curve and tool != "zoom":
            self.curved.step(self._panes[pane_id].curve, -round(event.wheel) or -1)
            self._announce(Changes(view=True))
            return
        if kind == "wheel" and event.alt and self.step_moment(-round(event.wheel) or -1, pane_id):
            return
        context = self.context(pane_id)
        if context is None:
            return
        if self._label_takes(kind, event, context, tool):
            return
        name = tool or ("scroll" if kind == "wheel" else self._tool_name)
        name = rendered_panes.tool_of(self._panes[pane_id], name, kind)
        handler = self._tool_for(pane_id, name)
        if kind == "press":
            self._remember()
        edits = getattr(handler, kind)(event, context)
        self.apply(pane_id, edits, context)

    def _label_takes(self, kind: str, event: PointerEvent, context: ToolContext, tool: str) -> bool:
        """A left drag that begins on a movable label is the label's; nothing else of the tools changes."""
        if self.labels is None or tool or kind not in ("press", "drag", "release") or event.button is not Button.LEFT:
            return False
        taken = bool(getattr(self.labels, kind)(event, context))
        if taken:
            self._announce(Changes(view=True))
        return taken

    def cancel_gesture(self) -> None:
        for key, tool in self._gestures.items():
            self.apply(key.split("/", 1)[0], tool.cancel())

    def apply(self, pane_id: str, edits: Sequence[Edit], context: ToolContext | None = None) -> None:
        looked, changed_marks = False, False
        for edit in edits:
            if self.extras.take(pane_id, edit, context, self.display_set(self._panes[pane_id])):
                looked = True
            elif isinstance(edit, SetView):
                self._set_view(pane_id, edit.view)
                looked = True
            elif isinstance(edit, SetAppearance):
                self._set_appearance(pane_id, edit.appearance)
                looked = True
            elif isinstance(edit, PutAnnotation):
                self._owner.put_annotation(edit.annotation, edit.provisional)
                changed_marks = True
            elif isinstance(edit, RemoveAnnotation):
                self._owner.remove_annotation(edit.annotation_id)
                changed_marks = True
            elif isinstance(edit, SelectAnnotation):
                self._owner.select(edit.annotation_id)
                changed_marks = True
            elif isinstance(edit, ShowProbe):
                self._probe = (pane_id, edit.pane, edit.measurements)
                looked = True
            elif isinstance(edit, HideProbe):
                self._probe = None
                looked = True
            elif isinstance(edit, SetPoint):
                self.show_point(edit.point_mm, pane_id)
                looked = True
        if looked or changed_marks:
            self._announce(Changes(view=looked, findings=changed_marks))

    def toggle_subtraction(self) -> None:
        """Shows the active pane's frames less their mask, or as they were taken."""
        chosen = self.display_set(self._panes[self.active])
        if chosen is not None and self.content.angio.can_subtract(chosen):
            self.content.angio.toggle(chosen)
            self._announce(Changes(view=True, layout=True))

    def subtracts(self) -> bool:
        """The active pane shows differences."""
        chosen = self.display_set(self._panes[self.active])
        return chosen is not None and self.content.angio.can_subtract(chosen) and self.content.angio.subtracts(chosen)

    def move(self, pane_id: str, view: ViewState) -> None:
        """A pane's new view with what is linked to it; the caller announces."""
        self._set_view(pane_id, view)

    def rearrange(self, films: Mapping[str, PaneState | None]) -> None:
        """What lies in every pane of a mount; places keep their names."""
        self._remember()
        self._panes = {i: moved(p, films.get(i)) for i, p in self._panes.items()}
        self._caches.clear()
        self._announce(Changes(view=True, layout=True))

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

    def _set_appearance(self, pane_id: str, appearance: Appearance) -> None:
        """A new window goes to the linked panes that had the same one: the reformats of one series look alike."""
        before = self._panes[pane_id]
        self._panes[pane_id] = replace(before, appearance=appearance)
        if not self.linked or appearance.window == before.appearance.window:
            return
        for other in linked_window(self.content.linked(before), tuple(self.content.linked(p) for p in self._panes.values())):
            pane = self._panes[other]
            self._panes[other] = replace(pane, appearance=replace(pane.appearance, window=appearance.window))

    def _linked(self, pane: PaneState) -> LinkedPane:
        return self.second.linked(pane, self.panes())

    def next_change(self) -> Problem | None:
        """The active pane against its prior: difference, flicker, off again; says why there is none."""
        changed = self.second.next_change(self._panes[self.active], self.panes())
        if isinstance(changed, Problem):
            return changed
        self._remember()
        self._panes[self.active] = changed
        self._announce(Changes(view=True, layout=True))
        return None

    @staticmethod
    def _marks_on(pane: PaneState, overlay: Overlay) -> tuple[ShownMark, ...]:
        """Those of the current study; none where depth is not shown, the reader's own where the protocol wants no others."""
        if pane.prior or rendered_panes.is_rendered(pane):
            return ()
        return tuple(m for m in overlay.marks if pane.ai or m.finding.source is Source.MINE)

    def _open_curve(self, pane_id: str, curve_id: str) -> None:
        """The drawn pane, the reformat along the curve, a cross-section: side by side."""
        drawn = self._panes[pane_id]
        chosen = self.display_set(drawn)
        if chosen is None or not self._images.can_be_volume(chosen):
            return
        if any(p.curve == curve_id for p in self._panes.values()):
            return
        self._remember()
        places = boxes("1+2")
        look = drawn.appearance
        along = ViewState(drawn.display_set_id, Plane.CURVED, slab_mm=THICKNESS_MM, slab_mode=SlabMode.MEAN)
        across = ViewState(drawn.display_set_id, Plane.OBLIQUE)
        states = (
            PaneState(places[0].pane_id, drawn.display_set_id, along, look, curve=curve_id),
            replace(drawn, pane_id=places[1].pane_id),
            PaneState(places[2].pane_id, drawn.display_set_id, across, look, curve=curve_id),
        )
        self._panes = {s.pane_id: s for s in states}
        self._layout, self.active = "1+2", places[1].pane_id
        self._caches.clear()
        self._announce(Changes(layout=True, view=True))

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

    def volume_looks(self) -> tuple[tuple[str, bool], ...]:
        """(name, chosen) when the active pane is a rendering, else nothing."""
        pane = self._panes.get(self.active)
        if pane is None or not rendered_panes.is_rendered(pane):
            return ()
        return rendered_panes.looks(self.image_layer(pane), pane.view)

    def toggle_crop_box(self) -> None:
        """The box of the active 3D view with its handles, and the view far enough to see them; and away again."""
        if rendered_panes.is_rendered(self._panes[self.active]):
            self.change_view(**rendered_panes.box_toggled(self._panes[self.active].view))

    def show_only(self, part_id: str, hide: bool = False) -> None:
        """The 3D view of the active pane shows a mask's voxels alone, or without them; "" shows all."""
        self._remember()
        self._panes[self.active] = replace(self._panes[self.active], only_mask=part_id, hide_mask=hide)
        self._announce(Changes(view=True))

    def step_moment(self, by: int, pane_id: str = "") -> bool:
        """Another moment of the 4D series of a pane (the active one); False where there is one only."""
        return self.moments.step(self._panes[pane_id or self.active], self.panes(), by)

    def _put_panes(self, panes: Sequence[PaneState]) -> None:
        self._panes.update({p.pane_id: p for p in panes})
        self._announce(Changes(view=True, layout=True))

    def flickers(self) -> bool:
        return any(p.over is not None and p.over.flicker for p in self._panes.values())

    def flicker(self) -> None:
        """The other of the two images, in every pane that flickers."""
        self.second.flicker_on = not self.second.flicker_on
        self._announce(Changes(view=True))

    def fuse(self, by: float) -> None:
        """More or less of what lies over the active pane."""
        pane = self._panes[self.active]
        if pane.over is not None and pane.over.mode is OverMode.BLEND:
            self._remember()
            look = pane.over.appearance
            look = replace(look, opacity=min(1.0, max(0.0, round(look.opacity + by, 2))))
            self._panes[self.active] = replace(pane, over=replace(pane.over, appearance=look))
            self._announce(Changes(view=True))

    def _take(self, views: Mapping[str, ViewState]) -> None:
        for pane_id, view in views.items():
            self._panes[pane_id] = replace(self._panes[pane_id], view=view)

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
        self._announce(Changes(view=True))

    def frame_nearest(self, pane_id: str, sop_instance_uid: str) -> int | None:
        chosen = self.display_set(self._panes[pane_id])
        if chosen is None:
            return None
        return next((n for n, f in enumerate(chosen.frames) if f.sop_instance_uid == sop_instance_uid), None)

    def frame_nearest_point(self, pane_id: str, point_mm: Point3) -> int | None:
        """The frame of the pane's display set that lies nearest to a patient position; None without positions."""
        chosen = self.display_set(self._panes[pane_id])
        return None if chosen is None else nearest_frame(self.content.planes(chosen), point_mm)

    def plain_overlay(self) -> Overlay:
        """Nothing over the image: for pictures that bring their own marks."""
        return Overlay()

    # -- looks by command ------------------------------------------------------------------------------------------

    def change_view(self, **fields: object) -> None:
        """Sets fields of the active pane's view; remembered for undo."""
        self._remember()
        pane = self._panes[self.active]
        self._set_view(self.active, replace(pane.view, **fields))  # type: ignore[arg-type]
        self._announce(Changes(view=True))

    def scroll(self, steps: int) -> None:
        context = self.context(self.active)
        if context is not None:
            self._set_view(self.active, scrolled(context.view, context, steps))
            self._announce(Changes(view=True))

    def set_window(self, window: VoiWindow | None) -> None:
        self._remember()
        pane = self._panes[self.active]
        self._set_appearance(self.active, replace(pane.appearance, window=window))
        self._announce(Changes(view=True))

    def preset(self, name: str) -> None:
        found = next((p for p in self.presets() if p.name == name), None)
        if found is not None:
            self.set_window(found.window)

    def presets(self) -> tuple[WindowPreset, ...]:
        layer = self.image_layer(self._panes[self.active]) if self.active in self._panes else None
        return presets_for(layer.unit, layer.suv) if layer is not None else ()

    def one_to_one(self) -> None:
        context = self.context(self.active)
        if context is not None:
            self._remember()
            self._set_view(self.active, one_to_one(context.view, context.resolved.size, context.resolved.geometry))
            self._announce(Changes(view=True))

    def true_size(self) -> Problem | None:
        """A millimetre of the patient on a millimetre of the screen; says why it cannot be."""
        context = self.context(self.active)
        if context is None:
            return None
        if self.screen_mm_per_px is None:
            return Problem("viewer.true_size_uncalibrated")
        view = true_size(context.view, context.resolved.size, context.resolved.geometry, self.screen_mm_per_px)
        if view is None:
            return Problem("viewer.true_size_no_mm")
        self._remember()
        self._set_view(self.active, view)
        self._panes[self.active] = replace(self._panes[self.active], true_size=True)
        self._announce(Changes(view=True))
        return None

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
        base = hung.view if hung is not None and hung.display_set_id == pane.display_set_id else ViewState()
        view = replace(
            base,
            display_set_id=pane.display_set_id,
            plane=pane.view.plane,
            frame_index=pane.view.frame_index,
            point_mm=pane.view.point_mm,
        )
        window = hung.window if hung is not None and hung.display_set_id == pane.display_set_id else None
        self._panes[self.active] = replace(pane, view=view, appearance=replace(pane.appearance, window=window))
        self._announce(Changes(view=True))

    def toggle(self, name: str) -> None:
        """corner_texts, linked or crosshair."""
        setattr(self, name, not getattr(self, name))
        self._announce(Changes(view=True, layout=True))

    def _remember(self) -> None:
        self.on_remember()

    def boxes(self) -> tuple[PaneBox, ...]:
        return boxes(self._layout)
