"""Frames to the bytes of a transfer syntax; the losslessness of the reversible ones is what the tests hold.

Encoders: numpy for native and RLE, own code for JPEG Lossless SV1, imagecodecs for JPEG-LS, JPEG 2000, HTJ2K and baseline.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.problem import fail


class Syntax(StrEnum):
    """Transfer syntaxes that image objects can be written in (PS3.5 A)."""

    IMPLICIT_LE = "1.2.840.10008.1.2"
    EXPLICIT_LE = "1.2.840.10008.1.2.1"
    DEFLATED_LE = "1.2.840.10008.1.2.1.99"
    EXPLICIT_BE = "1.2.840.10008.1.2.2"
    RLE = "1.2.840.10008.1.2.5"
    JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
    JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
    JPEG_LS = "1.2.840.10008.1.2.4.80"
    JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
    JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
    JPEG_2000 = "1.2.840.10008.1.2.4.91"
    HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"

    @property
    def encapsulated(self) -> bool:
        return self not in (Syntax.IMPLICIT_LE, Syntax.EXPLICIT_LE, Syntax.DEFLATED_LE, Syntax.EXPLICIT_BE)

    @property
    def lossy(self) -> bool:
        return self in (Syntax.JPEG_BASELINE, Syntax.JPEG_LS_NEAR, Syntax.JPEG_2000)


def native_bytes(frames: npt.NDArray[np.generic], syntax: Syntax) -> bytes:
    """All frames as one native value in the byte order of ``syntax``, padded to even length (PS3.5 8.1, A.3)."""
    dtype = frames.dtype.newbyteorder(">") if syntax is Syntax.EXPLICIT_BE else frames.dtype.newbyteorder("<")
    data = np.ascontiguousarray(frames, dtype=dtype).tobytes()
    return data + b"\0" if len(data) % 2 else data


def encode_frame(frame: npt.NDArray[np.generic], syntax: Syntax, bits_stored: int) -> bytes:
    """One frame ``(rows, columns[, 3])`` to a code stream. Signed input keeps its two's complement within ``bits_stored``.

    Raises ``ProblemError`` ``dicom.cannot_encode`` where the syntax does not take this kind of pixel.
    """
    if syntax is Syntax.RLE:
        return _rle(frame)
    import imagecodecs

    if syntax is Syntax.JPEG_LOSSLESS_SV1:
        if frame.ndim != 2:
            raise fail("dicom.cannot_encode", syntax=str(syntax))
        return jpeg_lossless_sv1(frame, bits_stored)
    if syntax in (Syntax.JPEG_LS, Syntax.JPEG_LS_NEAR):
        near = 2 if syntax is Syntax.JPEG_LS_NEAR else 0
        return bytes(imagecodecs.jpegls_encode(_unsigned(frame, bits_stored), level=near))
    if syntax is Syntax.JPEG_2000_LOSSLESS:
        return bytes(
            imagecodecs.jpeg2k_encode(
                frame, level=0, codecformat="j2k", reversible=True, mct=frame.ndim == 3, bitspersample=bits_stored
            )
        )
    if syntax is Syntax.JPEG_2000:
        return bytes(
            imagecodecs.jpeg2k_encode(
                frame, level=70, codecformat="j2k", reversible=False, mct=frame.ndim == 3, bitspersample=bits_stored
            )
        )
    if syntax is Syntax.HTJ2K_LOSSLESS:
        return bytes(imagecodecs.htj2k_encode(frame, reversible=True))
    if syntax is Syntax.JPEG_BASELINE:
        if frame.dtype != np.uint8:
            raise fail("dicom.cannot_encode", syntax=str(syntax))
        return bytes(imagecodecs.jpeg8_encode(frame, level=92, subsampling="422" if frame.ndim == 3 else None))
    raise fail("dicom.cannot_encode", syntax=str(syntax))


def _unsigned(frame: npt.NDArray[np.generic], bits_stored: int) -> npt.NDArray[np.generic]:
    """Two's complement of ``bits_stored`` bits seen as unsigned, as codecs without a sign want it."""
    if frame.dtype.kind != "i":
        return frame
    mask = (1 << bits_stored) - 1
    unsigned = frame.view(frame.dtype.str.replace("i", "u"))
    return np.asarray(unsigned & unsigned.dtype.type(mask))


def _rle(frame: npt.NDArray[np.generic]) -> bytes:
    """RLE Lossless (PS3.5 G): one segment per byte plane, most significant first, colour planes in order."""
    planes = [frame] if frame.ndim == 2 else [frame[..., c] for c in range(frame.shape[2])]
    segments: list[bytes] = []
    for plane in planes:
        big = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder(">"))
        as_bytes = big.view(np.uint8).reshape(plane.shape[0], plane.shape[1], plane.dtype.itemsize)
        segments += [_rle_segment(as_bytes[..., b]) for b in range(plane.dtype.itemsize)]
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    header = np.zeros(16, dtype="<u4")
    header[0] = len(segments)
    header[1 : 1 + len(segments)] = offsets
    return header.tobytes() + b"".join(segments)


