"""Places on a panoramic film that look like a tooth: peaks of the numbering network, and the boxes of the detector.

Lengths are in cells of the network's answer. A box of the detector takes the place of the peaks inside it: both are of one
tooth, in the jaw on whose side of the bite it lies. A box without a peak there is a place of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.dental.arch import NUMBERS, Places
from app.ai.readers.dental.boxes import ToothBox

Maps = npt.NDArray[np.float32]
LOWEST = 0.12
"""A peak below this is no tooth."""
LEAST_BOX = 0.2
"""A box of the detector less likely than this is not looked at."""
USUAL_FROM = 0.2
"""Weaker places do not count for how strong teeth are on a film."""
NEAR_CELLS = 1.6
MOST = 22
"""Places of one jaw that are kept, the strongest."""
IMPACTED = "Impacted Tooth"
_INSIDE = 0.35
_UPPER, _LOWER = slice(0, NUMBERS), slice(NUMBERS, 2 * NUMBERS)


@dataclass
class _Place:
    x: float
    y: float
    size: tuple[float, float]
    likely: npt.NDArray[np.float64]
    impacted: float = 0.0
    boxed: float = 0.0

    @property
    def strength(self) -> float:
        return max(float(self.likely.max()), self.boxed)

    def apart(self, other: _Place) -> float:
        return float(np.hypot(self.x - other.x, self.y - other.y))


@dataclass
class _Jaws:
    upper: list[_Place] = field(default_factory=list)
    lower: list[_Place] = field(default_factory=list)


def places_of(maps: Maps, boxes: Sequence[ToothBox] = ()) -> tuple[Places, Places]:
    """(upper, lower jaw). ``boxes`` in cells, their score the calibrated probability."""
    jaws = _Jaws(_peaks(maps, _UPPER), _peaks(maps, _LOWER))
    # One tooth may look like one of either jaw.
    upper = [p for p in jaws.upper if all(p.apart(q) >= NEAR_CELLS or p.strength >= q.strength for q in jaws.lower)]
    jaws.lower = [p for p in jaws.lower if all(p.apart(q) >= NEAR_CELLS or p.strength >= q.strength for q in jaws.upper)]
    jaws.upper = upper
    for box in boxes:
        if box.score >= LEAST_BOX:
            _take_in(jaws, box, maps)
    strength = [float(p.likely.max()) for p in (*jaws.upper, *jaws.lower) if p.likely.max() > USUAL_FROM]
    usual = float(np.median(strength)) if strength else 1.0
    return _sorted(jaws.upper, usual), _sorted(jaws.lower, usual)


def _peaks(maps: Maps, jaw: slice) -> list[_Place]:
    heat, n = maps[jaw], 2 * NUMBERS
    best = heat.max(axis=0)
    rows, columns = np.nonzero((best >= cv2.dilate(best, np.ones((3, 3), np.uint8))) & (best >= LOWEST))
    kept: list[_Place] = []
    for k in np.argsort(-best[rows, columns], kind="stable"):
        r, c = int(rows[k]), int(columns[k])
        w, h = (float(np.exp(np.clip(maps[n + m, r, c], -1.0, 3.5))) for m in (2, 3))
        place = _Place(c + float(maps[n, r, c]), r + float(maps[n + 1, r, c]), (w, h), _around(heat, r, c, 1))
        if all(place.apart(other) >= NEAR_CELLS for other in kept):
            kept.append(place)
    return kept


def _around(heat: Maps, row: int, column: int, reach: int) -> npt.NDArray[np.float64]:
    part = heat[:, max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    return part.reshape(heat.shape[0], -1).max(axis=1).astype(np.float64)


def _take_in(jaws: _Jaws, box: ToothBox, maps: Maps) -> None:
    x, y = (box.box[0] + box.box[2]) / 2, (box.box[1] + box.box[3]) / 2
    w, h = box.box[2] - box.box[0], box.box[3] - box.box[1]

    def off(place: _Place) -> float:
        return float(np.hypot((place.x - x) / (_INSIDE * w + 0.5), (place.y - y) / (_INSIDE * h + 0.5)))

    inside = sorted(
        ((off(p) / (p.strength + 0.05), k, p) for k, jaw in enumerate((jaws.upper, jaws.lower)) for p in jaw if off(p) < 1),
        key=lambda hit: hit[0],
    )
    taken = {id(p) for _, _, p in inside}
    sides = [[p for p in jaw if id(p) not in taken] for jaw in (jaws.upper, jaws.lower)]
    if not inside and not all(sides):
        return
    lower = _is_lower(sides, x, y) if all(sides) else bool(inside[0][1])
    if inside and inside[0][1] == lower:
        mine = inside[0][2]
        mine.x, mine.y, mine.size = x, y, (w, h)
    else:
        row, column = (int(np.clip(v, 0, most - 1)) for v, most in zip((y, x), maps.shape[1:], strict=True))
        mine = _Place(x, y, (w, h), _around(maps[_LOWER if lower else _UPPER], row, column, 2))
    sides[lower].append(mine)
    jaws.upper, jaws.lower = sides
    mine.boxed = max(mine.boxed, box.score)
    if box.kind == IMPACTED:
        mine.impacted = max(mine.impacted, box.score)


def _is_lower(jaws: list[list[_Place]], x: float, y: float) -> bool:
    """Whether a place lies rather in the lower jaw than in the upper one, by the teeth beside it."""
    above, below = (float(np.mean([p.y for p in sorted(jaw, key=lambda p: abs(p.x - x))[:3]])) for jaw in jaws)
    return y > (above + below) / 2


def _sorted(jaw: list[_Place], usual: float) -> Places:
    kept = sorted(sorted(jaw, key=lambda p: -p.strength)[:MOST], key=lambda p: p.x)
    n = len(kept)
    return Places(
        np.array([(p.x, p.y) for p in kept], np.float64).reshape(n, 2),
        np.array([p.size for p in kept], np.float64).reshape(n, 2),
        np.array([p.likely for p in kept], np.float64).reshape(n, NUMBERS),
        np.array([p.impacted for p in kept], np.float64),
        np.array([p.boxed for p in kept], np.float64),
        usual,
    )
