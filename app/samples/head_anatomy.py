"""Anatomy of the generated head as a function of position: HU of infinitely thin planes.

Millimetres from the centre of the head: x left, y posterior, z to the vertex. Left and right are mirror images but for the
noise fields, the bleed and small calcifications.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.domain.geometry import Point3
from app.imaging.fields import Image, plane_of, power_noise, smooth_step

AIR_HU, FAT_HU, CSF_HU, WHITE_HU, GREY_HU, BLOOD_HU = -1000.0, -95.0, 7.0, 27.0, 37.5, 66.0

_SEMI_AXES_MM = (72.0, 92.0, 96.0)
BASE_Z_MM, TOP_Z_MM = -44.0, 92.0

_FAR_MM = 14.0
"""Bodies further than this from a plane leave no trace on it (partial volume and rims are thinner)."""

_VENTRICLE = (
    # (x, y, z, radius) of one side, frontal horn tip to occipital horn, then temporal horn
    ((9, -41, 6, 2.2), (9.5, -33, 12, 5.0), (10, -20, 19, 5.5), (12, -4, 24, 5.5), (16, 14, 25, 5.5), (22, 30, 18, 6.5)),
    ((22, 30, 18, 6.5), (25, 42, 9, 4.2), (22, 56, 6, 2.0)),
    ((25, 32, 8, 4.5), (32, 14, -10, 2.2), (32, -2, -18, 1.6)),
)
_HORNS_AT_THE_SEPTUM = (((5.0, -34, 9, 3.0), (5.0, -20, 18, 4.5), (5.5, 2, 24, 4.5)),)
_THIRD_VENTRICLE = (((0, -13, -6, 1.5), (0, -4, 3, 2.0), (0, 12, 4, 1.8)),)
_FOURTH_VENTRICLE = (((0, 24, -22, 1.5), (0, 33, -34, 5.5), (0, 30, -46, 2.0)),)
_SYLVIAN = ((64, 4, 4, 2.2), (50, -6, 2, 1.6), (41, -14, 3, 1.3))
_INSULA = ((40, -22, 2, 1.2), (43, -6, 6, 1.2), (41, 10, 10, 1.2))


@dataclass(frozen=True)
class Bleed:
    """An ellipsoid of fresh blood with an uneven edge and a dark rim; ``centre_mm`` from the centre of the head."""

    centre_mm: Point3 = (27.0, -6.0, 8.0)
    semi_axes_mm: Point3 = (11.0, 17.0, 13.0)
    oedema_mm: float = 5.0


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One person: sizes, random fields, what was put in."""

    folds: Image
    cloud: Image
    grain: Image
    marrow: Image
    ventricle_scale: float
    fold_mm: float
    axes: tuple[float, float, float] = _SEMI_AXES_MM
    bleed: Bleed | None = None
    speckles: tuple[tuple[float, float, float, float], ...] = field(default=())
    shift_mm: float | None = None
    """None: horns that lie apart. A number: horns that meet at the septum, as in most people, and how far the middle of the
    brain is pushed to the left (negative: to the right); the skull and the falx stay."""


def make_anatomy(rng: np.random.Generator, atrophy: float, bleed: Bleed | None, shift_mm: float | None = None) -> Anatomy:
    """Draws a person."""
    folds = power_noise(rng, (80, 96, 96), 1.5, longest_px=13, shortest_px=4.5)
    cloud = power_noise(rng, (32, 64, 64), 3.0, longest_px=24)
    marrow = power_noise(rng, (48, 128, 128), 0.8, shortest_px=2.0)
    calcium = (
        (0.3, 18.0, 4.0, 1.6),
        (-23.0 + float(rng.normal(0, 1)), 31.0, 17.0, 2.0),
        (22.0 + float(rng.normal(0, 1)), 32.0, 16.0, 2.3),
    )
    return Anatomy(
        folds,
        cloud,
        power_noise(rng, (8, 256, 256), 1.0),
        marrow,
        1.0 + 0.8 * atrophy + float(rng.uniform(-0.1, 0.1)),
        1.0 + 0.9 * atrophy,
        (
            _SEMI_AXES_MM[0] + float(rng.normal(0, 1)),
            _SEMI_AXES_MM[1] + float(rng.normal(0, 1.5)),
            _SEMI_AXES_MM[2],
        ),
        bleed,
        calcium,
        shift_mm,
    )


