"""The panes of an open study with pictures, gestures and marks. No findings logic here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.domain.finding import Source
from app.domain.geometry import PlaneGeometry
from app.domain.measurement import Measurement
from app.domain.pixels import VoiWindow
from app.domain.problem import Problem
from app.session import rendered_panes
from app.session.cine import Cine
from app.session.cross_sections import opened, stepped
from app.session.curved_desk import CurvedDesk
from app.session.first_sight import at_first_sight
from app.session.fusion_desk import FusionDesk
from app.session.images import Images
from app.session.moments import moved_to
from app.session.open_study import OpenStudy
from app.session.pane_looks import PaneLooks
from app.session.panes import PaneState
from app.session.picture import Drawer, PictureRequest, ShownMark
from app.session.reformats import fellows
from app.session.room_sides import Labels, MarkOwner, Overlay
from app.session.room_tools import RoomTools
from app.session.second_images import Beside
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
    SetOverWindow,
    SetPoint,
    SetView,
    SetViews,
    ShowProbe,
)
from app.viewer.hanging_protocols import HangingProtocol
from app.viewer.layers import ImageLayer, Layer
from app.viewer.pane_info import PaneInfo
from app.viewer.primitives import TextWidth, estimated_width
from app.viewer.tool_api import Button, PointerEvent, Tool, ToolContext, ToolSpec
from app.viewer.tools.registry import discover
from app.viewer.tools.scroll import scrolled
from app.viewer.triad import Fellow, triad_primitives
from app.viewer.view_state import Plane, Size, ViewState, one_to_one, resolve, true_size
from app.viewer.words import Texts

DEFAULT_TOOL = "window"


class ReadingRoom(PaneLooks):
    """The panes with what is drawn over them and what hands do on them."""

    def __init__(
        self,
        current: OpenStudy,
        images: Images,
        owner: MarkOwner,
        announce: Callable[[Changes], None],
        demonstration: bool,
        notice: Callable[[Notice], None] = lambda notice: None,
        protocols: Sequence[HangingProtocol] | None = None,
    ) -> None:
        super().__init__(current, images, owner.mark, announce, notice, protocols)
        self._owner = owner
        self._demonstration = demonstration
        self.cine = Cine(self, images, lambda: announce(Changes(layout=True)))
        self.cine.moments = self.moments.of_pane
        self.cine.show_moment = lambda pane_id, moment: self._panes.update({pane_id: moved_to(self._panes[pane_id], moment)})
        self.curved = CurvedDesk(images, owner.mark, announce, notice)
        self.content.curved = self.curved.layer
        self.fusion = FusionDesk(self, images, self._put_panes, notice)
        self._tools = discover()
        self._tool_name = ""
        """What the reader took into the hand; until then the stage says."""
        self.prior_marks: Callable[[PaneState], tuple[ShownMark, ...]] = lambda pane: ()
        """What was marked in a prior, for its pane; set by the session."""
        self.labels: Labels | None = None
        """What lies over a film besides marks and may be dragged (tooth numbers)."""
        self._gestures: dict[str, Tool] = {}
        self._probe: tuple[str, tuple[float, float], tuple[Measurement, ...]] | None = None
        self.extras = RoomTools()
        self.extras.curve_drawn = self._open_curve
        self.screen_mm_per_px: float | None = None
        """Site setting: the monitor's pixel, measured once."""
        self.texts: Texts = {}
        self.text_width: TextWidth = estimated_width

    def _view_ready(self, pane: PaneState, layer: ImageLayer) -> ViewState:
        if pane.curve and pane.view.plane is Plane.OBLIQUE:
            return self.curved.cross_section(pane, layer.volume.geometry if layer.volume is not None else None)
        self._panes[pane.pane_id] = at_first_sight(pane, layer, self.point_mm)
        return self._panes[pane.pane_id].view

    def info(self, pane: PaneState, layer: ImageLayer | None, overlay: Overlay) -> PaneInfo:
        if self.display_set(pane) is None:
            return PaneInfo()
        registered, poorly = self.second.registered(pane, self.panes())
        info = self.content.info(pane, layer, self.point_mm)
        looks = self.saved.remarks(pane, layer) if self.saved is not None else ()
        info = replace(info, remarks=(*info.remarks, *self.second.remarks(pane), *looks, *self.moments.remark(pane)))
        info = replace(info, remarks=(*info.remarks, *self.curved.remarks(pane)))
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
            over = self.second.layer(pane, layer) or self.second.film(pane, layer)
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
            probe_doubted=self.extras.probe_doubted,
            point_mm=self.point_mm if self.tool_name == "cursor3d" else None,
            band=self.extras.band_in(pane_id),
            lens=self.extras.lens_in(pane_id),
            drawers=(
                *drawers,
                *self.curved.drawers(pane, self.panes(), self.active),
                *self._plane_lines(pane, layer),
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

    def _fellows(self, pane: PaneState) -> tuple[Fellow, ...]:
        """Other reformats of a pane's volume, as far as panes are linked."""
        return fellows(pane, self.panes()) if self.linked else ()

    def _plane_lines(self, pane: PaneState, layer: ImageLayer | None) -> tuple[Drawer, ...]:
        """The planes of the fellows, to be taken by the hand while the crosshair is in it."""
        others, hands = self._fellows(pane), self.tool_name == "crosshair"
        if not others or layer is None or layer.volume is None or not self.crosshair:
            return ()
        geometry, texts = layer.volume.geometry, self.texts
        return (lambda resolved, style: triad_primitives(resolved, geometry, others, style, texts, hands),)

    def _cross_references(self, pane: PaneState) -> tuple[PlaneGeometry, ...]:
        """The active pane's plane on the others; fellows have their lines already."""
        active = self._panes.get(self.active)
        if any(f.pane_id == self.active for f in self._fellows(pane)):
            return ()
        if active is None or active.pane_id == pane.pane_id or active.prior != pane.prior or not self.crosshair:
            return ()
        if rendered_panes.is_rendered(active) or rendered_panes.is_rendered(pane):
            return ()
        layer = self.image_layer(active)
        if layer is None:
            return ()
        plane = geometry_of(layer, self._view_ready(active, layer)).plane
        return (plane,) if plane is not None else ()

    @property
    def tool_name(self) -> str:
        """The reader's choice; before there is one what the stage that hangs asks for."""
        asked = self.stages[self.stage].tool if self.stages else ""
        return self._tool_name or (asked if asked in self._tools.by_name() else "") or DEFAULT_TOOL

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
            () if pane.prior else self._owner.annotations(),  # none is seen there: none takes the mouse
            self._owner.selected_id(),
            self._beside(pane, layer),
            fellows=self._fellows(pane),
            lines_shown=self.crosshair,
            over=self.second.measured(pane, layer),
        )

    def _beside(self, pane: PaneState, layer: ImageLayer) -> Beside:
        """The values of what lies over the image at a place, for the probe."""
        upper = self.second.beside(pane, layer)
        maps = self.saved.beside(layer) if self.saved is not None else None
        return upper if maps is None else lambda point_mm, px: (*upper(point_mm, px), *maps(point_mm, px))

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
        if kind == "wheel" and self._panes[pane_id].curve and not tool:
            self._step_sections(pane_id, -round(event.wheel) or -1)
            return
        if kind == "wheel" and event.alt and self.step_moment(-round(event.wheel) or -1, pane_id):
            return
        context = self.context(pane_id)
        if context is None:
            return
        if self._label_takes(kind, event, context, tool):
            return
        name = tool or ("scroll" if kind == "wheel" else self.tool_name)
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
        looked, drawing, changed_marks = False, False, False
        for edit in edits:
            if self.extras.take(pane_id, edit, context, self.display_set(self._panes[pane_id])):
                looked = True
            elif isinstance(edit, SetView):
                self._set_view(pane_id, edit.view)
                looked = True
            elif isinstance(edit, SetAppearance):
                self._set_appearance(pane_id, edit.appearance)
                looked = True
            elif isinstance(edit, SetOverWindow):
                self.fusion.windowed(pane_id, edit.window)
                looked = True
            elif isinstance(edit, PutAnnotation):
                self._owner.put_annotation(edit.annotation, edit.provisional)
                drawing, changed_marks = drawing or edit.provisional, changed_marks or not edit.provisional
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
            elif isinstance(edit, SetViews):
                self._take({i: v for i, v in edit.views.items() if i in self._panes})
                looked = True
        if looked or drawing or changed_marks:
            self._announce(Changes(view=looked, marks=drawing, findings=changed_marks))

    def doubt_probe(self, doubted: bool) -> None:
        """Whether the value under the pointer is another one when computed again."""
        if doubted != self.extras.probe_doubted:
            self.extras.probe_doubted = doubted
            self._announce(Changes(view=True))

    def _marks_on(self, pane: PaneState, overlay: Overlay) -> tuple[ShownMark, ...]:
        """Those of its study; none where depth is not shown, the reader's own where the protocol wants no others."""
        if rendered_panes.is_rendered(pane):
            return ()
        if pane.prior:
            return self.prior_marks(pane)
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
        in_row = self.hanging.protocol.split("_own")[0] == "cbct"
        layout, states, active = opened(drawn, curve_id, self.curved.length_mm(curve_id), in_row)
        self.put_back(layout, self.stage, active, states)

    def plain_overlay(self) -> Overlay:
        """Nothing over the image: for pictures that bring their own marks."""
        return Overlay()

    def _step_sections(self, pane_id: str, steps: int) -> None:
        """The cross-sections of a pane's curve so many steps on."""
        curve = self._panes[pane_id].curve
        self.take_panes(stepped(self.panes(), curve, steps, self.curved.length_mm(curve)))
        self._announce(Changes(view=True))

    def scroll(self, steps: int) -> None:
        if self._panes[self.active].curve:
            self._step_sections(self.active, steps)
            return
        context = self.context(self.active)
        if context is not None:
            self._set_view(self.active, scrolled(context.view, context, steps))
            self._announce(Changes(view=True))

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
