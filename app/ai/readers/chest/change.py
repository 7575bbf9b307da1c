"""Whether a marked shadow stood at its place on an earlier film: both films laid on each other, then subtracted there.

The chest of the earlier film is brought to the present one by the lung fields' boxes, then by greys (affine, ECC); around
a mark once more by itself, because ribs move with the breath. What of the shadow's own contrast remains in the difference
tells: nearly all of it, and the shadow is new; little, and it was there. Between the two it is grown or new, not which.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.chest.field import ChestField
from app.domain.earlier_mark import EarlierState

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

LEAST_ALIKE = 0.7
"""Correlation of the two films over the chest, below which they are not compared."""
SIGMAS = (2.2, 3.2, 4.7, 7.0, 10.0)
_PATCH = 26
_REACH = 7
NEW_FROM = 0.95
THERE_TO = 0.38
"""Shares of the shadow's contrast that is left in the difference."""


@dataclass(frozen=True, eq=False)
class Laid:
    """``to_then`` (2, 3): places (x, y) of the present grid to those of the earlier one."""

    to_then: Matrix
    alike: float


@dataclass(frozen=True)
class Compared:
    state: EarlierState
    left: float
    """Share of the shadow's contrast that the earlier film does not explain."""
    place: tuple[float, float]
    """(x, y) on the earlier grid."""


def _box(field: ChestField) -> tuple[float, float, float, float]:
    place = np.argwhere(field.lungs)
    (top, left), (bottom, right) = place.min(0), place.max(0)
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def _even(field: ChestField) -> Floats:
    """Greys without what exposure and breast do to whole regions; between -1 and 1."""
    smooth = cv2.GaussianBlur(field.values, (0, 0), 1.5)
    coarse = cv2.GaussianBlur(field.values, (0, 0), 24)
    return np.asarray(np.clip(smooth - 0.7 * coarse, -1.0, 1.0), np.float32)


def laid(now: ChestField, then: ChestField) -> Laid | None:
    """None where one of the films has too little of a chest, or both do not go together."""
    x, y, w, h = _box(now)
    u, v, a, b = _box(then)
    if min(w, h, a, b) < 20:
        return None
    scale = (float(np.clip(a / w, 0.75, 1.33)), float(np.clip(b / h, 0.75, 1.33)))
    first, second = _even(now), _even(then)
    warp = np.asarray(
        [[scale[0], 0, u + a / 2 - scale[0] * (x + w / 2)], [0, scale[1], v + b / 2 - scale[1] * (y + h / 2)]], np.float32
    )
    chest = np.zeros(first.shape, np.uint8)
    margin = round(0.06 * first.shape[0])
    top, left = max(0, round(y) - margin), max(0, round(x) - margin)
    chest[top : round(y + h) + margin, left : round(x + w) + margin] = 1
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    alike = 0.0
    try:
        # Blurred first: ribs of one film otherwise find the next ribs of the other.
        for blur in (9, 5):
            alike, warp = cv2.findTransformECC(first, second, warp, cv2.MOTION_AFFINE, criteria, chest, blur)
    except cv2.error:
        return None
    straight = float(np.linalg.det(warp[:, :2]))
    if alike < LEAST_ALIKE or not 0.5 < straight < 2.0:
        return None
    return Laid(warp.astype(np.float64), float(alike))


def compared(now: ChestField, then: ChestField, place: Laid, x: float, y: float) -> Compared:
    """A mark at (x, y) of the present grid against the earlier film."""
    size = 2 * _PATCH + 1
    shift = place.to_then @ np.asarray([x, y, 1.0])
    linear = place.to_then[:, :2]
    wide = size + 2 * _REACH
    mine = _sample(now.values, np.eye(2), (x, y), size)
    theirs = _sample(then.values, linear, (float(shift[0]), float(shift[1])), wide)
    # The shadow itself must not pull the two patches together or apart: its place counts for nothing.
    yy, xx = np.mgrid[-_PATCH : _PATCH + 1, -_PATCH : _PATCH + 1].astype(np.float32)
    best = (-2.0, 0, 0)
    sigma, own = _strongest(mine)
    weight = (np.hypot(xx, yy) > 1.8 * sigma).astype(np.float32) * np.exp(-(xx * xx + yy * yy) / (2 * 15.0**2))
    flat, flats = _flat(mine), _flat(theirs)
    for dy in range(2 * _REACH + 1):
        for dx in range(2 * _REACH + 1):
            far = float(np.hypot(dx - _REACH, dy - _REACH))
            likeness = _correlation(flat, flats[dy : dy + size, dx : dx + size], weight) - 0.004 * far
            if likeness > best[0]:
                best = (likeness, dx, dy)
    _, dx, dy = best
    part = theirs[dy : dy + size, dx : dx + size]
    rest = mine - _like(part, mine, weight)
    near = slice(_PATCH - 3, _PATCH + 4)
    left = max(float(_blob(rest, s)[near, near].max()) for s in SIGMAS if 0.7 * sigma <= s <= 1.5 * sigma)
    share = left / max(own, 1e-3)
    state = EarlierState.NEW if share >= NEW_FROM else EarlierState.THERE if share <= THERE_TO else EarlierState.MORE
    moved = shift + linear @ np.asarray([dx - _REACH, dy - _REACH], np.float64)
    return Compared(state, share, (float(moved[0]), float(moved[1])))


def _sample(values: Floats, linear: Matrix, centre: tuple[float, float], size: int) -> Floats:
    half = (size - 1) / 2
    matrix = np.zeros((2, 3))
    matrix[:, :2] = linear
    matrix[:, 2] = np.asarray(centre) - linear @ (half, half)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(values, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _blob(values: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma) - cv2.GaussianBlur(values, (0, 0), 1.6 * sigma), np.float32)


def _strongest(patch: Floats) -> tuple[float, float]:
    """(scale, contrast) of the shadow in the middle."""
    near = slice(_PATCH - 3, _PATCH + 4)
    found = [(float(_blob(patch, s)[near, near].max()), s) for s in SIGMAS]
    value, sigma = max(found)
    return sigma, value


def _flat(patch: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(patch, (0, 0), 1.0) - cv2.GaussianBlur(patch, (0, 0), 9.0), np.float32)


def _correlation(a: Floats, b: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    p, q = a - (a * weight).sum() / total, b - (b * weight).sum() / total
    norm = float((p * p * weight).sum() * (q * q * weight).sum())
    return float((p * q * weight).sum()) / max(norm**0.5, 1e-9)


def _like(part: Floats, mine: Floats, weight: Floats) -> Floats:
    """``part`` with the contrast and level that ``mine`` has around the shadow: exposures differ."""
    total = float(weight.sum())
    a, b = (part * weight).sum() / total, (mine * weight).sum() / total
    p, q = _flat(part), _flat(mine)
    gain = float((p * q * weight).sum()) / max(float((p * p * weight).sum()), 1e-6)
    return np.asarray(b + np.clip(gain, 0.5, 2.0) * (part - a), np.float32)
