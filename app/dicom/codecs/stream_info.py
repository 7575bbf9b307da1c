"""What a compressed stream says about itself, read before any decoder sees it: size, precision, its end."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from app.domain.pixels import PixelFormat
from app.domain.problem import ProblemError, fail


@dataclass(frozen=True)
class StreamInfo:
    kind: str
    """jpeg, jpegls, jpeg2000."""
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    process: int = 0
    """SOF number of a JPEG (0 baseline, 1 extended, 2 progressive, 3 lossless...)."""
    complete: bool = True
    """The end marker is where it must be."""
    end: int = 0
    """JPEG, JPEG-LS: offset behind the end marker where other bytes than padding follow it; 0 where none do."""
    high_throughput: bool = False
    uses_mct: bool = False
    """JPEG 2000 multi-component transform (RCT or ICT)."""
    reversible: bool = True
    """JPEG 2000: the 5-3 wavelet."""
    adobe_transform: int | None = None
    jfif: bool = False
    component_ids: tuple[int, ...] = ()


def broken(reason: str) -> ProblemError:
    return fail("dicom.stream_broken", kept_safe="kept.original", next_step="dicom.next.ask_again", reason=reason)


def cut() -> ProblemError:
    return fail("dicom.stream_cut", kept_safe="kept.original", next_step="dicom.next.ask_again")


def _ends_with_marker(stream: bytes) -> bool:
    """EOI or EOC, then nothing but padding; the one byte that makes a fragment even may be anything (DCMTK's is)."""
    at = stream.rfind(b"\xff\xd9")
    return at >= 0 and (at + 3 >= len(stream) or not stream[at + 2 :].strip(b"\0\xff "))


_MARKER, _MARKER_LS = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]"), re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""Inside coded data, but for those of a restart (T.81 B.1.1.5, ISO 14495-1 C.1)."""


def _end_before_others(stream: bytes, pos: int, marker: re.Pattern[bytes]) -> int:
    """Offset behind the EOI that the segments from ``pos`` on lead to; 0 where they lead to none."""
    while pos <= len(stream) - 4:
        kind = stream[pos + 1]
        if stream[pos] != 0xFF or kind < 0xC0:
            return 0
        if kind == 0xD9:
            return pos + 2
        if kind == 0xFF:
            pos += 1
            continue
        pos += 2 + int.from_bytes(stream[pos + 2 : pos + 4], "big")
        if kind == 0xDA:
            found = marker.search(stream, pos)
            if found is None:
                return 0
            pos = found.start()
    return 0


_SOF = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))


def jpeg_info(stream: bytes) -> StreamInfo:
    """JPEG (T.81) or JPEG-LS (T.87) by its frame header. Raises ``ProblemError``."""
    start = stream.find(b"\xff\xd8\xff", 0, 64)
    if start < 0:
        raise broken("no start marker")
    pos, size = start + 2, len(stream)
    adobe: int | None = None
    jfif = False
    while pos + 4 <= size:
        if stream[pos] != 0xFF:
            raise broken("no marker where one must be")
        marker = stream[pos + 1]
        if marker == 0xFF:
            pos += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            pos += 2
            continue
        (length,) = struct.unpack_from(">H", stream, pos + 2)
        if marker == 0xEE and length >= 14 and pos + 15 < size and stream[pos + 4 : pos + 9] == b"Adobe":
            adobe = stream[pos + 15]
        jfif = jfif or (marker == 0xE0 and stream[pos + 4 : pos + 8] == b"JFIF")
        if marker in _SOF or marker == 0xF7:
            if pos + 10 > size:
                raise cut()
            precision, rows, columns, components = struct.unpack_from(">BHHB", stream, pos + 4)
            kind = "jpegls" if marker == 0xF7 else "jpeg"
            process = marker - 0xC0 if kind == "jpeg" else 0
            complete = _ends_with_marker(stream)
            return StreamInfo(
                kind,
                rows,
                columns,
                components,
                precision,
                process=process,
                complete=complete,
                end=0 if complete else _end_before_others(stream, pos, _MARKER_LS if kind == "jpegls" else _MARKER),
                adobe_transform=adobe,
                jfif=jfif,
                component_ids=tuple(stream[pos + 10 + 3 * n] for n in range(components) if pos + 10 + 3 * n < size),
            )
        if marker == 0xDA or marker == 0xD9 or length < 2:
            raise broken("no frame header")
        pos += 2 + length
    raise cut()


