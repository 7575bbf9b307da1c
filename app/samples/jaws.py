"""Jaws of the panoramic film: where teeth stand, and everything behind them as attenuation.

Positions are in pixels of a film of 2048 x 1024; other sizes are scaled. The patient's right is on the left of the film.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.imaging.fields import (
    Image,
    Points,
    blur,
    bulge,
    depth_inside,
    polygon,
    polyline,
    power_noise,
    resize,
    sample,
    smooth_step,
    spline,
)
from app.samples.teeth import ALL_TEETH, LOWER, UPPER, ToothShape, is_upper, kind, place, tooth_shape, width_of

COLUMNS, ROWS = 2048, 1024
_MIDDLE = 1024.0


@dataclass(frozen=True, eq=False)
class PlacedTooth:
    """A tooth with its place on the film; ``put`` gives film pixels."""

    shape: ToothShape
    edge: tuple[float, float]
    angle_rad: float
    upper: bool
    mirror: bool
    scale: float

    def put(self, points: Points) -> npt.NDArray[np.float64]:
        return place(points, self.edge, self.angle_rad, self.upper, self.mirror) * self.scale


class Mouth:
    """Geometry and random fields of one film."""

    def __init__(self, rng: np.random.Generator, columns: int) -> None:
        self.rng = rng
        self.scale = columns / COLUMNS
        self.shape = (round(ROWS * self.scale), columns)
        self.shift = float(rng.normal(0, 8))
        self.smile = float(rng.uniform(44, 80))
        self.gap = float(rng.uniform(10, 20))
        self.spread = float(rng.uniform(0.94, 0.985))
        self.bone = power_noise(rng, (256, 512), 2.1, longest_px=30, shortest_px=1.2)
        self.cloud = power_noise(rng, (128, 256), 3.2)
        self.shapes = {fdi: tooth_shape(fdi, rng) for fdi in ALL_TEETH}
        self.jitter = {fdi: rng.normal(0, 1, 3) for fdi in ALL_TEETH}

    def occlusal_y(self, x: float) -> float:
        t = (x - _MIDDLE - self.shift) / 500.0
        return 560.0 - self.smile * t * t

    def tooth(self, fdi: int, lean_deg: float | None) -> PlacedTooth:
        upper, n = is_upper(fdi), kind(fdi)
        right = fdi // 10 in (1, 4)
        row = UPPER if upper else LOWER
        across = sum(width_of(f) * self.spread for f in row if f // 10 == fdi // 10 and kind(f) < n)
        across += width_of(fdi) * self.spread / 2
        x = _MIDDLE + self.shift + (-across if right else across)
        step = self.jitter[fdi]
        y = self.occlusal_y(x) + (-self.gap / 2 if upper else self.gap / 2) + float(step[0]) * 3
        if n == 3:
            y += 2 if upper else -4
        # Roots lean away from the midline, most in the lower molars; upper incisors a little too.
        lean = (3.0 + 1.1 * n) if upper else (1.0 + 0.45 * n + max(0, n - 5) * 5.0)
        angle = np.deg2rad(lean + float(step[1]) * 2.2) * (-1.0 if right else 1.0)
        if lean_deg is not None:
            angle += np.deg2rad(lean_deg) * (-1.0 if right else 1.0)
            depth = 40 + 0.5 * lean_deg if not upper else 60
            y += -depth if upper else depth
            x += (-18.0 if right else 18.0) * (1 + lean_deg / 60)
        return PlacedTooth(self.shapes[fdi], (x, y), float(angle), upper, right, self.scale)


def _both(points: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """A curve of the patient's right (film left) and its mirror image."""
    return points, [(2 * _MIDDLE - x, y) for x, y in points]


