"""The same finding in an earlier study: how large it was, how it has grown. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from app.domain.finding import Finding
from app.domain.geometry import Point3
from app.domain.measurement import Quantity

NEAR_MM = 10.0
"""A registration is not better than that between two breaths."""
STEADY = 0.25
"""Volumes that differ by less than this part are not told to have grown: two measurements of one thing differ as much."""
Place = Callable[[Point3], Point3 | None]
"""A position of the current study in the earlier one; None where that is not known."""


@dataclass(frozen=True)
class Earlier:
    """One earlier measurement of the same thing."""

    on: date
    finding: Finding
    days: int
    now_mm: float
    then_mm: float
    doubling_days: float | None
    """None when it has not grown, or not by more than two measurements of one thing differ."""

    @property
    def change_mm(self) -> float:
        return self.now_mm - self.then_mm


def size_mm(finding: Finding) -> float | None:
    """The diameter that is followed: mean, else long axis, else length; in true millimetres only."""
    for quantity in (Quantity.MEAN_DIAMETER, Quantity.LONG_AXIS, Quantity.LENGTH):
        found = finding.measured(quantity)
        if found is not None and found.unit == "mm" and found.calibrated:
            return found.value
    return None


def measured_volume_mm3(finding: Finding) -> float | None:
    """Of voxels; None where none was measured in true millimetres."""
    found = finding.measured(Quantity.VOLUME)
    if found is None or not found.calibrated or found.unit not in ("mm3", "ml"):
        return None
    return found.value * (1000.0 if found.unit == "ml" else 1.0)


def ball_mm3(diameter_mm: float) -> float:
    return math.pi / 6.0 * diameter_mm**3


def doubling_days(then_mm3: float, now_mm3: float, days: int) -> float | None:
    """Time in which the volume doubles at steady growth (Schwartz); None without growth beyond what measuring varies by."""
    if then_mm3 <= 0 or days <= 0 or now_mm3 < then_mm3 * (1.0 + STEADY):
        return None
    return days * math.log(2.0) / math.log(now_mm3 / then_mm3)


def _near(now: Finding, then: Finding, place: Place) -> float | None:
    """Distance in parts of what still counts as the same place; None when it cannot be told or is farther."""
    here, there = now.location.centre_lps_mm, then.location.centre_lps_mm
    moved = place(here) if here is not None else None
    if moved is None or there is None:
        return None
    reach = max(NEAR_MM, (size_mm(now) or 0.0) / 2, (size_mm(then) or 0.0) / 2)
    apart = math.dist(moved, there) / reach
    return apart if apart <= 1.0 else None


def same_lesion(now: Finding, then: Sequence[Finding], place: Place) -> Finding | None:
    """Of the earlier study: the same kind, at the same place, the nearest; None when none lies there."""
    alike = [(n, _near(now, f, place)) for n, f in enumerate(then) if f.code.value == now.code.value]
    near = sorted((apart, n) for n, apart in alike if apart is not None)
    return then[near[0][1]] if near else None


def earlier(now: Finding, on: date, then: Sequence[Finding], then_on: date, place: Place) -> Earlier | None:
    """The finding of the earlier study at the same place; None when none lies there, or sizes cannot be compared."""
    found, size = same_lesion(now, then, place), size_mm(now)
    before = size_mm(found) if found is not None else None
    if found is None or size is None or before is None:
        return None
    days = (on - then_on).days
    volumes = [measured_volume_mm3(found), measured_volume_mm3(now)]
    if None in volumes:  # a volume of voxels is not compared with a ball
        volumes = [ball_mm3(before), ball_mm3(size)]
    doubling = doubling_days(volumes[0], volumes[1], days) if volumes[0] and volumes[1] else None
    return Earlier(then_on, found, days, size, before, doubling)
