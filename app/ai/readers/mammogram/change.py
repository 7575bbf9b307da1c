"""Whether a marked place stood there on an earlier view of the same breast: the breasts laid on each other, then subtracted.

Both views lie with the chest wall on the left and on one grid of millimetres (``view.prepare``). Chest wall, height of the
nipple and outline give a first affine map, the skin lines the second, the greys of the breast the third; around a mark the
tissue is moved once more by itself, because no two compressions are alike. What of the mark's own contrast remains in the
difference tells what stood there. Where breasts or surroundings do not lie on each other nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.film.subtract import Rest, Settings, rest_of
from app.ai.readers.mammogram.view import BreastView
from app.domain.earlier_mark import EarlierState

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

STEP = 2
"""Pixels of the view's grid to one of the grid compared on, 0.8 mm."""
FLAT = 12.0
PATCHES = Settings(sigmas=(2.5, 3.6, 5.2, 7.5, 10.5), patch=36, reach=9, near=5, around=20.0)
LEAST_ALIKE = 0.8
"""Correlation of the two breasts, below which they are not compared."""
LEAST_ALIKE_AROUND = 0.45
"""Correlation of a mark's surroundings, below which that mark is not compared."""
WELL_ALIKE = 0.85
"""From here on no other first map is tried."""
MOST_SIZED = 1.3
"""One breast may be this many times as wide or high as the other: more is another compression or a magnification."""
NEW_FROM = 0.9
THERE_TO = 0.35
"""Shares of the mark's contrast that is left in the difference."""
LEAST_SHARED = 0.6
"""Share of the breast that the earlier view shows too."""
_SKIN_MM = 4.0


@dataclass(frozen=True, eq=False)
class Laid:
    """``to_then`` (2, 3): places (x, y) of the present grid to those of the earlier one, both of ``STEP`` pixels."""

    now: Floats
    then: Floats
    to_then: Matrix
    alike: float


@dataclass(frozen=True)
class Compared:
    state: EarlierState
    rest: Rest
    place: tuple[float, float]
    """(x, y) on the earlier view's grid."""


