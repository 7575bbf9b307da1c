"""Panoramic films: jaws, condyles, sinuses, airway and spine shadows, and up to 32 teeth whose numbers and boxes are known.

The film is a sum of attenuations, turned to grey by 1 - exp(-sum). The patient's right is on the left of the film.
Parametric, fast and the same for the same seed, so that it also serves training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class DentalPlan:
    """What one mouth looks like. Teeth are FDI numbers; surfaces are M, O, D (mesial, biting, distal)."""

    missing: tuple[int, ...] = ()
    fillings: Mapping[int, str] = field(default_factory=dict)
    cavities: Mapping[int, str] = field(default_factory=dict)
    impacted: Mapping[int, float] = field(default_factory=dict)
    """Third molars with their lean in degrees towards the second molar."""
    implants: tuple[int, ...] = ()
    root_filled: tuple[int, ...] = ()
    apical: tuple[int, ...] = ()
    """Teeth with a dark lesion at the apex."""


@dataclass(frozen=True)
class ToothTruth:
    """A tooth on the film; boxes (x0, y0, x1, y1) in ``image_px``."""

    fdi: int
    box_px: tuple[float, float, float, float]
    crown_box_px: tuple[float, float, float, float]
    axis_deg: float


@dataclass(frozen=True)
class DentalFinding:
    """``name``: filling, cavity, impacted, implant, root_filling or apical."""

    name: str
    fdi: int
    box_px: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class PanoramicFilm:
    """``pixels`` (rows, columns) uint16 of 12 bits, dense is bright."""

    pixels: npt.NDArray[np.uint16]
    teeth: tuple[ToothTruth, ...]
    findings: tuple[DentalFinding, ...]
    plan: DentalPlan
    labels: npt.NDArray[np.uint8] | None = None
    """FDI number of the tooth at each pixel, 0 elsewhere; only when asked for."""


def random_plan(seed: int) -> DentalPlan:
    """A plausible adult mouth."""
    rng = np.random.default_rng([seed, 3301])
    missing, fillings, cavities, impacted, implants, filled, apical = [], {}, {}, {}, [], [], []
    for fdi in ALL_TEETH:
        n = kind(fdi)
        r = rng.random()
        if n == 8:
            if r < 0.35:
                missing.append(fdi)
            elif r < 0.70:
                impacted[fdi] = float(rng.uniform(25, 85)) * (1 if not is_upper(fdi) else 0.5)
            continue
        if r < (0.10 if n in (6, 7) else 0.04):
            (implants if rng.random() < 0.25 else missing).append(fdi)
            continue
        if rng.random() < (0.45 if n >= 6 else 0.22 if n >= 4 else 0.06):
            fillings[fdi] = "".join(s for s in "MOD" if rng.random() < (0.75 if s == "O" else 0.35)) or "O"
            if rng.random() < 0.18:
                filled.append(fdi)
        if rng.random() < (0.14 if n >= 4 else 0.05):
            cavities[fdi] = str(rng.choice(["M", "O", "D"]))
        if rng.random() < 0.03:
            apical.append(fdi)
    return DentalPlan(tuple(missing), fillings, cavities, impacted, tuple(implants), tuple(filled), tuple(apical))


def generate_panoramic(
    seed: int = 1,
    plan: DentalPlan | None = None,
    *,
    columns: int = COLUMNS,
    marker: bool = True,
    with_labels: bool = False,
) -> PanoramicFilm:
    """One film of ``columns`` x ``columns / 2`` pixels; ``plan`` None draws one from the seed."""
    plan = plan if plan is not None else random_plan(seed)
    rng = np.random.default_rng([seed, 3302])
    mouth = _Mouth(rng, columns)
    mu = _background(mouth)
    labels = np.zeros(mu.shape, np.uint8) if with_labels else None
    teeth: list[ToothTruth] = []
    findings: list[DentalFinding] = []
    for fdi in ALL_TEETH:
        if fdi in plan.missing:
            continue
        if fdi in plan.implants:
            findings.append(DentalFinding("implant", fdi, _implant(mouth, mu, fdi)))
            continue
        tooth = mouth.tooth(fdi, plan.impacted.get(fdi))
        truth, found = _draw_tooth(mouth, mu, tooth, fdi, plan, labels)
        teeth.append(truth)
        findings += found
    return PanoramicFilm(_expose(mouth, mu, marker), tuple(teeth), tuple(findings), plan, labels)


@dataclass(frozen=True, eq=False)
class _Placed:
    shape: ToothShape
    edge: tuple[float, float]
    angle_rad: float
    upper: bool
    mirror: bool
    scale: float

    def put(self, points: Points) -> npt.NDArray[np.float64]:
        return place(points, self.edge, self.angle_rad, self.upper, self.mirror) * self.scale


class _Mouth:
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

    def tooth(self, fdi: int, lean_deg: float | None) -> _Placed:
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
        return _Placed(self.shapes[fdi], (x, y), float(angle), upper, right, self.scale)


def _ellipse(mouth: _Mouth, x: float, y: float, a: float, b: float, turn_deg: float = 0.0) -> Points:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    u, v = a * np.cos(t), b * np.sin(t)
    return np.stack([x + u * c - v * s, y + u * s + v * c], axis=1) * mouth.scale


def _both(points: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """A curve of the patient's right (film left) and its mirror image."""
    return points, [(2 * _MIDDLE - x, y) for x, y in points]


