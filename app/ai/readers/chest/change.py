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
from app.ai.readers.film.subtract import Settings, rest_of
from app.domain.earlier_mark import EarlierState

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

LEAST_ALIKE = 0.7
"""Correlation of the two films over the chest, below which they are not compared."""
PATCHES = Settings()
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
    rest = rest_of(now.values, then.values, place.to_then, (x, y), PATCHES)
    state = EarlierState.NEW if rest.left >= NEW_FROM else EarlierState.THERE if rest.left <= THERE_TO else EarlierState.MORE
    return Compared(state, rest.left, rest.place)
