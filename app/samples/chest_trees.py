"""Branching trees (vessels, bronchi) and ribs of the generated chest as tapered segments in patient millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_SHIFT = 4
_SCALE = 1 << _SHIFT


@dataclass(frozen=True, eq=False)
class Segments:
    """``start`` and ``end`` (n, 3) in (x, y, z) mm; ``radius_mm`` (n,); ``level`` (n,): brightness 0 to 1."""

    start: Floats
    end: Floats
    radius_mm: Floats
    level: Floats

    def __len__(self) -> int:
        return len(self.radius_mm)


def join(parts: list[Segments]) -> Segments:
    return Segments(
        np.concatenate([p.start for p in parts]),
        np.concatenate([p.end for p in parts]),
        np.concatenate([p.radius_mm for p in parts]),
        np.concatenate([p.level for p in parts]),
    )


def from_rows(rows: list[tuple[Floats, Floats, float]], level: float = 1.0) -> Segments:
    return Segments(
        np.asarray([r[0] for r in rows], np.float64).reshape(-1, 3),
        np.asarray([r[1] for r in rows], np.float64).reshape(-1, 3),
        np.asarray([r[2] for r in rows], np.float64),
        np.full(len(rows), level),
    )


def grow_tree(
    root: Floats,
    leaves: Floats,
    rng: np.random.Generator,
    leaf_radius_mm: float,
    exponent: float = 0.39,
    bend: float = 0.12,
) -> Segments:
    """A dichotomous tree from ``root`` to every leaf: the set of leaves is halved at each fork, radii follow the count.

    The exponent near 1/2.6 is Murray's law as measured in lungs; leaves are (n, 3) in mm.
    """
    rows: list[tuple[Floats, Floats, float]] = []
    stack: list[tuple[Floats, Floats]] = [(np.asarray(root, np.float64), leaves)]
    while stack:
        here, rest = stack.pop()
        radius = leaf_radius_mm * len(rest) ** exponent
        if len(rest) == 1:
            _bent(rows, here, rest[0], radius, leaf_radius_mm * 0.6, bend, rng)
            continue
        centre = rest.mean(0)
        fork = here + (centre - here) * rng.uniform(0.28, 0.5)
        _bent(rows, here, fork, radius, radius * 0.94, bend, rng)
        spread = rest - centre
        # Across the direction of growth, so that the two halves part like a fork and not one behind the other.
        ahead = (centre - here) / (np.linalg.norm(centre - here) + 1e-6)
        spread = spread - np.outer(spread @ ahead, ahead) * 0.6
        _, _, axes = np.linalg.svd(spread, full_matrices=False)
        along = spread @ axes[0]
        cut = np.quantile(along, rng.uniform(0.3, 0.7))
        left = along <= cut
        if left.all() or not left.any():
            left = np.arange(len(rest)) % 2 == 0
        stack.append((fork, rest[left]))
        stack.append((fork, rest[~left]))
    return from_rows(rows)


def _bent(
    rows: list[tuple[Floats, Floats, float]],
    a: Floats,
    b: Floats,
    r0: float,
    r1: float,
    bend: float,
    rng: np.random.Generator,
) -> None:
    length = float(np.linalg.norm(b - a))
    pieces = int(np.clip(np.ceil(length / 7.0), 1, 6))
    bow = rng.normal(size=3) * length * bend
    t = np.linspace(0, 1, pieces + 1)
    points = a + (b - a) * t[:, None] + bow * (t * (1 - t))[:, None]
    for n in range(pieces):
        rows.append((points[n], points[n + 1], r0 + (r1 - r0) * (n + 0.5) / pieces))


def slab_index(segments: Segments, z_mm: Floats, thickness_mm: float) -> list[Floats]:
    """For every slice the indices of the segments that touch its slab, thinnest first."""
    low = np.minimum(segments.start[:, 2], segments.end[:, 2]) - segments.radius_mm
    high = np.maximum(segments.start[:, 2], segments.end[:, 2]) + segments.radius_mm
    order = np.argsort(segments.radius_mm, kind="stable")
    low, high = low[order], high[order]
    half = thickness_mm / 2
    return [order[(low < z + half) & (high > z - half)] for z in z_mm]


def draw_slab(
    canvas: npt.NDArray[np.uint8],
    segments: Segments,
    chosen: npt.NDArray[np.integer],
    z_mm: float,
    thickness_mm: float,
    origin_mm: tuple[float, float],
    pixel_mm: tuple[float, float],
    widen: float = 1.0,
    grow_mm: float = 0.0,
) -> None:
    """Draws what of the segments lies in the slab around ``z_mm``; thin ones fainter (partial volume across the slice).

    ``origin_mm`` (x, y) of the first pixel's centre, ``pixel_mm`` (x, y).
    """
    half = thickness_mm / 2
    for n in chosen:
        a, b, r = segments.start[n], segments.end[n], segments.radius_mm[n] * widen + grow_mm
        dz = b[2] - a[2]
        if abs(dz) < 1e-6:
            t0, t1 = 0.0, 1.0
        else:
            ends = sorted(((z_mm - half - a[2]) / dz, (z_mm + half - a[2]) / dz))
            t0, t1 = max(0.0, ends[0]), min(1.0, ends[1])
        if t1 <= t0:  # only the round end reaches into the slab
            t0 = t1 = min(max(0.5 * (t0 + t1), 0.0), 1.0)
            gap = abs(a[2] + dz * t0 - z_mm) - half
            if gap >= r:
                continue
            r = float(np.sqrt(max(r * r - max(gap, 0.0) ** 2, 0.0)))
        p, q = a + (b - a) * t0, a + (b - a) * t1
        flat = np.hypot(q[0] - p[0], q[1] - p[1])
        # Share of the slab that the tube fills: a tube running along the slice is seen only as thick as it is.
        share = min(1.0, 2 * r / thickness_mm + (1.0 - min(1.0, flat / max(thickness_mm, 1e-6))) * 0.5)
        value = int(255 * segments.level[n] * share)
        px = (p[0] - origin_mm[0]) / pixel_mm[0], (p[1] - origin_mm[1]) / pixel_mm[1]
        qx = (q[0] - origin_mm[0]) / pixel_mm[0], (q[1] - origin_mm[1]) / pixel_mm[1]
        rp = r / pixel_mm[0]
        if rp < 0.5:  # below a pixel: keep the amount, not the peak
            value, rp = int(value * (rp / 0.5)), 0.5
        radius = int(rp * _SCALE)
        first = (int(px[0] * _SCALE), int(px[1] * _SCALE))
        cv2.circle(canvas, first, radius, value, -1, cv2.LINE_AA, _SHIFT)
        length = float(np.hypot(qx[0] - px[0], qx[1] - px[1]))
        if length > 0.4:
            ux, uy = (qx[0] - px[0]) / length * rp, (qx[1] - px[1]) / length * rp
            corners = np.asarray(
                [
                    (px[0] - uy, px[1] + ux),
                    (px[0] + uy, px[1] - ux),
                    (qx[0] + uy, qx[1] - ux),
                    (qx[0] - uy, qx[1] + ux),
                ]
            )
            cv2.fillConvexPoly(canvas, np.round(corners * _SCALE).astype(np.int32), value, cv2.LINE_AA, _SHIFT)
            last = (int(qx[0] * _SCALE), int(qx[1] * _SCALE))
            cv2.circle(canvas, last, radius, value, -1, cv2.LINE_AA, _SHIFT)
