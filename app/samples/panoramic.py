"""Panoramic films: jaws, condyles, sinuses, airway and spine shadows, and up to 32 teeth whose numbers and boxes are known.

The film is a sum of attenuations, turned to grey by 1 - exp(-sum). The patient's right is on the left of the film.
Parametric, fast and the same for the same seed, so that it also serves training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.imaging.fields import Image, blur, bulge, depth_inside, polygon, polyline, power_noise, resize, smooth_step, spline
from app.samples.jaws import COLUMNS, Mouth, PlacedTooth, draw_jaws
from app.samples.teeth import ALL_TEETH, is_upper, kind


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
    missing: list[int] = []
    implants: list[int] = []
    filled: list[int] = []
    apical: list[int] = []
    fillings: dict[int, str] = {}
    cavities: dict[int, str] = {}
    impacted: dict[int, float] = {}
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
    mouth = Mouth(rng, columns)
    mu = draw_jaws(mouth)
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


def _patch(mouth: Mouth, tooth: PlacedTooth, margin: float) -> tuple[slice, slice, npt.NDArray[np.float64]]:
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
    mouth: Mouth, mu: Image, tooth: PlacedTooth, fdi: int, plan: DentalPlan, labels: npt.NDArray[np.uint8] | None
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


def _along(tooth: PlacedTooth, size: tuple[int, int], offset: npt.NDArray[np.float64]) -> Image:
    """Pixels of the 2048-pixel film from the biting edge along the axis, for each pixel of a patch."""
    unit = tooth.put(np.array([[0.0, 0.0], [0.0, 1.0]]))
    start, direction = unit[0] - offset, (unit[1] - unit[0]) / tooth.scale
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.asarray(((x - start[0]) * direction[0] + (y - start[1]) * direction[1]) / tooth.scale, np.float32)


_SPOTS = {"M": (-0.36, 0.42), "O": (0.03, 0.12), "D": (0.36, 0.42)}


def _work(
    mouth: Mouth,
    view: Image,
    tooth: PlacedTooth,
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


def _implant(mouth: Mouth, mu: Image, fdi: int) -> tuple[float, float, float, float]:
    """A screw and its crown in place of a tooth; its box."""
    tooth = mouth.tooth(fdi, None)
    shape = tooth.shape
    v = np.linspace(shape.crown_height * 0.85, shape.length * 0.92, 60)
    half = shape.width * 0.17 * (1 - 0.35 * (v - v[0]) / (v[-1] - v[0])) + 1.5 * np.sign(np.sin(v * 0.9))
    screw = np.concatenate([np.stack([-half, v], axis=1), np.stack([half, v], axis=1)[::-1]])
    for outline, value in ((screw, 1.5), (shape.crown, 1.1)):
        mu += value * blur(polygon(mouth.shape, tooth.put(outline)), 0.8 * mouth.scale)
    return _box(np.concatenate([tooth.put(screw), tooth.put(shape.crown)]))


def _expose(mouth: Mouth, mu: Image, marker: bool) -> npt.NDArray[np.uint16]:
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
    return np.asarray(np.rint(np.clip(grey, 0, 1) * 3900 + 60).astype(np.uint16))


def _letter(mu: Image, s: float) -> None:
    """A lead R in the lower corner of the patient's right."""
    stroke = np.array(
        [(36, 990), (36, 900), (72, 900), (84, 912), (84, 932), (72, 944), (36, 944), (60, 944), (88, 990)], float
    )
    mu += np.float32(1.6) * blur(polyline(mu.shape, stroke * s, 13 * s), 0.8 * s)
