"""A generated chest CT with known nodules: arrays only, no DICOM. Deterministic by seed; looks like a CT.

Not a model of any person: shapes, trees and textures are drawn by chance within anatomical habit.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume
from app.samples.chest_anatomy import Body, Shapes, ramp, shapes_at, thorax_axes
from app.samples.chest_nodules import NoduleSpec, NoduleTruth, make_blob
from app.samples.chest_trees import Segments, draw_slab, from_rows, grow_tree, join, slab_index

__all__ = ["ChestPhantom", "NoduleSpec", "NoduleTruth", "ScanStyle", "generate_chest_ct"]

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ScanStyle:
    """Scanner and lung habit; what is None is drawn by the seed."""

    noise_hu: float | None = None
    psf_mm: float | None = None
    """Standard deviation of the blur in the plane."""
    lung_hu: float | None = None
    vessels: float | None = None
    """Number of small vessels, about 1."""
    noise_seed: int | None = None
    """Another scan of the same person differs only in its noise."""
    emphysema: float | None = None


@dataclass(frozen=True, eq=False)
class ChestPhantom:
    """``volume`` int16 HU; ``truth`` in the order of the nodules; ``lung_mask`` bool, with vessels and nodules."""

    volume: Volume
    truth: tuple[NoduleTruth, ...]
    lung_mask: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Scene:
    body: Body
    style: ScanStyle
    vessels: Segments
    bronchi: Segments
    ribs: Segments
    octaves: tuple[tuple[float, npt.NDArray[np.float32]], ...]
    warp: npt.NDArray[np.float32]
    muscle: npt.NDArray[np.float32]
    seed: int


def generate_chest_ct(
    seed: int = 0,
    shape: tuple[int, int, int] = (140, 512, 512),
    spacing_mm: tuple[float, float, float] = (2.0, 0.7, 0.7),
    nodules: Sequence[NoduleSpec] | int | None = None,
    origin_mm: Point3 | None = None,
    style: ScanStyle | None = None,
    frame_of_reference_uid: str = "",
) -> ChestPhantom:
    """A chest of ``shape`` (slices, rows, columns), slices from the diaphragm up, spacing (k, j, i).

    ``nodules``: what to put in, or how many to draw by the seed (None: two to six). The anatomy is fitted to the field of
    view, so any shape shows a whole chest. Raises ``ValueError`` when a wanted nodule lies outside the volume.
    """
    rng = np.random.default_rng([seed, 11])
    height = shape[0] * spacing_mm[0]
    # The anatomy starts where the scan starts; a default origin far from zero catches ignored geometry.
    origin = origin_mm or (-spacing_mm[2] * (shape[2] - 1) / 2, -spacing_mm[1] * (shape[1] - 1) / 2 - 12.5, -1.37 * height)
    geometry = VolumeGeometry.axial(shape, spacing_mm, origin, frame_of_reference_uid)
    scene = _scene(seed, shape, spacing_mm, style or ScanStyle(), rng)
    voxels = np.empty(shape, np.float32)
    lungs = np.empty(shape, bool)
    x, y = _plane_grid(shape, spacing_mm)
    z = (np.arange(shape[0]) + 0.5) * spacing_mm[0]
    slabs = [slab_index(s, z, spacing_mm[0]) for s in (scene.vessels, scene.bronchi, scene.ribs)]

    voxels[:] = _room(x, y, scene.body, spacing_mm)
    lungs[:] = False
    wide, deep = _reach(scene.body)
    rows, columns = _around(y[:, 0], deep), _around(x[0], wide)
    xb, yb = x[rows, columns], y[rows, columns]

    def paint(k: int) -> None:
        image = voxels[k, rows, columns]
        lungs[k, rows, columns] = _slice(image, scene, xb, yb, float(z[k]), spacing_mm, [s[k] for s in slabs])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(paint, range(shape[0])))
    specs = _drawn_nodules(nodules, rng) if nodules is None or isinstance(nodules, int) else tuple(nodules)
    truth = _put_nodules(voxels, lungs, specs, scene, geometry, rng)
    noise_seed = seed if scene.style.noise_seed is None else scene.style.noise_seed
    out = np.empty(shape, np.int16)

    def finish(k: int) -> None:
        out[k] = _scanned(voxels[k], x, y, scene, k, 1 - float(z[k]) / height, spacing_mm, noise_seed)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(finish, range(shape[0])))
    return ChestPhantom(Volume(out, geometry, "HU"), truth, lungs)


def _plane_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> tuple[Plane, Plane]:
    x = (np.arange(shape[2]) - (shape[2] - 1) / 2) * spacing_mm[2]
    y = (np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing_mm[1]
    grid = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return grid[0], grid[1]


def _scene(
    seed: int,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    style: ScanStyle,
    rng: np.random.Generator,
) -> _Scene:
    field = min(shape[1] * spacing_mm[1] / 0.72, shape[2] * spacing_mm[2])
    half = min(rng.uniform(158, 182), 0.455 * field)
    height = shape[0] * spacing_mm[0]
    body = Body(
        half,
        half * rng.uniform(0.64, 0.71),
        height,
        rng.uniform(14, 30) * half / 170,
        rng.uniform(0.88, 1.12),
        rng.uniform(0.64, 0.70),
        rng.uniform(0.68, 0.74),
        rng.uniform(-3, 5),
        rng.uniform(0, 1),
    )
    filled = ScanStyle(
        rng.uniform(12, 38) if style.noise_hu is None else style.noise_hu,
        rng.uniform(0.38, 0.7) if style.psf_mm is None else style.psf_mm,
        rng.uniform(-885, -835) if style.lung_hu is None else style.lung_hu,
        rng.uniform(0.75, 1.3) if style.vessels is None else style.vessels,
        style.noise_seed,
        max(0.0, rng.normal(0, 0.5)) if style.emphysema is None else style.emphysema,
    )
    warp = rng.standard_normal((2, max(4, int(height / 30) + 2), 9, 9)).astype(np.float32) * 2.6
    vessels, bronchi = _trees(body, filled, warp, rng)
    octaves = []
    extent = (height, shape[1] * spacing_mm[1], shape[2] * spacing_mm[2])
    for period, amplitude in ((45.0, 14.0), (15.0, 11.0), (6.0, 13.0), (2.6, 15.0)):
        size = [int(np.ceil(e / period)) + 2 for e in extent]
        octaves.append((amplitude, rng.standard_normal(size).astype(np.float32)))
    muscle = (
        cv2.GaussianBlur(rng.standard_normal((64, 180)).astype(np.float32), (0, 0), 3, borderType=cv2.BORDER_REPLICATE) * 9
    )
    return _Scene(body, filled, vessels, bronchi, _ribs(body, rng), tuple(octaves), warp, muscle, seed)


def _coarse_lung(
    body: Body, warp: npt.NDArray[np.float32], step_mm: float = 5.0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Points (n, 3) in scene mm (x, y, z) inside the lungs and how deep each lies in mm."""
    wide, deep = _reach(body)
    x, y = np.meshgrid(
        np.linspace(-wide, wide, round(2 * wide / step_mm)).astype(np.float32),
        np.linspace(-deep, deep, round(2 * deep / step_mm)).astype(np.float32),
    )
    size = (x.shape[0], x.shape[1])
    points, depth = [], []
    for z in np.arange(step_mm / 2, body.height_mm, step_mm):
        t = 1 - float(z) / body.height_mm
        xw, yw = _warped(warp, x, y, t, size)
        lung = shapes_at(body, xw, yw, t).lung
        inside = lung < 0
        points.append(np.stack([x[inside], y[inside], np.full(int(inside.sum()), z)], 1))
        depth.append(-lung[inside])
    return np.concatenate(points).astype(np.float64), np.concatenate(depth).astype(np.float64)


