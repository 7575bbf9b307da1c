"""SUV beside the stored activity: the same measurements once more, times one factor (``dicom.suv`` finds it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.domain.measurement import Measurement, Quantity
from app.domain.pixels import VoiFunction, VoiWindow

SUV_UNIT = "{SUVbw}g/ml"
_VALUES = frozenset({Quantity.VALUE, Quantity.MEAN, Quantity.STANDARD_DEVIATION, Quantity.MINIMUM, Quantity.MAXIMUM})


def with_suv(measurements: Sequence[Measurement], factor: float | None) -> tuple[Measurement, ...]:
    """``measurements`` and, where a factor is known and they are no SUV yet, their values as SUVbw after them."""
    found = tuple(measurements)
    if factor is None or any(m.unit == SUV_UNIT for m in found):
        return found
    return found + tuple(replace(m, value=m.value * factor, unit=SUV_UNIT) for m in found if m.quantity in _VALUES)


def parted(measurements: Sequence[Measurement]) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...]]:
    """(as the image stores them, the same quantities in a second unit beside them: SUV, a real-world value)."""
    stored: list[Measurement] = []
    beside: list[Measurement] = []
    for m in measurements:
        (beside if any(m.quantity is s.quantity for s in stored) else stored).append(m)
    return tuple(stored), tuple(beside)


def window_in_suv(window: VoiWindow, factor: float) -> VoiWindow:
    """A window of stored values told in SUV."""
    return VoiWindow(window.center * factor, window.width * factor, VoiFunction.LINEAR_EXACT, window.explanation)


def window_from_suv(window: VoiWindow, factor: float) -> VoiWindow:
    """A window in SUV as one of stored values."""
    return VoiWindow(window.center / factor, window.width / factor, VoiFunction.LINEAR_EXACT, window.explanation)
