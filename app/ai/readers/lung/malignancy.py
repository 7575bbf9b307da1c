"""How suspicious an outlined nodule looks: the rating that the network expects, its narrowest width, its densest place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

SMOOTH_MM = 0.8
DENSEST_HU = (200.0, 800.0)
"""Below it every nodule is soft tissue or less, above it every one is calcified."""

TRAITS = {"network": 0, "rating": 1}
"""Names of weights, and the network's traits that they weigh: its yes or no (packages of 0.3.0), the readers' rating."""

Mask = npt.NDArray[np.bool_]
Triple = tuple[float, float, float]


def measured_terms(voxels: npt.NDArray[np.generic], mask: Mask, spacing_mm: Triple) -> tuple[float, float]:
    """(log of the narrowest width in mm on the largest slice, densest place in 500 HU).

    ``voxels`` and ``mask`` (k, j, i), not empty. The densest place is averaged over about 2 mm and limited to
    ``DENSEST_HU``: calcium speaks against cancer, and to the network everything above 400 HU is the same.
    """
    k = int(mask.sum((1, 2)).argmax())
    points = np.argwhere(mask[k]) * np.asarray(spacing_mm[1:])
    angle = np.arange(24) * (math.pi / 24)
    width = float(np.ptp(points @ np.stack([np.cos(angle), np.sin(angle)]), 0).min()) + float(np.mean(spacing_mm[1:]))
    within = tuple(slice(max(0, int(a.min()) - 4), int(a.max()) + 5) for a in np.nonzero(mask))
    hu = np.clip(voxels[within].astype(np.float32), -1000, 1500)
    smooth = ndimage.gaussian_filter(hu, [SMOOTH_MM / s for s in spacing_mm])
    return math.log(width), float(np.clip(smooth[mask[within]].max(), *DENSEST_HU)) / 500.0


def malignancy_of(
    voxels: npt.NDArray[np.generic],
    mask: Mask,
    spacing_mm: Triple,
    traits: Sequence[float] | npt.NDArray[np.float32],
    weights: Mapping[str, Any],
) -> float:
    """Log odds that readers would call the nodule malignant, by the package's ``weights``. Arrays (k, j, i) on one box."""
    width, densest = measured_terms(voxels, mask, spacing_mm)
    odds = weights["log_width"] * width + weights["densest"] * densest
    odds += sum(weights[name] * float(traits[at]) for name, at in TRAITS.items() if name in weights)
    return float(odds + weights["bias"])
