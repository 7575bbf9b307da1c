"""The side marker of a chest film: bright parts of a letter's size outside the lungs, read by a tiny network.

What is said rests on the letter and on the half of the picture where it stands, never on the heart or the stomach. Where two
markers contradict each other, or a letter is not sure, nothing is said. Arrays are (rows, columns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

SIDE = 512
"""Pixels along the longer side of the grid that letters are looked for on."""
LETTERS = ("", "L", "R", "Л", "П")
"""The network's classes; the first is no letter."""
MEANS = {"L": "L", "R": "R", "Л": "L", "П": "R"}
NETWORK = "chest_letter"
CROP = 32
_AROUND = 2.2
"""Side of the square that is looked at, in sides of the part."""
_HAT = 41
_STEPS = (12, 20, 32, 50, 75, 110)
_SIZE = (8, 44)
_MOST = 400
_EDGE = 4


@dataclass(frozen=True)
class Part:
    """A bright part on the grid: its box (x, y, width, height) and the step it was cut at."""

    x: int
    y: int
    width: int
    height: int
    step: int

    @property
    def size(self) -> int:
        return max(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class SideMarker:
    letter: str
    side: str
    """R or L: the side of the patient that the letter names."""
    x: float
    y: float
    """As shares of the picture."""
    chance: float
    whole: bool = True
    """False where it reaches the picture's edge: a corner of the exposed field looks like a letter."""


def grid_of(values: Floats) -> Floats:
    """0 to 255 between the first and the last thousandth, ``SIDE`` along the longer side."""
    factor = SIDE / max(values.shape)
    size = (max(32, round(values.shape[1] * factor)), max(32, round(values.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    grid = cv2.resize(np.ascontiguousarray(values, np.float32), size, interpolation=how)
    low, high = (float(v) for v in np.percentile(grid, [0.1, 99.9]))
    return np.clip((grid - low) * np.float32(255 / max(high - low, 1e-6)), 0, 255).astype(np.float32)


def outshining(grid: Floats) -> Floats:
    """By how much each pixel outshines everything wider than a letter's stroke (white top-hat)."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (_HAT, _HAT))
    padded = cv2.copyMakeBorder(grid.astype(np.uint8), _HAT, _HAT, _HAT, _HAT, cv2.BORDER_CONSTANT, value=0)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)[_HAT:-_HAT, _HAT:-_HAT]
    return grid - opened


def parts_of(hat: Floats) -> tuple[list[Part], list[Bools]]:
    """(parts of a letter's size at every step, the mask of each within its box)."""
    parts: list[Part] = []
    masks: list[Bools] = []
    seen: set[tuple[int, int, int, int]] = set()
    for step in _STEPS:
        count, label, stats, _ = cv2.connectedComponentsWithStats((hat > step).astype(np.uint8), connectivity=8)
        for n in range(1, count):
            x, y, w, h, area = (int(v) for v in stats[n])
            size = max(w, h)
            if not _SIZE[0] <= size <= _SIZE[1] or min(w, h) < 4 or not 14 <= area <= 0.8 * size * size:
                continue
            key = (x // 3, y // 3, w // 4, h // 4)
            if key not in seen:
                seen.add(key)
                parts.append(Part(x, y, w, h, step))
                masks.append(label[y : y + h, x : x + w] == n)
    return parts[:_MOST], masks[:_MOST]


def crops_of(hat: Floats, parts: Sequence[Part], masks: Sequence[Bools]) -> Floats:
    """(parts, 2, CROP, CROP): what outshines around each part, 1 being the part's own brightness, and the part alone."""
    out = np.zeros((len(parts), 2, CROP, CROP), np.float32)
    for n, (part, mask) in enumerate(zip(parts, masks, strict=True)):
        scale = CROP / (_AROUND * part.size)
        cx, cy = part.centre
        matrix = np.asarray([[scale, 0, CROP / 2 - scale * cx], [0, scale, CROP / 2 - scale * cy]], np.float32)
        own = hat[part.y : part.y + part.height, part.x : part.x + part.width]
        around = cv2.warpAffine(hat, matrix, (CROP, CROP))
        out[n, 0] = np.clip(around / max(float(np.percentile(own[mask], 80)), 1.0), 0, 1.5)
        inner = matrix.copy()
        inner[:, 2] += scale * np.asarray([part.x, part.y], np.float32)
        out[n, 1] = cv2.warpAffine(mask.astype(np.float32), inner, (CROP, CROP))
    return out


def chances(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True), np.float32)


def markers_of(parts: Sequence[Part], logits: Floats, shape: tuple[int, ...], least: float) -> list[SideMarker]:
    """The likeliest letters, the surest first, one a place."""
    found: list[tuple[float, Part, str]] = []
    for part, chance in zip(parts, chances(logits), strict=True):
        best = int(chance.argmax())
        if best and chance[best] >= least:
            found.append((float(chance[best]), part, LETTERS[best]))
    kept: list[tuple[float, Part, str]] = []
    for chance, part, letter in sorted(found, key=lambda f: -f[0]):
        if all(np.hypot(*np.subtract(part.centre, other.centre)) > 0.7 * max(part.size, other.size) for _, other, _ in kept):
            kept.append((chance, part, letter))
    rows, columns = shape
    return [
        SideMarker(
            letter, MEANS[letter], part.centre[0] / columns, part.centre[1] / rows, round(chance, 3), _whole(part, shape)
        )
        for chance, part, letter in kept
    ]


def _whole(part: Part, shape: tuple[int, ...]) -> bool:
    far = (part.x, part.y, shape[1] - part.x - part.width, shape[0] - part.y - part.height)
    return min(far) >= _EDGE
