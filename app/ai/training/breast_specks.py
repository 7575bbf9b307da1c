"""Generated mammograms with clusters of calcifications of known size and contrast, and sound ones with what resembles them.

The breasts are those of ``samples.mammogram`` in every density and with 0.07 to 0.1 mm pixels; over them lie, at random:
tone, grain, sharpness, bright threads that cross, calcified vessels, single and coarse calcifications, dust, scratches.
Contrast of a speck: its height over the standard deviation of the film's fine detail (below 0.5 mm) around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.imaging.fields import blur, polyline, power_noise, spline
from app.samples.mammogram import VIEWS, generate_mammogram

Floats = npt.NDArray[np.float32]

HEIGHT_MM = 204.8
PIXELS_MM = (0.07, 0.085, 0.1)
SIZES_MM = ((0.15, 0.25), (0.25, 0.4), (0.4, 0.6))
CONTRASTS = ((2.0, 4.0), (4.0, 7.0), (7.0, 14.0))


@dataclass(frozen=True)
class DrawnCluster:
    x_mm: float
    y_mm: float
    radius_mm: float
    specks: int
    diameter_mm: float
    contrast: float


@dataclass(frozen=True, eq=False)
class SpeckView:
    values: Floats
    pixel_mm: float
    name: str
    """RCC, LCC, RMLO or LMLO."""
    clusters: tuple[DrawnCluster, ...]
    vessels: int
    """Calcified vessels drawn: no cluster, though of calcium."""


def speck_view(seed: int, with_cluster: bool | None = None) -> SpeckView:
    """One view; half of all seeds carry one or two clusters unless told."""
    rng = np.random.default_rng([seed, 77])
    name = VIEWS[int(rng.integers(4))]
    pixel_mm = float(rng.choice(PIXELS_MM))
    rows = int(HEIGHT_MM / pixel_mm) // 16 * 16
    made = generate_mammogram(
        int(rng.integers(1 << 30)),
        density=float(rng.uniform(0.08, 0.85)),
        shape=(rows, rows * 3 // 4),
        views=(name,),
        threads=1,
    )[0]
    mm = made.pixel_mm
    film = made.pixels.astype(np.float32) / 3100.0
    body = cv2.erode((film > 0.06).astype(np.uint8), np.ones((9, 9), np.uint8), iterations=max(1, round(1.0 / mm))) > 0
    film = _styled(rng, film, mm)
    added = np.zeros(film.shape, np.float32)
    noise = _fine_noise(film, body, mm)
    _threads(rng, added, body, noise, mm)
    vessels = _vessels(rng, added, body, noise, mm) if rng.random() < 0.2 else 0
    _singles(rng, added, body, noise, mm)
    drawn = []
    wanted = rng.random() < 0.5 if with_cluster is None else with_cluster
    for _ in range(0 if not wanted else 1 if rng.random() < 0.75 else 2):
        one = _cluster(rng, added, body, noise, mm)
        if one is not None:
            drawn.append(one)
    film = film + added
    _artefacts(rng, film, noise, mm)
    film = np.clip(film, 0, 1.6)
    return SpeckView(np.ascontiguousarray(film, np.float32), mm, name, tuple(drawn), vessels)


def inserted(film: Floats, body: npt.NDArray[np.bool_], mm: float, seed: int) -> tuple[Floats, DrawnCluster | None]:
    """A film of any machine with one drawn cluster at a place of ``body``: its own tissue and grain lie around it."""
    rng = np.random.default_rng([seed, 5])
    added = np.zeros(film.shape, np.float32)
    drawn = _cluster(rng, added, body, _fine_noise(film, body, mm), mm)
    return film + added, drawn


def _styled(rng: np.random.Generator, film: Floats, mm: float) -> Floats:
    """Tone, sharpness and grain of another machine; a quarter looks like a digitised film."""
    inside = film > 0.02
    tone = np.where(inside, np.power(np.maximum(film, 1e-3), np.float32(rng.uniform(0.7, 1.5))), 0).astype(np.float32)
    tone = blur(tone, float(rng.uniform(0.0, 0.09)) / mm)
    shape = film.shape
    white = rng.standard_normal(shape, dtype=np.float32)
    grain = blur(white, float(rng.uniform(0.0, 0.09)) / mm)
    grain /= max(float(grain.std()), 1e-6)
    amount = float(np.exp(rng.uniform(np.log(0.003), np.log(0.03))))
    if rng.random() < 0.5:  # quanta: noisier where less arrives, or where the processing lifts the dark
        grain *= np.sqrt(np.clip(rng.choice([tone, 1.2 - tone]), 0.1, 1.3))
    detail = power_noise(rng, (512, 512), float(rng.uniform(1.5, 3.2)), longest_px=float(rng.uniform(12, 60)))
    repeats = (-(-shape[0] // 512), -(-shape[1] // 512))
    texture = np.tile(detail.astype(np.float32), repeats)[: shape[0], : shape[1]] * float(rng.uniform(0.0, 0.03))
    return np.asarray(tone + (amount * grain + texture * np.minimum(tone * 1.5, 1.0)) * inside, np.float32)


def _fine_noise(film: Floats, body: npt.NDArray[np.bool_], mm: float) -> Floats:
    fine = film - blur(film, 0.5 / mm)
    weight = body.astype(np.float32)
    small = tuple(max(1, round(n * mm)) for n in film.shape[::-1])  # cells of a millimetre
    above = cv2.GaussianBlur(cv2.resize(fine * fine * weight, small, interpolation=cv2.INTER_AREA), (0, 0), 3.0)
    below = cv2.GaussianBlur(cv2.resize(weight, small, interpolation=cv2.INTER_AREA), (0, 0), 3.0)
    level = np.sqrt(above / np.maximum(below, 1e-3)).astype(np.float32)
    return cv2.resize(level, film.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _spot(image: Floats, x: float, y: float, radius: float, value: float, stretch: float = 1.0, turn: float = 0.0) -> None:
    """A grain with a soft edge; lengths in pixels, its light spread over pixels as a detector would."""
    half = int(np.ceil(radius * stretch * 2.2 + 2))
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    if not (half <= x0 < image.shape[1] - half and half <= y0 < image.shape[0] - half):
        return
    fine = 3
    steps = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half
    dx, dy = np.meshgrid(steps + x0 - x, steps + y0 - y)
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    v = -dx * np.sin(turn) + dy * np.cos(turn)
    full = np.exp(-(((u * u + v * v) / max(radius, 0.2) ** 2) ** 2))
    spot = full.reshape(2 * half + 1, fine, 2 * half + 1, fine).mean((1, 3))
    image[y0 - half : y0 + half + 1, x0 - half : x0 + half + 1] += np.float32(value) * spot.astype(np.float32)


def _place(
    rng: np.random.Generator, body: npt.NDArray[np.bool_], mm: float, edge_mm: float = 8.0
) -> tuple[float, float] | None:
    """(x, y) in pixels, that far from skin and border."""
    half = round(edge_mm / mm)
    for _ in range(60):
        y, x = int(rng.integers(half, body.shape[0] - half)), int(rng.integers(half, body.shape[1] - half))
        if all(body[y + a * half, x + b * half] for a in (-1, 0, 1) for b in (-1, 0, 1)):
            return float(x), float(y)
    return None


def _cluster(
    rng: np.random.Generator, image: Floats, body: npt.NDArray[np.bool_], noise: Floats, mm: float
) -> DrawnCluster | None:
    where = _place(rng, body, mm)
    if where is None:
        return None
    size = float(rng.uniform(*SIZES_MM[int(rng.integers(len(SIZES_MM)))]))
    contrast = float(rng.uniform(*CONTRASTS[int(rng.integers(len(CONTRASTS)))]))
    count, radius = int(rng.integers(5, 22)), float(rng.uniform(2.0, 5.0))
    narrow, turn = float(rng.uniform(0.35, 1.0)), float(rng.uniform(0, np.pi))
    level = float(noise[int(where[1]), int(where[0])])
    drawn: list[tuple[float, float]] = []
    for _ in range(count):
        r, angle = radius * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        a, b = r * np.cos(angle), narrow * r * np.sin(angle)
        dx, dy = a * np.cos(turn) - b * np.sin(turn), a * np.sin(turn) + b * np.cos(turn)
        x, y = where[0] + dx / mm, where[1] + dy / mm
        diameter = size * float(rng.uniform(0.7, 1.4))
        value = level * contrast * float(rng.uniform(0.6, 1.4))
        stretch = float(rng.uniform(1.0, 2.0))
        _spot(image, x, y, diameter / 2 / mm, value, stretch, float(rng.uniform(0, np.pi)))
        drawn.append((x, y))
    x, y = np.mean(drawn, axis=0)
    reach = float(np.hypot(*(np.asarray(drawn) - [x, y]).T).max()) * mm
    return DrawnCluster((x + 0.5) * mm, (y + 0.5) * mm, max(reach, 2.0), count, size, contrast)


def _threads(rng: np.random.Generator, image: Floats, body: npt.NDArray[np.bool_], noise: Floats, mm: float) -> None:
    """Bright threads, some crossing others: their crossings are points."""
    for _ in range(int(rng.integers(4, 30))):
        where = _place(rng, body, mm, 3.0)
        if where is None:
            continue
        angle, length = rng.uniform(0, np.pi), rng.uniform(4, 40) / mm
        half = np.asarray([np.cos(angle), np.sin(angle)]) * length / 2
        bend = rng.normal(0, 0.12, 2) * length
        curve = spline([tuple(where - half), tuple(where + bend), tuple(where + half)], 40)
        line = polyline(image.shape, curve, float(rng.uniform(0.12, 0.7)) / mm)
        level = float(noise[int(where[1]), int(where[0])]) * float(rng.uniform(0.5, 5.0))
        x0, y0 = np.floor(curve.min(0)).astype(int) - 20
        x1, y1 = np.ceil(curve.max(0)).astype(int) + 20
        part = (slice(max(0, y0), max(1, y1)), slice(max(0, x0), max(1, x1)))
        image[part] += np.float32(level) * blur(np.ascontiguousarray(line[part]), float(rng.uniform(0.4, 1.5)))


def _vessels(rng: np.random.Generator, image: Floats, body: npt.NDArray[np.bool_], noise: Floats, mm: float) -> int:
    """One or two arteries with calcium in both walls, broken into grains."""
    found = 0
    for _ in range(int(rng.integers(1, 3))):
        where = _place(rng, body, mm, 12.0)
        if where is None:
            continue
        angle, length = rng.uniform(0, np.pi), rng.uniform(15, 60) / mm
        half = np.asarray([np.cos(angle), np.sin(angle)]) * length / 2
        curve = spline([tuple(where - half), tuple(where + rng.normal(0, 0.1, 2) * length), tuple(where + half)], 400)
        across = np.stack([-np.gradient(curve[:, 1]), np.gradient(curve[:, 0])], 1)
        across /= np.maximum(np.hypot(*across.T), 1e-6)[:, None]
        wall = rng.uniform(0.5, 1.3) / mm
        level = float(noise[int(where[1]), int(where[0])]) * float(rng.uniform(3, 12))
        for side in (-1, 1):
            for at in np.nonzero(rng.random(400) < rng.uniform(0.05, 0.25))[0]:
                x, y = curve[at] + side * wall * across[at]
                turn = float(np.arctan2(-across[at][0], across[at][1]))
                size, stretch = float(rng.uniform(0.1, 0.2)) / mm, float(rng.uniform(1, 3))
                _spot(image, x, y, size, level * float(rng.uniform(0.4, 1.2)), stretch, turn)
        found += 1
    return found


def _singles(rng: np.random.Generator, image: Floats, body: npt.NDArray[np.bool_], noise: Floats, mm: float) -> None:
    """Scattered grains, never three within a centimetre, and coarse benign calcium."""
    kept: list[tuple[float, float]] = []
    for n in range(int(rng.integers(0, 14))):
        where = _place(rng, body, mm, 4.0)
        if where is None or sum(np.hypot(where[0] - x, where[1] - y) * mm < 12 for x, y in kept) > 1:
            continue
        kept.append(where)
        coarse = n < 2 and rng.random() < 0.4
        radius = float(rng.uniform(0.5, 1.8) if coarse else rng.uniform(0.08, 0.3)) / mm
        value = float(noise[int(where[1]), int(where[0])]) * float(rng.uniform(3, 15))
        _spot(image, *where, radius, value, float(rng.uniform(1, 1.8)), float(rng.uniform(0, np.pi)))


def _artefacts(rng: np.random.Generator, film: Floats, noise: Floats, mm: float) -> None:
    """Dust (sharp single pixels, bright and dark), a scratch, a row that a detector read too high."""
    typical = float(np.median(noise[noise > 0])) if (noise > 0).any() else 0.01
    for _ in range(int(rng.integers(0, 25))):
        y, x = int(rng.integers(2, film.shape[0] - 2)), int(rng.integers(2, film.shape[1] - 2))
        film[y, x] += typical * float(rng.uniform(-8, 8))
    if rng.random() < 0.3:
        ends = [(float(rng.uniform(0, film.shape[1])), float(rng.uniform(0, film.shape[0]))) for _ in range(2)]
        film += polyline(film.shape, np.asarray(ends), 1.0) * np.float32(typical * rng.uniform(1, 6))
    if rng.random() < 0.1:
        film[int(rng.integers(film.shape[0]))] += np.float32(typical * rng.uniform(0.3, 1.5))
