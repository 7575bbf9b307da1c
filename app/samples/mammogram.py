"""Mammograms: four views with outline, pectoral muscle, fibroglandular tissue of power-law texture, ligaments and vessels.

Every view is drawn with the chest wall on the left (as a left breast hangs) and mirrored for the right breast. Lesions
are given by their place in the breast and appear in both views of it, as a real one would.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.imaging.fields import (
    Image,
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

VIEWS = ("RCC", "LCC", "RMLO", "LMLO")
PIXEL_MM = 0.1


@dataclass(frozen=True)
class Lesion:
    """``kind`` mass or calcifications, in one breast. Lengths are shares of the breast: ``depth`` from the nipple (0)
    to the chest wall (1), ``lateral`` -1 medial to 1 lateral (seen in CC), ``height`` -1 low to 1 high (seen in MLO)."""

    side: str = "R"
    kind: str = "mass"
    depth: float = 0.45
    lateral: float = 0.35
    height: float = 0.35
    diameter_mm: float = 14.0


@dataclass(frozen=True)
class LesionTruth:
    """Where a lesion lies on one view; ``box_px`` (x0, y0, x1, y1), corner origin."""

    kind: str
    view: str
    centre_px: tuple[float, float]
    box_px: tuple[float, float, float, float]
    diameter_mm: float


@dataclass(frozen=True, eq=False)
class MammogramView:
    """One view ``pixels`` (rows, columns) uint16 of 12 bits, dense tissue bright, air 0."""

    name: str
    pixels: npt.NDArray[np.uint16]
    pixel_mm: float
    lesions: tuple[LesionTruth, ...]

    @property
    def laterality(self) -> str:
        return self.name[0]

    @property
    def view_position(self) -> str:
        return self.name[1:]

    @property
    def patient_orientation(self) -> tuple[str, str]:
        """Row and column direction (PS3.3 C.7.6.1.1.1): chest walls meet in the middle, axilla on top."""
        right = self.laterality == "R"
        if self.view_position == "CC":
            return ("P", "L") if right else ("A", "R")
        return ("P", "FL") if right else ("A", "FR")


def generate_mammogram(
    seed: int = 1,
    *,
    density: float = 0.45,
    lesions: tuple[Lesion, ...] = (),
    shape: tuple[int, int] = (2048, 1536),
    views: tuple[str, ...] = VIEWS,
    exam: int = 0,
    threads: int = 2,
) -> tuple[MammogramView, ...]:
    """Four views of one woman. ``density`` 0..1 is the share of fibroglandular tissue (A about 0.1, D about 0.8).

    ``exam`` numbers repeated examinations: the tissue stays, positioning and noise differ a little. 0.1 mm pixels at the
    default ``shape``; other shapes show the same field with other pixels.
    """
    with ThreadPoolExecutor(threads) as pool:
        return tuple(pool.map(lambda name: _view(seed, name, density, lesions, shape, exam), views))


def _view(
    seed: int, name: str, density: float, lesions: tuple[Lesion, ...], shape: tuple[int, int], exam: int
) -> MammogramView:
    pixel_mm = PIXEL_MM * 2048 / shape[0]
    rows, columns = shape[0] // 2, shape[1] // 2  # anatomy at half resolution; grain, calcium and edges at full
    mm = pixel_mm * 2
    mlo = name.endswith("MLO")
    body = np.random.default_rng([seed, 9011])
    woman = (float(body.uniform(-1, 1)), float(body.uniform(-1, 1)))
    rng = np.random.default_rng([seed, 9012, VIEWS.index(name)])
    position = np.random.default_rng([seed, 9013, VIEWS.index(name), exam])
    outline, nipple = _outline(mlo, woman, position, rows, columns)
    inside = polygon((rows, columns), outline)
    depth = depth_inside(inside > 0.5) * mm
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)

    tissue = _tissue(rng, (rows, columns), x, y, nipple, depth, density, mm, mlo)
    thickness = bulge(depth, 26.0)
    image = 0.33 + 0.52 * tissue
    # Ligaments and vessels in the fat.
    image = image + _threads(rng, (rows, columns), nipple, mm) * smooth_step(depth, 3, 9)
    muscle = np.zeros((rows, columns), np.float32)
    if mlo:
        muscle = _pectoral(position, (rows, columns), mm)
        fibres = 0.03 * sample(
            power_noise(rng, (256, 256), 2.0), (x * 0.30 + y * 0.16) % 256, (y * 0.02 - x * 0.02) % 256, wrap=True
        )
        image = image * (1 - 0.75 * muscle) + muscle * (0.80 + fibres * muscle)
    truths = []
    for lesion in lesions:
        if lesion.side == name[0]:
            image, where = _draw_mass_at(rng, image, lesion, nipple, (rows, columns), mm, mlo, (x, y))
            truths.append((lesion, where))
    # The processing of presentation images lifts the thin rim; the skin stays a fine bright line.
    image = image * (0.30 + 0.70 * thickness)
    skin = np.exp(-(((depth - 0.9) / 0.8) ** 2)) * 0.10
    image = (image + skin) * smooth_step(inside, 0.0, 1.0)

    full = np.clip(resize(image, shape, smooth=True), 0, None)
    body_full = resize(inside, shape, smooth=False)
    for lesion, where in truths:
        if lesion.kind == "calcifications":
            _calcify(rng, full, where, lesion.diameter_mm, pixel_mm)
    _stray_calcium(rng, full, body_full)
    # Parenchyma has detail down to the pixel; film noise lies over it.
    tile = 0.8 * power_noise(rng, (512, 512), 1.7) + 0.6 * power_noise(position, (512, 512), 0.3, shortest_px=1.2)
    repeats = (-(-shape[0] // 512), -(-shape[1] // 512))
    full += np.tile(tile.astype(np.float32), repeats)[: shape[0], : shape[1]] * np.float32(0.022) * body_full
    air = body_full < 0.02
    stored = np.clip(full, 0, 1.25) * 3100 + 260 * body_full
    stored[air] = 0
    pixels = np.rint(np.clip(stored, 0, 4095)).astype(np.uint16)
    boxes = [_truth_of(lesion, where, name, pixel_mm, shape) for lesion, where in truths]
    if name[0] == "R":
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    return MammogramView(name, pixels, pixel_mm, tuple(boxes))


def _truth_of(lesion: Lesion, where: tuple[float, float], view: str, pixel_mm: float, shape: tuple[int, int]) -> LesionTruth:
    half = lesion.diameter_mm / 2 / pixel_mm
    x, y = where[0] * 2, where[1] * 2  # where is in half-resolution pixel indices
    if view[0] == "R":
        x = shape[1] - 1 - x
    x, y = x + 0.5, y + 0.5
    return LesionTruth(lesion.kind, view, (x, y), (x - half, y - half, x + half, y + half), lesion.diameter_mm)


def _outline(
    mlo: bool, woman: tuple[float, float], position: np.random.Generator, rows: int, columns: int
) -> tuple[npt.NDArray[np.float64], tuple[float, float]]:
    """Skin line (x, y) in pixels and the nipple; chest wall on the left edge."""
    reach = columns * (0.80 + 0.06 * woman[0] + float(position.normal(0, 0.008)))
    shift = rows * float(position.normal(0, 0.006))
    if mlo:
        nipple_y = rows * (0.60 + 0.02 * woman[1]) + shift
        points = [
            (columns * 0.66, -rows * 0.06),
            (columns * 0.665, rows * 0.10),
            (columns * 0.72, rows * 0.26),
            (reach * 0.965, rows * 0.44),
            (reach * 0.995, nipple_y - rows * 0.05),
            (reach * 1.015, nipple_y - rows * 0.004),
            (reach * 0.99, nipple_y + rows * 0.045),
            (reach * 0.90, nipple_y + rows * 0.145),
            (reach * 0.70, rows * 0.86),
            (reach * 0.44, rows * 0.945),
            (reach * 0.22, rows * 0.985),
            (-columns * 0.06, rows * 1.03),
        ]
    else:
        nipple_y = rows * (0.51 + 0.02 * woman[1]) + shift
        half = rows * (0.435 + 0.02 * woman[0])
        points = [
            (-columns * 0.06, nipple_y - half * 1.04),
            (reach * 0.20, nipple_y - half * 1.00),
            (reach * 0.50, nipple_y - half * 0.88),
            (reach * 0.78, nipple_y - half * 0.61),
            (reach * 0.95, nipple_y - half * 0.28),
            (reach * 0.995, nipple_y - half * 0.09),
            (reach * 1.012, nipple_y - half * 0.01),
            (reach * 0.995, nipple_y + half * 0.09),
            (reach * 0.95, nipple_y + half * 0.28),
            (reach * 0.78, nipple_y + half * 0.60),
            (reach * 0.50, nipple_y + half * 0.87),
            (reach * 0.20, nipple_y + half * 1.00),
            (-columns * 0.06, nipple_y + half * 1.04),
        ]
    curve = spline(points, 400)
    closing = [(-columns * 0.2, rows * 1.1), (-columns * 0.2, -rows * 0.1)]
    return np.concatenate([curve, np.asarray(closing)]), (reach * 1.0, nipple_y)


def _tissue(
    rng: np.random.Generator,
    shape: tuple[int, int],
    x: Image,
    y: Image,
    nipple: tuple[float, float],
    depth: Image,
    density: float,
    mm: float,
    mlo: bool,
) -> Image:
    """Fibroglandular share 0..1: a cone behind the nipple, broken up by power-law noise and strands towards the nipple."""
    rows, columns = shape
    cloud = power_noise(rng, (300, 300), 3.3, longest_px=130)
    fine = power_noise(rng, (512, 512), 2.7, longest_px=64)
    strand = power_noise(rng, (512, 512), 2.3, longest_px=70)
    dx, dy = nipple[0] + 12 / mm - x, y - nipple[1]
    radius = np.sqrt(dx * dx + dy * dy) * mm  # mm from the nipple
    angle = np.arctan2(dy, np.maximum(dx, 1e-3))
    grow = resize(cloud, (rows, rows))[:, :columns] if columns <= rows else resize(cloud, shape)
    # Strands: long along the radius, narrow across it.
    bend = blur(grow, 22.0 / mm / 5.0)
    sway = bend * 7
    radial = sample(strand, (radius * 1.1 + sway) % 512, (angle * 170 + bend * 6 + 900) % 512, wrap=True)
    cell = sample(fine, (x * mm * 2.6) % 512, (y * mm * 2.6) % 512, wrap=True)
    ridge = np.exp(-((radial + 0.35 * cell) ** 2) * np.float32(1.6))

    length = nipple[0] * mm
    along = radius / length
    spread = 0.62 + 0.30 * density
    tilt = 0.10 if mlo else 0.0
    cone = smooth_step(np.abs(angle + tilt + 0.12 * grow), spread + 0.35, spread - 0.45)
    lobe = cone * smooth_step(along, 0.98, 0.62) * smooth_step(depth, 5, 15)
    back = smooth_step(along, 0.04, 0.16)
    level = 1.15 - 1.9 * density
    field = 0.75 * grow + 0.55 * radial + 0.26 * cell
    share = smooth_step(field, level - 1.7, level + 1.9) * lobe * (0.35 + 0.65 * back)
    texture = 0.72 + 0.14 * radial + 0.08 * cell + 0.15 * ridge
    dense = share * texture
    fat = 0.05 * grow + 0.035 * cell + 0.03 * radial + 0.10 * ridge * smooth_step(depth, 4, 14)
    subareolar = 0.22 * np.exp(-((radius - 16) ** 2) / 120) * (0.8 + 0.2 * radial)
    return np.asarray(np.clip(dense * 1.02 + fat + subareolar + 0.17, 0, 1.3), np.float32)


def _threads(rng: np.random.Generator, shape: tuple[int, int], nipple: tuple[float, float], mm: float) -> Image:
    """Cooper's ligaments (faint arcs) and two or three vessels (brighter double-edged bands)."""
    rows, columns = shape
    faint = np.zeros(shape, np.float32)
    for _ in range(26):
        a = rng.uniform(-1.25, 1.25)
        r0 = rng.uniform(25, 70) / mm
        start = np.array([nipple[0] - np.cos(a) * r0, nipple[1] + np.sin(a) * r0])
        lean = a + rng.normal(0, 0.5)
        length = rng.uniform(12, 38) / mm
        end = start + length * np.array([np.cos(lean), -np.sin(lean)]) * (1 if rng.random() < 0.5 else -1)
        middle = (start + end) / 2 + rng.normal(0, length * 0.14, 2)
        curve = spline([tuple(start), tuple(middle), tuple(end)], 24)
        faint = np.maximum(faint, polyline(shape, curve, 1.0) * np.float32(rng.uniform(0.4, 1.0)))
    vessels = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(2, 4))):
        y0 = nipple[1] + rng.normal(0, 0.22) * rows
        points = [(-10.0, y0 + rng.normal(0, 60))]
        for t in (0.25, 0.5, 0.75):
            points.append((nipple[0] * t, y0 + (nipple[1] - y0) * t * 0.7 + rng.normal(0, 28)))
        curve = spline(points, 90)
        vessels = np.maximum(vessels, polyline(shape, curve, round(rng.uniform(1.6, 2.6) / mm)))
    return np.asarray(blur(faint, 0.9) * 0.10 + blur(vessels, 1.6) * 0.07, np.float32)


