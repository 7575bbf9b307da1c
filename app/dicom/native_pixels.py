"""Uncompressed pixels: bytes of a frame to stored values (PS3.5 8, annexes A and D)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.domain.pixels import PixelFormat
from app.domain.problem import fail

Array = npt.NDArray[np.generic]


def stored_dtype(fmt: PixelFormat) -> np.dtype[np.generic]:
    """By Bits Allocated and Pixel Representation; 1-bit pixels are uint8 0 or 1."""
    if fmt.pixel_keyword == "FloatPixelData":
        return np.dtype(np.float32)
    if fmt.pixel_keyword == "DoubleFloatPixelData":
        return np.dtype(np.float64)
    width = 8 if fmt.bits_allocated <= 8 else 16 if fmt.bits_allocated <= 16 else 32 if fmt.bits_allocated <= 32 else 64
    return np.dtype(f"{'i' if fmt.signed and fmt.bits_allocated > 1 else 'u'}{width // 8}")


def frame_shape(fmt: PixelFormat) -> tuple[int, ...]:
    if fmt.samples_per_pixel > 1:
        return (fmt.rows, fmt.columns, fmt.samples_per_pixel)
    return (fmt.rows, fmt.columns)


def clean_bits(values: Array, fmt: PixelFormat) -> Array:
    """Unused bits masked, the sign extended; works in place where it can (``values`` must be writable)."""
    if values.dtype.kind == "f" or fmt.bits_allocated == 1:
        return values
    width = values.dtype.itemsize * 8
    low = fmt.high_bit + 1 - fmt.bits_stored
    if fmt.bits_stored >= width and low == 0:
        return values
    if values.dtype.kind == "i":
        up = width - fmt.high_bit - 1
        if up:
            np.left_shift(values, up, out=values)
        np.right_shift(values, up + low, out=values)
        return values
    if low:
        np.right_shift(values, low, out=values)
    if low + fmt.bits_stored < width:
        np.bitwise_and(values, np.array((1 << fmt.bits_stored) - 1, values.dtype), out=values)
    return values


def swaps_pairs(fmt: PixelFormat, little: bool, vr: str) -> bool:
    """Cells of 8 bits or 1 in OW lie in words, swapped in big endian files (PS3.5 A.3); frames are cut after that."""
    return not little and fmt.bits_allocated in (1, 8) and vr == "OW"


def _swapped_pairs(raw: bytes) -> bytes:
    return np.frombuffer(raw, np.uint8, len(raw) // 2 * 2).reshape(-1, 2)[:, ::-1].tobytes()


def stored_count(fmt: PixelFormat) -> int:
    """Stored numbers of one native frame; YBR_FULL_422 shares its chroma between two pixels (PS3.3 C.7.6.3.1.2)."""
    if fmt.photometric_interpretation in ("YBR_FULL_422", "YBR_PARTIAL_422") and fmt.samples_per_pixel == 3:
        return fmt.rows * ((fmt.columns + 1) // 2) * 4
    return fmt.rows * fmt.columns * fmt.samples_per_pixel


def native_frame(raw: bytes, fmt: PixelFormat, frame_in_raw: int, little: bool, vr: str) -> Array:
    """One frame's stored values. ``raw`` begins at the frame, except where it must be the whole value (packed bits, pairs).

    Shapes: (rows, columns) or (rows, columns, samples); planar 1 is turned to 0, YBR_FULL_422 is spread to 444.
    """
    if fmt.pixel_keyword != "PixelData" and fmt.bits_allocated < 32:  # no float is that short
        raise fail("dicom.bits_unsupported", kept_safe="kept.original", bits=fmt.bits_allocated)
    if fmt.bits_allocated == 1:
        return _bits(_swapped_pairs(raw) if swaps_pairs(fmt, little, vr) else raw, fmt, frame_in_raw)
    if fmt.bits_allocated == 12:
        return _packed12(raw, fmt, frame_in_raw)
    if fmt.bits_allocated % 8 or fmt.bits_allocated not in (8, 16, 32, 64):
        raise fail("dicom.bits_unsupported", kept_safe="kept.original", bits=fmt.bits_allocated)
    dtype = stored_dtype(fmt)
    if fmt.bits_allocated != dtype.itemsize * 8:  # float pixels with another width than theirs
        raise fail("dicom.bits_unsupported", kept_safe="kept.original", bits=fmt.bits_allocated)
    if swaps_pairs(fmt, little, vr):
        count = stored_count(fmt)
        raw = _swapped_pairs(raw)[frame_in_raw * count : (frame_in_raw + 1) * count]
        if len(raw) < count:
            raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
    values = np.frombuffer(raw, dtype.newbyteorder("<" if little else ">")).astype(dtype)
    return clean_bits(_shaped(values, fmt), fmt)


def _shaped(values: Array, fmt: PixelFormat) -> Array:
    if fmt.samples_per_pixel == 1:
        return values[: fmt.rows * fmt.columns].reshape(fmt.rows, fmt.columns)
    if fmt.photometric_interpretation in ("YBR_FULL_422", "YBR_PARTIAL_422") and fmt.samples_per_pixel == 3:
        return _spread_422(values, fmt)
    count = fmt.rows * fmt.columns * fmt.samples_per_pixel
    if fmt.planar_configuration == 1:
        planes = values[:count].reshape(fmt.samples_per_pixel, fmt.rows, fmt.columns)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return values[:count].reshape(fmt.rows, fmt.columns, fmt.samples_per_pixel)


def _spread_422(values: Array, fmt: PixelFormat) -> Array:
    """Y0 Y1 Cb Cr to Y Cb Cr per pixel, the chroma repeated (PS3.3 C.7.6.3.1.2)."""
    pairs = (fmt.columns + 1) // 2
    groups = values[: fmt.rows * pairs * 4].reshape(fmt.rows, pairs, 4)
    out = np.empty((fmt.rows, pairs * 2, 3), values.dtype)
    out[:, 0::2, 0] = groups[:, :, 0]
    out[:, 1::2, 0] = groups[:, :, 1]
    out[:, :, 1] = np.repeat(groups[:, :, 2], 2, axis=1)
    out[:, :, 2] = np.repeat(groups[:, :, 3], 2, axis=1)
    return np.ascontiguousarray(out[:, : fmt.columns])


def _bits(raw: bytes, fmt: PixelFormat, frame: int) -> Array:
    """Bit-packed frames follow each other without padding (PS3.5 8.1.1)."""
    count = fmt.rows * fmt.columns * fmt.samples_per_pixel
    first = frame * count
    begin, end = first // 8, (first + count + 7) // 8
    bits = np.unpackbits(np.frombuffer(raw, np.uint8, end - begin, begin), bitorder="little")
    values = bits[first - begin * 8 : first - begin * 8 + count]
    return np.ascontiguousarray(values).reshape(frame_shape(fmt))


def _packed12(raw: bytes, fmt: PixelFormat, frame: int) -> Array:
    """Two pixels in three bytes, as ACR-NEMA files have them."""
    count = fmt.rows * fmt.columns * fmt.samples_per_pixel
    first = frame * count
    if first % 2:
        raise fail("dicom.bits_unsupported", kept_safe="kept.original", bits=12)
    begin, length = first * 3 // 2, (count + 1) // 2 * 3
    if len(raw) < begin + length:
        raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
    triple = np.frombuffer(raw, np.uint8, length, begin).reshape(-1, 3).astype(np.uint16)
    out = np.empty((len(triple), 2), np.uint16)
    out[:, 0] = triple[:, 0] | (triple[:, 1] & 0x0F) << 8
    out[:, 1] = triple[:, 1] >> 4 | triple[:, 2] << 4
    values = out.ravel()[:count]
    return clean_bits(np.ascontiguousarray(values).view(stored_dtype(fmt)).reshape(frame_shape(fmt)), fmt)
