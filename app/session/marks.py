"""The reader's own marks: a drawn shape is kept as a finding from its first moment; *Add* gives it a kind and a number."""

from __future__ import annotations

from dataclasses import replace

from app.dicom.coding import FINDING_KINDS
from app.domain.finding import Finding, Location, Source
from app.domain.identity import new_uid
from app.domain.measurement import Annotation, Code, MarkShape, Measurement, Placement, Quantity

MEASUREMENT_ONLY = ("role", "measurement")
"""Attribute of a drawing that is no finding (yet)."""
DRAWING = FINDING_KINDS["lesion"]


def is_finding(mark: Finding) -> bool:
    return MEASUREMENT_ONLY not in mark.attributes


def annotation_of(mark: Finding) -> Annotation | None:
    """The mark's drawing for the tools; None when it has none."""
    if mark.placement is None:
        return None
    return Annotation(mark.finding_id, mark.shape, mark.placement, mark.measurements, mark.comment)


def _axes(points: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    """One row of numbers an axis: an outline along pixels has thousands of points, and sums and extremes go over rows."""
    return tuple(zip(*points, strict=True))


def location_of(placement: Placement) -> Location:
    """Centre and boxes of a drawing; in the patient where the image has a position."""
    mm, px = _axes(placement.points_mm), _axes(placement.points_px)
    centre_mm, centre_px = ([sum(axis) / len(axis) for axis in axes] for axes in (mm, px))
    box_mm = None
    if mm:
        low, high = [min(axis) for axis in mm], [max(axis) for axis in mm]
        box_mm = ((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    box_px = (min(px[0]), min(px[1]), max(px[0]), max(px[1])) if len(placement.points_px) > 1 else None
    return Location(
        centre_lps_mm=(centre_mm[0], centre_mm[1], centre_mm[2]) if centre_mm else None,
        box_lps_mm=box_mm,
        frame_of_reference_uid=placement.frame_of_reference_uid,
        sop_instance_uid=placement.sop_instance_uid,
        frame=placement.frame,
        centre_px=(centre_px[0], centre_px[1]) if centre_px else None,
        box_px=box_px,
    )


def drawn(annotation: Annotation, before: Finding | None) -> Finding:
    """A drawing as a mark: a new one is a measurement only; an edited one keeps what was said about it."""
    location = location_of(annotation.placement)
    if before is not None:
        return replace(
            before,
            location=location,
            measurements=annotation.measurements,
            shape=annotation.shape,
            placement=annotation.placement,
            comment=annotation.text or before.comment,
        )
    return Finding(
        finding_id=annotation.annotation_id,
        source=Source.MINE,
        code=DRAWING,
        location=location,
        measurements=annotation.measurements,
        attributes=(MEASUREMENT_ONLY,),
        comment=annotation.text,
        shape=annotation.shape,
        placement=annotation.placement,
        source_sop_instance_uids=(annotation.placement.sop_instance_uid,) if annotation.placement.sop_instance_uid else (),
    )


def with_axes(measurements: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """A length that measures a finding is its long axis; a bidirectional one also has a mean diameter."""
    by = {m.quantity: m for m in measurements}
    out = list(measurements)
    if Quantity.LENGTH in by and Quantity.LONG_AXIS not in by:
        out = [replace(m, quantity=Quantity.LONG_AXIS) if m.quantity is Quantity.LENGTH else m for m in out]
    if Quantity.LONG_AXIS in by and Quantity.SHORT_AXIS in by and Quantity.MEAN_DIAMETER not in by:
        long, short = by[Quantity.LONG_AXIS], by[Quantity.SHORT_AXIS]
        out.append(Measurement(Quantity.MEAN_DIAMETER, (long.value + short.value) / 2, long.unit, long.calibrated))
    return tuple(out)


def as_finding(mark: Finding, code: Code, region: str, laterality: str) -> Finding:
    """Turns a drawing into a finding of a kind."""
    attributes = tuple(a for a in mark.attributes if a != MEASUREMENT_ONLY)
    return replace(
        mark,
        code=code,
        region=mark.region or region,
        laterality=mark.laterality or laterality,
        attributes=attributes,
        measurements=with_axes(mark.measurements),
    )


def point_finding(placement: Placement, code: Code, region: str, laterality: str) -> Finding:
    return Finding(
        finding_id=new_uid(),
        source=Source.MINE,
        code=code,
        location=location_of(placement),
        laterality=laterality,
        region=region,
        shape=MarkShape.POINT,
        placement=placement,
        source_sop_instance_uids=(placement.sop_instance_uid,) if placement.sop_instance_uid else (),
    )


def star(sop_instance_uid: str, frame: int) -> Finding:
    """A key image: the image as a whole, at its corner."""
    placement = Placement(sop_instance_uid, frame, ((0.0, 0.0),))
    return Finding(
        finding_id=new_uid(),
        source=Source.MINE,
        code=DRAWING,
        location=location_of(placement),
        attributes=(MEASUREMENT_ONLY,),
        shape=MarkShape.KEY_IMAGE,
        placement=placement,
        source_sop_instance_uids=(sop_instance_uid,),
    )


def star_of(mark: Finding) -> tuple[str, int] | None:
    """(SOP instance UID, frame) when the mark is a star."""
    if mark.shape is not MarkShape.KEY_IMAGE or mark.placement is None:
        return None
    return (mark.placement.sop_instance_uid, mark.placement.frame)


def starred(marks: tuple[Finding, ...]) -> frozenset[tuple[str, int]]:
    return frozenset(s for m in marks if (s := star_of(m)) is not None)


def with_attribute(mark: Finding, name: str, value: str) -> Finding:
    kept = tuple(a for a in mark.attributes if a[0] != name)
    return replace(mark, attributes=(*kept, (name, value)) if value else kept)