def coarse(values: Floats) -> Floats:
    size = (max(1, values.shape[1] // STEP), max(1, values.shape[0] // STEP))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _frame(view: BreastView) -> tuple[float, float, float, float]:
    """(reach from the chest wall, row of the nipple, first row, row behind the last), in pixels of ``STEP``."""
    breast = view.breast
    across = np.where(breast.any(axis=1), breast.shape[1] - breast[:, ::-1].argmax(axis=1), 0)
    smooth = np.convolve(np.pad(across, 12, mode="edge"), np.ones(25) / 25, mode="valid")
    rows = np.nonzero(breast.any(axis=1))[0]
    # The tip is looked for away from the ends, where a film's rim or the armpit may reach further.
    inner = slice(int(rows[0] + 0.2 * len(rows)), max(int(rows[-1] + 1 - 0.1 * len(rows)), int(rows[0]) + 1))
    tip = inner.start + float(np.mean(np.nonzero(smooth[inner] >= smooth[inner].max() - 1.0)[0]))
    return float(smooth[inner].max()) / STEP, tip / STEP, float(rows[0]) / STEP, float(rows[-1] + 1) / STEP


def _starts(now: BreastView, then: BreastView) -> list[Floats]:
    """First maps: both breasts' boxes on each other; nipple on nipple, as large as now."""
    (w, y, top, end), (a, v, first, last) = _frame(now), _frame(then)
    across = float(np.clip(a / max(w, 1.0), 1 / MOST_SIZED, MOST_SIZED))
    along = float(np.clip((last - first) / max(end - top, 1.0), 1 / MOST_SIZED, MOST_SIZED))
    boxes = [[across, 0, 0], [0, along, (first + last) / 2 - along * (top + end) / 2]]
    return [np.asarray(m, np.float32) for m in (boxes, [[1, 0, a - w], [0, 1, v - y]])]


def _skin(view: BreastView) -> Floats:
    return coarse(np.asarray(np.minimum(view.skin_mm, 25.0) / 25.0, np.float32))


def _inside(view: BreastView) -> Floats:
    return coarse((view.breast & (view.skin_mm > _SKIN_MM)).astype(np.float32))


def _even(values: Floats, inside: Floats) -> Floats:
    """Greys against their surroundings in spreads, air and skin left out: their edge would outshout all tissue."""

    def mean(sigma: float) -> Floats:
        weight = cv2.GaussianBlur(inside, (0, 0), sigma) + np.float32(1e-3)
        return np.asarray(cv2.GaussianBlur(values * inside, (0, 0), sigma) / weight, np.float32)

    off = (mean(1.0) - mean(FLAT)) * inside
    return np.asarray(np.clip(off, -1.0, 1.0), np.float32)


def laid(now: BreastView, then: BreastView) -> Laid | None:
    """None where the two do not go together: other size, other tissue, or one of them is no breast."""
    first, second = coarse(now.values), coarse(then.values)
    if min(*first.shape, *second.shape) < 30:
        return None
    mine, theirs = _inside(now) > 0.99, _inside(then)
    skins, even = (_skin(now), _skin(then)), (_even(first, _inside(now)), _even(second, theirs))
    best: tuple[float, Floats] | None = None
    for start in _starts(now, then):
        found = _laid_from(start, skins, even, mine, theirs)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
        if best is not None and best[0] >= WELL_ALIKE:
            break
    if best is None or best[0] < LEAST_ALIKE:
        return None
    return Laid(first, second, best[1].astype(np.float64), best[0])


def _laid_from(
    warp: Floats,
    skins: tuple[Floats, Floats] | None,
    even: tuple[Floats, Floats],
    mine: npt.NDArray[np.bool_],
    theirs: Floats,
) -> tuple[float, Floats] | None:
    """(how alike, map) from this start; None where it leads nowhere."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    counted = (theirs > 0.99).astype(np.uint8)
    try:
        _, warp = cv2.findTransformECC(*skins, warp, cv2.MOTION_AFFINE, criteria, np.ones_like(counted), 5)  # type: ignore[assignment]
        for how, blur in ((cv2.MOTION_TRANSLATION, 31), (cv2.MOTION_AFFINE, 15), (cv2.MOTION_AFFINE, 7)):
            _, warp = cv2.findTransformECC(*even, warp, how, criteria, counted, blur)  # type: ignore[assignment]
    except cv2.error:
        return None
    sizes = np.linalg.svd(warp[:, :2], compute_uv=False)
    if sizes.max() > MOST_SIZED or sizes.min() < 1 / MOST_SIZED:
        return None
    size = (mine.shape[1], mine.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    both = mine & (cv2.warpAffine(theirs, warp, size, flags=flags) > 0.5)
    if both.sum() < LEAST_SHARED * mine.sum() or not both.any():
        return None
    moved = cv2.warpAffine(even[1], warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    # Places a few millimetres off are found again around the mark: here the blurred tissue has to agree.
    a, b = (cv2.GaussianBlur(v, (0, 0), 2.0)[both] for v in (even[0], moved))
    return float(np.corrcoef(a, b)[0, 1]), warp


def compared(place: Laid, x: float, y: float) -> Compared:
    """A mark at (x, y) of the present view's grid against the earlier view."""
    at = ((x + 0.5) / STEP - 0.5, (y + 0.5) / STEP - 0.5)
    rest = rest_of(place.now, place.then, place.to_then, at, PATCHES, FLAT)
    u, v = ((p + 0.5) * STEP - 0.5 for p in rest.place)
    return Compared(state_of(rest), rest, (u, v))


def state_of(rest: Rest) -> EarlierState:
    if rest.alike < LEAST_ALIKE_AROUND:
        return EarlierState.UNLIKE
    if rest.left >= NEW_FROM:
        return EarlierState.NEW
    return EarlierState.THERE if rest.left <= THERE_TO else EarlierState.MORE
