"""A drawn mark as the spatial coordinates of a structured report, and back (PS3.3 C.18.6, C.18.9). Pure.

Each shape keeps its own points: axes, arms and outlines go out as lines, an ellipse by the ends of its axes, a box as its
four sides. Coordinates of a report are single precision (VR FL): they come back exact to that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.geometry import Point3
from app.domain.measurement import MarkShape, Placement, Quantity

Point = tuple[float, ...]
REGIONS = frozenset({MarkShape.ELLIPSE, MarkShape.RECTANGLE, MarkShape.POLYGON, MarkShape.FREEHAND})
"""Outlines that values are taken from: a planar region (PS3.16 TID 1410)."""
POINTS = frozenset({MarkShape.POINT, MarkShape.TEXT, MarkShape.SPINE, MarkShape.TOOTH})
TURNED = "turned"
UNDRAWN = frozenset({MarkShape.MASK, MarkShape.KEY_IMAGE})
"""Voxels go into a segmentation, stars into a key object selection."""
_OF_STROKES: Mapping[MarkShape, tuple[frozenset[Quantity], ...]] = {
    MarkShape.LENGTH: (frozenset({Quantity.LENGTH, Quantity.LONG_AXIS}),),
    MarkShape.BIDIRECTIONAL: (frozenset({Quantity.LONG_AXIS}), frozenset({Quantity.SHORT_AXIS})),
    MarkShape.ANGLE: (frozenset({Quantity.ANGLE}),),
    MarkShape.COBB: (frozenset({Quantity.ANGLE}), frozenset({Quantity.ANGLE})),
    MarkShape.CARDIOTHORACIC: (frozenset({Quantity.HEART_WIDTH}), frozenset({Quantity.THORAX_WIDTH})),
    MarkShape.LEG_LENGTH: (frozenset({Quantity.FIRST_LENGTH}), frozenset({Quantity.SECOND_LENGTH})),
}
"""Which values follow from which line of a shape; what follows from several (a ratio, a mean) stands without coordinates."""
_PAIRS = frozenset({MarkShape.BIDIRECTIONAL, MarkShape.COBB, MarkShape.CARDIOTHORACIC, MarkShape.LEG_LENGTH})


@dataclass(frozen=True)
class Stroke:
    """One SCOORD or SCOORD3D."""

    graphic_type: str
    """POINT, POLYLINE or ELLIPSE (ends of the longer axis, then of the other)."""
    points: tuple[Point, ...]
    quantities: frozenset[Quantity] = frozenset()
    """What is measured along it."""


def _moved(a: Point, *by: Point) -> Point:
    return tuple(v + sum(b[n] for b in by) for n, v in enumerate(a))


def _times(a: Point, factor: float) -> Point:
    return tuple(v * factor for v in a)


def _sides(points: Sequence[Point], axes: tuple[Point3, ...]) -> tuple[Point, Point] | None:
    """Width and height of a box with their signs; None where the directions of its sides are not known."""
    diagonal = tuple(b - a for a, b in zip(points[0], points[1], strict=True))
    if len(diagonal) == 2:
        return (diagonal[0], 0.0), (0.0, diagonal[1])
    if len(axes) == 2:
        along = [sum(d * r for d, r in zip(diagonal, axis, strict=True)) for axis in axes]
        return _times(axes[0], along[0]), _times(axes[1], along[1])
    # Drawn before the directions were kept: a box in a plane of the patient's axes still has only one meaning.
    flat = [n for n in range(3) if abs(diagonal[n]) < 1e-6]
    if len(flat) != 1:
        return None
    sides = [tuple(diagonal[n] if n == axis else 0.0 for n in range(3)) for axis in range(3) if axis != flat[0]]
    return sides[0], sides[1]


def _outline(points: Sequence[Point], axes: tuple[Point3, ...], shape: MarkShape) -> Stroke | None:
    if shape in (MarkShape.POLYGON, MarkShape.FREEHAND):
        return Stroke("POLYLINE", (*points, points[0])) if len(points) >= 3 else None
    if shape is MarkShape.ELLIPSE and len(points) == 4:
        ordered = tuple(points) if _longer_first(points) else (*points[2:4], *points[0:2])
        return Stroke("ELLIPSE", ordered)
    sides = _sides(points, axes)
    if sides is None:
        return None
    wide, high = sides
    if shape is MarkShape.RECTANGLE:
        corner = points[0]
        return Stroke("POLYLINE", (corner, _moved(corner, wide), _moved(corner, wide, high), _moved(corner, high), corner))
    centre = _times(_moved(points[0], points[1]), 0.5)
    ends = [(_moved(centre, _times(s, -0.5)), _moved(centre, _times(s, 0.5))) for s in (wide, high)]
    longer = 0 if math.hypot(*wide) >= math.hypot(*high) else 1
    return Stroke("ELLIPSE", (*ends[longer], *ends[1 - longer]))


def strokes(shape: MarkShape, points: Sequence[Point], axes: tuple[Point3, ...] = ()) -> tuple[Stroke, ...]:
    """``points`` of a placement, image px or LPS mm; empty for what has no drawing, or none that is sure.

    ``axes``: for boxes in the patient, the unit directions of their sides.
    """
    if shape in UNDRAWN or not points:
        return ()
    if shape in POINTS:
        return (Stroke("POINT", (points[0],)),)
    if shape in REGIONS:
        outline = _outline(points, axes, shape) if len(points) >= 2 else None
        return (outline,) if outline is not None else ()
    if len(points) < 2:
        return (Stroke("POINT", (points[0],)),)
    owned = _OF_STROKES.get(shape, (frozenset(),))
    if shape not in _PAIRS:
        return (Stroke("POLYLINE", tuple(points), owned[0]),)
    lines = [tuple(points[0:2]), tuple(points[2:4])]
    if len(lines[1]) < 2:
        return (Stroke("POLYLINE", lines[0], owned[0]),)
    if shape is MarkShape.BIDIRECTIONAL and math.dist(*lines[1]) > math.dist(*lines[0]):
        owned = (owned[1], owned[0])  # the long axis is the longer line, whichever was drawn first
    return tuple(Stroke("POLYLINE", line, own) for line, own in zip(lines, owned, strict=True))


def _longer_first(points: Sequence[Point]) -> bool:
    return math.dist(points[0], points[1]) >= math.dist(points[2], points[3])


def note_of(shape: MarkShape, points: Sequence[Point], measured: Sequence[Quantity]) -> str:
    """What a report tells of a drawing besides its coordinates: the shape, whether an ellipse was turned, and in which order
    its lines stand under the values, where that is not the order in which they were drawn.
    """
    order: list[int] = []
    if shape is MarkShape.ELLIPSE and len(points) == 4:
        order = [0, 1] if _longer_first(points) else [1, 0]
        return " ".join([shape.value, TURNED, *(str(n + 1) for n in order if order != [0, 1])])
    if shape not in REGIONS:
        drawn = strokes(shape, points)
        order = [n for q in measured for n, s in enumerate(drawn) if q in s.quantities]
        order += [n for n in range(len(drawn)) if n not in order]
    return " ".join([shape.value, *(str(n + 1) for n in order if order != sorted(order))])


def points_of(shape: MarkShape, drawn: Sequence[Stroke], turned: bool = False) -> tuple[Point, ...]:
    """The placement's points that ``strokes`` made ``drawn`` of; empty when it is not such a drawing. ``turned``: of an
    ellipse that is given by the ends of its axes, not by a box.
    """
    if not drawn:
        return ()
    first = drawn[0].points
    if shape is MarkShape.RECTANGLE:
        return (first[0], first[2]) if len(first) == 5 else ()
    if shape is MarkShape.ELLIPSE:
        if len(first) != 4:
            return ()
        if turned:
            return first
        centre = _times(_moved(first[0], first[1]), 0.5)
        corner, other = (_moved(a, b, _times(centre, -1.0)) for a, b in ((first[0], first[2]), (first[1], first[3])))
        return (corner, other)
    if shape in REGIONS:
        return first[:-1]
    return tuple(p for stroke in drawn for p in stroke.points)


def placement_of(
    note: str, drawn: Sequence[Stroke], sop_instance_uid: str, frame: int, frame_of_reference_uid: str
) -> tuple[MarkShape | None, Placement | None]:
    """What ``note_of`` told, and points read back: px on an image where one is named, else mm in a frame of reference."""
    name, *rest = note.split()[:9] or [""]
    shape = next((s for s in MarkShape if s.value == name), None)
    turned, order = TURNED in rest, [word for word in rest if word != TURNED]
    if shape is None or not drawn:
        return shape, None
    ends = [drawn[0].points[:2], drawn[0].points[2:]]
    if turned and order == ["2", "1"] and len(drawn[0].points) == 4:
        drawn = [Stroke(drawn[0].graphic_type, (*ends[1], *ends[0]))]
    elif sorted(order) == [str(n + 1) for n in range(len(drawn))]:
        drawn = [stroke for _, stroke in sorted(zip(map(int, order), drawn, strict=True), key=lambda pair: pair[0])]
    points = points_of(shape, drawn, turned)
    if not points:
        return shape, None
    if len(points[0]) == 2:
        return shape, Placement(sop_instance_uid, frame, tuple((p[0], p[1]) for p in points))
    return shape, Placement(
        points_mm=tuple((p[0], p[1], p[2]) for p in points), frame_of_reference_uid=frame_of_reference_uid
    )
