"""Zeros where compressed data must be: a block that the disk or the network lost behind whole markers and lengths.

The coders of JPEG 2000 and HTJ2K write bits that look like noise: of all real and made streams at hand none holds more
than 35 zero bytes in a row. Only packets without content are zeros by rule, one byte each (ISO 15444-1 B.10.3), and
there are no more of them than the tile has packets. A longer run is a hole; decoders paint it over.

HTJ2K writes the low bits of a code-block as they are, two lines at a time (ISO 15444-15 7.1.2): over a flat background that
is one more than a power of two they are zeros for as many samples as two lines of a block have.
"""

from __future__ import annotations

import re
import struct

from app.domain.problem import ProblemError, fail

LONGEST = 128
"""Zero bytes beside empty packets; a block of a disk has 512."""


def hole() -> ProblemError:
    return fail("dicom.stream_hole", kept_safe="kept.original", next_step="dicom.next.ask_again")


def has_hole(stream: bytes, start: int) -> bool:
    """Of a JPEG 2000 or HTJ2K stream whose codestream begins at ``start``."""
    first = stream.find(b"\xff\x90", start)
    if first < 0 or stream.find(bytes(LONGEST + 1), first) < 0:
        return False
    allowed = LONGEST + packets_of_a_tile(stream, start, first) + zeros_of_a_block(stream, start, first)
    if stream.find(bytes(allowed + 1), first) < 0:
        return False
    ones = block_of_ones(stream, start, first)
    return any(len(run[0]) not in ones for run in re.finditer(rb"\0{%d,}" % (allowed + 1), stream[first:]))


def block_of_ones(stream: bytes, start: int, end: int) -> range:
    """Lengths of the zeros of an HT code-block that is 1 everywhere: a bit a sample, the sign; a lost block has 512."""
    at = stream.find(b"\xff\x52", start, end)
    if not zeros_of_a_block(stream, start, end):
        return range(0)
    size = 1 << ((stream[at + 10] & 15) + (stream[at + 11] & 15) + 4 - 3)
    return range(size + 4, size + 17)


def zeros_of_a_block(stream: bytes, start: int, end: int) -> int:
    """Bytes that two lines of an HT code-block may have, by SIZ and COD; 0 for the blocks of JPEG 2000."""
    at = stream.find(b"\xff\x52", start, end)
    if at < 0 or at + 14 > len(stream) or not stream[at + 12] & 0x40:
        return 0
    width, precision = 1 << ((stream[at + 10] & 15) + 2), (stream[start + 42] & 0x7F) + 1
    return 2 * width * (precision + 1) // 8


def packets_of_a_tile(stream: bytes, start: int, end: int) -> int:
    """At most, by SIZ and COD (ISO 15444-1 A.6.1, B.6, B.12)."""
    x1, y1, x0, y0, tile_x, tile_y = struct.unpack_from(">6I", stream, start + 8)
    (components,) = struct.unpack_from(">H", stream, start + 40)
    width, height = min(x1 - x0, tile_x), min(y1 - y0, tile_y)
    at = stream.find(b"\xff\x52", start, end)
    if at < 0 or at + 14 > len(stream):
        return 0
    style, (layers,), levels = stream[at + 4], struct.unpack_from(">H", stream, at + 6), stream[at + 9]
    precincts = 0
    for level in range(min(levels, 32) + 1):
        size = stream[at + 14 + level] if style & 1 and at + 14 + level < len(stream) else 0xFF
        across, down = (-(-side >> (levels - level)) for side in (width, height))
        precincts += ((across >> (size & 15)) + 2) * ((down >> (size >> 4)) + 2)
    return int(layers * components * precincts)
