"""The lines along the sides of a flat region's pixels, as a whole and while it changes under a brush.

Arrays are (rows, columns); points are (x, y) image px with the corner as origin, as in :mod:`app.imaging.flat_regions`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]
_ROWS = 64
"""So many rows are looked at together: what fits near the processor."""


def outline(mask: Mask) -> tuple[Point2, ...]:
    """Corners of the line along the sides of the pixels of one part without holes; () for an empty mask.

    Exactly the centres of the part's own pixels lie inside it.
    """
    return Borders(mask).first()


def widest_outline(mask: Mask) -> tuple[Point2, ...]:
    """Of all lines along the sides of a mask's pixels the one that encloses most; () for an empty mask."""
    return Borders(mask).widest()


class Borders:
    """Of a mask that is changed in place: only the rows that changed are looked at again."""

    def __init__(self, mask: Mask, columns: slice = slice(None)) -> None:
        """``columns``: beyond which the mask is empty."""
        self._mask = mask
        self._level = self._look(0, mask.shape[0] + 1, columns)

    def changed(self, rows: slice, columns: slice) -> None:
        """Some rows are others now; ``columns``: beyond which the whole mask is empty."""
        width = self._mask.shape[1] + 2
        first, after = np.searchsorted(self._level, (rows.start * width, (rows.stop + 1) * width))
        found = self._look(rows.start, rows.stop + 1, columns)
        self._level = np.concatenate((self._level[:first], found, self._level[after:]))

    def first(self) -> tuple[Point2, ...]:
        """The border that goes along the topmost side; of one part without holes its only one."""
        x, y, after = self._corners()
        return _points(x, y, _ring(after, 0)) if len(x) else ()

    def widest(self) -> tuple[Point2, ...]:
        x, y, after = self._corners()
        seen: set[int] = set()
        best, most = np.zeros(0, dtype=np.intp), -1.0
        for start in range(0, len(x), 2):
            if start in seen:
                continue
            ring = _ring(after, start)
            seen.update((ring & ~1).tolist())
            u, v = x[ring].astype(np.float64), y[ring].astype(np.float64)
            encloses = abs(float(u @ np.roll(v, -1) - v @ np.roll(u, -1)))
            if encloses > most:
                best, most = ring, encloses
        return _points(x, y, best) if len(best) else ()

    def _look(self, first: int, stop: int, columns: slice) -> Numbers:
        """Upper and lower sides of pixels at the heights ``first`` to ``stop``: y * (columns + 2) + x + 1, growing."""
        rows, every = self._mask.shape
        left, right, _ = columns.indices(every)
        width, wide = every + 2, max(right - left, 1)
        found = []
        if right <= left:
            return np.zeros(0, dtype=np.intp)
        if first == 0 and rows:
            found.append(np.flatnonzero(self._mask[0, left:right]) + left + 1)
        for y0 in range(max(first, 1), min(stop, rows), _ROWS):
            y1 = min(y0 + _ROWS, stop, rows)
            at = np.flatnonzero(self._mask[y0:y1, left:right] != self._mask[y0 - 1 : y1 - 1, left:right])
            if at.size:
                found.append((at // wide + y0) * width + at % wide + left + 1)
        if stop == rows + 1 and rows:
            found.append(np.flatnonzero(self._mask[-1, left:right]) + rows * width + left + 1)
        return np.concatenate(found) if found else np.zeros(0, dtype=np.intp)

    def _corners(self) -> tuple[Numbers, Numbers, list[int]]:
        """Corners of all borders: x and y, and for each the one that follows where the way goes up or down.

        Corners 2n and 2n + 1 are the left and the right end of the n-th stretch along the upper or lower sides of pixels,
        from the top and from the left. Borders go along such stretches and along columns in turn, and where two pixels
        meet by their corners each keeps to its own.
        """
        at, (rows, columns) = self._level, self._mask.shape
        if not at.size:
            return at, at, []
        width = columns + 2
        below = np.minimum(at // width, rows - 1)
        # The side is the upper one of a pixel of the mask.
        upper = self._mask[below, at % width - 1] & (at < rows * width)
        starts = np.concatenate(([True], (np.diff(at) != 1) | (upper[1:] != upper[:-1])))
        first = np.flatnonzero(starts)
        last = np.concatenate((first[1:], [at.size])) - 1
        x = np.stack((at[first] % width - 1, at[last] % width), axis=1).reshape(-1)
        y = np.repeat(at[first] // width, 2)
        # Down a column the corners come in pairs; of two at one place the lower side's belongs to what is above.
        order = np.lexsort((np.repeat(upper[first], 2), y, x))
        after = np.empty(len(x), dtype=np.intp)
        after[order[0::2]], after[order[1::2]] = order[1::2], order[0::2]
        return x, y, after.tolist()


def _ring(after: list[int], start: int) -> Numbers:
    """The border through a corner, from there along its stretch."""
    ring: list[int] = []
    corner = start
    while True:
        ring += (corner, corner ^ 1)
        corner = after[corner ^ 1]
        if corner == start:
            return np.asarray(ring, dtype=np.intp)


def _points(x: Numbers, y: Numbers, ring: Numbers) -> tuple[Point2, ...]:
    return tuple(zip(x[ring].astype(np.float64).tolist(), y[ring].astype(np.float64).tolist(), strict=True))
