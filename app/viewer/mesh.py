"""Triangles in the patient: area and volume by numpy alone, whoever made them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Mesh:
    points: npt.NDArray[np.float32]
    """(n, 3) LPS mm, or the units of a file of somebody else."""
    corners: npt.NDArray[np.int32]
    """(m, 3) numbers of points; counter-clockwise from outside."""
    made: int = 0
    """Triangles before they were made fewer for the screen."""
    level: float | None = None
    """The value that it was found to lie at; None where it was told beforehand."""

    @property
    def triangles(self) -> int:
        return len(self.corners)

    @property
    def is_fewer(self) -> bool:
        return self.made > self.triangles

    def at(self, level: float) -> Mesh:
        return replace(self, level=level)

    def area(self) -> float:
        a, b, c = self._sides()
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)

    def volume(self) -> float:
        """What a closed surface holds: signed tetrahedra about its middle; the sign says which way it is turned."""
        a, b, c = self._sides()
        if not len(a):
            return 0.0
        middle = self.points.astype(np.float64).mean(axis=0)
        return float(np.einsum("ij,ij->i", a - middle, np.cross(b - middle, c - middle)).sum() / 6.0)

    def extent(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(low, high) corners of the box around it."""
        points = self.points.astype(np.float64)
        return points.min(axis=0), points.max(axis=0)

    def _sides(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        points = self.points.astype(np.float64)
        return points[self.corners[:, 0]], points[self.corners[:, 1]], points[self.corners[:, 2]]
