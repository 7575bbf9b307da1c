"""A stretch of a closed outline drawn anew: from a point on it along a path to another point on it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.domain.geometry import Point2


def place_on(outline: Sequence[Point2], at: Point2) -> tuple[float, Point2, float]:
    """(how far along the outline from its first corner, the nearest point of it, its distance from ``at``)."""
    best: tuple[float, Point2, float] | None = None
    along = 0.0
    for a, b in zip(outline, [*outline[1:], outline[0]], strict=True):
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = math.hypot(dx, dy)
        t = 0.0 if length == 0 else min(max(((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / length**2, 0.0), 1.0)
        point = (a[0] + t * dx, a[1] + t * dy)
        away = math.dist(point, at)
        if best is None or away < best[2]:
            best = (along + t * length, point, away)
        along += length
    assert best is not None
    return best


def _between(outline: Sequence[Point2], start: float, end: float) -> list[Point2]:
    """Corners that lie between two places, forwards and round where ``end`` comes first."""
    places, along = [], 0.0
    for a, b in zip(outline, [*outline[1:], outline[0]], strict=True):
        places.append(along)
        along += math.dist(a, b)
    reach = (end - start) % along
    found = sorted((((p - start) % along), n) for n, p in enumerate(places) if 0 < (p - start) % along < reach)
    return [outline[n] for _, n in found]


def redrawn(outline: Sequence[Point2], path: Sequence[Point2]) -> tuple[Point2, ...]:
    """The closed outline with the shorter stretch between both ends of ``path`` replaced by it."""
    start, first, _ = place_on(outline, path[0])
    end, last, _ = place_on(outline, path[-1])
    whole = sum(math.dist(a, b) for a, b in zip(outline, [*outline[1:], outline[0]], strict=True))
    new = [first, *path[1:-1], last]
    if (end - start) % whole <= whole / 2:
        return (*new, *_between(outline, end, start))
    return (*reversed(new), *_between(outline, start, end))
