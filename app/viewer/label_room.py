"""Labels of marks and of upright plane lines slide along their side, away from words in the corners and from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.viewer.primitives import Anchor, Line, Plate, Primitive, Text
from app.viewer.style import Style

Box = tuple[float, float, float, float]
"""x, y, width, height in pane pixels."""
LEADER, PARTS = "leader", ("label_plate", "tag", "label")
ON_LINE = "plane_label"
"""The name of an upright line stands beside it (anchor LEFT)."""

REACH = 3.0
"""Farther than so many of its own heights a label is not moved."""


def slid_apart(marks: Sequence[Primitive], taken: Sequence[Box], height: float, style: Style) -> list[Primitive]:
    """``marks`` with each label (leader line, plate, words, in this order) moved up or down to the nearest free place.

    ``taken``: boxes that words keep. ``height`` of the pane. A label that finds no room stays where it was: which mark it
    belongs to counts for more than that nothing overlaps.
    """
    busy = list(taken)
    out: list[Primitive] = []
    down = 0.0
    for n, one in enumerate(marks):
        plate = marks[n + 1] if n + 1 < len(marks) else None
        if isinstance(one, Line) and one.key == LEADER and isinstance(plate, Plate):
            down = _free((plate.x, plate.y, plate.w, plate.h), busy, height, style.line / 2)
            one = replace(one, y1=one.y1 + down)
        elif isinstance(one, Text) and one.key == ON_LINE and one.anchor is Anchor.LEFT:
            wide = style.text_width(one.text, one.size_px, one.bold)
            own = _free((one.x, one.y - style.line / 2, wide, style.line), busy, height, style.line / 2)
            one = replace(one, y=one.y + own)
        elif down and isinstance(one, Plate | Text) and one.key in PARTS:
            one = replace(one, y=one.y + down)
        out.append(one)
    return out


def _free(box: Box, busy: list[Box], height: float, step: float) -> float:
    """How far the box goes down (negative: up); its place is ``busy`` from then on."""
    x, top, w, h = box
    tries = [0.0, *(way * n * step for n in range(1, int(REACH * h / max(step, 1.0)) + 1) for way in (1, -1))]
    for down in tries:
        here = (x, top + down, w, h)
        if 0 <= here[1] <= height - h and not any(_meet(here, other) for other in busy):
            busy.append(here)
            return down
    busy.append(box)
    return 0.0


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
