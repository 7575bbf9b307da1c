"""An object in Explicit VR Little Endian without compression, as the general purpose media profile asks (PS3.11 D).

What is written is read again: an object whose pixels would look different in any value is not given out.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from app.dicom.data_set import data_set
from app.dicom.frame_decoder import stored_pixels
from app.dicom.frame_encoder import Syntax, native_bytes
from app.dicom.frame_pixels import frame_pixels
from app.dicom.header import read_header
from app.dicom.transfer_syntaxes import is_native, is_video
from app.domain.pixels import PixelFormat
from app.domain.ports import ByteSource
from app.domain.problem import ProblemError, fail
from app.domain.study import Instance

EXPLICIT_LE = str(ExplicitVRLittleEndian)
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_MAX_DECODED = 2 << 30


class _Held:
    """Bytes that are not in any file yet."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, locator: str) -> bytes:
        del locator
        return self._data

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        del locator
        return self._data[offset : offset + length]

    def plain_path(self, locator: str) -> Path | None:
        del locator
        return None


def to_explicit_le(data: bytes, instance: Instance, source: ByteSource) -> bytes:
    """The same object, every stored value the same; ``source`` reads ``instance``, whose bytes ``data`` are.

    Raises ``media.cannot_unpack`` for what cannot be decoded (video, a retired process) or would be too large.
    """
    if instance.transfer_syntax_uid == EXPLICIT_LE:
        return data
    fmt = instance.pixel_format
    if fmt is None or is_native(instance.transfer_syntax_uid):
        guesses = [fmt.photometric_interpretation if fmt else ""]
    else:
        size = fmt.rows * fmt.columns * fmt.samples_per_pixel * max(fmt.bits_allocated // 8, 1) * fmt.frames
        if is_video(instance.transfer_syntax_uid) or size > _MAX_DECODED or fmt.bits_allocated % 8:
            raise _cannot()
        guesses = _photometrics(fmt)
    for photometric in guesses:
        try:
            made = _written(data, instance, source, photometric)
            if fmt is None or _looks_the_same(made, instance, source):
                return made
        except ProblemError:
            continue
        except Exception as error:  # any maker's bytes
            raise _cannot() from error
    raise _cannot()


def _cannot() -> ProblemError:
    return fail("media.cannot_unpack", kept_safe="kept.original")


def _photometrics(fmt: PixelFormat) -> list[str]:
    """What the decoded values may be; which it is, the comparison says."""
    if fmt.samples_per_pixel == 1:
        return [fmt.photometric_interpretation]
    first = "RGB" if fmt.photometric_interpretation in ("RGB", "YBR_RCT", "YBR_ICT") else "YBR_FULL"
    return [first, "YBR_FULL" if first == "RGB" else "RGB"]


def _written(data: bytes, instance: Instance, source: ByteSource, photometric: str) -> bytes:
    import pydicom

    ds: Any = data_set(data, force=True)
    fmt = instance.pixel_format
    for tag in [t for t in ds.keys() if int(t) >> 16 == 0xFFFE]:  # noqa: SIM118 - a data set iterates over elements
        ds._dict.pop(tag)  # a stray delimiter, which no element can be made of
    ds.walk(lambda _ds, _element: None)  # every raw element becomes a value, so that it is written in the other order
    if fmt is not None and not is_native(instance.transfer_syntax_uid):
        ds.PixelData = native_bytes(stored_pixels(instance, source), Syntax.EXPLICIT_LE)
        ds["PixelData"].is_undefined_length = False
        ds.PhotometricInterpretation = photometric
        if fmt.samples_per_pixel > 1:
            ds.PlanarConfiguration = 0
        # a small picture beside the big one is compressed like it; viewers make their own
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "IconImageSequence"):
            if keyword in ds:
                del ds[keyword]
    elif fmt is not None and instance.transfer_syntax_uid == _BIG_ENDIAN and fmt.bits_allocated > 8:
        keyword = fmt.pixel_keyword
        words = np.frombuffer(ds[keyword].value, f">u{fmt.bits_allocated // 8}")
        ds[keyword].value = words.astype(words.dtype.newbyteorder("<")).tobytes()
    if fmt is not None and "PixelData" in ds:
        ds["PixelData"].VR = "OB" if fmt.bits_allocated <= 8 else "OW"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = instance.sop_class_uid
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = instance.sop_instance_uid
    ds.preamble = bytes(128)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _looks_the_same(made: bytes, instance: Instance, source: ByteSource) -> bool:
    held = _Held(made)
    fresh = read_header(f"held:{instance.sop_instance_uid}:{len(made)}", held).instance
    fmt, other = instance.pixel_format, fresh.pixel_format
    if fmt is None or other is None or fmt.frames != other.frames:
        return False
    for number in range(fmt.frames):
        before, after = frame_pixels(instance, number, source), frame_pixels(fresh, number, held)
        if before.values.shape != after.values.shape or not np.array_equal(before.values, after.values):
            return False
    return True