def draw_jaws(mouth: Mouth) -> Image:
    """Attenuation of bones, air and soft tissue without teeth."""
    shape, s = mouth.shape, mouth.scale
    half = (shape[0] // 2, shape[1] // 2)
    y, x = np.mgrid[0 : half[0], 0 : half[1]].astype(np.float32) * np.float32(2.0 / s)
    cloud = resize(mouth.cloud, half)
    # Soft tissue of the head, thinner at the rims; the spine's ghost in the middle and its vertebrae at the sides.
    mu = 0.60 + 0.075 * cloud
    mu = mu - 0.30 * smooth_step(y, 900, 1040) - 0.10 * smooth_step(y, 130, 0)
    centre = np.abs(x - _MIDDLE)
    mu = mu + 0.30 * np.exp(-((centre / 150) ** 2)) * (0.65 + 0.35 * smooth_step(y, 300, 800))
    mu = mu - 0.10 * smooth_step(centre, 640, 820) * smooth_step(y, 180, 420)
    column = smooth_step(centre, 880, 985)
    discs = 0.5 + 0.5 * np.cos((y + (centre - 900) * 0.45 + 12 * cloud) * np.float32(2 * np.pi / 168))
    mu = mu + column * (0.28 + 0.15 * smooth_step(discs, 0.05, 0.6) + 0.06 * cloud)
    # Blurred ghosts of the opposite ramus, higher and larger than the original.
    ghost = (
        np.exp(-(((y - 330 + 0.28 * (centre - 500)) / 120) ** 2))
        * smooth_step(centre, 330, 560)
        * smooth_step(centre, 990, 800)
    )
    mu = mu + 0.13 * ghost
    mu = mu + 0.12 * np.exp(-(((y - 700 - 0.16 * centre) / 80) ** 2)) * smooth_step(centre, 950, 500)
    # Air: nasal passages, the space over the tongue, the pharynx behind the ramus.
    nose = np.exp(-(((centre - 92) / 52) ** 4)) * smooth_step(y, 20, 60) * smooth_step(y, 300, 262)
    mu = mu - 0.36 * nose
    turbinate = np.exp(-(((centre - 96) / 30) ** 2) - ((y - 205) / 46) ** 2)
    mu = mu + 0.26 * turbinate
    arc = y - (372 + 95 * (centre / 520) ** 2)
    air = np.exp(-((arc / 34) ** 4)) * smooth_step(centre, 660, 520)
    mu = mu - 0.22 * air * (0.55 + 0.45 * smooth_step(centre, 40, 220))
    pharynx = np.exp(-(((centre - 800 + (y - 600) * 0.10) / 46) ** 4)) * smooth_step(y, 330, 420) * smooth_step(y, 980, 820)
    mu = mu - 0.20 * pharynx
    between = y - (560 - 60 * (centre / 500) ** 2)
    mu = mu - 0.12 * np.exp(-((between / 20) ** 2)) * smooth_step(centre, 620, 420)
    mu = resize(blur(mu.astype(np.float32), 3 * s), shape)

    _maxilla(mouth, mu)
    _mandible(mouth, mu)
    return mu


def _line(mouth: Mouth, mu: Image, points: list[tuple[float, float]], width: float, value: float, soft: float) -> None:
    curve = spline(points, 120) * mouth.scale
    mu += blur(polyline(mu.shape, curve, width * mouth.scale), soft * mouth.scale) * np.float32(value)


def _region(mouth: Mouth, points: list[tuple[float, float]], soft: float) -> Image:
    curve = spline(points, 200, closed=True) * mouth.scale
    return blur(polygon(mouth.shape, curve), soft * mouth.scale)


def _maxilla(mouth: Mouth, mu: Image) -> None:
    bone = _tiles(mouth)
    upper = [(520.0, 330.0), (800.0, 300.0), (1024.0, 292.0), (1248.0, 300.0), (1528.0, 330.0)]
    crest = [(x, mouth.occlusal_y(x) - 84) for x in (1545.0, 1400.0, 1200.0, 1024.0, 848.0, 648.0, 503.0)]
    area = _region(mouth, upper + crest, 9)
    mu += area * (0.22 + 0.03 * bone)
    _line(mouth, mu, [(540, 322), (760, 300), (1024, 288), (1288, 300), (1508, 322)], 8, 0.34, 3.5)
    _line(mouth, mu, [(440, 352), (700, 344), (1024, 338), (1348, 344), (1608, 352)], 16, 0.10, 10)
    _line(mouth, mu, [(1024 + mouth.shift, 20), (1018, 120), (1030, 210), (1026, 290)], 15, 0.24, 5)
    for edge in _both([(932, 292), (888, 240), (884, 130), (930, 30)]):
        _line(mouth, mu, edge, 12, 0.20, 5)
    for sinus in _both(
        [
            (566, 262),
            (586, 170),
            (660, 112),
            (790, 100),
            (872, 150),
            (880, 262),
            (820, 330),
            (760, 352),
            (700, 392),
            (636, 380),
            (590, 330),
        ]
    ):
        inside = _region(mouth, sinus, 3)
        mu -= inside * np.float32(0.13)
        _line(mouth, mu, [*sinus, sinus[0]], 6, 0.17, 2.4)
    for wall in _both([(562, 60), (556, 200), (590, 330), (560, 390)]):
        _line(mouth, mu, wall, 22, 0.20, 7)
    for orbit in _both([(500, 88), (590, 104), (720, 96), (800, 50)]):
        _line(mouth, mu, orbit, 20, 0.22, 7)
    for arch in _both([(566, 300), (470, 246), (360, 214), (240, 196), (120, 168)]):
        _line(mouth, mu, arch, 40, 0.17, 10)
        _line(mouth, mu, [(px, py + 20) for px, py in arch], 6, 0.17, 2.5)
    for temple in _both([(20, 150), (140, 138), (232, 176), (318, 168), (420, 190)]):
        _line(mouth, mu, temple, 64, 0.22, 16)
        _line(mouth, mu, [(px, py + 30) for px, py in temple], 7, 0.20, 3)
    for styloid in _both([(120, 260), (160, 420), (210, 540)]):
        _line(mouth, mu, styloid, 12, 0.12, 4)
    for pterygoid in _both([(540, 380), (520, 440), (530, 480)]):
        _line(mouth, mu, pterygoid, 20, 0.12, 6)


def _tiles(mouth: Mouth) -> Image:
    rows, columns = mouth.shape
    grid = 3.4 * mouth.scale
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / np.float32(grid)
    return sample(mouth.bone, x % 512, y % 256, wrap=True)


def _mandible(mouth: Mouth, mu: Image) -> None:
    bone = _tiles(mouth)
    drop = float(mouth.rng.normal(0, 8))
    side = [
        (214.0, 262.0),
        (196.0, 226.0),
        (222.0, 198.0),
        (262.0, 208.0),
        (276.0, 246.0),
        (300.0, 330.0),
        (352.0, 366.0),
        (392.0, 318.0),
        (420.0, 300.0),
        (438.0, 340.0),
        (452.0, 430.0),
        (500.0, 520.0),
    ]  # condyle, notch, coronoid, front edge of the ramus of the patient's right
    back = [(240.0, 330.0), (250.0, 440.0), (262.0, 560.0), (296.0, 680.0), (368.0, 770.0 + drop)]
    low = [(520.0, 846.0 + drop), (720.0, 912.0 + drop), (880.0, 940.0 + drop), (1024.0, 944.0 + drop)]
    crest = [(x, mouth.occlusal_y(x) + 92) for x in (560.0, 700.0, 860.0, 1024.0)]

    def mirror(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(2 * _MIDDLE - x, y) for x, y in reversed(points)]

    top = side + crest
    outside = spline([*reversed(low), *reversed(back), side[0]], 260)
    right_rim = np.stack([2 * _MIDDLE - outside[::-1, 0], outside[::-1, 1]], axis=1)
    ring = np.concatenate([spline(top + mirror(top)[1:], 600), right_rim, outside])
    mask = polygon(mouth.shape, ring * mouth.scale)
    depth = depth_inside(mask > 0.5) / np.float32(mouth.scale)
    body = bulge(depth, 34)
    soft = blur(mask, 1.2 * mouth.scale)
    mu += soft * (0.26 * body + 0.042 * bone * smooth_step(depth, 5, 20))
    cortex = np.exp(-(((depth - 4.5) / 4.5) ** 2)) * soft
    y = np.arange(mouth.shape[0], dtype=np.float32)[:, None] / np.float32(mouth.scale)
    mu += cortex * (0.12 + 0.22 * smooth_step(np.broadcast_to(y, mouth.shape).astype(np.float32), 680, 820))
    # Inferior alveolar canal with its two rims, and the mental foramen.
    canal = [(330.0, 470.0), (360.0, 600.0), (450.0, 720.0), (580.0, 794.0), (700.0, 812.0), (778.0, 780.0)]
    for course in _both(canal):
        _line(mouth, mu, course, 17, -0.12, 2)
        for shift in (-10, 10):
            _line(mouth, mu, [(px, py + shift) for px, py in course], 3, 0.075, 1.5)
    for ridge in _both([(450, 450), (520, 580), (620, 690), (760, 750)]):
        _line(mouth, mu, ridge, 20, 0.07, 8)
    for hyoid in _both([(400, 960), (520, 930), (640, 952)]):
        _line(mouth, mu, hyoid, 22, 0.14, 6)
    _line(mouth, mu, [(930, 905 + drop), (1024, 890 + drop), (1118, 905 + drop)], 12, 0.10, 5)
