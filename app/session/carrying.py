"""An earlier mark at its place in the present images: moved by a registration or a film's fit, measured there anew. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.domain.finding import Finding, Source
from app.domain.geometry import PlaneGeometry, Point2, Point3, px_from_index
from app.domain.identity import new_uid
from app.domain.measurement import Annotation, MarkShape, Placement
from app.domain.study import FrameRef, Instance
from app.session import marks as own
from app.viewer.image_geometry import image_geometry
from app.viewer.linking import nearest_frame
from app.viewer.measure import measure
from app.viewer.view_state import ImageGeometry

CARRIED_FROM = "carried_from"
"""Attribute: the mark of an earlier study that this one follows."""
_PARALLEL = 0.999
_ONE_PLACE_MM = 0.01
"""Slices nearer to each other lie at one place (echoes, phases)."""
_KEPT = frozenset(MarkShape) - {MarkShape.MASK, MarkShape.KEY_IMAGE, MarkShape.CURVE, MarkShape.TEXT}


def carried_from(mark: Finding) -> str:
    return dict(mark.attributes).get(CARRIED_FROM, "")


def points_mm(mark: Finding) -> tuple[Point3, ...]:
    """Where a mark lies in the patient; its middle alone when nothing was drawn."""
    if mark.placement is not None and mark.placement.points_mm and mark.shape in _KEPT:
        return mark.placement.points_mm
    centre = mark.location.centre_lps_mm
    return (centre,) if centre is not None else ()


def points_px(mark: Finding) -> tuple[Point2, ...]:
    """Where it lies on its film."""
    if mark.placement is not None and mark.placement.points_px and mark.shape in _KEPT:
        return mark.placement.points_px
    centre = mark.location.centre_px
    return (centre,) if centre is not None else ()


def _shape(mark: Finding, count: int) -> MarkShape:
    drawn = (
        mark.placement is not None
        and mark.shape in _KEPT
        and count == len(mark.placement.points_px or mark.placement.points_mm)
    )
    return mark.shape if drawn else MarkShape.POINT


def in_volume(
    mark: Finding,
    to_now: Callable[[Point3], Point3],
    frames: Sequence[FrameRef],
    planes: Sequence[PlaneGeometry | None],
) -> Finding | None:
    """A proposal on the nearest of the present slices; None where the stack does not reach. What was drawn through more than
    one slice becomes a point at its middle: flat on one slice it would have another size."""
    moved = [to_now(p) for p in points_mm(mark)]
    if not moved:
        return None
    middle: Point3 = tuple(float(v) for v in np.mean(np.asarray(moved), axis=0))  # type: ignore[assignment]
    at = nearest_frame(tuple(planes), middle)
    plane = planes[at] if at is not None else None
    if at is None or plane is None:
        return None
    gap, reach = _gap_and_reach_mm(plane, planes, plane.to_index(middle)[2])
    if abs(plane.to_index(middle)[2]) > reach:
        return None
    depths = [plane.to_index(p)[2] for p in moved]
    if max(depths) - min(depths) > gap:
        moved = [middle]
    indices = [plane.to_index(p)[:2] for p in moved]
    px = tuple(px_from_index(i, j) for j, i in indices)
    if not all(-0.5 <= j <= plane.rows - 0.5 and -0.5 <= i <= plane.columns - 0.5 for j, i in indices):
        return None
    ref = frames[at]
    placement = Placement(
        ref.sop_instance_uid, ref.frame, px, tuple(plane.to_patient(j, i) for j, i in indices), plane.frame_of_reference_uid
    )
    return _proposal(mark, placement, ImageGeometry.of_plane(plane))


def _gap_and_reach_mm(at: PlaneGeometry, planes: Sequence[PlaneGeometry | None], depth_mm: float) -> tuple[float, float]:
    """(usual distance of the slices, how far from this one a place on the side of ``depth_mm`` still lies in the stack).

    Half the way to the next slice, or half a usual one at the ends; a hole of several slices is not in the stack.
    """
    alike = [p for p in planes if p is not None and abs(float(np.dot(p.normal, at.normal))) > _PARALLEL]
    along = np.unique(np.round([at.to_index(p.origin_mm)[2] for p in alike], 3))
    gaps = np.diff(along)
    gaps = gaps[gaps > _ONE_PLACE_MM]
    gap = float(np.median(gaps)) if gaps.size else max(at.row_spacing_mm, at.column_spacing_mm)
    beside = along * (1.0 if depth_mm >= 0 else -1.0)
    beside = beside[beside > _ONE_PLACE_MM]
    step = min(float(beside.min()), 2.0 * gap) if beside.size else gap
    return gap, step / 2.0 + _ONE_PLACE_MM


def on_film(
    mark: Finding, to_second: npt.NDArray[np.float64], ref: FrameRef, instance: Instance, modality: str
) -> Finding | None:
    """A proposal on a film. ``to_second``: px of the present film to those of the earlier one (2, 3)."""
    points = points_px(mark)
    if not points or instance.pixel_format is None:
        return None
    back = np.linalg.inv(np.vstack([to_second, (0.0, 0.0, 1.0)]))
    moved = [back @ (x, y, 1.0) for x, y in points]
    px = tuple((float(p[0]), float(p[1])) for p in moved)
    if not all(0 <= x <= instance.pixel_format.columns and 0 <= y <= instance.pixel_format.rows for x, y in px):
        return None
    geometry = image_geometry(instance, ref.frame, modality)
    return _proposal(mark, Placement(ref.sop_instance_uid, ref.frame, px), geometry)


def _proposal(mark: Finding, placement: Placement, geometry: ImageGeometry) -> Finding:
    """No finding yet: what was measured then is not what is there now, so only lengths of the moved drawing are told."""
    shape = _shape(mark, len(placement.points_px))
    annotation = Annotation(new_uid(), shape, placement, measure(shape, placement.points_px, geometry), mark.comment)
    made = own.drawn(annotation, None)
    return replace(
        made,
        code=mark.code,
        region=mark.region,
        laterality=mark.laterality,
        attributes=(own.MEASUREMENT_ONLY, (CARRIED_FROM, mark.finding_id), *_kind(mark)),
        source=Source.MINE,
    )


def _kind(mark: Finding) -> tuple[tuple[str, str], ...]:
    return tuple(a for a in mark.attributes if a[0] == "composition")


def accepted(proposal: Finding, then: Finding) -> Finding:
    """The proposal as the reader's own mark: a finding again where it was one."""
    if not own.is_finding(then):
        return proposal
    kept = tuple(a for a in proposal.attributes if a != own.MEASUREMENT_ONLY)
    return replace(proposal, attributes=kept, measurements=own.with_axes(proposal.measurements))
