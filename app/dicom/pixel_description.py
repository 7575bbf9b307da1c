"""How the pixels are laid out, as the header says and as the file can hold: repaired by name or refused."""

from __future__ import annotations

from dataclasses import replace

from app.dicom import tags
from app.dicom.frame_headers import repaired
from app.dicom.native_pixels import stored_count
from app.dicom.raw_items import RawFile
from app.dicom.transfer_syntaxes import STEREO_VIDEO, is_native, name_of, syntax_of
from app.dicom.values import code, integer, unsigned
from app.domain.pixels import PixelFormat
from app.domain.problem import Problem, fail

_PICTURES = (
    "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3.1 4 4.1 4.3 4.4 6.1 6.2 7 7.1 7.2 7.3 7.4 12.1 12.1.1 12.2 12.2.1 "
    "13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 14.1 14.2 20 77.1.1 77.1.2 77.1.4 77.1.5.1 77.1.6 128 130 481.1"
)
IMAGE_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in _PICTURES.split())
"""Storage classes whose objects are pictures: without pixels they are refused by name."""
MAX_FRAMES = 1_000_000
MAX_FRAME_BYTES = 4 << 30


def pixel_format_of(raw: RawFile, repairs: list[Problem]) -> PixelFormat | None:
    d = raw.dataset
    rows, columns = unsigned(d, tags.ROWS), unsigned(d, tags.COLUMNS)
    allocated = unsigned(d, tags.BITS_ALLOCATED)
    if raw.pixel is None:
        if raw.truncated:
            raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
        if rows and columns and allocated:
            raise fail("dicom.pixels_missing", kept_safe="kept.original", next_step="dicom.next.ask_again")
        if (code(d, tags.SOP_CLASS_UID) or code(d, tags.MEDIA_STORAGE_SOP_CLASS_UID)) in IMAGE_CLASSES:
            raise fail("dicom.pixels_missing", kept_safe="kept.original", next_step="dicom.next.ask_again")
        return None
    if not rows or not columns or not allocated:
        raise fail("dicom.image_description_missing", kept_safe="kept.original", next_step="dicom.next.ask_again")
    frames = integer(d, tags.NUMBER_OF_FRAMES)
    if frames is None or frames < 1:
        if frames is not None:
            repairs.append(repaired("dicom.repaired.frame_count", stated=frames, used=1))
        frames = 1
    samples = unsigned(d, tags.SAMPLES_PER_PIXEL) or 1
    photometric = code(d, tags.PHOTOMETRIC_INTERPRETATION).upper()
    if not photometric:
        photometric = "RGB" if samples == 3 else "MONOCHROME2"
        repairs.append(repaired("dicom.repaired.photometric", used=photometric))
    stored = unsigned(d, tags.BITS_STORED) or allocated
    if stored > allocated:
        repairs.append(repaired("dicom.repaired.bits_stored", stated=stored, used=allocated))
        stored = allocated
    high = unsigned(d, tags.HIGH_BIT)
    if high is None:
        high = stored - 1
    elif not stored - 1 <= high < allocated:
        repairs.append(repaired("dicom.repaired.high_bit", stated=high, used=stored - 1))
        high = stored - 1
    if frames > MAX_FRAMES or rows * columns * samples * ((allocated + 7) // 8) > MAX_FRAME_BYTES or samples > 8:
        raise fail("dicom.image_absurd", rows=rows, columns=columns, frames=frames)
    return PixelFormat(
        rows,
        columns,
        frames,
        samples,
        photometric,
        allocated,
        stored,
        high,
        unsigned(d, tags.PIXEL_REPRESENTATION) == 1,
        unsigned(d, tags.PLANAR_CONFIGURATION) or 0,
        tags.PIXEL_KEYWORDS[raw.pixel.tag],
    )


def stored_bits_per_frame(fmt: PixelFormat) -> int:
    """Bits of one native frame in the file."""
    return stored_count(fmt) * fmt.bits_allocated


def checked_length(raw: RawFile, fmt: PixelFormat, repairs: list[Problem]) -> PixelFormat:
    """Native pixels: the stated frames must lie in the file. Fewer whole frames than stated are shown and named."""
    pixel = raw.pixel
    assert pixel is not None
    syntax = syntax_of(raw.transfer_syntax_uid)
    if syntax is None or not syntax.codec:
        name = name_of(raw.transfer_syntax_uid)
        raise fail("dicom.transfer_syntax_unsupported", kept_safe="kept.original", name=name, uid=raw.transfer_syntax_uid)
    if raw.transfer_syntax_uid in STEREO_VIDEO:
        repairs.append(repaired("dicom.repaired.one_view"))
    if pixel.length is None:
        if fmt.frames > max(raw.size - pixel.offset, 0) // 8 + 1:
            raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
        return fmt
    if not is_native(raw.transfer_syntax_uid):
        # Fragments in an element that states a length: it must not (PS3.5 A.4), yet they are all there.
        repairs.append(repaired("dicom.repaired.structure"))
        return fmt
    if pixel.offset + pixel.length > raw.size:
        missing = pixel.offset + pixel.length - raw.size
        raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again", missing=missing)
    bits = stored_bits_per_frame(fmt)
    expected = (bits * fmt.frames + 7) // 8
    if pixel.length >= expected:
        return fmt
    whole = pixel.length * 8 // bits
    if whole < 1:
        raise fail(
            "dicom.pixels_short",
            kept_safe="kept.original",
            next_step="dicom.next.ask_again",
            expected=expected,
            found=pixel.length,
        )
    repairs.append(repaired("dicom.repaired.frame_count", stated=fmt.frames, used=whole))
    return replace(fmt, frames=whole)
