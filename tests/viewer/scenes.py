"""Volumes and views with known landmarks for the viewer's tests."""

from __future__ import annotations

import math

import numpy as np

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume

FRAME = "1.2.826.0.1.3680043.10.1"
ORIGIN: Point3 = (-151.25, 38.5, -1210.75)


def geometries() -> dict[str, VolumeGeometry]:
    """Anisotropic, tilted, oblique and flipped grids, far from the origin of patient space."""
    shape = (24, 40, 48)
    tilt = math.radians(18.0)
    a, b = math.radians(25.0), math.radians(-15.0)
    rz = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    rx = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    r = rz @ rx

    def column(n: int, length: float) -> Point3:
        v = r[:, n] * length
        return (float(v[0]), float(v[1]), float(v[2]))

    leaning = (0.0, 0.8 * math.cos(tilt), -0.8 * math.sin(tilt))
    return {
        "anisotropic": VolumeGeometry.axial(shape, (2.5, 0.8, 0.6), ORIGIN, FRAME),
        # Gantry tilt: slices are shifted against each other, the steps are not at right angles.
        "tilted": VolumeGeometry(ORIGIN, (0.0, 0.0, 2.5), leaning, (0.6, 0.0, 0.0), shape, FRAME),
        "oblique": VolumeGeometry(ORIGIN, column(2, 2.5), column(1, 0.8), column(0, 0.6), shape, FRAME),
        "flipped": VolumeGeometry(ORIGIN, (0.0, 0.0, -2.5), (0.0, -0.8, 0.0), (-0.6, 0.0, 0.0), shape, FRAME),
        "coronal": VolumeGeometry(ORIGIN, (0.0, 2.5, 0.0), (0.0, 0.0, -0.8), (0.6, 0.0, 0.0), shape, FRAME),
    }  # fmt: skip


def landmark_volume(geometry: VolumeGeometry, point: Point3, sigma_mm: float = 2.2) -> Volume:
    """A bright Gaussian bump at ``point`` on 0: smooth, so that its centre can be found to a tenth of a pixel."""
    k, j, i = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in geometry.shape), indexing="ij")
    at = geometry.to_patient_many(np.stack([k.ravel(), j.ravel(), i.ravel()], axis=1))
    d2 = ((at - np.asarray(point)) ** 2).sum(axis=1).reshape(geometry.shape)
    return Volume((2000.0 * np.exp(-d2 / (2 * sigma_mm**2))).astype(np.float32), geometry, "HU")


def centroid(pixels: np.ndarray) -> tuple[float, float]:
    """(x, y) in corner coordinates of the weighted centre of a grey picture."""
    weight = pixels.astype(np.float64)
    weight[weight < weight.max() * 0.25] = 0.0
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]] + 0.5
    return float((x * weight).sum() / weight.sum()), float((y * weight).sum() / weight.sum())
