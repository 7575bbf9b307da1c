"""Bleeding put into real slices without any: drawn lenses and crescents at the bone, clots in the tissue, streaks; or the
bleeding of another head, at about the same place.

Shapes and densities of what is drawn are spread wide on purpose (domain randomisation); the noise of the slice stays on top.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.head.frame import head_outline
from app.ai.readers.head.midline import within_bone

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


def intracranial(plane: Bytes) -> Bools:
    """What lies inside the bony ring; all False where the ring is open or small (base and vertex)."""
    none = np.zeros(plane.shape, bool)
    outline = head_outline(plane)
    if outline is None or outline.sum() < 7000:
        return none
    inner = within_bone(outline, plane >= 245)
    return none if inner is None else np.asarray(inner & (cv2.blur(plane, (5, 5)) > 20), bool)


def bleed_shape(inner: Bools, rng: np.random.Generator) -> Bools:
    """A mask inside ``inner``; may be empty."""
    rows, columns = np.nonzero(inner)
    middle = np.array([columns.mean(), rows.mean()])
    y, x = np.mgrid[: inner.shape[0], : inner.shape[1]].astype(np.float32)
    kind = rng.random()
    turn = rng.uniform(0, 2 * np.pi)
    outward = np.array([np.cos(turn), np.sin(turn)])
    reach = (np.stack([columns, rows], 1) - middle) @ outward
    cone = reach > 0.93 * np.linalg.norm(np.stack([columns, rows], 1) - middle, axis=1)
    rim = middle + outward * (reach[cone].max() if cone.any() else reach.max())
    if kind < 0.45:  # lens: the bone on one side, a bulge on the other
        depth, half = rng.uniform(2.5, 16), rng.uniform(7, 40)
        radius = (half**2 + depth**2) / (2 * depth)
        centre = rim + outward * (radius - depth)
        mask = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
    elif kind < 0.62:  # crescent along the bone
        depth, width = rng.uniform(2, 8), rng.uniform(0.25, 1.2)
        distance = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, 3)
        angle = np.angle(np.exp(1j * (np.arctan2(y - middle[1], x - middle[0]) - turn)))
        mask = distance < depth * np.clip(1 - (angle / width) ** 2, 0, 1)
    elif kind < 0.88:  # clot in the tissue
        distance = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, 3)
        deep = np.argwhere(distance > 4)
        if not len(deep):
            return np.zeros_like(inner)
        r, c = deep[rng.integers(len(deep))]
        a, b = np.exp(rng.uniform(np.log(2.0), np.log(16.0))) * np.exp(rng.normal(0, 0.25, 2))
        u, v = (x - c) * outward[0] + (y - r) * outward[1], (y - r) * outward[0] - (x - c) * outward[1]
        rough = cv2.GaussianBlur(rng.normal(0, 1, inner.shape).astype(np.float32), (0, 0), max(1.5, 0.35 * min(a, b)))
        rough *= 0.25 / max(float(rough.std()), 1e-6)
        mask = np.sqrt((u / a) ** 2 + (v / b) ** 2) + rough < 1
    else:  # streak
        length, width = rng.integers(3, 8), int(rng.integers(1, 4))
        distance = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, 3)
        start = np.argwhere(distance > 3)
        point = start[rng.integers(len(start))][::-1].astype(float)
        path, heading = [point], turn
        for _ in range(length):
            heading += rng.normal(0, 0.6)
            point = point + rng.uniform(3, 7) * np.array([np.cos(heading), np.sin(heading)])
            path.append(point)
        canvas = np.zeros(inner.shape, np.uint8)
        cv2.polylines(canvas, [np.rint(np.asarray(path)).astype(np.int32)], False, 1, width)
        mask = canvas > 0
    return np.asarray(mask & inner, bool)


def painted(plane: Bytes, mask: Bools, inner: Bools, level: float, rng: np.random.Generator) -> Bytes:
    """The slice with ``mask`` at ``level`` grey values above its tissue."""
    values = plane.astype(np.float32)
    base = float(np.median(values[inner])) if inner.any() else 100.0
    texture = cv2.GaussianBlur(rng.normal(0, 1, plane.shape).astype(np.float32), (0, 0), 3.0)
    texture *= rng.uniform(0.0, 0.3) * level / max(float(texture.std()), 1e-6)
    grain = values - cv2.GaussianBlur(values, (0, 0), 1.5)
    clot = base + level + texture + grain
    share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.0)))
    share[~(inner | mask)] = 0
    return np.asarray(np.clip(values * (1 - share) + clot * share, 0, 255), np.uint8)


def thinner(mask: Bools, share: float) -> Bools:
    """How the bleed looks one slice on: its middle part, ``share`` of its depth; 0 is nothing."""
    if share <= 0 or not mask.any():
        return np.zeros_like(mask)
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.asarray(depth > (1 - share) * depth.max(), bool)


BONE = 235
"""Grey values from here on are bone that an outline took along."""


def transplanted(
    plane: Bytes, inner: Bools, donor: Bytes, mask: Bools, matrix: npt.NDArray[np.float64], change: float
) -> tuple[Bytes, Bools]:
    """(slice with the bleeding of ``donor``, its mask); ``matrix`` leads from the donor's pixels to those of ``plane``.

    What lies outside ``inner`` is left away. ``change`` multiplies how far the blood stands out from the donor's tissue.
    """
    nothing = np.zeros(plane.shape, bool)
    tissue = intracranial(donor) & ~mask
    if not mask.any() or not tissue.any() or not inner.any():
        return plane, nothing
    size = (plane.shape[1], plane.shape[0])
    values = donor.astype(np.float32)
    blood = mask & (donor < BONE)
    if not blood.any():
        return plane, nothing
    values[mask & ~blood] = float(np.median(values[blood]))
    base = float(np.median(values[tissue]))
    values = float(np.median(plane[inner])) + np.clip(values - base, -40, None) * np.where(values > base, change, 1.0)
    moved = cv2.warpAffine(values, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    share[~inner] = 0
    soft = cv2.GaussianBlur(share, (0, 0), 0.6)
    soft[~inner] = 0
    return np.asarray(np.clip(plane * (1 - soft) + moved * soft, 0, 255), np.uint8), np.asarray(share > 0.5)
