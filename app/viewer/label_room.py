"""Labels of marks make room: they slide along their mark's side away from words in the corners and from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.viewer.primitives import Line, Plate, Primitive, Text

Box = tuple[float, float, float, float]
"""x, y, width, height in pane pixels."""
LEADER, PARTS = "leader", ("label_plate", "tag", "label")

REACH = 3.0
"""Farther than so many of its own heights a label is not moved."""


def slid_apart(marks: Sequence[Primitive], taken: Sequence[Box], height: float, step: float) -> list[Primitive]:
    """``marks`` with each label (leader line, plate, words, in this order) moved up or down to the nearest free place.

    ``taken``: boxes that words keep. ``height`` of the pane; ``step``: how far a try lies from the last. A label that finds
    no room stays where it was: which mark it belongs to counts for more than that nothing overlaps.
    """
    busy = list(taken)
    out: list[Primitive] = []
    down = 0.0
    for n, one in enumerate(marks):
        plate = marks[n + 1] if n + 1 < len(marks) else None
        if isinstance(one, Line) and one.key == LEADER and isinstance(plate, Plate):
            down = _free(plate, busy, height, step)
            busy.append((plate.x, plate.y + down, plate.w, plate.h))
            one = replace(one, y1=one.y1 + down)
        elif down and isinstance(one, Plate | Text) and one.key in PARTS:
            one = replace(one, y=one.y + down)
        out.append(one)
    return out


def _free(plate: Plate, busy: Sequence[Box], height: float, step: float) -> float:
    tries = [0.0, *(way * n * step for n in range(1, int(REACH * plate.h / max(step, 1.0)) + 1) for way in (1, -1))]
    for down in tries:
        y = plate.y + down
        if 0 <= y <= height - plate.h and not any(_meet((plate.x, y, plate.w, plate.h), other) for other in busy):
            return down
    return 0.0


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
