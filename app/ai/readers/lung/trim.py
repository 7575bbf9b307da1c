"""Takes a vessel or a piece of wall off an outline that ran on into it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Triple = tuple[float, float, float]
NEAR_MM = 4.0
"""The nodule's core lies within this of the place that was found."""
NECK = 0.6
"""A part that hangs on by a neck thinner than this share of the core's radius is no part of the nodule."""
REACH = 2.0
"""A nodule goes on for at most so many radii of its core from the core's middle (it is at most twice as long as wide)."""
SLACK_MM = 1.0
LITTLE = 0.85
"""Where this share of the outline would stay, nothing is cut: an opening always takes some of the rim."""


def without_tail(mask: npt.NDArray[np.bool_], place: Triple, spacing_mm: Triple) -> npt.NDArray[np.bool_]:
    """The part of ``mask`` (k, j, i) around ``place`` (array indices) that a nodule can be.

    The core is the largest ball in the mask near ``place``. What an opening by ``NECK`` of its radius cuts off goes, and
    what lies farther than ``REACH`` radii: the outline network follows a vessel that touches the nodule. Spicules go with
    it, as they do when a nodule is measured by hand (Fleischner 2017: the diameter leaves them out).
    """
    if not mask.any():
        return mask
    # Slices are thicker than pixels are wide: on the slices alone a ball of 5 mm has no inside.
    fine = max(1, round(spacing_mm[0] / min(spacing_mm[1], spacing_mm[2])))
    index_k = (np.arange((mask.shape[0] + 2) * fine) + 0.5) / fine - 1.5
    solid = _between_slices(mask, index_k)
    step = np.asarray([spacing_mm[0] / fine, spacing_mm[1], spacing_mm[2]])
    depth = ndimage.distance_transform_edt(solid, step)
    inside = np.argwhere(solid)
    target = np.asarray([(place[0] + 1.5) * fine - 0.5, place[1] + 1, place[2] + 1])
    gap = np.linalg.norm((inside - target) * step, axis=1)
    near = inside[gap <= max(NEAR_MM, float(gap.min()) + 0.5)]
    core = near[int(np.argmax(depth[tuple(near.T)]))]
    radius = float(depth[tuple(core)])
    labels, _ = ndimage.label(depth >= NECK * radius)
    around = ndimage.distance_transform_edt(labels != labels[tuple(core)], step)
    axes = np.ogrid[tuple(slice(0, n) for n in solid.shape)]
    far = np.sqrt(sum(((a - c) * s) ** 2 for a, c, s in zip(axes, core, step, strict=True)))
    kept = solid & (around <= NECK * radius + 0.5 * float(step.min())) & (far <= REACH * radius + SLACK_MM)
    parts, _ = ndimage.label(kept)
    kept = parts == parts[tuple(core)]
    # A slice of the mask stays where at least half of its thickness was kept.
    share = kept.reshape(mask.shape[0] + 2, fine, *kept.shape[1:]).mean(1)
    cut = np.asarray(share[1:-1, 1:-1, 1:-1] >= 0.5) & mask
    return cut if 0 < int(cut.sum()) < LITTLE * int(mask.sum()) else mask


def _between_slices(mask: npt.NDArray[np.bool_], index_k: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """``mask`` with a rim of nothing, interpolated at ``index_k`` (0 is the first slice)."""
    padded = np.pad(mask, 1).astype(np.float32)
    position = np.clip(index_k + 1, 0, padded.shape[0] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, padded.shape[0] - 1)
    share = (position - low).astype(np.float32)[:, None, None]
    return np.asarray(padded[low] * (1 - share) + padded[high] * share >= 0.5)
