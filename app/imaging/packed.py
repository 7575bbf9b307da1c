"""The reader's voxel masks in their kept form and back."""

from __future__ import annotations

import math
import zlib

import numpy as np
import numpy.typing as npt

from app.domain.finding import PackedMask
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Quantity
from app.domain.volume import Volume
from app.imaging.growing import BoxMask
from app.imaging.masks import Mask


def pack(mask: BoxMask, volume: Volume, display_set_id: str, grown: bool) -> PackedMask:
    k, j, i = (slice(a, b) for a, b in zip(mask.start, mask.stop, strict=True))
    uids = volume.source_sop_instance_uids[k] if volume.source_sop_instance_uids else ()
    bits = zlib.compress(np.packbits(mask.values).tobytes(), 6)
    return PackedMask(bits, volume.geometry.cropped(k, j, i), display_set_id, uids, grown)


def unpack(packed: PackedMask) -> Mask:
    """``[k, j, i]`` on ``packed.geometry``. Raises ``ValueError`` when the bits do not fit the grid."""
    shape = packed.geometry.shape
    raw = zlib.decompressobj().decompress(packed.bits, math.prod(shape) // 8 + 8)
    flat = np.unpackbits(np.frombuffer(raw, dtype=np.uint8))
    if flat.size < math.prod(shape):
        raise ValueError("the bits of a mask do not fill its grid")
    return np.asarray(flat[: math.prod(shape)].reshape(shape), dtype=np.bool_)


def box_in(packed: PackedMask, grid: VolumeGeometry) -> BoxMask:
    """The mask placed in the grid that it was cut from."""
    k, j, i = (round(v) for v in grid.to_index(packed.geometry.origin_mm))
    return BoxMask(unpack(packed), (k, j, i))


def counted_ml(packed: PackedMask) -> float:
    """Volume by another way than ``masks.volume_mm3``: the set bits of one long number, the voxel by a scalar triple
    product."""
    shape = packed.geometry.shape
    raw = zlib.decompress(packed.bits)
    bits = int.from_bytes(raw[: math.prod(shape) // 8 + 1], "big").bit_count()
    a, b, c = packed.geometry.k_step_mm, packed.geometry.j_step_mm, packed.geometry.i_step_mm
    triple = (
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    )  # fmt: skip
    return bits * abs(triple) / 1000.0


def counted_values(packed: PackedMask, volume: Volume) -> dict[Quantity, float]:
    """Mean, spread and ends of the values inside by another way than numpy's reductions: every different value is counted
    once and weighed, slice by slice."""
    box = box_in(packed, volume.geometry)
    found: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]] = []
    for n, inside in enumerate(box.values):
        k, (j, i) = box.start[0] + n, np.nonzero(inside)
        j, i = j + box.start[1], i + box.start[2]
        if volume.no_value is not None:
            known = ~volume.no_value.at(np.full_like(j, k), j, i)
            j, i = j[known], i[known]
        values, times = np.unique(volume.voxels[k, j, i], return_counts=True)
        found.append((values.astype(np.float64), times))
    different, of = np.unique(np.concatenate([v for v, _ in found]), return_inverse=True)
    times = np.bincount(of, np.concatenate([t for _, t in found]))
    total = math.fsum(times.tolist())
    if not total:
        return {}
    mean = math.fsum((different * times).tolist()) / total
    spread = math.sqrt(math.fsum((times * (different - mean) ** 2).tolist()) / total)
    return {
        Quantity.MEAN: mean,
        Quantity.STANDARD_DEVIATION: spread,
        Quantity.MINIMUM: float(different[0]),
        Quantity.MAXIMUM: float(different[-1]),
    }
