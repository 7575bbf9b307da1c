"""Two generated chests of one person: nodules grown by known factors, some new, some gone; moved, turned, breathing.

The second scan is the first one's anatomy with other nodules, resampled along a known map: a rigid motion, and inside the
lungs a shift that is largest at the diaphragm and nothing at the apex. Bones keep still: no rigid registration can follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume
from app.samples.chest_ct import NoduleSpec, ScanStyle, generate_chest_ct

SHAPE, SPACING_MM = (122, 330, 330), (2.2, 1.04, 1.04)
FACTORS = (1.0, 1.0, 1.5, 2.0, 3.0, 0.6)
"""Of the volume."""
_COARSE = (2, 5, 5)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairTruth:
    """One nodule in both scans; None where it is not there. Volumes in mm3, of a nodule stretched by the breath too."""

    then_mm: Point3 | None
    now_mm: Point3 | None
    then_mm3: float
    now_mm3: float
    kind: str
    diameter_mm: float
    """The larger of both."""
    factor: float


@dataclass(frozen=True, eq=False)
class ChestPair:
    then: Volume
    now: Volume
    truth: tuple[PairTruth, ...]
    days: int


@dataclass(frozen=True, eq=False)
class Motion:
    """Places of the second scan to those of the first: turned about ``middle``, shifted, and breathed inside the lungs."""

    rotation: Floats
    shift_mm: Floats
    middle: Floats
    breath_mm: Floats
    """At the diaphragm."""
    lungs: npt.NDArray[np.float32]
    """Share of the breath on a coarse grid of the first scan."""
    geometry: VolumeGeometry
    """Of the first scan."""

    def apply(self, points: Floats) -> Floats:
        """(n, 3) LPS mm."""
        p = (points - self.middle) @ self.rotation.T + self.middle + self.shift_mm
        return np.asarray(p + self._share(p)[:, None] * self.breath_mm)

    def _share(self, p: Floats) -> Floats:
        index = self.geometry.to_index_many(p)
        last = self.geometry.shape[0] - 1
        up = np.clip(1.0 - index[:, 0] / last, 0.0, 1.0) ** 2
        inside = ndimage.map_coordinates(self.lungs, (index / np.asarray(_COARSE)).T, order=1, mode="nearest")
        return np.asarray(up * inside)

    def back(self, point: Sequence[float]) -> Point3:
        """Where a place of the first scan lies in the second."""
        wanted = np.asarray(point, float)
        guess = (wanted - self.middle - self.shift_mm) @ self.rotation + self.middle
        for _ in range(40):
            guess = guess + (wanted - self.apply(guess[None])[0])
        return (float(guess[0]), float(guess[1]), float(guess[2]))

    def stretch(self, point: Sequence[float]) -> float:
        """Volume in the first scan of a unit of volume in the second."""
        p = np.asarray(point, float)
        steps = [(self.apply((p + e)[None])[0] - self.apply((p - e)[None])[0]) / 4.0 for e in 2.0 * np.eye(3)]
        return float(abs(np.linalg.det(np.stack(steps, axis=1))))


def turned(degrees: Sequence[float]) -> Floats:
    a, b, c = np.radians(degrees)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(z @ y @ x)


def random_specs(count: int, rng: np.random.Generator) -> list[NoduleSpec]:
    specs = []
    for _ in range(count):
        kind = str(rng.choice(["solid", "part_solid", "ground_glass"], p=[0.8, 0.1, 0.1]))
        low = {"solid": 5.0, "part_solid": 8.0, "ground_glass": 9.0}[kind]
        diameter = round(float(np.clip(low * np.exp(rng.exponential(0.4)), low, 20.0)), 1)
        place = str(rng.choice(["free", "pleura", "vessel"], p=[0.6, 0.25, 0.15]))
        specs.append(NoduleSpec(diameter, kind, irregularity=float(rng.uniform(0.06, 0.2)), place=place))
    return specs


def chest_pair(seed: int, noise_hu: float = 22.0, breath_mm: float | None = None, still: bool = False) -> ChestPair:
    """Three to six nodules in both scans, up to two gone and up to two new. ``breath_mm``: at the diaphragm; None draws it.
    ``still``: not turned, shifted or breathed."""
    rng = np.random.default_rng([seed, 909])
    quiet = ScanStyle(noise_hu=0.0)
    common = random_specs(int(rng.integers(3, 7)), rng)
    gone, new = random_specs(int(rng.integers(0, 3)), rng), random_specs(int(rng.integers(0, 3)), rng)
    first = generate_chest_ct(seed, SHAPE, SPACING_MM, [*common, *gone], style=quiet)
    factors = [float(rng.choice(FACTORS)) for _ in common]
    grown = [
        replace(s, diameter_mm=s.diameter_mm * f ** (1 / 3), centre_lps_mm=t.centre_lps_mm, hu=t.hu)
        for s, f, t in zip(common, factors, first.truth, strict=False)
    ]
    second = generate_chest_ct(seed, SHAPE, SPACING_MM, [*grown, *new], style=quiet)
    motion = _motion(first.lung_mask, first.volume.geometry, rng, breath_mm, still)
    now = _moved(second.volume, motion, rng)
    truth = [
        _truth(motion, t.centre_lps_mm, u.centre_lps_mm, t.volume_mm3, u.volume_mm3, u.kind)
        for t, u in zip(first.truth, second.truth[: len(common)], strict=False)
    ]
    truth += [_truth(motion, t.centre_lps_mm, None, t.volume_mm3, 0.0, t.kind) for t in first.truth[len(common) :]]
    truth += [_truth(motion, None, t.centre_lps_mm, 0.0, t.volume_mm3, t.kind) for t in second.truth[len(common) :]]
    then = _noisy(first.volume, noise_hu, np.random.default_rng([seed, 1]))
    return ChestPair(then, _noisy(now, noise_hu, np.random.default_rng([seed, 2])), tuple(truth), int(rng.integers(90, 400)))


def _truth(m: Motion, then: Point3 | None, now: Point3 | None, then_mm3: float, now_mm3: float, kind: str) -> PairTruth:
    here = m.back(now) if now is not None else None
    now_mm3 = now_mm3 / m.stretch(here) if here is not None else 0.0
    diameter = (6.0 / np.pi * max(then_mm3, now_mm3)) ** (1 / 3)
    return PairTruth(then, here, then_mm3, now_mm3, kind, float(diameter), now_mm3 / then_mm3 if then_mm3 else 0.0)


def _motion(
    lungs: npt.NDArray[np.bool_], geometry: VolumeGeometry, rng: np.random.Generator, breath: float | None, still: bool
) -> Motion:
    coarse = lungs[:: _COARSE[0], :: _COARSE[1], :: _COARSE[2]].astype(np.float32)
    soft = ndimage.gaussian_filter(coarse, 1.5)
    middle = np.asarray(geometry.to_patient(tuple((n - 1) / 2 for n in geometry.shape)))  # type: ignore[arg-type]
    up = float(rng.uniform(-25.0, 25.0)) if breath is None else breath
    moved = np.array([0.0, rng.uniform(-0.3, 0.1) * abs(up), up])
    turn, shift = rng.uniform(-6, 6, 3), rng.uniform(-15, 15, 3)
    if still:
        return Motion(np.eye(3), np.zeros(3), middle, np.zeros(3), soft, geometry)
    return Motion(turned(turn), shift, middle, moved, soft, geometry)


def _moved(volume: Volume, motion: Motion, rng: np.random.Generator) -> Volume:
    """On the same grid, named by an origin of its own in a frame of reference of its own."""
    g = volume.geometry
    out = np.empty(g.shape, np.float32)
    j, i = np.meshgrid(np.arange(g.shape[1]), np.arange(g.shape[2]), indexing="ij")
    for k in range(g.shape[0]):
        plane = np.stack([np.full(j.size, k), j.ravel(), i.ravel()], 1).astype(float)
        at = g.to_index_many(motion.apply(g.to_patient_many(plane)))
        at[:, 0] = np.clip(at[:, 0], 0.0, g.shape[0] - 1.0)  # beyond the scan the body goes on: no air below the lungs
        out[k] = ndimage.map_coordinates(volume.voxels, at.T, np.float32, order=1, cval=-1000.0).reshape(j.shape)
    return replace(volume, voxels=out, geometry=replace(g, frame_of_reference_uid="1.2.3.9"))


def _noisy(volume: Volume, noise_hu: float, rng: np.random.Generator) -> Volume:
    white = rng.standard_normal(volume.voxels.shape, np.float32)
    grain = ndimage.gaussian_filter(white, (0.0, 0.7, 0.7))
    values = volume.voxels + grain * (noise_hu / float(grain.std()))
    return replace(volume, voxels=np.clip(np.rint(values), -1024, 3071).astype(np.int16))
