"""Nodules put into real chest films as physics has it: a ball's path length times an attenuation, added before the detector.

A film's grey value grows with the logarithm of the attenuation, so a path adds a step in proportion to its length. The
balls are squeezed, turned and roughened; sizes 8 to 45 mm (masses 12 to 75 mm) on a chest 350 mm wide.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.chest.field import SIDE

Floats = npt.NDArray[np.float32]

WIDTH_MM = 350.0


def path_of(shape: tuple[int, int], centre: tuple[float, float], radius: float, rng: np.random.Generator) -> Floats:
    """Path length through an uneven ellipsoid in units of its diameter, 0..1; ``centre`` (x, y), ``radius`` in pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle, squeeze = rng.uniform(0, np.pi), rng.uniform(0.7, 1.0)
    u = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    v = (-(x - centre[0]) * np.sin(angle) + (y - centre[1]) * np.cos(angle)) / squeeze
    turn = np.arctan2(v, u)
    edge = 1.0 + sum(rng.normal(0, 0.09 / k) * np.cos(k * turn + rng.uniform(0, 6.3)) for k in range(2, 7))
    inside = 1.0 - (u * u + v * v) / (radius * edge) ** 2
    path = np.sqrt(np.maximum(inside, 0.0)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(path, (0, 0), max(0.6, 0.12 * radius)), np.float32)


def with_nodule(
    grey: Floats, lungs: npt.NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Floats, tuple[float, float, float]]:
    """(film with one nodule, (x, y, radius)) in pixels of ``grey``, a film of 256 pixels along its longer side."""
    places = np.argwhere(cv2.erode(lungs.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    row, column = places[rng.integers(len(places))] if len(places) else (grey.shape[0] // 2, grey.shape[1] // 4)
    diameter_mm = float(np.exp(rng.uniform(np.log(8.0), np.log(45.0))))
    radius = diameter_mm / WIDTH_MM * SIDE / 2
    p10, p90 = np.percentile(grey, [10, 90])
    # Contrast grows with the path: about a fifth of the film's span for 25 mm of soft tissue in aerated lung.
    height = float(p90 - p10) * rng.uniform(0.12, 0.32) * min(1.6, diameter_mm / 25.0 + 0.25)
    path = path_of(grey.shape, (float(column), float(row)), radius, rng)
    return (grey + height * path).astype(np.float32), (float(column), float(row), radius)


def with_mass(
    values: Floats, lungs: npt.NDArray[np.bool_], px_per_mm: float, rng: np.random.Generator
) -> tuple[Floats, tuple[float, float, float]]:
    """(film with one mass, (x, y, radius) in pixels); ``values`` as ``ChestField`` has them, soft or sharp of edge."""
    places = np.argwhere(lungs)
    row, column = (int(v) for v in places[rng.integers(len(places))])
    diameter_mm = float(np.exp(rng.uniform(np.log(12.0), np.log(75.0))))
    radius = max(2.5, diameter_mm * px_per_mm / 2)
    reach = int(radius * 1.7) + 4
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    angle, squeeze = rng.uniform(0, np.pi), rng.uniform(0.6, 1.0)
    u, v = x * np.cos(angle) + y * np.sin(angle), (-x * np.sin(angle) + y * np.cos(angle)) / squeeze
    turn, rough = np.arctan2(v, u), rng.uniform(0.05, 0.16)
    edge = 1.0 + sum(rng.normal(0, rough / k) * np.cos(k * turn + rng.uniform(0, 6.3)) for k in range(2, 9))
    path = np.sqrt(np.maximum(1.0 - (u * u + v * v) / (radius * edge) ** 2, 0.0)) ** rng.uniform(0.7, 1.6)
    path = cv2.GaussianBlur(path.astype(np.float32), (0, 0), max(0.6, rng.uniform(0.06, 0.3) * radius))
    height = rng.uniform(0.15, 0.42) * min(1.7, diameter_mm / 25.0 + 0.3)
    top, left = max(0, row - reach), max(0, column - reach)
    out = values.copy()
    part = out[top : row + reach + 1, left : column + reach + 1]
    within = path[top - row + reach :, left - column + reach :][: part.shape[0], : part.shape[1]]
    # Where the film is dense already, scatter and the film's curve leave less of the added contrast.
    part += (height * within * np.clip(1.1 - 0.35 * part, 0.35, 1.1)).astype(np.float32)
    return out, (float(column), float(row), radius)
