"""Pixel Padding: values that say "no image here" (PS3.3 C.7.5.1.1.2), of a frame and on their way into a volume."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from app.domain.study import Instance
from app.domain.voxel_mask import VoxelMask

Array = npt.NDArray[np.generic]
Bits = npt.NDArray[np.bool_]
AIR_HU = -1024


def padding_mask(stored: Array, instance: Instance) -> Bits | None:
    """True where Pixel Padding Value (and Range Limit) says there is no image; None when nowhere."""
    first = instance.padding_value
    if first is None:
        return None
    last = instance.padding_range_limit
    if last is None or last == first:
        mask = np.equal(stored, first)
    else:
        mask = np.logical_and(np.greater_equal(stored, min(first, last)), np.less_equal(stored, max(first, last)))
    return np.asarray(mask) if bool(mask.any()) else None


class PaddedVoxels:
    """Gathers the padding of a volume's slices while they are loaded, from several threads. No memory without padding."""

    def __init__(self, shape: tuple[int, int, int], unit: str) -> None:
        self._shape, self._unit = shape, unit
        self._packed: npt.NDArray[np.uint8] | None = None
        self._lock = threading.Lock()

    def lift(self, stored: Array, instance: Instance) -> tuple[Array, Bits | None]:
        """``stored`` with the slice's lowest image value in the place of padding, and where that is.

        A padding value may lie far outside of what the volume's type holds; nothing may be made wider for its sake.
        """
        mask = padding_mask(stored, instance)
        if mask is None:
            return stored, None
        if not stored.flags.writeable:
            stored = stored.copy()
        kept = stored[~mask]
        stored[mask] = kept.min() if kept.size else 0
        return stored, mask

    def put(self, k: int, target: Array, mask: Bits | None) -> None:
        """After the rescale: air in HU, else the lowest value stays; the mask is kept."""
        if mask is None:
            return
        if self._unit == "HU":
            target[mask] = AIR_HU
        with self._lock:
            if self._packed is None:
                self._packed = np.zeros((*self._shape[:2], -(-self._shape[2] // 8)), np.uint8)
        self._packed[k] = np.packbits(mask, axis=1)

    def mask(self) -> VoxelMask | None:
        return VoxelMask(self._packed, self._shape[2]) if self._packed is not None else None
