"""Small pictures: crops around a finding for its card and its key image, thumbnails for the strip."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from app.dicom.frame_pixels import frame_pixels
from app.domain.finding import Finding
from app.domain.pixels import FramePixels
from app.domain.ports import ByteSource
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Study
from app.domain.study_lookup import instances_by_uid
from app.session.images import Images
from app.session.panes import PaneState
from app.viewer.compositor import geometry_of, render
from app.viewer.image_geometry import image_geometry
from app.viewer.layers import ImageLayer
from app.viewer.presets import preset
from app.viewer.view_state import Appearance, Plane, Size, ViewState, fit_scale, resolve

if TYPE_CHECKING:
    from app.session.reading_room import ReadingRoom

CROP_MM = 56.0
CROP_SHARE = 0.28
"""Of an uncalibrated film's longer side."""
THUMBNAIL_PX = 192


def _rgb(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if pixels.ndim == 2:
        return np.ascontiguousarray(np.repeat(pixels[:, :, None], 3, axis=2))
    return np.ascontiguousarray(pixels[:, :, 2::-1])


def _own_frame(chosen: DisplaySet, finding: Finding) -> int | None:
    """Number of the finding's own picture among the frames of a display set; None where it is not one of them."""
    own = (finding.location.sop_instance_uid, finding.location.frame)
    return next((n for n, ref in enumerate(chosen.frames) if (ref.sop_instance_uid, ref.frame) == own), None)


def _pane_with(room: ReadingRoom, images: Images, finding: Finding) -> PaneState | None:
    """A pane of the current study that holds the finding's own picture, else a volume of its frame of reference.

    Where none hangs: how its picture would hang, so that a view that gave way to another keeps its place on the card.
    """
    panes = [(pane, chosen) for pane in room.panes() if not pane.prior and (chosen := room.display_set(pane)) is not None]
    for pane, chosen in panes:
        if _own_frame(chosen, finding) is not None:
            return pane
    place = finding.location
    for pane, chosen in panes:
        planes = [p for p in room.content.planes(chosen)[:1] if p is not None]
        here = any(place.frame_of_reference_uid in ("", p.frame_of_reference_uid) for p in planes)
        if place.centre_lps_mm is not None and here and images.can_be_volume(chosen):
            return pane
    hidden = (d for d in room.studies()[0].display_sets if _own_frame(d, finding) is not None)
    return next((room.as_hung_by_hand(d) for d in hidden if place.centre_px is not None), None)


def finding_crop(
    room: ReadingRoom, images: Images, finding: Finding, plane: Plane, size: Size = (96, 96)
) -> npt.NDArray[np.uint8] | None:
    """(h, w, 3) RGB around a finding: out of the volume where there is one, else of its film. None while loading."""
    pane = _pane_with(room, images, finding)
    if pane is None:
        return None
    chosen = room.display_set(pane)
    if chosen is None:
        return None
    point = finding.location.centre_lps_mm
    if point is not None and pane.pane_id and images.can_be_volume(chosen):
        volume = images.volume(chosen.display_set_id)
        if volume is None:
            return None
        layer = ImageLayer(pane.appearance, volume=volume)
        view = ViewState(chosen.display_set_id, Plane.AXIAL if plane is Plane.STACK else plane, point_mm=point)
        return _centred(layer, view, size, point_mm=point)
    at = _own_frame(chosen, finding)
    if at is None or finding.location.centre_px is None or plane not in (Plane.STACK, Plane.AXIAL):
        return None
    found = room.image_layer(replace(pane, view=replace(pane.view, plane=Plane.STACK, frame_index=at)))
    if found is None:
        return None
    view = replace(
        pane.view,
        plane=Plane.STACK,
        frame_index=at,
        zoom=1.0,
        pan=(0.0, 0.0),
        fit_extent_mm=None,
        fit_box=None,
        anchor=(0.5, 0.5),
    )
    return _centred(found, view, size, point_px=finding.location.centre_px)


def _centred(
    layer: ImageLayer,
    view: ViewState,
    size: Size,
    point_mm: tuple[float, float, float] | None = None,
    point_px: tuple[float, float] | None = None,
) -> npt.NDArray[np.uint8]:
    geometry = geometry_of(layer, view)
    extent = (
        CROP_MM
        if geometry.calibrated
        else CROP_SHARE * max(geometry.columns * geometry.column_spacing, geometry.rows * geometry.row_spacing)
    )
    view = replace(view, zoom=min(size) / extent / fit_scale(view, size, geometry))
    first = resolve(view, size, geometry)
    at = first.patient_to_pane(point_mm) if point_mm is not None else None
    x, y = (at[0], at[1]) if at is not None else first.px_to_pane(*(point_px or (0.0, 0.0)))
    pan = (view.pan[0] + (size[0] / 2 - x) / size[0], view.pan[1] + (size[1] / 2 - y) / size[1])
    return _rgb(render(replace(view, pan=pan), (layer,), size).pixels)


def thumbnail_frame(display_set: DisplaySet) -> FrameRef | None:
    """The frame that stands for a display set; None for documents and empty sets."""
    if not display_set.frames or display_set.kind is DisplaySetKind.DOCUMENT:
        return None
    middle = len(display_set.frames) // 2 if display_set.kind is not DisplaySetKind.IMAGES else 0
    return display_set.frames[middle]


def thumbnail(images: Images, display_set: DisplaySet, size_px: int = THUMBNAIL_PX) -> npt.NDArray[np.uint8] | None:
    """(size, size) grey or (size, size, 3) picture of a display set, decoded on the calling thread. None for documents.

    Raises ``ProblemError`` when the frame cannot be decoded.
    """
    ref = thumbnail_frame(display_set)
    instance = images.instance(ref.sop_instance_uid) if ref is not None else None
    if ref is None or instance is None or instance.pixel_format is None:
        return None
    return _small(images.now(ref), instance, ref, display_set, size_px)


def study_thumbnail(
    study: Study, display_set: DisplaySet, source: ByteSource, size_px: int = THUMBNAIL_PX
) -> npt.NDArray[np.uint8] | None:
    """Like ``thumbnail`` for a study that is not open."""
    ref = thumbnail_frame(display_set)
    instance = instances_by_uid(study).get(ref.sop_instance_uid) if ref is not None else None
    if ref is None or instance is None or instance.pixel_format is None:
        return None
    return _small(frame_pixels(instance, ref.frame, source), instance, ref, display_set, size_px)


def _small(
    frame: FramePixels, instance: Instance, ref: FrameRef, display_set: DisplaySet, size_px: int
) -> npt.NDArray[np.uint8]:
    geometry = image_geometry(instance, ref.frame, display_set.modality)
    appearance = Appearance()
    if frame.unit == "HU" and not frame.windows and (found := preset("mediastinum")) is not None:
        appearance = Appearance(window=found.window)
    layer = ImageLayer(appearance, frame=frame, geometry=geometry, sop_instance_uid=ref.sop_instance_uid)
    pixels = render(ViewState(display_set.display_set_id), (layer,), (size_px, size_px)).pixels
    return _rgb(pixels) if pixels.ndim == 3 else pixels
