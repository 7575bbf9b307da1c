"""Overlay planes, in their own attribute or in unused bits of the pixels (PS3.3 C.9.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from app.dicom.raw_items import RawDataset
from app.dicom.values import integer, unsigned
from app.domain.pixels import PixelFormat

_GROUPS = tuple(range(0x6000, 0x6020, 2))
_ROWS, _COLUMNS, _FRAMES, _TYPE, _ORIGIN, _FRAME_ORIGIN = 0x10, 0x11, 0x15, 0x40, 0x50, 0x51
_BITS, _BIT, _DATA = 0x100, 0x102, 0x3000
OVERLAY_TAGS = frozenset(
    group << 16 | element
    for group in _GROUPS
    for element in (_ROWS, _COLUMNS, _FRAMES, _TYPE, _ORIGIN, _FRAME_ORIGIN, _BITS, _BIT, _DATA)
)

Mask = npt.NDArray[np.bool_]


def overlay_planes(
    dataset: RawDataset, fmt: PixelFormat, frame: int, all_bits: Callable[[], npt.NDArray[np.generic] | None]
) -> tuple[Mask, ...]:
    """Planes of this frame, each of its size. Planes that cannot be read are left out."""
    return tuple(mask for _, mask in overlays_by_group(dataset, fmt, frame, all_bits))


def overlays_by_group(
    dataset: RawDataset, fmt: PixelFormat, frame: int, all_bits: Callable[[], npt.NDArray[np.generic] | None]
) -> tuple[tuple[int, Mask], ...]:
    """The same, each with its group (60xx)."""
    found = []
    for group in _GROUPS:
        base = group << 16
        if base | _ROWS not in dataset.values and base | _DATA not in dataset.values and base | _BIT not in dataset.values:
            continue
        mask = _plane(dataset, base, fmt, frame, all_bits)
        if mask is not None:
            found.append((group, mask))
    return tuple(found)


def _plane(
    dataset: RawDataset, base: int, fmt: PixelFormat, frame: int, all_bits: Callable[[], npt.NDArray[np.generic] | None]
) -> Mask | None:
    rows, columns = unsigned(dataset, base | _ROWS) or fmt.rows, unsigned(dataset, base | _COLUMNS) or fmt.columns
    frames = integer(dataset, base | _FRAMES) or 1
    first = (unsigned(dataset, base | _FRAME_ORIGIN) or 1) - 1
    data = dataset.raw(base | _DATA)
    if data:
        index = frame - first if frames > 1 else 0
        if not 0 <= index < frames or rows * columns * frames > len(data) * 8:
            return None
        start = index * rows * columns
        raw = np.frombuffer(data, np.uint8)
        if not dataset.little:
            # OW overlays of big endian files are 16-bit words.
            raw = raw[: len(raw) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
        bits = np.unpackbits(raw[start // 8 : (start + rows * columns + 7) // 8], bitorder="little")
        plane = bits[start % 8 : start % 8 + rows * columns].reshape(rows, columns).astype(bool)
        return _placed(plane, _origin(dataset, base), fmt)
    bit = unsigned(dataset, base | _BIT)
    if bit is None or unsigned(dataset, base | _BITS) in (None, 1) or fmt.samples_per_pixel > 1:
        return None
    low = fmt.high_bit + 1 - fmt.bits_stored
    if low <= bit <= fmt.high_bit or bit >= fmt.bits_allocated:
        return None
    values = all_bits()
    return None if values is None else np.asarray((values.astype(np.uint64) >> np.uint64(bit)) & np.uint64(1), dtype=bool)


def _origin(dataset: RawDataset, base: int) -> tuple[int, int]:
    """1-based row and column of the overlay's first point on the image; may lie outside."""
    raw = dataset.raw(base | _ORIGIN)
    if len(raw) < 4:
        return (1, 1)
    row, column = struct.unpack(("<" if dataset.little else ">") + "2h", raw[:4])
    return (int(row), int(column))


def _placed(plane: Mask, origin: tuple[int, int], fmt: PixelFormat) -> Mask:
    if plane.shape == (fmt.rows, fmt.columns) and origin == (1, 1):
        return plane
    out = np.zeros((fmt.rows, fmt.columns), bool)
    top, left = origin[0] - 1, origin[1] - 1
    r0, c0 = max(top, 0), max(left, 0)
    r1, c1 = min(top + plane.shape[0], fmt.rows), min(left + plane.shape[1], fmt.columns)
    if r1 > r0 and c1 > c0:
        out[r0:r1, c0:c1] = plane[r0 - top : r1 - top, c0 - left : c1 - left]
    return out
