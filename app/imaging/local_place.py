"""Where the surroundings of a place went after a rigid registration: the lung breathes between bones that keep still.

The block around the place is looked for near where the registration puts it, by normalised correlation: vessels and bronchi
hold it. What lies at the place itself may have grown, come or gone; it is a small part of the block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from app.domain.geometry import Point3
from app.domain.volume import Volume
from app.imaging.registration import RigidTransform

LEAST_ALIKE = 0.5
"""A block that is less like the one found stays where the rigid registration has it."""
_HALF_MM, _REACH_MM, _STEP_MM = 26.0, 18.0, 2.0
_PER_MM = 0.004
"""What a millimetre of shift has to gain: of two alike the nearer is meant."""
_LOW_HU, _HIGH_HU = -1000.0, 100.0

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LocalPlace:
    """``place_mm`` in the moving space, ``shift_mm`` from where the registration alone puts it, ``alike`` -1 to 1."""

    place_mm: Point3
    shift_mm: float
    alike: float


def local_place(fixed: Volume, moving: Volume, transform: RigidTransform, point_mm: Point3) -> LocalPlace:
    """Hounsfield volumes of lungs. The rigid place itself, with ``alike`` 0, where nothing holds the block."""
    rigid = transform.apply(point_mm)
    nothing = LocalPlace(rigid, 0.0, 0.0)
    near, far = round(_HALF_MM / _STEP_MM), round((_HALF_MM + _REACH_MM) / _STEP_MM)
    block = _sampled(fixed, point_mm, np.eye(3), near)
    around = _sampled(moving, rigid, transform.rotation, far)
    alike = _correlations(around, block)
    if alike is None:
        return nothing
    reach = far - near
    axis = np.arange(-reach, reach + 1) * _STEP_MM
    away = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    worth = np.where(away <= _REACH_MM + 0.01, alike - _PER_MM * away, -2.0)
    at = np.unravel_index(int(worth.argmax()), worth.shape)
    peak = float(alike[at])
    if peak < LEAST_ALIKE:
        return nothing
    shift = transform.rotation @ np.array([axis[at[2]], axis[at[1]], axis[at[0]]])
    place = np.asarray(rigid) + shift
    return LocalPlace((float(place[0]), float(place[1]), float(place[2])), float(np.linalg.norm(shift)), peak)


def _sampled(volume: Volume, middle: Point3, axes: npt.NDArray[np.float64], half: int) -> Floats:
    """(2 half + 1) cubed around ``middle`` along ``axes`` (columns x, y, z), each the mean of eight; [z, y, x]."""
    n = 2 * (2 * half + 1)
    line = (np.arange(n) - (n - 1) / 2) * (_STEP_MM / 2.0)
    z, y, x = np.meshgrid(line, line, line, indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1) @ axes.T + np.asarray(middle)
    index = volume.geometry.to_index_many(points)
    values = ndimage.map_coordinates(volume.voxels, index.T, np.float32, order=1, cval=_LOW_HU)
    edge = n // 2
    cells = np.clip(values, _LOW_HU, _HIGH_HU).reshape(edge, 2, edge, 2, edge, 2)
    return np.asarray(cells.mean(axis=(1, 3, 5)), np.float32)


def _correlations(around: Floats, block: Floats) -> Floats | None:
    """Pearson's of the block with every part of ``around`` of its size; None where the block is flat."""
    flat = block - block.mean()
    power = float(np.sqrt((flat.astype(np.float64) ** 2).sum()))
    if power < 1e-3 * flat.size:
        return None
    products = signal.fftconvolve(around - around.mean(), flat[::-1, ::-1, ::-1], mode="valid")
    box = np.ones(block.shape, np.float32)
    values = (around - around.mean()).astype(np.float64)
    sums = signal.fftconvolve(values, box, mode="valid")
    squares = signal.fftconvolve(values**2, box, mode="valid")
    spread = np.sqrt(np.maximum(squares - sums**2 / block.size, (1e-3 * flat.size) ** 2))
    return np.asarray(products / (spread * power), np.float32)