def _trees(
    body: Body, style: ScanStyle, warp: npt.NDArray[np.float32], rng: np.random.Generator
) -> tuple[Segments, Segments]:
    points, depth = _coarse_lung(body, warp)
    points, depth = points[depth > 3.5], depth[depth > 3.5]
    a, b, height = body.half_width_mm, body.half_depth_mm, body.height_mm
    vessels, bronchi = [], []
    for side, hilum_t in ((-1.0, 0.43), (1.0, 0.415)):
        mine = points[np.sign(points[:, 0]) == side]
        if len(mine) < 50:
            continue
        share = len(mine) * 125.0 / 2.0e6
        for root_t, back, leaves in ((hilum_t, 0.03 * b, 760), (hilum_t + 0.07, 0.0, 520)):
            count = int(np.clip(leaves * share * (style.vessels or 1.0), 12, len(mine)))
            ends = mine[rng.choice(len(mine), count, replace=False)] + rng.uniform(-2.5, 2.5, (count, 3))
            root = np.asarray([side * 0.22 * a, back, height * (1 - root_t)])
            vessels.append(grow_tree(root, ends, rng, rng.uniform(0.42, 0.55)))
        count = int(np.clip(110 * share, 8, len(mine)))
        deep = mine[rng.choice(len(mine), count, replace=False)]
        root = np.asarray([side * 0.27 * a, 0.10 * b, height * (1 - hilum_t - 0.03)])
        bronchi.append(grow_tree(root, root + (deep - root) * 0.72, rng, 0.62, 0.40, 0.08))
    if not vessels:
        return from_rows([]), from_rows([])
    return join(vessels), join(bronchi)


