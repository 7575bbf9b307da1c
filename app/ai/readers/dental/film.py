"""A panoramic film as the network sees it: the exposed part, brought to one size, evened in contrast."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

ROWS, COLUMNS = 320, 480
"""Pixels of the network's input. Jaws are wider than high, so teeth are not stretched much."""
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Content:
    """The part of a film that shows something: columns x0..x1 and rows y0..y1 (corner origin, pixels of the film)."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def scale(self) -> tuple[float, float]:
        """Network pixels per film pixel (x, y)."""
        return COLUMNS / max(self.x1 - self.x0, 1.0), ROWS / max(self.y1 - self.y0, 1.0)

    def to_film(self, x: float, y: float) -> tuple[float, float]:
        sx, sy = self.scale
        return x / sx + self.x0, y / sy + self.y0


def blank_area(values: Floats, valid: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    """True where the film was masked away: a flat area of the lowest or highest value that touches a corner."""
    low, high = float(values.min()), float(values.max())
    span = max(high - low, 1e-6)
    blank = np.zeros(values.shape, bool) if valid is None else ~valid
    for end in (low, high):
        near = (np.abs(values - end) <= 0.035 * span).astype(np.uint8)
        near = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
        _, parts = cv2.connectedComponents(near, connectivity=4)
        corners = {int(parts[r, c]) for r in (1, -2) for c in (1, -2)} - {0}
        for name in corners:
            part = parts == name
            if part.mean() > 0.02:
                # Compression leaves a ragged rim of false values along the mask.
                blank |= cv2.dilate(part.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    return blank


def content_of(blank: npt.NDArray[np.bool_]) -> Content:
    """The box around what is not blank; the whole film when nothing or almost everything is blank."""
    rows, columns = blank.shape
    shown = ~blank
    by_row, by_column = np.nonzero(shown.mean(1) > 0.02)[0], np.nonzero(shown.mean(0) > 0.02)[0]
    if not len(by_row) or not len(by_column) or shown.mean() < 0.05:
        return Content(0.0, 0.0, float(columns), float(rows))
    return Content(float(by_column[0]), float(by_row[0]), float(by_column[-1] + 1), float(by_row[-1] + 1))


def evened(values: Floats, blank: npt.NDArray[np.bool_]) -> Floats:
    """Values between the 1st and 99th percentile of what is shown to 0..1; masked places 0."""
    shown = values[~blank]
    if shown.size == 0:
        shown = values.ravel()
    low, high = np.percentile(shown, [1.0, 99.0])
    out = np.clip((values - low) / max(float(high - low), 1e-6), 0.0, 1.0).astype(np.float32)
    out[blank] = 0.0
    return out


def prepared(values: Floats, valid: npt.NDArray[np.bool_] | None = None) -> tuple[Floats, Content]:
    """(rows, columns) with dense tissue bright to ``(ROWS, COLUMNS)`` in 0..1, and where it lies on the film."""
    values = np.asarray(values, np.float32)
    blank = blank_area(values, valid)
    content = content_of(blank)
    part = (slice(int(content.y0), int(content.y1)), slice(int(content.x0), int(content.x1)))
    even = evened(values[part], blank[part])
    shrinks = even.shape[0] > ROWS or even.shape[1] > COLUMNS
    picture = cv2.resize(even, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return picture.astype(np.float32), content
