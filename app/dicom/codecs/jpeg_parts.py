"""The parts of a JPEG stream (T.81 B): frame, tables, scans and where their entropy-coded bytes begin and end."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np

from app.dicom.codecs.stream_info import broken

SEQUENTIAL, PROGRESSIVE, LOSSLESS = frozenset((0, 1, 9)), frozenset((2, 10)), frozenset((3,))
"""SOF numbers. 9 and 10 are coded arithmetically."""
ARITHMETIC = frozenset((9, 10))
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))


@dataclass(frozen=True)
class Component:
    number: int
    across: int
    down: int


@dataclass(frozen=True)
class Scan:
    components: tuple[int, ...]
    """Places in the frame's list."""
    tables: tuple[bytes, ...]
    """DC (or lossless) Huffman table of each component as it stands in its segment: 16 counts, then the symbols."""
    first: int
    """Of the spectral selection; the predictor of a lossless scan."""
    last: int
    high: int
    low: int
    start: int
    end: int
    restart: int
    """Restart interval in MCUs, 0 for none."""


@dataclass(frozen=True)
class JpegParts:
    process: int
    precision: int
    rows: int
    columns: int
    components: tuple[Component, ...]
    rows_at: int
    """Offset of the two bytes that state the rows."""
    scans: tuple[Scan, ...]

    def mcu(self, scan: Scan) -> tuple[int, int]:
        """(rows, columns) of pixels that one MCU of a sequential scan covers; a scan of one component has single blocks."""
        if len(self.components) == 1:
            return 8, 8
        return 8 * max(c.down for c in self.components), 8 * max(c.across for c in self.components)


def jpeg_parts(stream: bytes) -> JpegParts:
    """Raises ``ProblemError`` where the segments do not follow each other."""
    pos, size = stream.find(b"\xff\xd8\xff", 0, 64) + 2, len(stream)
    final = stream.rfind(b"\xff\xd9")
    tables: dict[int, bytes] = {}
    restart = 0
    frame: tuple[int, int, int, int, tuple[Component, ...], int] | None = None
    scans: list[Scan] = []
    try:
        while pos + 4 <= size:
            if stream[pos] != 0xFF:
                raise broken("no marker where one must be")
            marker = stream[pos + 1]
            if marker == 0xFF:
                pos += 1
                continue
            if marker == 0xD9:
                break
            if marker == 0x01 or 0xD0 <= marker <= 0xD8:
                pos += 2
                continue
            (length,) = struct.unpack_from(">H", stream, pos + 2)
            body, after = pos + 4, pos + 2 + length
            if marker in _FRAMES and frame is None:
                precision, rows, columns, count = struct.unpack_from(">BHHB", stream, body)
                at = [body + 6 + 3 * n for n in range(count)]
                parts = tuple(Component(stream[a], stream[a + 1] >> 4, stream[a + 1] & 15) for a in at)
                frame = (marker - 0xC0, precision, rows, columns, parts, body + 1)
            elif marker == 0xC4:
                _tables(stream[body:after], tables)
            elif marker == 0xDD:
                (restart,) = struct.unpack_from(">H", stream, body)
            elif marker == 0xDA:
                if frame is None:
                    raise broken("no frame header")
                scan = _scan(stream, body, after, frame[4], tables, restart, final)
                scans.append(scan)
                after = scan.end
            if length < 2:
                raise broken("no marker where one must be")
            pos = after
    except (IndexError, ValueError, struct.error) as error:
        raise broken("segments") from error
    if frame is None or not scans or not all(s.components for s in scans):
        raise broken("no frame header")
    if not frame[4] or not all(c.across and c.down for c in frame[4]):
        raise broken("component without samples")
    return JpegParts(*frame, tuple(scans))


def _tables(body: bytes, tables: dict[int, bytes]) -> None:
    at = 0
    while at + 17 <= len(body):
        count = sum(body[at + 1 : at + 17])
        tables[body[at]] = body[at + 1 : at + 17 + count]
        at += 17 + count


def _scan(
    stream: bytes,
    body: int,
    start: int,
    components: tuple[Component, ...],
    tables: dict[int, bytes],
    restart: int,
    final: int,
) -> Scan:
    count = stream[body]
    numbers = [c.number for c in components]
    places = tuple(numbers.index(n) if n in numbers else 0 for n in stream[body + 1 : body + 1 + 2 * count : 2])
    picked = tuple(tables.get(n >> 4, b"") for n in stream[body + 2 : body + 2 + 2 * count : 2])
    first, last, approximation = stream[body + 1 + 2 * count : body + 4 + 2 * count]
    end = _next_marker(stream, start)
    end = final if end < 0 else end
    return Scan(places, picked, first, last, approximation >> 4, approximation & 15, start, end, restart)


def _next_marker(stream: bytes, start: int) -> int:
    """Of any marker but those of a restart, with the fill bytes before it; -1 where there is none."""
    if start >= len(stream):
        return -1
    octets = np.frombuffer(stream, np.uint8, offset=start)
    at = np.flatnonzero(octets[:-1] == 0xFF)
    after = octets[at + 1]
    ends = at[(after != 0) & (after != 0xFF) & ((after < 0xD0) | (after > 0xD7))]
    if not ends.size:
        return -1
    end = start + int(ends[0])
    while end > start and stream[end - 1] == 0xFF:
        end -= 1
    return end


def intervals(stream: bytes, scan: Scan) -> tuple[tuple[int, int], ...] | None:
    """(begin, end) of what lies between the restart markers of a scan; None when they do not count 0 to 7 over and over."""
    found = []
    at = scan.start
    for n, hit in enumerate(_RESTART.finditer(stream, scan.start, scan.end)):
        if hit[1][0] & 7 != n & 7:
            return None
        found.append((at, hit.start()))
        at = hit.end()
    return (*found, (at, scan.end))