def _pectoral(position: np.random.Generator, shape: tuple[int, int], mm: float) -> Image:
    rows, columns = shape
    top = columns * (0.39 + float(position.normal(0, 0.012)))
    low = rows * (0.58 + float(position.normal(0, 0.012)))
    edge = spline([(top, -20.0), (top * 0.80, low * 0.28), (top * 0.42, low * 0.66), (-6.0, low)], 80)
    area = polygon(shape, np.concatenate([edge, [(-40.0, low), (-40.0, -40.0), (top, -40.0)]]))
    return blur(area, 1.3 / mm)


def _draw_mass_at(
    rng: np.random.Generator,
    image: Image,
    lesion: Lesion,
    nipple: tuple[float, float],
    shape: tuple[int, int],
    mm: float,
    mlo: bool,
    grid: tuple[Image, Image],
) -> tuple[Image, tuple[float, float]]:
    """Draws a mass, or finds the place of calcifications; the centre in half-resolution pixel indices."""
    x, y = grid
    across = lesion.height if mlo else lesion.lateral
    # The upper and the lateral half are on top.
    centre = (nipple[0] * (1 - lesion.depth), nipple[1] - across * shape[0] * 0.30 * (0.55 + 0.45 * lesion.depth))
    if lesion.kind != "mass":
        return image, centre
    r = np.hypot(x - centre[0], y - centre[1]) * mm
    angle = np.arctan2(y - centre[1], x - centre[0])
    lobes = sum(rng.uniform(0.03, 0.10) * np.cos(n * angle + rng.uniform(0, 2 * np.pi)) for n in range(2, 8))
    edge = lesion.diameter_mm / 2 * (1 + np.asarray(lobes, np.float32))
    spikes = sum(np.maximum(0, np.cos(angle - rng.uniform(0, 2 * np.pi))) ** 500 for _ in range(16))
    reach = smooth_step(r, lesion.diameter_mm * 1.15, lesion.diameter_mm * 0.4)
    core = smooth_step(r / edge, 1.12, 0.72)
    # Dense in the middle whatever lies around it, with strands drawn in from outside.
    core_value = 0.97 + 0.05 * np.cos(3 * angle) * smooth_step(r, 0, 4)
    image = image + core * 0.74 * np.maximum(core_value - image, 0)
    strands = np.asarray(spikes, np.float32) * reach * (1 - core) * 0.16
    return np.asarray(image + strands * (1.1 - np.clip(image, 0, 1.1)), np.float32), centre


