"""Bleeding on the slices of one head: probability by pixel, score by slice, and the outline after cleaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.ai.reader_api import Networks
from app.ai.readers.head.frame import COLUMNS, ROWS, Frame
from app.ai.readers.head.planes import Bytes, Floats, channels, on_grid

NETWORK = "head_bleed"
PIXELS = ROWS * COLUMNS
SLICES_AT_ONCE = 4
PEAK_PIXELS = 24
"""The score of a slice looks at so many of its most suspicious pixels (about 22 mm2)."""


@dataclass(frozen=True, eq=False)
class BleedMap:
    """``probability`` (k, ROWS, COLUMNS) on the grid; ``whole`` (k,) what the network says of each slice, 0..1."""

    probability: Floats
    whole: Floats


def bleed_map(
    planes: Bytes,
    frame: Frame,
    around: Sequence[tuple[int, int]],
    nets: Networks,
    flips: int = 4,
    step: Callable[[float], None] = lambda share: None,
) -> BleedMap:
    """Runs the network on every slice; ``flips`` of 1, 2 or 4 mirrored looks are averaged."""
    grid = np.stack([on_grid(p, frame) for p in planes])
    probability = np.zeros((len(planes), ROWS, COLUMNS), np.float32)
    whole = np.zeros(len(planes), np.float32)
    ways = ((1, 1), (1, -1), (-1, 1), (-1, -1))[:flips]
    for first in range(0, len(planes), SLICES_AT_ONCE):
        part = range(first, min(first + SLICES_AT_ONCE, len(planes)))
        batch = np.stack([channels(grid[n], grid[around[n][0]], grid[around[n][1]]) for n in part])
        logits = np.zeros((len(batch), ROWS, COLUMNS), np.float32)
        value = np.zeros(len(batch), np.float32)
        for v, h in ways:
            out = nets.run(NETWORK, np.ascontiguousarray(batch[:, :, ::v, ::h]))
            logits += out[:, :PIXELS].reshape(-1, ROWS, COLUMNS)[:, ::v, ::h]
            value += out[:, PIXELS]
        probability[list(part)] = _logistic(logits / len(ways))
        whole[list(part)] = _logistic(value / len(ways))
        step(min(1.0, (first + SLICES_AT_ONCE) / len(planes)))
    return BleedMap(probability, whole)


def _logistic(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30, 30))), np.float32)


def along(values: Floats, around: Sequence[tuple[int, int]], share: float) -> Floats:
    """Each slice mixed with its neighbours, which weigh ``share`` together; a missing one counts as the slice itself."""
    if share <= 0:
        return values
    before, after = (np.asarray([pair[n] for pair in around]) for n in (0, 1))
    return np.asarray((1 - share) * values + share * 0.5 * (values[before] + values[after]), np.float32)


def slice_scores(found: BleedMap, around: Sequence[tuple[int, int]], parameters: Mapping[str, Any]) -> Floats:
    """How much each slice looks like one with bleeding, 0..1."""
    soft = np.stack([cv2.GaussianBlur(p, (0, 0), 0.8) for p in found.probability])
    flat = np.partition(soft.reshape(len(soft), -1), -PEAK_PIXELS, axis=1)[:, -PEAK_PIXELS:]
    weight = float(parameters.get("whole_weight", 0.5))
    mixed = (1 - weight) * flat.mean(1) + weight * found.whole
    return along(np.asarray(mixed, np.float32), around, float(parameters.get("score_smoothing", 0.3)))


def bodies(over: npt.NDArray[np.bool_], around: Sequence[tuple[int, int]]) -> tuple[npt.NDArray[np.int32], int]:
    """Connected parts of ``over`` (k, rows, columns) across neighbouring slices: their numbers from 1, and how many."""
    planes: list[int] = []
    for n in [n for n, (before, _) in enumerate(around) if before == n]:
        planes += [-1, n]  # an empty plane holds apart what a gap in the stack separates
        while around[planes[-1]][1] != planes[-1]:
            planes.append(around[planes[-1]][1])
    at = np.asarray(planes)
    parts, count = ndimage.label(np.where((at >= 0)[:, None, None], over[at], False), np.ones((3, 3, 3)))
    placed = np.zeros(over.shape, np.int32)
    placed[at[at >= 0]] = parts[at >= 0]
    return placed, int(count)


def likeliest(values: npt.NDArray[np.floating[Any]]) -> int:
    """How many of these probabilities, the highest first, make the outline with the best overlap to be expected.

    Twice the pixels shared over the pixels of both, each pixel bleeding with its probability.
    """
    shared = np.cumsum(np.sort(values, axis=None)[::-1], dtype=np.float64)
    return int(np.argmax(shared / (np.arange(1, len(shared) + 1) + shared[-1]))) + 1


def best_overlap(smooth: Floats, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Slice by slice the pixels of ``kept`` that are outlined for the best overlap: more where all of it is pale."""
    chosen = np.zeros_like(kept)
    for n in np.nonzero(kept.any((1, 2)))[0]:
        values = smooth[n][kept[n]]
        chosen[n] = kept[n] & (smooth[n] >= np.sort(values)[-likeliest(values)])
    return chosen


def outlines(found: BleedMap, around: Sequence[tuple[int, int]], parameters: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Masks on the grid: bodies of probability over ``mask_threshold`` that somewhere reach ``mask_peak``, without specks.

    Two thresholds (hysteresis): a bleed is sure in its middle and pale at its rim and its last slices, where one
    threshold either cuts it short or lets through what is pale everywhere. With ``best_overlap`` the lower one only says
    what belongs to a body, and each slice is outlined where its own probabilities promise most.
    """
    smooth = along(found.probability, around, float(parameters.get("mask_smoothing", 0.0)))
    parts, count = bodies(smooth > float(parameters.get("mask_threshold", 0.5)), around)
    names = np.arange(1, count + 1)
    size = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    sure = np.asarray(ndimage.maximum(smooth, parts, names)) if count else np.zeros(0)
    kept = (size >= int(parameters.get("speck_pixels", 15))) & (sure >= float(parameters.get("mask_peak", 0.0)))
    inside = np.concatenate([[False], kept])[parts]
    return best_overlap(smooth, inside) if parameters.get("best_overlap", False) else inside
