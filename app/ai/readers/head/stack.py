"""From a volume in Hounsfield units to slices of the network's form, and from maps on the grid back to the volume.

Thin slices are averaged to slabs of about 5 mm, as the labelled set has them; in the plane they are brought to the
grid's pixel size. ``Stack`` keeps how, so that what is found can be put back.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.head.frame import GRID_MM, Frame, frame_of
from app.ai.readers.head.planes import Bytes, Floats, neighbours, off_grid, windowed
from app.ai.readers.lung.canonical import Turned
from app.domain.geometry import Point3, VolumeGeometry

SLAB_MM = 5.0
WIDEST_GAP_MM = 9.0


@dataclass(frozen=True, eq=False)
class Stack:
    """``hu`` and ``planes`` are (slabs, rows, columns) at ``GRID_MM``; ``count`` source slices make one slab."""

    hu: npt.NDArray[np.float32]
    planes: Bytes
    frame: Frame
    around: tuple[tuple[int, int], ...]
    count: int
    geometry: VolumeGeometry
    shrink: tuple[float, float]
    """Working pixels per source pixel (rows, columns)."""

    @property
    def voxel_mm3(self) -> float:
        return float(np.prod(self.geometry.spacing_mm))

    def back(self, grid_maps: Floats) -> Floats:
        """Maps on the network's grid as maps on the slabs."""
        shape = (self.planes.shape[1], self.planes.shape[2])
        return np.stack([off_grid(m, self.frame, shape) for m in grid_maps])


def stack_of(turned: Turned) -> Stack:
    """``turned`` has k to the head, j to the back, i to the left."""
    spacing = turned.geometry.spacing_mm
    count = max(1, round(SLAB_MM / spacing[0]))
    slabs = -(-turned.voxels.shape[0] // count)
    rows, columns = turned.voxels.shape[1:]
    size = (max(8, round(columns * spacing[2] / GRID_MM)), max(8, round(rows * spacing[1] / GRID_MM)))
    shrinks = size[0] < columns
    hu = np.empty((slabs, size[1], size[0]), np.float32)
    for n in range(slabs):
        part = np.asarray(turned.voxels[n * count : (n + 1) * count], np.float32)
        mean = part[0] if len(part) == 1 else part.mean(0)
        hu[n] = cv2.resize(np.ascontiguousarray(mean), size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    planes = windowed(hu)
    frame = frame_of(planes)
    places = [n * count * spacing[0] for n in range(slabs)]
    shrink = (size[1] / rows, size[0] / columns)
    return Stack(
        hu,
        planes,
        frame,
        tuple(neighbours(places, WIDEST_GAP_MM)),
        count,
        _grid(turned.geometry, count, shrink, hu.shape),
        shrink,
    )


def _grid(source: VolumeGeometry, count: int, shrink: tuple[float, float], shape: tuple[int, ...]) -> VolumeGeometry:
    """The slabs' own geometry: centres of slabs and of working pixels."""
    origin = source.to_patient(((count - 1) / 2, 0.5 / shrink[0] - 0.5, 0.5 / shrink[1] - 0.5))

    def scaled(step: Point3, by: float) -> Point3:
        return (step[0] * by, step[1] * by, step[2] * by)

    return VolumeGeometry(
        origin,
        scaled(source.k_step_mm, count),
        scaled(source.j_step_mm, 1 / shrink[0]),
        scaled(source.i_step_mm, 1 / shrink[1]),
        (shape[0], shape[1], shape[2]),
        source.frame_of_reference_uid,
    )


def to_source(
    mask: npt.NDArray[np.bool_], low: tuple[int, int, int], stack: Stack, source: tuple[int, int, int]
) -> tuple[npt.NDArray[np.bool_], tuple[int, int, int]]:
    """A block of the slabs' grid that starts at ``low`` as a block of the turned source grid, and where it starts there."""
    start = [low[0] * stack.count, int(low[1] / stack.shrink[0]), int(low[2] / stack.shrink[1])]
    stop = [
        min(source[0], (low[0] + mask.shape[0]) * stack.count),
        min(source[1], int(np.ceil((low[1] + mask.shape[1]) / stack.shrink[0])) + 1),
        min(source[2], int(np.ceil((low[2] + mask.shape[2]) / stack.shrink[1])) + 1),
    ]
    k = np.arange(start[0], stop[0]) // stack.count - low[0]
    j = np.floor((np.arange(start[1], stop[1]) + 0.5) * stack.shrink[0]).astype(int) - low[1]
    i = np.floor((np.arange(start[2], stop[2]) + 0.5) * stack.shrink[1]).astype(int) - low[2]
    inside = [(a >= 0) & (a < n) for a, n in zip((k, j, i), mask.shape, strict=True)]
    block = mask[np.ix_(*(np.clip(a, 0, n - 1) for a, n in zip((k, j, i), mask.shape, strict=True)))]
    block = block & inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]
    return np.asarray(block, bool), (start[0], start[1], start[2])
