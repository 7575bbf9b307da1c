"""What is measured at every place of a view: blobs, converging edges, radiating lines, texture, specks, place, asymmetry.

Every map is float32 (rows, columns) on the grid of ``view.py``. ``NAMES`` is the order the network was trained with.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.film.filters import blurred, fans, summed
from app.ai.readers.mammogram.view import GRID_MM, BreastView

Floats = npt.NDArray[np.float32]

BLOB_SIGMAS = (2.5, 4.0, 6.0, 9.0, 13.0, 19.0)
RADII = (8, 13, 20, 30)
SPREADS = (3.0, 7.0, 14.0)
OTHER_SIGMAS = (4.0, 9.0, 18.0)
PLAIN = (
    *(f"blob_{s}" for s in BLOB_SIGMAS),
    *(f"converge_{r}" for r in RADII),
    *(f"converge_strong_{r}" for r in RADII),
    *(f"lines_{r}" for r in RADII[:3]),
    *(f"texture_{s}" for s in SPREADS),
    *(f"fine_{s}" for s in SPREADS[:2]),
    "mean_3", "mean_10", "mean_25", "rank", "speck", "specks",
    "skin", "skin_share", "height", "muscle_distance", "tissue_share", "area", "skew",
)  # fmt: skip
PAIRED = (*(f"other_{s}" for s in OTHER_SIGMAS), *(f"other_blob_{s}" for s in OTHER_SIGMAS), "other_texture", "has_other")
NAMES = (*PLAIN, *PAIRED)


def plain_maps(view: BreastView) -> dict[str, Floats]:
    """The maps that need one view only."""
    weight = view.tissue.astype(np.float32)
    # The muscle would be the brightest blob of all: it is filled with its surroundings.
    middle = float(np.median(view.values[view.tissue])) if view.tissue.any() else 0.0
    values = np.where(view.tissue, view.values, np.float32(middle))
    filled = np.where(view.tissue, values, blurred(values, weight, 12.0)).astype(np.float32)
    maps: dict[str, Floats] = {}
    smooth = {
        s: blurred(filled, np.maximum(weight, 0.05), s) for s in sorted({*BLOB_SIGMAS, *(1.6 * s for s in BLOB_SIGMAS)})
    }
    for s in BLOB_SIGMAS:
        maps[f"blob_{s}"] = smooth[s] - smooth[1.6 * s]
    gx = cv2.Sobel(smooth[2.5], cv2.CV_32F, 1, 0, ksize=3)
    gy = cv2.Sobel(smooth[2.5], cv2.CV_32F, 0, 1, ksize=3)
    size = np.hypot(gx, gy)
    unit = weight / np.maximum(size, 1e-4)
    strength = float(np.median(size[view.tissue])) if view.tissue.any() else 1.0
    strong = weight * np.minimum(size / max(strength, 1e-6), 4.0) / np.maximum(size, 1e-4)
    xx = cv2.GaussianBlur(cv2.Sobel(filled, cv2.CV_32F, 2, 0, ksize=5), (0, 0), 1.2)
    yy = cv2.GaussianBlur(cv2.Sobel(filled, cv2.CV_32F, 0, 2, ksize=5), (0, 0), 1.2)
    xy = cv2.GaussianBlur(cv2.Sobel(filled, cv2.CV_32F, 1, 1, ksize=5), (0, 0), 1.2)
    # A bright line's direction is across the strongest negative curvature; doubled angles add up without a sign.
    cos2, sin2 = -(yy - xx), 2 * xy
    length = np.hypot(cos2, sin2)
    typical = float(np.median(length[view.tissue])) if view.tissue.any() else 1.0
    line = weight * np.minimum(length / max(typical, 1e-6), 3.0) * ((xx + yy) < 0) / np.maximum(length, 1e-6)
    for radius in RADII:
        cx, cy, c2, s2 = fans(radius)
        maps[f"converge_{radius}"] = summed(gx * unit, cx) + summed(gy * unit, cy)
        maps[f"converge_strong_{radius}"] = summed(gx * strong, cx) + summed(gy * strong, cy)
        if radius in RADII[:3]:
            maps[f"lines_{radius}"] = summed(cos2 * line, c2) + summed(sin2 * line, s2)
    for s in SPREADS:
        mean = blurred(filled, weight, s)
        maps[f"texture_{s}"] = np.sqrt(np.maximum(blurred(filled * filled, weight, s) - mean * mean, 0.0))
    fine = np.abs(filled - cv2.GaussianBlur(filled, (0, 0), 1.2))
    for s in SPREADS[:2]:
        maps[f"fine_{s}"] = blurred(fine, weight, s)
    maps |= _levels(view, filled, weight) | _specks(filled, weight) | _place(view, weight)
    return maps


def _levels(view: BreastView, filled: Floats, weight: Floats) -> dict[str, Floats]:
    means = {f"mean_{round(s)}": blurred(filled, weight, s) for s in (3.0, 10.0, 25.0)}
    order = np.sort(means["mean_3"][view.tissue]) if view.tissue.any() else np.zeros(1, np.float32)
    rank = np.searchsorted(order, means["mean_3"]).astype(np.float32) / max(1, len(order))
    spread = np.maximum(np.sqrt(np.maximum(blurred(filled * filled, weight, 25.0) - means["mean_25"] ** 2, 0)), 0.05)
    return {**means, "rank": rank, "skew": (means["mean_3"] - means["mean_25"]) / spread}


def _specks(filled: Floats, weight: Floats) -> dict[str, Floats]:
    """Specks of one or two pixels against the local noise: what calcifications leave at 0.4 mm."""
    top = cv2.morphologyEx(filled, cv2.MORPH_TOPHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    noise = np.maximum(blurred(top, weight, 10.0), 0.005)
    ratio = np.minimum(top / noise, 12.0) * weight
    many = blurred((ratio > 4.0).astype(np.float32), np.maximum(weight, 1e-3), 8.0)
    best = cv2.dilate(ratio, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    return {"speck": cv2.GaussianBlur(best, (0, 0), 3.0), "specks": np.sqrt(many)}


def _place(view: BreastView, weight: Floats) -> dict[str, Floats]:
    rows, columns = view.values.shape
    inside = np.nonzero(view.breast.any(1))[0]
    low, high = (int(inside[0]), int(inside[-1])) if len(inside) else (0, rows)
    height = np.broadcast_to(((np.arange(rows) - low) / max(1, high - low)).astype(np.float32)[:, None], (rows, columns))
    away = cv2.distanceTransform((~view.muscle).astype(np.uint8), cv2.DIST_L2, 5) if view.muscle.any() else None
    far = np.full((rows, columns), 60.0, np.float32) if away is None else np.minimum(away * GRID_MM, 60.0)
    deepest = max(float(view.skin_mm.max()), 1.0)
    return {
        "skin": np.minimum(view.skin_mm, 60.0),
        "skin_share": view.skin_mm / np.float32(deepest),
        "height": np.ascontiguousarray(height),
        "muscle_distance": far.astype(np.float32),
        "tissue_share": cv2.GaussianBlur(weight, (0, 0), 12.0),
        "area": np.full((rows, columns), np.log(max(view.tissue_mm2, 1.0)) - 9.0, np.float32),
    }


def paired_maps(
    mine: BreastView, own: dict[str, Floats], other: BreastView | None, its: dict[str, Floats]
) -> dict[str, Floats]:
    """How far this side stands out from the same place, and its surroundings, of the other breast. Zeros without one."""
    shape = mine.values.shape
    if other is None:
        return {name: np.zeros(shape, np.float32) for name in PAIRED}
    matrix = alignment(mine, other)

    def there(image: Floats) -> Floats:
        return cv2.warpAffine(
            image,
            matrix,
            (shape[1], shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    found: dict[str, Floats] = {}
    for s in OTHER_SIGMAS:
        # Breasts are never quite alike: the best of a neighbourhood of the other one counts.
        reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(s) + 9, 2 * round(s) + 9))
        base = {4.0: "mean_3", 9.0: "mean_10", 18.0: "mean_25"}[s]
        found[f"other_{s}"] = own[base] - there(its[base])
        blob = {4.0: "blob_4.0", 9.0: "blob_9.0", 18.0: "blob_19.0"}[s]
        found[f"other_blob_{s}"] = own[blob] - there(cv2.dilate(its[blob], reach))
    found["other_texture"] = own["texture_7.0"] - there(its["texture_7.0"])
    found["has_other"] = np.ones(shape, np.float32)
    return found


def alignment(mine: BreastView, other: BreastView) -> Floats:
    """(2, 3) affine: a place (x, y) of this view to the other: rows by the extent, columns by the width of the breast."""

    def frame(view: BreastView) -> tuple[float, float, float]:
        widths = view.breast.sum(1)
        tip = float(np.average(np.arange(len(widths)), weights=(widths >= 0.97 * widths.max()).astype(float)))
        return tip, float(widths.max()), float((widths > 0).sum())

    (tip_a, width_a, tall_a), (tip_b, width_b, tall_b) = frame(mine), frame(other)
    sx = width_b / max(width_a, 1.0)
    sy = float(np.clip(tall_b / max(tall_a, 1.0), sx * 0.9, sx * 1.1))
    return np.asarray([[sx, 0, 0], [0, sy, tip_b - sy * tip_a]], np.float32)


def stacked(maps: dict[str, Floats]) -> Floats:
    """(maps, rows, columns) in the order of ``NAMES``."""
    return np.stack([maps[name] for name in NAMES]).astype(np.float32)
