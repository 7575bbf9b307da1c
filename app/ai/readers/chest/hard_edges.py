"""Places with edges that no shadow of the body has: ports, electrodes, clips, letters."""

from __future__ import annotations

import numpy as np

from app.ai.readers.film.places import Floats, PlaceMark

REACH_PX = 7
"""Of the field, whose longer side has 256: about a centimetre and a half on a chest."""
STEEPEST = 97.0
"""Percentile of the steepness around a mark: one dot or one crossing edge is not enough."""


def steepness(values: Floats, mark: PlaceMark) -> float:
    """Grey levels of the field per pixel (its unit is the spread of the film) along the steepest edges around a mark.

    ``values`` (rows, columns); beyond the border it is taken to go on as it is there.
    """
    y, x = round(mark.y), round(mark.x)
    around = REACH_PX + 2
    patch = np.pad(values, around, mode="edge")[y : y + 2 * around + 1, x : x + 2 * around + 1]
    down, across = np.gradient(patch)
    rows, columns = np.mgrid[-around : around + 1, -around : around + 1]
    return float(np.percentile(np.hypot(down, across)[np.hypot(rows, columns) <= REACH_PX], STEEPEST))
