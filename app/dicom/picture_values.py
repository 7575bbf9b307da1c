"""What a plain picture may hold beside bytes of grey and RGB: other numbers, printing inks, colour profiles.

Secondary Capture takes whole numbers of 8 or 16 bits. Signed numbers keep every bit with an intercept; floating point and
32-bit numbers are mapped to 16 bits with a slope and an intercept; inks become sRGB. Each is told in words.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.dicom import tiff_header as tiff
from app.domain.problem import fail

Pixels = npt.NDArray[np.generic]
MAX_PROFILE_BYTES = 16 << 20
CMYK = 5
"""Photometric interpretation of a TIFF; 4 components of a JPEG are taken for the same."""


@dataclass(frozen=True)
class Mapping:
    """``value = stored * slope + intercept``."""

    slope: float = 1.0
    intercept: float = 0.0
    exact: bool = True


def whole_numbers(values: Pixels) -> tuple[Pixels, Mapping]:
    """uint8 or uint16 with the mapping back. Floats that are no numbers become the lowest value."""
    if values.dtype in (np.uint8, np.uint16):
        return values, Mapping()
    if values.dtype == np.int8:
        return (values.astype(np.int16) + 128).astype(np.uint8), Mapping(1.0, -128.0)
    wide = values.astype(np.float64)
    good = np.isfinite(wide)
    if not good.any():
        raise fail("picture.broken", reason="TIFF", kept_safe="kept.original")
    low, high = float(wide[good].min()), float(wide[good].max())
    whole = values.dtype.kind in "iu" or bool(np.all(wide[good] == np.rint(wide[good])) and good.all())
    if whole and high - low <= 65535 and abs(low) < 1e9:
        return (wide - low).astype(np.uint16), Mapping(1.0, low)
    # Decimal strings hold 16 characters: the mapping is what they can say, and the stored values follow it.
    slope = float(f"{(high - low) / 65535 or 1.0:.9g}")
    intercept = float(f"{low:.9g}")
    with np.errstate(invalid="ignore", over="ignore"):
        stored = np.clip(np.rint((np.where(good, wide, low) - intercept) / slope), 0, 65535)
    return stored.astype(np.uint16), Mapping(slope, intercept, False)


def inks_to_rgb(data: bytes, page: int = 0) -> Pixels:
    """(rows, columns, 3) uint8 sRGB of a CMYK picture, through its own profile where it has one."""
    from PIL import Image, ImageCms

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "TIFF")) as picture:
            picture.seek(page)
            inks = picture.convert("CMYK") if picture.mode != "CMYK" else picture.copy()
            profile = picture.info.get("icc_profile") or b""
    except Exception as error:  # the decoder raises many kinds on hostile bytes; each means the same
        raise fail("picture.broken", reason="CMYK", kept_safe="kept.original") from error
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else None
        if source is not None:
            target = ImageCms.createProfile("sRGB")
            found = ImageCms.profileToProfile(inks, source, target, outputMode="RGB")
            if found is not None:
                return np.array(found, dtype=np.uint8)
    except (ImageCms.PyCMSError, OSError, ValueError):
        pass  # an unusable profile: the plain formula below
    four = 255 - np.asarray(inks, dtype=np.uint16)
    return np.asarray((four[..., :3] * four[..., 3:] + 127) // 255, dtype=np.uint8)


def profile_of(data: bytes, kind: str) -> bytes:
    """The ICC profile that a picture carries; empty where there is none that could be one."""
    found = {"jpeg": _jpeg_profile, "png": _png_profile, "tiff": _tiff_profile}.get(kind, lambda _: b"")(data)
    return found if 128 <= len(found) <= MAX_PROFILE_BYTES and found[36:40] == b"acsp" else b""


def _jpeg_profile(data: bytes) -> bytes:
    """APP2 segments ``ICC_PROFILE``, numbered from 1."""
    parts: dict[int, bytes] = {}
    pos = 2
    while pos + 4 <= len(data) and data[pos] == 0xFF:
        marker = data[pos + 1]
        if marker == 0xFF:
            pos += 1
            continue
        if marker in (0xD9, 0xDA):
            break
        (length,) = struct.unpack_from(">H", data, pos + 2)
        if marker == 0xE2 and data[pos + 4 : pos + 16] == b"ICC_PROFILE\0" and length >= 16 and pos + 18 <= len(data):
            parts[data[pos + 16]] = data[pos + 18 : pos + 2 + length]
        pos += 2 + max(length, 2)
    return b"".join(parts[n] for n in sorted(parts))


def _png_profile(data: bytes) -> bytes:
    pos = 8
    while pos + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, pos)
        name, body = data[pos + 4 : pos + 8], data[pos + 8 : pos + 8 + length]
        if name == b"iCCP":
            at = body.find(b"\0", 0, 80)
            try:
                return zlib.decompressobj().decompress(body[at + 2 :], MAX_PROFILE_BYTES) if at > 0 else b""
            except zlib.error:
                return b""
        if name in (b"IDAT", b"IEND"):
            break
        pos += 12 + length
    return b""


def _tiff_profile(data: bytes) -> bytes:
    place = tiff.directories(data)[0].places.get(tiff.ICC_PROFILE)
    return data[place[0] : place[0] + place[1]] if place is not None else b""


def text_of(value: float) -> str:
    """A decimal string of at most 16 characters."""
    text = f"{value:.9g}"
    return text if len(text) <= 16 else f"{value:.6g}"
