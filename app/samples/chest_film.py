"""Chest films, PA: each body of the chest is given as its path length along the beam, summed and read as Beer-Lambert says.

Millimetres on the film: x from the midline (the patient's right is on the left, negative), y from the upper edge.
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
    polylines,
    power_noise,
    resize,
    smooth_step,
    spline,
)

WIDTH_MM, HEIGHT_MM = 350.0, 420.0
SOFT_PER_MM, LUNG_SHARE, BONE_PER_MM = 0.020, 0.36, 0.048
"""Attenuation of soft tissue per mm, of aerated lung as a share of it, and of bone beyond soft tissue."""


@dataclass(frozen=True)
class FilmNodule:
    """A round shadow of soft tissue; ``x_mm`` negative in the patient's right lung."""

    x_mm: float
    y_mm: float
    diameter_mm: float


@dataclass(frozen=True)
class FilmNoduleTruth:
    """``box_px`` (x0, y0, x1, y1) in ``image_px``."""

    centre_px: tuple[float, float]
    box_px: tuple[float, float, float, float]
    diameter_mm: float


@dataclass(frozen=True, eq=False)
class ChestFilm:
    """``pixels`` (rows, columns) uint16 of 12 bits, dense is bright."""

    pixels: npt.NDArray[np.uint16]
    pixel_mm: float
    nodules: tuple[FilmNoduleTruth, ...]
    lungs: npt.NDArray[np.bool_]
    """Where the lungs lie, at a quarter of the resolution."""


