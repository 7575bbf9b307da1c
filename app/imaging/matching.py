"""Which marked place of one study is which of another: one to one, the best of all ways together, or nothing.

Pure, for volumes and films alike. The caller brings both sets of places into one space (a registration of volumes, the fit
of two films) and says how far a true pair may still lie apart there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_NEVER = 1e6


@dataclass(frozen=True)
class Spot:
    """A marked place. ``place``: two or three coordinates in the space that both studies share; ``size``: a diameter in
    the same unit, None where none was measured."""

    place: tuple[float, ...]
    size: float | None = None
    kind: str = ""
    side: str = ""
    """R, L or empty."""


@dataclass(frozen=True)
class Gate:
    """What may be a pair at all, and what speaks against one, all in the unit of the places."""

    reach: float
    """A pair that costs more is none."""
    per_doubling: float = 4.0
    """A diameter twice as large, or half, costs as much as this distance."""
    other_kind: float = 2.0
    other_side: float = 8.0
    clear_by: float = 4.0
    """Second thoughts: any other way to pair them must cost so much more."""


LUNG = Gate(20.0)
"""Millimetres. After a rigid registration of two chests the same nodule lies 9.6 mm from itself on the average of 60 pairs
two years apart, and no nearer with an elastic one (Med Phys 2011, PMID 21859041): the lung breathes between the bones."""


@dataclass(frozen=True)
class Pair:
    """``now`` and ``then`` are indices; ``apart`` the distance, ``cost`` with what speaks against it."""

    now: int
    then: int
    apart: float
    cost: float
    clear: bool
    """Every other way to pair the places is clearly worse."""


def cost_of(now: Spot, then: Spot, gate: Gate) -> float | None:
    """Distance and what speaks against the pair; None when it cannot be one."""
    if len(now.place) != len(then.place):
        raise ValueError("places of one space have the same number of coordinates")
    cost = math.dist(now.place, then.place)
    if now.size and then.size:
        cost += gate.per_doubling * abs(math.log2(now.size / then.size))
    if now.kind and then.kind and now.kind != then.kind:
        cost += gate.other_kind
    if now.side in ("R", "L") and then.side in ("R", "L") and now.side != then.side:
        cost += gate.other_side
    return cost if cost <= gate.reach else None


def match(now: Sequence[Spot], then: Sequence[Spot], gate: Gate) -> tuple[Pair, ...]:
    """The pairs of the assignment that costs least, where a place left alone costs half of ``gate.reach``; in the order of
    ``now``. What is in no pair is new, or was not found again."""
    costs = np.full((len(now), len(then)), _NEVER)
    for n, one in enumerate(now):
        for m, other in enumerate(then):
            cost = cost_of(one, other, gate)
            if cost is not None:
                costs[n, m] = cost
    chosen, total = _cheapest(costs, gate.reach)
    out = []
    for n, m in chosen:
        without = costs.copy()
        without[n, m] = _NEVER
        clear = _cheapest(without, gate.reach)[1] - total >= gate.clear_by
        apart = math.dist(now[n].place, then[m].place)
        out.append(Pair(n, m, apart, float(costs[n, m]), clear))
    return tuple(out)


def _cheapest(costs: npt.NDArray[np.float64], reach: float) -> tuple[list[tuple[int, int]], float]:
    """(pairs, what they and the places left alone cost)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = costs.shape
    alone = reach / 2.0
    # Each place has a partner of its own that stands for nobody; those of both sides pair up for nothing.
    whole = np.zeros((rows + columns, rows + columns))
    whole[:rows, :columns] = costs
    whole[:rows, columns:] = np.where(np.eye(rows, dtype=bool), alone, _NEVER)
    whole[rows:, :columns] = np.where(np.eye(columns, dtype=bool), alone, _NEVER)
    at, to = linear_sum_assignment(whole)
    pairs = [(int(n), int(m)) for n, m in zip(at, to, strict=True) if n < rows and m < columns]
    return pairs, float(whole[at, to].sum())
