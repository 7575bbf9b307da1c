"""The two cubes around each candidate that the candidate network sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.ai.readers.lung.grid import Triple, cube

CUBE = 32
STEPS_MM = (0.8, 2.0)
HU_LOW, HU_HIGH = -1000.0, 400.0


def scaled(hu: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray((np.clip(hu, HU_LOW, HU_HIGH) - HU_LOW) * (2.0 / (HU_HIGH - HU_LOW)) - 1.0, np.float32)


def cubes(
    voxels: npt.NDArray[np.generic], spacing_mm: Triple, kji: npt.NDArray[np.float64], points: int = CUBE
) -> npt.NDArray[np.float32]:
    """(n, 2, points, points, points) float32 in -1..1 around array indices ``kji`` (n, 3)."""
    out = np.empty((len(kji), 2, points, points, points), np.float32)
    for n, (k, j, i) in enumerate(np.asarray(kji, np.float64).tolist()):
        for channel, step in enumerate(STEPS_MM):
            out[n, channel] = scaled(cube(voxels, spacing_mm, (k, j, i), step, points))
    return out
