"""Figures of merit, shared by evaluation, teaching and indicators. Arrays in, numbers out; numpy only.

Intervals are percentiles of a bootstrap over groups (patients), seeded, so that a figure can be printed again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Array = npt.ArrayLike

CPM_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per scan at which the competition performance metric reads the sensitivity."""


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval; ``n`` cases."""

    value: float
    low: float
    high: float
    n: int


def _pair(truth: Array, score: Array) -> tuple[npt.NDArray[np.bool_], Floats]:
    y = np.asarray(truth).astype(bool).ravel()
    s = np.asarray(score, np.float64).ravel()
    if y.shape != s.shape:
        raise ValueError('"truth" and "score" must be of one length')
    if np.isnan(s).any():
        raise ValueError('"score" holds NaN')
    return y, s


def midranks(values: Array) -> Floats:
    """Ranks from 1, ties share their mean."""
    v = np.asarray(values, np.float64)
    _, place, count = np.unique(v, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean = (last - count + 1 + last) / 2.0
    return np.asarray(mean[place], np.float64)


def auc(truth: Array, score: Array) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half. NaN without both classes."""
    y, s = _pair(truth, score)
    m = int(y.sum())
    n = len(y) - m
    if m == 0 or n == 0:
        return math.nan
    return float((midranks(s)[y].sum() - m * (m + 1) / 2) / (m * n))


def roc(truth: Array, score: Array) -> tuple[Floats, Floats, Floats]:
    """(false positive rate, true positive rate, threshold) from the strictest threshold on; starts at (0, 0, inf)."""
    y, s = _pair(truth, score)
    order = np.argsort(-s, kind="stable")
    y, s = y[order], s[order]
    ends = np.append(np.nonzero(np.diff(s))[0], len(s) - 1) if len(s) else np.zeros(0, int)
    tp = np.cumsum(y)[ends] / max(int(y.sum()), 1)
    fp = np.cumsum(~y)[ends] / max(int((~y).sum()), 1)
    return np.append(0.0, fp), np.append(0.0, tp), np.append(np.inf, s[ends])


def delong_variance(truth: Array, scores: Array) -> tuple[Floats, Floats]:
    """(AUCs, covariance) of k scores, shape (k, n), on the same cases (DeLong, DeLong and Clarke-Pearson 1988)."""
    y = np.asarray(truth).astype(bool).ravel()
    s = np.atleast_2d(np.asarray(scores, np.float64))
    m, n = int(y.sum()), int((~y).sum())
    if m < 2 or n < 2:
        raise ValueError("DeLong needs two cases of each class")
    v10, v01, areas = [], [], []
    for row in s:
        all_ranks = midranks(row)
        own_pos, own_neg = midranks(row[y]), midranks(row[~y])
        v10.append((all_ranks[y] - own_pos) / n)
        v01.append(1.0 - (all_ranks[~y] - own_neg) / m)
        areas.append((all_ranks[y].sum() - m * (m + 1) / 2) / (m * n))
    covariance = np.atleast_2d(np.cov(np.asarray(v10))) / m + np.atleast_2d(np.cov(np.asarray(v01))) / n
    return np.asarray(areas), np.asarray(covariance, np.float64)


def delong_interval(truth: Array, score: Array) -> Interval:
    areas, covariance = delong_variance(truth, np.asarray(score, np.float64)[None])
    spread = 1.959964 * math.sqrt(max(float(covariance[0, 0]), 0.0))
    a = float(areas[0])
    return Interval(a, max(0.0, a - spread), min(1.0, a + spread), int(np.asarray(truth).size))


def delong_test(truth: Array, first: Array, second: Array) -> tuple[float, float]:
    """(difference of the areas, two-sided p) of two scores on the same cases."""
    areas, covariance = delong_variance(truth, np.stack([np.asarray(first, float), np.asarray(second, float)]))
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = float(areas[0] - areas[1])
    if variance <= 0:
        return difference, 1.0 if difference == 0 else 0.0
    return difference, math.erfc(abs(difference) / math.sqrt(2 * variance))


def bootstrap(
    figure: Callable[[npt.NDArray[np.int64]], float], groups: Sequence[object], rounds: int = 2000, seed: int = 0
) -> Interval:
    """``figure(indices)`` on all cases with a 95 % interval from drawing whole groups (patients) with replacement.

    A draw for which the figure is NaN (a class missing) is left out.
    """
    names: dict[object, list[int]] = {}
    for index, group in enumerate(groups):
        names.setdefault(group, []).append(index)
    members = [np.asarray(v, np.int64) for v in names.values()]
    value = figure(np.arange(len(groups), dtype=np.int64))
    if len(members) < 2:
        return Interval(value, value, value, len(groups))
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(rounds):
        pick = rng.integers(0, len(members), len(members))
        drawn = figure(np.concatenate([members[p] for p in pick]))
        if not math.isnan(drawn):
            draws.append(drawn)
    if not draws:
        return Interval(value, value, value, len(groups))
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value, min(float(low), value), max(float(high), value), len(groups))


