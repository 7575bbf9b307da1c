"""Outlines of teeth: crown, roots and pulp as polygons in a frame of their own.

``u`` runs across the tooth in shares of its width (mesial negative), ``v`` along it in pixels from the biting edge (0) to
the apex. Numbers are two-digit FDI (ISO 3950).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.imaging.fields import Points, spline

UPPER = (18, 17, 16, 15, 14, 13, 12, 11, 21, 22, 23, 24, 25, 26, 27, 28)
LOWER = (48, 47, 46, 45, 44, 43, 42, 41, 31, 32, 33, 34, 35, 36, 37, 38)
ALL_TEETH = UPPER + LOWER

_WIDTH = {
    True: (0, 62.0, 50.0, 56.0, 52.0, 52.0, 82.0, 76.0, 68.0),
    False: (0, 41.0, 44.0, 50.0, 52.0, 55.0, 86.0, 82.0, 78.0),
}
_CROWN = {
    True: (0, 82.0, 74.0, 82.0, 70.0, 68.0, 66.0, 62.0, 56.0),
    False: (0, 70.0, 72.0, 82.0, 72.0, 70.0, 68.0, 64.0, 60.0),
}
_ROOT = {
    True: (0, 120.0, 118.0, 160.0, 126.0, 126.0, 118.0, 108.0, 86.0),
    False: (0, 112.0, 122.0, 152.0, 132.0, 134.0, 128.0, 118.0, 96.0),
}


@dataclass(frozen=True, eq=False)
class ToothShape:
    """Polygons (u, v) of one tooth in pixels of the 2048-pixel film."""

    width: float
    crown_height: float
    length: float
    crown: Points
    roots: tuple[Points, ...]
    pulp: tuple[Points, ...]
    canals: tuple[Points, ...]
    """Centre lines of the root canals."""


def kind(fdi: int) -> int:
    """Place in the quadrant, 1 incisor to 8 third molar."""
    return fdi % 10


def is_upper(fdi: int) -> bool:
    return fdi // 10 in (1, 2)


def width_of(fdi: int) -> float:
    return _WIDTH[is_upper(fdi)][kind(fdi)]


def tooth_shape(fdi: int, rng: np.random.Generator) -> ToothShape:
    """The outline of tooth ``fdi`` with the variation of one person's."""
    upper, n = is_upper(fdi), kind(fdi)
    width = _WIDTH[upper][n] * float(rng.uniform(0.97, 1.03))
    crown_height = _CROWN[upper][n] * float(rng.uniform(0.96, 1.04))
    root = _ROOT[upper][n] * float(rng.uniform(0.92, 1.06))
    molar = n >= 6
    neck = (0.80 if molar else 0.70) * width / 2
    crown = _crown(n, width, crown_height, neck, rng)
    if not molar:
        bow = float(rng.normal(0, 5))
        roots = [_root(0.0, neck, crown_height - 4, crown_height + root, bow, 0.26 * neck)]
        canals = [_canal(0.0, crown_height * 0.55, crown_height + root * 0.97, bow)]
        pulp = [_pulp(canals[0], width * (0.13 if n <= 2 else 0.11))]
    else:
        spread = width * (0.24 if n < 8 else 0.16)
        fork = crown_height + root * (0.22 if n < 8 else 0.35)
        tips = [(-1.0, 1.0), (1.0, 0.96)]
        roots, canals, pulp = [], [], []
        for sign, share in tips:
            bow = sign * float(rng.uniform(2, 9)) + float(rng.normal(3, 2))
            half = neck * 0.46
            roots.append(_root(sign * spread * 0.86, half, crown_height - 6, crown_height + root * share, bow, half * 0.42))
            canal = _canal(sign * spread * 0.75, fork - root * 0.16, crown_height + root * share * 0.95, bow)
            canals.append(canal)
            pulp.append(_pulp(canal, width * 0.045))
        trunk = np.array(
            [
                (-neck, crown_height - 8),
                (neck, crown_height - 8),
                (neck * 0.96, fork),
                (0.0, fork + root * 0.03),
                (-neck * 0.96, fork),
            ]
        )
        roots.append(trunk)
        if upper:
            roots.append(
                _root(0.0, neck * 0.5, crown_height, crown_height + root * 1.03, float(rng.normal(0, 3)), neck * 0.2)
            )
            canals.append(_canal(0.0, fork, crown_height + root * 0.97, 0.0))
        w = width * 0.21
        chamber = [
            (-w, crown_height * 0.62),
            (-w * 0.4, crown_height * 0.72),
            (w * 0.4, crown_height * 0.72),
            (w, crown_height * 0.62),
            (w * 1.05, fork - 3),
            (0.0, crown_height * 0.98),
            (-w * 1.05, fork - 3),
        ]
        pulp.append(spline(chamber, 40, closed=True))
    return ToothShape(width, crown_height, crown_height + root, crown, tuple(roots), tuple(pulp), tuple(canals))