def _rle_segment(plane: npt.NDArray[np.uint8]) -> bytes:
    """PackBits, row by row (PS3.5 G.3.1: a row never runs into the next), padded to even length."""
    import imagecodecs

    out = b"".join(bytes(imagecodecs.packbits_encode(np.ascontiguousarray(row).tobytes())) for row in plane)
    return out + b"\0" if len(out) % 2 else out


# --- JPEG Lossless, process 14, selection value 1 (ITU-T T.81 H) ---


def jpeg_lossless_sv1(frame: npt.NDArray[np.generic], bits_stored: int) -> bytes:
    """JPEG Lossless with predictor 1 and one Huffman table fitted to the frame (T.81 H.1.2, K.2)."""
    values = _unsigned(frame, bits_stored).astype(np.int64)
    rows, columns = values.shape
    prediction = np.empty_like(values)
    prediction[:, 1:] = values[:, :-1]
    prediction[1:, 0] = values[:-1, 0]
    prediction[0, 0] = 1 << (bits_stored - 1)
    # Differences are taken modulo 2^16 (H.1.2.1) and coded as category plus extra bits.
    difference = ((values - prediction + 32768) % 65536) - 32768
    difference[difference == -32768] = 32768
    flat = difference.ravel()
    magnitude = np.abs(flat)
    category = np.zeros(flat.shape, np.int64)
    nonzero = magnitude > 0
    category[nonzero] = np.floor(np.log2(magnitude[nonzero])).astype(np.int64) + 1
    counts = np.bincount(category, minlength=17)
    lengths = _huffman_lengths(counts)
    codes, order = _canonical_codes(lengths)
    extra_bits = np.where(category == 16, 0, category)
    extra = np.where(flat >= 0, flat, flat + (1 << category) - 1)
    extra = np.where(extra_bits == 0, 0, extra)
    word = (codes[category] << extra_bits) | extra
    stream = _pack_bits(word, lengths[category] + extra_bits)
    table = bytes([0] + [int(np.sum(lengths == n)) for n in range(1, 17)] + order)
    return b"".join(
        (
            b"\xff\xd8",
            b"\xff\xc3" + (11).to_bytes(2, "big") + bytes([bits_stored]),
            rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + bytes([1, 1, 0x11, 0]),
            b"\xff\xc4" + (2 + len(table)).to_bytes(2, "big") + table,
            b"\xff\xda" + (8).to_bytes(2, "big") + bytes([1, 1, 0, 1, 0, 0]),
            stream,
            b"\xff\xd9",
        )
    )


def _huffman_lengths(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Code lengths 1..16 per category, 0 for unused; the all-ones code stays free (T.81 K.2)."""
    import heapq

    used = [(int(c), i) for i, c in enumerate(counts) if c]
    heap: list[tuple[int, int, tuple[int, ...]]] = [(c, i, (i,)) for c, i in used]
    heap.append((0, len(counts), (-1,)))  # reserves the all-ones code
    heapq.heapify(heap)
    depth: dict[int, int] = {i: 0 for _, i in used}
    tie = len(counts) + 1
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        members = a[2] + b[2]
        for symbol in members:
            if symbol >= 0:
                depth[symbol] += 1
        heapq.heappush(heap, (a[0] + b[0], tie, members))
        tie += 1
    lengths = np.zeros(len(counts), np.int64)
    for symbol, d in depth.items():
        lengths[symbol] = d
    # 17 categories and one reserved leaf: a depth of 17 is the only overflow possible; flatten it fairly.
    if lengths.max() > 16:
        lengths[lengths > 0] = 5
    return lengths


def _canonical_codes(lengths: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[int]]:
    """Codes by category and the categories in table order (T.81 C.2)."""
    order = sorted((int(n), s) for s, n in enumerate(lengths) if n)
    codes = np.zeros(len(lengths), np.int64)
    code, previous = 0, order[0][0]
    for length, symbol in order:
        code <<= length - previous
        codes[symbol] = code
        code += 1
        previous = length
    return codes, [symbol for _, symbol in order]


def _pack_bits(words: npt.NDArray[np.int64], widths: npt.NDArray[np.int64]) -> bytes:
    """Concatenates ``widths[n]`` low bits of each word, fills with ones, stuffs a zero after every 0xFF (T.81 B.1.1.5)."""
    total = int(widths.sum())
    starts = np.concatenate(([0], np.cumsum(widths)[:-1]))
    index = np.arange(total) - np.repeat(starts, widths)
    shift = np.repeat(widths, widths) - 1 - index
    bits = ((np.repeat(words, widths) >> shift) & 1).astype(np.uint8)
    bits = np.concatenate((bits, np.ones((-total) % 8, np.uint8)))
    return np.packbits(bits).tobytes().replace(b"\xff", b"\xff\x00")
