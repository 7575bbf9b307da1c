"""Marks that stand out against the other breast more than in their own: told beside the mark, counted in no score.

The place's brightness less that of the same place of the other breast (``maps.paired_maps``) is set beside all places of
the view: z is in robust standard deviations from their median, of at least a quarter of the breast's own. It is a difference
of two pictures at one place. Whether tissue is asymmetric is for a person to say.
"""

from __future__ import annotations

import numpy as np

from app.ai.readers.film.places import Floats, PlaceMark
from app.ai.readers.mammogram.maps import NAMES, OTHER_SIGMAS
from app.ai.readers.mammogram.study import Measured

LEAST_Z = 3.0
LEAST_PLACES = 50
LEAST_SPREAD = 0.25
_ALIKE = 0.7413  # quartile range to standard deviation, of a normal distribution
_OWN = dict(zip(OTHER_SIGMAS, ("mean_3", "mean_10", "mean_25"), strict=True))


def asymmetry_z(measured: Measured, mark: PlaceMark) -> float | None:
    """The largest z over the scales, where it is at least ``LEAST_Z`` and exceeds how far the same place stands out in its
    own breast; None elsewhere and without the same view of the other breast.
    """
    places = measured.places
    if len(places) < LEAST_PLACES or not measured.features[0, NAMES.index("has_other")]:
        return None
    at = int(np.hypot(places[:, 1] - mark.x, places[:, 0] - mark.y).argmin())
    found = []
    for scale, own in _OWN.items():
        mine, beyond = (measured.features[:, NAMES.index(name)] for name in (own, f"other_{scale}"))
        spread = _spread(mine)
        # Of two breasts that hardly differ the slightest difference would be many deviations.
        apart, alone = _z(beyond, at, max(_spread(beyond), LEAST_SPREAD * spread)), _z(mine, at, spread)
        if apart >= LEAST_Z and apart > alone:
            found.append(apart)
    return max(found) if found else None


def _spread(values: Floats) -> float:
    low, high = np.percentile(values, [25, 75])
    return max(_ALIKE * float(high - low), 1e-6)


def _z(values: Floats, at: int, spread: float) -> float:
    return float(values[at] - np.median(values)) / spread
