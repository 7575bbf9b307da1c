"""Which tooth is where on a panoramic film: a network's guess for each of 32 numbers, held to one arch over both jaws.

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
from app.ai.readers.dental.arch import NUMBERS, Places, Weights, decided
from app.ai.readers.dental.arch import Sequence as Decided
from app.ai.readers.dental.boxes import ToothBox
from app.ai.readers.dental.film import Content, blank_area, content_of, evened
from app.ai.readers.dental.tooth_places import places_of
from app.domain.teeth import PERMANENT

TEETH = PERMANENT
"""Left to right on the film, the order of the network's channels."""
NETWORK = "dental_teeth"
ROWS, COLUMNS = 192, 320
STRIDE = 4
CELLS = (ROWS // STRIDE, COLUMNS // STRIDE)
SURE = 0.5
FEWEST = 6
WIDE = 0.7
"""An arch that takes less of the film's width is looked at once more, closer."""
OVERLOOKED = 0.5
"""How much nearer the place of a tooth that is not seen counts, for a box that lies on no seen one."""
WEIGHTS = Weights()
OTHER_SIDE = [*range(NUMBERS - 1, -1, -1), *range(2 * NUMBERS - 1, NUMBERS - 1, -1)]
"""Of each number in ``TEETH``, the place of the same tooth of the other side."""
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


def as_input(
    values: Floats, valid: npt.NDArray[np.bool_] | None = None, window: Content | None = None
) -> tuple[Floats, Content]:
    """The exposed part of a film, or ``window`` of it, ``(ROWS, COLUMNS)``, its contrast made even from place to place."""
    values = np.asarray(values, np.float32)
    blank = blank_area(values, valid)
    content = window or content_of(blank)
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
    """(32 + 4, cells): probability of each number, then offset and log size, see ``boxes.decode``.

    The mean of the picture and its mirror image, whose numbers are those of the other side.
    """
    n = len(TEETH)
    looks = []
    for mirrored in (False, True):
        look = np.ascontiguousarray(picture[:, ::-1] if mirrored else picture)
        out = np.array(nets.run(NETWORK, look[None, None])[0], np.float32)
        out[:n] = 1.0 / (1.0 + np.exp(-np.clip(out[:n], -30, 30)))
        if mirrored:
            out = out[:, :, ::-1].copy()
            out[n] = 1.0 - out[n]
            out[:n] = out[OTHER_SIDE]
        looks.append(out)
    return np.asarray((looks[0] + looks[1]) / 2, np.float32)


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


def _first_picks(jaw: Places, prior: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """(place, number's index) by the network's word alone, one to one, in no order: a first arch to start from."""
    if not len(jaw):
        return []
    strength = jaw.likely * prior
    gain = np.log(np.maximum(strength, 1e-6) / 0.02)
    picks = linear_sum_assignment(-np.maximum(gain, 0.0))
    return [(int(i), int(j)) for i, j in zip(*picks, strict=True) if gain[i, j] > 0]


def _arch(
    shape: npt.NDArray[np.float64], jaws: Sequence[Places], picks: Sequence[Sequence[tuple[int, int]]]
) -> npt.NDArray[np.float64] | None:
    """(32, 2) where one arch over both jaws has every number; None when fewer than ``FEWEST`` teeth tell."""
    known = [
        (NUMBERS * k + n, jaws[k].where[i], max(float(jaws[k].likely[i].max()), 0.5 * float(jaws[k].boxed[i])))
        for k in range(2)
        for i, n in picks[k]
    ]
    if len(known) < FEWEST:
        return None
    index, where = np.array([n for n, _, _ in known]), np.stack([w for _, w, _ in known])
    strength = np.array([s for _, _, s in known])
    weight, expected = strength, np.zeros((2 * NUMBERS, 2))
    for _ in range(3):  # those far off the common arch say little about it
        expected = _terms(shape) @ _fitted(shape[index], where, weight)
        off = np.hypot(*(where - expected[index]).T)
        weight = strength / (1 + (off / 3.0) ** 2)
    return np.asarray(expected, np.float64)


def _pitch(expected: npt.NDArray[np.float64]) -> float:
    return max(1.5, float(np.abs(np.diff(expected[:, 0])).mean()))


def _start(shape: npt.NDArray[np.float64], jaws: Sequence[Places]) -> npt.NDArray[np.float64] | None:
    expected = _arch(shape, jaws, [_first_picks(j, np.ones_like(j.likely)) for j in jaws])
    if expected is None:
        return None
    pitch = _pitch(expected[:NUMBERS])
    picks = []
    for k, jaw in enumerate(jaws):
        off = (jaw.where[:, None] - expected[None, NUMBERS * k : NUMBERS * (k + 1)]) / (1.3 * pitch, 1.6 * pitch)
        picks.append(_first_picks(jaw, np.exp(-0.5 * (off**2).sum(axis=2))))
    return _arch(shape, jaws, picks)


def number_teeth(
    maps: Floats, content: Content, template: Sequence[Sequence[float]], boxes: Sequence[ToothBox] = ()
) -> tuple[ToothPlace, ...]:
    """Every number of both jaws with its place; those not seen where the arch of the others would have them.

    ``template``: x, y of the 32 numbers in a plane of about -1..1 (mean of generated films). ``boxes``: what the detector
    found on the film, score its calibrated probability; it takes part as evidence (``arch``). Empty when fewer than
    ``FEWEST`` teeth are seen: an arch that hangs on less is a guess.
    """
    shape = np.asarray(template, np.float64)
    jaws = places_of(maps, [_in_cells(b, content) for b in boxes])
    expected = _start(shape, jaws)
    if expected is None:
        return ()
    told: list[ToothPlace] = []
    sequences: list[Decided] = []
    for last in (False, False, False, True):
        sequences = []
        for k, jaw in enumerate(jaws):
            along = np.maximum.accumulate(expected[NUMBERS * k : NUMBERS * (k + 1), 0])
            sequences.append(decided(jaw, along, _pitch(along[:, None]), WEIGHTS, last))
        if not last:
            expected = _arch(shape, jaws, [s.picks for s in sequences])
            if expected is None:
                return ()
    usual = np.median(np.concatenate([j.size for j in jaws]), axis=0)
    for k, sequence in enumerate(sequences):
        by = {n: i for i, n in sequence.picks}
        for n in range(NUMBERS):
            fdi = TEETH[NUMBERS * k + n]
            if n in by:
                i = by[n]
                chance = float(sequence.chance[i, n])
                told.append(_place(fdi, jaws[k].where[i], jaws[k].size[i], chance, True, content))
            else:
                told.append(_place(fdi, expected[NUMBERS * k + n], usual, 0.0, False, content))
    return tuple(told)


def _cell(content: Content) -> tuple[float, float]:
    """Film pixels of one cell (x, y)."""
    return (content.x1 - content.x0) / COLUMNS * STRIDE, (content.y1 - content.y0) / ROWS * STRIDE


def _in_cells(box: ToothBox, content: Content) -> ToothBox:
    sx, sy = _cell(content)
    x0, y0, x1, y1 = box.box
    where = ((x0 - content.x0) / sx, (y0 - content.y0) / sy, (x1 - content.x0) / sx, (y1 - content.y0) / sy)
    return ToothBox(box.kind, where, box.score)


def closer(teeth: Sequence[ToothPlace], content: Content) -> Content | None:
    """The part of the film around the arch, for a second look; None where the arch fills the film well already."""
    seen = [t.box_px for t in teeth if t.seen]
    if not seen:
        return None
    w, h = (float(np.median([b[k + 2] - b[k] for b in seen])) for k in (0, 1))
    x, y = np.array([t.centre_px for t in teeth]).T
    top, bottom = np.percentile(y, [3, 97])
    around = Content(
        max(content.x0, float(x.min()) - 2.0 * w),
        max(content.y0, float(top) - 1.6 * h),
        min(content.x1, float(x.max()) + 2.0 * w),
        min(content.y1, float(bottom) + 1.6 * h),
    )
    return around if around.x1 - around.x0 < WIDE * (content.x1 - content.x0) else None


def _place(
    fdi: int, where: npt.NDArray[np.float64], size: npt.NDArray[np.float64], sure: float, seen: bool, content: Content
) -> ToothPlace:
    sx, sy = _cell(content)
    x0, x1 = (content.x0 + float(where[0] + s * size[0] / 2) * sx for s in (-1, 1))
    y0, y1 = (content.y0 + float(where[1] + s * size[1] / 2) * sy for s in (-1, 1))
    return ToothPlace(fdi, (round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1)), round(sure, 3), seen)


def tooth_of(box: Box, teeth: Sequence[ToothPlace]) -> tuple[int, float] | None:
    """(FDI number, confidence) of the tooth that a box is of: the largest overlap, else the nearest place, rather of a
    tooth that was not seen; None without."""
    if not teeth:
        return None
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)

    def rank(tooth: ToothPlace) -> tuple[float, float]:
        shared = _overlap(box, tooth.box_px) if tooth.seen else 0.0
        x, y = tooth.centre_px
        w, h = tooth.box_px[2] - tooth.box_px[0], tooth.box_px[3] - tooth.box_px[1]
        return -shared, float(np.hypot((x - middle[0]) / max(w, 1.0), 1.2 * (y - middle[1]) / max(h, 1.0)))

    best = min(teeth, key=rank)
    if -rank(best)[0] >= 0.2:
        return best.fdi, best.confidence
    # A tooth on none of the seen ones is rather one of those that were not seen.
    nearest = min(teeth, key=lambda t: rank(t)[1] * (OVERLOOKED if not t.seen else 1.0))
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
