"""What is chosen on scans that a network has not seen: thresholds of the outline, the table from score to probability."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.ai.reader_api import Networks
from app.ai.readers.head.frame import GRID_MM
from app.ai.readers.head.segment import BleedMap, along, bleed_map, bodies, likeliest, outlines, slice_scores
from app.ai.readers.head.stack import Stack
from app.ai.readers.head_ct import Mark, marks_of
from app.ai.training.card_figures import bands_of, table_of
from app.ai.training.head_card import SHOWN_FROM
from app.ai.training.head_set import HeadScan
from app.domain.geometry import VolumeGeometry
from app.domain.scoring import auc, paired_bootstrap

SLICE_MM = 5.0
"""Of the labelled set (its authors' figure); the table does not say."""
Found = Sequence[tuple[HeadScan, BleedMap]]


def maps_of(scans: Sequence[HeadScan], nets: Networks, flips: int = 4) -> list[tuple[HeadScan, BleedMap]]:
    return [(s, bleed_map(s.planes, s.frame, s.around(), nets, flips)) for s in scans]


def truth_on_grid(scan: HeadScan) -> np.ndarray:
    from app.ai.readers.head.planes import on_grid

    return np.stack([on_grid(m.astype(np.uint8) * 255, scan.frame) > 127 for m in scan.masks])


THRESHOLDS = (0.1, 0.12, 0.15)
"""Lower ones let bodies grow through the noise of generated heads."""
PEAKS = (0.7, 0.75, 0.8, 0.85)
"""Version 0.3.0's and higher ones: fewer marks, not more."""
SPECK_PIXELS = 20
BEFORE = {"mask_threshold": 0.25, "mask_peak": 0.7, "mask_smoothing": 0.0, "speck_pixels": SPECK_PIXELS}
"""How version 0.3.0 outlined: two thresholds alone, the best ones for the same maps."""
ALIKE = 0.01


@dataclass(frozen=True)
class Overlap:
    """How well outlines meet the masks of some scans."""

    pooled: float
    by_slice: float
    volume: float
    """Median of outlined over true volume, of the scans whose bleeding an outline meets."""

    @property
    def total(self) -> float:
        return self.pooled + self.by_slice


def overlap(found: Found, truths: Sequence[npt.NDArray[np.bool_]], threshold: float, smoothing: float) -> list[Overlap]:
    """For each of ``PEAKS``; the same as ``outlines`` with these parameters and ``best_overlap``."""
    both, size = np.zeros(len(PEAKS)), np.zeros(len(PEAKS))
    single: list[list[float]] = [[] for _ in PEAKS]
    ratio: list[list[float]] = [[] for _ in PEAKS]
    for (scan, m), truth in zip(found, truths, strict=True):
        smooth = along(m.probability, scan.around(), smoothing)
        parts, count = bodies(smooth > threshold, scan.around())
        sure = np.concatenate([[0.0], ndimage.maximum(smooth, parts, np.arange(1, count + 1))]) if count else np.zeros(1)
        pixels = np.bincount(parts.ravel(), minlength=count + 1)
        known = truth.sum((1, 2))
        inside = np.nonzero(parts)
        plane, name, value, blood = inside[0], parts[inside], smooth[inside], truth[inside]
        for n, peak in enumerate(PEAKS):
            kept = ((sure >= peak) & (pixels >= SPECK_PIXELS))[name]
            met, outlined = np.zeros(len(truth)), np.zeros(len(truth))
            for k in np.unique(plane[kept]):
                here = kept & (plane == k)
                chosen = value[here] >= np.sort(value[here])[-likeliest(value[here])]
                met[k], outlined[k] = blood[here][chosen].sum(), chosen.sum()
            each = outlined + known
            both[n], size[n] = both[n] + met.sum(), size[n] + each.sum()
            single[n] += (2 * met / np.maximum(each, 1))[known > 0].tolist()
            if met.any():
                ratio[n].append(float(outlined.sum() / known.sum()))
    return [
        Overlap(2 * b / max(s, 1.0), float(np.mean(d)), float(np.median(r)) if r else float("nan"))
        for b, s, d, r in zip(both, size, single, ratio, strict=True)
    ]


def tuned(found: Found) -> dict[str, Any]:
    """The best slice score on these scans, and the outlines with the best sum of pooled and per-slice overlap."""
    truths = [truth_on_grid(s) for s, _ in found]
    bleed = np.concatenate([s.bleed for s, _ in found])
    best_auc, score_parts = -1.0, {}
    for weight, smoothing in itertools.product((0.0, 0.25, 0.5, 0.75), (0.0, 0.2, 0.4, 0.6)):
        part = {"whole_weight": weight, "score_smoothing": smoothing}
        value = auc(bleed, np.concatenate([slice_scores(m, s.around(), part) for s, m in found]))
        if value > best_auc + 1e-4:
            best_auc, score_parts = value, part
    ways = [
        (reached, peak, threshold, smoothing)
        for threshold, smoothing in itertools.product(THRESHOLDS, (0.0, 0.3))
        for peak, reached in zip(PEAKS, overlap(found, truths, threshold, smoothing), strict=True)
    ]
    # Of ways that do alike, the one whose volumes come nearest: the reader is told millilitres.
    best = max(reached.total for reached, *_ in ways)
    alike = [way for way in ways if way[0].total > best - ALIKE]
    _, peak, threshold, smoothing = min(alike, key=lambda way: abs(np.log(max(way[0].volume, 1e-3))))
    chosen = {"mask_threshold": threshold, "mask_peak": peak, "mask_smoothing": smoothing, "speck_pixels": SPECK_PIXELS}
    return {**score_parts, **chosen, "best_overlap": True, "flips": 4}


def gain(found: Found, truths: Sequence[npt.NDArray[np.bool_]], parameters: Mapping[str, Any]) -> dict[str, list[float]]:
    """What these outlines add to those of ``BEFORE`` on the same scans: (difference, low, high), bootstrap by scan."""
    rows = []
    for s, ((scan, m), truth) in enumerate(zip(found, truths, strict=True)):
        masks = [outlines(m, scan.around(), way) for way in (parameters, BEFORE)]
        columns = [truth.sum((1, 2))]
        for mask in masks:
            columns += [mask.sum((1, 2)), (mask & truth).sum((1, 2))]
        rows += [(s, *counts) for counts in zip(*columns, strict=True)]
    table = np.asarray(rows, np.float64).T
    known = table[1]

    def pooled(i: npt.NDArray[np.int64], way: int) -> float:
        return float(2 * table[3 + 2 * way][i].sum() / max(1.0, table[2 + 2 * way][i].sum() + known[i].sum()))

    def by_slice(i: npt.NDArray[np.int64], way: int) -> float:
        i = i[known[i] > 0]
        return float(np.mean(2 * table[3 + 2 * way][i] / (table[2 + 2 * way][i] + known[i]))) if len(i) else float("nan")

    out = {}
    for name, f in (("dice_pooled", pooled), ("dice_slice", by_slice)):
        told = paired_bootstrap(lambda i, f=f: f(i, 0), lambda i, f=f: f(i, 1), table[0].astype(int).tolist(), 1000)
        out[name] = [round(v, 4) for v in (told.value, told.low, told.high)]
    return out


Shared = npt.NDArray[np.bool_]


def marks_on(found: Found, parameters: Mapping[str, Any]) -> Iterator[tuple[HeadScan, Stack, Mark, Shared]]:
    """Every mark of every scan with the part of its block that it shares with the mask."""
    for scan, m in found:
        hu = scan.planes.astype(np.float32) * (80.0 / 255.0)
        pixel_mm = GRID_MM * scan.frame.scale
        geometry = VolumeGeometry.axial(
            (hu.shape[0], hu.shape[1], hu.shape[2]), (SLICE_MM, pixel_mm, pixel_mm), (0.0, 0.0, 0.0)
        )
        stack = Stack(hu, scan.planes, scan.frame, tuple(scan.around()), 1, geometry, (1.0, 1.0))
        masks = stack.back(outlines(m, stack.around, parameters).astype(np.float32)) > 0.5
        probability = stack.back(along(m.probability, stack.around, float(parameters.get("mask_smoothing", 0.0))))
        for mark in marks_of(stack, masks, probability):
            box = tuple(slice(a, a + n) for a, n in zip(mark.low, mark.mask.shape, strict=True))
            yield scan, stack, mark, scan.masks[box] & mark.mask


def is_true(mark: Mark, shared: Shared) -> bool:
    """A tenth of the mark is shared with a mask."""
    return float(shared.sum()) >= 0.1 * float(mark.mask.sum())


def true_marks(found: Found, parameters: Mapping[str, Any]) -> Iterator[tuple[HeadScan, Stack, Mark, Shared]]:
    return (m for m in marks_on(found, parameters) if is_true(m[2], m[3]))


def marks_with_truth(found: Found, parameters: Mapping[str, Any]) -> tuple[list[float], list[bool]]:
    """(score, true) of every mark."""
    seen = [(mark.score, is_true(mark, shared)) for _, _, mark, shared in marks_on(found, parameters)]
    return [s for s, _ in seen], [t for _, t in seen]


def figures_of(found: Found, data: str) -> dict[str, Any]:
    """Everything of the package that is chosen on maps that are new to the network."""
    parameters = tuned(found)
    # Marks that are nowhere sure are counted too, so that the table knows false ones.
    scores, true = marks_with_truth(found, {**parameters, "mask_peak": 0.0})
    table = table_of(scores, true)
    outlined, right = marks_with_truth(found, parameters)
    probability = np.interp(outlined, table["score"], table["probability"])
    bands = bands_of(probability.tolist(), right, (0.0, 0.4, 0.75, 1.0), data, shown_from=SHOWN_FROM)
    truths = [truth_on_grid(s) for s, _ in found]
    ways = overlap(found, truths, parameters["mask_threshold"], parameters["mask_smoothing"])
    reached = ways[PEAKS.index(parameters["mask_peak"])]
    bleed = np.concatenate([s.bleed for s, _ in found])
    score = np.concatenate([slice_scores(m, s.around(), parameters) for s, m in found])
    return {
        "new_to_the_network": {
            "scans": len(found),
            "with_bleeding": sum(bool(t.any()) for t in truths),
            "dice_pooled": round(reached.pooled, 4),
            "dice_slice": round(reached.by_slice, 4),
            "volume_ratio_median": round(reached.volume, 4),
            "slice_auc": round(auc(bleed, score), 4),
        },
        "gain_over_two_thresholds": gain(found, truths, parameters),
        "parameters": parameters,
        "calibration": table,
        "marks": len(scores),
        "true_marks": int(np.sum(true)),
        "calibration_bands": [b.__dict__ for b in bands],
    }
