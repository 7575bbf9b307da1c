"""JPEG, PNG, TIFF and PDF files as they come from dental sensors, scanners and paper archives: looked at before decoded.

Decoded values keep every bit of the source: 8 or 16 bits, grey or RGB. Transparency is dropped; palettes become colours.
Other numbers and printing inks: ``picture_values.py``.
A declared size is checked against limits before any decoder sees the file.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom import tiff_header as tiff
from app.dicom.codecs.stream_info import StreamInfo, jpeg_info
from app.dicom.picture_values import CMYK, inks_to_rgb, whole_numbers
from app.domain.problem import ProblemError, fail

Pixels = npt.NDArray[np.generic]

MAX_FILE_BYTES = 1 << 30
MAX_SIDE = 65_535
"""Rows and Columns are US (PS3.3 C.7.6.3)."""
MAX_PAGE_PIXELS = 300_000_000
MAX_DECODED_BYTES = 2 << 30
_MPF = b"MPF\0"

MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "tiff": "image/tiff", "pdf": "application/pdf"}


@dataclass(frozen=True)
class PictureInfo:
    """What a picture file says about itself."""

    kind: str
    """jpeg, png, tiff, pdf."""
    size_bytes: int
    pages: int = 1
    rows: int = 0
    """Of the first page, as stored (before its orientation is honoured); 0 for a PDF."""
    columns: int = 0
    samples: int = 1
    bits: int = 8
    orientation: int = 1
    """TIFF/EXIF orientation 1..8."""
    lossy: bool = False
    white_is_zero: bool = False
    taken_on: str = ""
    """YYYYMMDD by the device's clock: of the camera or scanner, not necessarily of the film."""
    aspect: tuple[int, int] | None = None
    """Height : width of a pixel where they differ."""
    transparency: bool = False
    stream: StreamInfo | None = None
    """Of a JPEG."""
    as_is: bool = False
    """A JPEG stream that DICOM takes unaltered (processes 1, 2 and 4)."""
    inks: bool = False
    """CMYK: the pixels are its sRGB."""
    slope: float = 1.0
    """``value = stored * slope + intercept`` for numbers that are no 8 or 16 bits without sign."""
    intercept: float = 0.0
    exact: bool = True
    """The stored values give back the source's, bit by bit."""