def paired_bootstrap(
    first: Callable[[npt.NDArray[np.int64]], float],
    second: Callable[[npt.NDArray[np.int64]], float],
    groups: Sequence[object],
    rounds: int = 2000,
    seed: int = 0,
) -> Interval:
    """Difference first - second on the same draws; a gain counts when ``low`` is above 0."""
    return bootstrap(lambda i: first(i) - second(i), groups, rounds, seed)


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """``sensitivity`` reached with at most ``false_per_scan`` false marks per scan, at falling ``threshold``."""

    false_per_scan: Floats
    sensitivity: Floats
    threshold: Floats
    lesions: int
    scans: int

    def at(self, false_per_scan: float) -> float:
        """Best sensitivity with at most that many false marks per scan; 0 when every threshold has more."""
        reached = self.sensitivity[self.false_per_scan <= false_per_scan + 1e-9]
        return float(reached.max()) if len(reached) else 0.0


@dataclass(frozen=True)
class Mark:
    """One mark of a reader on scan ``scan``; ``lesion`` is the index of the lesion it hits, None for a false mark."""

    scan: int
    score: float
    lesion: int | None


def froc(marks: Sequence[Mark], lesions_per_scan: Sequence[int]) -> FrocCurve:
    """Free-response curve. A lesion counts once, by its best mark; further marks on it count neither way."""
    total, scans = int(sum(lesions_per_scan)), len(lesions_per_scan)
    best: dict[tuple[int, int], float] = {}
    false: list[float] = []
    for mark in marks:
        if not 0 <= mark.scan < scans:
            raise ValueError("a mark lies on an unknown scan")
        if mark.lesion is None:
            false.append(mark.score)
        else:
            key = (mark.scan, mark.lesion)
            best[key] = max(best.get(key, -math.inf), mark.score)
    hits = np.sort(np.asarray(list(best.values()), np.float64))[::-1]
    wrong = np.sort(np.asarray(false, np.float64))[::-1]
    levels = np.unique(np.concatenate([hits, wrong]))[::-1]
    found = np.searchsorted(-hits, -levels, side="right") / max(total, 1)
    extra = np.searchsorted(-wrong, -levels, side="right") / max(scans, 1)
    start = np.zeros(1)
    return FrocCurve(
        np.concatenate([start, extra]), np.concatenate([start, found]), np.concatenate([[np.inf], levels]), total, scans
    )


def cpm(curve: FrocCurve, rates: Sequence[float] = CPM_RATES) -> float:
    """Mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false marks per scan."""
    return float(np.mean([curve.at(r) for r in rates]))


def cpm_interval(marks: Sequence[Mark], lesions_per_scan: Sequence[int], rounds: int = 1000, seed: int = 0) -> Interval:
    """CPM with an interval from drawing scans with replacement."""
    by_scan: list[list[Mark]] = [[] for _ in lesions_per_scan]
    for mark in marks:
        by_scan[mark.scan].append(mark)

    def figure(index: npt.NDArray[np.int64]) -> float:
        drawn = [Mark(n, m.score, m.lesion) for n, s in enumerate(index) for m in by_scan[int(s)]]
        return cpm(froc(drawn, [lesions_per_scan[int(s)] for s in index]))

    return bootstrap(figure, list(range(len(lesions_per_scan))), rounds, seed)


def dice(a: Array, b: Array) -> float:
    """2 |A and B| / (|A| + |B|); 1 when both are empty."""
    x, y = np.asarray(a).astype(bool), np.asarray(b).astype(bool)
    if x.shape != y.shape:
        raise ValueError("masks must be of one shape")
    total = int(x.sum()) + int(y.sum())
    return 1.0 if total == 0 else 2.0 * int((x & y).sum()) / total


def precision_recall(truth: Array, score: Array, weight: Array | None = None) -> tuple[Floats, Floats, Floats]:
    """(recall, precision, threshold) from the strictest threshold on, one point per distinct score."""
    y, s = _pair(truth, score)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64).ravel()
    order = np.argsort(-s, kind="stable")
    y, s, w = y[order], s[order], w[order]
    ends = np.append(np.nonzero(np.diff(s))[0], len(s) - 1) if len(s) else np.zeros(0, int)
    hit, every = np.cumsum(w * y)[ends], np.cumsum(w)[ends]
    positives = float((w * y).sum())
    return hit / max(positives, 1e-12), hit / np.maximum(every, 1e-12), s[ends]


