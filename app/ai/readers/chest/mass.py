"""How much of the film looks like a mass: a network looks at the chest between the outlines of the lungs, both ways round.

What lies outside (letters, tubes' ends, the film's border, shoulders) is hidden from it. Its cells are 8 pixels of the look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.chest.field import ChestField
from app.ai.readers.film.places import linear

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

NETWORK = "chest_mass"
JOINED = "mass_joined"
"""Name of the weights that join the film's numbers and the network's level to one log odds."""
LOOK = 208
CELL = 8
BEST = 4
"""The film's level is the mean of this many highest cells."""
_MARGIN = 1.12
_LEAST_PX = 110
_REACH = 17
_WIDE = 4


def crop_of(field: ChestField) -> tuple[Floats, Bytes, float]:
    """(values, lung fields as 0 or 255, look pixels per grid pixel) of the square around both lungs; values -2..2."""
    y, x = np.nonzero(field.lungs)
    left, right, top, bottom = int(x.min()), int(x.max()) + 1, int(y.min()), int(y.max()) + 1
    half = max(right - left, bottom - top, _LEAST_PX) / 2 * _MARGIN
    k = LOOK / (2 * half)
    move = np.asarray([[k, 0, (half - (left + right) / 2) * k], [0, k, (half - (top + bottom) / 2) * k]], np.float32)
    values = cv2.warpAffine(np.clip(field.values, -2, 2), move, (LOOK, LOOK), borderMode=cv2.BORDER_REPLICATE)
    lungs = cv2.warpAffine(field.lungs.astype(np.uint8) * 255, move, (LOOK, LOOK))
    return np.asarray(values, np.float32), np.asarray(lungs, np.uint8), k


def seen_part(lungs: Bytes) -> Floats:
    """1 within the outline around both lungs and a little beyond, falling to 0."""
    seen = np.zeros(lungs.shape, np.uint8)
    cv2.fillConvexPoly(seen, cv2.convexHull(np.argwhere(lungs > 127)[:, ::-1].astype(np.int32)), 1)
    seen = cv2.dilate(seen, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_REACH, _REACH)))
    return np.asarray(cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 2), np.float32)


def look_of(values: Floats, seen: Floats) -> Floats:
    """(2, LOOK, LOOK): grey level against the seen part, and contrast against the surroundings."""
    away = values - _wide(values, 10)
    spread = np.sqrt(np.maximum(_wide(away * away, 20), 0)) + 0.03
    own = values[seen > 0.5]
    level = (values - own.mean()) / (own.std() + 0.05)
    return np.stack([np.clip(level, -3, 3) * seen, np.clip(away / spread, -4, 4) * seen]).astype(np.float32) * np.float32(
        0.7
    )


def _wide(values: Floats, sigma: float) -> Floats:
    small = cv2.resize(values, (LOOK // _WIDE, LOOK // _WIDE), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma / _WIDE)
    return np.asarray(cv2.resize(blurred, (LOOK, LOOK), interpolation=cv2.INTER_LINEAR), np.float32)


def cells_seen(seen: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray(seen[CELL // 2 - 1 :: CELL, CELL // 2 - 1 :: CELL] > 0.5)


def mass_level(field: ChestField, nets: Networks) -> float:
    """The mean logit of the highest cells between the lungs' outlines, of the film and of its mirror image together."""
    values, lungs, _ = crop_of(field)
    seen = seen_part(lungs)
    look = look_of(values, seen)
    both = nets.run(NETWORK, np.ascontiguousarray(np.stack([look, look[:, :, ::-1]])))[:, 0]
    cells = (both[0] + both[1][:, ::-1]) / 2
    return float(np.sort(cells[cells_seen(seen)])[-BEST:].mean())


def mass_log_odds(traits: Sequence[float], field: ChestField, nets: Networks, parameters: Mapping[str, Any]) -> float:
    """The film's numbers and what the network sees, half each; the numbers alone with a package of before the network."""
    numbers = linear(traits, parameters["mass"])
    return linear((numbers, mass_level(field, nets)), parameters[JOINED]) if JOINED in parameters else numbers
