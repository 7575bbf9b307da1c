"""Intra-oral films, periapical and bitewing, with known bone levels, caries and lesions at the apex.

Rays are taken as parallel: at each pixel the paths through enamel, dentine, bone and soft tissue are added up
(Beer-Lambert, one energy), blurred by the sensor, given quantum noise and shown as logarithm, dense is bright. Lengths are
in mm on the sensor; the sensor lies against the teeth, so there is no magnification to speak of. No image of a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.imaging.fields import Image, Points, blur, bulge, depth_inside, polygon, power_noise, smooth_step, spline
from app.samples.teeth import ToothShape, kind, tooth_shape

WIDE_MM, TALL_MM = 40.0, 30.0
PIXEL_MM = 0.08
MM_PER_UNIT = 0.122
"""Tooth shapes come in pixels of a panoramic film."""
_ENAMEL, _DENTINE, _BONE, _SOFT, _METAL = 0.150, 0.098, 0.060, 0.021, 1.1
"""Attenuation per mm of path."""
_SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Site:
    """One side of one tooth: where the enamel ends, where the bone begins; ``image_px`` with corner origin."""

    fdi: int
    side: str
    """M or D."""
    enamel_px: tuple[float, float]
    crest_px: tuple[float, float]
    level_mm: float
    """Distance of the two."""
    root_percent: float | None
    """Of the root from the enamel's end to the apex; None when the apex is not on the film."""


@dataclass(frozen=True)
class IntraoralFinding:
    """``name``: caries or periapical."""

    name: str
    fdi: int
    centre_px: tuple[float, float]
    box_px: tuple[float, float, float, float]
    depth: str = ""
    """Caries: enamel or dentine."""


@dataclass(frozen=True, eq=False)
class IntraoralFilm:
    """``pixels`` (rows, columns) uint16 of 12 bits, dense is bright; biting surfaces as the teeth stand in the mouth."""

    pixels: npt.NDArray[np.uint16]
    pixel_mm: float
    view: str
    """upper, lower (periapical) or bitewing."""
    sites: tuple[Site, ...]
    findings: tuple[IntraoralFinding, ...]
    apices_px: tuple[tuple[int, tuple[float, float], tuple[float, float]], ...]
    """(FDI, apex, middle of the neck)."""
    sick: bool


@dataclass(frozen=True, eq=False)
class _Tooth:
    fdi: int
    shape: ToothShape
    origin_mm: npt.NDArray[np.float64]
    """Middle of the biting edge."""
    lean_rad: float
    down: bool
    """Root points down."""
    mirror: bool

    def put(self, points: Points) -> npt.NDArray[np.float64]:
        """Shape units to mm of the film, x right, y down."""
        u = points[:, 0] * MM_PER_UNIT * (-1.0 if self.mirror else 1.0)
        v = points[:, 1] * MM_PER_UNIT * (1.0 if self.down else -1.0)
        c, s = np.cos(self.lean_rad), np.sin(self.lean_rad)
        return np.stack([self.origin_mm[0] + u * c - v * s, self.origin_mm[1] + u * s + v * c], axis=1)


def generate_intraoral(
    seed: int = 1,
    view: str | None = None,
    *,
    healthy: bool | None = None,
    pixel_mm: float = PIXEL_MM,
    upright: bool = False,
) -> IntraoralFilm:
    """One film; ``view`` upper, lower or bitewing, drawn from the seed when None. ``upright``: of front teeth, on end."""
    rng = np.random.default_rng([seed, 4401])
    view = view or str(rng.choice(["upper", "lower", "bitewing"]))
    sick = bool(rng.random() < 0.75) if healthy is None else not healthy
    size = (TALL_MM, WIDE_MM) if upright else (WIDE_MM, TALL_MM)
    if upright and view == "bitewing":
        view = "lower"
    shape = (round(size[1] / pixel_mm), round(size[0] / pixel_mm))
    right = bool(rng.random() < 0.5)
    rows = ("upper", "lower") if view == "bitewing" else (view,)
    front = upright or (view != "bitewing" and bool(rng.random() < 0.25))
    bone_noise = power_noise(rng, shape, 1.9, longest_px=2.2 / pixel_mm, shortest_px=0.22 / pixel_mm)
    path = np.zeros(shape, np.float32) + np.float32(_SOFT * rng.uniform(6, 14))
    path += blur(power_noise(rng, shape, 3.0), 1.0) * np.float32(0.012)
    sites: list[Site] = []
    findings: list[IntraoralFinding] = []
    apices: list[tuple[int, tuple[float, float], tuple[float, float]]] = []
    for row in rows:
        teeth = _row(rng, row, view, right, front, size)
        levels = _levels(rng, teeth)
        bone = _bone(rng, shape, pixel_mm, teeth, levels, bone_noise)
        drawn = _draw_teeth(rng, shape, pixel_mm, teeth, levels, bone, path, sick)
        sites += drawn[0]
        findings += drawn[1]
        apices += drawn[2]
    return IntraoralFilm(
        _expose(rng, path, pixel_mm), pixel_mm, view, tuple(sites), tuple(findings), tuple(apices), bool(findings)
    )