def _crown(n: int, width: float, height: float, neck: float, rng: np.random.Generator) -> Points:
    h = width / 2
    top = float(rng.normal(0, 1.2))
    if n <= 2:
        p = [(-0.82 * h, 1.0), (0.0, -1.5 + top), (0.84 * h, 1.5), (h, height * 0.20), (0.93 * h, height * 0.55)]
        p += [(neck, height), (-neck, height), (-0.93 * h, height * 0.55), (-h, height * 0.20)]
    elif n == 3:
        p = [(0.0, -4.0), (0.60 * h, height * 0.14), (h, height * 0.36), (0.92 * h, height * 0.66), (neck, height)]
        p += [(-neck, height), (-0.92 * h, height * 0.66), (-h, height * 0.36), (-0.60 * h, height * 0.14)]
    elif n <= 5:
        p = [(-0.36 * h, 0.0), (0.02 * h, height * 0.09), (0.40 * h, 1.0 + top), (0.86 * h, height * 0.15)]
        p += [(h, height * 0.38), (0.90 * h, height * 0.72), (neck, height), (-neck, height)]
        p += [(-0.90 * h, height * 0.72), (-h, height * 0.38), (-0.84 * h, height * 0.14)]
    else:
        p = [(-0.52 * h, 0.0), (-0.05 * h, height * 0.13), (0.46 * h, 1.0 + top), (0.88 * h, height * 0.12)]
        p += [(h, height * 0.38), (0.95 * h, height * 0.70), (neck, height), (-neck, height)]
        p += [(-0.95 * h, height * 0.70), (-h, height * 0.38), (-0.90 * h, height * 0.12)]
    return spline(p, 90, closed=True)


def _root(centre: float, half: float, start: float, end: float, bow: float, tip: float) -> Points:
    v = np.linspace(0, 1, 24)
    middle = centre + bow * v**2
    breadth = half + (tip - half) * v**1.25
    breadth *= np.sqrt(np.clip(1 - ((v - 0.90) / 0.10).clip(0, 1) ** 2, 0, 1))
    y = start + (end - start) * v
    left = np.stack([middle - breadth, y], axis=1)
    right = np.stack([middle + breadth, y], axis=1)[::-1]
    return np.concatenate([left, right])


def _canal(centre: float, start: float, end: float, bow: float) -> Points:
    v = np.linspace(0, 1, 12)
    return np.stack([centre + bow * v**2, start + (end - start) * v], axis=1)


def _pulp(canal: Points, breadth: float) -> Points:
    v = np.linspace(0, 1, len(canal))
    half = breadth * (1 - v) ** 0.7 + 0.8
    offset = np.stack([half, np.zeros_like(half)], axis=1)
    return np.concatenate([canal - offset, (canal + offset)[::-1]])


def place(points: Points, edge: tuple[float, float], angle_rad: float, upper: bool, mirror: bool) -> npt.NDArray[np.float64]:
    """(u, v) to film (x, y): the biting edge at ``edge``, the axis turned by ``angle_rad`` (apex to the right positive)."""
    u = points[:, 0] * (-1.0 if mirror else 1.0)
    v = points[:, 1] * (-1.0 if upper else 1.0)
    s = np.sin(angle_rad) * (1.0 if upper else -1.0)
    c = np.cos(angle_rad)
    return np.stack([edge[0] + u * c - v * s, edge[1] + u * s + v * c], axis=1)