def _unpushed(anatomy: Anatomy, shift_mm: float, x: Image, y: Image, z: Image) -> Image:
    """Where the tissue at x stood before something pushed it. The whole shift in the middle around the septum and the third
    ventricle; nothing at the inner table, and less towards the front, the back, the vertex and the base."""
    ahead = smooth_step(np.abs(y + 8), 74, 34)
    level = smooth_step(z, 78, 36) * smooth_step(z, -44, -12)
    from_middle = np.clip(np.abs(x - shift_mm) / (anatomy.axes[0] - 8), 0, 1)
    return np.asarray(x - np.float32(shift_mm) * ahead * level * smooth_step(from_middle, 0.95, 0.08), np.float32)


def _chain(x: Image, y: Image, z: Image, chain: Sequence[tuple[float, float, float, float]], grow: float = 1.0) -> Image:
    """Signed distance (mm, negative inside) to a chain of cones with rounded ends."""
    best = np.full(x.shape, 1e3, np.float32)
    low, high = float(z.min()), float(z.max())
    for (x0, y0, z0, r0), (x1, y1, z1, r1) in zip(chain[:-1], chain[1:], strict=True):
        if max(z0, z1) < low - _FAR_MM or min(z0, z1) > high + _FAR_MM:
            continue
        dx, dy, dz = x1 - x0, y1 - y0, z1 - z0
        t = ((x - x0) * dx + (y - y0) * dy + (z - z0) * dz) / (dx * dx + dy * dy + dz * dz)
        t = np.clip(t, 0, 1)
        d = np.sqrt((x - x0 - t * dx) ** 2 + (y - y0 - t * dy) ** 2 + (z - z0 - t * dz) ** 2)
        best = np.minimum(best, d - (r0 + t * (r1 - r0)) * grow)
    return best


def _ball(x: Image, y: Image, z: Image, centre: Point3, axes: Point3) -> Image:
    """First-order signed distance (mm, negative inside) to an ellipsoid."""
    if centre[2] + axes[2] < float(z.min()) - _FAR_MM or centre[2] - axes[2] > float(z.max()) + _FAR_MM:
        return np.full(x.shape, 1e3, np.float32)
    a, b, c = ((v - m) / s for v, m, s in zip((x, y, z), centre, axes, strict=True))
    rho = np.sqrt(a * a + b * b + c * c) + 1e-6
    slope = np.sqrt((a / axes[0]) ** 2 + (b / axes[1]) ** 2 + (c / axes[2]) ** 2) / rho + 1e-6
    return np.asarray((rho - 1) / slope, np.float32)


def _mix(base: Image, value: float | Image, weight: Image) -> Image:
    return np.asarray(base + (value - base) * weight, np.float32)


