"""Picture buffers of one pane, used again: fresh memory of a large pane costs more time than the picture painted into it."""

from __future__ import annotations

import sys
import threading

import numpy as np
import numpy.typing as npt

from app.viewer.view_state import Size

U8 = npt.NDArray[np.uint8]
BLACK = 0xFF000000
"""B, G, R, 255 as one word."""
_KEPT = 3
"""One on the screen, one being painted, one about to be let go."""
_OWN = 3
"""References to a buffer that nobody else holds: the list's, the loop's and that of the question itself."""


class PictureBuffers:
    """Buffers that nobody holds any more are given out again; one that is held, or of which a view is held, never is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[U8] = []
        self._flat: list[npt.NDArray[np.float32]] = []

    def take(self, size: Size) -> U8:
        """(h, w, 4) with whatever was in it."""
        shape = (size[1], size[0], 4)
        with self._lock:
            self._kept = [kept for kept in self._kept if kept.shape == shape]
            for kept in self._kept:
                if sys.getrefcount(kept) <= _OWN:
                    return kept
            fresh = np.empty(shape, dtype=np.uint8)
            if len(self._kept) < _KEPT:
                self._kept.append(fresh)
            return fresh

    def samples(self, rows: int, columns: int) -> npt.NDArray[np.float32]:
        """(rows, columns) numbers with whatever was in them, on a buffer that may be somewhat larger."""
        size = rows * columns
        with self._lock:
            self._flat = [kept for kept in self._flat if size <= kept.size <= 2 * size]
            for kept in self._flat:
                if sys.getrefcount(kept) <= _OWN:
                    return kept[:size].reshape(rows, columns)
            fresh = np.empty(size + size // 8, dtype=np.float32)
            if len(self._flat) < _KEPT - 1:
                self._flat.append(fresh)
            return fresh[:size].reshape(rows, columns)


def words(pixels: U8) -> npt.NDArray[np.int32]:
    """(h, w, 4) bytes as (h, w) words, on the same memory."""
    return pixels.view(np.int32)[..., 0]


def blacken_around(pixels: U8, offset: tuple[int, int], size: Size) -> None:
    """Black everywhere but in the box of ``size`` at ``offset``."""
    (x, y), (w, h) = offset, size
    every = pixels.view(np.uint32)[..., 0]
    every[:y] = BLACK
    every[y + h :] = BLACK
    every[y : y + h, :x] = BLACK
    every[y : y + h, x + w :] = BLACK
