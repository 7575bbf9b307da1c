"""From a seed to the nodule's mask and traits: a coarse look, then looks scaled to the nodule, averaged over mirrors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.ai.reader_api import Networks
from app.ai.readers.lung.window import COARSE_FIELD_MM, GRID, Window, field_for, inside, make_window, sample, to_array

POINTS = GRID[0] * GRID[1] * GRID[2]
Floats = npt.NDArray[np.float32]
Triple = tuple[float, float, float]
Within = Callable[[Floats], npt.NDArray[np.bool_]]
"""Array indices (3, ...) to whether a nodule may lie there."""


@dataclass(frozen=True, eq=False)
class Outline:
    """``probability`` on the grid of ``window``; ``traits`` raw outputs in the order of the network's ``TRAITS``."""

    window: Window
    probability: Floats
    traits: Floats
    diameter_mm: float
    """Of a sphere with the volume of the mask on the window."""


def _logistic(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30, 30))), np.float32)


def connected(probability: Floats, threshold: float, seed: Triple | None = None) -> npt.NDArray[np.bool_]:
    """The part above ``threshold`` that holds ``seed`` (array indices; the middle by default) or comes nearest to it."""
    mask = probability >= threshold
    labels, count = ndimage.label(mask)
    if count <= 1:
        return np.asarray(mask)
    point = np.asarray(seed if seed is not None else [(n - 1) / 2 for n in mask.shape])
    where = np.argwhere(labels > 0)
    scale = np.asarray([1.0 / n for n in mask.shape])
    nearest = where[np.argmin((((where - point) * scale) ** 2).sum(1))]
    return np.asarray(labels == labels[tuple(nearest)])


def _look(
    voxels: npt.NDArray[np.generic],
    seeds: list[Triple],
    spacing_mm: Triple,
    fields_mm: list[float],
    nets: Networks,
    mirrors: int,
    within: Within | None = None,
) -> list[tuple[Window, Floats, Floats]]:
    """(window, probability, traits) of each seed, averaged over ``mirrors`` (1, 2, 4 or 8) mirrored looks."""
    windows = [make_window(s, spacing_mm, f) for s, f in zip(seeds, fields_mm, strict=True)]
    inputs = [sample(voxels, w) for w in windows]
    flips = [(), (3,), (2,), (1,), (2, 3), (1, 3), (1, 2), (1, 2, 3)][:mirrors]
    batch = np.stack([np.flip(x, f) if f else x for x in inputs for f in flips]).astype(np.float32)
    out = nets.run("lung_nodule", np.ascontiguousarray(batch))
    found = []
    for n, window in enumerate(windows):
        rows = out[n * len(flips) : (n + 1) * len(flips)]
        maps = [np.flip(_logistic(r[:POINTS].reshape(GRID)), [a - 1 for a in f]) for r, f in zip(rows, flips, strict=True)]
        # Beyond the array there is only a mirror image: nothing is found there.
        probability = np.mean(maps, 0, dtype=np.float32) * inside(window, voxels.shape)
        if within is not None:
            probability = probability * within(window.coordinates)
        found.append((window, probability.astype(np.float32), rows[:, POINTS:].mean(0)))
    return found


def _measure(window: Window, probability: Floats, threshold: float = 0.5) -> tuple[Triple, float]:
    """(centroid as array indices, equivalent diameter in mm) of the part around the seed."""
    mask = connected(probability, threshold)
    if not mask.any():
        return window.seed, 4.0
    cell = np.prod([window.field_mm / n for n in GRID])
    diameter = float((6 * float(mask.sum()) * cell / np.pi) ** (1 / 3))
    centre = [float((window.coordinates[a] * mask).sum() / mask.sum()) for a in range(3)]
    return (centre[0], centre[1], centre[2]), diameter


def outline(
    voxels: npt.NDArray[np.generic],
    seeds: list[Triple],
    spacing_mm: Triple,
    nets: Networks,
    mirrors: int = 4,
    first_field_mm: list[float] | None = None,
    threshold: float = 0.5,
    within: Within | None = None,
) -> list[Outline]:
    """Outlines of nodules seeded at array indices (k, j, i). The seed may be off by some millimetres.

    The first look is 44 mm wide (or ``first_field_mm``); what it finds sets the width and the middle of the next two.
    """
    if not seeds:
        return []
    fields = first_field_mm or [COARSE_FIELD_MM] * len(seeds)
    first = _look(voxels, seeds, spacing_mm, fields, nets, 1, within)
    middle, results = [], []
    for seed, (window, probability, _) in zip(seeds, first, strict=True):
        centre, diameter = _measure(window, probability, threshold)
        # Half-way to the centroid, never far from the seed: a wrong first look must not lead the next astray.
        shift = (np.asarray(centre) - seed) * np.asarray(spacing_mm)
        length = float(np.linalg.norm(shift))
        limit = max(4.0, 0.35 * diameter)
        shift = shift * min(1.0, limit / max(length, 1e-6))
        place = np.asarray(seed) + shift / np.asarray(spacing_mm)
        middle.append(((float(place[0]), float(place[1]), float(place[2])), field_for(diameter)))
    second = _look(voxels, [m[0] for m in middle], spacing_mm, [m[1] for m in middle], nets, 1, within)
    last = []
    for window, probability, _ in second:
        centre, diameter = _measure(window, probability, threshold)
        last.append(
            (
                centre if np.linalg.norm((np.asarray(centre) - window.seed) * spacing_mm) < 6 else window.seed,
                field_for(diameter),
            )
        )
    for window, probability, traits in _look(voxels, [s for s, _ in last], spacing_mm, [f for _, f in last], nets, mirrors):
        _, diameter = _measure(window, probability, threshold)
        results.append(Outline(window, probability, traits, diameter))
    return results


def mask_of(found: Outline, shape: tuple[int, int, int], threshold: float = 0.5) -> npt.NDArray[np.bool_]:
    """The outline on an array of ``shape``; at least the voxel nearest to the seed."""
    probability = to_array(found.probability, found.window, shape)
    mask = connected(probability, threshold, found.window.seed)
    if not mask.any():
        index = tuple(int(np.clip(round(s), 0, n - 1)) for s, n in zip(found.window.seed, shape, strict=True))
        mask = np.zeros(shape, bool)
        mask[index] = True
    return mask
