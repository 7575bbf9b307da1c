"""How a cross-section stands by radiological habit: the reader at the feet or in front, the face to the left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.domain.geometry import PlaneGeometry
from app.viewer.view_state import ViewState, linear_part

SECTIONS = frozenset({"CT", "MR", "PT", "NM"})
_HABIT = {0: ((0, 1, 0), (0, 0, -1)), 1: ((1, 0, 0), (0, 0, -1)), 2: ((1, 0, 0), (0, 1, 0))}
"""Axis of the normal (sagittal, coronal, axial) to the LPS directions (to the right, down the pane)."""
_CLEAR = 0.8
"""A plane further from an axis than this is left as it was acquired."""


def upright(view: ViewState, plane: PlaneGeometry) -> ViewState:
    """``view`` turned by quarters and mirrored so that the slice stands as it is usually looked at.

    Nothing is changed where it stands so already or where the plane is oblique; the letters at the edges say the rest.
    """
    normal = np.abs(np.asarray(plane.normal))
    axis = int(np.argmax(normal))
    if normal[axis] < _CLEAR:
        return view
    right, down = (np.asarray(v, float) for v in _HABIT[axis])
    image = np.stack([np.asarray(plane.row_cosines), np.asarray(plane.column_cosines)], axis=1)

    def fits(candidate: ViewState) -> float:
        # Columns of the inverse are where one step right and one step down the pane lie in the image.
        pane = image @ linear_part(candidate).T
        return float(min(pane[:, 0] @ right, pane[:, 1] @ down))

    # As acquired comes first, turns before mirrors: an equal one never replaces it.
    ways = [replace(view, rotation_deg=r, flip_h=f) for f in (False, True) for r in (0.0, 180.0, 90.0, 270.0)]
    best = max(ways, key=lambda w: round(fits(w), 6))
    return best if fits(best) > 0.7 else view