def _row(rng: np.random.Generator, row: str, view: str, right: bool, front: bool, size: tuple[float, float]) -> list[_Tooth]:
    upper = row == "upper"
    quadrant = (1 if right else 2) if upper else (4 if right else 3)
    if front:
        first = int(rng.integers(1, 3))
        numbers = [10 * quadrant + n for n in range(first, first + 4)]
    else:
        first = int(rng.integers(3, 5))
        numbers = [10 * quadrant + n for n in range(first, 9 if rng.random() < 0.3 else 8)]
    if rng.random() < 0.12 and len(numbers) > 3:
        numbers.remove(numbers[int(rng.integers(1, len(numbers) - 1))])
    down = not upper
    # The biting edge: near the middle of a bitewing, near one side of a periapical film.
    if view == "bitewing":
        edge = size[1] / 2 + (1 if down else -1) * rng.uniform(0.3, 1.2)
    else:
        edge = rng.uniform(1.5, 4.5) if down else size[1] - rng.uniform(1.5, 4.5)
    tilt = rng.normal(0, 0.04)
    shapes = {n: tooth_shape(n, rng) for n in numbers}
    gaps = {n: rng.uniform(-0.15, 0.25) for n in numbers}
    wide = sum(shapes[n].width * MM_PER_UNIT + gaps[n] for n in numbers)
    x = (size[0] - wide) / 2 + rng.normal(0, 2.0)
    order = sorted(numbers, reverse=right)
    teeth = []
    for n in order:
        w = shapes[n].width * MM_PER_UNIT
        x += w / 2
        y = edge + tilt * (x - size[0] / 2) + rng.normal(0, 0.35)
        lean = rng.normal(0, 0.05) + (0.03 if right else -0.03) * (1 if down else -1) * max(0, kind(n) - 5)
        # Mesial lies towards the midline: right of the film for the patient's right teeth.
        teeth.append(_Tooth(n, shapes[n], np.array([x, y]), float(lean), down, mirror=right))
        x += w / 2 + gaps[n]
    return teeth


def _levels(rng: np.random.Generator, teeth: list[_Tooth]) -> dict[tuple[int, str], float]:
    """Bone below the enamel's end in mm for each side; neighbours share a crest that may be uneven."""
    usual = float(rng.choice([rng.uniform(0.8, 2.2), rng.uniform(1.8, 5.0), rng.uniform(3.5, 7.5)], p=[0.5, 0.3, 0.2]))
    out: dict[tuple[int, str], float] = {}
    for tooth in teeth:
        root = (tooth.shape.length - tooth.shape.crown_height) * MM_PER_UNIT
        for side in "MD":
            deep = usual + rng.normal(0, 0.5) + (rng.uniform(1.0, 4.0) if rng.random() < 0.12 else 0.0)
            out[(tooth.fdi, side)] = float(np.clip(deep, 0.6, 0.75 * root))
    return out


def _outline(tooth: _Tooth, side: float) -> npt.NDArray[np.float64]:
    """The root's outer contour on one side (u sign) from the neck to the apex, shape units (u, v)."""
    rows = np.arange(tooth.shape.crown_height, tooth.shape.length * 0.97, 2.0)
    found = []
    for v in rows:
        widest = None
        for root in tooth.shape.roots:
            cuts = _crossings(root, float(v))
            if len(cuts):
                u = float(cuts.max() if side > 0 else cuts.min())
                widest = u if widest is None else (max(widest, u) if side > 0 else min(widest, u))
        if widest is not None:
            found.append((widest, float(v)))
    return np.array(found)


