"""Scored places of a film: a coarse grid of places, their scores smoothed among neighbours, the highest ones as marks.

A place is (row, column) on the reader's working grid; ``STEP`` pixels lie between neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.problem import Problem

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

STEP = 4
NOTHING = -9.0
"""Score of a mark that is not there."""


@dataclass(frozen=True)
class PlaceMark:
    score: float
    x: float
    y: float


def places_in(mask: Bools) -> Places:
    """(n, 2) places (row, column) of ``mask`` on the coarse grid."""
    half = STEP // 2
    return np.argwhere(mask[half::STEP, half::STEP]) * STEP + half


def at_places(stack: Floats, places: Places) -> Floats:
    """(n, maps) of a stack (maps, rows, columns)."""
    return np.ascontiguousarray(stack[:, places[:, 0], places[:, 1]].T)


def smoothed(places: Places, score: Floats, shape: tuple[int, int], sigma: float) -> Floats:
    """Scores after a Gaussian of ``sigma`` grid steps over the places that exist."""
    if not len(places) or sigma <= 0:
        return score.astype(np.float32)
    cells = ((shape[0] + STEP - 1) // STEP + 1, (shape[1] + STEP - 1) // STEP + 1)
    above, below = np.zeros(cells, np.float32), np.zeros(cells, np.float32)
    row, column = places[:, 0] // STEP, places[:, 1] // STEP
    above[row, column], below[row, column] = score, 1.0
    mean = cv2.GaussianBlur(above, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(below, (0, 0), sigma), 0.05)
    return mean[row, column]


def marks_of(places: Places, score: Floats, most: int, apart: float) -> list[PlaceMark]:
    """The highest places, no two nearer than ``apart`` pixels, in falling score."""
    left = score.astype(np.float64).copy()
    where = places.astype(np.float64)
    found: list[PlaceMark] = []
    while len(found) < most and len(left):
        best = int(left.argmax())
        if not np.isfinite(left[best]):
            break
        found.append(PlaceMark(float(left[best]), float(where[best, 1]), float(where[best, 0])))
        left[np.hypot(*(where - where[best]).T) < apart] = -np.inf
    return found


def traits_of(score: Floats, marks: Sequence[PlaceMark]) -> list[float]:
    """What a film's scores say as a whole: three highest marks, mean, 90th percentile, spread."""
    best = [m.score for m in marks[:3]] + [NOTHING] * max(0, 3 - len(marks))
    if not len(score):
        return [*best, NOTHING, NOTHING, 0.0]
    return [*best, float(score.mean()), float(np.percentile(score, 90)), float(score.std())]


def linear(values: Sequence[float], weights: Mapping[str, Any]) -> float:
    return float(np.dot(np.asarray(values, np.float64), np.asarray(weights["weights"], np.float64)) + float(weights["bias"]))


def probability(score: float | Floats, table: Mapping[str, Any] | None) -> Any:
    """From a calibration table (``score``, ``probability``); the logistic where there is none."""
    if table:
        return np.clip(np.interp(score, table["score"], table["probability"]), 0.0, 1.0)
    return 1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0)))


def painted(places: Places, values: Floats, shape: tuple[int, int]) -> Floats:
    """The places' values on the whole coarse grid (rows / STEP, columns / STEP), 0 elsewhere."""
    out = np.zeros((math.ceil(shape[0] / STEP), math.ceil(shape[1] / STEP)), np.float32)
    if len(places):
        out[places[:, 0] // STEP, places[:, 1] // STEP] = values
    return out


def each_once(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """In their order, without repeats (several films of a study may have the same reason)."""
    return tuple(p for n, p in enumerate(problems) if p not in problems[:n])
