"""Real nodules put into other scans, so that neither scanner nor place tells a nodule from what is none.

A cut is resampled to the target's grid, its lung level is moved to the target's, and it is faded in around its mask. The
same is done with pieces that hold no nodule, so that the fading itself is no sign either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.ai.training.lidc import Nodule

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Placed:
    """A nodule as it lies in the target: array indices and the diameter of a ball of its volume."""

    kji: Triple
    diameter_mm: float
    kind: str
    source: str


def paste(
    voxels: npt.NDArray[np.int16],
    spacing_mm: Triple,
    centre_kji: Triple,
    cut: npt.NDArray[np.generic],
    mask: npt.NDArray[np.bool_],
    cut_spacing_mm: Triple,
    rng: np.random.Generator,
    lung_hu: float = -860.0,
    fade_mm: float = 1.8,
) -> npt.NDArray[np.bool_] | None:
    """Fades ``cut`` (around ``mask``'s centroid) into ``voxels`` in place; the pasted mask, None if outside.

    Mirrored at random along each axis and turned by quarter turns in the plane.
    """
    cut, mask = np.asarray(cut, np.float32), np.asarray(mask, bool)
    turns = int(rng.integers(4))
    cut, mask = np.rot90(cut, turns, (1, 2)), np.rot90(mask, turns, (1, 2))
    for axis in range(3):
        if rng.random() < 0.5:
            cut, mask = np.flip(cut, axis), np.flip(mask, axis)
    centre = np.asarray([float(a.mean()) for a in np.nonzero(mask)])
    reach = [float(np.abs(np.nonzero(mask)[a] - centre[a]).max() + 1) * cut_spacing_mm[a] + 2 * fade_mm for a in range(3)]
    low = [int(np.floor(centre_kji[a] - reach[a] / spacing_mm[a])) for a in range(3)]
    high = [int(np.ceil(centre_kji[a] + reach[a] / spacing_mm[a])) + 1 for a in range(3)]
    if min(low) < 0 or any(h > n for h, n in zip(high, voxels.shape, strict=True)):
        return None
    axes = [
        (np.arange(lo, hi) - centre_kji[a]) * spacing_mm[a] / cut_spacing_mm[a] + centre[a]
        for a, (lo, hi) in enumerate(zip(low, high, strict=True))
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"))
    inside = ndimage.map_coordinates(mask.astype(np.float32), points, order=1, mode="constant", prefilter=False) > 0.5
    if not inside.any():
        return None
    far = ndimage.distance_transform_edt(~inside, spacing_mm)
    alpha = np.clip(1.25 - far / fade_mm, 0, 1).astype(np.float32)
    image = ndimage.map_coordinates(cut, points, order=1, mode="nearest", prefilter=False)
    box = tuple(slice(lo, hi) for lo, hi in zip(low, high, strict=True))
    there = voxels[box].astype(np.float32)
    # The chest wall stays: around the mask only lung is faded over, so that no hole is torn into it.
    alpha = np.where(inside | (ndimage.maximum_filter(there, 3) < -200), alpha, 0).astype(np.float32)
    around = cut[ndimage.binary_dilation(mask, iterations=2) & ~mask & (cut < -600)]
    ground = there[there < -600]
    shift = float(np.median(ground) if len(ground) > 20 else lung_hu) - (
        float(np.median(around)) if len(around) > 20 else lung_hu
    )
    # Only what is lung-like is moved: solid tissue keeps its HU.
    image = image + shift * np.clip((-300 - image) / 400, 0, 1)
    mixed = there * (1 - alpha) + image * alpha
    mixed = np.where(there > -200, np.maximum(mixed, there), mixed)
    voxels[box] = np.clip(np.rint(mixed), -1024, 3071).astype(np.int16)
    return np.asarray(inside)


def paste_nodule(
    voxels: npt.NDArray[np.int16], spacing_mm: Triple, centre_kji: Triple, nodule: Nodule, rng: np.random.Generator
) -> Placed | None:
    inside = paste(voxels, spacing_mm, centre_kji, nodule.hu, nodule.mask, nodule.spacing_mm, rng)
    if inside is None:
        return None
    volume = float(inside.sum() * np.prod(spacing_mm))
    texture = nodule.ratings[5]
    kind = "solid" if np.isnan(texture) or texture >= 4 else "part_solid" if texture >= 2 else "ground_glass"
    return Placed(centre_kji, float((6 * volume / np.pi) ** (1 / 3)), kind, nodule.file)


def paste_piece(
    voxels: npt.NDArray[np.int16],
    spacing_mm: Triple,
    centre_kji: Triple,
    source: npt.NDArray[np.int16],
    source_spacing_mm: Triple,
    source_kji: Triple,
    shape_of: Nodule,
    rng: np.random.Generator,
) -> bool:
    """A piece of another scan without a nodule, cut out in the shape of a nodule's mask and faded in the same way."""
    mask, spacing = shape_of.mask, shape_of.spacing_mm
    centre = shape_of.centroid
    axes = [(np.arange(n) - centre[a]) * spacing[a] / source_spacing_mm[a] + source_kji[a] for a, n in enumerate(mask.shape)]
    low = [int(np.floor(a[0])) for a in axes]
    high = [int(np.ceil(a[-1])) + 2 for a in axes]
    if min(low) < 0 or any(h > n for h, n in zip(high, source.shape, strict=True)):
        return False
    block = source[tuple(slice(lo, hi) for lo, hi in zip(low, high, strict=True))].astype(np.float32)
    points = np.stack(np.meshgrid(*(a - lo for a, lo in zip(axes, low, strict=True)), indexing="ij"))
    cut = ndimage.map_coordinates(block, points, order=1, mode="nearest", prefilter=False)
    return paste(voxels, spacing_mm, centre_kji, cut, mask, spacing, rng) is not None
