"""An image made ready for resampling: float32 levels, each half of the one before, made only when asked for.

Plain bilinear sampling skips pixels when an image is shown smaller than it is (a mammogram at fit shows one pixel in
five), and fine calcifications flicker or vanish. Levels are box averages, so every stored pixel counts.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.pixels import FramePixels

_BLOCK_ROWS = 256
_LARGE = 6 << 20
"""Pixels."""
RIM = 8
"""Pixels repeated beyond each edge: enough for interpolation, and to choose from (``quick_zoom``)."""


def _area(values: npt.NDArray[np.generic], rows: int, columns: int) -> npt.NDArray[np.generic]:
    return np.asarray(cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA))


def shrink(values: npt.NDArray[np.generic], factor: int) -> npt.NDArray[np.generic]:
    """Box average by ``factor`` in rows and columns; a last cell that is cut off averages what it has.

    Grey input gives float32 (rows', columns'); colour uint8 (rows', columns', 3) stays uint8.
    """
    rows, columns = values.shape[:2]
    out_rows, out_columns = -(-rows // factor), -(-columns // factor)
    colour = values.ndim == 3
    out = np.empty((out_rows, out_columns, *values.shape[2:]), dtype=np.uint8 if colour else np.float32)
    step = max(factor, _BLOCK_ROWS // factor * factor)
    whole_columns = columns // factor
    for top in range(0, rows, step):
        block = np.ascontiguousarray(values[top : top + step])
        if not colour:
            block = block.astype(np.float32)
        for first, last in _row_parts(block.shape[0], factor):
            part = block[first:last]
            height = max(1, (last - first) // factor)
            at = (top + first) // factor
            if whole_columns:
                out[at : at + height, :whole_columns] = _area(part[:, : whole_columns * factor], height, whole_columns)
            if out_columns > whole_columns:
                out[at : at + height, whole_columns] = _area(part[:, whole_columns * factor :], height, 1)[:, 0]
    return out


def _row_parts(rows: int, factor: int) -> list[tuple[int, int]]:
    whole = rows // factor * factor
    parts = [(0, whole)] if whole else []
    return [*parts, (whole, rows)] if whole < rows else parts


def _rimmed(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The edge repeated on every side: OpenCV's fast constant border then never blends into the image."""
    return np.asarray(cv2.copyMakeBorder(values, RIM, RIM, RIM, RIM, cv2.BORDER_REPLICATE))


def _inside(ends: tuple[int, int], length: int) -> tuple[int, int, slice]:
    """What of a piece is rim before and behind, and the pixels between; ``ends`` count from the rim's first."""
    first = min(max(ends[0] - RIM, 0), length - 1)
    last = min(max(ends[1] - RIM, first + 1), length)
    beyond = ends[1] - ends[0] - (last - first)
    before = min(max(RIM - ends[0], 0), beyond)
    return before, beyond - before, slice(first, last)


class PreparedImage:
    """Levels of one image. ``level(n)`` is 2^n times smaller and has a rim of ``RIM``; safe to ask from several threads."""

    def __init__(self, values: npt.NDArray[np.generic]) -> None:
        """``values``: (rows, columns) numbers or (rows, columns, 3) uint8."""
        self.values = values
        self.is_colour = values.ndim == 3
        self._levels: dict[int, npt.NDArray[np.generic]] = {}
        self._lock = threading.Lock()
        self._size = 0

    @property
    def shape(self) -> tuple[int, int]:
        return (int(self.values.shape[0]), int(self.values.shape[1]))

    def level(self, n: int) -> npt.NDArray[np.generic]:
        """(rows / 2^n + 2 RIM, columns / 2^n + 2 RIM), rounded up; float32, or uint8 for colour."""
        with self._lock:
            found = self._levels.get(n)
            if found is None:
                if n == 0:
                    bare = np.ascontiguousarray(self.values)
                    found = _rimmed(bare if self.is_colour else bare.astype(np.float32, copy=False))
                else:
                    found = _rimmed(self._shrunk(n))
                self._levels[n] = found
                self._size += found.nbytes
                grown = True
            else:
                grown = False
        _levels_in_use.used(self, grown)
        return found

    def piece(self, n: int, rows: tuple[int, int], columns: tuple[int, int]) -> npt.NDArray[np.generic]:
        """Rows and columns, from and up to, of ``level(n)``, in its numbers (the rim's first is 0).

        Of a very large image at full size only the piece is made: as numbers of four bytes the whole of a mammogram takes
        100 MB, and four of them in linked panes would push each other out with every step.
        """
        if n or self.is_colour or self.values.size <= _LARGE or self._levels.get(0) is not None:
            return self.level(n)[rows[0] : rows[1], columns[0] : columns[1]]
        height, width = self.shape
        (top, bottom, down), (left, right, across) = _inside(rows, height), _inside(columns, width)
        inner = np.ascontiguousarray(self.values[down, across]).astype(np.float32, copy=False)
        if not (top or bottom or left or right):
            return inner
        return np.asarray(cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REPLICATE))

    def forget_levels(self) -> None:
        """They are made again when they are asked for."""
        with self._lock:
            self._levels.clear()
            self._size = 0

    def _shrunk(self, n: int) -> npt.NDArray[np.generic]:
        parent = self._levels.get(n - 1)
        if parent is None or _has_cut_cells(self.shape, n):  # averages of cut cells do not nest
            return shrink(self.values, 2**n)
        return shrink(parent[RIM:-RIM, RIM:-RIM], 2)

    def level_for(self, scale: float) -> int:
        """The level whose remaining shrink is between 0.5 and 1 for ``scale`` pane pixels per image pixel."""
        n = 0
        rows, columns = self.shape
        while scale * 2 ** (n + 1) <= 1.0 + 1e-9 and min(rows, columns) >= 2 ** (n + 2):
            n += 1
        return n

    def nbytes(self) -> int:
        return self._size


