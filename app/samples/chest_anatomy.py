"""Shapes of the generated chest as signed distances (mm, negative inside) on one axial plane.

Coordinates are millimetres from the body's axis: x to the left, y to the back, ``t`` from 0 (top of the scan) to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Body:
    """Size and habitus of one generated person."""

    half_width_mm: float
    half_depth_mm: float
    height_mm: float
    """Scanned length."""
    fat_mm: float
    heart: float
    """Scale of the heart, about 1."""
    dome_right: float
    dome_left: float
    """Where the domes of the diaphragm lie, as t."""
    kyphosis: float
    spine_phase: float


def ramp(value: float, low: float, high: float) -> float:
    u = min(max((value - low) / (high - low), 0.0), 1.0)
    return u * u * (3 - 2 * u)


def _power(v: Plane) -> Plane:
    """|v| to the power 2.5 without pow()."""
    a = np.abs(v)
    return a * a * np.sqrt(a)


def oval(x: Plane, y: Plane, cx: float, cy: float, rx: float, ry: float) -> Plane:
    """About the distance to an ellipse, right near its border."""
    rx, ry = max(rx, 1e-3), max(ry, 1e-3)
    q = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
    return np.asarray((np.sqrt(q) - 1) * min(rx, ry), np.float32)


def smooth_min(a: Plane, b: Plane, k: float) -> Plane:
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return np.asarray(b + (a - b) * h - k * h * (1 - h), np.float32)


@dataclass(frozen=True, eq=False)
class Shapes:
    body: Plane
    thorax: Plane
    """Inner border of the chest wall."""
    lung: Plane
    mediastinum: Plane
    heart: Plane
    vessels: Plane
    """Great vessels."""
    airway: Plane
    airway_wall: Plane
    oesophagus: Plane
    vertebra: Plane
    canal: Plane
    abdomen: Plane
    liver: Plane
    spleen: Plane
    stomach: Plane
    fissure: Plane
    """Distance to the oblique fissures (not signed)."""
    scapula: Plane
    sternum: Plane
    gas: Plane
    """The bubble in the stomach."""

    def enlarged(self, size: tuple[int, int]) -> Shapes:
        """The same borders on (rows, columns) of the full plane."""
        return Shapes(**{f.name: cv2.resize(getattr(self, f.name), (size[1], size[0])) for f in fields(self)})


def thorax_axes(body: Body, t: float) -> tuple[float, float, float]:
    """(half width, half depth, shift to the back) of the inner chest wall in mm."""
    a, b = body.half_width_mm, body.half_depth_mm
    u = ramp(t, -0.15, 0.5)
    wide = a * (0.52 + 0.29 * u) - max(0.0, body.fat_mm - 22.0)
    deep = b * (0.62 + 0.15 * u) - 0.8 * max(0.0, body.fat_mm - 22.0)
    return wide, deep, b * 0.10 * (1 - u) + body.kyphosis


def dome_height(body: Body, x: Plane, y: Plane) -> Plane:
    """t at which the diaphragm lies under each point."""
    a, b = body.half_width_mm, body.half_depth_mm
    right = body.dome_right + 0.30 * (((x + 0.38 * a) / (0.52 * a)) ** 2 + ((y + 0.02 * b) / (0.85 * b)) ** 2)
    left = body.dome_left + 0.30 * (((x - 0.42 * a) / (0.52 * a)) ** 2 + ((y + 0.02 * b) / (0.85 * b)) ** 2)
    return np.asarray(np.where(x < 0.02 * a, right, left), np.float32)


def shapes_at(body: Body, x: Plane, y: Plane, t: float) -> Shapes:
    """All borders on the plane ``t``; ``x`` and ``y`` are (rows, columns) in mm."""
    a, b, height = body.half_width_mm, body.half_depth_mm, body.height_mm
    shoulder = 1 + 0.07 * (1 - ramp(t, 0.0, 0.22))
    outline = (_power(x / (a * shoulder)) + _power(y / b) - 1) * (b / 2.5)
    # The furrow of the back.
    outline = outline + 7.0 * np.exp(-((x / 14.0) ** 2)) * np.clip((y - 0.8 * b) / (0.1 * b), 0, 1)
    wide, deep, back = thorax_axes(body, t)
    thorax = (_power(x / wide) + _power((y - back) / deep) - 1) * (deep / 2.5)

    spine_y = 0.46 * b + body.kyphosis
    vertebra = oval(x, y, 0, spine_y, 16 + 3 * t, 13 + 2 * t)
    canal = oval(x, y, 0, spine_y + 21 + 2 * t, 9.5, 8)
    spine_block = oval(x, y, 0, spine_y + 12, 25 + 4 * t, 27)

    heart_scale = np.sqrt(max(0.0, 1 - ((t - 0.64) / 0.22) ** 2)) * body.heart
    heart = oval(x, y, 0.15 * a, -0.22 * b, 0.40 * a * heart_scale, 0.40 * b * heart_scale)
    if heart_scale <= 0.02:
        heart = np.full_like(heart, 99.0)
    vessels = _great_vessels(body, x, y, t)
    oesophagus = oval(x, y, 6.0 + 8 * t, 0.26 * b + 6, 8.5, 6.5)
    airway, wall = _airway(body, x, y, t)

    width = 27 - 17 * ramp(t, 0.18, 0.34) * np.clip((-y) / (0.5 * b), 0, 1) + 3 * np.sin(5 * t + 1.3)
    column = np.abs(x - 3.0) - width
    mediastinum = smooth_min(column.astype(np.float32), heart - 5, 12)
    mediastinum = smooth_min(mediastinum, vessels - 3, 8)
    mediastinum = smooth_min(mediastinum, spine_block, 8)
    mediastinum = smooth_min(mediastinum, wall - 2.5, 8)

    dome = dome_height(body, x, y)
    abdomen = np.asarray((dome - t) * height * 0.6, np.float32)
    lung = np.maximum(thorax, -mediastinum)
    centre = 0.35
    if t < 0.5:
        swell = 1 + 1.2 * ramp(t, 0.10, 0.5)
        q = np.sqrt(max(0.0, 1 - (max(0.0, centre - t) / (centre - 0.05)) ** 2))
        apex = oval(np.abs(x), y, 0.34 * a, 0.12 * b, 0.30 * a * swell * q, 0.52 * b * swell * q)
        lung = np.maximum(lung, apex if q > 0.02 else np.full_like(apex, 99.0))
    lung = np.asarray(np.maximum(lung, -abdomen), np.float32)

    # Oblique fissures run from high behind to low in front.
    plane_t = 0.30 + 0.50 * (0.55 * b - y) / (1.25 * b) + 0.05 * np.cos(x / (0.3 * a))
    fissure = np.asarray(np.abs(plane_t - t) * height * 0.55, np.float32)
    liver = oval(x, y, -0.30 * a, 0.0, 0.62 * a, 0.66 * b)
    spleen = oval(x, y, 0.58 * a, 0.38 * b, 0.19 * a, 0.30 * b)
    stomach = oval(x, y, 0.36 * a, -0.20 * b, 0.26 * a, 0.33 * b)
    return Shapes(
        np.asarray(outline, np.float32),
        np.asarray(thorax, np.float32),
        lung,
        mediastinum,
        heart,
        vessels,
        airway,
        wall,
        oesophagus,
        vertebra,
        canal,
        abdomen,
        liver,
        spleen,
        stomach,
        fissure,
        _scapula(body, x, y, t),
        _sternum(body, x, y, t),
        np.maximum(stomach + 5.0, y + 0.30 * b),
    )


def _tube(x: Plane, y: Plane, t: float, a: tuple[float, ...], b: tuple[float, ...], r: float, height: float) -> Plane | None:
    """A tube from a = (x, y, t) to b cut by the plane; None when it does not reach it. Seen as a stretched ellipse."""
    low, high = min(a[2], b[2]), max(a[2], b[2])
    margin = r / height
    if not low - margin <= t <= high + margin:
        return None
    reach = max(high - low, 1e-6)
    u0 = min(max((t - margin * 0.7 - a[2]) / (b[2] - a[2] if b[2] != a[2] else reach), 0.0), 1.0)
    u1 = min(max((t + margin * 0.7 - a[2]) / (b[2] - a[2] if b[2] != a[2] else reach), 0.0), 1.0)
    px, py = a[0] + (b[0] - a[0]) * u0, a[1] + (b[1] - a[1]) * u0
    qx, qy = a[0] + (b[0] - a[0]) * u1, a[1] + (b[1] - a[1]) * u1
    over = max(0.0, low - t, t - high) * height
    radius = float(np.sqrt(max(r * r - over * over, 0.0)))
    dx, dy = qx - px, qy - py
    length = dx * dx + dy * dy
    if length < 1e-6:
        return np.asarray(np.hypot(x - px, y - py) - radius, np.float32)
    u = np.clip(((x - px) * dx + (y - py) * dy) / length, 0, 1)
    return np.asarray(np.hypot(x - px - u * dx, y - py - u * dy) - radius, np.float32)


def _union(
    x: Plane, y: Plane, t: float, height: float, tubes: list[tuple[tuple[float, ...], tuple[float, ...], float]]
) -> Plane:
    out = np.full(x.shape, 99.0, np.float32)
    for a, b, r in tubes:
        part = _tube(x, y, t, a, b, r, height)
        if part is not None:
            out = np.minimum(out, part)
    return out


def _great_vessels(body: Body, x: Plane, y: Plane, t: float) -> Plane:
    a, b = body.half_width_mm, body.half_depth_mm
    tubes = [
        ((0.02 * a, -0.22 * b, 0.56), (-0.09 * a, -0.20 * b, 0.32), 15.5),  # ascending aorta
        ((-0.09 * a, -0.20 * b, 0.32), (0.04 * a, 0.02 * b, 0.285), 14.0),  # arch
        ((0.04 * a, 0.02 * b, 0.285), (0.15 * a, 0.36 * b, 0.33), 13.0),
        ((0.15 * a, 0.36 * b, 0.33), (0.10 * a, 0.42 * b, 1.1), 11.5),  # descending aorta
        ((-0.17 * a, -0.12 * b, 0.20), (-0.17 * a, -0.10 * b, 0.55), 8.5),  # superior vena cava
        ((0.10 * a, -0.26 * b, 0.55), (0.10 * a, -0.16 * b, 0.41), 13.5),  # pulmonary trunk
        ((0.10 * a, -0.16 * b, 0.41), (0.23 * a, 0.06 * b, 0.405), 10.0),
        ((0.06 * a, -0.10 * b, 0.42), (-0.22 * a, 0.02 * b, 0.43), 9.5),
        ((-0.05 * a, -0.14 * b, 0.29), (-0.12 * a, -0.05 * b, -0.1), 6.0),  # branches of the arch
        ((0.02 * a, -0.06 * b, 0.29), (0.07 * a, 0.02 * b, -0.1), 4.5),
        ((0.07 * a, 0.05 * b, 0.29), (0.16 * a, 0.10 * b, -0.1), 5.0),
        ((-0.16 * a, -0.14 * b, 0.20), (-0.24 * a, -0.10 * b, -0.1), 7.0),
        ((-0.15 * a, -0.15 * b, 0.20), (0.20 * a, -0.14 * b, 0.06), 6.5),
        ((-0.15 * a, 0.02 * b, 0.60), (-0.12 * a, 0.10 * b, 1.1), 11.0),  # inferior vena cava
    ]
    return _union(x, y, t, body.height_mm, tubes)


def _airway(body: Body, x: Plane, y: Plane, t: float) -> tuple[Plane, Plane]:
    a, b = body.half_width_mm, body.half_depth_mm
    carina = (0.0, 0.14 * b, 0.365)
    right, left = (-0.20 * a, 0.11 * b, 0.43), (0.22 * a, 0.13 * b, 0.455)
    tubes = [
        ((0.0, 0.02 * b, -0.1), carina, 8.5),
        (carina, right, 6.8),
        (carina, left, 6.2),
        (right, (-0.28 * a, 0.16 * b, 0.53), 4.6),
        (right, (-0.30 * a, 0.02 * b, 0.39), 4.0),
        (left, (0.30 * a, 0.20 * b, 0.54), 4.4),
        (left, (0.32 * a, 0.02 * b, 0.41), 3.8),
    ]
    inner = _union(x, y, t, body.height_mm, tubes)
    return inner, np.asarray(inner - 1.6, np.float32)


def _scapula(body: Body, x: Plane, y: Plane, t: float) -> Plane:
    if t > 0.5:
        return np.full(x.shape, 99.0, np.float32)
    wide, deep, back = thorax_axes(body, t)
    out = np.full(x.shape, 99.0, np.float32)
    # A thin blade behind the ribs, thicker spine towards the shoulder.
    for side in (-1.0, 1.0):
        p = np.asarray([side * 0.46 * wide, back + 1.02 * deep + 9])
        q = np.asarray([side * (1.02 * wide + 12), back + 0.40 * deep + 14 * (1 - ramp(t, 0, 0.3))])
        d = q - p
        u = np.clip(((x - p[0]) * d[0] + (y - p[1]) * d[1]) / (d @ d), 0, 1)
        bow = 10.0 * 4 * u * (1 - u)
        nx, ny = d[1] / np.linalg.norm(d) * side, -d[0] / np.linalg.norm(d) * side
        distance = np.hypot(x - p[0] - u * d[0] - side * bow * abs(nx), y - p[1] - u * d[1] - bow * abs(ny))
        thick = 2.0 + 5.5 * u**3 * (1 - ramp(t, 0.12, 0.32))
        out = np.minimum(out, distance - thick)
    return np.asarray(out + 6 * ramp(t, 0.42, 0.5), np.float32)


def _sternum(body: Body, x: Plane, y: Plane, t: float) -> Plane:
    if not 0.14 < t < 0.72:
        return np.full(x.shape, 99.0, np.float32)
    _, deep, back = thorax_axes(body, t)
    half = 26 - 10 * ramp(t, 0.16, 0.36) - 6 * ramp(t, 0.6, 0.72)
    return oval(x, y, 0.0, back - deep - 8, half, 6.5)
