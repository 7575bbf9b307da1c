"""What is measured on a chest film: at every place of the lung fields, and of the film as a whole.

``NAMES`` is the order of the places' measurements, ``film_traits`` the whole film's numbers that the two scores are made of.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.chest.field import ChestField
from app.ai.readers.film.filters import blurred, fans, summed

Floats = npt.NDArray[np.float32]

SIGMAS = (1.5, 2.2, 3.2, 4.7, 7.0, 10.0)
RADII = (5, 8, 13, 20)
NAMES = (
    *(f"blob_{s}" for s in SIGMAS),
    *(f"converge_{r}" for r in RADII),
    *(f"converge_strong_{r}" for r in RADII),
    *(f"lines_{r}" for r in RADII[:2]),
    "texture_2", "texture_5", "fine", "mean_2", "mean_6", "mean_14", "mirror_3", "mirror_8", "mirror_blob",
    "inside", "across", "height",
)  # fmt: skip
ZONES = 4


def place_maps(field: ChestField) -> dict[str, Floats]:
    values = field.values
    lungs = field.lungs
    weight = np.ones(values.shape, np.float32)
    maps: dict[str, Floats] = {}
    smooth = {s: cv2.GaussianBlur(values, (0, 0), s) for s in sorted({*SIGMAS, *(1.6 * s for s in SIGMAS)})}
    for s in SIGMAS:
        maps[f"blob_{s}"] = smooth[s] - smooth[1.6 * s]
    gx = cv2.Sobel(smooth[1.5], cv2.CV_32F, 1, 0, ksize=3)
    gy = cv2.Sobel(smooth[1.5], cv2.CV_32F, 0, 1, ksize=3)
    size = np.hypot(gx, gy)
    typical = max(float(np.median(size[lungs])), 1e-6)
    unit = 1.0 / np.maximum(size, 1e-4)
    strong = np.minimum(size / typical, 4.0) * unit
    fine = cv2.GaussianBlur(values, (0, 0), 1.0)
    xx, yy = cv2.Sobel(fine, cv2.CV_32F, 2, 0, ksize=3), cv2.Sobel(fine, cv2.CV_32F, 0, 2, ksize=3)
    xy = cv2.Sobel(fine, cv2.CV_32F, 1, 1, ksize=3)
    cos2, sin2 = xx - yy, 2 * xy
    length = np.hypot(cos2, sin2)
    line = np.minimum(length / max(float(np.median(length[lungs])), 1e-6), 3.0) * ((xx + yy) < 0) / np.maximum(length, 1e-6)
    for radius in RADII:
        cx, cy, c2, s2 = fans(radius)
        maps[f"converge_{radius}"] = summed(gx * unit, cx) + summed(gy * unit, cy)
        maps[f"converge_strong_{radius}"] = summed(gx * strong, cx) + summed(gy * strong, cy)
        if radius in RADII[:2]:
            maps[f"lines_{radius}"] = summed(cos2 * line, c2) + summed(sin2 * line, s2)
    for s in (2.0, 5.0):
        mean = cv2.GaussianBlur(values, (0, 0), s)
        spread = np.sqrt(np.maximum(cv2.GaussianBlur(values * values, (0, 0), s) - mean * mean, 0))
        maps[f"texture_{round(s)}"] = spread
    maps["fine"] = blurred(np.abs(values - fine), weight, 4.0)
    for s in (2.0, 6.0, 14.0):
        maps[f"mean_{round(s)}"] = cv2.GaussianBlur(values, (0, 0), s)
    mirrored = _mirror(field)
    for s in (3.0, 8.0):
        maps[f"mirror_{round(s)}"] = cv2.GaussianBlur(values, (0, 0), s) - mirrored(cv2.GaussianBlur(values, (0, 0), s))
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
    maps["mirror_blob"] = maps["blob_4.7"] - mirrored(cv2.dilate(maps["blob_4.7"], reach))
    inside = cv2.distanceTransform(np.pad(lungs, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    maps["inside"] = np.minimum(inside, 30.0).astype(np.float32)
    across, height = lung_coordinates(field)
    maps["across"], maps["height"] = across, height
    return maps


def _mirror(field: ChestField):  # type: ignore[no-untyped-def]
    """A function that mirrors an image about the line between the two lung fields."""
    shape = field.values.shape
    centres = [float(np.argwhere(side)[:, 1].mean()) for side in field.sides]
    matrix = np.asarray([[-1, 0, sum(centres)], [0, 1, 0]], np.float32)
    return lambda image: cv2.warpAffine(image, matrix, (shape[1], shape[0]), borderMode=cv2.BORDER_REPLICATE)


def lung_coordinates(field: ChestField) -> tuple[Floats, Floats]:
    """(0 at the outer edge to 1 at the middle, 0 at the top to 1 at the bottom) of the nearer lung's box."""
    rows, columns = field.values.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    boxes = []
    for side in field.sides:
        place = np.argwhere(side)
        boxes.append((*place.min(0), *place.max(0)))
    middle = (boxes[0][3] + boxes[1][1]) / 2
    (t0, l0, b0, r0), (t1, l1, b1, r1) = boxes
    left = x < middle
    across = np.where(left, (x - l0) / max(1, r0 - l0), (r1 - x) / max(1, r1 - l1))
    height = np.where(left, (y - t0) / max(1, b0 - t0), (y - t1) / max(1, b1 - t1))
    return np.clip(across, -0.5, 1.5).astype(np.float32), np.clip(height, -0.5, 1.5).astype(np.float32)


def stacked(maps: dict[str, Floats]) -> Floats:
    return np.stack([maps[name] for name in NAMES]).astype(np.float32)


def film_traits(field: ChestField, maps: dict[str, Floats]) -> list[float]:
    """Strongest responses by scale; level, spread and texture by zone, as both sides' mean and difference."""
    lungs = field.lungs
    deep = lungs & (maps["inside"] > 3)
    deep = deep if deep.sum() > 100 else lungs
    found: list[float] = []
    for name in (*(f"blob_{s}" for s in SIGMAS), *(f"converge_strong_{r}" for r in RADII)):
        values = maps[name][deep]
        found += [float(np.percentile(values, 99.5)), float(values.std())]
    height = maps["height"]
    for zone in range(ZONES):
        low, high = zone / ZONES, (zone + 1) / ZONES
        numbers = []
        for side in field.sides:
            part = side & (height >= low) & (height < high)
            if int(part.sum()) < 20:
                numbers.append([0.0] * 5)
                continue
            numbers.append(
                [
                    float(field.values[part].mean()),
                    float(maps["mean_6"][part].std()),
                    float(maps["texture_2"][part].mean()),
                    float(maps["texture_5"][part].mean()),
                    float(maps["mean_6"][part].max()),
                ]
            )
        a, b = np.asarray(numbers[0]), np.asarray(numbers[1])
        found += ((a + b) / 2).tolist() + np.abs(a - b).tolist()
    areas = [float(side.mean()) for side in field.sides]
    found += [sum(areas), abs(areas[0] - areas[1]) / max(sum(areas), 1e-6), float(all(field.found))]
    return found
