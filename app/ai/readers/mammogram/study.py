"""The views of one examination: each prepared, measured, paired with the same view of the other breast, scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.ai.reader_api import Networks
from app.ai.readers.film.places import (
    NOTHING,
    Floats,
    PlaceMark,
    Places,
    at_places,
    linear,
    marks_of,
    places_in,
    smoothed,
    traits_of,
)
from app.ai.readers.mammogram.maps import paired_maps, plain_maps, stacked
from app.ai.readers.mammogram.view import BreastView

NETWORK = "breast_place"
APART_PX = 28.0
SMOOTH_STEPS = 1.0
SKIN_MM = 2.0
MARKS = 6
IMAGE = "image"
"""Name of the weights of ``image_traits``, which packages of before 0.5.0 go by."""
LOOKED = "image_looked"
"""Name of the weights of ``looked_traits``, which go before those of ``image_traits``."""


@dataclass(frozen=True, eq=False)
class Measured:
    view: BreastView
    places: Places
    features: Floats
    """(places, maps)."""


@dataclass(frozen=True, eq=False)
class Scored:
    measured: Measured
    score: Floats
    marks: tuple[PlaceMark, ...]
    traits: tuple[float, ...]
    """Of this view's places alone."""
    looked: float | None = None
    """Mean of the three highest scores after the second look (``patches.py``); None where there was none."""


def measured_views(
    views: Sequence[BreastView], partner: Sequence[int | None], step: Callable[[float], None] = lambda share: None
) -> list[Measured]:
    """``partner[n]`` is the index of the same view of the other breast, or None."""
    own = []
    for n, view in enumerate(views):
        step(0.8 * n / len(views))
        own.append(plain_maps(view))
    found = []
    for n, view in enumerate(views):
        step(0.8 + 0.2 * n / len(views))
        p = partner[n]
        other = None if p is None else views[p]
        maps = {**own[n], **paired_maps(view, own[n], other, {} if p is None else own[p])}
        places = places_in(view.tissue & (view.skin_mm > SKIN_MM))
        found.append(Measured(view, places, at_places(stacked(maps), places)))
    return found


def scored(measured: Measured, raw: Floats) -> Scored:
    score = smoothed(measured.places, raw, measured.view.values.shape, SMOOTH_STEPS)
    marks = marks_of(measured.places, score, MARKS, APART_PX)
    return Scored(measured, score, tuple(marks), tuple(traits_of(score, marks)))


def run_network(measured: Measured, nets: Networks) -> Floats:
    if not len(measured.places):
        return np.zeros(0, np.float32)
    return nets.run(NETWORK, np.ascontiguousarray(measured.features[:, None], np.float32))[:, 0]


def image_traits(mine: Scored, other: Scored | None) -> list[float]:
    """What the places say of a view: its own traits, and by how much they exceed those of the other breast."""
    if other is None:
        return [*mine.traits, *([0.0] * len(mine.traits))]
    return [*mine.traits, *(a - b for a, b in zip(mine.traits, other.traits, strict=True))]


def looked_traits(mine: Scored, other: Scored | None) -> list[float]:
    """What the second look says of a view: the level of its highest places, and how far it exceeds the other breast's."""
    level = NOTHING if mine.looked is None else mine.looked
    there = level if other is None else NOTHING if other.looked is None else other.looked
    return [level, level - there]


def image_odds(mine: Scored, other: Scored | None, parameters: Mapping[str, Any]) -> float | None:
    """Log odds that the view shows a lesion; None with a package that has no weights for it."""
    if LOOKED in parameters:
        return linear(looked_traits(mine, other), parameters[LOOKED])
    return linear(image_traits(mine, other), parameters[IMAGE]) if IMAGE in parameters else None


__all__ = [
    "IMAGE",
    "LOOKED",
    "NOTHING",
    "Measured",
    "Scored",
    "image_odds",
    "image_traits",
    "looked_traits",
    "measured_views",
    "run_network",
    "scored",
]