def plane_hu(anatomy: Anatomy, x: Image, y: Image, z: Image) -> tuple[Image, Image]:
    """HU of one infinitely thin plane and the share of blood in each pixel; ``x, y, z`` mm from the head's centre."""
    shape = (x.shape[0], x.shape[1])
    middle = float(z[shape[0] // 2, shape[1] // 2])
    a, b, c = anatomy.axes
    # Narrower in front; below the widest level the head hardly tapers.
    narrow = 1.0 - 0.10 * np.clip(-y / b, -0.3, 1.0) ** 2 * np.sign(-y)
    height = np.where(z > 0, c, 150.0).astype(np.float32)
    u, v, w = x / (a * narrow), y / b, z / height
    rho = np.sqrt(u * u + v * v + w * w) + 1e-6
    slope = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / height) ** 2) / rho + 1e-6
    depth = (1 - rho) / slope  # mm below the outer table
    wobble = plane_of(anatomy.cloud, middle / 9.0, shape)
    depth = depth + wobble * np.float32(0.45)

    bone_mm = 6.2 + 1.6 * smooth_step(np.abs(x), 40, 5) * smooth_step(y, 50, 85) + 1.5 * smooth_step(-y, 60, 85)
    bone_mm = bone_mm - 2.2 * smooth_step(np.abs(x), 52, 68) * smooth_step(z, 45, 10)
    inner = depth - bone_mm  # mm below the inner table

    hu = np.full(shape, AIR_HU, np.float32)
    scalp = smooth_step(depth, -7.2, -6.2)
    hu = _mix(hu, 30.0, scalp)
    hu = _mix(hu, FAT_HU + 15, smooth_step(depth, -5.4, -4.6) * smooth_step(depth, -1.6, -2.4))
    temporal = smooth_step(np.abs(x), 50, 60) * smooth_step(z, 30, 5) * smooth_step(np.abs(y + 10), 50, 35)
    hu = _mix(hu, 58.0, smooth_step(depth, -4.5, -3.5) * temporal)

    brain, blood = _brain(anatomy, x, y, z, inner, middle, shape)
    hu = _mix(hu, brain, smooth_step(inner, -0.4, 0.4))

    marrow = plane_of(anatomy.marrow, middle / 1.6, shape)
    diploe = 620 + marrow * 170
    table = 1480 + wobble * 40
    middle_layer = smooth_step(depth, 1.2, 2.4) * smooth_step(inner, -1.2, -2.3)
    bone = _mix(np.asarray(table, np.float32), diploe.astype(np.float32), middle_layer * 0.85)
    hu = _mix(hu, bone, smooth_step(depth, -0.5, 0.5) * smooth_step(inner, 0.4, -0.4))
    hu = _base(anatomy, hu, x, y, z, depth, marrow)

    # Head rest behind the scalp.
    rest = np.abs(np.sqrt((x / 1.05) ** 2 + y**2) - 108)
    holder = smooth_step(y, 38, 42) * smooth_step(depth, -7, -9)
    hu = _mix(hu, -830.0, holder * smooth_step(rest, 3.4, 2.6))
    hu = _mix(hu, -300.0, holder * smooth_step(np.abs(rest - 3.2), 1.3, 0.4))
    return np.asarray(hu, np.float32), blood