class _Grid:
    """Work grid of 0.4 mm for a film of ``pixel_mm``."""

    def __init__(self, rows: int, columns: int) -> None:
        self.shape = (rows // 2, columns // 2)
        self.mm = WIDTH_MM / self.shape[1]
        y, x = np.mgrid[0 : self.shape[0], 0 : self.shape[1]].astype(np.float32)
        self.x = (x + 0.5) * np.float32(self.mm) - np.float32(WIDTH_MM / 2)
        self.y = (y + 0.5) * np.float32(self.mm)

    def px(self, points: Points) -> Points:
        return np.asarray((points + np.array([WIDTH_MM / 2, 0.0])) / self.mm - 0.5, np.float64)

    def area(self, points: list[tuple[float, float]], soft_mm: float) -> Image:
        return blur(polygon(self.shape, self.px(spline(points, 240, closed=True))), soft_mm / self.mm)

    def line(self, points: Points, width_mm: float, soft_mm: float) -> Image:
        return blur(polyline(self.shape, self.px(points), width_mm / self.mm), soft_mm / self.mm)

    def ball(self, x: float, y: float, a: float, b: float, turn_deg: float = 0.0) -> Image:
        """Path share 0..1 through an ellipsoid."""
        c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
        reach = max(a, b)
        rows = slice(max(0, int((y - reach) / self.mm)), max(0, int((y + reach) / self.mm) + 2))
        left = x + WIDTH_MM / 2
        columns = slice(max(0, int((left - reach) / self.mm)), max(0, int((left + reach) / self.mm) + 2))
        dx, dy = self.x[rows, columns] - np.float32(x), self.y[rows, columns] - np.float32(y)
        u = (dx * np.float32(c) + dy * np.float32(s)) / np.float32(a)
        v = (dy * np.float32(c) - dx * np.float32(s)) / np.float32(b)
        share = np.zeros(self.shape, np.float32)
        share[rows, columns] = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        return share


def generate_chest_film(
    seed: int = 1,
    *,
    nodules: tuple[FilmNodule, ...] = (),
    columns: int = 1750,
    female: bool = False,
    exam: int = 0,
) -> ChestFilm:
    """A PA film of ``columns`` x 1.2 ``columns`` pixels. ``exam`` repeats the person with other noise and breath."""
    rng = np.random.default_rng([seed, 5501])
    other = np.random.default_rng([seed, 5502, exam])
    rows = round(columns * HEIGHT_MM / WIDTH_MM)
    grid = _Grid(rows, columns)
    wide = 1.0 + float(rng.uniform(-0.04, 0.04))
    breath = float(other.normal(0, 3))

    lungs, path = _lungs(grid, wide, breath)
    body = _body(grid, female)
    middle = _mediastinum(grid, rng)
    # Soft tissue fills the body; air of the lungs is taken out of it; the heart pushes the lung aside.
    air = path * (1 - 0.86 * np.clip(middle / 105, 0, 1))
    soft_mm = body - air * np.float32(1 - LUNG_SHARE)
    soft_mm = soft_mm + _vessels(grid, rng, lungs)
    soft_mm = soft_mm - _airways(grid)
    soft_mm = soft_mm - 46 * grid.ball(78, 322 + breath, 34, 17, -12)  # gas in the stomach
    haze = resize(power_noise(rng, (168, 140), 2.6, longest_px=60), grid.shape)
    soft_mm = soft_mm + haze * 1.6
    for nodule in nodules:
        r = nodule.diameter_mm / 2
        lump = grid.ball(nodule.x_mm, nodule.y_mm, r * 1.08, r * 0.95, 30) * (1 + 0.12 * haze)
        soft_mm = soft_mm + blur(lump, 0.9 / grid.mm) * nodule.diameter_mm * np.float32(0.95)
    bone_mm = _skeleton(grid, rng, wide, breath)
    total = soft_mm * SOFT_PER_MM + bone_mm * BONE_PER_MM
    pixels = _expose(other, grid, total.astype(np.float32), body, (rows, columns))
    truths = tuple(_truth(n, columns) for n in nodules)
    small = resize(lungs, (rows // 4, columns // 4)) > 0.5
    return ChestFilm(pixels, WIDTH_MM / columns, truths, small)


def _truth(nodule: FilmNodule, columns: int) -> FilmNoduleTruth:
    per_mm = columns / WIDTH_MM
    x, y = (nodule.x_mm + WIDTH_MM / 2) * per_mm, nodule.y_mm * per_mm
    half = nodule.diameter_mm / 2 * per_mm
    return FilmNoduleTruth((x, y), (x - half, y - half, x + half, y + half), nodule.diameter_mm)


def _lungs(grid: _Grid, wide: float, breath: float) -> tuple[Image, Image]:
    """Silhouette 0..1 and path length of air-filled lung (mm)."""
    right = [
        (-52, 50),
        (-32, 62),
        (-22, 92),
        (-19, 140),
        (-21, 200),
        (-24, 262),
        (-20, 300 + breath),
        (-48, 285 + breath),
        (-82, 277 + breath),
        (-112, 292 + breath),
        (-133, 318 + breath),
        (-142, 336 + breath),
        (-146, 318 + breath),
        (-146, 270),
        (-141, 210),
        (-128, 145),
        (-104, 88),
        (-76, 56),
    ]
    left = [
        (52, 52),
        (33, 62),
        (22, 92),
        (18, 140),
        (20, 200),
        (22, 262),
        (22, 306 + breath),
        (50, 298 + breath),
        (84, 289 + breath),
        (114, 302 + breath),
        (134, 326 + breath),
        (143, 344 + breath),
        (147, 326 + breath),
        (147, 274),
        (142, 212),
        (129, 147),
        (105, 90),
        (77, 57),
    ]
    silhouette = np.zeros(grid.shape, np.float32)
    path = np.zeros(grid.shape, np.float32)
    for outline in (right, left):
        points = [(x * wide, float(y)) for x, y in outline]
        area = grid.area(points, 0.8)
        depth = depth_inside(area > 0.5) * np.float32(grid.mm)
        # Lung lies behind and below the dome of the diaphragm too.
        path += (46 * bulge(depth, 9) + 122 * bulge(depth, 62)) * area
        below = grid.area([(x, y + 26) for x, y in points], 9)
        path += 20 * np.clip(below - area, 0, 1) * smooth_step(grid.y, 250, 290)
        silhouette = np.maximum(silhouette, area)
    return silhouette, path * (0.78 + 0.22 * smooth_step(grid.y, 60, 190))


def _body(grid: _Grid, female: bool) -> Image:
    """Path length of the whole trunk (mm), 0 outside."""
    x, y = np.abs(grid.x), grid.y
    neck = 56 + 150 * smooth_step(y, 18, 74) ** 1.3
    half = np.where(y < 80, neck, 208 - 24 * smooth_step(y, 90, 250))
    inside = np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1))
    deep = 150 + 74 * smooth_step(y, 40, 230) + 26 * smooth_step(y, 280, 400)
    path = inside * deep * 1.05
    path = path + 34 * smooth_step(x, 118, 160) * smooth_step(y, 40, 130) * inside  # muscles of the shoulder and side
    path = path + 30 * smooth_step(y, 262, 345) * smooth_step(x, 165, 40)  # abdomen
    if female:
        for side in (-1, 1):
            path = path + 26 * grid.ball(82.0 * side, 262, 70, 66) * smooth_step(y, 180, 290)
    else:
        for side in (-1, 1):
            path = path + 12 * grid.ball(84.0 * side, 200, 70, 88)
    return np.asarray(path * smooth_step(inside, 0.02, 0.10), np.float32)


def _mediastinum(grid: _Grid, rng: np.random.Generator) -> Image:
    """Path length of heart, great vessels and the tissue of the middle (mm)."""
    tilt = float(rng.uniform(-32, -24))
    heart = 104 * grid.ball(26, 254, 66, 46, -tilt)
    heart = np.maximum(heart, 92 * grid.ball(-8, 252, 37, 47, 8))
    heart = np.maximum(heart, 70 * grid.ball(20, 200, 33, 44, -12))
    trunk = 74 * grid.ball(32, 171, 14, 22, -14)
    knob = 70 * grid.ball(25, 131, 17, 19)
    cava = 46 * grid.ball(-17, 165, 14, 66, 2)
    column = 84 * np.sqrt(np.clip(1 - (np.abs(grid.x - 1) / (25 + 7 * smooth_step(grid.y, 120, 40))) ** 2, 0, 1))
    aorta = (
        26 * np.sqrt(np.clip(1 - ((grid.x - 27 + 0.03 * (grid.y - 130)) / 12) ** 2, 0, 1)) * smooth_step(grid.y, 125, 145)
    )
    parts = np.maximum(np.maximum(heart, trunk), np.maximum(knob, np.maximum(cava, column)))
    return blur((parts + aorta).astype(np.float32), 0.9 / grid.mm)


def _vessels(grid: _Grid, rng: np.random.Generator, lungs: Image) -> Image:
    """Pulmonary vessels: branching trees from both hila, thinning out before the pleura."""
    layers: dict[int, list[Points]] = {}

    def grow(x: float, y: float, angle: float, width: float, generation: int) -> None:
        if generation > 7 or width < 0.55:
            return
        length = float(rng.uniform(15, 26)) * 0.93**generation
        bend = float(rng.normal(0, 0.14))
        steps = np.linspace(0, 1, 8)
        bearing = angle + bend * steps
        dx = np.concatenate([[0.0], np.cumsum(np.cos(bearing[:-1]))]) * length / 7
        dy = np.concatenate([[0.0], np.cumsum(np.sin(bearing[:-1]))]) * length / 7
        points = np.stack([x + dx, y + dy], axis=1)
        key = max(1, round(width / grid.mm))
        layers.setdefault(key, []).append(grid.px(points))
        ex, ey, ea = float(points[-1, 0]), float(points[-1, 1]), float(bearing[-1])
        fork = float(rng.uniform(0.25, 0.55))
        share = float(rng.uniform(0.35, 0.65))
        grow(ex, ey, ea + fork * share, width * float(rng.uniform(0.72, 0.86)), generation + 1)
        grow(ex, ey, ea - fork * (1 - share), width * float(rng.uniform(0.62, 0.80)), generation + 1)

    for side, hx, hy in ((-1, -30.0, 186.0), (1, 33.0, 178.0)):
        for bearing in (-75, -48, -22, 4, 28, 50, 68, 82):
            angle = np.deg2rad(bearing + float(rng.normal(0, 5)))
            if side < 0:
                angle = np.pi - angle
            start = float(rng.uniform(4.2, 6.6)) if bearing > 0 else float(rng.uniform(3.0, 4.6))
            grow(hx + side * 3, hy + bearing * 0.12, float(angle), start, 0)
    total = np.zeros(grid.shape, np.float32)
    for key, curves in sorted(layers.items()):
        total += blur(polylines(grid.shape, curves, key), max(0.6, key * 0.28)) * np.float32(key * grid.mm * 2.0)
    hila = 20 * grid.ball(-34, 186, 13, 24, 12) + 20 * grid.ball(37, 178, 13, 22, -14)
    return np.asarray((total + hila) * blur(lungs, 4.0 / grid.mm), np.float32)


def _airways(grid: _Grid) -> Image:
    """Path length of air in the trachea and main bronchi (mm)."""
    air = grid.line(spline([(-1, 10), (0, 80), (-3, 128), (-1, 156)], 60), 15, 2.2) * 12
    air += grid.line(spline([(-1, 154), (-14, 172), (-28, 186)], 40), 11, 2.0) * 8
    air += grid.line(spline([(-1, 154), (16, 170), (36, 180)], 40), 9, 2.0) * 7
    return air


def _tube(grid: _Grid, points: Points, width: float, core: float, shell: float) -> Image:
    """A long bone: dense rims, lighter marrow."""
    outer = grid.line(points, width, 0.8)
    inner = grid.line(points, width * 0.62, 1.1)
    return np.asarray(outer * shell - inner * (shell - core), np.float32)


def _skeleton(grid: _Grid, rng: np.random.Generator, wide: float, breath: float) -> Image:
    """Path length of bone (mm)."""
    bone = np.zeros(grid.shape, np.float32)
    for side in (-1.0, 1.0):
        for n in range(10):
            top = 52 + 26.5 * n + breath * 0.4 * n / 9 + float(rng.normal(0, 0.8))
            wall = (96 + 54 * (1 - np.exp(-n / 2.2))) * wide
            sink = 16 + 5.2 * n
            back = [
                (20, top),
                (38, top - 4),
                (wall * 0.55, top + sink * 0.10),
                (wall * 0.85, top + sink * 0.50),
                (wall, top + sink),
            ]
            arch = spline([(side * a, b) for a, b in back], 80)
            bone += _tube(grid, arch, 9.0 + 0.1 * n, 3.0, 5.6)
            if 0 < n < 8:
                end = 40 + 5.0 * n
                front = [
                    (wall, top + sink),
                    (wall * 0.97, top + sink + 14 + n),
                    (wall * 0.80, top + sink + 34 + 3.0 * n),
                    (end + 8, top + sink + 52 + 3.4 * n),
                ]
                curve = spline([(side * a, b) for a, b in front], 70)
                bone += _tube(grid, curve, 11.0, 1.7, 3.2)
        collar = [(14, 92), (40, 84), (84, 66), (124, 60), (158, 50)]
        bone += _tube(grid, spline([(side * a, b) for a, b in collar], 80), 12.0, 5.0, 9.0)
        blade = [(112, 82), (150, 78), (163, 110), (152, 160), (138, 214), (130, 196), (124, 140)]
        outline = [(side * a, float(b)) for a, b in blade]
        area = grid.area(outline, 1.2)
        rim = np.exp(-(((depth_inside(area > 0.5) * np.float32(grid.mm) - 1.8) / 1.8) ** 2)) * area
        bone += area * 1.8 + rim * 3.0
        bone += 11 * grid.ball(side * 168, 76, 23, 25)
        bone += grid.line(spline([(side * 170, 80), (side * 182, 200)], 30), 24, 1.5) * 7
    # Vertebrae with discs, pedicles and the row of spinous processes.
    for n in range(15):
        cy = 22 + 27.0 * n
        width = 15 + 0.35 * n
        area = grid.area(
            [
                (-width, cy - 10),
                (0, cy - 11),
                (width, cy - 10),
                (width - 2.5, cy),
                (width, cy + 10),
                (0, cy + 11),
                (-width, cy + 10),
                (-width + 2.5, cy),
            ],
            1.0,
        )
        rim = np.exp(-(((depth_inside(area > 0.5) * np.float32(grid.mm) - 1.5) / 1.5) ** 2)) * area
        bone += area * 3.6 + rim * 2.6
        for side in (-1.0, 1.0):
            bone += 4 * grid.ball(side * (width - 5), cy - 2, 3.4, 5.0)
        bone += 4 * grid.ball(0, cy + 8, 3.0, 7.0)
    sternum = grid.area([(-20, 90), (0, 86), (20, 90), (14, 112), (0, 116), (-14, 112)], 2.0)
    return np.asarray(bone + 3.5 * sternum, np.float32)


def _expose(
    rng: np.random.Generator, grid: _Grid, total: Image, body: Image, shape: tuple[int, int]
) -> npt.NDArray[np.uint16]:
    # What a detector's processing does: the coarse part is compressed, detail is kept.
    small = resize(total, (grid.shape[0] // 8, grid.shape[1] // 8))
    coarse = resize(blur(small, 13), grid.shape, smooth=False)
    image = total - np.float32(0.50) * coarse
    low, high = 0.28, 3.35
    grey = np.clip((image - low) / (high - low), 0, None)
    grey = grey**0.92
    grey = (1 - np.exp(-np.float32(1.7) * grey)) / np.float32(1 - np.exp(-1.7))
    outside = smooth_step(body, 30, 2)
    grey = grey * (1 - outside)
    full = resize(grey.astype(np.float32), shape)
    tile = power_noise(rng, (512, 512), 0.3, shortest_px=1.1)
    repeats = (-(-shape[0] // 512), -(-shape[1] // 512))
    noise = np.tile(tile, repeats)[: shape[0], : shape[1]]
    full = full + noise * (np.float32(0.006) + np.float32(0.010) * np.clip(full, 0, 1))
    return np.rint(np.clip(full, 0, 1.1) * 3500 + 120).astype(np.uint16)
