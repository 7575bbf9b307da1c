"""Air inside the body: what is not joined to the room's."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.geometry import VolumeGeometry

Mask = npt.NDArray[np.bool_]
_LEAST_MM3 = 1000.0
"""Smaller islands are noise in the lung."""


def enclosed(mask: Mask, geometry: VolumeGeometry) -> Mask:
    """Parts of ``mask`` [k, j, i] of at least 1 ml that do not reach the sides of the volume (neighbours share a face).

    The ends towards head and feet are no sides: the windpipe runs through them.
    """
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    steps = (geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm)
    along = max(range(3), key=lambda a: abs(steps[a][2]) / math.hypot(*steps[a]))
    kept = np.bincount(labels.ravel(), minlength=count + 1) * abs(np.linalg.det(geometry.affine[:3, :3])) >= _LEAST_MM3
    kept[0] = False
    for axis in range(3):
        if axis != along:
            for side in (0, -1):
                kept[np.unique(np.take(labels, side, axis=axis))] = False
    return np.asarray(kept[labels], dtype=np.bool_)
