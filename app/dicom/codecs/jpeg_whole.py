"""JPEG decoded together with the proof that the stream is whole: an end marker says nothing of what is before it.

libjpeg-turbo fills what is missing with grey or with its last value, steps over what is too much, and tells nobody. So:

- sequential: the stream is decoded two rows of blocks taller than it is. A whole stream has nothing left for them but the
  last bits that fill its last byte, so the first block beyond the picture is something, and what follows is grey. Grey at
  once means that the data ended before the picture did; no grey means that the picture ended before the data.
- lossless: ``jpeg_lossless_end``.
- with restart markers: each interval so, as a picture of its own.
- progressive, arithmetic: decoded again with bytes put where the data end, which a whole stream leaves unread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

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
_LEFT_OUT, _LEFT_OUT_OF_SCANS = 8, 64
"""Zero bytes that an arithmetic coder may leave out at the end; the scans of flat progressive pictures are hardly more."""
_HOLE = bytes(64)
_MANY, _LONG, _ZEROS = 512, 512, bytes(32)
"""Restart intervals that are decoded one by one; of more, the long ones, those with a run of zeros, and an even sample."""


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
    if parts.process in SEQUENTIAL and len(parts.scans) == 1 and parts.scans[0].restart:
        return values, _intervals_whole(stream, parts, decode)
    return values, not _short(stream, ends, values, decode)


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


def _intervals_whole(stream: bytes, parts: JpegParts, decode: Decode) -> bool:
    """Each restart interval as a picture of its own, one MCU high: coding goes from MCU to MCU and starts anew in each."""
    scan = parts.scans[0]
    height, width = parts.mcu(scan)
    mcus = -(-parts.rows // height) * -(-parts.columns // width)
    head, at = _without_restart(stream[: scan.start]), parts.rows_at
    pieces = intervals(stream, scan) or ()
    for n in _to_prove(stream, pieces):
        start, end = pieces[n]
        count = min(scan.restart, mcus - n * scan.restart)
        if count <= 0:
            continue
        columns = count * width
        if columns > _TALLEST:
            return True
        size = height.to_bytes(2, "big") + columns.to_bytes(2, "big")
        own = head[:at] + size + head[at + 4 :] + stream[start:end] + b"\xff\xd9"
        scan_of = replace(scan, end=scan.start + end - start, restart=0)
        of = replace(parts, rows=height, columns=columns, scans=(scan_of,))
        found = _taller(own, of, (scan_of.end,), decode)
        if found is None or not found[1]:
            return False
    return True


def _to_prove(stream: bytes, pieces: Sequence[tuple[int, int]]) -> Sequence[int]:
    """Which intervals to decode. Markers that are all there and in order prove the rest where they stand this close:
    whatever is lost of a disk or of a network takes some of them with it."""
    if len(pieces) <= _MANY:
        return range(len(pieces))
    chosen = {n * (len(pieces) - 1) // (_MANY - 1) for n in range(_MANY)}
    chosen |= {n for n, (start, end) in enumerate(pieces) if end - start > _LONG or stream.find(_ZEROS, start, end) >= 0}
    return sorted(chosen)


def _without_restart(head: bytes) -> bytes:
    """Headers whose restart interval is 0, of the same length."""
    at = head.find(b"\xff\xdd\x00\x04")
    while at >= 0:
        head = head[: at + 4] + b"\0\0" + head[at + 6 :]
        at = head.find(b"\xff\xdd\x00\x04", at + 6)
    return head


def _arithmetic_whole(stream: bytes, parts: JpegParts, ends: Sequence[int], values: Array, decode: Decode) -> bool:
    """The arithmetic decoder reads zeros past the end (T.81 D.2.6), which coders leave out: a few, but no more.

    So other bytes behind some zeros must change nothing, and other bytes in the place of the last ones something. Zeros
    inside are no more than what noise would have.
    """
    if stream.find(_HOLE, parts.scans[0].start, ends[-1]) >= 0:
        return False
    zeros = bytes(_LEFT_OUT_OF_SCANS if parts.process in PROGRESSIVE else _LEFT_OUT)
    if _short(stream, ends, values, decode, zeros):
        return False
    long = [scan.end for scan in parts.scans if not scan.restart and scan.end - scan.start >= 64]
    return not any(_left_over(stream, end, values, decode, 16) for end in long)


def _with_tails(stream: bytes, ends: Sequence[int], tail: bytes) -> bytes:
    parts, at = [], 0
    for end in ends:
        parts += [stream[at:end], tail]
        at = end
    return b"".join((*parts, stream[at:]))


def _short(stream: bytes, ends: Sequence[int], values: Array, decode: Decode, before: bytes = b"") -> bool:
    """Bytes put after the data, and after ``before``, change the picture: it asked for more than there was."""
    return any(not np.array_equal(decode(_with_tails(stream, ends, before + tail)), values) for tail in TAILS)


def _left_over(stream: bytes, end: int, values: Array, decode: Decode, last: int = 8) -> bool:
    """The last bytes of the data may be anything: the picture was ready before them."""
    begin = end - last
    while stream[begin - 1] == 0xFF:
        begin -= 1
    return all(np.array_equal(decode(stream[:begin] + tail[: end - begin] + stream[end:]), values) for tail in TAILS)
