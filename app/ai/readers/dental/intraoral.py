"""Intra-oral films for the network, and what its answer says: candidates, and bone levels along the roots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.reader_api import Networks

NETWORK = "intraoral_points"
SIDE = 352
"""Pixels of the network's square input."""
INPUT_MM = 0.12
STRIDE = 4
CELLS = SIDE // STRIDE
POINTS = ("caries", "periapical", "enamel", "crest", "apex")
"""Channels of the network. enamel: where the enamel ends on one side of a root; crest: where the bone begins there."""
REACH_CELLS = 4.0
"""Vectors to the crest, and back, come in these units; those from an apex to its neck in twice them."""
USUAL_LONG_SIDE_MM = 40.0
"""Of a film whose pixel size is not stated: enough to choose the network's scale, never to measure."""
Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
Xy = tuple[float, float]


@dataclass(frozen=True)
class Placing:
    """Film pixels to network pixels: ``scale`` and the offset of the film's corner; ``turned``: shown a quarter turn."""

    scale: float
    left: float
    top: float
    turned: bool
    rows: int
    columns: int

    def to_film(self, x: float, y: float) -> Xy:
        x, y = (x - self.left) / self.scale, (y - self.top) / self.scale
        # A quarter turn anticlockwise: the film's right edge became the top.
        return (self.columns - y, x) if self.turned else (x, y)


@dataclass(frozen=True)
class Candidate:
    """``box`` in film pixels; ``score`` 0..1."""

    name: str
    box: Box
    score: float


@dataclass(frozen=True)
class BoneSite:
    """One side of a root, in film pixels. ``share``: of the root's length, None where no apex is seen."""

    enamel: Xy
    crest: Xy
    length_px: float
    share: float | None
    up: bool
    """The root points up: an upper tooth."""
    score: float


@dataclass(frozen=True)
class Answer:
    candidates: tuple[Candidate, ...]
    sites: tuple[BoneSite, ...]
    seen: float
    """Sum of the scores of enamel points: how much of this looks like teeth that stand upright."""
    turned: bool


WIDE_PIXELS = 0.01
"""Pixels that differ less are taken as square."""


def placed(values: Floats, pixel_mm: float | None, turned: bool = False) -> tuple[Floats, Placing]:
    """The film in network pixels, 1st to 99.5th percentile to 0..1, in the middle of the square."""
    rows, columns = values.shape
    shown = np.ascontiguousarray(np.rot90(values)) if turned else np.ascontiguousarray(values)
    mm = pixel_mm if pixel_mm is not None else USUAL_LONG_SIDE_MM / max(rows, columns)
    scale = min(mm / INPUT_MM, SIDE / max(rows, columns))
    low, high = np.percentile(shown, [1.0, 99.5])
    even = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    size = (max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale)))
    small = cv2.resize(even, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square, Placing(scale, float(left), float(top), turned, rows, columns)


def maps_of(square: Floats, nets: Networks) -> Floats:
    """Probabilities of the five points, then offset and vector, averaged over the mirrored look."""
    n = len(POINTS)
    total = np.zeros((n + 4, CELLS, CELLS), np.float32)
    for mirrored in (False, True):
        look = square[:, ::-1] if mirrored else square
        out = np.array(nets.run(NETWORK, np.ascontiguousarray(look)[None, None])[0], np.float32)
        out[:n] = 1.0 / (1.0 + np.exp(-np.clip(out[:n], -30, 30)))
        if mirrored:
            out = out[:, :, ::-1].copy()
            out[n] = 1.0 - out[n]
        total[: n + 2] += out[: n + 2] / 2
        # A vector's x turns round in the mirror where it points somewhere, a size's does not: see ``vector``.
        total[n + 2 :] += 0 if mirrored else out[n + 2 :]
    return total


def peaks(maps: Floats, name: str, lowest: float, near: float = 2.0, most: int = 60) -> list[tuple[float, float, float, Xy]]:
    """(score, x, y in network pixels, vector) of one kind of point, the highest of those near each other."""
    n = len(POINTS)
    heat = maps[POINTS.index(name)]
    peak = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= lowest)
    rows, columns = np.nonzero(peak)
    kept: list[tuple[float, float, float, Xy]] = []
    for k in np.argsort(-heat[rows, columns], kind="stable"):
        r, c = int(rows[k]), int(columns[k])
        x, y = (c + float(maps[n, r, c])) * STRIDE, (r + float(maps[n + 1, r, c])) * STRIDE
        if all(np.hypot(x - a[1], y - a[2]) >= near * STRIDE for a in kept):
            kept.append((float(heat[r, c]), x, y, (float(maps[n + 2, r, c]), float(maps[n + 3, r, c]))))
        if len(kept) >= most:
            break
    return kept


