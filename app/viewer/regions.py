"""Calibrated regions of an ultrasound image: centimetres, seconds or velocities per pixel, each in its own box.

PS3.3 C.8.5.5: a drawing is measured by the region that holds all of it; one that leaves its region has no unit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.geometry import Point2
from app.domain.measurement import Measurement, Quantity
from app.domain.study import Instance

CM, SECONDS, HERTZ, CM_PER_S = 3, 4, 5, 7
"""Physical Units X and Y Direction (0018,6024 and 6026)."""
_AXES: dict[int, tuple[Quantity, str, float]] = {
    CM: (Quantity.DEPTH, "mm", 10.0),
    SECONDS: (Quantity.TIME, "s", 1.0),
    HERTZ: (Quantity.FREQUENCY, "Hz", 1.0),
    CM_PER_S: (Quantity.VELOCITY, "cm/s", 1.0),
}
"""Quantity, UCUM unit, and what one of the region's units is in it."""


@dataclass(frozen=True)
class Region:
    """Bounds in pixels, ends included. ``step``: physical change from one pixel to the next to the right and down."""

    x0: int
    y0: int
    x1: int
    y1: int
    units: tuple[int, int]
    step: tuple[float, float]
    reference: tuple[float, float] | None = None
    """Pixel, counted from the region's own corner, whose physical values are ``reference_values``."""
    reference_values: tuple[float, float] = (0.0, 0.0)
    low_priority: bool = False

    @property
    def mm_per_px(self) -> tuple[float, float] | None:
        """(x, y) where both directions are lengths."""
        return (abs(self.step[0]) * 10.0, abs(self.step[1]) * 10.0) if self.units == (CM, CM) else None

    def holds(self, point: Point2) -> bool:
        """``point`` in image px: the last pixel's far edge still belongs."""
        return self.x0 <= point[0] <= self.x1 + 1 and self.y0 <= point[1] <= self.y1 + 1


def regions_of(instance: Instance) -> tuple[Region, ...]:
    """Those of the object that can be used; a region without steps or with an unknown unit is left out."""
    text = instance.extra.get("ultrasound_regions", "")
    found = []
    for item in json.loads(text) if text else ():
        box = tuple(item.get(k) for k in ("x0", "y0", "x1", "y1"))
        step = (item.get("delta_x"), item.get("delta_y"))
        units = (item.get("units_x"), item.get("units_y"))
        if None in box or None in step or None in units or box[2] <= box[0] or box[3] <= box[1] or 0 in step:
            continue
        if units[0] not in _AXES or units[1] not in _AXES:
            continue
        reference = (item.get("reference_x"), item.get("reference_y"))
        values = (item.get("value_x") or 0.0, item.get("value_y") or 0.0)
        found.append(
            Region(
                box[0],
                box[1],
                box[2],
                box[3],
                units,
                step,
                None if None in reference else reference,
                values,
                bool((item.get("flags") or 0) & 1),
            )
        )
    return tuple(found)


def region_of(points: Sequence[Point2], regions: Sequence[Region]) -> Region | None:
    """The region that holds every point; where regions overlap the one of high priority, then the smaller one."""
    holding = [r for r in regions if all(r.holds(p) for p in points)]
    return min(holding, key=lambda r: (r.low_priority, (r.x1 - r.x0) * (r.y1 - r.y0)), default=None)


def spans(a: Point2, b: Point2, region: Region) -> tuple[Measurement, ...]:
    """What lies between two points of a region that is no plain picture: time, depth, velocity or frequency."""
    out = []
    for axis in (0, 1):
        quantity, unit, scale = _AXES[region.units[axis]]
        out.append(Measurement(quantity, abs((b[axis] - a[axis]) * region.step[axis]) * scale, unit))
    return tuple(out)


def value_in(point: Point2, region: Region) -> tuple[Measurement, ...]:
    """Of a time curve: its height at a point, counted from the reference pixel (a Doppler base line); () without one."""
    if region.mm_per_px is not None or region.reference is None:
        return ()
    quantity, unit, scale = _AXES[region.units[1]]
    # A pixel is meant by its middle.
    rows = point[1] - 0.5 - region.y0 - region.reference[1]
    return (Measurement(quantity, (region.reference_values[1] + rows * region.step[1]) * scale, unit),)