class _LevelsInUse:
    """Levels of all images within a byte budget; those of the image used longest ago go first."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._lock = threading.Lock()
        self._images: OrderedDict[int, weakref.ref[PreparedImage]] = OrderedDict()

    def used(self, image: PreparedImage, grown: bool) -> None:
        with self._lock:
            self._images[id(image)] = weakref.ref(image)
            self._images.move_to_end(id(image))
            old = self._too_many(image) if grown else []
        for gone in old:
            gone.forget_levels()

    def limit(self, budget_bytes: int) -> None:
        with self._lock:
            self._budget = budget_bytes
            old = self._too_many(None)
        for gone in old:
            gone.forget_levels()

    def nbytes(self) -> int:
        with self._lock:
            return sum(image.nbytes() for ref in self._images.values() if (image := ref()) is not None)

    def _too_many(self, kept: PreparedImage | None) -> list[PreparedImage]:
        living = [(number, ref()) for number, ref in self._images.items()]
        for number, image in living:
            if image is None:
                del self._images[number]
        total = sum(image.nbytes() for _, image in living if image is not None)
        old = []
        for number, image in living:
            if total <= self._budget:
                break
            if image is not None and image is not kept:
                total -= image.nbytes()
                old.append(image)
                del self._images[number]
        return old


_levels_in_use = _LevelsInUse(256 << 20)


def limit_levels(budget_bytes: int) -> None:
    """How much memory the levels of all images may take together; what is on screen at most stays beyond it."""
    _levels_in_use.limit(budget_bytes)


def level_bytes() -> int:
    return _levels_in_use.nbytes()


def _has_cut_cells(shape: tuple[int, int], n: int) -> bool:
    return bool(shape[0] % 2**n or shape[1] % 2**n)


_prepared: weakref.WeakKeyDictionary[FramePixels, PreparedImage] = weakref.WeakKeyDictionary()
_prepared_lock = threading.Lock()


def _without_padding(frame: FramePixels) -> npt.NDArray[np.generic]:
    """Padding becomes the darkest image value, so that interpolation does not pull a rim out of the background."""
    if frame.padding is None or frame.is_colour or not frame.padding.any() or frame.padding.all():
        return frame.values
    kept = frame.values[~frame.padding]
    filled = frame.values.copy()
    filled[frame.padding] = kept.max() if frame.inverse else kept.min()
    return filled


def prepared(frame: FramePixels) -> PreparedImage:
    """The frame's prepared image; kept as long as the frame lives. Loaders may call it ahead (``prepare_for``)."""
    with _prepared_lock:
        found = _prepared.get(frame)
        if found is None:
            found = PreparedImage(_without_padding(frame))
            _prepared[frame] = found
        return found


def prepare_for(frame: FramePixels, scale: float) -> None:
    """Makes the level that ``scale`` needs; for a worker, so that the first paint does not wait for it."""
    image = prepared(frame)
    image.level(image.level_for(scale))
