"""Values that headers round: what is equal within a tolerance gets one number, whatever the rounding and the order.

Rounding each value by itself parts neighbours at its borders (0.7049999 and 0.7050001). Here the distinct values are
sorted, the first is the leader of all that lie within the tolerance of it, and so on with the rest: the same values give
the same groups in any order of the files, and a group is never wider than twice the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PLACE_TOLERANCE_MM = 0.01
"""Origins closer than this lie at the same place."""
SAME_DIRECTION = 0.9999
"""Cosine of the angle (0.8 degrees) up to which directions are one."""
SPACING_TOLERANCE = 1e-4
"""Relative: 0.05 pixels at the edge of 512. A volume asks for no more."""

Numbers = tuple[float, ...]


def places(origins: Iterable[Point3]) -> dict[Point3, Point3]:
    """Each origin with the one that stands for its place; points in mm."""
    distinct = sorted(set(origins))
    if len(distinct) < 2:
        return {p: p for p in distinct}
    # Along the axis of the largest spread few origins lie beside each other: only those have to be compared.
    axis = int(np.argmax(np.ptp(np.asarray(distinct, dtype=np.float64), axis=0)))
    found: dict[Point3, Point3] = {}
    leaders: list[Point3] = []
    first = 0
    for point in sorted(distinct, key=lambda p: p[axis]):
        while first < len(leaders) and leaders[first][axis] < point[axis] - PLACE_TOLERANCE_MM:
            first += 1
        nearest = min(((math.dist(lead, point), lead) for lead in leaders[first:]), default=None)
        if nearest is not None and nearest[0] <= PLACE_TOLERANCE_MM:
            found[point] = nearest[1]
        else:
            leaders.append(point)
            found[point] = point
    return found


def directions(found: Iterable[Numbers]) -> dict[Numbers, Numbers]:
    """Each (row cosines, column cosines), six numbers, with the one that stands for its orientation."""

    def near(values: Array, leader: Array) -> Mask:
        rows = _cosine(values[:, :3], leader[:3]) > SAME_DIRECTION
        return rows & (_cosine(values[:, 3:], leader[3:]) > SAME_DIRECTION)

    return _led(found, near)


def numbers(found: Iterable[Numbers], *, relative: float = 0.0, absolute: float = 0.0) -> dict[Numbers, Numbers]:
    """Each tuple of numbers with the one that stands for all whose numbers differ by less than the tolerance."""

    def near(values: Array, leader: Array) -> Mask:
        alike: Mask = np.all(np.abs(values - leader) <= relative * np.abs(leader) + absolute, axis=1)
        return alike

    return _led(found, near)


def shown(found: Mapping[Numbers, Numbers], digits: int) -> dict[Numbers, Numbers]:
    """What stands for each, rounded for people; with more digits where two would look alike."""
    leaders = set(found.values())
    for more in (digits, digits + 2, 17):
        names = {lead: tuple(round(c, more) + 0.0 for c in lead) for lead in leaders}
        if len(set(names.values())) == len(leaders):
            break
    return {value: names[lead] for value, lead in found.items()}


def _led(found: Iterable[Numbers], near: Callable[[Array, Array], Mask]) -> dict[Numbers, Numbers]:
    distinct = sorted(set(found))
    values = np.asarray(distinct, dtype=np.float64)
    rest = np.arange(len(distinct))
    led: dict[Numbers, Numbers] = {}
    while len(rest):
        leader = int(rest[0])
        here = near(values[rest], values[leader])
        here[0] = True
        led |= {distinct[n]: distinct[leader] for n in rest[here]}
        rest = rest[~here]
    return led


def _cosine(many: Array, one: Array) -> Array:
    lengths = np.linalg.norm(many, axis=1) * np.linalg.norm(one)
    cosine: Array = (many @ one) / np.maximum(lengths, 1e-12)
    return cosine
