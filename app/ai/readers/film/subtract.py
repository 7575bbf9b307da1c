"""What of a shadow an earlier picture does not explain: small patches of both laid on each other and subtracted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
FLAT_SIGMA = 9.0
BAND = 1.6
"""A shadow is looked at between blurs of one scale and this many times as much."""
_ONE_SHADOW = (0.7, 1.5)
"""Scales, as shares of the shadow's own, that may hold what is left of it."""


@dataclass(frozen=True)
class Settings:
    """Lengths in pixels of the pictures' common grid."""

    sigmas: tuple[float, ...] = (2.2, 3.2, 4.7, 7.0, 10.0)
    patch: int = 26
    """Half the side of the patch around the mark."""
    reach: int = 7
    """How far the patch is moved to lie better."""
    near: int = 3
    """How far from the mark its shadow's middle may be."""
    around: float = 15.0
    """Spread of the surroundings that decide how the patches lie."""
    far_costs: float = 0.004


@dataclass(frozen=True)
class Rest:
    left: float
    """Share of the shadow's contrast that is left in the difference."""
    alike: float
    """Correlation of the surroundings, the shadow's own place left out."""
    place: tuple[float, float]
    """(x, y) of the mark on the earlier picture."""


def rest_of(
    now: Floats, then: Floats, to_then: Matrix, at: tuple[float, float], settings: Settings, flat: float = FLAT_SIGMA
) -> Rest:
    """A mark at ``at`` (x, y) of ``now`` against ``then``; ``to_then`` (2, 3) brings places of the one to the other."""
    half, reach = settings.patch, settings.reach
    size = 2 * half + 1
    shift = to_then @ np.asarray([*at, 1.0])
    linear = to_then[:, :2]
    mine = sample(now, np.eye(2), at, size)
    theirs = sample(then, linear, (float(shift[0]), float(shift[1])), size + 2 * reach)
    # The shadow itself must not pull the two patches together or apart: its place counts for nothing.
    yy, xx = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    sigma, own = strongest(mine, settings)
    weight = (np.hypot(xx, yy) > 1.8 * sigma).astype(np.float32) * np.exp(-(xx * xx + yy * yy) / (2 * settings.around**2))
    even, evens = evened(mine, flat), evened(theirs, flat)
    best = (-2.0, -2.0, 0, 0)
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            far = float(np.hypot(dx - reach, dy - reach))
            alike = correlation(even, evens[dy : dy + size, dx : dx + size], weight)
            best = max(best, (alike - settings.far_costs * far, alike, dx, dy), key=lambda b: b[0])
    _, alike, dx, dy = best
    part = theirs[dy : dy + size, dx : dx + size]
    rest = mine - made_like(part, mine, weight, flat)
    near = slice(half - settings.near, half + settings.near + 1)
    low, high = _ONE_SHADOW
    left = max(float(blob(rest, s)[near, near].max()) for s in settings.sigmas if low * sigma <= s <= high * sigma)
    moved = shift + linear @ np.asarray([dx - reach, dy - reach], np.float64)
    return Rest(left / max(own, 1e-3), alike, (float(moved[0]), float(moved[1])))


def sample(values: Floats, linear: Matrix, centre: tuple[float, float], size: int) -> Floats:
    half = (size - 1) / 2
    matrix = np.zeros((2, 3))
    matrix[:, :2] = linear
    matrix[:, 2] = np.asarray(centre) - linear @ (half, half)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(values, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def blob(values: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma) - cv2.GaussianBlur(values, (0, 0), BAND * sigma), np.float32)


def strongest(patch: Floats, settings: Settings) -> tuple[float, float]:
    """(scale, contrast) of the shadow in the middle."""
    near = slice(settings.patch - settings.near, settings.patch + settings.near + 1)
    found = [(float(blob(patch, s)[near, near].max()), s) for s in settings.sigmas]
    value, sigma = max(found)
    return sigma, value


def evened(patch: Floats, flat: float = FLAT_SIGMA) -> Floats:
    return np.asarray(cv2.GaussianBlur(patch, (0, 0), 1.0) - cv2.GaussianBlur(patch, (0, 0), flat), np.float32)


def correlation(a: Floats, b: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    p, q = a - (a * weight).sum() / total, b - (b * weight).sum() / total
    norm = float((p * p * weight).sum() * (q * q * weight).sum())
    return float((p * q * weight).sum()) / max(norm**0.5, 1e-9)


def made_like(part: Floats, mine: Floats, weight: Floats, flat: float = FLAT_SIGMA) -> Floats:
    """``part`` with the contrast and level that ``mine`` has around the shadow: exposures differ."""
    total = float(weight.sum())
    a, b = (part * weight).sum() / total, (mine * weight).sum() / total
    p, q = evened(part, flat), evened(mine, flat)
    gain = float((p * q * weight).sum()) / max(float((p * p * weight).sum()), 1e-6)
    return np.asarray(b + np.clip(gain, 0.5, 2.0) * (part - a), np.float32)