def sniff(head: bytes) -> str:
    """``jpeg``, ``png``, ``tiff``, ``pdf`` or empty, by the first bytes of a file."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if tiff.is_tiff(head):
        return "tiff"
    return "pdf" if head.startswith(b"%PDF-") else ""


def inspect_picture(data: bytes) -> PictureInfo:
    """Looks at headers only. Raises ``ProblemError`` (``picture.*``) for what is broken, hostile or of no use."""
    if len(data) > MAX_FILE_BYTES:
        raise fail("picture.file_too_big", megabytes=len(data) >> 20, limit=MAX_FILE_BYTES >> 20)
    kind = sniff(data[:16])
    if kind == "jpeg":
        return _checked(_jpeg(data))
    if kind == "png":
        return _checked(_png(data))
    if kind == "tiff":
        return _tiff(data)
    if kind == "pdf":
        if b"%%EOF" not in data[-4096:]:
            raise fail("picture.broken", reason="PDF", kept_safe="kept.original")
        return PictureInfo("pdf", len(data))
    raise fail("picture.unknown")


def _checked(info: PictureInfo, decoded_before: int = 0) -> PictureInfo:
    """Refuses sizes that would fill the memory or that DICOM cannot say."""
    if info.rows < 1 or info.columns < 1:
        raise fail("picture.broken", reason=info.kind.upper(), kept_safe="kept.original")
    decoded = _decoded_bytes(info)
    if (
        max(info.rows, info.columns) > MAX_SIDE
        or info.rows * info.columns > MAX_PAGE_PIXELS
        or decoded_before + decoded > MAX_DECODED_BYTES
    ):
        raise fail("picture.too_big", kept_safe="kept.original", columns=info.columns, rows=info.rows, n=info.pages)
    return info


def _decoded_bytes(info: PictureInfo) -> int:
    return info.rows * info.columns * (4 if info.inks else info.samples) * max(1, info.bits // 8)


def _jpeg(data: bytes) -> PictureInfo:
    try:
        stream = jpeg_info(data)
    except ProblemError as error:
        raise fail("picture.broken", reason="JPEG", kept_safe="kept.original") from error
    if not stream.complete:
        raise fail("picture.cut", kept_safe="kept.original")
    if stream.components not in (1, 3, 4) or (stream.components == 4 and stream.precision != 8):
        raise fail("picture.colour_space", reason=f"JPEG {stream.components}", next_step="picture.next.save_as_rgb")
    head = data[:262_144]
    at = head.find(b"Exif\0\0")
    block = tiff.exif(data[at + 6 : at + 6 + 65_536]) if at >= 0 else tiff.Directory()
    return PictureInfo(
        "jpeg",
        len(data),
        rows=stream.rows,
        columns=stream.columns,
        samples=min(stream.components, 3),
        bits=stream.precision,
        orientation=_orientation(block),
        lossy=stream.process != 3,
        taken_on=_date(block),
        stream=stream,
        as_is=stream.process in (0, 1) and _MPF not in head and stream.precision in (8, 12) and stream.components < 4,
        inks=stream.components == 4,
    )


def _orientation(block: tiff.Directory) -> int:
    value = block.whole(tiff.ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def _date(block: tiff.Directory) -> str:
    text = block.texts.get(tiff.DATE_TIME_ORIGINAL, "")[:10].replace(":", "")
    return text if len(text) == 8 and text.isdigit() and text > "19000000" else ""


def _png(data: bytes) -> PictureInfo:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise fail("picture.broken", reason="PNG", kept_safe="kept.original")
    columns, rows, bits, colour = struct.unpack_from(">IIBB", data, 16)
    samples = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}.get(colour)
    if samples is None or bits not in (1, 2, 4, 8, 16):
        raise fail("picture.broken", reason="PNG", kept_safe="kept.original")
    block, aspect = tiff.Directory(), None
    for name, start, length in _chunks(data):
        if name == b"eXIf":
            block = tiff.exif(data[start : start + min(length, 65_536)])
        elif name == b"pHYs" and length == 9:
            across, down = struct.unpack_from(">II", data, start)
            aspect = _aspect(across, down)
    return PictureInfo(
        "png",
        len(data),
        rows=rows,
        columns=columns,
        samples=samples,
        bits=max(bits, 8),
        orientation=_orientation(block),
        taken_on=_date(block),
        aspect=aspect,
        transparency=colour in (4, 6),
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, length) of each chunk of a PNG. The decoder only warns of a wrong check sum; here it is an error."""
    pos, name = 8, b""
    while name != b"IEND":
        if pos + 12 > len(data):
            raise fail("picture.cut", kept_safe="kept.original")
        (length,) = struct.unpack_from(">I", data, pos)
        name, start = data[pos + 4 : pos + 8], pos + 8
        if start + length + 4 > len(data):
            raise fail("picture.cut", kept_safe="kept.original")
        (stated,) = struct.unpack_from(">I", data, start + length)
        # Lower-case chunks are remarks; what is wrong there harms no pixel.
        if name[:1].isupper() and zlib.crc32(memoryview(data)[pos + 4 : start + length]) != stated:
            raise fail("picture.broken", reason="PNG", kept_safe="kept.original")
        yield name, start, length
        pos = start + length + 4


def _aspect(across: float, down: float) -> tuple[int, int] | None:
    """Pixels per unit to the height and width of one pixel; None when they agree within 1 %."""
    if across <= 0 or down <= 0 or abs(across / down - 1.0) < 0.01 or not 0.1 < across / down < 10:
        return None
    # a pixel is 1/down high and 1/across wide
    return round(across * 100), round(down * 100)


_JPEG_IN_TIFF = (6, 7, 34892)
_KNOWN_COMPRESSIONS = (1, 2, 3, 4, 5, 7, 8, 32773, 32946)


