"""Values of what lies over an image, in a region of it, computed a second time: pixel by pixel through the patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape, Quantity
from app.viewer.ellipses import extent
from app.viewer.over_values import OverValues
from app.viewer.recheck import Mismatch, mismatches, scan
from app.viewer.view_state import ImageGeometry

_OVER = {
    Quantity.MEAN: Quantity.OVERLAY_MEAN,
    Quantity.STANDARD_DEVIATION: Quantity.OVERLAY_STANDARD_DEVIATION,
    Quantity.MINIMUM: Quantity.OVERLAY_MINIMUM,
    Quantity.MAXIMUM: Quantity.OVERLAY_MAXIMUM,
}
_REGIONS = frozenset({MarkShape.RECTANGLE, MarkShape.ELLIPSE, MarkShape.POLYGON, MarkShape.FREEHAND})


def again_over(
    shape: MarkShape | None, points: Sequence[Point2], over: OverValues | None, geometry: ImageGeometry
) -> Mapping[Quantity, float]:
    """``points``: the drawing in px of the image below. Empty where nothing lies over it."""
    if over is None or not points:
        return {}
    values = over.plane_again(extent(points) if shape is MarkShape.ELLIPSE else points, geometry)
    if values is None:
        return {}
    factor = over.suv or 1.0
    if shape is MarkShape.POINT:
        column, row = int(points[0][0]), int(points[0][1])
        inside = 0 <= row < geometry.rows and 0 <= column < geometry.columns
        return {Quantity.OVERLAY_VALUE: float(values[row, column]) * factor} if inside else {}
    if shape is None or shape not in _REGIONS:
        return {}
    return {_OVER[q]: v * factor for q, v in scan(shape, points, values, None).items() if q in _OVER}


def over_mismatches(
    drawn: Annotation, over: OverValues | None, geometry: ImageGeometry, points: Sequence[Point2]
) -> tuple[Mismatch, ...]:
    """What is told of the upper images beside a drawing and is not what the second path finds. ``points``: its px."""
    told = [m for m in drawn.measurements if m.of]
    return mismatches(told, again_over(drawn.shape, points, over, geometry)) if told else ()
