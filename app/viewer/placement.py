"""Image px of a pane to a :class:`Placement` and back: patient millimetres wherever the image has a position."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.geometry import Point2, Point3, index_from_px, px_from_index
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement
from app.domain.pixels import RealWorldMapping
from app.domain.volume import Volume
from app.viewer.layers import ImageLayer
from app.viewer.measure import measure
from app.viewer.real_world import mapped, with_real_world
from app.viewer.suv import with_suv
from app.viewer.tool_api import ToolContext
from app.viewer.view_state import ImageGeometry, Plane, ResolvedView

_WITH_VALUES = frozenset({MarkShape.ELLIPSE, MarkShape.RECTANGLE, MarkShape.POLYGON, MarkShape.FREEHAND, MarkShape.POINT})
ON_PLANE_MM = 0.05
"""A point this near to a slice counts as on it; farther ones belong to a neighbour (half a slice is asked separately)."""


def _source_slice(volume: Volume, points_mm: Sequence[Point3]) -> tuple[str, tuple[Point2, ...]] | None:
    """(SOP instance, image px) when all points lie on one acquired slice of the volume."""
    if not volume.source_sop_instance_uids or not points_mm:
        return None
    indices = [volume.geometry.to_index(p) for p in points_mm]
    k = round(indices[0][0])
    spacing = volume.geometry.spacing_mm[0]
    if not 0 <= k < volume.geometry.shape[0] or any(abs(at[0] - k) * spacing > ON_PLANE_MM for at in indices):
        return None
    return volume.source_sop_instance_uids[k], tuple(px_from_index(at[2], at[1]) for at in indices)


def place(points: Sequence[Point2], layer: ImageLayer, geometry: ImageGeometry, slab_mm: float = 0.0) -> Placement:
    """Where drawn points lie. On MPR planes the image px are those of the acquired slice when the points lie on one."""
    points_mm = geometry.px_to_patient_many(points)
    frame_of_reference = geometry.plane.frame_of_reference_uid if geometry.plane is not None else ""
    if layer.volume is None:
        return Placement(layer.sop_instance_uid, layer.frame_number, tuple(points), points_mm, frame_of_reference)
    source = _source_slice(layer.volume, points_mm) if slab_mm == 0 else None
    axes = (geometry.plane.row_cosines, geometry.plane.column_cosines) if geometry.plane is not None else ()
    if source is None:
        return Placement(points_mm=points_mm, frame_of_reference_uid=frame_of_reference, axes_mm=axes)
    return Placement(source[0], 0, source[1], points_mm, frame_of_reference, axes)


def points_on(placement: Placement, layer: ImageLayer, resolved: ResolvedView) -> tuple[Point2, ...] | None:
    """The placement's points in image px of what the pane shows, or None when they do not lie on it.

    By SOP instance and frame where that is what is shown; else by the patient: every point within half a slice
    (half the slab, or half a step of an oblique plane) of the plane, in the same frame of reference.
    """
    shown_frame = layer.frame is not None
    if shown_frame and placement.sop_instance_uid:
        same = placement.sop_instance_uid == layer.sop_instance_uid and placement.frame == layer.frame_number
        if same and placement.points_px:
            return placement.points_px
        if not placement.points_mm or not same and placement.sop_instance_uid == layer.sop_instance_uid:
            return None
    geometry = resolved.geometry
    if geometry.plane is None or not placement.points_mm:
        return None
    theirs, ours = placement.frame_of_reference_uid, geometry.plane.frame_of_reference_uid
    if theirs != ours or not ours:
        return None
    reach = _reach_mm(layer, resolved)
    found = geometry.patient_to_px_many(placement.points_mm)
    if any(abs(distance) > reach for _, _, distance in found):
        return None
    return tuple([(x, y) for x, y, _ in found])


def _reach_mm(layer: ImageLayer, resolved: ResolvedView) -> float:
    view = resolved.view
    if layer.volume is None:
        return ON_PLANE_MM
    spacing = layer.volume.geometry.spacing_mm
    half = max(view.slab_mm, spacing[0] if view.plane is Plane.STACK else min(spacing)) / 2.0
    return half + 1e-6


def annotation_of(
    annotation_id: str, shape: MarkShape, points: Sequence[Point2], context: ToolContext, text: str = ""
) -> Annotation:
    """A drawn shape with its measurements, from the context's modality values and calibration."""
    geometry = context.resolved.geometry
    inside = shape in _WITH_VALUES
    values = context.values() if inside else None
    found = measure(shape, points, geometry, values, context.layer.unit, context.padding())

    def again(chosen: RealWorldMapping) -> Sequence[Measurement]:
        own = mapped(values, chosen, points) if values is not None else None
        return measure(shape, points, geometry, own, chosen.unit, context.padding())

    measurements = with_real_world(with_suv(found, context.layer.suv), context.layer.real_world_maps, again)
    if inside and context.over is not None:
        measurements = (*measurements, *context.over.measured(shape, points, geometry))
    return Annotation(annotation_id, shape, place(points, context.layer, geometry, context.view.slab_mm), measurements, text)


def box_px(points: Sequence[Point2]) -> tuple[float, float, float, float]:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return (min(xs), min(ys), max(xs), max(ys))


def pixel_under(point: Point2) -> tuple[int, int]:
    """(row, column) of the pixel that holds an image px point."""
    i, j = index_from_px(*point)
    return (round(j), round(i))
