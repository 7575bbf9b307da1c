"""How a nodule has changed between two studies: sizes, volumes, doubling time, and why something of it is not told. Pure.

Doubling time: t · ln 2 / ln(V2 / V1) (Schwartz, Cancer 1961). It is told only where the change is more than two measurements
of one unchanged nodule differ by: 25 % of the volume (BTS 2015; repeatability ±27 % in MILD, Radiology 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.finding import Finding
from app.domain.measurement import Quantity
from app.session.tracking import STEADY, doubling_days, measured_volume_mm3

SHORTEST_DAYS = 30
"""Before that, what has grown is an infection or an error of measuring rather than a rate."""
THICKEST_MM = 2.5
"""With slices of 2.5 mm and more the interval of a doubling time holds benign and malignant ones (Nietert, Chest 2009)."""
_ALIKE_SLICES = 1.5
GROWN_MM = 2.0
"""Of a mean diameter, where no volumes can be compared (Fleischner Society 2017)."""
_DIAMETERS = (Quantity.MEAN_DIAMETER, Quantity.LONG_AXIS, Quantity.LENGTH)


class Trend(StrEnum):
    GROWN = "grown"
    SHRUNK = "shrunk"
    STEADY = "steady"
    """Not by more than two measurements of one thing differ."""
    UNKNOWN = "unknown"


class Withheld(StrEnum):
    """Why there is no doubling time."""

    NONE = ""
    NO_VOLUMES = "no_volumes"
    OTHER_METHOD = "other_method"
    INTERVAL = "interval"
    SLICES = "slices"
    STEADY = "steady"
    SHRUNK = "shrunk"


_NOT_COMPARED = (Withheld.OTHER_METHOD, Withheld.SLICES)
"""Two volumes, but not of one measure: diameters tell the change."""


@dataclass(frozen=True)
class Seen:
    """One nodule as it was measured in one study."""

    finding: Finding
    slice_mm: float | None = None
    """Distance of the slices it was measured on."""


@dataclass(frozen=True)
class Growth:
    days: int
    now_mm: float | None = None
    then_mm: float | None = None
    """The same kind of diameter in both."""
    now_mm3: float | None = None
    then_mm3: float | None = None
    trend: Trend = Trend.UNKNOWN
    doubling_days: float | None = None
    withheld: Withheld = Withheld.NO_VOLUMES

    @property
    def change_mm(self) -> float | None:
        return self.now_mm - self.then_mm if self.now_mm is not None and self.then_mm is not None else None

    @property
    def percent(self) -> float | None:
        """Of the diameter."""
        return _percent(self.then_mm, self.now_mm)

    @property
    def volume_percent(self) -> float | None:
        return _percent(self.then_mm3, self.now_mm3) if self.withheld not in _NOT_COMPARED else None


def _percent(then: float | None, now: float | None) -> float | None:
    return 100.0 * (now - then) / then if now is not None and then else None


def method_of(finding: Finding) -> str:
    """By whom and how its volume was outlined: volumes by two methods are not compared."""
    if finding.mask is not None:
        return "grown" if finding.mask.grown else "painted"
    drawn = finding.placement is not None or finding.reader is None
    return "drawn" if drawn else f"{finding.reader.name} {finding.reader.version}" if finding.reader else ""


def same_diameters(now: Finding, then: Finding) -> tuple[float, float] | None:
    """(now, then) of the first kind of diameter that both have in true millimetres."""
    for quantity in _DIAMETERS:
        pair = [f.measured(quantity) for f in (now, then)]
        if all(m is not None and m.unit == "mm" and m.calibrated for m in pair):
            return pair[0].value, pair[1].value  # type: ignore[union-attr]
    return None


def growth(now: Seen, then: Seen, days: int) -> Growth:
    """From then to now. ``days`` may be nought (two studies of one day): sizes are compared, no rate is told."""
    sizes = same_diameters(now.finding, then.finding)
    now_mm, then_mm = sizes if sizes is not None else (None, None)
    volumes = measured_volume_mm3(now.finding), measured_volume_mm3(then.finding)
    withheld = _withheld(now, then, days, volumes)
    if not (volumes[0] and volumes[1]) or withheld in _NOT_COMPARED:
        return Growth(days, now_mm, then_mm, *volumes, _by_diameter(now_mm, then_mm), None, withheld)
    trend = _by_volume(volumes[0], volumes[1])
    if withheld is Withheld.NONE and trend is not Trend.GROWN:
        withheld = Withheld.SHRUNK if trend is Trend.SHRUNK else Withheld.STEADY
    doubling = doubling_days(volumes[1], volumes[0], days) if withheld is Withheld.NONE else None
    return Growth(days, now_mm, then_mm, *volumes, trend, doubling, withheld)


def _withheld(now: Seen, then: Seen, days: int, volumes: tuple[float | None, float | None]) -> Withheld:
    if not (volumes[0] and volumes[1]):
        return Withheld.NO_VOLUMES
    if method_of(now.finding) != method_of(then.finding):
        return Withheld.OTHER_METHOD
    slices = [s for s in (now.slice_mm, then.slice_mm) if s is not None]
    if slices and (max(slices) >= THICKEST_MM or max(slices) > _ALIKE_SLICES * min(slices)):
        return Withheld.SLICES
    return Withheld.INTERVAL if days < SHORTEST_DAYS else Withheld.NONE


def _by_volume(now_mm3: float, then_mm3: float) -> Trend:
    if now_mm3 >= then_mm3 * (1.0 + STEADY):
        return Trend.GROWN
    # A nodule that grew by this much and went back has shrunk by the same measure.
    return Trend.SHRUNK if now_mm3 * (1.0 + STEADY) <= then_mm3 else Trend.STEADY


def _by_diameter(now_mm: float | None, then_mm: float | None) -> Trend:
    if now_mm is None or then_mm is None:
        return Trend.UNKNOWN
    change = now_mm - then_mm
    return Trend.GROWN if change >= GROWN_MM else Trend.SHRUNK if change <= -GROWN_MM else Trend.STEADY
