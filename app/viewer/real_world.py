"""Measured values once more in the unit of a real-world value map; what the image stores stands first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.domain.measurement import Measurement, Quantity
from app.domain.pixels import RealWorldMapping

_POINTS = frozenset({Quantity.VALUE, Quantity.MEAN, Quantity.MINIMUM, Quantity.MAXIMUM})


Again = Callable[[RealWorldMapping], Sequence[Measurement]]
"""Measures the same shape on mapped values."""


def mapped(
    values: npt.NDArray[np.generic], found: RealWorldMapping, points: Sequence[tuple[float, float]]
) -> npt.NDArray[np.float64]:
    """Values through a map around ``points`` (px), NaN elsewhere: a film is not mapped as a whole for a small region."""
    out = np.full(values.shape, np.nan)
    x, y = [p[0] for p in points], [p[1] for p in points]
    # A shape given by its centre and a point of its outline reaches as far to the other side.
    reach = max(max(x) - min(x), max(y) - min(y)) + 2
    rows = slice(max(0, int(min(y) - reach)), max(0, int(max(y) + reach) + 1))
    columns = slice(max(0, int(min(x) - reach)), max(0, int(max(x) + reach) + 1))
    out[rows, columns] = found.of_many(values[rows, columns])
    return out


def with_real_world(
    measurements: Sequence[Measurement], maps: Sequence[RealWorldMapping], again: Again | None = None
) -> tuple[Measurement, ...]:
    """``measurements`` and, where there is a map whose unit is not told yet, its values after them (the first such map).

    A table, or a map of some values only, says nothing of means: there ``again`` measures the mapped values themselves.
    """
    found = tuple(measurements)
    told = {m.unit for m in found}
    chosen = next((m for m in maps if m.unit not in told), None)
    if chosen is None:
        return found
    # Something stands beside the stored values already (SUV): one second line is enough.
    if len({m.quantity for m in found}) < len(found):
        return found
    out = []
    if chosen.table or chosen.first is not None or chosen.last is not None:
        for m in found if again is None else ():
            value = chosen.of(m.value) if m.quantity is Quantity.VALUE else None
            if value is not None:
                out.append(replace(m, value=value, unit=chosen.unit))
        for m in again(chosen) if again is not None else ():
            if m.quantity in _POINTS | {Quantity.STANDARD_DEVIATION} and math.isfinite(m.value):
                out.append(replace(m, unit=chosen.unit))
        return (*found, *out)
    for m in found:
        if m.quantity in _POINTS:
            out.append(replace(m, value=chosen.slope * m.value + chosen.intercept, unit=chosen.unit))
        elif m.quantity is Quantity.STANDARD_DEVIATION:
            out.append(replace(m, value=abs(chosen.slope) * m.value, unit=chosen.unit))
    if chosen.slope < 0:  # the smallest stored value is the largest real one
        swap = {Quantity.MINIMUM: Quantity.MAXIMUM, Quantity.MAXIMUM: Quantity.MINIMUM}
        out = [replace(m, quantity=swap.get(m.quantity, m.quantity)) for m in out]
    return (*found, *out)
