"""The value of a grid at one place in the patient."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry


def grid_value(values: npt.NDArray[np.generic], geometry: VolumeGeometry, point_mm: Point3) -> float | None:
    """Trilinear between the centres of the cells of ``[k, j, i]``; None outside, and where a cell beside has no value."""
    at = geometry.to_index(point_mm)
    if any(not -0.5 <= a <= n - 0.5 for a, n in zip(at, values.shape, strict=True)):
        return None
    clamped = [min(max(a, 0.0), n - 1.0) for a, n in zip(at, values.shape, strict=True)]
    low = [min(int(c), max(n - 2, 0)) for c, n in zip(clamped, values.shape, strict=True)]
    found = 0.0
    for corner in range(8):
        index, weight = [], 1.0
        for axis in range(3):
            upper = corner >> axis & 1
            part = clamped[axis] - low[axis]
            weight *= part if upper else 1.0 - part
            index.append(min(low[axis] + upper, values.shape[axis] - 1))
        if weight > 1e-9:
            found += weight * float(values[index[0], index[1], index[2]])
    return found if math.isfinite(found) else None