def _speck(image: Image, x: float, y: float, radius: float, value: float, stretch: float = 1.0, turn: float = 0.0) -> None:
    half = int(np.ceil(radius * stretch * 3))
    x0, y0 = round(x), round(y)
    if not (half <= x0 < image.shape[1] - half and half <= y0 < image.shape[0] - half):
        return
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    v = -dx * np.sin(turn) + dy * np.cos(turn)
    image[y0 - half : y0 + half + 1, x0 - half : x0 + half + 1] += np.float32(value) * np.exp(
        -(((u * u + v * v) / np.float32(radius**2)) ** 2)
    )


def _calcify(
    rng: np.random.Generator, image: Image, where: tuple[float, float], diameter_mm: float, pixel_mm: float
) -> None:
    for _ in range(int(rng.integers(16, 26))):
        offset = rng.normal(0, diameter_mm / 5, 2) / pixel_mm
        _speck(
            image,
            where[0] * 2 + offset[0],
            where[1] * 2 + offset[1],
            float(rng.uniform(0.12, 0.32)) / pixel_mm,
            float(rng.uniform(0.22, 0.5)),
            float(rng.uniform(1, 2.2)),
            float(rng.uniform(0, np.pi)),
        )


def _stray_calcium(rng: np.random.Generator, image: Image, body: Image) -> None:
    """One or two coarse benign ones."""
    for _ in range(int(rng.integers(1, 3))):
        y, x = rng.integers(image.shape[0] // 4, image.shape[0] * 3 // 4), rng.integers(60, image.shape[1] // 2)
        if body[y, x] > 0.9:
            _speck(image, float(x), float(y), float(rng.uniform(4, 8)), 0.35)