def jpeg2000_info(stream: bytes) -> StreamInfo:
    """JPEG 2000 codestream or JP2 file by SIZ, CAP and COD. Raises ``ProblemError``."""
    start = stream.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start < 0:
        raise broken("no codestream")
    if len(stream) < start + 48:
        raise cut()
    (_, _, x1, y1, x0, y0) = struct.unpack_from(">HHIIII", stream, start + 4)
    (components,) = struct.unpack_from(">H", stream, start + 40)
    depth = stream[start + 42]
    (length,) = struct.unpack_from(">H", stream, start + 4)
    _check_tiles(stream, start, components, length)
    pos = start + 4 + length
    high_throughput = mct = False
    reversible = True
    while pos + 4 <= len(stream):
        marker, length = struct.unpack_from(">HH", stream, pos)
        if marker == 0xFF50:
            high_throughput = True
        elif marker == 0xFF52 and pos + 14 <= len(stream):
            mct = stream[pos + 8] == 1
            reversible = stream[pos + 13] == 1
        elif marker in _PART_2:
            # Decoders step over what they do not know and hand out other values in silence.
            raise fail("dicom.jpeg2000_part_2", kept_safe="kept.original", what=_PART_2[marker])
        elif marker in (0xFF90, 0xFFD9) or marker < 0xFF00:
            break
        pos += 2 + length
    return StreamInfo(
        "jpeg2000",
        y1 - y0,
        x1 - x0,
        components,
        (depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        complete=_ends_with_marker(stream) and _tile_parts_whole(stream, pos),
        high_throughput=high_throughput,
        uses_mct=mct,
        reversible=reversible,
    )


_PART_2 = {
    0xFF70: "DCO",
    0xFF71: "VMS",
    0xFF72: "DFS",
    0xFF73: "ADS",
    0xFF75: "MCC",
    0xFF76: "NLT",
    0xFF77: "MCO",
    0xFF79: "ATK",
}
"""Markers of ISO 15444-2 that change values: offsets, masks, wavelets of their own, transforms across components."""


def _tile_parts_whole(stream: bytes, pos: int) -> bool:
    """The lengths of the tile-parts lead from one to the next and to the end marker (ISO 15444-1 A.4.2).

    An end marker alone says nothing of a middle that is missing, which decoders fill up in silence.
    """
    while stream[pos : pos + 2] == b"\xff\x90" and pos + 12 <= len(stream):
        (length,) = struct.unpack_from(">I", stream, pos + 6)
        if length == 0:  # up to the end marker
            return True
        if length < 14:
            return False
        pos += length
    return stream[pos : pos + 2] == b"\xff\xd9"


def _check_tiles(stream: bytes, start: int, components: int, length: int) -> None:
    """Sizes that decoders divide by (ISO 15444-1 B.2, B.3): one of them ends its process on a tile without width."""
    x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0 = struct.unpack_from(">8I", stream, start + 8)
    if not components or length < 38 + 3 * components or start + 4 + length > len(stream):
        raise broken("number of components")
    steps = stream[start + 42 : start + 42 + 3 * components]
    if not all(steps[1::3]) or not all(steps[2::3]):
        raise broken("component without samples")
    if x1 <= x0 or y1 <= y0:
        raise broken("picture without size")
    inside = tile_x0 <= x0 < tile_x0 + tile_x and tile_y0 <= y0 < tile_y0 + tile_y
    if not tile_x or not tile_y or not inside:
        raise broken("tiles")
    if -(-(x1 - tile_x0) // tile_x) * -(-(y1 - tile_y0) // tile_y) > 65535:
        raise broken("too many tiles")


def check_against(info: StreamInfo, fmt: PixelFormat) -> None:
    """The stream must be the picture that the header describes. Raises ``ProblemError``."""
    if (info.rows, info.columns) != (fmt.rows, fmt.columns):
        raise fail(
            "dicom.stream_other_size",
            kept_safe="kept.original",
            rows=info.rows,
            columns=info.columns,
            stated_rows=fmt.rows,
            stated_columns=fmt.columns,
        )
    if info.components != fmt.samples_per_pixel:
        raise fail(
            "dicom.stream_other_samples", kept_safe="kept.original", found=info.components, stated=fmt.samples_per_pixel
        )
    if info.precision > 32:
        raise broken("precision")
