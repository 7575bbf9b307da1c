"""Boxes from the detector's maps: mirrored looks averaged, peaks, decoding, suppression of doubles."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.dental.film import SIDE, Content

CLASSES = ("Fillings", "Implant", "Impacted Tooth", "Cavity")
"""Names of the labelled set, in the order of the network's channels."""
STRIDE = 4
"""Network pixels per cell of its answer."""
NETWORK = "dental_detector"
MOST_PEAKS = 120
FLIPS: tuple[tuple[bool, bool], ...] = ((False, False), (True, False), (False, True), (True, True))
"""(left-right, up-down)."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ToothBox:
    """One box of the detector. ``box`` is (x0, y0, x1, y1) in film pixels, corner origin; ``score`` 0..1."""

    kind: str
    box: tuple[float, float, float, float]
    score: float


def answer(square: Floats, nets: Networks, flips: tuple[tuple[bool, bool], ...] = FLIPS) -> Floats:
    """Centre probabilities, offset and log size ``(classes + 4, cells, cells)``, averaged over mirrored looks."""
    n = len(CLASSES)
    total = np.zeros((n + 4, SIDE // STRIDE, SIDE // STRIDE), np.float32)
    for sideways, upside in flips:
        look = square[:, ::-1] if sideways else square
        look = look[::-1] if upside else look
        out = nets.run(NETWORK, np.ascontiguousarray(look)[None, None])[0].copy()
        out[:n] = 1.0 / (1.0 + np.exp(-np.clip(out[:n], -30, 30)))
        if sideways:
            out = out[:, :, ::-1].copy()
            out[n] = 1.0 - out[n]
        if upside:
            out = out[:, ::-1].copy()
            out[n + 1] = 1.0 - out[n + 1]
        total += out
    return total / len(flips)


def decode(maps: Floats, content: Content, lowest: float = 0.02) -> list[ToothBox]:
    """Peaks of every class as boxes on the film, doubles of one class left out."""
    n = len(CLASSES)
    found: list[ToothBox] = []
    for index, kind in enumerate(CLASSES):
        heat = maps[index]
        peak = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= lowest)
        rows, columns = np.nonzero(peak)
        order = np.argsort(-heat[rows, columns], kind="stable")[:MOST_PEAKS]
        boxes = []
        for r, c in zip(rows[order], columns[order], strict=True):
            x = (float(c) + float(maps[n, r, c])) * STRIDE
            y = (float(r) + float(maps[n + 1, r, c])) * STRIDE
            w, h = (float(np.exp(np.clip(maps[n + k, r, c], -2.0, 4.0))) * STRIDE for k in (2, 3))
            x0, y0 = content.to_film(max(x - w / 2, 0.0), max(y - h / 2, 0.0))
            x1, y1 = content.to_film(min(x + w / 2, SIDE), min(y + h / 2, SIDE))
            if x1 > x0 and y1 > y0:
                boxes.append(ToothBox(kind, (x0, y0, x1, y1), float(heat[r, c])))
        found += suppressed(boxes)
    return sorted(found, key=lambda b: -b.score)


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def suppressed(boxes: list[ToothBox], most: float = 0.45) -> list[ToothBox]:
    """Boxes in falling score, those that overlap a better one by more than ``most`` left out."""
    kept: list[ToothBox] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(overlap(box.box, other.box) <= most for other in kept):
            kept.append(box)
    return kept
