"""How the reader looked at the images and what was drawn on them, as presentation states for the packet: one for each set
of images that hung in a pane or bears a mark. Nothing of a second reader is in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.dicom.display_shutter import shutter_of_image
from app.dicom.sr_drawing import UNDRAWN, Stroke, strokes
from app.domain.finding import Finding
from app.domain.geometry import Point2
from app.domain.measurement import MarkShape
from app.domain.pixels import Lut, ModalityTransform, VoiFunction, VoiWindow
from app.domain.presentation import (
    AreaMode,
    DisplayedArea,
    GraphicLayer,
    ImageScope,
    PresentationKind,
    PresentationState,
    SavedAnnotation,
    SavedGraphic,
    SavedText,
    SavedVoi,
    Shutter,
    Units,
)
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance
from app.session.marks import is_finding
from app.session.panes import PaneState
from app.session.reading_room import ReadingRoom
from app.viewer.compositor import voi_of
from app.viewer.image_geometry import image_geometry
from app.viewer.marks import WRITTEN
from app.viewer.view_state import ImageGeometry, Plane, Size, ViewState, resolve
from app.viewer.words import Texts, measurement_lines, say

LABEL = "EKINSHI"
FINDINGS, MEASUREMENTS = "FINDINGS", "MEASUREMENTS"
_LAYERS = (
    GraphicLayer(MEASUREMENTS, 1, "Measurements of the reader", (94, 234, 212)),
    GraphicLayer(FINDINGS, 2, "Findings of the reader", (94, 234, 212)),
)
_PLANES = GraphicLayer("OVERLAYS", 0, "Overlay planes of the images")
"""Named first: the planes of the images are switched on in it."""
_ARROW_PX = 8.0


@dataclass(frozen=True)
class _Look:
    """A pane as it stood when it was last seen."""

    pane: PaneState
    size: Size | None


class KeptLooks:
    """Main thread only. ``note`` before panes change: what hung there is remembered for the packet."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._looks: dict[str, _Look] = {}

    def note(self) -> None:
        """The active pane's look of a set goes before another pane's."""
        room = self._room
        panes = sorted(room.panes(), key=lambda p: p.pane_id != room.active)
        now: dict[str, _Look] = {}
        for pane in panes:
            seen = room.pane_size(pane.pane_id)
            if pane.display_set_id and not pane.prior and pane.view.plane is Plane.STACK and seen is not None:
                now.setdefault(pane.display_set_id, _Look(pane, seen))
        self._looks |= now

    def states(
        self, marks: Sequence[Finding], texts: Texts, creator: str, doubts: Mapping[str, str]
    ) -> tuple[tuple[str, PresentationState], ...]:
        """(name of the set, state), in the order of the study."""
        self.note()
        current, _ = self._room.studies()
        labels = _labels(marks)
        out: list[tuple[str, PresentationState]] = []
        for chosen in current.display_sets:
            if chosen.kind in (DisplaySetKind.DOCUMENT, DisplaySetKind.DERIVED) or not chosen.frames:
                continue
            look = self._looks.get(chosen.display_set_id)
            drawn = {
                ref: found for ref in dict.fromkeys(chosen.frames) if (found := _drawn_on(ref, marks, labels, texts, doubts))
            }
            for n, refs in enumerate(_groups(self._room, chosen, look, drawn)):
                state = self._state(chosen, look, refs, drawn, creator)
                out.append((f"{chosen.display_set_id} {n}", state))
        return tuple(out)

    def _state(
        self,
        chosen: DisplaySet,
        look: _Look | None,
        refs: Sequence[FrameRef],
        drawn: Mapping[FrameRef, tuple[tuple[str, list[SavedGraphic], list[SavedText]], ...]],
        creator: str,
    ) -> PresentationState:
        room = self._room
        current, _ = room.studies()
        here = look if look is not None and _shown(chosen, look.pane) in set(refs) else None
        ref = _shown(chosen, here.pane) if here is not None else next((r for r in refs if r in drawn), refs[0])
        instance = room.instance(ref.sop_instance_uid)
        assert instance is not None
        geometry = image_geometry(instance, ref.frame, chosen.modality)
        view = here.pane.view if here is not None else ViewState(chosen.display_set_id)
        pixels = instance.pixel_format
        grey = pixels is None or not pixels.is_colour
        layer = room.frame_layer(here.pane) if here is not None else None
        inverse = pixels is not None and pixels.photometric_interpretation == "MONOCHROME1"
        planes: tuple[int, ...] = ()
        if layer is not None and layer.frame is not None:
            inverse = layer.frame.inverse  # by the object's own presentation LUT too
            if room.saved is None or room.saved.overlay_planes:
                planes = layer.frame.overlay_groups
        rotation = (round(view.rotation_deg / 90) * 90 + (180 if view.flip_v else 0)) % 360
        annotations = tuple(
            SavedAnnotation(layer, _scope([r], room), tuple(graphics), tuple(texts))
            for r in refs
            for layer, graphics, texts in drawn.get(r, ())
        )
        patient = current.study.patient
        return PresentationState(
            sop_instance_uid="",
            kind=PresentationKind.GREYSCALE if grey else PresentationKind.COLOUR,
            patient_id=patient.patient_id,
            patient_name=patient.name.display(),
            study_instance_uid=current.study.study_instance_uid,
            label=LABEL,
            description=(chosen.label or chosen.modality)[:64],
            creator=creator,
            created="",
            images=_scope(refs, room),
            rotation_deg=rotation,
            flip=view.flip_h != view.flip_v,
            modality=_stated(_modality(instance, ref)) if grey else None,
            vois=self._vois(chosen, here, refs) if grey else (),
            inverse=(inverse != view.invert) if grey else None,
            areas=(_area(view, here, geometry),),
            layers=(*((_PLANES,) if planes else ()), *(_LAYERS if annotations else ())),
            overlay_groups=planes,
            annotations=annotations,
            shutter=_shutter(instance, view),
        )

    def _vois(self, chosen: DisplaySet, look: _Look | None, refs: Sequence[FrameRef]) -> tuple[SavedVoi, ...]:
        """The window of the pane for all its images; without one each image's own."""
        room = self._room
        if look is not None:
            window = room.content.in_stored_values(look.pane.appearance, chosen).window
            if window is not None:
                return (SavedVoi(ImageScope(), _plain(window)),)
            layer = room.frame_layer(look.pane)
            header = _header_window(room, refs[0])
            if layer is not None and layer.frame is not None and not layer.frame.is_colour and header is None:
                voi = voi_of(layer)
                same = SavedVoi(ImageScope(), None, voi) if isinstance(voi, Lut) else SavedVoi(ImageScope(), _plain(voi))
                return (same,)
        by_window: dict[VoiWindow, list[FrameRef]] = {}
        for ref in refs:
            own = _header_window(room, ref)
            if own is not None:
                by_window.setdefault(_plain(own), []).append(ref)
        if len(by_window) == 1 and sum(map(len, by_window.values())) == len(refs):
            return (SavedVoi(ImageScope(), next(iter(by_window))),)
        return tuple(SavedVoi(_scope(own_refs, room), window) for window, own_refs in by_window.items())