def _background(mouth: _Mouth) -> Image:
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


def _line(mouth: _Mouth, mu: Image, points: list[tuple[float, float]], width: float, value: float, soft: float) -> None:
    curve = spline(points, 120) * mouth.scale
    mu += blur(polyline(mu.shape, curve, width * mouth.scale), soft * mouth.scale) * np.float32(value)


def _region(mouth: _Mouth, points: list[tuple[float, float]], soft: float) -> Image:
    curve = spline(points, 200, closed=True) * mouth.scale
    return blur(polygon(mouth.shape, curve), soft * mouth.scale)


def _maxilla(mouth: _Mouth, mu: Image) -> None:
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


def _tiles(mouth: _Mouth) -> Image:
    rows, columns = mouth.shape
    grid = 3.4 * mouth.scale
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / np.float32(grid)
    return sample(mouth.bone, x % 512, y % 256, wrap=True)


def _mandible(mouth: _Mouth, mu: Image) -> None:
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
    outline = np.concatenate(
        [spline(top + mirror(top)[1:], 500), spline(mirror(back + low) + (back + low)[-2::-1], 500)[:1]]
    )
    outside = spline([*reversed(low + []), *reversed(back), side[0]], 260)
    right_rim = np.stack([2 * _MIDDLE - outside[::-1, 0], outside[::-1, 1]], axis=1)
    ring = np.concatenate([spline(top + mirror(top)[1:], 600), right_rim, outside])
    del outline
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


def _patch(mouth: _Mouth, tooth: _Placed, margin: float) -> tuple[slice, slice, npt.NDArray[np.float64]]:
    """Part of the film around a tooth and the offset to subtract from points."""
    everything = np.concatenate([tooth.put(tooth.shape.crown), *(tooth.put(r) for r in tooth.shape.roots)])
    low = np.maximum(np.floor(everything.min(axis=0) - margin * mouth.scale), 0).astype(int)
    high = np.ceil(everything.max(axis=0) + margin * mouth.scale).astype(int)
    rows = slice(int(low[1]), min(int(high[1]), mouth.shape[0]))
    columns = slice(int(low[0]), min(int(high[0]), mouth.shape[1]))
    return rows, columns, low.astype(np.float64)