def all_point_ap(recall: Array, precision: Array) -> float:
    """Area under the precision envelope over recall (all-point interpolation)."""
    r = np.concatenate([[0.0], np.asarray(recall, np.float64), [1.0]])
    p = np.concatenate([[0.0], np.asarray(precision, np.float64), [0.0]])
    p = np.maximum.accumulate(p[::-1])[::-1]
    step = np.nonzero(np.diff(r))[0]
    return float(np.sum((r[step + 1] - r[step]) * p[step + 1]))


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Of two boxes (x0, y0, x1, y1)."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    both = w * h
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(both / (areas - both))


@dataclass(frozen=True)
class Box:
    """A box on image ``image``; ``score`` is not read for truth, ``weight`` only for truth's images."""

    image: int
    box: tuple[float, float, float, float]
    score: float = 1.0


def average_precision(
    found: Sequence[Box], truth: Sequence[Box], iou: float = 0.5, image_weight: Sequence[float] | None = None
) -> float:
    """AP of one class at an IoU, all-point interpolation; each image counts ``image_weight``. NaN without truth."""
    if not truth:
        return math.nan
    by_image: dict[int, list[int]] = {}
    for n, t in enumerate(truth):
        by_image.setdefault(t.image, []).append(n)
    taken: set[int] = set()
    hits, weights, scores = [], [], []
    for mark in sorted(found, key=lambda b: -b.score):
        best, overlap = -1, iou
        for n in by_image.get(mark.image, []):
            value = box_iou(mark.box, truth[n].box)
            if n not in taken and value >= overlap:
                best, overlap = n, value
        if best >= 0:
            taken.add(best)
        hits.append(best >= 0)
        weights.append(1.0 if image_weight is None else image_weight[mark.image])
        scores.append(mark.score)
    positives = sum(1.0 if image_weight is None else image_weight[t.image] for t in truth)
    if not hits:
        return 0.0
    w = np.asarray(weights)
    hit = np.cumsum(w * np.asarray(hits))
    every = np.cumsum(w)
    ends = np.append(np.nonzero(np.diff(scores))[0], len(scores) - 1)
    return all_point_ap((hit / positives)[ends], (hit / np.maximum(every, 1e-12))[ends])


def calibration_error(truth: Array, probability: Array, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins of probability."""
    y, p = _pair(truth, probability)
    if len(y) == 0:
        return math.nan
    place = np.clip((p * bins).astype(int), 0, bins - 1)
    total = 0.0
    for n in range(bins):
        here = place == n
        if here.any():
            total += float(here.mean()) * abs(float(y[here].mean()) - float(p[here].mean()))
    return total


def reliability(truth: Array, probability: Array, edges: Sequence[float]) -> list[tuple[float, float, int, int]]:
    """(low, high, n, true) for each band of probability; the last band takes its upper edge in."""
    y, p = _pair(truth, probability)
    rows = []
    for n, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        here = (p >= low) & ((p < high) | ((n == len(edges) - 2) & (p <= high)))
        rows.append((float(low), float(high), int(here.sum()), int(y[here].sum())))
    return rows


def cohen_kappa(first: Array, second: Array, weights: str = "none") -> float:
    """Agreement beyond chance of two raters on whole-number categories; ``weights`` none, linear or quadratic."""
    a, b = np.asarray(first, int).ravel(), np.asarray(second, int).ravel()
    if a.shape != b.shape or len(a) == 0:
        raise ValueError("two equally long ratings are needed")
    names = np.unique(np.concatenate([a, b]))
    table = np.zeros((len(names), len(names)))
    np.add.at(table, (np.searchsorted(names, a), np.searchsorted(names, b)), 1.0)
    table /= table.sum()
    chance = np.outer(table.sum(1), table.sum(0))
    distance = np.abs(names[:, None] - names[None, :]).astype(float)
    cost = {"none": (distance > 0).astype(float), "linear": distance, "quadratic": distance**2}[weights]
    expected = float((cost * chance).sum())
    return 1.0 if expected == 0 else 1.0 - float((cost * table).sum()) / expected


def isotonic(score: Array, truth: Array) -> tuple[Floats, Floats]:
    """Pool-adjacent-violators: knots (score, probability), both rising, for linear reading between them."""
    y, s = _pair(truth, score)
    order = np.argsort(s, kind="stable")
    blocks: list[list[float]] = []  # sum, count, lowest score, highest score
    for value, hit in zip(s[order], y[order], strict=True):
        blocks.append([float(hit), 1.0, float(value), float(value)])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [blocks[-1][0] + last[0], blocks[-1][1] + last[1], blocks[-1][2], last[3]]
    knots = [(b[2], b[0] / b[1]) for b in blocks] + [(b[3], b[0] / b[1]) for b in blocks if b[3] > b[2]]
    knots.sort()
    return np.asarray([k[0] for k in knots]), np.asarray([k[1] for k in knots])
