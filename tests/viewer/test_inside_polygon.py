"""Which pixel centres an outline holds, against the rule applied to one centre and one edge at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.domain.measurement import MarkShape
from app.viewer.measure import region


def holds(u: float, v: float, points: Sequence[Sequence[float]]) -> bool:
    """Even-odd rule; a centre on an edge belongs."""
    odd = False
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        cross = (bx - ax) * (v - ay) - (by - ay) * (u - ax)
        between = min(ax, bx) <= u <= max(ax, bx) and min(ay, by) <= v <= max(ay, by)
        if between and abs(cross) <= 1e-9 * (1.0 + abs(bx - ax) + abs(by - ay)):
            return True
        if (ay > v) != (by > v) and u < (bx - ax) * (v - ay) / (by - ay) + ax:
            odd = not odd
    return odd


@pytest.mark.parametrize("grid", [0.0, 1.0, 0.5], ids=["anywhere", "on corners", "on corners and centres"])
def test_every_centre_is_in_or_out_as_the_rule_says(grid: float) -> None:
    rng = np.random.default_rng(11)
    for _ in range(60):
        points = rng.uniform(-2, 16, (int(rng.integers(3, 12)), 2))
        if grid:
            points = np.round(points / grid) * grid
        rows, columns, mask = region(MarkShape.POLYGON, [(float(x), float(y)) for x, y in points], 12, 14)
        found = np.zeros((12, 14), bool)
        found[rows, columns] = mask
        expected = [[holds(c + 0.5, r + 0.5, points.tolist()) for c in range(14)] for r in range(12)]
        assert found.tolist() == expected, points.tolist()


def test_an_edge_that_is_almost_level_takes_its_whole_stretch() -> None:
    points = [(1.5, 2.5), (6.5, 2.5 + 1e-12), (6.5, 5.0), (1.5, 5.0)]
    rows, columns, mask = region(MarkShape.POLYGON, points, 8, 8)
    found = np.zeros((8, 8), bool)
    found[rows, columns] = mask
    assert found[2, 1:7].all()
    assert found[2:5, 1:7].all()
    assert not found[5:].any()


def test_an_outline_of_many_points_is_drawn_with_those_that_can_be_told_apart() -> None:
    from app.viewer.marks import MANY_POINTS, NEAR_PX, thinned

    short = [(float(n), 0.0) for n in range(5)]
    assert thinned(short) == tuple(short)
    turn = np.linspace(0, 2 * np.pi, 20_000)
    many = [(200 + 150 * float(np.cos(t)), 200 + 150 * float(np.sin(t))) for t in turn]
    kept = thinned(many)
    assert MANY_POINTS < len(kept) < 2000
    assert set(kept) <= set(many)
    gaps = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in zip(kept, kept[1:], strict=False)]
    assert NEAR_PX <= min(gaps) <= max(gaps) < NEAR_PX + 0.1


def test_a_long_outline_is_drawn_as_the_lines_that_it_runs_along() -> None:
    from app.viewer.marks import STRAIGHT_PX, straightened

    steps = [(100 + n // 2 * 0.3, 50 + (n + 1) // 2 * 0.3) for n in range(1200)]
    back = [(x - 30.0, y) for x, y in reversed(steps)]
    points = [*steps, *back]
    kept = np.asarray(straightened(points))
    assert len(kept) < 12
    assert straightened(points[:50]) == tuple(points[:50])
    for x, y in points[::7]:
        assert _distance(x, y, kept) <= STRAIGHT_PX + 0.01


def _distance(x: float, y: float, corners: np.ndarray) -> float:
    a, b = corners, np.roll(corners, -1, axis=0)
    along = np.clip(((x - a[:, 0]) * (b - a)[:, 0] + (y - a[:, 1]) * (b - a)[:, 1]) / ((b - a) ** 2).sum(axis=1), 0, 1)
    foot = a + along[:, None] * (b - a)
    return float(np.hypot(foot[:, 0] - x, foot[:, 1] - y).min())
