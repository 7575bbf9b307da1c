"""How much of the breast is dense: area per cent by a threshold between fat and gland, and the band A to D.

The threshold is Otsu's on the breast's own values, drawn towards a fixed place of the spread where the two heaps are not
apart. It is a measurement of area on one projection, checked on nothing but generated films: a hint, never a category.
"""

from __future__ import annotations

import cv2
import numpy as np

from app.ai.readers.mammogram.view import BreastView

BANDS = ((10.0, "A"), (25.0, "B"), (50.0, "C"))
"""Upper edge in per cent and band; D above. Edges of Boyd's and Byng's area scales, as used with area methods."""


def dense_share(view: BreastView) -> float | None:
    """Dense area per cent of the breast without muscle; None when there is hardly any breast."""
    inner = view.tissue & (view.skin_mm > 6.0)
    if int(inner.sum()) < 500:
        return None
    values = view.values[inner]
    low, high = np.percentile(values, [1, 99.5])
    if high - low < 1e-3:
        return None
    scaled = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8).reshape(1, -1)
    cut, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    above = scaled > cut
    bright, dark = float(scaled[above].mean()) if above.any() else 0.0, float(scaled[~above].mean())
    apart = (bright - dark) / max(float(scaled.std()), 1.0)
    # Heaps that are apart lie two standard deviations from each other; one heap alone 1.6.
    trust = float(np.clip((apart - 1.5) / 0.4, 0.0, 1.0))
    cut = trust * cut + (1 - trust) * 150.0
    return round(100.0 * float((scaled > cut).sum()) / float(view.tissue.sum()), 1)


def band_of(share: float) -> str:
    return next((name for edge, name in BANDS if share < edge), "D")