def _crossings(outline: Points, v: float) -> npt.NDArray[np.float64]:
    a, b = outline, np.roll(outline, -1, axis=0)
    hit = (a[:, 1] <= v) != (b[:, 1] <= v)
    t = (v - a[hit, 1]) / (b[hit, 1] - a[hit, 1])
    return np.asarray(a[hit, 0] + t * (b[hit, 0] - a[hit, 0]), np.float64)


def _crest_of(tooth: _Tooth, side: str, level: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(enamel's end, bone crest) in mm on the film: the crest lies on the root ``level`` mm from the enamel's end."""
    line = tooth.put(_outline(tooth, -1.0 if side == "M" else 1.0))
    start = line[0]
    far = np.hypot(*(line - start).T)
    n = min(int(np.searchsorted(far, level)), len(line) - 1)
    if n == 0:
        return start, start
    t = (level - far[n - 1]) / max(far[n] - far[n - 1], 1e-6)
    return start, line[n - 1] + np.clip(t, 0, 1) * (line[n] - line[n - 1])


def _bone(
    rng: np.random.Generator, shape: tuple[int, int], pixel_mm: float, teeth: list[_Tooth],
    levels: dict[tuple[int, str], float], noise: Image,
) -> Image:  # fmt: skip
    """Bone thickness in mm."""
    crest: list[tuple[float, float]] = []
    for tooth in teeth:
        sides = ("D", "M") if tooth.mirror else ("M", "D")
        for side in sides:
            point = _crest_of(tooth, side, levels[(tooth.fdi, side)])[1]
            crest.append((float(point[0]), float(point[1])))
    crest.sort()
    first, last = crest[0], crest[-1]
    wide, tall = shape[1] * pixel_mm, shape[0] * pixel_mm
    line = np.array([(-3.0, first[1]), *crest, (wide + 3.0, last[1])])
    far = tall + 2 if teeth[0].down else -2.0
    ring = np.concatenate([line, [(wide + 3.0, far), (-3.0, far)]])
    mask = polygon(shape, ring / pixel_mm - 0.5)
    depth = depth_inside(mask > 0.5) * np.float32(pixel_mm)
    body = bulge(depth, 5.0) * np.float32(rng.uniform(6.5, 10.0))
    cortex = np.exp(-(((depth - 0.25) / 0.22) ** 2)) * np.float32(rng.uniform(1.0, 2.2))
    texture = 1 + np.float32(rng.uniform(0.10, 0.22)) * noise * smooth_step(depth, 0.1, 1.0)
    out = blur(mask, 0.06 / pixel_mm) * (body * texture + cortex)
    if not teeth[0].down and rng.random() < 0.5:
        # The sinus floor runs over the molars' roots.
        y0 = rng.uniform(1.0, 7.0)
        xs = np.linspace(-2, wide + 2, 7)
        floor = spline(np.stack([xs, y0 + rng.normal(0, 1.2, 7)], 1), 120)
        cave = polygon(shape, np.concatenate([floor, [(wide + 3, -3), (-3, -3)]]) / pixel_mm - 0.5)
        inside = depth_inside(cave > 0.5) * np.float32(pixel_mm)
        out = out * (1 - 0.45 * smooth_step(inside, 0, 0.8)) + np.exp(-((inside / 0.35) ** 2)) * cave * 1.2
    return np.asarray(out, np.float32)


def _box(points_mm: npt.NDArray[np.float64], pixel_mm: float) -> tuple[float, float, float, float]:
    low, high = points_mm.min(axis=0) / pixel_mm, points_mm.max(axis=0) / pixel_mm
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _inside(box: tuple[float, float, float, float], shape: tuple[int, int], margin: float) -> bool:
    return margin < (box[0] + box[2]) / 2 < shape[1] - margin and margin < (box[1] + box[3]) / 2 < shape[0] - margin


def _draw_teeth(
    rng: np.random.Generator, shape: tuple[int, int], pixel_mm: float, teeth: list[_Tooth],
    levels: dict[tuple[int, str], float], bone: Image, path: Image, sick: bool,
) -> tuple[list[Site], list[IntraoralFinding], list[tuple[int, tuple[float, float], tuple[float, float]]]]:  # fmt: skip
    sites: list[Site] = []
    findings: list[IntraoralFinding] = []
    apices: list[tuple[int, tuple[float, float], tuple[float, float]]] = []
    margin = 0.6 / pixel_mm
    for tooth in teeth:
        s = tooth.shape
        crown = polygon(shape, tooth.put(s.crown) / pixel_mm - 0.5)
        roots = np.zeros(shape, np.float32)
        for outline in s.roots:
            roots = np.maximum(roots, polygon(shape, tooth.put(outline) / pixel_mm - 0.5))
        whole = np.maximum(crown, roots)
        depth = depth_inside(whole > 0.5) * np.float32(pixel_mm)
        outside = depth_inside(whole < 0.5) * np.float32(pixel_mm)
        along = _along(tooth, shape, pixel_mm)
        neck = s.crown_height * MM_PER_UNIT
        # Bone is pushed aside by the root, with the ligament's gap and the lamina's line about it.
        bone *= 1 - np.float32(0.62) * smooth_step(whole, 0.2, 1.0)
        beside = (whole < 0.5) * (bone > 0.4)
        bone += beside * (1.6 * np.exp(-(((outside - 0.42) / 0.14) ** 2)) - 2.2 * np.exp(-(((outside - 0.12) / 0.11) ** 2)))
        np.maximum(bone, 0, out=bone)
        thick = bulge(depth, 2.6) * np.float32(6.4 if kind(tooth.fdi) >= 6 else 5.4)
        dentine = thick * whole
        fade = smooth_step(along, neck * 1.0, neck * 0.55)
        rim = np.exp(-depth / np.float32(0.75)) * 5.5 + np.float32(1.5)
        enamel = crown * fade * rim * smooth_step(depth, 0.0, 0.25)
        path += _DENTINE * blur(dentine, 0.05 / pixel_mm) + _ENAMEL * blur(np.asarray(enamel, np.float32), 0.04 / pixel_mm)
        for pulp in s.pulp:
            path -= 0.13 * blur(polygon(shape, tooth.put(pulp) / pixel_mm - 0.5), 0.12 / pixel_mm)
        tip_units = np.array([[s.canals[0][-1][0], s.length]])
        middle = tooth.put(np.array([[0.0, s.crown_height]]))[0] / pixel_mm
        tips = [tooth.put(np.array([[c[-1][0], s.length]]))[0] / pixel_mm for c in s.canals[:2]]
        seen_tip = [t for t in tips if margin < t[0] < shape[1] - margin and margin < t[1] < shape[0] - margin]
        for tip in seen_tip:
            apices.append((tooth.fdi, (float(tip[0]), float(tip[1])), (float(middle[0]), float(middle[1]))))
        for side in "MD":
            start, crest = _crest_of(tooth, side, levels[(tooth.fdi, side)])
            a, b = start / pixel_mm, crest / pixel_mm
            if not all(margin < p[0] < shape[1] - margin and margin < p[1] < shape[0] - margin for p in (a, b)):
                continue
            level = float(np.hypot(*(crest - start)))
            percent = None
            if seen_tip:
                root = min(float(np.hypot(*(t * pixel_mm - start))) for t in seen_tip)
                percent = 100 * level / root
            sites.append(Site(tooth.fdi, side, (float(a[0]), float(a[1])), (float(b[0]), float(b[1])), level, percent))
        if rng.random() < 0.25 and kind(tooth.fdi) >= 4:
            _filling(rng, path, tooth, shape, pixel_mm, crown)
        if sick and rng.random() < 0.28:
            found = _caries(rng, path, tooth, shape, pixel_mm, crown, depth)
            if found is not None and _inside(found.box_px, shape, 2 * margin):
                findings.append(found)
        if sick and seen_tip and rng.random() < 0.13:
            reach = float(rng.uniform(1.1, 2.9))
            at = tooth.put(tip_units)[0] + np.array([0.0, (0.35 if tooth.down else -0.35) * reach])
            t = np.linspace(0, 2 * np.pi, 14, endpoint=False)
            ring = at + reach * (1 + rng.normal(0, 0.08, 14))[:, None] * np.stack([np.cos(t), np.sin(t)], 1)
            ring = spline(ring, 60, closed=True)
            box = _box(ring, pixel_mm)
            if _inside(box, shape, 1.5 * margin):
                area = blur(polygon(shape, ring / pixel_mm - 0.5), float(rng.uniform(0.15, 0.4)) / pixel_mm)
                bone *= 1 - np.float32(rng.uniform(0.45, 0.8)) * area
                findings.append(IntraoralFinding("periapical", tooth.fdi, _centre(box), box))
    path += _BONE * blur(bone, 0.05 / pixel_mm)
    return sites, findings, apices


def _centre(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _along(tooth: _Tooth, shape: tuple[int, int], pixel_mm: float) -> Image:
    """Distance in mm from the biting edge along the axis for each pixel."""
    unit = tooth.put(np.array([[0.0, 0.0], [0.0, 1.0 / MM_PER_UNIT]]))
    way = unit[1] - unit[0]
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    px = (x + 0.5) * np.float32(pixel_mm) - np.float32(unit[0][0])
    py = (y + 0.5) * np.float32(pixel_mm) - np.float32(unit[0][1])
    return np.asarray(px * np.float32(way[0]) + py * np.float32(way[1]), np.float32)


def _filling(
    rng: np.random.Generator, path: Image, tooth: _Tooth, shape: tuple[int, int], pixel_mm: float, crown: Image
) -> None:
    w, h = tooth.shape.width, tooth.shape.crown_height
    t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    blob = np.stack([w * rng.uniform(0.16, 0.3) * np.cos(t), h * (0.14 + rng.uniform(0.12, 0.22) * np.sin(t))], 1)
    area = polygon(shape, tooth.put(spline(blob * (1 + rng.normal(0, 0.1, (12, 1))), 60, closed=True)) / pixel_mm - 0.5)
    path += np.float32(_METAL) * blur(area * crown, 0.05 / pixel_mm)


def _caries(
    rng: np.random.Generator, path: Image, tooth: _Tooth, shape: tuple[int, int], pixel_mm: float, crown: Image, depth: Image
) -> IntraoralFinding | None:
    """A hole from the contact or the fissure inwards; the deeper the wider."""
    w, h = tooth.shape.width, tooth.shape.crown_height
    where = str(rng.choice(["M", "D", "O"], p=[0.4, 0.4, 0.2]))
    deep = float(rng.uniform(0.9, 2.6))
    if where == "O" and kind(tooth.fdi) < 4:
        where = "M"
    units = 1 / MM_PER_UNIT
    if where == "O":
        centre, half = (rng.normal(0, 0.06) * w, (0.9 + 0.5 * deep) * units), (0.75 * deep * units, 0.7 * deep * units)
    else:
        sign = -1.0 if where == "M" else 1.0
        v = h * float(rng.uniform(0.42, 0.66))
        cuts = _crossings(tooth.shape.crown, v)
        if not len(cuts):
            return None
        edge = float(cuts.min() if sign < 0 else cuts.max())
        centre, half = (edge - sign * 0.42 * deep * units, v), (0.62 * deep * units, 0.55 * deep * units)
    t = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.stack([centre[0] + half[0] * np.cos(t), centre[1] + half[1] * np.sin(t)], 1)
    ring = ring + rng.normal(0, 0.06, (14, 2)) * half[0]
    put = tooth.put(spline(ring, 60, closed=True))
    area = polygon(shape, put / pixel_mm - 0.5) * crown
    if float(area.sum()) * pixel_mm**2 < 0.35:
        return None
    lost = float(rng.uniform(0.30, 0.55))
    path -= np.float32(lost * min(1.0, 0.55 + 0.2 * deep)) * blur(area, float(rng.uniform(0.12, 0.25)) / pixel_mm)
    rows, columns = np.nonzero(area > 0.3)
    if not len(rows):
        return None
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return IntraoralFinding("caries", tooth.fdi, _centre(box), box, "dentine" if deep > 1.4 else "enamel")


def _expose(rng: np.random.Generator, path: Image, pixel_mm: float) -> npt.NDArray[np.uint16]:
    signal = np.exp(-np.clip(path, 0.02, 6.0)).astype(np.float32)
    signal = blur(signal, float(rng.uniform(0.04, 0.09)) / pixel_mm)
    quanta = float(rng.uniform(2500, 12000)) * (pixel_mm / 0.08) ** 2
    counts = signal * quanta
    counts = counts + np.sqrt(np.maximum(counts, 1)) * rng.standard_normal(signal.shape, np.float32)
    shown = -np.log(np.maximum(counts / quanta, 1e-3))
    low, high = np.percentile(shown, [1, 99.5])
    shown = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1) ** float(rng.uniform(0.8, 1.25))
    return np.asarray(np.rint(shown * 3900 + 60), np.uint16)