# -- which images ------------------------------------------------------------------------------------------------------


def _shown(chosen: DisplaySet, pane: PaneState) -> FrameRef:
    return chosen.frames[min(max(pane.view.frame_index, 0), len(chosen.frames) - 1)]


def _kind(room: ReadingRoom, chosen: DisplaySet, ref: FrameRef) -> tuple[object, ...] | None:
    """What images under one state must share: their grid, their grey values, their shutter (PS3.3 C.11.11, C.10.4)."""
    instance = room.instance(ref.sop_instance_uid)
    if instance is None or instance.pixel_format is None:
        return None
    pixels = instance.pixel_format
    geometry = image_geometry(instance, ref.frame, chosen.modality)
    transform = _modality(instance, ref)
    values = (transform.slope, transform.intercept, transform.unit, id(transform.lut) if transform.lut else 0)
    return (
        pixels.rows,
        pixels.columns,
        pixels.samples_per_pixel,
        pixels.photometric_interpretation,
        geometry.row_spacing,
        geometry.column_spacing,
        geometry.calibrated,
        values,
        instance.extra.get("shutter", ""),
    )


def _groups(
    room: ReadingRoom, chosen: DisplaySet, look: _Look | None, drawn: Mapping[FrameRef, object]
) -> list[list[FrameRef]]:
    """Images of the set that go under one state, those that were looked at or marked."""
    found: dict[tuple[object, ...], list[FrameRef]] = {}
    for ref in dict.fromkeys(chosen.frames):
        kind = _kind(room, chosen, ref)
        if kind is not None:
            found.setdefault(kind, []).append(ref)
    wanted = set(drawn) | ({_shown(chosen, look.pane)} if look is not None else set())
    return [refs for refs in found.values() if wanted & set(refs)]


