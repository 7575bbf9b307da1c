"""imagecodecs: the fast decoders; they release the GIL, so threads scale.

Several of them fill what is missing of a cut stream in silence: callers check the end markers first, and what
``htj2k`` only prints is caught here.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from app.dicom.codecs.stream_info import StreamInfo, broken
from app.domain.pixels import PixelFormat

Array = npt.NDArray[np.generic]

_JCS_GRAYSCALE, _JCS_RGB, _JCS_CMYK = 1, 2, 4


def jpegls(stream: bytes) -> Array:
    try:
        return _array(imagecodecs.jpegls_decode(stream))
    except Exception as error:  # each codec of the library has its own error class
        raise broken("JPEG-LS") from error


def jpeg(stream: bytes, info: StreamInfo) -> Array:
    """Processes 1 to 14, 8 to 16 bits, without any colour conversion."""
    # The same space on both sides: the decoder must hand out what the stream holds.
    space = {1: _JCS_GRAYSCALE, 3: _JCS_RGB, 4: _JCS_CMYK}.get(info.components)
    try:
        return _array(imagecodecs.jpeg8_decode(stream, colorspace=space, outcolorspace=space))
    except Exception as error:  # each codec of the library has its own error class
        raise broken("JPEG") from error


def jpeg2000(stream: bytes) -> Array:
    """OpenJPEG; opens HTJ2K too, at half the speed of :func:`htj2k` but with values clipped to their range."""
    try:
        return _array(imagecodecs.jpeg2k_decode(stream, verbose=0))
    except Exception as error:  # each codec of the library has its own error class
        raise broken("JPEG 2000") from error


def jpegxl(stream: bytes) -> Array:
    try:
        return _array(imagecodecs.jpegxl_decode(stream))
    except Exception as error:  # each codec of the library has its own error class
        raise broken("JPEG XL") from error


def rle(stream: bytes, fmt: PixelFormat) -> Array:
    """PackBits segments, most significant byte first (PS3.5 G), to (rows, columns[, samples])."""
    dtype = np.dtype(f"<u{max(fmt.bits_allocated // 8, 1)}")
    try:
        flat = np.frombuffer(imagecodecs.dicomrle_decode(stream, dtype=dtype), dtype)
    except Exception as error:  # each codec of the library has its own error class
        raise broken("RLE") from error
    count = fmt.rows * fmt.columns * fmt.samples_per_pixel
    if flat.size < count:
        raise broken("RLE ends early")
    planes = flat.ravel()[:count]
    if fmt.samples_per_pixel == 1:
        return planes.reshape(fmt.rows, fmt.columns)
    return np.ascontiguousarray(planes.reshape(fmt.samples_per_pixel, fmt.rows, fmt.columns).transpose(1, 2, 0))


_caught = threading.local()
_hook_lock = threading.Lock()
_previous_hook: Any = None


def _hook(unraisable: Any) -> None:
    errors = getattr(_caught, "errors", None)
    if errors is not None:
        errors.append(str(unraisable.exc_value))
    elif _previous_hook is not None:
        _previous_hook(unraisable)


def _watch_unraisable() -> None:
    global _previous_hook
    with _hook_lock:
        if sys.unraisablehook is not _hook:
            _previous_hook = sys.unraisablehook
            sys.unraisablehook = _hook


def htj2k(stream: bytes, out: Array | None = None) -> Array:
    """OpenJPH, for reversible streams only: it lets irreversible values wrap around instead of clipping them.

    It swallows its own errors as unraisable exceptions of this thread: they are errors here. ``out`` takes the values; a
    stream of another shape or type is refused.
    """
    _watch_unraisable()
    _caught.errors = []
    try:
        values = _array(imagecodecs.htj2k_decode(stream, out=out))
    except Exception as error:  # each codec of the library has its own error class
        raise broken("HTJ2K") from error
    finally:
        errors, _caught.errors = _caught.errors, None
    if errors:
        raise broken("HTJ2K")
    return values


def _array(found: Any) -> Array:
    return np.asarray(found)
