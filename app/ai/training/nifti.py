"""Reading single-file NIfTI-1 volumes (``.nii``, ``.nii.gz``) of labelled sets: values and spacing, nothing else."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}


@dataclass(frozen=True, eq=False)
class NiftiVolume:
    values: npt.NDArray[np.generic]
    """``[k, j, i]``."""
    spacing_mm: tuple[float, float, float]
    """(k, j, i)."""


def read_nifti(path: Path) -> NiftiVolume:
    """One 3-D volume. Raises ``ValueError`` for anything that is not a plain NIfTI-1 file."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if len(data) < 352 or data[344:347] not in (b"n+1", b"ni1"):
        raise ValueError(f"{path.name} is not a NIfTI-1 file")
    order = "<" if struct.unpack("<i", data[:4])[0] == 348 else ">"
    dims = struct.unpack(f"{order}8h", data[40:56])
    if dims[0] < 3 or any(n > 1 for n in dims[4 : dims[0] + 1]):
        raise ValueError(f"{path.name} does not hold one 3-D volume")
    kind = _TYPES.get(struct.unpack(f"{order}h", data[70:72])[0])
    if kind is None:
        raise ValueError(f"{path.name} has a number type that is not supported")
    steps = struct.unpack(f"{order}8f", data[76:108])
    offset = int(struct.unpack(f"{order}f", data[108:112])[0])
    slope, intercept = struct.unpack(f"{order}2f", data[112:120])
    count = dims[1] * dims[2] * dims[3]
    values = np.frombuffer(data, np.dtype(order + kind), count, offset).reshape(dims[3], dims[2], dims[1])
    if slope not in (0.0, 1.0) or intercept not in (0.0,):
        values = values.astype(np.float32) * np.float32(slope or 1.0) + np.float32(intercept)
    return NiftiVolume(values, (abs(steps[3]), abs(steps[2]), abs(steps[1])))
