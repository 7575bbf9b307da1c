"""A picture without identity: what of a pane may leave, and which pixels may not.

What the reader's own programme writes stays: values, levels, letters of sides and planes, vertebrae and teeth. What somebody
typed goes, whoever it was: names, dates, texts of presentation states, words of reports and segments, free texts of marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from app.dicom.deidentify import often_burned_in
from app.domain.measurement import MarkShape
from app.domain.study import DisplaySet, Instance
from app.session.picture import Drawer, PictureRequest, ShownMark
from app.viewer.decorations import Style
from app.viewer.layers import Layer, MaskLayer
from app.viewer.marks import WRITTEN
from app.viewer.pane_info import PaneInfo
from app.viewer.primitives import Primitive, Text
from app.viewer.view_state import Plane, ResolvedView
from app.viewer.vocabulary import spoken

if TYPE_CHECKING:
    from app.session.panes import PaneState
    from app.session.reading_room import ReadingRoom

_BURNED_IN = frozenset({"US", "XA", "RF", "SC", "OT", "ES", "XC", "IVUS"})
"""Modalities whose pixels often carry names, whatever their header says."""
_OWN_TEXTS = frozenset({
    "chart_axis_name", "chart_time", "chart_value", "crop_letter", "cube_letter", "isodose_text", "isodose_title",
    "map_value", "over_value", "plane_label", "section_number", "time_curve_time", "time_curve_value", "tooth_number",
})  # fmt: skip
"""Keys of words over an image that are this programme's own: numbers, letters, its own titles."""


# -- pixels ------------------------------------------------------------------------------------------------------------


def instance_may_hold_names(instance: Instance | None, modality: str) -> bool:
    """Pixels that are not known to be free of burned-in names: said to hold them, or of a kind that often does."""
    said = instance.burned_in_annotation.upper() if instance is not None else ""
    if said in ("YES", "NO"):
        return said == "YES"
    return modality in _BURNED_IN or (instance is not None and often_burned_in(instance.sop_class_uid))


def may_hold_names(room: ReadingRoom, pane_id: str) -> bool:
    """Of everything that a pane is painted from: its image, or all of its volume, and what lies over it."""
    pane = room.pane(pane_id)
    chosen = room.display_set(pane)
    if chosen is None:
        return False
    ref = room.frame_ref(pane)
    if pane.view.plane is Plane.STACK and ref is not None:
        own = instance_may_hold_names(room.instance(ref.sop_instance_uid), chosen.modality)
    else:
        own = _set_may_hold_names(room, chosen)
    return own or _over_may_hold_names(room, pane)


def _over_may_hold_names(room: ReadingRoom, pane: PaneState) -> bool:
    if pane.over is None or not room.content.knows(pane.over.display_set_id):
        return False
    return _set_may_hold_names(room, room.content.set_by_id(pane.over.display_set_id))


def _set_may_hold_names(room: ReadingRoom, chosen: DisplaySet) -> bool:
    uids = dict.fromkeys(f.sop_instance_uid for f in chosen.frames)
    return any(instance_may_hold_names(room.instance(uid), chosen.modality) for uid in uids)


# -- words -------------------------------------------------------------------------------------------------------------


def without_identity(info: PaneInfo, word: str) -> PaneInfo:
    """Nothing that names the person, the study's day or the site; what the image needs to be read stays."""
    return replace(
        info, patient_name=word, patient_id="–", sex="", birth_date="", age="", study_datetime="",
        study_description="", series_line="",
    )  # fmt: skip


def _vocabulary(words: str) -> str:
    """``words`` where they are a vertebra or a tooth, else nothing."""
    return next((w for s in (MarkShape.SPINE, MarkShape.TOOTH) if (w := spoken(s, words)) is not None), "")


def without_free_words(marks: Sequence[ShownMark]) -> tuple[ShownMark, ...]:
    """Marks with the words of the vocabulary alone; a written mark that has no others is left out."""
    out = []
    for mark in marks:
        words = _vocabulary(mark.finding.comment)
        if mark.finding.shape in WRITTEN and not words:
            continue
        look = replace(mark.look, words=_vocabulary(mark.look.words)) if mark.look.words else mark.look
        out.append(ShownMark(replace(mark.finding, comment=words), look))
    return tuple(out)


def _quiet(draw: Drawer) -> Drawer:
    """A drawer without words that somebody else typed."""

    def quiet(resolved: ResolvedView, style: Style) -> list[Primitive]:
        return [p for p in draw(resolved, style) if not isinstance(p, Text) or p.key in _OWN_TEXTS]

    return quiet


def _is_bitmap(layer: Layer) -> bool:
    """An overlay plane (60xx): makers burn texts into them."""
    return isinstance(layer, MaskLayer) and layer.mask.finding_id == "overlay"


def nameless(request: PictureRequest, word: str) -> PictureRequest:
    """The picture with everything that can be read and nothing that names anybody; ``word`` stands for the name."""
    return replace(
        request,
        info=without_identity(request.info, word),
        marks=without_free_words(request.marks),
        drawers=tuple(_quiet(d) for d in request.drawers),
        layers=tuple(layer for layer in request.layers if not _is_bitmap(layer)),
    )
