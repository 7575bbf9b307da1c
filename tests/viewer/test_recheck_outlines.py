"""The second path for outlines: crossings, areas and scans by blocks say what the plain definitions say."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from app.domain.measurement import MarkShape, Quantity
from app.viewer import recheck_outlines
from app.viewer.recheck import scan
from app.viewer.recheck_outlines import area, crosses_itself, sums


def corners(seed: int) -> list[tuple[float, float]]:
    random = np.random.default_rng(seed)
    n = int(random.integers(3, 14))
    p = random.uniform(-5, 45, (n, 2))
    if seed % 2:
        angle = np.sort(random.uniform(0, 2 * np.pi, n))
        p = np.stack((20 + 15 * np.cos(angle), 20 + 15 * np.sin(angle)), axis=1)
    if seed % 3 == 0:
        p = np.round(2 * p) / 2
    return [(float(x), float(y)) for x, y in p]


def cut(points: list[tuple[float, float]]) -> bool:
    """Every pair of sides, one after the other."""
    sides = list(zip(points, [*points[1:], points[0]], strict=True))

    def turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return any(
        turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0
        for n, (a, b) in enumerate(sides)
        for c, d in sides[n + 1 :]
    )


def test_crossings_are_those_of_every_pair_of_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recheck_outlines, "PAIRS", 7)
    found = [crosses_itself(corners(seed)) for seed in range(150)]
    assert found == [cut(corners(seed)) for seed in range(150)]
    assert 20 < sum(found) < 130


def test_sides_are_only_held_against_those_at_their_height(monkeypatch: pytest.MonkeyPatch) -> None:
    """A staircase of thousands of corners: each side meets its neighbours, not all of them."""
    met: list[int] = []
    plain = recheck_outlines._cut
    monkeypatch.setattr(recheck_outlines, "_cut", lambda *given: met.append(given[4].size) or plain(*given))
    stairs = [(float(n // 2), float((n + 1) // 2)) for n in range(8000)]
    assert not crosses_itself([*stairs, (0.0, 4000.0)])
    assert sum(met) < 10 * len(stairs)


@pytest.mark.parametrize("seed", range(20))
def test_a_scan_counts_the_centres_inside_and_on_the_line(seed: int) -> None:
    points = corners(seed)
    values = np.random.default_rng(seed).integers(0, 4000, (40, 37)).astype([np.uint16, np.float32][seed % 2])
    padding = np.random.default_rng(seed + 1).random((40, 37)) < 0.2
    inside = np.zeros((40, 37), bool)
    for j in range(40):
        for i in range(37):
            inside[j, i] = _holds(points, i + 0.5, j + 0.5)
    picked = values[inside & ~padding].astype(np.float64)
    found = scan(MarkShape.FREEHAND, points, values, padding)
    assert found.get(Quantity.COUNT, 0.0) == picked.size
    if picked.size:
        assert math.isclose(found[Quantity.MEAN], picked.mean(), rel_tol=1e-12)
        assert math.isclose(found[Quantity.STANDARD_DEVIATION], picked.std(), rel_tol=1e-9, abs_tol=1e-9)
        assert (found[Quantity.MINIMUM], found[Quantity.MAXIMUM]) == (picked.min(), picked.max())


def _holds(points: list[tuple[float, float]], x: float, y: float) -> bool:
    odd = False
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if abs(cross) < 1e-9 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            odd = not odd
    return odd


def test_whole_numbers_are_summed_without_any_rounding() -> None:
    values = np.array([2**24 + 1, 2**24 + 2, 2**24 + 4, 2**24 + 9], np.float64)
    mean, spread = sums([values[:1], values[1:]])
    exact = sum(Fraction(int(v)) for v in values) / 4
    assert mean == float(exact)
    assert spread == math.sqrt(sum((Fraction(int(v)) - exact) ** 2 for v in values) / 4)
    mean, spread = sums([values[:1] + 0.1, values[1:] + 0.1])
    assert math.isclose(mean, float(exact) + 0.1, rel_tol=1e-15)
    assert math.isclose(spread, math.sqrt(sum((Fraction(int(v)) - exact) ** 2 for v in values) / 4), rel_tol=1e-9)


def test_an_area_lies_in_its_own_plane() -> None:
    across, down = np.array([0.6, 0.0, 0.8]), np.array([0.0, 1.0, 0.0])
    flat = [(0.0, 0.0), (3.0, 0.0), (3.0, 2.0), (1.0, 2.0), (1.0, 5.0), (0.0, 5.0)]
    solid = [tuple(np.array([10.0, -20.0, 300.0]) + u * across + v * down) for u, v in flat]
    assert area(flat) == 9.0
    assert math.isclose(area(solid), 9.0, rel_tol=1e-12)
