"""Which decoder opens a stream: the codec family of the transfer syntax, then the stream's own words, then the guards."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from app.dicom.codecs import imagecodecs_adapter
from app.dicom.codecs.fast_htj2k import htj2k_processes
from app.dicom.codecs.isolated import second_opinion
from app.dicom.codecs.jpeg_lossless_end import ends_with
from app.dicom.codecs.jpeg_parts import LOSSLESS, jpeg_parts
from app.dicom.codecs.jpeg_whole import jpeg
from app.dicom.codecs.stream_info import StreamInfo, broken, check_against, cut, jpeg2000_info, jpeg_info
from app.dicom.codecs.zero_runs import has_hole, hole
from app.dicom.native_pixels import clean_bits, frame_shape, native_frame, stored_dtype
from app.dicom.transfer_syntaxes import name_of, syntax_of
from app.domain.pixels import PixelFormat
from app.domain.problem import ProblemError, fail

Array = npt.NDArray[np.generic]


def decode_stream(stream: bytes, fmt: PixelFormat, transfer_syntax_uid: str) -> Array:
    """Stored values of one compressed frame, (rows, columns[, samples]). Raises ``ProblemError``."""
    syntax = syntax_of(transfer_syntax_uid)
    if syntax is None or not syntax.codec:
        name = name_of(transfer_syntax_uid)
        raise fail("dicom.transfer_syntax_unsupported", kept_safe="kept.original", name=name, uid=transfer_syntax_uid)
    if not stream.strip(b"\0"):
        raise fail("dicom.stream_empty", kept_safe="kept.original", next_step="dicom.next.ask_again")
    family = syntax.codec
    if family in ("uncompressed", "deflated_frame"):
        return _plain(stream, fmt, family)
    if family == "rle":
        return clean_bits(_signed(_rle(stream, fmt), fmt), fmt)
    if family == "jpegxl":
        return finished(imagecodecs_adapter.jpegxl(stream), fmt)
    info = jpeg2000_info(stream) if family in ("jpeg2000", "htj2k") else _jpeg_or_other(stream)
    check_against(info, fmt)
    if info.end:
        # Whole, with other bytes behind it: whether the picture ends with its data is proven as always.
        stream = stream[: info.end]
    elif not info.complete:
        # Several decoders fill a cut stream up in silence: without an end marker none is asked.
        raise cut()
    if info.kind == "jpeg2000" and has_hole(stream, stream.find(b"\xff\x4f\xff\x51")):
        raise hole()
    whole = True
    try:
        values, whole = _fast(stream, info)
        values = finished(values, fmt, info) if whole else values
    except ProblemError as refusal:
        # A stream that is whole by its own words may be odd only to the fast decoder.
        found = second_opinion.decode(stream, fmt, transfer_syntax_uid)
        if found is None or not found.any() or not _ends_with(stream, info, found):
            raise refusal from None
        return finished(found, fmt, info)
    if not whole:
        raise cut()
    return values


def _fast(stream: bytes, info: StreamInfo) -> tuple[Array, bool]:
    """Values, and whether the picture and the data end together; the other codecs' decoders refuse what is not whole."""
    if info.kind == "jpegls":
        return imagecodecs_adapter.jpegls(stream), True
    if info.kind == "jpeg":
        return jpeg(stream, info)
    if info.high_throughput and info.reversible:
        found = htj2k_processes.decode(stream, info)
        if found is not None:
            return found, True
    return imagecodecs_adapter.jpeg2000(stream), True


def _ends_with(stream: bytes, info: StreamInfo, found: Array) -> bool:
    """Of a second opinion on a lossless JPEG; other processes offer no such proof."""
    if info.kind != "jpeg" or info.process not in LOSSLESS:
        return True
    unsigned = found.view(f"u{found.dtype.itemsize}") if found.dtype.kind == "i" else found
    return ends_with(stream, jpeg_parts(stream), unsigned) is not False


def _jpeg_or_other(stream: bytes) -> StreamInfo:
    if stream[:4] == b"\xff\x4f\xff\x51":
        return jpeg2000_info(stream)
    return jpeg_info(stream)


