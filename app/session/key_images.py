"""Key images: the picture that shows a finding best, with identity, orientation and outline in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.finding import Finding
from app.domain.problem import ProblemError
from app.domain.study import DisplaySet, FrameRef, Instance
from app.session.images import Images
from app.session.paint import painted, png, text_width
from app.session.panes import PaneState
from app.session.picture import PictureRequest, ShownMark
from app.session.reading_room import ReadingRoom
from app.viewer.compositor import SampleCache, geometry_of
from app.viewer.decorations import Style
from app.viewer.image_geometry import image_geometry
from app.viewer.layers import ImageLayer
from app.viewer.marks import MarkLook
from app.viewer.view_state import Plane, Size, ViewState, fit_scale, resolve
from app.viewer.words import Texts

SIZE: Size = (672, 444)
"""Three times the 224 x 148 of the report's strip: sharp in print."""
SHOWN_MM = 110.0


@dataclass(frozen=True)
class Place:
    """The acquired frame that shows a finding, and the pane that it would hang in."""

    pane: PaneState
    chosen: DisplaySet
    ref: FrameRef
    instance: Instance


def place_of(room: ReadingRoom, images: Images, finding: Finding) -> Place | None:
    """Main thread. None when nothing that is loaded can show the finding."""
    for pane in room.panes():
        if pane.prior or not pane.display_set_id:
            continue
        chosen = room.display_set(pane)
        if chosen is None:
            continue
        frame = room.frame_nearest(pane.pane_id, finding.location.sop_instance_uid)
        point = finding.location.centre_lps_mm
        if frame is None and point is not None:
            frame = room.frame_nearest_point(pane.pane_id, point)
        if frame is None:
            continue
        ref = chosen.frames[frame]
        instance = images.instance(ref.sop_instance_uid)
        if instance is None:
            continue
        shown = replace(pane, view=ViewState(chosen.display_set_id, Plane.STACK, frame_index=frame))
        return Place(shown, chosen, ref, instance)
    return None


def request_for(
    room: ReadingRoom, place: Place, layer: ImageLayer, finding: Finding, label: str, texts: Texts, size: Size = SIZE
) -> PictureRequest:
    """Main thread, cheap: everything that any thread needs to draw the key image."""
    return PictureRequest(
        pane_id="key-image",
        view=framed(layer, place.pane.view, finding, size),
        layers=(layer,),
        size=size,
        info=room.info(place.pane, layer, room.plain_overlay()),
        texts=texts,
        style=Style(1.5, text_width, corner_texts=False),
        cache=SampleCache(),
        marks=(ShownMark(finding, MarkLook(label, lines=(" ",))),),
    )


def drawn(request: PictureRequest) -> bytes | None:
    """The PNG; any thread."""
    picture = request()
    return png(painted(picture)) if picture.pixels is not None else None


def key_image(
    room: ReadingRoom,
    images: Images,
    finding: Finding,
    label: str,
    texts: Texts,
    size: Size = SIZE,
) -> tuple[bytes, str, int] | None:
    """(PNG, SOP instance UID, frame) of a finding's key image; None when nothing that is loaded can show it.

    All of it on this thread, a frame that no pane has shown yet is decoded too: one slice a finding.
    """
    place = place_of(room, images, finding)
    layer = layer_of(room, images, place) if place is not None else None
    if place is None or layer is None:
        return None
    content = drawn(request_for(room, place, layer, finding, label, texts, size))
    return (content, place.ref.sop_instance_uid, place.ref.frame) if content is not None else None


def layer_of(room: ReadingRoom, images: Images, place: Place) -> ImageLayer | None:
    """The frame as it is in the room, else decoded here and now: a report must not be signed without its key images."""
    return room.frame_layer(place.pane) or decoded(images, place)


def decoded(images: Images, place: Place) -> ImageLayer | None:
    """A frame that no pane has asked for yet; any thread."""
    try:
        frame = images.now(place.ref)
    except ProblemError:
        return None
    return ImageLayer(
        place.pane.appearance,
        frame=frame,
        geometry=image_geometry(place.instance, place.ref.frame, place.chosen.modality),
        sop_instance_uid=place.ref.sop_instance_uid,
        frame_number=place.ref.frame,
    )


def framed(layer: ImageLayer, view: ViewState, finding: Finding, size: Size) -> ViewState:
    """The finding in the middle, about 110 mm wide; films without calibration at twice the fit."""
    geometry = geometry_of(layer, view)
    zoom = max(1.0, size[0] / SHOWN_MM / fit_scale(view, size, geometry)) if geometry.calibrated else 2.0
    view = replace(view, zoom=zoom)
    resolved = resolve(view, size, geometry)
    location = finding.location
    at = resolved.patient_to_pane(location.centre_lps_mm) if location.centre_lps_mm is not None else None
    if at is not None:
        x, y = at[0], at[1]
    elif location.centre_px is not None:
        x, y = resolved.px_to_pane(*location.centre_px)
    else:
        return view
    return replace(view, pan=((size[0] / 2 - x) / size[0], (size[1] / 2 - y) / size[1]))
