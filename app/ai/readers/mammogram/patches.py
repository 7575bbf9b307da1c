"""The highest places of a view looked at once more: each with its surroundings of 38 mm and those of the other breast.

The score of a place and the network's, both in log odds, become one; the places are put in order by it, and the
three highest say how likely the picture shows a lesion at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.film.places import Floats, PlaceMark, marks_of
from app.ai.readers.mammogram.maps import alignment
from app.ai.readers.mammogram.study import APART_PX, MARKS, Scored
from app.ai.readers.mammogram.view import BreastView

NETWORK = "breast_patch"
SIDE = 48
AIR = -2.5
"""Grey outside the breast, and everywhere of an other breast that is not there."""
STEP = 2
"""Pixels of the view's grid to one of a patch: 0.8 mm."""
PLACES = 40
NEAR_PX = 14.0
"""Looked at are the highest places of a view, no two nearer than this."""
WEIGHT = 1.0 / 3.0
"""Share of the network in the common score."""
HIGHEST = 4.0
LEVEL_OF = 3
"""So many highest places make the picture's level."""
FLIPS = tuple(np.diag([x, y]) for x in (1.0, -1.0) for y in (1.0, -1.0))
Matrix = npt.NDArray[np.float64]


def film_stack(view: BreastView, other: BreastView | None) -> Floats:
    """(rows / 2, columns / 2, 3): grey, grey of the other breast laid on it, tissue."""
    own = np.where(view.breast, view.values, np.float32(AIR))
    if other is None:
        there = np.full_like(own, AIR)
    else:
        there = cv2.warpAffine(
            np.where(other.breast, other.values, np.float32(AIR)),
            alignment(view, other),
            (own.shape[1], own.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=AIR,
        )
    return np.ascontiguousarray(np.stack([_halved(a) for a in (own, there, view.tissue.astype(np.float32))], -1))


def on_stack(x: float, y: float) -> tuple[float, float]:
    """A place of the view's grid on that of ``film_stack``."""
    return (x - 0.5) / STEP, (y - 0.5) / STEP


def patch_at(stack: Floats, x: float, y: float, turn: Matrix) -> Floats:
    """(48, 48, 3) around a place of the stack; ``turn`` takes steps of the patch to steps of the stack."""
    middle = np.asarray([x, y]) - turn @ np.full(2, SIDE / 2 - 0.5)
    return cv2.warpAffine(
        stack,
        np.c_[turn, middle].astype(np.float32),
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(AIR, AIR, 0),
    )


def places_of(result: Scored) -> list[PlaceMark]:
    """The places that are looked at."""
    return marks_of(result.measured.places, result.score, PLACES, NEAR_PX)


def patches(stack: Floats, places: Sequence[PlaceMark]) -> Floats:
    """(4 n, 3, 48, 48): every place as it is and mirrored."""
    cut = np.stack([patch_at(stack, *on_stack(p.x, p.y), turn) for p in places for turn in FLIPS])
    np.clip(cut[..., :2], AIR, HIGHEST, out=cut[..., :2])
    return np.ascontiguousarray(cut.transpose(0, 3, 1, 2), np.float32)


def again(result: Scored, places: Sequence[PlaceMark], looked: Floats) -> Scored:
    """``looked`` (4 n, 1): the network's logits of ``patches``."""
    logits = looked.reshape(len(places), len(FLIPS)).mean(1).astype(np.float64)
    was = np.asarray([p.score for p in places])
    now = (1.0 - WEIGHT) * was + WEIGHT * logits
    at = np.asarray([(p.y, p.x) for p in places])
    where = np.asarray(at, np.int64)
    marks = marks_of(where, now.astype(np.float32), MARKS, APART_PX)
    # Places that were not looked at move with the nearest one that was.
    far = np.hypot(*(result.measured.places[:, None].astype(np.float32) - at[None].astype(np.float32)).transpose(2, 0, 1))
    nearest = far.argmin(1)
    moved = np.where(far.min(1) < NEAR_PX, (now - was)[nearest], 0.0)
    level = float(np.sort(now)[-LEVEL_OF:].mean())
    return replace(result, score=(result.score + moved).astype(np.float32), marks=tuple(marks), looked=level)


def looked_again(results: Sequence[Scored], partner: Sequence[int | None], nets: Networks) -> list[Scored]:
    """``partner[n]`` is the index of the same view of the other breast, or None."""
    found = []
    for result, p in zip(results, partner, strict=True):
        places = places_of(result)
        if not places:
            found.append(result)
            continue
        stack = film_stack(result.measured.view, None if p is None else results[p].measured.view)
        found.append(again(result, places, nets.run(NETWORK, patches(stack, places))))
    return found


def _halved(image: Floats) -> Floats:
    rows, columns = image.shape
    even = np.pad(image, ((0, rows % STEP), (0, columns % STEP)), mode="edge")
    return cv2.resize(even, (even.shape[1] // STEP, even.shape[0] // STEP), interpolation=cv2.INTER_AREA)
