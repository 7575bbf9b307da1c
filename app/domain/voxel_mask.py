"""One bit for each voxel of a volume, an eighth of a byte: where nothing was measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class VoxelMask:
    """``packed[k, j, i // 8]``, the first of eight in the highest bit, as ``numpy.packbits`` lays them."""

    packed: npt.NDArray[np.uint8]
    columns: int

    def __post_init__(self) -> None:
        if self.packed.ndim != 3 or self.packed.dtype != np.uint8 or self.packed.shape[2] != -(-self.columns // 8):
            raise ValueError('"packed" must be (k, j, i / 8) bytes')

    @staticmethod
    def of(values: Bits) -> VoxelMask:
        """From ``[k, j, i]`` truth values."""
        return VoxelMask(np.packbits(values, axis=2), values.shape[2])

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.packed.shape[0], self.packed.shape[1], self.columns)

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes

    def plane(self, axis: int, n: int) -> Bits:
        """The voxels whose index along ``axis`` (0, 1, 2 for k, j, i) is ``n``; the two other axes in their order."""
        if axis == 2:
            return np.asarray((self.packed[:, :, n >> 3] >> np.uint8(7 - (n & 7))) & np.uint8(1), dtype=np.bool_)
        flat = self.packed[n] if axis == 0 else self.packed[:, n]
        return np.unpackbits(flat, axis=1, count=self.columns).view(np.bool_)

    def box(self, k: slice = slice(None), j: slice = slice(None), i: slice = slice(None)) -> Bits:
        start, stop, step = i.indices(self.columns)
        first = start // 8
        part = np.unpackbits(self.packed[k, j, first : -(-max(stop, start) // 8)], axis=2).view(np.bool_)
        return part[:, :, start - 8 * first : max(stop, start) - 8 * first : step]

    def crop(self, k: slice = slice(None), j: slice = slice(None), i: slice = slice(None)) -> VoxelMask | None:
        """Of a part of the grid; None when nothing is marked there."""
        if i.indices(self.columns) == (0, self.columns, 1):
            found = VoxelMask(self.packed[k, j], self.columns)
            return found if bool(found.packed.any()) else None
        values = self.box(k, j, i)
        return VoxelMask.of(values) if bool(values.any()) else None

    def at(self, k: npt.NDArray[np.intp], j: npt.NDArray[np.intp], i: npt.NDArray[np.intp]) -> Bits:
        """Of single voxels; the indices lie inside."""
        return np.asarray((self.packed[k, j, i >> 3] >> (7 - (i & 7)).astype(np.uint8)) & np.uint8(1), dtype=np.bool_)

    @cached_property
    def touched(self) -> VoxelMask:
        """Marked where a voxel or its next one along any axes is: a place between voxel centres asks the lower ones."""
        out = self.packed.copy()
        out[:, :, :-1] |= self.packed[:, :, 1:] >> np.uint8(7)
        out |= self.packed << np.uint8(1)
        out[:, :-1] |= out[:, 1:]
        out[:-1] |= out[1:]
        return VoxelMask(out, self.columns)