def _plain(stream: bytes, fmt: PixelFormat, family: str) -> Array:
    if family == "deflated_frame":
        machine = zlib.decompressobj(-zlib.MAX_WBITS)
        bits = fmt.rows * fmt.columns * fmt.samples_per_pixel * fmt.bits_allocated
        try:
            stream = machine.decompress(stream, (bits + 7) // 8 + 64)
        except zlib.error as error:
            raise broken("deflate") from error
        if not machine.eof or len(stream) > (bits + 7) // 8 + 1:
            raise cut()
    shape = frame_shape(fmt)
    need = (int(np.prod(shape)) * fmt.bits_allocated + 7) // 8
    if len(stream) < need:
        raise cut()
    return native_frame(stream[:need], fmt, 0, True, "")


def _rle(stream: bytes, fmt: PixelFormat) -> Array:
    if len(stream) < 64:
        raise cut()
    header = np.frombuffer(stream, "<u4", 16)
    count = int(header[0])
    wanted = fmt.samples_per_pixel * max(fmt.bits_allocated // 8, 1)
    if count != wanted:
        raise broken("number of segments")
    offsets = [int(o) for o in header[1 : count + 1]]
    if offsets[0] != 64 or any(b <= a for a, b in zip(offsets, offsets[1:], strict=False)) or offsets[-1] >= len(stream):
        raise broken("segment offsets")
    return imagecodecs_adapter.rle(stream, fmt)


def _signed(values: Array, fmt: PixelFormat) -> Array:
    """RLE packs whole cells, unused bits and all (PS3.5 G): they are read as native ones."""
    if values.dtype.itemsize != stored_dtype(fmt).itemsize:
        raise broken("size of the decoded picture")
    return (values if values.flags.writeable else values.copy()).view(stored_dtype(fmt))


def finished(values: Array, fmt: PixelFormat, info: StreamInfo | None = None) -> Array:
    """Shape, dtype and sign as the header states them."""
    shape = frame_shape(fmt)
    if values.shape != shape:
        if values.ndim == 3 and len(shape) == 3 and values.shape == (shape[2], shape[0], shape[1]):
            values = np.ascontiguousarray(values.transpose(1, 2, 0))
        elif values.size == int(np.prod(shape)) and values.ndim != len(shape):
            values = values.reshape(shape)
        else:
            raise broken("size of the decoded picture")
    dtype = stored_dtype(fmt)
    if values.dtype.itemsize > dtype.itemsize:
        values = values.astype(f"{values.dtype.kind}{dtype.itemsize}")
    if values.dtype.kind == "u" and dtype.kind == "i":
        values = _sign_extended(values, dtype, info.precision if info else fmt.bits_stored, fmt)
    elif values.dtype != dtype:
        values = values.astype(dtype)
    if not values.flags.writeable:
        values = values.copy()
    if fmt.bits_allocated == 1:
        return values
    return _cleaned(values, fmt)


def _sign_extended(values: Array, dtype: np.dtype[np.generic], precision: int, fmt: PixelFormat) -> Array:
    """Unsigned codes of a signed image: two's complement in the precision of the stream (PS3.5 8.2)."""
    bits = min(precision, dtype.itemsize * 8)
    wide = values.astype(f"u{dtype.itemsize}").view(dtype)
    up = dtype.itemsize * 8 - bits
    del fmt
    if up:
        wide = np.left_shift(wide, up)
        np.right_shift(wide, up, out=wide)
    return wide


def _cleaned(values: Array, fmt: PixelFormat) -> Array:
    """In a compressed stream the values sit in the low bits unless the high bit says otherwise in the same precision."""
    if fmt.bits_stored >= values.dtype.itemsize * 8:
        return values
    if fmt.high_bit != fmt.bits_stored - 1:
        from dataclasses import replace

        limit = 1 << fmt.bits_stored
        if values.dtype.kind == "u" and int(values.max(initial=0)) >= limit:
            return clean_bits(values, fmt)
        fmt = replace(fmt, high_bit=fmt.bits_stored - 1)
    return clean_bits(values, fmt)
