"""Measured values once more in the unit of a real-world value map; what the image stores stands first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.domain.measurement import Measurement, Quantity
from app.domain.pixels import RealWorldMapping

_POINTS = frozenset({Quantity.VALUE, Quantity.MEAN, Quantity.MINIMUM, Quantity.MAXIMUM})


def with_real_world(measurements: Sequence[Measurement], maps: Sequence[RealWorldMapping]) -> tuple[Measurement, ...]:
    """``measurements`` and, where there is a map whose unit is not told yet, its values after them (the first such map)."""
    found = tuple(measurements)
    told = {m.unit for m in found}
    chosen = next((m for m in maps if m.unit not in told), None)
    if chosen is None:
        return found
    # Something stands beside the stored values already (SUV): one second line is enough.
    if len({m.quantity for m in found}) < len(found):
        return found
    out = []
    for m in found:
        if m.quantity in _POINTS:
            out.append(replace(m, value=chosen.slope * m.value + chosen.intercept, unit=chosen.unit))
        elif m.quantity is Quantity.STANDARD_DEVIATION:
            out.append(replace(m, value=abs(chosen.slope) * m.value, unit=chosen.unit))
    if chosen.slope < 0:  # the smallest stored value is the largest real one
        swap = {Quantity.MINIMUM: Quantity.MAXIMUM, Quantity.MAXIMUM: Quantity.MINIMUM}
        out = [replace(m, quantity=swap.get(m.quantity, m.quantity)) for m in out]
    return (*found, *out)
