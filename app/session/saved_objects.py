"""What others saved with a study: presentation states, segments, maps, structures; which are shown, and how.

Main thread only; bytes are read and parsed beside it. Everything here belongs to the patient whose study is open: objects
come from the open studies alone, a presentation state of another patient identity is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.dicom.presentation_state import PREFIX as PRESENTATION_PREFIX
from app.dicom.presentation_state import read_presentation_state
from app.dicom.real_world import REAL_WORLD_VALUES, read_real_world_values
from app.dicom.saved_overlays import CLASSES as OVERLAY_CLASSES
from app.dicom.saved_overlays import PARAMETRIC_MAP, STRUCTURE_SET, read_overlay
from app.domain.finding import Heatmap
from app.domain.geometry import Point2, Point3
from app.domain.measurement import Code, Measurement
from app.domain.pixels import FramePixels
from app.domain.ports import ByteSource
from app.domain.presentation import PresentationState
from app.domain.problem import Problem, ProblemError
from app.domain.saved_overlay import SavedOverlay
from app.domain.study import DisplaySet, Instance, Study
from app.session.clock import dicom_date
from app.session.images import Images
from app.session.many_segments import is_large, read_many
from app.session.open_study import OpenStudy
from app.session.pane_content import PaneContent
from app.session.panes import PaneState
from app.session.picture import Drawer
from app.session.report_marks import ReportMarks
from app.session.saved_drawing import (
    fractions_of,
    legend,
    map_legend,
    masks_of,
    overlays_of,
    saved_label,
    shutter_layer,
    values_there,
)
from app.session.value_maps import ValueMaps
from app.session.views import NOTHING, Changes, SavedObject, Words
from app.viewer.compositor import geometry_of
from app.viewer.decorations import Style
from app.viewer.layers import HeatmapLayer, ImageLayer, LabelLayer, Layer
from app.viewer.presentation import annotation_primitives, grey_palette, presented_frame, presented_view, size_remark
from app.viewer.primitives import Primitive
from app.viewer.structures import structure_primitives
from app.viewer.view_state import Appearance, Plane, ResolvedView, Size, ViewState
from app.viewer.words import Texts, say

_KEPT_FRAMES = 12
_LARGEST = 512 << 20
"""Bytes of an object that is read whole."""


@dataclass
class _Record:
    instance: Instance
    study: Study
    kind: str
    series: str
    state: PresentationState | None = None
    overlay: SavedOverlay | None = None
    layers: tuple[Layer, ...] = ()
    problem: Problem | None = None
    asked: bool = False
    on: bool = False


@dataclass(frozen=True)
class AppliedLook:
    """A presentation state that a pane shows its images by."""

    pane_id: str
    display_set_id: str
    uid: str
    view: ViewState | None = None
    """As the state asks for it; another one means that the reader has moved the image since."""


def _kind(instance: Instance) -> str:
    uid = instance.sop_class_uid
    if uid.startswith(PRESENTATION_PREFIX):
        return "presentation"
    if uid == REAL_WORLD_VALUES:
        return "values"
    if uid in OVERLAY_CLASSES:
        return "map" if uid == PARAMETRIC_MAP else "structures" if uid == STRUCTURE_SET else "segmentation"
    return ""


class SavedObjects:
    def __init__(
        self,
        studies: Sequence[OpenStudy],
        content: PaneContent,
        images: Images,
        source: ByteSource,
        announce: Callable[[Changes], None],
    ) -> None:
        self._content, self._images, self._source, self._announce = content, images, source, announce
        self._records: dict[str, _Record] = {}
        self._applied: dict[str, AppliedLook] = {}
        self.value_maps = ValueMaps(images)
        self._frames: dict[tuple[int, str, int], tuple[FramePixels, FramePixels]] = {}
        self._palettes: dict[str, npt.NDArray[np.uint8] | None] = {}
        self.reports = ReportMarks(studies, images, source, announce)
        """What structured reports place on the images."""
        self.screen_mm_per_px: float | None = None
        """Of the monitor, where it was measured: looks of a true size need it."""
        self.overlay_planes = True
        """Overlay planes of the images themselves are drawn."""
        for opened in studies:
            self._list(opened)

    def add(self, opened: OpenStudy) -> None:
        """What lies with one more study."""
        self._list(opened)
        self.reports.add(opened)

    def _list(self, opened: OpenStudy) -> None:
        for series in opened.study.series:
            for instance in series.instances:
                kind = _kind(instance)
                if not kind:
                    continue
                title = instance.document_title or series.description
                record = self._records[instance.sop_instance_uid] = _Record(instance, opened.study, kind, title)
                if kind in ("presentation", "values"):
                    self._ask(record)

    # -- reading ---------------------------------------------------------------------------------------------------

    def _ask(self, record: _Record) -> None:
        if record.asked:
            return
        record.asked = True

        def work() -> Callable[[], None]:
            overlay: SavedOverlay
            layers: tuple[Layer, ...]
            try:
                if record.kind == "segmentation" and is_large(record.instance):
                    overlay, many = read_many(record.instance, self._source, record.series)
                    return lambda: self._put_many(record, overlay, many)
                if record.instance.size_bytes > _LARGEST:
                    raise ProblemError(Problem("overlay.too_large"))
                data = self._source.read(record.instance.locator)
                if record.kind == "presentation":
                    state = _checked(read_presentation_state(data), record.study)
                    return lambda: setattr(record, "state", state)
                if record.kind == "values":
                    maps = read_real_world_values(data)
                    return lambda: self.value_maps.bring(maps)
                overlay = read_overlay(data)
                layers = tuple(_layers(overlay))
            except ProblemError as error:
                problem = error.problem
                return lambda: setattr(record, "problem", problem)

            def put() -> None:
                record.overlay, record.layers = overlay, layers

            return put

        def came(put: Callable[[], None] | None) -> None:
            if put is None:
                record.problem = Problem("overlay.unreadable", {"error": ""})
            else:
                put()
            self._announce(Changes(view=True, layout=True))

        self._images.beside(work, came)

    def _put_many(self, record: _Record, overlay: SavedOverlay, layer: LabelLayer) -> None:
        record.overlay, record.layers = overlay, (layer,)
        # Reformats need all slices; the slices themselves do not wait for them.
        self._images.beside(layer.grid.whole, lambda _: self._announce(Changes(view=True)), slow=True)

    # -- what the strip lists --------------------------------------------------------------------------------------

    def listed(self) -> tuple[SavedObject, ...]:
        """Overlays of the open studies (presentation states stand on their series' cards)."""
        lines = tuple(self._line(r) for r in self._records.values() if r.kind not in ("presentation", "values"))
        return (*lines, *self.reports.listed())

    def states_of(self, display_set: DisplaySet, pane_id: str = "") -> tuple[SavedObject, ...]:
        """Presentation states that refer to an image of the display set."""
        uids = {f.sop_instance_uid for f in display_set.frames}
        applied = self._applied.get(pane_id)
        chosen = applied.uid if applied is not None and applied.display_set_id == display_set.display_set_id else ""
        found = []
        for record in self._records.values():
            if record.kind != "presentation" or record.study.study_instance_uid != display_set.study_instance_uid:
                continue
            state = record.state
            if state is not None and any(uid in uids for uid, _ in state.images.frames):
                found.append(replace(self._line(record), on=record.instance.sop_instance_uid == chosen))
        return tuple(found)

    def refused(self) -> tuple[SavedObject, ...]:
        """Presentation states that cannot be applied, with the reason."""
        return tuple(self._line(r) for r in self._records.values() if r.kind == "presentation" and r.problem is not None)

    def _line(self, record: _Record) -> SavedObject:
        state, overlay = record.state, record.overlay
        title, detail = record.series or record.instance.document_title, NOTHING
        if state is not None:
            title = state.description or state.label or title
            date = dicom_date(state.created)
            if state.creator:
                detail = Words("saved.by_on", {"name": state.creator, "date": date or "–"})
            elif date:
                detail = Words("saved.on", {"date": date})
        elif overlay is not None:
            title = overlay.title or title
            if overlay.value_map is not None:
                detail = Words("saved.map", {"unit": overlay.value_map.unit or "–"})
            else:
                detail = Words("saved.parts", {"n": len(overlay.parts)})
        return SavedObject(
            record.instance.sop_instance_uid,
            record.kind,
            title,
            detail,
            record.on,
            record.problem,
            record.study.study_instance_uid,
        )

    # -- choosing --------------------------------------------------------------------------------------------------

    def apply_state(self, pane: PaneState, sop_instance_uid: str) -> None:
        """Shows a pane as saved; an empty UID: as acquired. The caller resets the view for that."""
        if sop_instance_uid:
            self._applied[pane.pane_id] = AppliedLook(pane.pane_id, pane.display_set_id, sop_instance_uid)
        else:
            self._applied.pop(pane.pane_id, None)
        self._announce(Changes(view=True, layout=True))

    def toggle(self, sop_instance_uid: str) -> None:
        """An overlay on or off."""
        if self.reports.knows(sop_instance_uid):
            self.reports.toggle(sop_instance_uid)
            return
        record = self._records[sop_instance_uid]
        record.on = not record.on
        if record.on:
            self._ask(record)
        self._announce(Changes(view=True, layout=True))

    def looks(self) -> tuple[AppliedLook, ...]:
        """Which pane shows its images by which presentation state."""
        return tuple(self._applied[pane_id] for pane_id in sorted(self._applied))

    def put_looks(self, looks: Sequence[AppliedLook]) -> None:
        """As they were; the views of the panes are the caller's."""
        self._applied = {one.pane_id: one for one in looks if one.uid in self._records}
        self._announce(Changes(view=True, layout=True))

    def switched_on(self) -> tuple[str, ...]:
        """SOP Instance UIDs of the overlays and reports that are shown."""
        return (*(uid for uid, r in self._records.items() if r.on), *self.reports.switched_on())

    def switch_on(self, uids: Sequence[str]) -> None:
        """These and no others."""
        wanted = frozenset(uids)
        for uid, record in self._records.items():
            record.on = uid in wanted
            if record.on:
                self._ask(record)
        self.reports.switch_on(wanted)
        self._announce(Changes(view=True, layout=True))

    def state_in(self, pane: PaneState) -> PresentationState | None:
        applied = self._applied.get(pane.pane_id)
        if applied is None or applied.display_set_id != pane.display_set_id:
            return None
        record = self._records.get(applied.uid)
        return record.state if record is not None else None

    def remarks(self, pane: PaneState, layer: ImageLayer | None) -> tuple[Problem, ...]:
        """Which value map is told, and what the look of a pane asks for and is not shown."""
        state = self.state_in(pane)
        if layer is None:
            return ()
        overlays = {p.code: p for r in self._records.values() if r.on and r.overlay is not None for p in r.overlay.remarks}
        maps = (*self.value_maps.remark(layer), *overlays.values())
        if state is None or not state.covers(layer.sop_instance_uid, layer.frame_number):
            return maps
        asked = size_remark(state.area(layer.sop_instance_uid, layer.frame_number), self.screen_mm_per_px)
        return (*maps, *state.remarks, asked) if asked is not None else (*maps, *state.remarks)

    def segmentations(self) -> tuple[tuple[str, SavedOverlay, tuple[Layer, ...]], ...]:
        """(SOP Instance UID, what it says, its layers) of those that are read, switched on or off."""
        return tuple(
            (r.instance.sop_instance_uid, r.overlay, r.layers)
            for r in self._records.values()
            if r.overlay is not None and r.kind == "segmentation"
        )

    def beside(self, layer: ImageLayer) -> Callable[[Point3 | None, Point2], tuple[Measurement, ...]]:
        """What maps that are switched on say of a place on the image."""
        maps = [r.overlay.value_map for r in self._records.values() if r.on and r.overlay is not None]
        size = layer.frame.values.shape[:2] if layer.frame is not None else None
        return lambda point_mm, px: values_there([m for m in maps if m is not None], layer, size, point_mm, px)

    # -- how a pane looks then -------------------------------------------------------------------------------------

    def dressed(
        self, pane: PaneState, view: ViewState, layer: ImageLayer, size: Size, texts: Texts
    ) -> tuple[ViewState, ImageLayer, tuple[Layer, ...], tuple[Drawer, ...]]:
        """(view, image, layers over it, what is drawn besides) of a pane with everything that is switched on."""
        layers: list[Layer] = []
        drawers: list[Drawer] = []
        state = self.state_in(pane)
        uid, number = layer.sop_instance_uid, layer.frame_number
        if state is not None and layer.frame is not None and state.covers(uid, number):
            view, layer = self._as_saved(pane, state, view, layer, size)
            covered = shutter_layer(state, layer)
            layers += list(overlays_of(layer, state)) if self.overlay_planes else []
            layers += [covered] if covered is not None else []
            drawers.append(lambda r, s, st=state, u=uid, n=number: annotation_primitives(st, u, n, r, s))  # type: ignore[misc]
            message, params = _who(state)
            said = say(texts, message, **params)
            drawers.append(lambda r, s: saved_label(said, r, s))
        elif layer.frame is not None and self.overlay_planes:
            layers += overlays_of(layer, None)
        shown = [r for r in self._records.values() if r.on and r.overlay is not None]
        marked = any(line.on for line in self.reports.listed())
        half = self._half_gap_mm(pane) if marked or any(r.kind == "structures" for r in shown) else 0.0
        drawers += self.reports.drawers(layer, half)
        for record in shown:
            overlay = record.overlay
            assert overlay is not None
            layers += record.layers
            if overlay.value_map is not None:
                value_map = overlay.value_map
                drawers.append(lambda r, s, m=value_map: map_legend(m, r, s))  # type: ignore[misc]
            elif record.kind == "structures":
                drawers.append(_structures(overlay, half))
        grids = [piece.grid for piece in layers if isinstance(piece, LabelLayer)]
        if view.plane is not Plane.STACK and not all(g.complete for g in grids):
            waiting = say(texts, "overlay.still_reading")
            drawers.append(lambda r, s: saved_label(waiting, r, s))
        parts = [p for r in shown if r.overlay is not None for p in r.overlay.parts]
        if parts:
            drawers.append(lambda r, s: legend(parts, r, s))
        return view, layer, tuple(layers), tuple(drawers)

    def _as_saved(
        self, pane: PaneState, state: PresentationState, view: ViewState, layer: ImageLayer, size: Size
    ) -> tuple[ViewState, ImageLayer]:
        uid, number = layer.sop_instance_uid, layer.frame_number
        instance = self._images.instance(uid)
        if instance is None or layer.frame is None:
            return view, layer
        key = (id(layer.frame), state.sop_instance_uid, number)
        kept = self._frames.get(key)
        if kept is None or kept[0] is not layer.frame:
            transform = instance.frames[number].modality_transform
            kept = (layer.frame, presented_frame(layer.frame, transform, state, uid, number))
            self._frames[key] = kept
            while len(self._frames) > _KEPT_FRAMES:
                self._frames.pop(next(iter(self._frames)))
        applied = self._applied[pane.pane_id]
        if view.plane is Plane.STACK and (applied.view is None or _same_place(applied.view, view)):
            view = presented_view(
                view, state, state.area(uid, number), size, geometry_of(layer, view), self.screen_mm_per_px
            )
            self._applied[pane.pane_id] = replace(applied, view=view)
        if state.sop_instance_uid not in self._palettes:
            self._palettes[state.sop_instance_uid] = grey_palette(state)
        return view, replace(layer, frame=kept[1], palette=self._palettes[state.sop_instance_uid])

    def _half_gap_mm(self, pane: PaneState) -> float:
        """Half of the distance between the pane's slices."""
        chosen = self._content.display_set(pane)
        planes = [p for p in self._content.planes(chosen) if p is not None] if chosen is not None else []
        if len(planes) < 2:
            return 1.0
        n = np.asarray(planes[0].normal)
        gaps = np.abs(np.diff([float(np.asarray(p.origin_mm) @ n) for p in planes]))
        gaps = gaps[gaps > 1e-3]
        return float(np.median(gaps)) / 2 + 1e-3 if gaps.size else 1.0


def _who(state: PresentationState) -> tuple[str, dict[str, str]]:
    """(message id, parameters): who saved the look, and when."""
    date = dicom_date(state.created) or "–"
    return ("saved.by_on", {"name": state.creator, "date": date}) if state.creator else ("saved.on", {"date": date})


def _same_place(one: ViewState, other: ViewState) -> bool:
    return (one.zoom, one.pan, one.rotation_deg, one.flip_h, one.flip_v) == (
        other.zoom, other.pan, other.rotation_deg, other.flip_h, other.flip_v
    )  # fmt: skip


def _checked(state: PresentationState, study: Study) -> PresentationState:
    """Raises ``presentation.other_patient`` when the state names somebody else than its study."""
    patient = study.patient
    if state.patient_id.strip() != patient.patient_id or state.study_instance_uid != study.study_instance_uid:
        raise ProblemError(Problem("presentation.other_patient"))
    return state


def _layers(overlay: SavedOverlay) -> list[Layer]:
    if overlay.value_map is None:
        return [*masks_of(overlay), *fractions_of(overlay)]
    found = overlay.value_map
    scaled = np.clip((np.nan_to_num(found.values, nan=found.low) - found.low) / (found.high - found.low), 0.0, 1.0)
    scaled = scaled.astype(np.float16)
    heat = Heatmap(Code("map", "99EKINSHI", found.quantity), scaled, found.geometry, found.sop_instance_uid, False)
    return [HeatmapLayer(heat, Appearance(lut="inferno", opacity=0.55, threshold=0.02), legend=False)]


def _structures(overlay: SavedOverlay, half_gap_mm: float) -> Drawer:
    def draw(resolved: ResolvedView, style: Style) -> Sequence[Primitive]:
        plane = resolved.geometry.plane
        theirs = overlay.frame_of_reference_uid
        if plane is None or (theirs and plane.frame_of_reference_uid and theirs != plane.frame_of_reference_uid):
            return ()
        return structure_primitives(overlay.parts, resolved, half_gap_mm, 1.5 * style.scale)

    return draw
