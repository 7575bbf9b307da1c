"""A small cube that turns with the patient, a letter on each side: which way a 3D view looks at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3
from app.viewer.decorations import Style
from app.viewer.primitives import Anchor, Polyline, Primitive, Role, Text
from app.viewer.view_state import ResolvedView

FACES: tuple[tuple[Point3, str], ...] = (
    ((1.0, 0.0, 0.0), "L"), ((-1.0, 0.0, 0.0), "R"), ((0.0, 1.0, 0.0), "P"), ((0.0, -1.0, 0.0), "A"),
    ((0.0, 0.0, 1.0), "H"), ((0.0, 0.0, -1.0), "F"),
)  # fmt: skip
"""Outward direction in LPS and its letter."""
_LEAST_FACING = 0.30
_SIDE_PX = 40.0
_LEAST_PANE = 240.0


def cube_primitives(resolved: ResolvedView, style: Style) -> Sequence[Primitive]:
    """At the right edge above the corner's lines; nothing in a small pane or without a place in the patient."""
    directions = resolved.edge_directions()
    w, h = resolved.size
    if directions is None or w < _LEAST_PANE * style.scale or h < _LEAST_PANE * style.scale:
        return ()
    half = _SIDE_PX / 2 * style.scale
    middle = (w - style.margin - half * 1.8, h - style.margin - 5.5 * style.line - half)
    return cube_at(np.asarray(directions[0]), np.asarray(directions[1]), middle, half, style)


def cube_at(
    right: npt.NDArray[np.float64],
    down: npt.NDArray[np.float64],
    middle: tuple[float, float],
    half: float,
    style: Style,
    letters: Sequence[tuple[Point3, str]] = FACES,
) -> Sequence[Primitive]:
    """The sides that look at the reader, the most hidden first. ``right`` and ``down``: the pane's axes as unit vectors."""
    away = np.cross(right, down)
    out: list[Primitive] = []
    for normal, letter in sorted(letters, key=lambda f: -float(np.asarray(f[0]) @ away)):
        n = np.asarray(normal)
        facing = -float(n @ away)
        if facing <= 1e-6:
            continue
        axes = [np.eye(3)[a] for a in range(3) if abs(n[a]) < 0.5]
        ring = [n + s * axes[0] + t * axes[1] for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        points = tuple((middle[0] + float(p @ right) * half, middle[1] + float(p @ down) * half) for p in ring)
        grey = int(46 + 74 * facing)
        out.append(
            Polyline(
                points,
                Role.TEXT,
                style.scale,
                closed=True,
                filled=True,
                opacity=1.0,
                key="cube_face",
                rgb=(grey, grey, grey),
            )
        )
        out.append(Polyline(points, Role.SECONDARY, style.scale, closed=True, key="cube_edge"))
        if facing >= _LEAST_FACING:
            x, y = middle[0] + float(n @ right) * half, middle[1] + float(n @ down) * half
            out.append(
                Text(x, y, letter, Anchor.CENTRE, Role.TEXT, style.font * (0.7 + 0.6 * facing), True, key="cube_letter")
            )
    return tuple(out)
