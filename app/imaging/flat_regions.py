"""Regions of one flat image made by hand: grown from a pixel in a range of values, or painted with a disc; their outline.

Arrays are (rows, columns); points are (x, y) image px with the corner as origin, so that the centre of pixel (j, i) is
(i + 0.5, j + 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]
Range = tuple[float, float]
Pixel = tuple[int, int]
"""(row, column)."""
_LEAST_SPREAD = 0.02
_SAMPLE = 1 << 16

LEAST_SIDES = 3000
SIDES_OF_A_DISC = 9.0
"""Twice the border of a disc, by the root of its area: what has more is ragged."""


def like_pixel(values: Values, seed: Pixel, spreads: float = 3.0) -> Range:
    """Lowest and highest value that count as "the same": the median of the 5 x 5 around the seed and its robust spread.

    At least 2 % of the image's own central range, so that perfectly even values grow too.
    """
    near = values[max(0, seed[0] - 2) : seed[0] + 3, max(0, seed[1] - 2) : seed[1] + 3].astype(np.float64)
    near = near[np.isfinite(near)]
    if not near.size:
        return (math.inf, -math.inf)
    middle = float(np.median(near))
    spread = 1.4826 * float(np.median(np.abs(near - middle)))
    stride = max(1, int(math.sqrt(values.size / _SAMPLE)))
    sample = values[::stride, ::stride]
    low, high = (float(v) for v in np.percentile(sample[np.isfinite(sample)], (1, 99)))
    reach = max(spreads * spread, _LEAST_SPREAD * (high - low))
    return (middle - reach, middle + reach)


def _parts(mask: Mask) -> npt.NDArray[np.int32]:
    """The number of each pixel's part, joined by sides (0: none)."""
    _, labels = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return np.asarray(labels, dtype=np.int32)


def _filled(mask: Mask) -> Mask:
    """With its holes: what cannot be reached from outside by sides."""
    beyond = _parts(~np.pad(mask, 1))
    return np.asarray(beyond != beyond[0, 0])[1:-1, 1:-1]


def part_with(mask: Mask, at: Pixel) -> Mask | None:
    """The pixels joined to one by their sides, holes filled; None when that one is not in the mask."""
    if not mask[at]:
        return None
    labels = _parts(mask)
    return _filled(labels == labels[at])


def parts_touching(mask: Mask, seeds: Mask) -> Mask:
    """The parts of a mask, joined by sides, that hold a seed."""
    labels = _parts(mask)
    wanted = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.bool_)
    wanted[labels[seeds & mask]] = True
    return np.asarray(wanted[labels])


def largest_part(mask: Mask) -> Mask | None:
    """Of the parts that hang together by sides the one with most pixels, holes filled; None for an empty mask."""
    grey = np.ascontiguousarray(mask).view(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(grey, connectivity=4, ltype=cv2.CV_32S)
    if count == 1:
        return None
    return _filled(np.asarray(labels == 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))))


def calmed(mask: Mask) -> Mask:
    """The region with a border that an outline can follow: noise makes tens of thousands of corners that nobody drew.

    A median of growing size, its largest part, holes filled; a border that is calm already stays as it is.
    """
    kept = mask
    for size in (3, 5, 9, 15):
        if _sides(kept) <= max(LEAST_SIDES, SIDES_OF_A_DISC * math.sqrt(float(np.count_nonzero(kept)))):
            return kept
        blurred = cv2.medianBlur(np.pad(mask, size).astype(np.uint8), size)[size:-size, size:-size]
        part = largest_part(np.asarray(blurred, dtype=np.bool_))
        if part is None:
            return kept
        kept = part
    return kept


def _sides(mask: Mask) -> int:
    """Pixel sides between what is in and what is out, without those at the edge of the array."""
    return int(np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1]))


def grown(values: Values, seed: Pixel, within: Range, left_out: Mask | None = None) -> Mask | None:
    """Pixels like the seed that are joined to it by their sides, holes filled; None when nothing is."""
    like = np.asarray((values >= within[0]) & (values <= within[1]))
    if left_out is not None:
        like &= ~left_out
    return part_with(like, seed)


def disc_stroke(
    shape: tuple[int, int],
    path: Sequence[Point2],
    radii: tuple[float, float],
    values: Values | None = None,
    within: Range | None = None,
    left_out: Mask | None = None,
) -> Mask:
    """Pixels whose centres lie within a disc along a path, ``radii`` in px along x and y; with a range those in it only."""
    out = np.zeros(shape, dtype=np.bool_)
    rx, ry = max(radii[0], 0.5), max(radii[1], 0.5)
    for x, y in _dense(path, min(rx, ry) / 2.0):
        rows = slice(max(0, math.floor(y - ry)), max(0, math.ceil(y + ry) + 1))
        columns = slice(max(0, math.floor(x - rx)), max(0, math.ceil(x + rx) + 1))
        part = out[rows, columns]
        j = (np.arange(rows.start, rows.start + part.shape[0]) + 0.5 - y)[:, None] / ry
        i = (np.arange(columns.start, columns.start + part.shape[1]) + 0.5 - x)[None, :] / rx
        part |= j * j + i * i <= 1.0
    if within is not None and values is not None:
        touched = box_of(out)
        piece = values[touched]
        out[touched] &= np.asarray((piece >= within[0]) & (piece <= within[1]))
    if left_out is not None:
        out &= ~left_out
    return out


def _dense(path: Sequence[Point2], step: float) -> list[Point2]:
    out = [path[0]]
    for a, b in zip(path, path[1:], strict=False):
        pieces = max(1, math.ceil(math.dist(a, b) / max(step, 0.25)))
        out += [(a[0] + (b[0] - a[0]) * n / pieces, a[1] + (b[1] - a[1]) * n / pieces) for n in range(1, pieces + 1)]
    return out


def box_of(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns that hold all of a mask; empty slices for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
