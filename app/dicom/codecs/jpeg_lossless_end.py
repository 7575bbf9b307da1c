"""Whether a lossless JPEG ends with its picture: the last samples, coded again, must be the last bits of the stream.

Decoders fill up what is missing and step over what is too much. Whatever was lost or put in between shifts the samples
against the bits, so that the two ends no longer agree. Costs microseconds: only the last samples are coded, as many as are
alike and some before them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.dicom.codecs.jpeg_parts import JpegParts, Scan, intervals

Array = npt.NDArray[np.generic]

CONTEXT = 12
"""Samples before those that are all alike: more than a run of equal bits can imitate."""
SLACK_BITS = 32
"""Padding to a byte, and what some encoders flush beyond it."""


def ends_with(stream: bytes, parts: JpegParts, values: Array) -> bool | None:
    """``values`` (rows, columns[, components]) as decoded; None where this cannot be told (subsampled components)."""
    if any(c.across != 1 or c.down != 1 for c in parts.components) and len(parts.components) > 1:
        return None
    if sorted(p for s in parts.scans for p in s.components) != list(range(len(parts.components))):
        return False
    planes = values.reshape(values.shape[0], values.shape[1], -1)
    return all(_scan_ends(stream, parts, scan, planes) for scan in parts.scans)


def _scan_ends(stream: bytes, parts: JpegParts, scan: Scan, planes: Array) -> bool:
    rows, columns = planes.shape[:2]
    codes = [_codes(t) for t in scan.tables]
    pieces = intervals(stream, scan) if scan.restart else ((scan.start, scan.end),)
    # An interval is a whole number of lines (T.81 H.1.1).
    lines = scan.restart // columns if scan.restart else rows
    if pieces is None or not lines or len(pieces) != -(-rows // lines):
        return False

    def whole(piece: tuple[int, int], n: int) -> bool:
        return _piece_ends(stream, piece, (n * lines, min(rows, (n + 1) * lines)), parts, scan, planes, codes)

    return all(whole(piece, n) or whole(_without_zeros(stream, piece), n) for n, piece in enumerate(pieces))


def _without_zeros(stream: bytes, piece: tuple[int, int]) -> tuple[int, int]:
    """Some encoders fill up with zero bytes before the marker: all but one, which may end the data, are left out.

    A lost end that reads as zeros is no such filling: its samples, coded again, are zeros too, and there are none left.
    """
    start, end = piece
    data = stream[start:end]
    return (start, min(end, start + len(data.rstrip(b"\0")) + 1))


def _piece_ends(
    stream: bytes,
    piece: tuple[int, int],
    lines: tuple[int, int],
    parts: JpegParts,
    scan: Scan,
    planes: Array,
    codes: list[dict[int, str]],
) -> bool:
    top, bottom = lines
    span = 1
    while True:
        first = max(top, bottom - span)
        found = [_differences(planes[..., p], first, bottom, top, scan, parts.precision) for p in scan.components]
        each = np.stack([f.ravel() for f in found], -1)
        other = np.flatnonzero((each != each[-1]).any(axis=-1))
        if first == top or (other.size and other[-1] + 1 >= CONTEXT):
            break
        span *= 4
    alike = int(other[-1]) + 1 if other.size else 0
    begin = max(0, alike - CONTEXT)
    try:
        words = ["".join(_word(int(d), codes[c]) for c, d in enumerate(sample)) for sample in each[begin:alike]]
        expected = "".join(words) + "".join(_word(int(d), codes[c]) for c, d in enumerate(each[-1])) * (len(each) - alike)
    except KeyError:
        return False
    start, end = piece
    need = (len(expected) + SLACK_BITS) // 8 + 2
    cut = max(start, end - 2 * need)
    if cut > start and stream[cut] == 0 and stream[cut - 1] == 0xFF:
        cut += 1
    tail = stream[cut:end].replace(b"\xff\x00", b"\xff")
    bits = bin(int.from_bytes(b"\x01" + tail, "big"))[3:]
    if first == top and begin == 0 and cut == start and len(bits) >= len(expected) + SLACK_BITS:
        return False
    return any(bits.endswith(expected, 0, len(bits) - slack) for slack in range(min(SLACK_BITS, len(bits))))


def _differences(plane: Array, first: int, bottom: int, top: int, scan: Scan, precision: int) -> npt.NDArray[np.int32]:
    """What the lossless process codes for the lines from ``first`` up to ``bottom`` (T.81 H.1.2); ``top`` begins anew."""
    above = max(first - 1, top)
    values = plane[above:bottom].astype(np.int32) >> scan.low
    line = first - above
    x = values[line:]
    a, b, c = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    a[:, 1:] = x[:, :-1]
    prediction = a
    if scan.first != 1 and (line or x.shape[0] > 1):
        b[1:], c[1:, 1:] = x[:-1], x[:-1, :-1]
        if line:
            b[0], c[0, 1:] = values[0], values[0, :-1]
        prediction = _PREDICTORS[scan.first](a, b, c)
    # The first column is predicted from above, the first line from the left, the first sample from half the range.
    prediction[1:, 0] = x[:-1, 0]
    if line:
        prediction[0, 0] = values[0, 0]
    else:
        prediction[0, 1:] = x[0, :-1]
        prediction[0, 0] = 1 << (precision - scan.low - 1)
    return np.asarray(((x - prediction + 32768) & 0xFFFF) - 32768, np.int32)


_PREDICTORS = {
    1: lambda a, b, c: a,
    2: lambda a, b, c: b.copy(),
    3: lambda a, b, c: c.copy(),
    4: lambda a, b, c: a + b - c,
    5: lambda a, b, c: a + ((b - c) >> 1),
    6: lambda a, b, c: b + ((a - c) >> 1),
    7: lambda a, b, c: (a + b) >> 1,
}


def _codes(table: bytes) -> dict[int, str]:
    """Category to its code as text of bits (T.81 C.2)."""
    found: dict[int, str] = {}
    code, at = 0, 16
    for length in range(1, 17):
        for symbol in table[at : at + table[length - 1]] if len(table) > 16 else b"":
            found[symbol] = format(code, f"0{length}b")
            code += 1
        at += table[length - 1] if len(table) > 16 else 0
        code <<= 1
    return found


def _word(difference: int, codes: dict[int, str]) -> str:
    size = abs(difference).bit_length()
    if size == 16:  # 32768 has no further bits
        return codes[16]
    if size == 0:
        return codes[0]
    extra = difference if difference > 0 else difference + (1 << size) - 1
    return codes[size] + format(extra, f"0{size}b")
