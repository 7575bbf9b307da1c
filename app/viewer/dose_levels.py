"""Which isodose lines there are: per cent of the highest dose of a grid."""

from __future__ import annotations

from dataclasses import dataclass

Rgb = tuple[int, int, int]
LEVELS: tuple[tuple[int, Rgb], ...] = (
    (95, (255, 64, 64)),
    (90, (255, 150, 40)),
    (80, (255, 222, 60)),
    (70, (110, 220, 90)),
    (50, (70, 215, 225)),
    (30, (90, 140, 255)),
    (10, (185, 120, 255)),
)
"""Per cent of the highest dose of the grid, and the colour of each line."""


@dataclass(frozen=True)
class Isodose:
    percent: int
    dose: float
    """In the values of the grid."""
    rgb: Rgb


def isodoses(top: float) -> tuple[Isodose, ...]:
    """The lines of a grid whose highest value is ``top``; none where there is no dose."""
    return tuple(Isodose(p, top * p / 100.0, rgb) for p, rgb in LEVELS) if top > 0 else ()
