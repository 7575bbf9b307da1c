"""A finding's picture straight from files: for the command line, where no reading room is open."""

from __future__ import annotations

from dataclasses import replace

from app.dicom.frame_pixels import frame_pixels
from app.domain.finding import Finding
from app.domain.ports import ByteSource
from app.domain.problem import ProblemError
from app.domain.study import DisplaySet, DisplaySetKind, Study
from app.domain.study_lookup import instances_by_uid, series_by_uid
from app.session.key_images import SIZE, framed
from app.session.paint import painted, png, text_width
from app.session.picture import PictureRequest, ShownMark
from app.viewer.compositor import SampleCache
from app.viewer.decorations import Style
from app.viewer.image_geometry import image_geometry
from app.viewer.layers import ImageLayer
from app.viewer.marks import MarkLook
from app.viewer.pane_info import pane_info
from app.viewer.presets import preset
from app.viewer.view_state import Appearance, Plane, Size, ViewState
from app.viewer.words import Texts


def _frame_at(study: Study, chosen: DisplaySet, finding: Finding) -> int | None:
    by_uid = instances_by_uid(study)
    uid, point = finding.location.sop_instance_uid, finding.location.centre_lps_mm
    for n, ref in enumerate(chosen.frames):
        if ref.sop_instance_uid == uid and ref.frame == finding.location.frame:
            return n
    if point is None or chosen.kind is not DisplaySetKind.STACK:
        return None
    away: list[tuple[float, int]] = []
    for n, ref in enumerate(chosen.frames):
        frames = by_uid[ref.sop_instance_uid].frames
        plane = frames[ref.frame].plane if ref.frame < len(frames) else None
        if plane is not None and plane.frame_of_reference_uid == finding.location.frame_of_reference_uid:
            away.append((abs(plane.to_index(point)[2]), n))
    return min(away)[1] if away else None


def finding_picture(
    study: Study,
    sets: tuple[DisplaySet, ...],
    source: ByteSource,
    finding: Finding,
    label: str,
    texts: Texts,
    size: Size = SIZE,
) -> bytes | None:
    """PNG of the frame that shows a finding best, with identity, orientation and outline; None when no frame shows it."""
    by_uid, series = instances_by_uid(study), series_by_uid(study)
    for chosen in sorted(sets, key=lambda d: -len(d.frames)):
        at = _frame_at(study, chosen, finding)
        if at is None:
            continue
        ref = chosen.frames[at]
        instance = by_uid[ref.sop_instance_uid]
        try:
            frame = frame_pixels(instance, ref.frame, source)
        except ProblemError:
            continue  # the reader has seen other frames; the findings themselves are written all the same
        look = Appearance()
        if finding.region.startswith("region.lung") and frame.unit == "HU" and (lung := preset("lung")) is not None:
            look = Appearance(window=lung.window)
        layer = ImageLayer(
            look,
            frame=frame,
            geometry=image_geometry(instance, ref.frame, chosen.modality),
            sop_instance_uid=ref.sop_instance_uid,
            frame_number=ref.frame,
        )
        view = framed(layer, ViewState(chosen.display_set_id, Plane.STACK, frame_index=at), finding, size)
        info = pane_info(study, series.get(chosen.series_instance_uid), chosen, instance, at)
        request = PictureRequest(
            pane_id="finding",
            view=view,
            layers=(layer,),
            size=size,
            info=replace(info, ai_shown=True),
            texts=texts,
            style=Style(1.5, text_width),
            cache=SampleCache(),
            marks=(ShownMark(finding, MarkLook(label, pending=True)),),
        )
        picture = request()
        return png(painted(picture)) if picture.pixels is not None else None
    return None