def read_maps(maps: Floats, placing: Placing, lowest: float = 0.05) -> Answer:
    """Candidates and bone sites on the film."""
    candidates: list[Candidate] = []
    for name in ("caries", "periapical"):
        for score, x, y, (w, h) in peaks(maps, name, lowest, 3.0):
            half = [float(np.exp(np.clip(v, -1, 3.5))) * STRIDE / 2 for v in (w, h)]
            corners = [placing.to_film(x + s * half[0], y + s * half[1]) for s in (-1, 1)]
            xs, ys = sorted(c[0] for c in corners), sorted(c[1] for c in corners)
            candidates.append(Candidate(name, (xs[0], ys[0], xs[1], ys[1]), score))
    crests = peaks(maps, "crest", 0.15, 1.2)
    ends = peaks(maps, "enamel", 0.25, 1.2)
    apices = [
        (x, y, x + vx * 2 * REACH_CELLS * STRIDE, y + vy * 2 * REACH_CELLS * STRIDE)
        for _, x, y, (vx, vy) in peaks(maps, "apex", 0.25, 2.0)
    ]
    sites: list[BoneSite] = []
    for score, x, y, (vx, vy) in ends:
        aim = (x + vx * REACH_CELLS * STRIDE, y + vy * REACH_CELLS * STRIDE)
        near = min(crests, key=lambda c: np.hypot(c[1] - aim[0], c[2] - aim[1]), default=None)
        reach = 1.2 / INPUT_MM
        if near is not None and np.hypot(near[1] - aim[0], near[2] - aim[1]) <= reach:
            aim = (near[1], near[2])
        length = float(np.hypot(aim[0] - x, aim[1] - y))
        share = _share((x, y), length, apices, up=aim[1] < y)
        a, b = placing.to_film(x, y), placing.to_film(*aim)
        sites.append(BoneSite(a, b, length / placing.scale, share, aim[1] < y, score))
    seen = float(sum(s.score for s in sites))
    return Answer(tuple(sorted(candidates, key=lambda c: -c.score)), tuple(sites), seen, placing.turned)


def _share(end: Xy, length: float, apices: Sequence[tuple[float, float, float, float]], up: bool) -> float | None:
    """Bone loss over the root's length: the apex whose tooth's neck lies beside this enamel point, on the same side."""
    own = [
        a for a in apices
        if abs(a[2] - end[0]) < 6.5 / INPUT_MM and abs(a[3] - end[1]) < 3.5 / INPUT_MM and (a[1] < end[1]) == up
    ]  # fmt: skip
    if not own:
        return None
    tooth = min(own, key=lambda a: np.hypot(a[2] - end[0], a[3] - end[1]))
    same = [a for a in own if abs(a[2] - tooth[2]) < 2.0 / INPUT_MM]
    root = min(float(np.hypot(a[0] - end[0], a[1] - end[1])) for a in same)
    return length / root if root > 4.0 / INPUT_MM else None


def read_film(values: Floats, pixel_mm: float | None, nets: Networks, wide: float = 1.0) -> Answer:
    """The film as it stands and a quarter turned; the way in which more looks like teeth is the right one.

    ``wide``: how many times a pixel is wider than the ``pixel_mm`` that it is high.
    """
    rows, columns = values.shape
    across = max(1, round(columns * wide)) if abs(wide - 1) > WIDE_PIXELS else columns
    if across != columns:
        how = cv2.INTER_AREA if across < columns else cv2.INTER_LINEAR
        values = cv2.resize(np.ascontiguousarray(values, np.float32), (across, rows), interpolation=how)
    answers = []
    for turned in (False, True):
        square, placing = placed(values, pixel_mm, turned)
        answers.append(read_maps(maps_of(square, nets), placing))
    best = max(answers, key=lambda a: a.seen)
    return best if across == columns else _narrowed(best, columns / across)


def _narrowed(answer: Answer, by: float) -> Answer:
    """Places on the film as it was, ``length_px`` in pixels of its height."""
    candidates = tuple(replace(c, box=(c.box[0] * by, c.box[1], c.box[2] * by, c.box[3])) for c in answer.candidates)
    sites = tuple(
        replace(s, enamel=(s.enamel[0] * by, s.enamel[1]), crest=(s.crest[0] * by, s.crest[1])) for s in answer.sites
    )
    return replace(answer, candidates=candidates, sites=sites)