def _box(points: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    low, high = points.min(axis=0), points.max(axis=0)
    # Points are pixel-centre indices; image_px counts from the corner.
    return (float(low[0]) + 0.5, float(low[1]) + 0.5, float(high[0]) + 0.5, float(high[1]) + 0.5)


def _draw_tooth(
    mouth: _Mouth, mu: Image, tooth: _Placed, fdi: int, plan: DentalPlan, labels: npt.NDArray[np.uint8] | None
) -> tuple[ToothTruth, list[DentalFinding]]:
    s = mouth.scale
    rows, columns, offset = _patch(mouth, tooth, 26)
    view = mu[rows, columns]
    size = (view.shape[0], view.shape[1])
    shape = tooth.shape
    crown = polygon(size, tooth.put(shape.crown) - offset)
    roots = np.zeros(size, np.float32)
    thick = np.zeros(size, np.float32)
    for outline in shape.roots:
        one = polygon(size, tooth.put(outline) - offset)
        roots = np.maximum(roots, one)
        thick = np.maximum(thick, bulge(depth_inside(one > 0.5), 11 * s) * one)
    whole = np.maximum(crown, roots)
    outside = depth_inside(whole < 0.5)
    # Ligament and lamina dura round the root only.
    only_root = smooth_step(blur(crown, 7 * s), 0.30, 0.02)
    ligament = np.exp(-(((outside - 2.6 * s) / (1.8 * s)) ** 2)) * (whole < 0.5) * only_root
    lamina = np.exp(-(((outside - 6.5 * s) / (2.2 * s)) ** 2)) * only_root
    replaced = 0.40 * smooth_step(whole, 0.2, 1.0)
    view *= 1 - np.float32(0.45) * replaced
    view += blur((0.085 * lamina - 0.10 * ligament).astype(np.float32), 0.7 * s)
    depth_crown = depth_inside(crown > 0.5)
    along = _along(tooth, size, offset)
    view += 0.52 * np.maximum(thick * roots, bulge(depth_inside(whole > 0.5), 14 * s) * smooth_step(whole, 0, 1))
    # Enamel is thick over the cusps, thins out to the neck, and its front and back lie over the dentine as well.
    fade = smooth_step(along, shape.crown_height * 1.0, shape.crown_height * 0.45)
    rim = np.exp(-depth_crown / np.float32(9 * s)) * smooth_step(depth_crown, 0, 3 * s)
    enamel = crown * fade * (0.42 * rim + 0.20 * bulge(depth_crown, 16 * s))
    view += blur(enamel.astype(np.float32), 1.0 * s)
    view += 0.16 * crown * smooth_step(along, shape.crown_height * 0.42, 0)
    for outline in shape.pulp:
        view -= 0.15 * blur(polygon(size, tooth.put(outline) - offset), 1.2 * s)
    box, crown_box = (
        _box(np.concatenate([tooth.put(shape.crown), *map(tooth.put, shape.roots)])),
        _box(tooth.put(shape.crown)),
    )
    if labels is not None:
        part = labels[rows, columns]
        part[whole > 0.5] = fdi
    found = _work(mouth, view, tooth, fdi, plan, offset, crown)
    if fdi in plan.impacted:
        found.append(DentalFinding("impacted", fdi, box))
    return ToothTruth(fdi, box, crown_box, float(np.rad2deg(tooth.angle_rad))), found


def _along(tooth: _Placed, size: tuple[int, int], offset: npt.NDArray[np.float64]) -> Image:
    """Pixels of the 2048-pixel film from the biting edge along the axis, for each pixel of a patch."""
    unit = tooth.put(np.array([[0.0, 0.0], [0.0, 1.0]]))
    start, direction = unit[0] - offset, (unit[1] - unit[0]) / tooth.scale
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.asarray(((x - start[0]) * direction[0] + (y - start[1]) * direction[1]) / tooth.scale, np.float32)


_SPOTS = {"M": (-0.36, 0.42), "O": (0.03, 0.12), "D": (0.36, 0.42)}


def _work(
    mouth: _Mouth,
    view: Image,
    tooth: _Placed,
    fdi: int,
    plan: DentalPlan,
    offset: npt.NDArray[np.float64],
    crown: Image,
) -> list[DentalFinding]:
    """Fillings, cavities, root fillings and apical lesions of one tooth, drawn into its patch."""
    shape, s, rng = tooth.shape, mouth.scale, mouth.rng
    size = (view.shape[0], view.shape[1])
    found = []
    for name, surfaces, value in (
        ("filling", plan.fillings.get(fdi, ""), 1.25),
        ("cavity", plan.cavities.get(fdi, ""), -0.50),
    ):
        spots = []
        for surface in surfaces:
            u, v = _SPOTS[surface]
            reach = shape.width * (0.26 if surface == "O" else 0.16) * float(rng.uniform(0.85, 1.2))
            tall = shape.crown_height * (0.20 if surface == "O" else 0.24) * float(rng.uniform(0.85, 1.25))
            t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
            wobble = 1 + rng.normal(0, 0.12, 12)
            blob = np.stack(
                [u * shape.width + reach * np.cos(t) * wobble, v * shape.crown_height + tall * np.sin(t) * wobble], axis=1
            )
            spots.append(tooth.put(spline(blob, 60, closed=True)))
        if not spots:
            continue
        area = np.zeros(size, np.float32)
        for spot in spots:
            area = np.maximum(area, polygon(size, spot - offset))
        area = area * crown
        view += value * blur(area, (0.9 if name == "filling" else 3.2) * s)
        inside = np.argwhere(area > 0.3)
        if len(inside):
            found.append(DentalFinding(name, fdi, _box(inside[:, ::-1].astype(np.float64) + offset)))
    if fdi in plan.root_filled:
        for canal in shape.canals:
            view += 0.85 * blur(polyline(size, tooth.put(canal) - offset, 5 * s), 1.0 * s)
        points = np.concatenate([tooth.put(c) for c in shape.canals])
        found.append(DentalFinding("root_filling", fdi, _box(points)))
    if fdi in plan.apical:
        tip = tooth.put(np.array([[shape.canals[0][-1][0], shape.length + 2]]))[0]
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        ring = tip + 17 * s * np.stack([np.cos(t), np.sin(t)], axis=1)
        view -= 0.24 * blur(polygon(size, ring - offset), 4.5 * s)
        found.append(DentalFinding("apical", fdi, _box(ring)))
    return found


def _implant(mouth: _Mouth, mu: Image, fdi: int) -> tuple[float, float, float, float]:
    """A screw and its crown in place of a tooth; its box."""
    tooth = mouth.tooth(fdi, None)
    shape = tooth.shape
    v = np.linspace(shape.crown_height * 0.85, shape.length * 0.92, 60)
    half = shape.width * 0.17 * (1 - 0.35 * (v - v[0]) / (v[-1] - v[0])) + 1.5 * np.sign(np.sin(v * 0.9))
    screw = np.concatenate([np.stack([-half, v], axis=1), np.stack([half, v], axis=1)[::-1]])
    for outline, value in ((screw, 1.5), (shape.crown, 1.1)):
        mu += value * blur(polygon(mouth.shape, tooth.put(outline)), 0.8 * mouth.scale)
    return _box(np.concatenate([tooth.put(screw), tooth.put(shape.crown)]))


def _expose(mouth: _Mouth, mu: Image, marker: bool) -> npt.NDArray[np.uint16]:
    shape, s = mouth.shape, mouth.scale
    # The moving slit leaves faint vertical bands and a little blur along the movement.
    bands = power_noise(mouth.rng, (shape[1],), 1.8) * np.float32(0.007)
    mu = blur(mu, 0.9 * s) + bands[None, :]
    if marker:
        _letter(mu, s)
    grey = 1 - np.exp(-np.clip(mu, 0.02, 3.2) * 1.15)
    wide = resize(blur(resize(grey.astype(np.float32), (shape[0] // 8, shape[1] // 8)), 13 * s), shape, smooth=False)
    grey = 0.5 + 1.75 * (grey - 0.66 * wide - 0.245)
    tile = power_noise(mouth.rng, (256, 256), 0.7, shortest_px=1.3)
    repeats = (-(-shape[0] // 256), -(-shape[1] // 256))
    grey = grey + np.tile(tile, repeats)[: shape[0], : shape[1]] * np.float32(0.020)
    return np.rint(np.clip(grey, 0, 1) * 3900 + 60).astype(np.uint16)


def _letter(mu: Image, s: float) -> None:
    """A lead R in the lower corner of the patient's right."""
    stroke = np.array(
        [(36, 990), (36, 900), (72, 900), (84, 912), (84, 932), (72, 944), (36, 944), (60, 944), (88, 990)], float
    )
    mu += np.float32(1.6) * blur(polyline(mu.shape, stroke * s, 13 * s), 0.8 * s)
