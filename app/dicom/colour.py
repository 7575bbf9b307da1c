"""Stored colour to RGB for the screen: palettes, YBR in its forms, ICC profiles (PS3.3 C.7.6.3.1.2, C.11.15)."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom import tags
from app.dicom.codecs.stream_info import jpeg2000_info, jpeg_info
from app.dicom.frame_decoder import encapsulated_stream
from app.dicom.luts import palette_of
from app.dicom.raw_items import RawDataset
from app.dicom.transfer_syntaxes import is_video, syntax_of
from app.domain.pixels import PixelFormat
from app.domain.ports import ByteSource
from app.domain.problem import fail
from app.domain.study import Instance

Array = npt.NDArray[np.generic]
Rgb = npt.NDArray[np.uint8]
_OF_A_CODEC = frozenset({"YBR_RCT", "YBR_ICT", "XYB"})
"""Colour models that only a JPEG 2000 or JPEG XL codec has, and undoes."""
_WITHOUT_COLOUR = frozenset({"native", "uncompressed", "deflated_frame", "rle"})


def to_rgb(stored: Array, instance: Instance, fmt: PixelFormat, dataset: RawDataset, frame: int, source: ByteSource) -> Rgb:
    """(rows, columns, 3) uint8. Raises ``ProblemError`` for colour models that nothing here converts."""
    kind = fmt.photometric_interpretation
    if kind.startswith("PALETTE"):
        palette = palette_of(dataset, fmt.signed)
        if palette is None:
            raise fail("dicom.palette_broken", kept_safe="kept.original")
        index = np.clip(stored.astype(np.int64) - palette.first_mapped, 0, len(palette.rgb) - 1)
        return _profiled(np.ascontiguousarray(palette.rgb[index]), dataset)
    if stored.ndim != 3 or stored.shape[2] != 3:
        raise fail("dicom.colour_unsupported", kept_safe="kept.original", name=kind)
    if is_video(instance.transfer_syntax_uid):
        return _profiled(
            stored.astype(np.uint8, copy=False), dataset
        )  # the stream's own range and matrix are undone already
    values = _eight_bits(stored, fmt)
    if kind == "YBR_PARTIAL_422" or kind == "YBR_PARTIAL_420":
        return _profiled(partial_to_rgb(values), dataset)
    if kind == "HSV":
        raise fail("dicom.colour_unsupported", kept_safe="kept.original", name=kind)
    syntax = syntax_of(instance.transfer_syntax_uid)
    if kind in _OF_A_CODEC and (syntax is None or syntax.codec in _WITHOUT_COLOUR):
        raise fail("dicom.colour_unsupported", kept_safe="kept.original", name=kind)
    if _is_ybr(instance, kind, frame, source):
        values = full_to_rgb(values)
    return _profiled(values, dataset)


def _eight_bits(stored: Array, fmt: PixelFormat) -> Rgb:
    if stored.dtype.itemsize == 1 and fmt.bits_stored == 8:
        return stored.astype(np.uint8, copy=False)
    if fmt.bits_stored > 8:
        return (stored.astype(np.uint32) >> (fmt.bits_stored - 8)).astype(np.uint8)
    return (stored.astype(np.float32) * (255.0 / ((1 << fmt.bits_stored) - 1)) + 0.5).astype(np.uint8)


def _is_ybr(instance: Instance, kind: str, frame: int, source: ByteSource) -> bool:
    """What the decoder handed out; the stream's own words beat the header where the two disagree."""
    syntax = syntax_of(instance.transfer_syntax_uid)
    family = syntax.codec if syntax else "native"
    if family in ("jpeg2000", "htj2k"):
        info = jpeg2000_info(encapsulated_stream(instance, frame, source))
        return kind.startswith("YBR_FULL") and not info.uses_mct
    if family == "jpegxl":
        return False
    if family == "jpeg":
        found = jpeg_info(encapsulated_stream(instance, frame, source))
        if found.kind == "jpeg" and found.process != 3:
            if found.adobe_transform is not None:
                return found.adobe_transform == 1
            if found.component_ids == (82, 71, 66):
                return False
            return kind.startswith("YBR") or found.jfif
    return kind.startswith("YBR_FULL")


def full_to_rgb(ybr: Rgb) -> Rgb:
    """YBR_FULL (CCIR 601, full range) to RGB, PS3.3 C.7.6.3.1.2."""
    y, cb, cr = (ybr[..., n].astype(np.float32) for n in range(3))
    cb -= 128.0
    cr -= 128.0
    out = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.asarray(np.clip(np.rint(out), 0, 255).astype(np.uint8))


def partial_to_rgb(ybr: Rgb) -> Rgb:
    """YBR_PARTIAL (16 to 235) to RGB."""
    y = (ybr[..., 0].astype(np.float32) - 16.0) * 1.1644
    cb, cr = ybr[..., 1].astype(np.float32) - 128.0, ybr[..., 2].astype(np.float32) - 128.0
    out = np.stack([y + 1.5960 * cr, y - 0.3917 * cb - 0.8130 * cr, y + 2.0173 * cb], axis=-1)
    return np.asarray(np.clip(np.rint(out), 0, 255).astype(np.uint8))


def _profiled(values: Rgb, dataset: RawDataset) -> Rgb:
    """Through the object's ICC profile to sRGB; profiles that are sRGB already or cannot be used change nothing."""
    profile = dataset.raw(tags.ICC_PROFILE)
    if len(profile) < 128:
        return values
    transform = _transform(profile)
    if transform is None:
        return values
    from PIL import Image, ImageCms

    found = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(values), "RGB"), transform)
    return values if found is None else np.array(found, dtype=np.uint8)


def profile_state(dataset: RawDataset) -> str:
    """Message id of what the object's colour profile does to the shown colours; empty where it has none or sRGB."""
    profile = dataset.raw(tags.ICC_PROFILE)
    if len(profile) < 128:
        return ""
    transform = _transform(profile)
    if transform is not None:
        return "viewer.state.colour_profile"
    return "" if _is_srgb(profile) else "viewer.state.colour_profile_unusable"


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes) -> bool:
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return "srgb" in ImageCms.getProfileDescription(source).lower()
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False


@lru_cache(maxsize=8)
def _transform(profile: bytes) -> Any:
    from PIL import ImageCms

    try:
        if _is_srgb(profile):
            return None
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
