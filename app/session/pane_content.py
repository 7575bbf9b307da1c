"""What lies in a pane: display set, frame, layer, corner texts, or why there is no picture. No pane is changed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.dicom.one_value import CODE as ONE_VALUE
from app.dicom.one_value import PICTURES, remark
from app.dicom.suv import Suv, suv_of
from app.domain.geometry import PlaneGeometry, Point3
from app.domain.pixels import FramePixels, VoiWindow
from app.domain.problem import Problem
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Series, Study
from app.domain.study_lookup import series_by_uid
from app.session.angiography import Angiography
from app.session.images import Images
from app.session.open_study import OpenStudy
from app.session.panes import PaneState
from app.viewer.cine import steady_window
from app.viewer.image_geometry import image_geometry
from app.viewer.layers import ImageLayer
from app.viewer.linking import LinkedPane, parallel, point_of
from app.viewer.pane_info import PaneInfo, pane_info
from app.viewer.presets import is_suv_preset
from app.viewer.suv import window_from_suv
from app.viewer.triad import plane_name
from app.viewer.view_state import Appearance, Plane

_AXES = {Plane.SAGITTAL: (0, "L"), Plane.CORONAL: (1, "P"), Plane.AXIAL: (2, "H")}
"""Which LPS coordinate a plane is named by, and the direction in which it grows."""


def _states(pane: PaneState) -> tuple[str, ...]:
    """Message ids of what the reader did to the pane and must not forget."""
    return tuple(
        message
        for message, holds in (
            ("viewer.shutter", pane.view.shutter is not None),
            ("viewer.offset_by_hand", any(pane.offset_mm)),
            ("viewer.true_size", pane.true_size),
        )
        if holds
    )


class PaneContent:
    def __init__(self, studies: Sequence[OpenStudy], images: Images) -> None:
        self._images = images
        self._sets: dict[str, tuple[OpenStudy, DisplaySet]] = {}
        self._series: dict[str, Mapping[str, Series]] = {}
        for opened in studies:
            self.add(opened)
        self.curved: Callable[[PaneState], ImageLayer | None] = lambda pane: None
        """The reformat of a CURVED pane; set by the room."""
        self._planes: dict[str, tuple[PlaneGeometry | None, ...]] = {}
        self.angio = Angiography(images)
        self._suv: dict[str, Suv | Problem | None] = {}
        self._steady: dict[str, VoiWindow | None] = {}

    def add(self, opened: OpenStudy) -> None:
        """One more study that panes can show."""
        self._sets.update({d.display_set_id: (opened, d) for d in opened.display_sets})
        self._series[opened.study.study_instance_uid] = series_by_uid(opened.study)

    def set_by_id(self, display_set_id: str) -> DisplaySet:
        """Raises ``KeyError`` for an id of no open study."""
        return self._sets[display_set_id][1]

    def knows(self, display_set_id: str) -> bool:
        return display_set_id in self._sets

    def study_of(self, display_set_id: str) -> Study:
        """The open study that it is of. Raises ``KeyError``."""
        return self._sets[display_set_id][0].study

    def sets(self) -> tuple[DisplaySet, ...]:
        """Of all open studies."""
        return tuple(d for _, d in self._sets.values())

    def series_of(self, chosen: DisplaySet) -> Series | None:
        """The series that a display set is of."""
        return self._series[chosen.study_instance_uid].get(chosen.series_instance_uid)

    def display_set(self, pane: PaneState) -> DisplaySet | None:
        found = self._sets.get(pane.display_set_id)
        return found[1] if found else None

    def frame_ref(self, pane: PaneState) -> FrameRef | None:
        """The acquired frame that a STACK pane shows."""
        chosen = self.display_set(pane)
        if chosen is None or not chosen.frames:
            return None
        return chosen.frames[min(max(pane.view.frame_index, 0), len(chosen.frames) - 1)]

    def image_layer(self, pane: PaneState) -> ImageLayer | None:
        """The image of a pane, None while it is being made ready (it has been asked for)."""
        chosen = self.display_set(pane)
        if chosen is None or chosen.kind is DisplaySetKind.DOCUMENT:
            return None
        if pane.view.plane is Plane.CURVED:
            return self.curved(pane)
        if pane.view.plane is not Plane.STACK:
            volume = self._images.volume(chosen.display_set_id)
            look = self.in_stored_values(pane.appearance, chosen)
            return None if volume is None else ImageLayer(look, volume=volume, suv=self._suv_factor(chosen))
        return self.frame_layer(pane)

    def frame_layer(self, pane: PaneState) -> ImageLayer | None:
        """The acquired frame of a pane as a layer, whatever plane it is on; None while it is being decoded."""
        chosen, ref = self.display_set(pane), self.frame_ref(pane)
        if chosen is None or ref is None:
            return None
        frame = self._images.frame(ref, chosen)
        instance = self._images.instance(ref.sop_instance_uid)
        if frame is None or instance is None:
            return None
        difference = None
        if self.angio.can_subtract(chosen) and self.angio.subtracts(chosen) and self.angio.waits(ref, instance):
            difference = self.angio.frame(ref, chosen, instance)
            if difference is None:
                return None
            frame = difference
        return ImageLayer(
            self._steadied(self.in_stored_values(pane.appearance, chosen), frame, instance, chosen),
            frame=frame,
            geometry=image_geometry(instance, ref.frame, chosen.modality),
            sop_instance_uid=ref.sop_instance_uid,
            frame_number=ref.frame,
            covered=self.angio.covered(instance),
            processed=difference is not None,
            suv=self._suv_factor(chosen),
        )

    def suv(self, chosen: DisplaySet) -> Suv | Problem | None:
        """Of a PET series: its factor to SUVbw, or why it has none; None for everything else."""
        if chosen.modality != "PT":
            return None
        uid = chosen.series_instance_uid
        if uid not in self._suv:
            series = self._series[chosen.study_instance_uid].get(uid)
            self._suv[uid] = suv_of(series.instances) if series is not None else None
        return self._suv[uid]

    def in_stored_values(self, look: Appearance, chosen: DisplaySet) -> Appearance:
        """A preset in SUV that was hung before anything was known of the series, as a window of its stored values."""
        window = look.window
        if chosen.modality != "PT" or window is None or not is_suv_preset(window):
            return look
        factor = self._suv_factor(chosen)
        return replace(look, window=window_from_suv(window, factor) if factor is not None else None)

    def _suv_factor(self, chosen: DisplaySet) -> float | None:
        found = self.suv(chosen)
        return found.factor if isinstance(found, Suv) else None

    def _steadied(self, look: Appearance, frame: FramePixels, instance: Instance, chosen: DisplaySet) -> Appearance:
        """Loops and ultrasound that offer no window keep one for all their frames."""
        if look.window is not None or not (chosen.kind is DisplaySetKind.CINE or chosen.modality == "US"):
            return look
        if chosen.display_set_id not in self._steady:
            bits = instance.pixel_format.bits_stored if instance.pixel_format is not None else 16
            self._steady[chosen.display_set_id] = steady_window(frame, bits)
        window = self._steady[chosen.display_set_id]
        return look if window is None else replace(look, window=window)

    def problem(self, pane: PaneState) -> Problem | None:
        """Why a pane cannot show its images."""
        chosen = self.display_set(pane)
        if chosen is None:
            return None
        if chosen.kind is DisplaySetKind.DOCUMENT:
            return Problem("reading.is_document")
        if pane.view.plane is not Plane.STACK:
            return self._images.volume_problem(chosen.display_set_id)
        ref = self.frame_ref(pane)
        return self._images.problem(ref) if ref is not None else None

    def info(self, pane: PaneState, layer: ImageLayer | None, point_mm: Point3 | None) -> PaneInfo:
        """The corner texts; ``point_mm`` is the common point, where the pane has none of its own."""
        found = self._sets.get(pane.display_set_id)
        if found is None:
            return PaneInfo()
        opened, chosen = found
        ref = self.frame_ref(pane)
        instance = self._images.instance(ref.sop_instance_uid) if ref else None
        series = self._series[opened.study.study_instance_uid].get(chosen.series_instance_uid)
        info = pane_info(opened.study, series, chosen, instance, pane.view.frame_index)
        info = replace(info, prior=pane.prior, states=_states(pane))
        suv = self.suv(chosen)
        told = suv.remarks if isinstance(suv, Suv) else () if suv is None else (suv,)
        info = replace(info, remarks=(*info.remarks, *told))
        if layer is not None and layer.processed:
            info = replace(info, states=(*info.states, "viewer.subtracted"))
        frame = layer.frame if layer is not None and not layer.processed else None
        if frame is not None and frame.one_value and instance is not None and instance.sop_class_uid in PICTURES:
            told_already = any(p.code == ONE_VALUE for p in info.remarks)
            info = info if told_already else replace(info, remarks=(*info.remarks, remark()))
        if layer is not None and layer.frame is not None and layer.frame.colour_state:
            info = replace(info, states=(*info.states, layer.frame.colour_state))
        if pane.view.plane is not Plane.STACK:
            if layer is not None and layer.volume is not None:
                info = replace(info, remarks=(*info.remarks, *layer.volume.remarks))
            # A volume without a place in the patient has sections, but no axial one and no side.
            placed = layer is None or layer.volume is None or layer.volume.geometry.in_patient
            shown = plane_name(pane.view)
            axis = _AXES.get(shown) if placed else None
            point = pane.view.point_mm or point_mm
            info = replace(
                info,
                plane=f"viewer.plane.{shown.value}" if placed else "viewer.plane.of_volume",
                position=None,
                count=None,
                thickness_mm=None,
                location_mm=point[axis[0]] if axis is not None and point is not None else None,
                location_axis=axis[1] if axis is not None else "",
                slab_mm=pane.view.slab_mm,
                slab_mode=pane.view.slab_mode.value,
            )
        return info

    def planes(self, chosen: DisplaySet) -> tuple[PlaneGeometry | None, ...]:
        """Planes of the frames in display order, made once a display set."""
        known = self._planes.get(chosen.display_set_id)
        if known is None:
            planes: list[PlaneGeometry | None] = []
            for ref in chosen.frames:
                instance = self._images.instance(ref.sop_instance_uid)
                has = instance is not None and ref.frame < len(instance.frames)
                planes.append(instance.frames[ref.frame].plane if has and instance is not None else None)
            known = self._planes[chosen.display_set_id] = tuple(planes)
        return known

    def linked(self, pane: PaneState) -> LinkedPane:
        """The pane as the linking rules see it; planes empty where nothing hangs."""
        chosen = self.display_set(pane)
        if chosen is None or pane.view.plane in (Plane.RENDERED, Plane.CURVED) or pane.curve:
            return LinkedPane(pane.pane_id, pane.view, "")
        volume = self._images.volume_if_here(chosen.display_set_id)
        return LinkedPane(
            pane.pane_id,
            pane.view,
            pane.link or chosen.study_instance_uid,
            self.planes(chosen),
            volume.geometry if volume is not None else None,
            modality=chosen.modality,
            window=pane.appearance.window,
            offset_mm=pane.offset_mm,
        )


def offsets_by_hand(active: PaneState, panes: Sequence[PaneState], content: PaneContent) -> Mapping[str, Point3]:
    """Pane to its offset, so that what all parallel panes of the active one's group show now is one place.

    Empty (the offsets go) when some were set already.
    """
    if any(any(p.offset_mm) for p in panes):
        return {}
    source = content.linked(active)
    here = point_of(source)
    out: dict[str, Point3] = {}
    for pane in panes:
        other = content.linked(pane)
        there = point_of(other)
        if here is None or there is None or pane.pane_id == active.pane_id or not parallel(source, other):
            continue
        if other.group == source.group:
            out[pane.pane_id] = (there[0] - here[0], there[1] - here[1], there[2] - here[2])
    return out
