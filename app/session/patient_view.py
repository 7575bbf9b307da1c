"""What a patient is shown: the image of a pane with the reader's own marks, and nothing that a second reader says.

It is painted for itself: in the pane's own picture the second reader's maps are part of the pixels.
"""

from __future__ import annotations

from dataclasses import replace

from app.domain.finding import Source
from app.session.picture import PictureRequest
from app.session.reading_room import ReadingRoom
from app.viewer.layers import FusionLayer, ImageLayer, Layer, MaskLayer
from app.viewer.view_state import Size

_COVER = "shutter"


def patient_request(room: ReadingRoom, pane_id: str, size: Size, scale: float) -> PictureRequest:
    """The picture of a pane for the window that is turned to the patient: images, shutters, own marks and own voxels.

    Whatever else lies over an image may be an opinion: maps and masks of second readers, here and of other makers.
    """
    request = room.picture_request(pane_id, size, scale, False)
    own = frozenset(m.finding.finding_id for m in request.marks if m.finding.source is Source.MINE)
    return replace(
        request,
        layers=tuple(layer for layer in request.layers if _is_for_patients(layer, own)),
        marks=tuple(m for m in request.marks if m.finding.source is Source.MINE),
        drawers=(),
        handles=(),
        probe=None,
        info=replace(request.info, ai_shown=False),
    )


def _is_for_patients(layer: Layer, own: frozenset[str]) -> bool:
    if isinstance(layer, MaskLayer):
        return layer.mask.finding_id == _COVER or layer.mask.finding_id in own
    return isinstance(layer, ImageLayer | FusionLayer)
