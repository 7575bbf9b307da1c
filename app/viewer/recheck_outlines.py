"""The second path for outlines of many corners: whether one crosses itself, its area, and the scan of what it holds.

Nothing here is shared with the first path (``measure.py``). It works in blocks of rows and sides outside Python's own
loops, for it runs beside the main thread and an outline along pixels has thousands of corners.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2

Floats = npt.NDArray[np.float64]
PAIRS = 1 << 17
"""Pairs of sides that are held against each other at once."""
_EXACT = 2.0**26
"""Whole numbers below it have sums of squares that 64 bits hold for more pixels than any row has."""


def crosses_itself(points: Sequence[Point2]) -> bool:
    """True when two sides of a closed outline cut each other: its area has no one meaning then."""
    if len(points) < 4:
        return False
    a = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    b = np.roll(a, -1, axis=0)
    order = np.argsort(np.minimum(a[:, 1], b[:, 1]), kind="stable")
    a, b = a[order], b[order]
    low, high = np.minimum(a, b), np.maximum(a, b)
    # A side can only meet those that begin, downwards, before it ends.
    last = np.searchsorted(low[:, 1], high[:, 1], side="right")
    return any(_cut(a, b, low, high, n, m) for n, m in _pairs(last))


def _pairs(last: npt.NDArray[np.intp]) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """(n, m) with n < m < last[n], in blocks."""
    own = np.arange(len(last))
    count = np.maximum(last - own - 1, 0)
    ends = np.cumsum(count)
    total = int(ends[-1])
    for start in range(0, total, PAIRS):
        at = np.arange(start, min(start + PAIRS, total))
        n = np.searchsorted(ends, at, side="right")
        yield n, n + 1 + at - (ends[n] - count[n])


def _cut(a: Floats, b: Floats, low: Floats, high: Floats, n: npt.NDArray[np.intp], m: npt.NDArray[np.intp]) -> bool:
    near = (low[m, 0] <= high[n, 0]) & (low[n, 0] <= high[m, 0])
    n, m = n[near], m[near]
    if not n.size:
        return False
    p, q, r, s = a[n], b[n], a[m], b[m]
    apart = _turn(p, q, r) * _turn(p, q, s) < 0
    return bool((apart & (_turn(r, s, p) * _turn(r, s, q) < 0)).any())


def _turn(a: Floats, b: Floats, c: Floats) -> Floats:
    return np.asarray((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))


def area(points: Sequence[tuple[float, ...]]) -> float:
    """Of a flat outline in two or three dimensions: signed triangles around its first corner, by the summed normal."""
    p = np.zeros((len(points), 3))
    given = np.asarray(points, dtype=np.float64)
    p[:, : given.shape[1]] = given
    arms = p[1:] - p[0]
    (ux, uy, uz), (vx, vy, vz) = arms[:-1].T, arms[1:].T
    normals = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    return math.sqrt(math.fsum(math.fsum(axis.tolist()) ** 2 for axis in normals)) / 2.0


def row_spans(points: Sequence[Point2], rows: range) -> list[list[tuple[float, float]]]:
    """For each row of pixel centres where it runs inside a closed outline; ends belong."""
    a = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    b = np.roll(a, -1, axis=0)
    out: list[list[tuple[float, float]]] = [[] for _ in rows]
    if not rows:
        return out
    # A side passes the rows whose height h holds one of its ends above and the other not: low <= h < high.
    low, high = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
    from_row = np.clip(np.ceil(low - 0.5).astype(np.int64), rows.start, rows.stop)
    to_row = np.clip(np.ceil(high - 0.5).astype(np.int64), rows.start, rows.stop)
    passed = np.maximum(to_row - from_row, 0)
    side = np.repeat(np.arange(len(a)), passed)
    row = np.arange(len(side)) - np.repeat(np.cumsum(passed) - passed, passed) + from_row[side]
    (ax, ay), (bx, by) = a[side].T, b[side].T
    x = ax + (row + 0.5 - ay) * (bx - ax) / (by - ay)
    order = np.lexsort((x, row))
    for at, left, right in zip(row[order[0::2]].tolist(), x[order[0::2]].tolist(), x[order[1::2]].tolist(), strict=True):
        out[at - rows.start].append((left, right))
    # Corners on a row's height, and sides that lie on it, belong too.
    on = np.flatnonzero((a[:, 1] - 0.5 == np.round(a[:, 1] - 0.5)) & (a[:, 1] > rows.start) & (a[:, 1] < rows.stop))
    for n in on.tolist():
        found = out[math.floor(a[n, 1]) - rows.start]
        found.append((float(a[n, 0]), float(a[n, 0])))
        if a[n, 1] == b[n, 1]:
            found.append((float(min(a[n, 0], b[n, 0])), float(max(a[n, 0], b[n, 0]))))
    return out


def sums(rows: Sequence[npt.NDArray[np.generic]]) -> tuple[float, float]:
    """(mean, standard deviation of the population) of rows that hold at least one value: exact sums, rounded once.

    Whole numbers are added as such; others one by one (``fsum``).
    """
    n = sum(r.size for r in rows)
    if all(_whole(r) for r in rows):
        first = second = 0
        for r in rows:
            whole = r.astype(np.int64)
            first += int(whole.sum())
            second += int((whole * whole).sum())
        return first / n, math.sqrt((n * second - first * first) / (n * n))
    full = [r.astype(np.float64) for r in rows]
    mean = math.fsum(math.fsum(r.tolist()) for r in full) / n
    return mean, math.sqrt(math.fsum(math.fsum(((r - mean) ** 2).tolist()) for r in full) / n)


def _whole(row: npt.NDArray[np.generic]) -> bool:
    if row.dtype.kind in "iub":
        return row.dtype.itemsize <= 2 or bool(np.abs(row.astype(np.float64)).max() < _EXACT)
    numbers = row.astype(np.float64)
    return bool((numbers == np.rint(numbers)).all() and np.abs(numbers).max() < _EXACT)