def _scope(refs: Sequence[FrameRef], room: ReadingRoom) -> ImageScope:
    """Frames are named of images that have several, unless all of them are meant."""
    frames: dict[str, list[int]] = {}
    for ref in refs:
        frames.setdefault(ref.sop_instance_uid, []).append(ref.frame)
    out = []
    for uid, own in frames.items():
        instance = room.instance(uid)
        count = len(instance.frames) if instance is not None else 1
        out.append((uid, tuple(sorted(set(own))) if count > 1 and len(set(own)) < count else ()))
    return ImageScope(tuple(out))


# -- how they were seen ------------------------------------------------------------------------------------------------


def _modality(instance: Instance, ref: FrameRef) -> ModalityTransform:
    return instance.frames[ref.frame].modality_transform if ref.frame < len(instance.frames) else ModalityTransform()


def _stated(transform: ModalityTransform) -> ModalityTransform | None:
    """None where stored values are what is shown: the standard's own meaning of saying nothing (PS3.3 C.11.1)."""
    same = transform.lut is None and (transform.slope, transform.intercept) == (1.0, 0.0)
    # A state has to name the unit: US says that nobody states one.
    return None if same else replace(transform, unit=transform.unit or "US")


def _header_window(room: ReadingRoom, ref: FrameRef) -> VoiWindow | None:
    instance = room.instance(ref.sop_instance_uid)
    frame = instance.frames[ref.frame] if instance is not None and ref.frame < len(instance.frames) else None
    return frame.windows[0] if frame is not None and frame.windows else None


def _plain(window: VoiWindow) -> VoiWindow:
    """Without words: they are of the image, or of a preset."""
    return VoiWindow(window.center, window.width, VoiFunction(window.function))


def _area(view: ViewState, look: _Look | None, geometry: ImageGeometry) -> DisplayedArea:
    """What of the image lay in the pane, in whole pixels; the whole image where the pane held it all."""
    whole = (0.0, 0.0, float(geometry.columns), float(geometry.rows))
    box = whole
    if look is not None and look.size is not None:
        resolved = resolve(view, look.size, geometry)
        w, h = look.size
        corners = [resolved.pane_to_px(x, y) for x in (0, w) for y in (0, h)]
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        seen = (
            max(0.0, math.floor(min(xs) + 1e-6)),
            max(0.0, math.floor(min(ys) + 1e-6)),
            min(whole[2], math.ceil(max(xs) - 1e-6)),
            min(whole[3], math.ceil(max(ys) - 1e-6)),
        )
        box = seen if seen[0] < seen[2] and seen[1] < seen[3] else whole
    box = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    spacing = (geometry.row_spacing, geometry.column_spacing) if geometry.calibrated else None
    true = look is not None and look.pane.true_size and spacing is not None
    return DisplayedArea(
        ImageScope(),
        box,
        AreaMode.TRUE_SIZE if true else AreaMode.FIT,
        spacing_mm=spacing,
        aspect=None if spacing is not None else _aspect(geometry),
    )


def _aspect(geometry: ImageGeometry) -> tuple[float, float]:
    """(vertical, horizontal) in whole numbers (IS)."""
    if geometry.row_spacing == geometry.column_spacing:
        return (1.0, 1.0)
    finer = min(geometry.row_spacing, geometry.column_spacing)
    return (float(round(10000 * geometry.row_spacing / finer)), float(round(10000 * geometry.column_spacing / finer)))


