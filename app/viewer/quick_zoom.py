"""Unturned images while something moves: ``cv2.resize`` instead of an affine warp, as bilinear, much faster.

``resize`` knows only ratios of whole numbers from whole pixel to whole pixel, so the picture is one whose geometry such
ratios give: less than half a pane pixel off what was asked for. That geometry goes with the picture; at rest the affine
warp shows exactly what was asked for, where the ratios do not happen to be those asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.viewer.picture_buffers import PictureBuffers
from app.viewer.pyramid import RIM, PreparedImage
from app.viewer.view_state import ResolvedView

Values = npt.NDArray[np.generic]
MOST_OFF_PX = 0.5
"""Pane pixels that any pixel may lie off."""
SAME_PX = 1e-6
"""Below this it is what was asked for: most views that fit a whole image are such, and need no warp at rest either."""
_SPARE = 16
"""Source pixels on either side that may be taken in to come nearer."""
_SPARE_SHARE = 0.06
_SPARE_LEAST = 3


@dataclass(frozen=True)
class Steps:
    """One axis: ``taken`` source pixels from ``first`` become ``made`` pane pixels, less the first ``skipped``."""

    first: int
    taken: int
    made: int
    skipped: int

    @property
    def step(self) -> float:
        """Source pixels per pane pixel."""
        return self.taken / self.made

    @property
    def start(self) -> float:
        """Source index of the first pane pixel that is kept."""
        return self.first + (self.skipped + 0.5) * self.step - 0.5


def steps_for(
    start: float, step: float, count: int, length: int, most_off: float = MOST_OFF_PX, rim: int = RIM
) -> Steps | None:
    """The nearest to source indices ``start + step * n``, n below ``count``; None when none is near enough.

    ``length``: source pixels there are, of which ``rim`` on either side only repeat the edge.
    """
    if step <= 0:
        return None
    last = start + step * (count - 1)
    top, bottom = math.floor(start), math.ceil(last) + 1
    spare = max(_SPARE_LEAST, min(_SPARE, int(_SPARE_SHARE * count * step)))
    first = np.arange(max(0, top - spare), max(top, rim) + 1)[:, None]
    end = np.arange(min(bottom, length - rim), min(length, bottom + spare) + 1)[None, :]
    if first.size == 0 or end.size == 0:
        return None
    taken = np.maximum(end - first, 1)
    made = np.maximum(np.round(taken / step), 1)
    ratio = taken / made
    skipped = np.round((start - first + 0.5) / ratio - 0.5)
    shown_first = first + (skipped + 0.5) * ratio - 0.5
    shown_last = shown_first + (count - 1) * ratio
    off = np.maximum(np.abs(shown_first - start), np.abs(shown_last - last)) / step
    # All neighbours of what is kept have to be taken: ``resize`` repeats the edge of the piece, right at the image's only.
    cut = ((shown_first < first) & (first != rim)) | ((shown_last > end - 1) & (end != length - rim))
    off[(skipped < 0) | (made < skipped + count) | cut] = math.inf
    best = np.unravel_index(int(off.argmin()), off.shape)
    if not off[best] <= most_off:
        return None
    return Steps(int(first[best[0], 0]), int(taken[best]), int(made[best]), int(skipped[best]))


def quick_sample(source: Values, index_from_dst: npt.NDArray[np.float64], size: tuple[int, int]) -> Values | None:
    """(h, w) of ``source`` within half a pixel of the asked places; None where that cannot be, or would leave ``source``.

    ``index_from_dst``: destination (x, y) corner px to source (column, row) indices.
    """
    m = index_from_dst
    if m[0, 1] != 0.0 or m[1, 0] != 0.0:
        return None
    found = []
    for axis in (0, 1):
        steps = steps_for(m[axis, axis] * 0.5 + m[axis, 2], m[axis, axis], size[axis], source.shape[1 - axis], rim=0)
        if steps is None:
            return None
        found.append(steps)
    x, y = found
    piece = source[y.first : y.first + y.taken, x.first : x.first + x.taken]
    made = cv2.resize(piece, (x.made, y.made), interpolation=cv2.INTER_LINEAR)
    return np.asarray(made)[y.skipped : y.skipped + size[1], x.skipped : x.skipped + size[0]]


@dataclass(frozen=True, eq=False)
class QuickZoom:
    """How a picture is made, and ``resolved``: the view that it shows."""

    level: int
    rows: Steps
    columns: Steps
    resolved: ResolvedView

    def sample(self, image: PreparedImage, buffers: PictureBuffers | None = None) -> Values:
        """(h, w) of the pane, or (h, w, 3); a view on a larger array, one of ``buffers`` where there are any."""
        y, x, (w, h) = self.rows, self.columns, self.resolved.size
        source = image.piece(self.level, (y.first, y.first + y.taken), (x.first, x.first + x.taken))
        into = buffers.samples(y.made, x.made) if buffers is not None and source.ndim == 2 else None
        made = cv2.resize(source, (x.made, y.made), dst=into, interpolation=cv2.INTER_LINEAR)
        return np.asarray(made)[y.skipped : y.skipped + h, x.skipped : x.skipped + w]


def quick_zoom(image: PreparedImage, resolved: ResolvedView, most_off: float = MOST_OFF_PX) -> QuickZoom | None:
    """None for turned or mirrored views, for stored values shown as they are, and where no ratio comes near enough.

    ``most_off``: pane pixels.
    """
    m = resolved.px_from_pane
    if m[0, 1] != 0.0 or m[1, 0] != 0.0 or m[0, 0] <= 0.0 or m[1, 1] <= 0.0 or resolved.is_identity_grid:
        return None
    level = image.level_for(resolved.scale)
    factor = 2.0**level
    rows, columns = (-(-n // 2**level) + 2 * RIM for n in image.shape)
    w, h = resolved.size
    found = []
    for axis, count, length in ((0, w, columns), (1, h, rows)):
        step = m[axis, axis] / factor
        steps = steps_for((m[axis, axis] * 0.5 + m[axis, 2]) / factor + RIM - 0.5, step, count, length, most_off)
        if steps is None:
            return None
        found.append(steps)
    backward = np.zeros((2, 3))
    for axis, steps in enumerate(found):
        backward[axis, axis] = steps.step * factor
        backward[axis, 2] = (steps.start - 0.5 * steps.step - RIM + 0.5) * factor
    forward = np.zeros((2, 3))
    for axis in (0, 1):
        forward[axis, axis] = 1.0 / backward[axis, axis]
        forward[axis, 2] = -backward[axis, 2] / backward[axis, axis]
    shown = ResolvedView(resolved.view, resolved.size, resolved.geometry, forward, backward)
    return QuickZoom(level, found[1], found[0], shown)


def moved_to(part: ResolvedView, offset: tuple[int, int], whole: ResolvedView) -> ResolvedView:
    """The transforms of a part of the pane, as those of the whole pane."""
    forward, backward = part.pane_from_px.copy(), part.px_from_pane.copy()
    forward[:, 2] += offset
    backward[:, 2] -= backward[:, :2] @ np.array(offset, dtype=np.float64)
    return ResolvedView(whole.view, whole.size, whole.geometry, forward, backward)
