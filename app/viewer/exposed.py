"""Which part of a film was exposed: everything outside one even frame of border."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
_LEAST = 0.2
"""Of rows and of columns: less is no exposed field but a mistake of ours."""


def exposed_box(values: npt.NDArray[np.generic]) -> Box | None:
    """(x0, y0, x1, y1) in image px of what differs from the border; None when there is no even border.

    ``values`` (rows, columns). The border is one value, exactly: a film that is dark at its edges has none.
    """
    if values.ndim != 2 or min(values.shape) < 8:
        return None
    corners = {values[0, 0].item(), values[0, -1].item(), values[-1, 0].item(), values[-1, -1].item()}
    sides: list[tuple[int, int]] = []
    for border in corners:
        differs = values != border
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if rows.size and columns.size:
            sides = [(int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)]
            if sides != [(0, values.shape[0]), (0, values.shape[1])]:
                break
    if not sides:
        return None
    (y0, y1), (x0, x1) = sides
    if (y1 - y0, x1 - x0) == values.shape or y1 - y0 < _LEAST * values.shape[0] or x1 - x0 < _LEAST * values.shape[1]:
        return None
    return (float(x0), float(y0), float(x1), float(y1))