def _shutter(instance: Instance, view: ViewState) -> Shutter | None:
    """The reader's, inside of the image's own."""
    own = shutter_of_image(instance)
    if own is not None and own.bitmap is not None:
        own = replace(own, bitmap=None)
    if view.shutter is None:
        return own
    x0, y0, x1, y1 = view.shutter
    box = (float(math.floor(x0)), float(math.floor(y0)), float(math.ceil(x1)), float(math.ceil(y1)))
    if own is not None and own.rectangle is not None:
        low, high = own.rectangle[:2], own.rectangle[2:]
        box = (max(box[0], low[0]), max(box[1], low[1]), min(box[2], high[0]), min(box[3], high[1]))
    return replace(own, rectangle=box) if own is not None else Shutter(rectangle=box)


# -- what was drawn ----------------------------------------------------------------------------------------------------


def _labels(marks: Sequence[Finding]) -> dict[str, str]:
    """Findings have the numbers that they have on the screen."""
    return {m.finding_id: str(n) for n, m in enumerate((m for m in marks if is_finding(m)), 1)}


def _drawn_on(
    ref: FrameRef, marks: Sequence[Finding], labels: Mapping[str, str], texts: Texts, doubts: Mapping[str, str]
) -> tuple[tuple[str, list[SavedGraphic], list[SavedText]], ...]:
    """(layer, graphics, texts) of the marks on a frame."""
    out = []
    for mark in marks:
        at = mark.placement
        if at is None or (at.sop_instance_uid, at.frame) != (ref.sop_instance_uid, ref.frame) or not at.points_px:
            continue
        if mark.shape is MarkShape.KEY_IMAGE:
            continue
        graphics = [_graphic(mark.shape, s) for s in strokes(mark.shape, at.points_px)]
        if mark.shape in WRITTEN:
            graphics = []  # the words stand at the place itself
        if mark.shape is MarkShape.ARROW and len(at.points_px) > 1:
            graphics.append(_head(at.points_px[0], at.points_px[1]))
        said = _said(mark, labels.get(mark.finding_id, ""), texts, doubts.get(mark.finding_id, ""))
        words = [SavedText(said, Units.PIXEL, anchor=_beside(mark.shape, at.points_px))] if said else []
        if graphics or words:
            out.append((FINDINGS if mark.finding_id in labels else MEASUREMENTS, graphics, words))
    return tuple(out)


def _graphic(shape: MarkShape, stroke: Stroke) -> SavedGraphic:
    kind = "INTERPOLATED" if shape is MarkShape.CURVE and len(stroke.points) > 2 else stroke.graphic_type
    return SavedGraphic(kind, tuple((p[0], p[1]) for p in stroke.points), Units.PIXEL)


def _head(tip: Point2, tail: Point2) -> SavedGraphic:
    angle = math.atan2(tail[1] - tip[1], tail[0] - tip[0])
    wings = [
        (tip[0] + _ARROW_PX * math.cos(angle + s * 0.45), tip[1] + _ARROW_PX * math.sin(angle + s * 0.45)) for s in (-1, 1)
    ]
    return SavedGraphic("POLYLINE", (wings[0], (tip[0], tip[1]), wings[1]), Units.PIXEL)


def _said(mark: Finding, label: str, texts: Texts, doubt: str) -> str:
    words = mark.comment if mark.shape in WRITTEN or mark.shape is MarkShape.ARROW else ""
    values = () if mark.shape in UNDRAWN else measurement_lines(texts, mark.measurements)
    told = (say(texts, doubt),) if doubt else ()
    return "\n".join(line for line in (" ".join(p for p in (label, words) if p), *values, *told) if line)


def _beside(shape: MarkShape, points: Sequence[Point2]) -> Point2:
    """Right of the top of a drawing; a written mark stands at its own place."""
    if shape in WRITTEN:
        return points[0]
    return (max(p[0] for p in points), min(p[1] for p in points))
