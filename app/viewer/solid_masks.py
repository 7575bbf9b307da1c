"""Surfaces of masks and between values: closed, smoothed by a named filter, with a count of triangles that is told."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.volume import Volume
from app.imaging.airway import airway, enclosed
from app.viewer.mesh import Mesh
from app.viewer.volume_engine import Engine
from app.viewer.volume_parts import part_of
from app.viewer.volume_presets import SurfaceLook

PASSES = 30
"""Of windowed-sinc smoothing (Taubin), ``volume_scene.PASS_BAND``: it takes the steps of voxels away and hardly shrinks."""
MOST_TRIANGLES = 1_000_000
MOST_TRIANGLES_MOVING = 100_000
_MASK_VOXELS, _MASK_VOXELS_MOVING = 24_000_000, 2_000_000
_INSIDE = 254
BLUR_MM = 1.5


@dataclass(frozen=True, eq=False)
class SolidMask:
    """A segment to be shown as a surface in its colour."""

    values: npt.NDArray[np.bool_]
    geometry: VolumeGeometry
    rgb: tuple[int, int, int]
    key: str = field(default_factory=lambda: uuid4().hex[:12])


_meshes: weakref.WeakKeyDictionary[SolidMask, dict[bool, Mesh]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def placed(mesh: Mesh, geometry: VolumeGeometry) -> Mesh:
    """A mesh whose points are (i, j, k) times their spacing, in the patient; turned right side out on left-handed grids."""
    k, j, i = geometry.spacing_mm
    index = mesh.points.astype(np.float64)[:, ::-1] / (k, j, i)
    points = geometry.to_patient_many(index).astype(np.float32)
    flipped = np.linalg.det(geometry.affine[:3, :3][:, ::-1]) < 0
    corners = np.ascontiguousarray(mesh.corners[:, ::-1]) if flipped else mesh.corners
    return Mesh(points, corners, mesh.made)


def _closed(
    engine: Engine,
    values: npt.NDArray[np.generic],
    geometry: VolumeGeometry,
    level: float,
    outside: float,
    moving: bool,
    passes: int,
) -> Mesh:
    """With a layer of ``outside`` around, so that what touches the sides is closed there."""
    padded = np.pad(values, 1, constant_values=outside)
    most = MOST_TRIANGLES_MOVING if moving else MOST_TRIANGLES
    mesh = engine.shape(padded, geometry.spacing_mm, level, passes, most)
    if not len(mesh.corners):
        return mesh
    k, j, i = geometry.spacing_mm
    return placed(Mesh(mesh.points - np.array([i, j, k], np.float32), mesh.corners, mesh.made), geometry)


def value_mesh(engine: Engine, part: Volume, look: SurfaceLook, moving: bool, passes: int = PASSES) -> Mesh:
    """Where the part's values pass the look's bounds. Raises ``viewer.volume.renderer_died``."""
    if look.lowest is not None and look.highest is None and not look.inside_only:
        lowest = float(min(part.voxels.min(), look.lowest - 1))
        return _closed(engine, part.voxels, part.geometry, look.lowest, lowest, moving, passes)
    voxels: npt.NDArray[Any] = _blurred(part) if look.inside_only else part.voxels
    found = airway(voxels, part.geometry) if look.inside_only else None
    if found is not None:
        values = np.where(found[0], np.uint8(_INSIDE), np.uint8(0))
        return _closed(engine, values, part.geometry, _INSIDE / 2, 0, moving, passes).at(found[1])
    there = np.ones(voxels.shape, dtype=np.bool_)
    if look.lowest is not None:
        there &= voxels >= look.lowest
    if look.highest is not None:
        there &= voxels <= look.highest
    if look.inside_only:
        there = enclosed(there, part.geometry)
    values = np.where(there, np.uint8(_INSIDE), np.uint8(0))
    return _closed(engine, values, part.geometry, _INSIDE / 2, 0, moving, passes)


def _blurred(part: Volume) -> npt.NDArray[np.float32]:
    """Slices blurred by ``BLUR_MM``: the noise of lung is not taken for the air of a bronchus."""
    _, j, i = part.geometry.spacing_mm
    return np.stack(
        [
            np.asarray(cv2.GaussianBlur(plane.astype(np.float32), (0, 0), BLUR_MM / i, sigmaY=BLUR_MM / j))
            for plane in part.voxels
        ]
    )


def mask_mesh(engine: Engine, solid: SolidMask, moving: bool, passes: int = PASSES) -> Mesh:
    """A mask's surface, kept as long as the mask is. Raises ``viewer.volume.renderer_died``."""
    with _lock:
        kept = _meshes.setdefault(solid, {})
    if moving not in kept:
        kept[moving] = _mask_mesh(engine, solid, moving, passes)
    return kept[moving]


def _mask_mesh(engine: Engine, solid: SolidMask, moving: bool, passes: int) -> Mesh:
    ends = []
    for axis in range(3):
        at = np.flatnonzero(solid.values.any(axis=tuple(a for a in range(3) if a != axis)))
        if not at.size:
            return Mesh(np.empty((0, 3), np.float32), np.empty((0, 3), np.int32))
        ends.append((int(at[0]), int(at[-1]) + 1))
    box = (ends[0], ends[1], ends[2])
    inner = tuple(slice(a, b) for a, b in box)
    values = np.where(solid.values[inner], np.uint8(_INSIDE), np.uint8(0))
    volume = Volume(values, solid.geometry.cropped(*inner))
    whole = ((0, values.shape[0]), (0, values.shape[1]), (0, values.shape[2]))
    part, _ = part_of(volume, whole, _MASK_VOXELS_MOVING if moving else _MASK_VOXELS)
    return _closed(engine, part.voxels, part.geometry, _INSIDE / 2, 0, moving, passes)
