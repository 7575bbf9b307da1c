"""What is measured on an outlined nodule: axes, volume, kind; and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.distance import cdist

Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Measured:
    long_axis_mm: float
    short_axis_mm: float
    mean_diameter_mm: float
    """Mean of long and short axis on the slice with the largest area, to 0.1 mm."""
    volume_mm3: float
    mean_hu: float
    kind: str
    solid_mm: float
    """Diameter of a ball of the volume of the solid part; 0 when there is none."""
    slice_index: int
    long_axis_points: tuple[tuple[float, float], tuple[float, float]]
    """(row, column) ends on that slice, array indices."""
    short_axis_points: tuple[tuple[float, float], tuple[float, float]]


SOLID_HU = -300.0
GROUND_GLASS_HU = -750.0


def axes_of(
    mask: npt.NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> tuple[float, float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(long, short, ends of the long, ends of the short) of a plane mask in mm; ends as (2, 2) of (row, column)."""
    points = np.argwhere(mask).astype(np.float64)
    edge = np.argwhere(mask & ~ndimage.binary_erosion(mask)).astype(np.float64)
    scale = np.asarray(pixel_mm)
    if len(edge) < 2:
        size = float(scale.mean())
        both = np.stack([points[0], points[0]])
        return size, size, both, both
    mm = edge * scale
    gap = cdist(mm, mm)
    a, b = np.unravel_index(int(gap.argmax()), gap.shape)
    direction = (mm[b] - mm[a]) / max(gap[a, b], 1e-6)
    # A pixel's own width belongs to the length: ends are centres of pixels.
    width = float(np.abs(direction) @ scale)
    long_mm = float(gap[a, b]) + width
    across = np.asarray([-direction[1], direction[0]])
    along = mm @ direction
    best, ends = -1.0, np.stack([edge[a], edge[b]])
    for n in range(len(mm)):
        level = np.abs(along - along[n]) < 0.75 * float(scale.max())
        if not level.any():
            continue
        side = (mm - mm[n]) @ across
        far = np.where(level, np.abs(side), -1)
        m = int(far.argmax())
        if far[m] > best:
            best, ends = float(far[m]), np.stack([edge[n], edge[m]])
    short_mm = min(best + float(np.abs(across) @ scale), long_mm)
    return long_mm, short_mm, np.stack([edge[a], edge[b]]), ends


def measure(
    voxels: npt.NDArray[np.generic], mask: npt.NDArray[np.bool_], spacing_mm: Triple, volume_mm3: float | None = None
) -> Measured:
    """``voxels`` and ``mask`` (k, j, i) on the same grid. ``volume_mm3`` replaces the count of voxels where it is finer."""
    areas = mask.sum((1, 2))
    k = int(areas.argmax())
    long_mm, short_mm, long_ends, short_ends = axes_of(mask[k], (spacing_mm[1], spacing_mm[2]))
    voxel = float(np.prod(spacing_mm))
    volume = float(mask.sum()) * voxel if volume_mm3 is None else volume_mm3
    values = voxels[mask].astype(np.float64)
    # The rim is half air by partial volume: the kind is judged on the inner part where there is one.
    pad = np.pad(mask, 1)
    inner = ndimage.binary_erosion(pad, ndimage.generate_binary_structure(3, 1))[1:-1, 1:-1, 1:-1]
    core = voxels[inner].astype(np.float64) if int(inner.sum()) >= 6 else np.sort(values)[len(values) // 2 :]
    solid = float((core > SOLID_HU).mean()) if len(core) else 0.0
    if solid >= 0.72:
        kind = "solid"
    elif solid >= 0.08:
        kind = "part_solid"
    else:
        kind = "ground_glass"
    solid_volume = float((values > SOLID_HU).sum()) * voxel
    solid_mm = (6 * solid_volume / np.pi) ** (1 / 3) if kind != "ground_glass" else 0.0

    def ends(points: npt.NDArray[np.float64]) -> tuple[tuple[float, float], tuple[float, float]]:
        return (float(points[0, 0]), float(points[0, 1])), (float(points[1, 0]), float(points[1, 1]))

    return Measured(
        round(long_mm, 1),
        round(short_mm, 1),
        round((long_mm + short_mm) / 2, 1),
        round(volume, 1),
        round(float(values.mean()), 1),
        kind,
        round(float(solid_mm), 1),
        k,
        ends(long_ends),
        ends(short_ends),
    )


def region_of(laterality: str, share_up: float, share_back: float) -> str:
    """Message id of the lobe-side region: by height in the lung (0 base, 1 apex) and depth (0 front, 1 back).

    The oblique fissure runs from high behind to low in front; it is assumed, not seen.
    """
    fissure = 0.28 + 0.42 * share_back
    if laterality == "L":
        return "region.lung.left_upper" if share_up > fissure else "region.lung.left_lower"
    if share_up <= fissure:
        return "region.lung.right_lower"
    return "region.lung.right_middle" if share_up < 0.52 and share_back < 0.6 else "region.lung.right_upper"
