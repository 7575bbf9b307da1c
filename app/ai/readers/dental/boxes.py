"""Boxes from the detector's maps: mirrored looks averaged, decoding, boxes of one tooth brought together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks
from app.ai.readers.dental.film import COLUMNS, ROWS, Content

CLASSES = ("Fillings", "Implant", "Impacted Tooth", "Cavity")
"""Names of the labelled set, in the order of the network's channels."""
STRIDE = 8
"""Network pixels per cell of its answer."""
NETWORK = "dental_detector"
MOST_CELLS = 400
"""Cells of a class that are decoded, the best ones."""
SAME_BOX = 0.5
"""Overlap from which two boxes of a class are of one tooth."""
FLIPS: tuple[tuple[bool, bool], ...] = ((False, False), (True, False), (False, True), (True, True))
"""(left-right, up-down)."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ToothBox:
    """One box of the detector. ``box`` is (x0, y0, x1, y1) in film pixels, corner origin; ``score`` 0..1."""

    kind: str
    box: tuple[float, float, float, float]
    score: float


def answer(picture: Floats, nets: Networks, flips: tuple[tuple[bool, bool], ...] = FLIPS) -> Floats:
    """Probabilities, offset and log size ``(classes + 4, cells, cells)``, averaged over mirrored looks."""
    n = len(CLASSES)
    total = np.zeros((n + 4, ROWS // STRIDE, COLUMNS // STRIDE), np.float32)
    for sideways, upside in flips:
        look = picture[:, ::-1] if sideways else picture
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


def decode(maps: Floats, content: Content, lowest: float = 0.01) -> list[ToothBox]:
    """Boxes on the film in falling score. Boxes of one class on one tooth become one, their mean weighted by score."""
    n = len(CLASSES)
    rows, columns = maps.shape[1:]
    x = (np.arange(columns) + maps[n]) * STRIDE
    y = (np.arange(rows)[:, None] + maps[n + 1]) * STRIDE
    w, h = (np.exp(np.clip(maps[n + k], -2.0, 4.0)) * STRIDE / 2 for k in (2, 3))
    edges = np.stack([x - w, y - h, x + w, y + h], -1).clip(0, np.asarray([COLUMNS, ROWS] * 2)).reshape(-1, 4)
    found: list[ToothBox] = []
    for index, kind in enumerate(CLASSES):
        score = maps[index].ravel()
        best = np.argsort(-score, kind="stable")[:MOST_CELLS]
        best = best[score[best] >= lowest]
        for box, value in together(edges[best].astype(np.float64), score[best].astype(np.float64)):
            x0, y0 = content.to_film(box[0], box[1])
            x1, y1 = content.to_film(box[2], box[3])
            if x1 > x0 and y1 > y0:
                found.append(ToothBox(kind, (x0, y0, x1, y1), value))
    return sorted(found, key=lambda b: -b.score)


def together(
    boxes: npt.NDArray[np.float64], score: npt.NDArray[np.float64], most: float = SAME_BOX
) -> list[tuple[tuple[float, float, float, float], float]]:
    """Boxes (n, 4) in falling score: each takes in those that overlap it by ``most`` and lie where they say, on average."""
    left = np.ones(len(boxes), bool)
    out = []
    for n in range(len(boxes)):
        if not left[n]:
            continue
        near = overlaps(boxes[n], boxes)
        same = left & (near >= most)
        left &= near < most
        left[n] = False
        weight = score[same] * near[same] ** 2
        mean = (boxes[same] * weight[:, None]).sum(0) / weight.sum() if same.any() else boxes[n]
        out.append(((float(mean[0]), float(mean[1]), float(mean[2]), float(mean[3])), float(score[n])))
    return out


def overlaps(box: npt.NDArray[np.float64], boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Intersection over union of one box with many (n, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = (high - low).clip(min=0).prod(1)
    areas = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.asarray(both / np.maximum(areas - both, 1e-9), np.float64)


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)
