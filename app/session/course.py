"""One lesion over time: date, size, change since the measurement before; the volume where it was measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.domain.finding import Finding
from app.session.tracking import measured_volume_mm3, size_mm


@dataclass(frozen=True)
class Measured:
    """A lesion as it was in one study."""

    on: date
    finding: Finding


@dataclass(frozen=True)
class CourseRow:
    on: date
    size_mm: float | None
    volume_mm3: float | None
    change_mm: float | None = None
    """Against the size before; None for the first."""
    change_percent: float | None = None
    volume_percent: float | None = None


def course(measured: Sequence[Measured]) -> tuple[CourseRow, ...]:
    """The oldest first; each against the last one before it that has the same kind of value."""
    rows: list[CourseRow] = []
    size: float | None = None
    volume: float | None = None
    for item in sorted(measured, key=lambda m: m.on):
        now, room = size_mm(item.finding), measured_volume_mm3(item.finding)
        change = now - size if now is not None and size is not None else None
        rows.append(
            CourseRow(
                item.on,
                now,
                room,
                change,
                100.0 * change / size if change is not None and size else None,
                100.0 * (room - volume) / volume if room is not None and volume else None,
            )
        )
        size, volume = now if now is not None else size, room if room is not None else volume
    return tuple(rows)
