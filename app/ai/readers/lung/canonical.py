"""The volume turned so that k goes to the head, j to the back and i to the left, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Turned:
    """``voxels`` is a view of the source, its axes ``order`` of the source's, flipped where ``flip``."""

    voxels: Array
    geometry: VolumeGeometry
    order: tuple[int, int, int]
    flip: tuple[bool, bool, bool]
    source: VolumeGeometry

    def back(self, values: Array, low: tuple[int, int, int]) -> tuple[Array, tuple[int, int, int]]:
        """A block that starts at ``low`` of the turned grid as a block of the source grid and where it starts there."""
        start = [0, 0, 0]
        for axis, source_axis in enumerate(self.order):
            n, size = self.geometry.shape[axis], values.shape[axis]
            start[source_axis] = n - low[axis] - size if self.flip[axis] else low[axis]
        for axis in range(3):
            if self.flip[axis]:
                values = np.flip(values, axis)
        inverse = [self.order.index(a) for a in range(3)]
        return np.ascontiguousarray(np.transpose(values, inverse)), (start[0], start[1], start[2])


def turn(voxels: Array, geometry: VolumeGeometry) -> Turned:
    """Axes are matched to head, back and left by the largest share; small obliqueness stays as it is."""
    steps = np.stack([np.asarray(s) for s in (geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm)])
    unit = np.abs(steps / np.linalg.norm(steps, axis=1, keepdims=True))
    wanted = (2, 1, 0)  # patient component of each turned axis: z, y, x
    order: list[int] = []
    for component in wanted:
        free = [a for a in range(3) if a not in order]
        order.append(max(free, key=lambda a: unit[a, component]))
    flip = tuple(bool(steps[order[axis], wanted[axis]] < 0) for axis in range(3))
    turned = np.transpose(voxels, order)
    origin = np.asarray(geometry.origin_mm, np.float64)
    new_steps: list[Point3] = []
    for axis in range(3):
        step = steps[order[axis]].astype(np.float64)
        if flip[axis]:
            turned = np.flip(turned, axis)
            origin = origin + step * (geometry.shape[order[axis]] - 1)
            step = -step
        new_steps.append((float(step[0]), float(step[1]), float(step[2])))
    grid = VolumeGeometry(
        (float(origin[0]), float(origin[1]), float(origin[2])),
        new_steps[0],
        new_steps[1],
        new_steps[2],
        (turned.shape[0], turned.shape[1], turned.shape[2]),
        geometry.frame_of_reference_uid,
    )
    return Turned(turned, grid, (order[0], order[1], order[2]), (flip[0], flip[1], flip[2]), geometry)
