"""Dark edges beneath thin lines and handles, for them to be seen on bright pixels too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from app.viewer.primitives import Ellipse, Line, Polyline, Role
from app.viewer.style import Style

_OPACITY = 0.45
_WIDTH = 3.5
"""Logical pixels."""


def shadows(lines: Sequence[Line], rings: Sequence[Ellipse] = (), *, style: Style) -> tuple[Polyline, ...]:
    """What is to be drawn before them; dashed lines have none."""
    turn = [2.0 * math.pi * n / 24 for n in range(24)]
    ends = [((x.x0, x.y0), (x.x1, x.y1)) for x in lines if not x.dashed]
    circles = [tuple((e.cx + e.rx * math.cos(t), e.cy + e.ry * math.sin(t)) for t in turn) for e in rings]
    edge = Polyline((), Role.SECONDARY, _WIDTH * style.scale, opacity=_OPACITY, rgb=(0, 0, 0), key="shadow")
    return (*(replace(edge, points=p) for p in ends), *(replace(edge, points=p, closed=True) for p in circles))
