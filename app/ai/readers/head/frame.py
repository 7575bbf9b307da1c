"""Where the head lies on its slices: centre and direction of the midline, found from the bone and from symmetry.

Slices are 8-bit looks through the brain window (0..80 HU), of any orientation. The frame holds for all slices of a scan,
so that neighbours stay neighbours. Which end is the front is not known and not asked: the network is trained on both.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
ROWS, COLUMNS = 192, 224
"""The network's grid: the midline runs along the columns."""
GRID_MM = 0.96
"""Width of a grid pixel in the patient, where the spacing is known; the labelled set has about this."""
_BONE = 250
_SMALL = 64


@dataclass(frozen=True)
class Frame:
    """Centre (x, y; pixel centres at whole numbers), angle of the midline (degrees), grid pixels per image pixel."""

    x: float
    y: float
    angle_deg: float
    scale: float = 1.0

    def matrix(self, rows: int = ROWS, columns: int = COLUMNS) -> npt.NDArray[np.float64]:
        """2 x 3, from image pixels to the grid."""
        turn = np.deg2rad(self.angle_deg)
        c, s = np.cos(turn) * self.scale, np.sin(turn) * self.scale
        m = np.array([[c, s], [-s, c]])
        shift = np.array([(columns - 1) / 2, (rows - 1) / 2]) - m @ np.array([self.x, self.y])
        return np.concatenate([m, shift[:, None]], 1)


def head_outline(plane: Bytes) -> Bytes | None:
    """The filled hull of the largest bony ring, as 0 or 1; None when there is no bone."""
    bone = cv2.morphologyEx((plane >= _BONE).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    parts, _ = cv2.findContours(bone, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not parts:
        return None
    largest = max(parts, key=cv2.contourArea)
    filled = np.zeros(plane.shape, np.uint8)
    cv2.drawContours(filled, [cv2.convexHull(largest)], -1, 1, -1)
    return filled


def frame_of(planes: Bytes, scale: float = 1.0) -> Frame:
    """The frame of one scan ``(k, rows, columns)``. Without bone: the middle of the image, angle 0."""
    rows, columns = planes.shape[1:]
    total = np.zeros((rows, columns), np.float32)
    areas = np.zeros(len(planes))
    for n, plane in enumerate(planes):
        filled = head_outline(plane)
        if filled is not None:
            areas[n] = float(filled.sum())
            if areas[n] * scale**2 > 5000:
                total += filled
    if total.max() == 0:
        return Frame((columns - 1) / 2, (rows - 1) / 2, 0.0, scale)
    y, x = np.nonzero(total > 0.5 * total.max())
    # The widest slices tell the midline best; near the vertex and the base the outline is round or open.
    widest = np.argsort(-areas)[: max(1, min(12, len(planes)))]
    return _by_symmetry(planes[np.sort(widest)], Frame(float(x.mean()), float(y.mean()), 0.0, scale))


def _by_symmetry(planes: Bytes, start: Frame) -> Frame:
    shrink = _SMALL / COLUMNS
    small = Frame(start.x, start.y, 0.0, start.scale * shrink)

    def cost(frame: Frame, shift: float = 0.0) -> float:
        matrix = frame.matrix(_SMALL, _SMALL)
        matrix[1, 2] += shift
        looks = [cv2.warpAffine(p, matrix, (_SMALL, _SMALL), flags=cv2.INTER_AREA) for p in blurred]
        return float(np.mean([cv2.absdiff(a, cv2.flip(a, 0)).mean() for a in looks]))

    blur = 1.0 / (small.scale * 1.2)
    blurred = [cv2.GaussianBlur(p, (0, 0), blur) for p in planes]
    outline = np.asarray([cost(Frame(small.x, small.y, a, small.scale)) for a in range(-90, 90, 6)])
    best = float(-90 + 6 * int(outline.argmin()))
    shift = 0.0
    for step_deg, step in ((3.0, 1.0), (1.5, 0.5)):
        trials = [(best + i * step_deg, shift + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        costs = [cost(Frame(small.x, small.y, a, small.scale), s) for a, s in trials]
        best, shift = trials[int(np.argmin(costs))]
    # ``shift`` moves the look across the midline; carried back to image pixels.
    turn = np.deg2rad(best)
    across = shift / small.scale
    angle = (best + 90.0) % 180.0 - 90.0
    return Frame(start.x + np.sin(turn) * across, start.y - np.cos(turn) * across, angle, start.scale)
