"""JPEG decoded together with the proof that the stream is whole: an end marker says nothing of what is before it.

libjpeg-turbo fills what is missing with grey or with its last value, steps over what is too much, and tells nobody. So:

- sequential: the stream is decoded two rows of blocks taller than it is. A whole stream has nothing left for them but the
  last bits that fill its last byte, so the first block beyond the picture is something, and what follows is grey. Grey at
  once means that the data ended before the picture did; no grey means that the picture ended before the data.
- lossless: ``jpeg_lossless_end``.
- progressive, arithmetic, with restart markers: decoded again with bytes put where the data end, which a whole stream leaves
  unread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from app.dicom.codecs import imagecodecs_adapter
from app.dicom.codecs.jpeg_lossless_end import ends_with
from app.dicom.codecs.jpeg_parts import ARITHMETIC, LOSSLESS, PROGRESSIVE, SEQUENTIAL, JpegParts, intervals, jpeg_parts
from app.dicom.codecs.stream_info import StreamInfo

Array = npt.NDArray[np.generic]
Decode = Callable[[bytes], Array]

TAILS = (b"\x9b\x55\xd2\x6e" * 16, b"\x64\xaa\x2d\x91" * 16)
"""Bits of both kinds, without a marker."""
_TALLEST = 65500
"""Rows that libjpeg takes."""
_LEFT_OUT = 8
"""Zero bytes at the end that an arithmetic coder may leave out."""
_HOLE = bytes(64)


def jpeg(stream: bytes, info: StreamInfo) -> tuple[Array, bool]:
    """(stored values as decoded, whether the stream is whole). Raises ``ProblemError`` as the decoder does."""
    parts = jpeg_parts(stream)

    def decode(changed: bytes) -> Array:
        return imagecodecs_adapter.jpeg(changed, info)

    if parts.process in LOSSLESS:
        values = decode(stream)
        return values, lossless_whole(stream, parts, values, decode)
    if {p for s in parts.scans for p in s.components} != set(range(len(parts.components))):
        return decode(stream), False
    ends = _ends(stream, parts)
    if ends is None:
        return decode(stream), False
    if parts.process in PROGRESSIVE and not _refined(parts):
        return decode(stream), False
    if parts.process in ARITHMETIC:
        values = decode(stream)
        return values, _arithmetic_whole(stream, parts, ends, values, decode)
    if parts.process in SEQUENTIAL and len(ends) == len(parts.scans):
        found = _taller(stream, parts, ends, decode)
        if found is not None:
            return found
    values = decode(stream)
    if len(parts.scans) > 1:
        return values, not _short(stream, ends, values, decode)
    return values, not _short(stream, ends, values, decode, TAILS[:1]) and _all_ends_matter(
        stream, parts, ends, values, decode
    )


def lossless_whole(stream: bytes, parts: JpegParts, values: Array, decode: Decode) -> bool:
    """The two ends agree; where they do not, an odd encoder is given the chance that damage has not."""
    if ends_with(stream, parts, values):
        return True
    if len(parts.scans) > 1 or parts.scans[0].restart:
        return False
    end = parts.scans[0].end
    return not _short(stream, (end,), values, decode) and not _left_over(stream, end, values, decode)


def _ends(stream: bytes, parts: JpegParts) -> tuple[int, ...] | None:
    """Where entropy-coded data end; None when restart markers are missing or out of order."""
    found: list[int] = []
    for scan in parts.scans:
        if not scan.restart:
            found.append(scan.end)
            continue
        pieces = intervals(stream, scan)
        if pieces is None:
            return None
        if len(parts.scans) == 1 and parts.process in SEQUENTIAL:
            height, width = parts.mcu(scan)
            wanted = -(-(-(-parts.rows // height) * -(-parts.columns // width)) // scan.restart)
            if len(pieces) == wanted + 1 and pieces[-1][0] == pieces[-1][1]:
                pieces = pieces[:-1]  # a marker after the last interval too
            if len(pieces) != wanted:
                return None
        found += [end for _, end in pieces]
    return tuple(found)


def _refined(parts: JpegParts) -> bool:
    """The scans of a progressive stream lead every coefficient to its last bit (T.81 G.1.1.1)."""
    low = np.full((len(parts.components), 64), 99)
    for scan in parts.scans:
        for place in scan.components:
            low[place, scan.first : scan.last + 1] = scan.low
    return not low.any()


def _taller(stream: bytes, parts: JpegParts, ends: Sequence[int], decode: Decode) -> tuple[Array, bool] | None:
    height, width = parts.mcu(parts.scans[0])
    down = -(-parts.rows // height)
    rows = (down + 2) * height
    if rows > _TALLEST:
        return None
    at = parts.rows_at
    tall = decode(stream[:at] + rows.to_bytes(2, "big") + stream[at + 2 :])
    if tall.shape[0] != rows:
        return None
    grey = 1 << (parts.precision - 1)
    # Without the pixels that subsampled chroma is interpolated over.
    beyond, last = (tall[n * height + 2 : (n + 1) * height] for n in (down, down + 1))
    left = bool((beyond[:, width + width // 2 :] != grey).any() or (last != grey).any())
    spent = bool((beyond[:, : width // 2] == grey).all())
    # Chroma of fewer rows is interpolated between rows: the last ones would take colour from beyond.
    stacked = len({c.down for c in parts.components}) > 1
    values = decode(stream) if stacked else tall[: parts.rows]
    return values, not left and not (spent and _short(stream, ends, values, decode))


def _arithmetic_whole(stream: bytes, parts: JpegParts, ends: Sequence[int], values: Array, decode: Decode) -> bool:
    """The arithmetic decoder reads zeros past the end (T.81 D.2.6), which coders leave out: a few, but no more.

    So other bytes behind some zeros must change nothing, and other bytes in the place of the last ones something. Zeros
    inside are no more than what noise would have.
    """
    if stream.find(_HOLE, parts.scans[0].start, ends[-1]) >= 0:
        return False
    if _short(stream, ends, values, decode, TAILS, bytes(_LEFT_OUT)):
        return False
    if len(parts.scans) == 1:
        return _all_ends_matter(stream, parts, ends, values, decode)
    long = [end for scan, end in zip(parts.scans, ends, strict=False) if end - scan.start > 32]
    return not any(_left_over(stream, end, values, decode) for end in long)


def _all_ends_matter(stream: bytes, parts: JpegParts, ends: Sequence[int], values: Array, decode: Decode) -> bool:
    """Other bytes at the end of every interval of a sequential scan change something of its own blocks."""
    scan = parts.scans[0]
    height, width = parts.mcu(scan)
    wide = np.zeros((-(-parts.rows // height) * height, -(-parts.columns // width) * width), np.bool_)
    for tail in TAILS:
        changed = decode(_with_last(stream, scan.start, ends, tail)) != values
        wide[: parts.rows, : parts.columns] |= changed.reshape(*values.shape[:2], -1).any(-1)
        cells = wide.reshape(wide.shape[0] // height, height, wide.shape[1] // width, width)
        mcus = cells[:, 2:-2].any(axis=(1, 3)).ravel()  # the rims take chroma from the intervals beside
        each = scan.restart or mcus.size
        if all(bool(mcus[n * each : (n + 1) * each].any()) for n in range(len(ends))):
            return True
    return False


def _with_tails(stream: bytes, ends: Sequence[int], tail: bytes) -> bytes:
    parts, at = [], 0
    for end in ends:
        parts += [stream[at:end], tail]
        at = end
    return b"".join((*parts, stream[at:]))


def _short(
    stream: bytes, ends: Sequence[int], values: Array, decode: Decode, tails: Sequence[bytes] = TAILS, before: bytes = b""
) -> bool:
    """Bytes put after the data, and after ``before``, change the picture: it asked for more than there was."""
    return any(not np.array_equal(decode(_with_tails(stream, ends, before + tail)), values) for tail in tails)


def _with_last(stream: bytes, start: int, ends: Sequence[int], tail: bytes) -> bytes:
    """Other bytes in the place of the last ones before each end; the first data begin at ``start``."""
    parts, at = [], 0
    for end in ends:
        begin = max(end - 8, start)
        while begin > start and stream[begin - 1] == 0xFF:
            begin -= 1
        parts += [stream[at:begin], tail[: end - begin]]
        at, start = end, end + 2
    return b"".join((*parts, stream[at:]))


def _left_over(stream: bytes, end: int, values: Array, decode: Decode) -> bool:
    """The last bytes of the data may be anything: the picture was ready before them."""
    return all(np.array_equal(decode(_with_last(stream, end - 32, (end,), tail)), values) for tail in TAILS)