def _brain(
    anatomy: Anatomy, x: Image, y: Image, z: Image, inner: Image, middle: float, shape: tuple[int, int]
) -> tuple[Image, Image]:
    grow = anatomy.ventricle_scale
    folds = plane_of(anatomy.folds, middle / 2.9, shape)
    cloud = plane_of(anatomy.cloud, middle / 7.0 + 11, shape)
    place, falx_side = x, np.abs(x)  # what is not pushed: the falx, the sinus, the bleed that pushes
    if anatomy.shift_mm:
        x = _unpushed(anatomy, anatomy.shift_mm, x, y, z)
    side = np.abs(x)

    # Distance (mm) to the nearest CSF surface of the cortex: skull side, sulci, fissure, Sylvian fissure.
    ragged = inner + 5 * cloud
    gyrus = np.abs(folds) * np.float32(3.6)
    # Grey matter follows the folds deeper than the CSF between them can be seen.
    cortex = gyrus + (1 - smooth_step(ragged, 27, 15)) * 9
    sulcus = gyrus + (1 - smooth_step(ragged, 19, 8)) * 9
    # The tentorium rises from the petrous ridges to the midline behind.
    behind = np.maximum(z + 4 + 0.42 * (y - 25), 2 + 0.52 * side - y)
    cerebellum = smooth_step(behind, 1.2, -1.2)
    sulcus = sulcus + cerebellum * 9
    cortex = cortex + cerebellum * 9
    # The fissure and the falx in it reach down to the callosum, whose outline in the midline is about an ellipse.
    arch = np.sqrt(((y - 2) / 46) ** 2 + ((z - 6) / 31) ** 2)
    fissure_open = smooth_step(arch, 0.96, 1.12) * smooth_step(z, -34, -24) * (1 - cerebellum)
    midline = side + np.float32(0.5) * np.abs(cloud)
    fissure = midline - 0.9 + (1 - fissure_open) * 12
    sylvian = np.minimum(_chain(side, y, z * 0.55, _SYLVIAN) + 0.4 * np.abs(folds), _chain(side, y, z * 0.45, _INSULA) + 0.2)
    surface = np.minimum(np.minimum(inner - 1.3 * anatomy.fold_mm, sulcus - 0.75 * anatomy.fold_mm), fissure)
    surface = np.minimum(surface, sylvian)

    hu = np.full(shape, WHITE_HU, np.float32) + cloud * np.float32(0.5)
    ribbon = smooth_step(np.minimum(surface, cortex), 4.4, 2.4)
    hu = _mix(hu, GREY_HU, ribbon)

    for centre, axes, value in (
        ((14.5, -25.0, 9.0), (5.2, 9.0, 9.0), 37.0),  # caudate head
        ((26.5, -6.0, 4.0), (6.2, 16.0, 9.5), 37.5),  # putamen
        ((20.0, -3.0, 2.0), (3.5, 9.0, 6.0), 36.0),  # pallidum
        ((11.0, 11.0, 8.0), (8.2, 13.5, 9.0), 36.0),  # thalamus
    ):
        d = _ball(side + 0.25 * (y - centre[1]) * (centre[0] > 18), y, z, centre, axes)
        hu = _mix(hu, value, smooth_step(d, 1.2, -1.2))

    # Cerebellum and brain stem behind and below the tentorium.
    folia = np.sin((z * 1.3 + y * 0.55 + cloud * 1.8) * 1.1).astype(np.float32)
    hu = _mix(hu, 35.0 + folia * 1.6 + cloud, cerebellum)
    hu = _mix(hu, 45.0, smooth_step(np.abs(behind), 1.6, 0.6) * smooth_step(z, 12, 0) * smooth_step(y, -5, 5) * 0.7)
    stem = np.minimum(
        _ball(x, y, z, (0.0, 14.0, -36.0), (12.5, 10.0, 26.0)), _ball(side, y, z, (8.0, 5.0, -18.0), (6.0, 8.0, 14.0))
    )
    stem = stem + 0.8 * cloud
    star = np.minimum(_ball(x, y, z, (0, -7, -22), (11, 8, 6)), _chain(side, y, z, ((4, -8, -21, 3), (26, -14, -20, 1.2))))
    ring = np.abs(stem - 2.2) - np.where(y > 10, np.float32(1.7), np.float32(0.7))
    cistern = np.minimum(ring, star + 0.8 * folds)
    cistern = np.maximum(cistern, z + 10)
    hu = _mix(hu, CSF_HU + 2, smooth_step(cistern, 0.8, -0.8))
    hu = _mix(hu, 33.0, smooth_step(stem, 0.8, -0.8) * smooth_step(z, -6, -14))

    hu = _mix(hu, CSF_HU, smooth_step(surface, 0.45, -0.45))
    ventricle = np.full(shape, 1e3, np.float32)
    for chain in _VENTRICLE if anatomy.shift_mm is None else (*_VENTRICLE, *_HORNS_AT_THE_SEPTUM):
        ventricle = np.minimum(ventricle, _chain(side + 0.3 * cloud, y, z, chain, grow))
    ventricle = np.maximum(ventricle, 1.0 - side)  # septum
    for chain in (*_THIRD_VENTRICLE, *_FOURTH_VENTRICLE):
        ventricle = np.minimum(ventricle, _chain(x, y, z, chain, grow))
    hu = _mix(hu, CSF_HU - 1, smooth_step(ventricle, 0.7, -0.7))

    falx = smooth_step(falx_side, 1.1, 0.5) * fissure_open * smooth_step(arch, 1.02, 1.2)
    hu = _mix(hu, 45.0, falx * smooth_step(inner, -1, 0) * (0.55 + 0.45 * smooth_step(y, -20, 40)))
    sinus = _ball(place, inner, z, (0.0, 1.0, 0.0), (4.5, 3.2, 400.0))
    hu = _mix(hu, 54.0, smooth_step(sinus, 0.8, -0.8) * smooth_step(y, 30, 60))
    for cx, cy, cz, radius in anatomy.speckles:
        d2 = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2
        hu = hu + np.float32(170) * np.exp(-d2 / np.float32(radius**2))

    blood = np.zeros(shape, np.float32)
    if anatomy.bleed is not None:
        lesion = anatomy.bleed
        d = _ball(place, y, z, lesion.centre_mm, lesion.semi_axes_mm) + folds * 1.0 + cloud * 0.9
        hu = _mix(hu, 19.0, smooth_step(d, lesion.oedema_mm, lesion.oedema_mm * 0.3) * smooth_step(inner, 1, 3) * 0.8)
        hu = _mix(hu, BLOOD_HU + cloud * np.float32(2.2), smooth_step(d, 0.7, -0.7))
        blood = (d < 0).astype(np.float32)
    # Beam hardening under the bone.
    hu = hu + np.float32(4.0) * np.exp(-np.maximum(inner, 0) / np.float32(5.0))
    return np.asarray(hu, np.float32), blood


