"""Head CT without contrast: scalp, skull with diploe, cortex ribbon, white matter, ventricles, deep nuclei, falx, sinuses.

Anatomy is a function of the patient position (mm from the centre of the head: x left, y posterior, z to the vertex), so
thick, thin and tilted slices show the same head. A haemorrhage may be put in, with its exact volume as truth.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume
from app.imaging.fields import Image, blur, resize
from app.samples.head_anatomy import BASE_Z_MM, TOP_Z_MM, Bleed, make_anatomy, plane_hu

__all__ = ["Bleed", "BleedTruth", "HeadPhantom", "generate_head_ct", "thick_slices"]


@dataclass(frozen=True)
class BleedTruth:
    """What a second reader should find."""

    centre_lps_mm: Point3
    box_lps_mm: tuple[Point3, Point3]
    volume_ml: float
    side: str


@dataclass(frozen=True, eq=False)
class HeadPhantom:
    """A head with its answer."""

    volume: Volume
    bleed: BleedTruth | None
    bleed_mask: npt.NDArray[np.bool_] | None
    """On the grid of ``volume``."""
    shift_mm: float | None = None
    """How far the septum and the third ventricle stand from the middle of the skull; positive to the patient's left. None
    where no septum was drawn."""


def generate_head_ct(
    seed: int = 1,
    *,
    slice_mm: float = 5.0,
    rows: int = 512,
    field_of_view_mm: float = 215.0,
    tilt_deg: float = 0.0,
    bleed: Bleed | None = None,
    noise_hu: float | None = None,
    atrophy: float = 0.0,
    shift_mm: float | None = None,
    turn_deg: float = 0.0,
    roll_deg: float = 0.0,
    centre_lps_mm: Point3 = (3.5, -178.0, 641.0),
    frame_of_reference_uid: str = "",
    threads: int = 2,
) -> HeadPhantom:
    """A head on ``rows`` x ``rows`` slices every ``slice_mm``; voxels int16 HU, k towards the vertex.

    ``tilt_deg`` leans the planes as a gantry does (the table still moves along z). ``atrophy`` 0..1 widens ventricles and
    sulci. ``shift_mm`` draws a thin septum and pushes the middle of the brain to the left (negative: right).
    ``turn_deg`` and ``roll_deg`` lay the head obliquely: turned about its long axis, leaned to a shoulder. ``noise_hu``
    default follows the slice thickness. The same arguments give the same voxels.
    """
    rng = np.random.default_rng([seed, 7101])
    anatomy = make_anatomy(rng, atrophy, bleed, shift_mm)
    fine = min(rows, 256)
    lean = float(np.tan(np.deg2rad(tilt_deg)))
    pixel_mm = field_of_view_mm / rows
    count = int(np.ceil((TOP_Z_MM - BASE_Z_MM + abs(lean) * 150) / slice_mm)) + 1
    start_z = BASE_Z_MM - (abs(lean) * 75)
    step = field_of_view_mm / fine
    axis = (np.arange(fine, dtype=np.float32) - np.float32((fine - 1) / 2)) * np.float32(step)
    x, y = np.meshgrid(axis, axis)
    cos = float(np.cos(np.deg2rad(tilt_deg)))
    noise = noise_hu if noise_hu is not None else float(3.4 * (5.0 / slice_mm) ** 0.45)
    grain = _grain(rng, rows)
    seeds = rng.integers(0, rows, size=(count, 3))
    averaged = max(1, min(3, round(slice_mm / 1.7)))
    voxels = np.empty((count, rows, rows), np.int16)
    mask = np.zeros((count, rows, rows), bool) if bleed else None

    def fill(k: int) -> None:
        z0 = start_z + k * slice_mm
        hu = np.zeros((fine, fine), np.float32)
        blood = np.zeros((fine, fine), np.float32)
        for n in range(averaged):
            dz = ((n + 0.5) / averaged - 0.5) * slice_mm
            place = (x, y * np.float32(cos), z0 + dz - y * np.float32(cos * lean))
            part, bled = plane_hu(anatomy, *(_laid(*place, turn_deg, roll_deg) if turn_deg or roll_deg else place))
            hu += part
            blood += bled
        hu = resize(np.asarray(hu / averaged, np.float32), (rows, rows))
        a, b, turn = (int(v) for v in seeds[k])
        sheet = np.roll(grain, (a, b), (0, 1))
        sheet = sheet.T if turn % 2 else sheet
        # Noise is stronger in the middle of the head and weak in air, as after filtered back-projection.
        inside = np.clip((hu + 1000) / 900, 0.25, 1.0)
        voxels[k] = np.rint(np.clip(hu + sheet * noise * inside, -1024, 3071)).astype(np.int16)
        if mask is not None:
            mask[k] = resize(np.asarray(blood / averaged, np.float32), (rows, rows), smooth=False) > 0.5

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(count)))
    origin = _corner(centre_lps_mm, field_of_view_mm, pixel_mm, start_z, cos, lean)
    geometry = VolumeGeometry(
        origin,
        (0.0, 0.0, slice_mm),
        (0.0, pixel_mm * cos, -pixel_mm * cos * lean),
        (pixel_mm, 0.0, 0.0),
        voxels.shape,
        frame_of_reference_uid,
    )
    volume = Volume(voxels, geometry, "HU")
    return HeadPhantom(volume, _truth(mask, geometry), mask, shift_mm)


def _laid(x: Image, y: Image, z: Image, turn_deg: float, roll_deg: float) -> tuple[Image, Image, Image]:
    """Places in the scanner as places in a head that lies obliquely."""
    ct, st = np.float32(np.cos(np.deg2rad(turn_deg))), np.float32(np.sin(np.deg2rad(turn_deg)))
    cr, sr = np.float32(np.cos(np.deg2rad(roll_deg))), np.float32(np.sin(np.deg2rad(roll_deg)))
    x, y = x * ct + y * st, y * ct - x * st
    return x * cr + z * sr, y, z * cr - x * sr


def thick_slices(head: HeadPhantom, count: int) -> HeadPhantom:
    """Averages every ``count`` slices, as a scanner does for its thick series; the truth stays that of the thin ones."""
    voxels = head.volume.voxels
    groups = voxels.shape[0] // count
    out = np.empty((groups, *voxels.shape[1:]), np.int16)
    for k in range(groups):
        out[k] = np.rint(voxels[k * count : (k + 1) * count].mean(axis=0, dtype=np.float32)).astype(np.int16)
    thin = head.volume.geometry
    step = (thin.k_step_mm[0] * count, thin.k_step_mm[1] * count, thin.k_step_mm[2] * count)
    geometry = VolumeGeometry(
        thin.to_patient(((count - 1) / 2, 0.0, 0.0)),
        step,
        thin.j_step_mm,
        thin.i_step_mm,
        out.shape,
        thin.frame_of_reference_uid,
    )
    mask = None
    if head.bleed_mask is not None:
        grouped = head.bleed_mask[: groups * count].reshape(groups, count, *voxels.shape[1:])
        mask = grouped.mean(axis=1, dtype=np.float32) > 0.5
    return HeadPhantom(Volume(out, geometry, "HU"), head.bleed, mask, head.shift_mm)


def _corner(
    centre: Point3, fov_mm: float, pixel_mm: float, start_z: float, cos: float, lean: float
) -> tuple[float, float, float]:
    half = (fov_mm - pixel_mm) / 2
    return (centre[0] - half, centre[1] - half * cos, centre[2] + start_z + half * cos * lean)


def _truth(mask: npt.NDArray[np.bool_] | None, geometry: VolumeGeometry) -> BleedTruth | None:
    if mask is None or not mask.any():
        return None
    index = np.argwhere(mask).astype(np.float64)
    points = geometry.to_patient_many(index)
    low, high, centre = points.min(axis=0), points.max(axis=0), points.mean(axis=0)
    voxel_mm3 = abs(float(np.linalg.det(geometry.affine[:3, :3])))
    middle = geometry.to_patient(tuple((n - 1) / 2 for n in geometry.shape))  # type: ignore[arg-type]
    return BleedTruth(
        _p(centre), (_p(low), _p(high)), len(index) * voxel_mm3 / 1000.0, "L" if centre[0] > middle[0] else "R"
    )


def _p(v: npt.NDArray[np.float64]) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


def _grain(rng: np.random.Generator, rows: int) -> Image:
    """Noise with the texture of a smooth reconstruction kernel."""
    white = rng.standard_normal((rows, rows), dtype=np.float32)
    grain = blur(white, 0.75) - np.float32(0.35) * blur(white, 2.5)
    return np.asarray(grain / grain.std(), np.float32)
