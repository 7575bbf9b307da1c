"""The window through which the nodule network looks: a grid around a seed, as wide as the nodule asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

GRID = (24, 48, 48)
HU_LOW, HU_HIGH = -1000.0, 400.0
DISTANCE_UNIT_MM = 20.0
COARSE_FIELD_MM = 44.0
FIELD_LIMITS_MM = (14.0, 66.0)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Window:
    """``coordinates`` (3, z, y, x): fractional array indices of the grid points; ``offsets_mm`` the same from the seed."""

    coordinates: Floats
    offsets_mm: Floats
    matrix: npt.NDArray[np.float64]
    """Turns and stretches: offsets in the array's mm = ``matrix`` @ grid mm."""
    seed: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    field_mm: float


def field_for(diameter_mm: float) -> float:
    """Width of the window in mm for a nodule of this equivalent diameter."""
    return float(np.clip(2.6 * diameter_mm + 4.0, *FIELD_LIMITS_MM))


def make_window(
    seed: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    field_mm: float,
    matrix: npt.NDArray[np.float64] | None = None,
) -> Window:
    """A cube of ``field_mm`` around ``seed`` (array indices), sampled on ``GRID``; ``matrix`` turns it (augmentation)."""
    turn = np.eye(3) if matrix is None else matrix
    axes = [(np.arange(n) - (n - 1) / 2) * (field_mm / n) for n in GRID]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)
    offsets = turn @ grid
    coordinates = offsets / np.asarray(spacing_mm)[:, None] + np.asarray(seed)[:, None]
    return Window(
        coordinates.reshape(3, *GRID).astype(np.float32),
        grid.reshape(3, *GRID).astype(np.float32),
        turn,
        seed,
        spacing_mm,
        field_mm,
    )


def sample(values: npt.NDArray[np.generic], window: Window) -> Floats:
    """Network input ``(3, z, y, x)``. Beyond the array the image is mirrored, so that its border tells nothing."""
    hu = ndimage.map_coordinates(values, window.coordinates, np.float32, order=1, mode="mirror")
    image = (np.clip(hu, HU_LOW, HU_HIGH) - HU_LOW) / (HU_HIGH - HU_LOW) * 2.0 - 1.0
    distance = np.sqrt((window.offsets_mm**2).sum(0)) / DISTANCE_UNIT_MM
    step = window.spacing_mm[0] / (window.field_mm / GRID[0])
    return np.stack([image, distance, np.full(GRID, np.clip(step, 0, 4) / 2.0, np.float32)]).astype(np.float32)


def inside(window: Window, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """True on the grid points that lie in an array of ``shape``."""
    within = np.ones(GRID, bool)
    for axis, n in enumerate(shape):
        within &= (window.coordinates[axis] > -0.6) & (window.coordinates[axis] < n - 0.4)
    return within


def sample_mask(mask: npt.NDArray[np.generic], window: Window) -> tuple[Floats, Floats]:
    """(soft mask, inside) on the grid; beyond the array the mask is mirrored like the image, and ``inside`` is 0."""
    soft = ndimage.map_coordinates(mask.astype(np.float32), window.coordinates, np.float32, order=1, mode="mirror")
    return soft, inside(window, mask.shape).astype(np.float32)


def to_array(grid_values: Floats, window: Window, shape: tuple[int, int, int], fill: float = 0.0) -> Floats:
    """Grid values (z, y, x) read at the voxel centres of an array of ``shape``; ``fill`` outside the window."""
    low, high = support(window, shape)
    out = np.full(shape, fill, np.float32)
    index = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
    points = np.stack([i.ravel() for i in index]).astype(np.float64)
    mm = (points - np.asarray(window.seed)[:, None]) * np.asarray(window.spacing_mm)[:, None]
    grid = np.linalg.inv(window.matrix) @ mm
    steps = np.asarray([window.field_mm / n for n in GRID])[:, None]
    centre = np.asarray([(n - 1) / 2 for n in GRID])[:, None]
    values = ndimage.map_coordinates(grid_values, grid / steps + centre, np.float32, order=1, mode="constant", cval=fill)
    out[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = values.reshape(index[0].shape)
    return out


def support(window: Window, shape: tuple[int, int, int]) -> tuple[list[int], list[int]]:
    """Box of array indices [low, high) that the window covers."""
    flat = window.coordinates.reshape(3, -1)
    low = [int(np.clip(np.floor(flat[a].min()), 0, shape[a] - 1)) for a in range(3)]
    high = [int(np.clip(np.ceil(flat[a].max()) + 1, low[a] + 1, shape[a])) for a in range(3)]
    return low, high