def _ribs(body: Body, rng: np.random.Generator) -> Segments:
    rows = []
    height = body.height_mm
    drop = rng.uniform(0.24, 0.30) * min(1.0, 290 / height) * height
    for pair in range(13):
        top = height * (1.06 - 0.083 * pair)
        for side in (-1.0, 1.0):
            last = 2.45 if pair < 9 else 1.9 - 0.3 * (pair - 9)
            previous = None
            for angle in np.linspace(0.30, last, 26):
                z = top - drop * (1 - np.cos(angle)) / 2 * (0.4 if pair == 0 else 1.0)
                wide, deep, back = thorax_axes(body, float(np.clip(1 - z / height, 0, 1.1)))
                # Ribs start beside the spine and run outside the pleura.
                point = np.asarray([side * (wide + 6.0) * np.sin(angle) ** 0.8, back + (deep + 6.0) * np.cos(angle), z])
                if previous is not None:
                    rows.append((previous, point, 4.3 + 0.5 * np.sin(angle)))
                previous = point
    return from_rows(rows)


def _between(levels: npt.NDArray[np.float32], position: float, size: tuple[int, int]) -> Plane:
    """A plane of a coarse noise grid at a fractional level, enlarged to (rows, columns)."""
    position = min(max(position, 0.0), len(levels) - 1.001)
    low = int(position)
    u = position - low
    u = u * u * (3 - 2 * u)
    # Mixed so that the spread stays the same between levels.
    plane = (levels[low] * (1 - u) + levels[low + 1] * u) / np.sqrt((1 - u) ** 2 + u * u)
    return np.asarray(cv2.resize(plane, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def _warped(warp: npt.NDArray[np.float32], x: Plane, y: Plane, t: float, size: tuple[int, int]) -> tuple[Plane, Plane]:
    """Places on the body's rectangle pushed about by some millimetres, so that no border is a plain ellipse."""
    level = t * (warp.shape[1] - 1)
    return x + _between(warp[0], level, size), y + _between(warp[1], level, size)


def _reach(body: Body) -> tuple[float, float]:
    """Half width and half depth of the rectangle that is painted."""
    return body.half_width_mm * 1.07 + 9.0, body.half_depth_mm + 9.0


def _soft(distance: Plane, pixel_mm: float) -> Plane:
    """Share of a pixel inside a border."""
    return np.clip(0.5 - distance / pixel_mm, 0, 1)


def _mix(image: Plane, share: Plane, value: Plane | float) -> None:
    image += share * (value - image)


def _around(axis: npt.NDArray[np.float32], reach_mm: float) -> slice:
    inside = np.nonzero(np.abs(axis) <= reach_mm)[0]
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _slice(
    image: Plane,
    scene: _Scene,
    x: Plane,
    y: Plane,
    z: float,
    spacing_mm: tuple[float, float, float],
    chosen: list[npt.NDArray[np.integer]],
) -> npt.NDArray[np.bool_]:
    """Paints one slice of the body over ``image``; gives its lung mask."""
    body = scene.body
    t = 1 - z / body.height_mm
    size = (x.shape[0], x.shape[1])
    px = max(spacing_mm[1], spacing_mm[2])
    # Borders are smooth: they are worked out on every second pixel and enlarged.
    half = (-(-size[0] // 2), -(-size[1] // 2))
    xh = np.ascontiguousarray(cv2.resize(x, (half[1], half[0]), interpolation=cv2.INTER_AREA))
    yh = np.ascontiguousarray(cv2.resize(y, (half[1], half[0]), interpolation=cv2.INTER_AREA))
    xh, yh = _warped(scene.warp, xh, yh, t, half)
    s = shapes_at(body, xh, yh, t).enlarged(size)
    texture = [_between(o, z / body.height_mm * (len(o) - 1), size) for _, o in scene.octaves]
    _wall(image, scene, s, x, y, t, px, texture)
    inside = _soft(s.thorax, px)
    _mix(image, inside, -92.0 + 9 * texture[1] + 6 * texture[2])
    _mediastinum(image, s, px, texture, inside)
    _abdomen(image, s, px, texture, inside)
    lung_share = _soft(s.lung, px)
    gradient = 38.0 * np.clip(y / body.half_depth_mm, -1, 1)
    tissue = (scene.style.lung_hu or -860.0) + gradient
    for (amplitude, _), noise in zip(scene.octaves, texture, strict=True):
        tissue = tissue + amplitude * noise
    tissue = tissue + 45.0 * np.clip(texture[3] - 1.4, 0, 2)
    holes = np.clip(texture[2] * 0.7 + texture[1] - 1.5 + 0.5 * (scene.style.emphysema or 0), 0, 1)
    tissue = tissue - 55.0 * min(scene.style.emphysema or 0.0, 1.5) * holes * (1 - 0.5 * t)
    tissue = tissue + 130.0 * np.exp(-((s.fissure / 0.9) ** 2)) + 25 * np.exp(-(((s.lung + 1.0) / 1.2) ** 2))
    _mix(image, lung_share, tissue)
    _draw_trees(image, scene, s, chosen, z, spacing_mm, x, y)
    _bones(image, scene, s, x, y, t, z, chosen[2], spacing_mm, texture)
    return np.asarray(s.lung < 0)


def _room(x: Plane, y: Plane, body: Body, spacing_mm: tuple[float, float, float]) -> Plane:
    """Air and the table, the same on every slice."""
    px = max(spacing_mm[1], spacing_mm[2])
    image = np.full(x.shape, -1000.0, np.float32)
    top = body.half_depth_mm + 9 - 34 * np.clip((x / 230) ** 2, 0, 1)
    shell = np.abs(y - top - 10) - 9.0
    wide = np.abs(x) < 215
    _mix(image, _soft(shell, px) * wide, -940.0)
    _mix(image, _soft(np.abs(shell) - 1.0, px) * wide, -160.0)
    return image


def _wall(image: Plane, scene: _Scene, s: Shapes, x: Plane, y: Plane, t: float, px: float, texture: list[Plane]) -> None:
    body = scene.body
    _mix(image, _soft(s.body, px), -108.0 + 7 * texture[1] + 5 * texture[3] + 60 * np.clip(texture[2] - 2.1, 0, 1))
    angle = np.arctan2(x, -y)  # 0 in front, +-pi behind
    bins = np.linspace(-np.pi, np.pi, 181)
    front = np.exp(-(((np.abs(bins) - 0.75) / 0.42) ** 2)) * 17 * ramp(t, 0.05, 0.2) * (1 - ramp(t, 0.42, 0.6))
    side = np.exp(-(((np.abs(bins) - 1.75) / 0.5) ** 2)) * 12
    behind = np.exp(-(((np.abs(bins) - 2.75) / 0.30) ** 2)) * 24
    shoulders = np.exp(-(((np.abs(bins) - 1.7) / 0.8) ** 2)) * 46 * (1 - ramp(t, 0.08, 0.30))
    row = scene.muscle[int(np.clip(t, 0, 1) * (len(scene.muscle) - 1))]
    thick = 11 + front + side + behind + shoulders + np.append(row, row[0]) * 0.25
    depth = np.interp(angle, bins, thick).astype(np.float32)
    outer = np.maximum(s.thorax - depth, s.body + 4.0 + 0.35 * body.fat_mm)
    planes = np.abs(np.sin((s.thorax - 9.0) * (np.pi / 11.0) + 2.5 * texture[1]))
    muscle = 54.0 + 7 * texture[3] - 110.0 * np.clip(1 - planes * 7.0, 0, 1) * (s.thorax > 9)
    _mix(image, _soft(outer, px), muscle)
    # Fat between the ribs and under the pleura.
    _mix(image, np.exp(-((s.thorax - 1.2) ** 2) / 1.2) * 0.45, -60.0)
    _mix(image, _soft(np.abs(s.body + 0.9) - 0.9, px), 8.0)


def _mediastinum(image: Plane, s: Shapes, px: float, texture: list[Plane], inside: Plane) -> None:
    wall = np.abs(s.heart + 1.0)
    _mix(image, _soft(s.heart, px) * inside, 41.0 + 3 * texture[1])
    _mix(image, np.exp(-((wall - 2.2) ** 2) / 1.0) * 0.5 * (s.heart > -6) * (s.heart < 3) * inside, -45.0)
    _mix(image, _soft(s.vessels, px) * inside, 43.0)
    _mix(image, _soft(s.oesophagus, px) * inside, 36.0)
    _mix(image, _soft(s.oesophagus + 5.0, px) * (texture[0] > 0.2) * inside, -500.0)
    _mix(image, _soft(s.airway_wall, px) * inside, 30.0)
    _mix(image, _soft(s.airway, px) * inside, -990.0)
    # Small nodes and vessels in the fat.
    _mix(image, np.clip((texture[2] - 1.25) * 2.5, 0, 1) * (image < -20) * (image > -150) * inside, 38.0)


def _abdomen(image: Plane, s: Shapes, px: float, texture: list[Plane], inside: Plane) -> None:
    below = _soft(s.abdomen, px) * inside
    if not below.any():
        return
    _mix(image, below, -98.0 + 8 * texture[1])
    _mix(image, np.exp(-((s.abdomen + 1.5) ** 2) / 2.0) * inside, 42.0)
    _mix(image, below * _soft(s.liver, px), 56.0 + 2.5 * texture[2] - 14 * np.clip(texture[1] - 1.3, 0, 1))
    _mix(image, below * _soft(s.spleen, px), 47.0 + 2 * texture[2])
    _mix(image, below * _soft(s.stomach, px), 38.0)
    _mix(image, below * _soft(s.stomach + 4.5, px), 22.0 + 14 * texture[2])
    _mix(image, below * _soft(s.gas, px), -960.0)


def _draw_trees(
    image: Plane,
    scene: _Scene,
    s: Shapes,
    chosen: list[npt.NDArray[np.integer]],
    z: float,
    spacing_mm: tuple[float, float, float],
    x: Plane,
    y: Plane,
) -> None:
    origin = (float(x[0, 0]), float(y[0, 0]))
    pixel = (spacing_mm[2], spacing_mm[1])
    depth = np.clip((-s.lung - 1.5) / 2.0, 0, 1) + (s.mediastinum < 12) * (s.abdomen > 2)
    room = np.clip(depth, 0, 1) * (s.heart > 4)
    canvas = np.zeros(image.shape, np.uint8)
    draw_slab(canvas, scene.vessels, chosen[0], z, spacing_mm[0], origin, pixel)
    share = canvas.astype(np.float32) * (room / 255.0)
    _mix(image, share, 38.0)
    wall = np.zeros(image.shape, np.uint8)
    draw_slab(wall, scene.bronchi, chosen[1], z, spacing_mm[0], origin, pixel, 1.0, 0.75)
    _mix(image, wall.astype(np.float32) * (room * 0.75 / 255.0), -150.0)
    wall[:] = 0
    draw_slab(wall, scene.bronchi, chosen[1], z, spacing_mm[0], origin, pixel)
    _mix(image, wall.astype(np.float32) * (room / 255.0), -975.0)


def _bones(
    image: Plane,
    scene: _Scene,
    s: Shapes,
    x: Plane,
    y: Plane,
    t: float,
    z: float,
    ribs: npt.NDArray[np.integer],
    spacing_mm: tuple[float, float, float],
    texture: list[Plane],
) -> None:
    px = max(spacing_mm[1], spacing_mm[2])
    origin, pixel = (float(x[0, 0]), float(y[0, 0])), (spacing_mm[2], spacing_mm[1])
    canvas = np.zeros(image.shape, np.uint8)
    draw_slab(canvas, scene.ribs, ribs, z, spacing_mm[0], origin, pixel)
    front = np.clip((-y - 0.30 * scene.body.half_depth_mm) / 12.0, 0, 1)
    front *= np.abs(x) < 0.52 * scene.body.half_width_mm
    shell = 760.0 - 640.0 * front  # cartilage in front
    _mix(image, canvas.astype(np.float32) / 255.0 * (s.body < -6), shell)
    canvas[:] = 0
    draw_slab(canvas, scene.ribs, ribs, z, spacing_mm[0], origin, pixel, 1.0, -1.7)
    _mix(image, canvas.astype(np.float32) / 255.0 * (s.body < -6), 210.0 + 60 * texture[3] - 110 * front)
    # Vertebra: cortical rim, cancellous body, disc every 26 mm; arch, canal, transverse and spinous processes.
    phase = (z / 26.0 + scene.body.spine_phase) % 1.0
    disc = min(1.0, max(0.0, (0.10 - abs(phase - 0.5)) * 20))
    _mix(image, _soft(s.vertebra, px), 480.0 * (1 - disc) + 95.0 * disc)
    _mix(image, _soft(s.vertebra + 2.0, px), (185.0 + 55 * texture[3] + 25 * texture[2]) * (1 - disc) + 85.0 * disc)
    arch = np.abs(s.canal - 2.6) - 2.4
    cy = 0.46 * scene.body.half_depth_mm + scene.body.kyphosis + 21
    spinous = np.maximum(np.abs(x) - 3.2, np.abs(y - cy - 22) - 14 * (0.6 + 0.4 * np.cos(2 * np.pi * phase)))
    wing = np.maximum(np.abs(y - cy - 2 - 0.25 * np.abs(x)) - 4.5, np.abs(np.abs(x) - 20) - 14)
    joint = 1 - min(1.0, max(0.0, (0.16 - abs(phase - 0.72)) * 12))
    for part, weight in ((arch, joint), (spinous, 1.0), (wing, joint)):
        near = (s.body < -7) * np.float32(weight)
        _mix(image, _soft(np.asarray(part, np.float32), px) * near, 520.0)
        _mix(image, _soft(np.asarray(part, np.float32) + 1.7, px) * near, 260.0)
    _mix(image, _soft(s.canal, px), 24.0)
    _mix(image, _soft(s.canal + 4.0, px), 38.0)
    for shape, core in ((s.scapula, 230.0), (s.sternum, 160.0)):
        _mix(image, _soft(shape, px) * (s.body < -5), 520.0)
        _mix(image, _soft(shape + 1.5, px) * (s.body < -5), core + 40 * texture[3])


def _drawn_nodules(count: int | None, rng: np.random.Generator) -> tuple[NoduleSpec, ...]:
    number = int(rng.integers(2, 7)) if count is None else count
    specs = []
    for _ in range(number):
        kind = str(rng.choice(["solid", "part_solid", "ground_glass"], p=[0.66, 0.17, 0.17]))
        low = 4.0 if kind == "solid" else 6.0
        diameter = float(np.clip(low * np.exp(rng.exponential(0.45)), low, 28.0))
        specs.append(
            NoduleSpec(
                round(diameter, 1),
                kind,
                None,
                None,
                float(rng.random() < 0.3) * float(rng.uniform(0.2, 0.8)) if diameter > 7 else 0.0,
                float(rng.uniform(0.06, 0.22)),
                str(rng.choice(["free", "pleura", "vessel"], p=[0.5, 0.3, 0.2])),
            )
        )
    return tuple(specs)


def _place(
    spec: NoduleSpec,
    scene: _Scene,
    points: npt.NDArray[np.float64],
    depth: npt.NDArray[np.float64],
    taken: list[tuple[float, ...]],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """(x, y, z) in scene mm."""
    r = spec.diameter_mm / 2
    at_wall = spec.place == "pleura"
    good = (depth > 0.5 * r) & (depth < 0.9 * r + 2.0) if at_wall else depth > r + 4
    pool = points[good] if good.any() else points
    pool = pool[rng.choice(len(pool), min(500, len(pool)), replace=False)]
    if len(scene.vessels):
        ends, wide = scene.vessels.end, scene.vessels.radius_mm
        if spec.place == "vessel":
            fit = np.nonzero((wide > 0.5) & (wide < max(0.8, 0.5 * r)))[0]
            inner = points[depth > r + 3]
            if len(fit) and len(inner):
                chosen = fit[rng.choice(len(fit), min(300, len(fit)), replace=False)]
                side = rng.normal(size=(len(chosen), 3))
                side /= np.linalg.norm(side, axis=1, keepdims=True)
                near = ends[chosen] + side * (wide[chosen] + 0.7 * r)[:, None]
                gap = np.linalg.norm(near[:, None] - inner[None, :: max(1, len(inner) // 3000)], axis=2).min(1)
                pool = near[gap < 9] if (gap < 9).any() else pool
        # Off the thicker vessels: a nodule swallowed by the hilum would be a truth that nobody can see.
        thick = wide > (0.9 if spec.place != "vessel" else max(0.9, 0.5 * r))
        if thick.any():
            gap = (np.linalg.norm(pool[:, None] - ends[thick][None], axis=2) - wide[thick]).min(1)
            pool = pool[gap > 0.75 * r] if (gap > 0.75 * r).any() else pool[np.argsort(gap)[-20:]]
    best, room = pool[0], -1.0
    for _ in range(40):
        point = pool[int(rng.integers(len(pool)))] + rng.uniform(-2, 2, 3)
        free = min((float(np.linalg.norm(point - np.asarray(o[:3])) - r - o[3]) for o in taken), default=99.0)
        edge = min(float(point[2]), scene.body.height_mm - float(point[2])) - r
        if min(free, edge * 2) > room:
            best, room = point, min(free, edge * 2)
        if room > 12:
            break
    return float(best[0]), float(best[1]), float(best[2])


def _put_nodules(
    voxels: npt.NDArray[np.float32],
    lungs: npt.NDArray[np.bool_],
    specs: tuple[NoduleSpec, ...],
    scene: _Scene,
    geometry: VolumeGeometry,
    rng: np.random.Generator,
) -> tuple[NoduleTruth, ...]:
    spacing, shape = geometry.spacing_mm, geometry.shape
    points, depth = _coarse_lung(scene.body, scene.warp, 4.0)
    taken: list[tuple[float, ...]] = []
    truth = []
    for spec in specs:
        if spec.centre_lps_mm is not None:
            kji = geometry.to_index(spec.centre_lps_mm)
        else:
            p = _place(spec, scene, points, depth, taken, rng)
            kji = (
                p[2] / spacing[0] - 0.5,
                p[1] / spacing[1] + (shape[1] - 1) / 2,
                p[0] / spacing[2] + (shape[2] - 1) / 2,
            )
        px, py = (kji[2] - (shape[2] - 1) / 2) * spacing[2], (kji[1] - (shape[1] - 1) / 2) * spacing[1]
        taken.append((px, py, (kji[0] + 0.5) * spacing[0], spec.diameter_mm / 2))
        truth.append(_put(voxels, lungs, spec, kji, geometry, rng))
    return tuple(truth)


def _put(
    voxels: npt.NDArray[np.float32],
    lungs: npt.NDArray[np.bool_],
    spec: NoduleSpec,
    kji: tuple[float, float, float],
    geometry: VolumeGeometry,
    rng: np.random.Generator,
) -> NoduleTruth:
    spacing = geometry.spacing_mm
    blob = make_blob(spec, kji, spacing, geometry.shape, rng)
    here = voxels[blob.box]
    # What is buried in the chest wall has its density and cannot be seen: only the part in air is the nodule.
    seen = blob.outer * np.clip((-150.0 - here) / 150.0, 0, 1) if spec.place == "pleura" else blob.outer
    default = {"solid": rng.uniform(-20, 60), "part_solid": rng.uniform(-60, 40), "ground_glass": rng.uniform(-650, -490)}
    hu = float(default[spec.kind]) if spec.hu is None else spec.hu
    if spec.kind == "solid":
        here += blob.outer * np.maximum(hu + 6 * blob.texture - here, 0)
    else:
        haze = hu if spec.kind == "ground_glass" else float(rng.uniform(-640, -500))
        here += blob.outer * np.maximum(haze + 35 * blob.texture - here, 0) * (here < -350)
        if spec.kind == "part_solid":
            here += blob.core * np.maximum(hu + 20 * blob.texture - here, 0)
    mask = seen >= 0.5
    lungs[blob.box] |= mask
    weights = seen
    index = np.meshgrid(*(np.arange(s.start, s.stop) for s in blob.box), indexing="ij")
    total = float(weights.sum()) or 1.0
    centre = tuple(float((weights * i).sum()) / total for i in index)
    volume = total * float(np.prod(spacing))
    lps = geometry.to_patient((centre[0], centre[1], centre[2]))
    side = "L" if kji[2] > (geometry.shape[2] - 1) / 2 else "R"
    diameter = float((6 * volume / np.pi) ** (1 / 3))
    return NoduleTruth(lps, diameter, volume, spec.kind, hu, side, spec.place, blob.box, mask)


def _scanned(
    image: Plane,
    x: Plane,
    y: Plane,
    scene: _Scene,
    k: int,
    t: float,
    spacing_mm: tuple[float, float, float],
    noise_seed: int,
) -> npt.NDArray[np.int16]:
    """The blur of the scanner and noise of its colour; streaks between the shoulders."""
    px = min(spacing_mm[1], spacing_mm[2])
    sigma = max((scene.style.psf_mm or 0.5) / px, 0.25)
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    noise_hu = 20.0 if scene.style.noise_hu is None else scene.style.noise_hu
    if noise_hu > 0:
        rng = np.random.default_rng([noise_seed, 77, k])
        white = rng.standard_normal(image.shape, np.float32)
        coloured = cv2.GaussianBlur(white, (0, 0), max(0.35 / px, 0.3) + 0.25)
        coloured -= 0.75 * cv2.GaussianBlur(coloured, (0, 0), 2.2 / px * 0.6)
        coloured *= noise_hu / (float(coloured[::4, ::4].std()) + 1e-6)
        wide, deep = scene.body.half_width_mm, scene.body.half_depth_mm
        inner = np.exp(-((x / wide) ** 2) - ((y / deep) ** 2))
        blurred += coloured * (0.55 + 0.6 * inner)
        streak = 1 - ramp(t, 0.03, 0.2)
        if streak > 0:
            lines = cv2.GaussianBlur(white[::-1], (0, 0), sigmaX=12 / px, sigmaY=0.7 / px)
            blurred += lines * (noise_hu * 1.1 * streak / (float(lines.std()) + 1e-6)) * inner
    return np.clip(np.rint(blurred), -1024, 3071).astype(np.int16)
