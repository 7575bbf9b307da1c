"""Slices of one head as network input: each with its neighbours and its own mirror image across the midline."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.head.frame import COLUMNS, ROWS, Frame

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
CHANNELS = 4
"""Slice, the one before, the one after, difference from the blurred mirror image."""
WINDOW_HU = (0.0, 80.0)


def windowed(hu: npt.NDArray[np.generic]) -> Bytes:
    """Hounsfield units through the brain window (centre 40, width 80) to 0..255, the form of the labelled set."""
    low, high = WINDOW_HU
    scaled = (np.asarray(hu, np.float32) - low) * (255.0 / (high - low))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def on_grid(plane: Bytes, frame: Frame) -> Bytes:
    """A slice on the network's grid ``(ROWS, COLUMNS)``."""
    flags = cv2.INTER_AREA if frame.scale < 0.8 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(plane, frame.matrix(), (COLUMNS, ROWS), flags=flags), np.uint8)


def off_grid(values: Floats, frame: Frame, shape: tuple[int, int]) -> Floats:
    """A map of the network's grid back on a slice of ``shape``."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(values, frame.matrix(), (shape[1], shape[0]), flags=flags), np.float32)


def channels(here: Bytes, before: Bytes, after: Bytes) -> Floats:
    """``(CHANNELS, ROWS, COLUMNS)`` from three slices on the grid."""
    soft = cv2.GaussianBlur(here, (0, 0), 2.0)
    looks = [np.asarray(a, np.float32) for a in (here, before, after)]
    mirror = soft.astype(np.float32) - soft[::-1].astype(np.float32)
    return np.stack([*((a - 100.0) / 60.0 for a in looks), mirror / 40.0]).astype(np.float32)


def neighbours(order: Sequence[float], widest: float) -> list[tuple[int, int]]:
    """Index of the slice before and after each one by its place ``order``; itself where none lies within ``widest``."""
    places = np.asarray(order, np.float64)
    rank = np.argsort(places, kind="stable")
    found = [(0, 0)] * len(places)
    for at, n in enumerate(rank):
        before = rank[at - 1] if at > 0 and places[n] - places[rank[at - 1]] <= widest else n
        after = rank[at + 1] if at + 1 < len(rank) and places[rank[at + 1]] - places[n] <= widest else n
        found[n] = (int(before), int(after))
    return found