def _tiff(data: bytes) -> PictureInfo:
    pages = _tiff_pages(data)
    infos = [_tiff_page(p, len(data), len(pages)) for _, p in pages]
    if any(tiff.is_cut(data, d) for _, d in pages):
        raise fail("picture.cut", kept_safe="kept.original")
    total = 0
    for info in infos:
        _checked(info, total)
        total += _decoded_bytes(info)
    return infos[0]


def _tiff_pages(data: bytes) -> list[tuple[int, tiff.Directory]]:
    """(number in the file, directory) of the pages; reduced previews and masks are left out."""
    found = list(enumerate(tiff.directories(data)))
    pages = [(n, d) for n, d in found if not d.whole(tiff.SUBFILE, 0) & 5]
    return pages or found[:1]


def _tiff_page(d: tiff.Directory, size_bytes: int, pages: int) -> PictureInfo:
    samples, bits = d.whole(tiff.SAMPLES, 1), d.whole(tiff.BITS, 1)
    photometric, compression = d.whole(tiff.PHOTOMETRIC, 1), d.whole(tiff.COMPRESSION, 1)
    known = {1: (1, 2, 4, 8, 12, 16, 32), 2: (8, 16, 32), 3: (16, 32, 64)}.get(d.whole(tiff.SAMPLE_FORMAT, 1), ())
    if bits not in known or (bits > 16 and samples > 1):
        raise fail("picture.pixel_type", bits=bits, next_step="picture.next.save_16")
    if compression not in _KNOWN_COMPRESSIONS:
        raise fail("picture.compression", number=compression, next_step="picture.next.save_lzw")
    colours = {0: 1, 1: 1, 2: 3, 3: 3, CMYK: 3, 6: 3}.get(photometric)
    odd = (photometric == 6 and compression not in _JPEG_IN_TIFF) or (photometric == CMYK and (bits != 8 or samples < 4))
    if colours is None or odd:
        raise fail("picture.colour_space", reason=f"TIFF {photometric}", next_step="picture.next.save_as_rgb")
    return PictureInfo(
        "tiff",
        size_bytes,
        pages,
        d.whole(tiff.HEIGHT, 0),
        d.whole(tiff.WIDTH, 0),
        colours,
        max(bits // 8, 1 + (bits > 8)) * 8 if photometric != 3 else 8,
        _orientation(d),
        compression in _JPEG_IN_TIFF,
        photometric == 0,
        aspect=_aspect(d.first(tiff.X_RESOLUTION, 0), d.first(tiff.Y_RESOLUTION, 0)),
        transparency=samples > colours + (photometric == CMYK) and photometric != 3,
        inks=photometric == CMYK,
    )


def decode_pages(data: bytes, info: PictureInfo) -> list[tuple[PictureInfo, Pixels]]:
    """Each page upright: ``(rows, columns)`` or ``(rows, columns, 3)``, uint8 or uint16.

    Raises ``picture.broken``; ``ValueError`` for a PDF, which has no pixels of its own.
    """
    if info.kind == "pdf":
        raise ValueError("a PDF is kept as a document")
    if info.kind == "tiff":
        return [_tiff_decoded(data, n, d, len(data)) for n, d in _tiff_pages(data)]
    return [(info, _upright(_decoded(data, info), info))]


def _decoded(data: bytes, info: PictureInfo) -> Pixels:
    import imagecodecs

    if info.inks:
        return _plain(inks_to_rgb(data), info)
    try:
        if info.kind == "jpeg":
            values = np.asarray(imagecodecs.jpeg8_decode(data))
        else:
            values = np.asarray(imagecodecs.png_decode(data))
    except Exception as error:  # each codec of the library has its own error class
        raise fail("picture.broken", reason=info.kind.upper(), kept_safe="kept.original") from error
    return _plain(values, info)


def _plain(values: Pixels, info: PictureInfo) -> Pixels:
    """Grey or RGB without alpha; bits as whole bytes."""
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        values = values[..., : values.shape[2] - 1]
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    shape = (info.rows, info.columns) if info.samples == 1 else (info.rows, info.columns, 3)
    if values.shape != shape or values.dtype not in (np.uint8, np.uint16):
        raise fail("picture.broken", reason=info.kind.upper(), kept_safe="kept.original")
    return np.ascontiguousarray(values)


def _tiff_decoded(data: bytes, number: int, d: tiff.Directory, size_bytes: int) -> tuple[PictureInfo, Pixels]:
    import imagecodecs

    info = _tiff_page(d, size_bytes, 1)
    bits = d.whole(tiff.BITS, 1)
    if info.inks:
        return info, _upright(_plain(inks_to_rgb(data, number), info), info)
    try:
        values: Any = np.asarray(imagecodecs.tiff_decode(data, index=number))
    except Exception as error:  # each codec of the library has its own error class
        raise fail("picture.broken", reason="TIFF", kept_safe="kept.original") from error
    if d.whole(tiff.PLANAR, 1) == 2 and values.ndim == 3 and values.shape[0] in (3, 4):
        values = np.moveaxis(values, 0, -1)
    if d.whole(tiff.PHOTOMETRIC, 1) == 3:
        values = _coloured(values, d, bits)
    elif values.dtype != np.bool_ and bits in (2, 4) and values.ndim == 2:
        values = values.astype(np.uint8) * np.uint8(255 // ((1 << bits) - 1))
    if values.dtype != np.bool_:
        values, mapping = whole_numbers(values)
        info = replace(
            info, bits=values.dtype.itemsize * 8, slope=mapping.slope, intercept=mapping.intercept, exact=mapping.exact
        )
    return info, _upright(_plain(values, info), info)


def _coloured(values: Pixels, d: tiff.Directory, bits: int) -> Pixels:
    table = np.asarray(d.numbers.get(tiff.COLOUR_MAP, ()), dtype=np.uint32)
    if values.ndim != 2 or table.size != 3 << bits:
        raise fail("picture.broken", reason="TIFF", kept_safe="kept.original")
    # The table has 16 bits; 8-bit palettes repeat their byte, some writers leave the low byte empty.
    eight = (table.reshape(3, -1).T >> 8).astype(np.uint8)
    return np.asarray(eight[values.astype(np.intp)])


def _upright(values: Pixels, info: PictureInfo) -> Pixels:
    """Honours the EXIF orientation: exact, only rows and columns change places."""
    way = info.orientation
    if way in (2, 3):
        values = values[:, ::-1] if way == 2 else values[::-1, ::-1]
    elif way == 4:
        values = values[::-1]
    elif way >= 5:
        values = np.swapaxes(values, 0, 1)
        if way in (6, 7):
            values = values[:, ::-1]
        if way in (7, 8):
            values = values[::-1]
    return np.ascontiguousarray(values)


def upright_info(info: PictureInfo) -> PictureInfo:
    """Size and aspect after the orientation was honoured."""
    if info.orientation < 5:
        return replace(info, orientation=1)
    aspect = (info.aspect[1], info.aspect[0]) if info.aspect else None
    return replace(info, orientation=1, rows=info.columns, columns=info.rows, aspect=aspect)


def small(data: bytes, info: PictureInfo, side_px: int = 256) -> npt.NDArray[np.uint8] | None:
    """A small 8-bit picture of the first page; None for a PDF. Raises ``picture.broken``."""
    if info.kind == "pdf":
        return None
    if info.kind == "tiff":
        number, directory = _tiff_pages(data)[0]
        page, values = _tiff_decoded(data, number, directory, len(data))
    else:
        page, values = info, _upright(_decoded(data, info), info)
    step = max(1, math.ceil(max(values.shape[:2]) / side_px))
    # means of blocks: a film of 4000 rows does not become a field of speckles
    down, across = (min(step, n) for n in values.shape[:2])  # a strip may be thinner than a block
    rows, columns = values.shape[0] // down * down, values.shape[1] // across * across
    blocks = values[:rows, :columns].reshape(rows // down, down, columns // across, across, -1).mean(axis=(1, 3))
    top = float(blocks.max()) if values.dtype == np.uint16 else 255.0
    scaled = np.clip(blocks * (255.0 / (top or 1.0)), 0, 255).astype(np.uint8)
    if page.white_is_zero:
        scaled = 255 - scaled
    return np.ascontiguousarray(scaled[..., 0] if scaled.shape[2] == 1 else scaled)
