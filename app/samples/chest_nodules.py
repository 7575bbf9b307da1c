"""Nodules of the generated chest: irregular blobs of known place, size and kind, put in with partial volume."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3

KINDS = ("solid", "part_solid", "ground_glass")


@dataclass(frozen=True)
class NoduleSpec:
    """What to put in. Without ``centre_lps_mm`` a fitting place in a lung is drawn by the seed."""

    diameter_mm: float
    kind: str = "solid"
    centre_lps_mm: Point3 | None = None
    hu: float | None = None
    """Plateau HU of the solid (or, for ground glass, of the only) part."""
    spiculation: float = 0.0
    """0 smooth to 1 strongly spiculated."""
    irregularity: float = 0.12
    place: str = "free"
    """free, pleura (touching the chest wall) or vessel (on a vessel); used only when the place is drawn."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'"kind" must be one of {KINDS}')
        if not self.diameter_mm > 0:
            raise ValueError('"diameter_mm" must be above zero')


@dataclass(frozen=True, eq=False)
class NoduleTruth:
    """A nodule as it lies in the volume."""

    centre_lps_mm: Point3
    diameter_mm: float
    """Of a sphere with the nodule's volume."""
    volume_mm3: float
    kind: str
    hu: float
    laterality: str
    """R or L of the patient."""
    place: str
    box: tuple[slice, slice, slice]
    """Array indices [k, j, i] of ``mask``."""
    mask: npt.NDArray[np.bool_] = field(repr=False)


def smooth_noise(shape: tuple[int, int, int], cells: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Smooth noise of unit spread with about ``cells`` bumps along the longest side."""
    step = max(max(shape) / cells, 1.0)
    small = [max(2, int(np.ceil(n / step)) + 1) for n in shape]
    coarse = rng.standard_normal(small).astype(np.float32)
    levels = [cv2.resize(plane, (shape[2], shape[1]), interpolation=cv2.INTER_CUBIC) for plane in coarse]
    stack = np.stack(levels)
    flat = cv2.resize(stack.reshape(small[0], -1), (shape[1] * shape[2], shape[0]), interpolation=cv2.INTER_CUBIC)
    return flat.reshape(shape)


@dataclass(frozen=True, eq=False)
class Blob:
    box: tuple[slice, slice, slice]
    outer: npt.NDArray[np.float32]
    """Share of each voxel that the whole nodule fills."""
    core: npt.NDArray[np.float32]
    """Share of the solid part."""
    texture: npt.NDArray[np.float32]


def make_blob(
    spec: NoduleSpec,
    centre_kji: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
    rng: np.random.Generator,
) -> Blob:
    """The nodule on the voxels around ``centre_kji``; supersampled across slices. Its volume is that of the diameter."""
    r = spec.diameter_mm / 2
    reach = r * (1.6 + 1.2 * spec.spiculation) + 1.5
    low = [max(0, int(np.floor(c - reach / s))) for c, s in zip(centre_kji, spacing_mm, strict=True)]
    high = [min(n, int(np.ceil(c + reach / s)) + 1) for c, s, n in zip(centre_kji, spacing_mm, shape, strict=True)]
    if any(b <= a for a, b in zip(low, high, strict=True)):
        raise ValueError("a nodule lies outside the volume")
    sub = max(1, int(np.ceil(spacing_mm[0] / 0.8)))
    nk = (high[0] - low[0]) * sub
    k = low[0] - 0.5 + (np.arange(nk) + 0.5) / sub
    z = ((k - centre_kji[0]) * spacing_mm[0])[:, None, None]
    y = ((np.arange(low[1], high[1]) - centre_kji[1]) * spacing_mm[1])[None, :, None]
    x = ((np.arange(low[2], high[2]) - centre_kji[2]) * spacing_mm[2])[None, None, :]
    stretch = np.exp(rng.normal(0, 0.5 * spec.irregularity, 3))
    stretch /= np.cbrt(stretch.prod())
    distance = np.sqrt((z / stretch[0]) ** 2 + (y / stretch[1]) ** 2 + (x / stretch[2]) ** 2).astype(np.float32)
    bumps = smooth_noise(distance.shape, 5.0, rng)
    bumps /= float(bumps.std()) + 1e-6
    reach_of = r * (1 + spec.irregularity * 0.8 * bumps)
    if spec.spiculation > 0:
        reach_of = reach_of + r * _spicules(z, y, x, distance, spec.spiculation, rng)
    soft = 0.5 * min(spacing_mm[1], spacing_mm[2]) + 0.1
    # The wanted volume decides the last millimetre, so that the truth is the diameter asked for.
    voxel = spacing_mm[0] / sub * spacing_mm[1] * spacing_mm[2]
    excess = distance - reach_of
    wanted = 4 / 3 * np.pi * r**3
    a, b = -reach, reach
    for _ in range(24):
        middle = 0.5 * (a + b)
        a, b = (middle, b) if float((excess < middle).sum()) * voxel < wanted else (a, middle)
    excess = excess - 0.5 * (a + b)
    outer = np.clip(0.5 - excess / (2 * soft), 0, 1)
    if spec.kind == "part_solid":
        core = np.clip(0.5 - (excess + r * 0.45) / (2 * soft), 0, 1)
    else:
        core = outer if spec.kind == "solid" else np.zeros_like(outer)

    def fold(a: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return a.reshape(-1, sub, *a.shape[1:]).mean(1)

    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    return Blob(box, fold(outer), fold(core), fold(bumps))


def _spicules(
    z: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    x: npt.NDArray[np.float64],
    distance: npt.NDArray[np.float32],
    strength: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    out = np.zeros_like(distance)
    for _ in range(int(8 + 14 * strength)):
        d = rng.normal(size=3)
        d /= np.linalg.norm(d)
        cosine = (z * d[0] + y * d[1] + x * d[2]) / (distance + 1e-3)
        sharp = rng.uniform(25, 90)
        out = np.maximum(out, np.exp(sharp * (cosine - 1.0)) * rng.uniform(0.3, 1.2) * strength)
    return out.astype(np.float32)