def _base(anatomy: Anatomy, hu: Image, x: Image, y: Image, z: Image, depth: Image, marrow: Image) -> Image:
    """Skull base: orbits, ethmoid and sphenoid cells, petrous bones, frontal sinus. Only below z = -12."""
    if float(z.min()) > -12:
        return hu
    side = np.abs(x)
    # Floor of the front fossa, arched over the orbits, ends at the sphenoid wings: in front of and below it is face.
    edge = -24 - 13 * smooth_step(side, 14, 42) + 6 * smooth_step(side, 44, 62)
    floor = -34 + 13 * np.exp(-(((side - 32) / 17) ** 2)) - 0.22 * (y + 55)
    under = np.maximum(z - floor, (y - edge) * 0.9)
    muscle = 34 + marrow * 7
    face = smooth_step(under, 0.8, -0.8) * smooth_step(depth, 2, 4)
    hu = _mix(hu, np.asarray(muscle, np.float32), face)
    plate = smooth_step(np.abs(under + 1.0), 1.9, 0.9) * smooth_step(depth, 1, 4)
    hu = _mix(hu, 800 + marrow * 120, plate)
    orbit = _ball(side, y, z, (30.0, -60.0, -46.0), (18.0, 25.0, 17.0))
    hu = _mix(hu, 1000.0, smooth_step(np.abs(orbit + 0.2), 1.6, 0.7) * smooth_step(y, -86, -80))
    hu = _mix(hu, FAT_HU, smooth_step(orbit, 0, -1.5))
    globe = _ball(side, y, z, (31.0, -72.0, -46.0), (12.0, 12.0, 12.0))
    hu = _mix(hu, 14.0, smooth_step(globe, 0.5, -0.5))
    hu = _mix(hu, 62.0, smooth_step(_ball(side, y, z, (31.0, -81.0, -46.0), (4.5, 2.2, 4.5)), 0.5, -0.5))
    nerve = _chain(side, y, z, ((30, -60, -46, 2.2), (14, -32, -42, 2.0)))
    hu = _mix(hu, 38.0, smooth_step(nerve, 0.5, -0.5) * smooth_step(orbit, 0, -1))
    for centre, axes in (
        ((7.0, -56.0, -40.0), (6.0, 24.0, 11.0)),  # ethmoid
        ((8.0, -26.0, -45.0), (8.5, 10.0, 9.0)),  # sphenoid
        ((11.0, -83.0, -27.0), (8.0, 3.4, 8.0)),  # frontal
    ):
        cell = _ball(side, y, z, (centre[0], centre[1], centre[2]), (axes[0], axes[1], axes[2]))
        hu = _mix(hu, 850.0, smooth_step(np.abs(cell), 1.2, 0.5))
        hu = _mix(hu, AIR_HU, smooth_step(cell, 0.3, -0.6))
        if centre[1] == -56.0:
            septa = np.abs(np.sin(y * np.float32(0.42))) * 7.0 + np.abs(np.sin(side * np.float32(0.5))) * 5.0
            hu = _mix(hu, 180.0, smooth_step(septa, 1.1, 0.4) * smooth_step(cell, 0.3, -0.6))
    petrous = _chain(side, y, z, ((66, 22, -46, 12.0), (42, 12, -44, 8.5), (18, -6, -44, 6.0)))
    texture = 950 + marrow * 330
    hu = _mix(hu, texture.astype(np.float32), smooth_step(petrous, 1.0, -1.0))
    mastoid = _ball(side, y, z, (60.0, 25.0, -47.0), (9.0, 11.0, 12.0)) + marrow * 2.6
    hu = _mix(hu, -700.0, smooth_step(mastoid, 0, -1.5) * 0.9)
    canal = _chain(side, y, z, ((72, 2, -48, 3.2), (50, 8, -46, 2.5)))
    hu = _mix(hu, AIR_HU, smooth_step(canal, 0.4, -0.6))
    clivus = _chain(x, y, z, ((0, -14, -40, 6.0), (0, -4, -58, 6.0)))
    return _mix(hu, 620.0 + marrow * 90, smooth_step(clivus, 1.0, -1.0))
