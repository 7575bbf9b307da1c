"""Which tooth is where on a panoramic film: a network's guess for each of 32 numbers, held to one arch per jaw.

Numbers are two-digit FDI (ISO 3950). The patient's right is taken to lie on the left of the film, as films are hung.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from app.ai.reader_api import Networks
from app.ai.readers.dental.film import Content, blank_area, content_of, evened
from app.domain.teeth import PERMANENT

TEETH = PERMANENT
"""Left to right on the film, the order of the network's channels."""
NETWORK = "dental_teeth"
ROWS, COLUMNS = 192, 320
STRIDE = 4
CELLS = (ROWS // STRIDE, COLUMNS // STRIDE)
LOWEST = 0.12
"""A place below this is no tooth."""
SURE = 0.5
NEAR_CELLS = 1.6
Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ToothPlace:
    """A numbered place. ``box_px`` in film pixels, corner origin; ``confidence`` 0..1; not ``seen``: only where the arch
    would have it."""

    fdi: int
    box_px: Box
    confidence: float
    seen: bool = True

    @property
    def centre_px(self) -> tuple[float, float]:
        x0, y0, x1, y1 = self.box_px
        return (x0 + x1) / 2, (y0 + y1) / 2


def as_input(values: Floats, valid: npt.NDArray[np.bool_] | None = None) -> tuple[Floats, Content]:
    """The exposed part of a film, ``(ROWS, COLUMNS)``, its contrast made even from place to place."""
    values = np.asarray(values, np.float32)
    blank = blank_area(values, valid)
    content = content_of(blank)
    part = (slice(int(content.y0), int(content.y1)), slice(int(content.x0), int(content.x1)))
    shown = evened(values[part], blank[part])
    shrinks = shown.shape[0] > ROWS
    small = cv2.resize(shown, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    kept = cv2.resize((~blank[part]).astype(np.float32), (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return local_contrast(small, kept), content


def local_contrast(shown: Floats, kept: Floats) -> Floats:
    """Departure from the local mean in local spreads, within +-1; 0 where the film is masked."""
    width = COLUMNS / 14
    weight = cv2.GaussianBlur(kept, (0, 0), width) + np.float32(1e-3)
    mean = cv2.GaussianBlur(shown * kept, (0, 0), width) / weight
    off = (shown - mean) * kept
    spread = np.sqrt(cv2.GaussianBlur(off * off, (0, 0), width) / weight)
    out = off / (spread + np.float32(0.04)) / np.float32(3.0)
    return np.asarray(np.clip(out, -1, 1), np.float32)


def guess(picture: Floats, nets: Networks) -> Floats:
    """(32 + 4, cells): probability of each number, then offset and log size, see ``boxes.decode``."""
    out = np.array(nets.run(NETWORK, np.ascontiguousarray(picture)[None, None])[0], np.float32)
    n = len(TEETH)
    out[:n] = 1.0 / (1.0 + np.exp(-np.clip(out[:n], -30, 30)))
    return out


@dataclass(frozen=True, eq=False)
class _Candidates:
    where: npt.NDArray[np.float64]
    """(n, 2) x, y in cells."""
    size: npt.NDArray[np.float64]
    likely: npt.NDArray[np.float64]
    """(n, 16) by number of the jaw."""


def _candidates(maps: Floats, jaw: slice) -> _Candidates:
    heat = maps[jaw]
    best = heat.max(axis=0)
    peak = (best >= cv2.dilate(best, np.ones((3, 3), np.uint8))) & (best >= LOWEST)
    rows, columns = np.nonzero(peak)
    order = np.argsort(-best[rows, columns], kind="stable")
    n = len(TEETH)
    kept: list[tuple[float, float, float, float, npt.NDArray[np.float64]]] = []
    for k in order:
        r, c = int(rows[k]), int(columns[k])
        x, y = c + float(maps[n, r, c]), r + float(maps[n + 1, r, c])
        if any(np.hypot(x - a[0], y - a[1]) < NEAR_CELLS for a in kept):
            continue
        w, h = (float(np.exp(np.clip(maps[n + m, r, c], -1.0, 3.5))) for m in (2, 3))
        around = heat[:, max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].reshape(heat.shape[0], -1).max(axis=1)
        kept.append((x, y, w, h, around.astype(np.float64)))
    if not kept:
        return _Candidates(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, heat.shape[0])))
    return _Candidates(np.array([k[:2] for k in kept]), np.array([k[2:4] for k in kept]), np.stack([k[4] for k in kept]))


def _terms(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y = points[:, 0], points[:, 1]
    return np.stack([np.ones_like(x), x, y, x * x], axis=1)


def _fitted(
    template: npt.NDArray[np.float64], where: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Map from the template's plane (x, y about -1..1) to cells: affine with a bend, less bent the less is seen."""
    a = _terms(template) * np.sqrt(weight)[:, None]
    b = where * np.sqrt(weight)[:, None]
    hold = np.diag([1e-4, 1e-4, 1e-3, 1e-2])
    return np.asarray(np.linalg.solve(a.T @ a + hold, a.T @ b), np.float64)


def _assigned(found: _Candidates, prior: npt.NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """(candidate, number's index, strength), one to one, the likeliest together."""
    if not len(found.where):
        return []
    strength = found.likely * prior
    gain = np.log(np.maximum(strength, 1e-6) / 0.02)
    picks = linear_sum_assignment(-np.maximum(gain, 0.0))
    return [(int(i), int(j), float(strength[i, j])) for i, j in zip(*picks, strict=True) if gain[i, j] > 0]


def number_teeth(maps: Floats, content: Content, template: Sequence[Sequence[float]]) -> tuple[ToothPlace, ...]:
    """Every number of both jaws with its place; those not seen where the arch of the others would have them.

    ``template``: x, y of the 32 numbers in a plane of about -1..1 (mean of generated films). Empty when fewer than six
    teeth are seen: an arch that hangs on less is a guess.
    """
    shape = np.asarray(template, np.float64)
    jaws = [_candidates(maps, jaw) for jaw in (slice(0, 16), slice(16, 32))]
    priors = [np.ones_like(j.likely) for j in jaws]
    pairs: list[list[tuple[int, int, float]]] = []
    expected = np.zeros((32, 2))
    for _ in range(3):
        pairs = [_assigned(j, p) for j, p in zip(jaws, priors, strict=True)]
        known = [(16 * k + n, jaws[k].where[i], s) for k in range(2) for i, n, s in pairs[k]]
        if len(known) < 6:
            return ()
        index = np.array([n for n, _, _ in known])
        where = np.stack([w for _, w, _ in known])
        weight = np.array([s for _, _, s in known]) ** 2
        for _ in range(3):  # those far off the common arch say little about it
            fit = _fitted(shape[index], where, weight)
            expected = _terms(shape) @ fit
            off = np.hypot(*(where - expected[index]).T)
            weight = np.array([s for _, _, s in known]) ** 2 / (1 + (off / 3.0) ** 2)
        pitch = max(1.5, float(np.abs(np.diff(expected[:16, 0])).mean()))
        priors = []
        for k in range(2):
            dx = jaws[k].where[:, None, 0] - expected[None, 16 * k : 16 * k + 16, 0]
            dy = jaws[k].where[:, None, 1] - expected[None, 16 * k : 16 * k + 16, 1]
            priors.append(np.exp(-0.5 * (dx / (1.3 * pitch)) ** 2 - 0.5 * (dy / (1.6 * pitch)) ** 2))
    sizes = np.concatenate([j.size for j in jaws])
    usual = np.median(sizes, axis=0)
    told: list[ToothPlace] = []
    for k in range(2):
        by = {n: (i, s) for i, n, s in pairs[k]}
        for n in range(16):
            if n in by:
                i, s = by[n]
                raw = float(jaws[k].likely[i, n])
                told.append(
                    _place(TEETH[16 * k + n], jaws[k].where[i], jaws[k].size[i], min(1.0, max(raw, s)), True, content)
                )
            else:
                told.append(_place(TEETH[16 * k + n], expected[16 * k + n], usual, 0.0, False, content))
    return tuple(told)


def _place(
    fdi: int, where: npt.NDArray[np.float64], size: npt.NDArray[np.float64], sure: float, seen: bool, content: Content
) -> ToothPlace:
    sx = (content.x1 - content.x0) / COLUMNS * STRIDE
    sy = (content.y1 - content.y0) / ROWS * STRIDE
    x0, x1 = (content.x0 + float(where[0] + s * size[0] / 2) * sx for s in (-1, 1))
    y0, y1 = (content.y0 + float(where[1] + s * size[1] / 2) * sy for s in (-1, 1))
    return ToothPlace(fdi, (round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1)), round(sure, 3), seen)


def tooth_of(box: Box, teeth: Sequence[ToothPlace]) -> tuple[int, float] | None:
    """(FDI number, confidence) of the tooth that a box is of: the largest overlap, else the nearest place; None without."""
    if not teeth:
        return None
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)

    def rank(tooth: ToothPlace) -> tuple[float, float]:
        shared = _overlap(box, tooth.box_px) if tooth.seen else 0.0
        x, y = tooth.centre_px
        w, h = tooth.box_px[2] - tooth.box_px[0], tooth.box_px[3] - tooth.box_px[1]
        return -shared, float(np.hypot((x - middle[0]) / max(w, 1.0), 1.2 * (y - middle[1]) / max(h, 1.0)))

    best = min(teeth, key=rank)
    shared, far = rank(best)
    if -shared >= 0.2:
        return best.fdi, best.confidence
    nearest = min(teeth, key=lambda t: rank(t)[1])
    far = rank(nearest)[1]
    return (nearest.fdi, round(0.5 * max(0.0, 1.0 - far / 2), 3)) if far < 2 else None


def _overlap(a: Box, b: Box) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def template_of(parameters: Mapping[str, Any]) -> Sequence[Sequence[float]] | None:
    found = (parameters.get("teeth") or {}).get("template")
    return found if found and len(found) == len(TEETH) else None
