"""Modality values to grey levels, exactly as PS3.3 C.11.2 says; generic "levels" of plotting libraries are not this.

``grey_of`` is the formula in double precision and the judge of everything else. Integer values go through a table made
by it, so they are equal to it for every stored value; interpolated float32 values go through one OpenCV pass that
lies within ``FLOAT_TOLERANCE`` grey levels of the formula before rounding.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.pixels import FramePixels, Lut, VoiFunction, VoiWindow

Grey = npt.NDArray[np.uint8]
FLOAT_TOLERANCE = 2e-4
"""Grey levels (of 255) that the float32 pass may lie off the formula before both are rounded."""
_ONE_PASS_LIMIT = 1500.0
_CURVE_STEPS = 65535


def unit_of(values: npt.NDArray[np.generic], window: VoiWindow) -> npt.NDArray[np.float64]:
    """y in 0..1 of PS3.3 C.11.2.1.2.1 (LINEAR), .3.2 (LINEAR_EXACT) or .3.1 (SIGMOID)."""
    x = np.asarray(values, dtype=np.float64)
    c, w = window.center, window.width
    if window.function is VoiFunction.SIGMOID:
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - c) / w, -700.0, 700.0))))
    if window.function is VoiFunction.LINEAR_EXACT:
        return np.asarray(np.clip((x - c) / w + 0.5, 0.0, 1.0))
    if w == 1:  # the standard's first two conditions meet: a step at c - 0.5, no slope to divide by
        return np.asarray(np.where(x <= c - 0.5, 0.0, 1.0))
    return np.asarray(np.clip((x - (c - 0.5)) / (w - 1.0) + 0.5, 0.0, 1.0))


def grey_of(values: npt.NDArray[np.generic], window: VoiWindow, invert: bool = False) -> Grey:
    """The formula scaled to 0..255 and rounded half up; ``invert`` is 255 minus that."""
    grey = np.floor(unit_of(values, window) * 255.0 + 0.5).astype(np.uint8)
    return np.asarray(255 - grey if invert else grey, dtype=np.uint8)


def grey_of_lut(values: npt.NDArray[np.generic], lut: Lut, invert: bool = False) -> Grey:
    """A VOI LUT Sequence item (PS3.3 C.11.2.1.1): clipped to its ends, scaled from ``bits`` to 0..255.

    Interpolated values are rounded to the nearest entry.
    """
    index = np.floor(np.asarray(values, dtype=np.float64) + 0.5) - lut.first_mapped
    entry = lut.table[np.clip(index, 0, len(lut.table) - 1).astype(np.int64)].astype(np.float64)
    grey = np.floor(np.clip(entry / (2.0**lut.bits - 1.0), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return np.asarray(255 - grey if invert else grey, dtype=np.uint8)


Voi = VoiWindow | Lut


def _exact(values: npt.NDArray[np.generic], voi: Voi, invert: bool) -> Grey:
    return grey_of_lut(values, voi, invert) if isinstance(voi, Lut) else grey_of(values, voi, invert)


@lru_cache(maxsize=64)
def _window_table(dtype: str, window: VoiWindow, invert: bool) -> Grey:
    info = np.iinfo(np.dtype(dtype))
    every = np.arange(info.min, info.max + 1, dtype=np.int64)
    # Indexed by the unsigned reinterpretation of the stored bits.
    return np.roll(grey_of(every, window, invert), info.min)


def _of_integers(values: npt.NDArray[np.generic], voi: Voi, invert: bool) -> Grey:
    if values.dtype.itemsize > 2 or isinstance(voi, Lut):
        return _exact(values, voi, invert)
    table = _window_table(values.dtype.str, voi, invert)
    unsigned = np.ascontiguousarray(values).view(np.uint16 if values.dtype.itemsize == 2 else np.uint8)
    return np.asarray(cv2.LUT(unsigned, table), dtype=np.uint8).reshape(values.shape)


def _table_pass(values: npt.NDArray[np.float32], low: float, step: float, table: Grey) -> Grey:
    """``table[round((v - low) / step)]``, ends clamped."""
    index = np.empty(values.shape, dtype=np.uint16)
    cv2.addWeighted(values, 1.0 / step, values, 0.0, -low / step, index, dtype=cv2.CV_16U)
    return np.asarray(cv2.LUT(index, table), dtype=np.uint8).reshape(values.shape)


def _of_floats(values: npt.NDArray[np.float32], voi: Voi, invert: bool) -> Grey:
    if isinstance(voi, Lut):
        table = grey_of_lut(np.arange(65536) + voi.first_mapped, voi, invert)
        return _table_pass(values, float(voi.first_mapped), 1.0, table)
    if voi.function is VoiFunction.SIGMOID:
        # Beyond 1.7 widths every value is 0 or 255; the step keeps the curve within 0.01 grey levels.
        low, step = voi.center - 1.7 * voi.width, 3.4 * voi.width / _CURVE_STEPS
        return _table_pass(values, low, step, grey_of(low + step * np.arange(65536), voi, invert))
    if voi.function is VoiFunction.LINEAR and voi.width == 1:
        return np.where(values <= voi.center - 0.5, 0, 255).astype(np.uint8) ^ np.uint8(255 if invert else 0)
    if voi.function is VoiFunction.LINEAR:
        scale = 255.0 / (voi.width - 1.0)
        low = voi.center - 0.5 - (voi.width - 1.0) / 2.0
    else:
        scale = 255.0 / voi.width
        low = voi.center - voi.width / 2.0
    base = 255.0 if invert else 0.0
    sign = -1.0 if invert else 1.0
    out = np.empty(values.shape, dtype=np.uint8)
    if abs(low) * scale < _ONE_PASS_LIMIT:
        cv2.addWeighted(values, sign * scale, values, 0.0, base - sign * low * scale, out, dtype=cv2.CV_8U)
    else:  # a narrow window far from zero: subtract first, or float32 loses whole grey levels
        centre = voi.center
        shifted = cv2.subtract(values, (centre,))
        cv2.addWeighted(shifted, sign * scale, shifted, 0.0, base - sign * (low - centre) * scale, out, dtype=cv2.CV_8U)
    return out


def to_grey(values: npt.NDArray[np.generic], voi: Voi, invert: bool = False) -> Grey:
    """Any array of modality values to 0..255. ``invert``: MONOCHROME1 or the reader's inversion (not both)."""
    if values.size == 0:
        return np.zeros(values.shape, dtype=np.uint8)
    if values.dtype == np.float32 and values.ndim == 2:
        return _of_floats(np.asarray(values, dtype=np.float32), voi, invert)
    if values.dtype.kind in "iu":
        return _of_integers(values, voi, invert)
    return _exact(values, voi, invert)


def auto_window(
    values: npt.NDArray[np.generic],
    padding: npt.NDArray[np.bool_] | None = None,
    low_percent: float = 0.5,
    high_percent: float = 99.5,
) -> VoiWindow:
    """A LINEAR_EXACT window from percentiles of the pixels that are image, for objects that offer none (MR, US, film).

    Large images are read every n-th row and column: at most about 2^18 values.
    """
    stride = max(1, int(np.sqrt(values.size / 2**18)))
    sample = values[(slice(None, None, stride),) * values.ndim]
    if padding is not None and padding.shape == values.shape:
        kept = sample[~padding[(slice(None, None, stride),) * values.ndim]]
        sample = kept if kept.size else sample
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    if finite.size == 0:
        return VoiWindow(0.5, 1.0, VoiFunction.LINEAR_EXACT, "auto")
    low, high = (float(v) for v in np.percentile(finite, (low_percent, high_percent)))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    return VoiWindow((low + high) / 2.0, max(high - low, 1e-6), VoiFunction.LINEAR_EXACT, "auto")


def voi_of_frame(frame: FramePixels) -> Voi:
    """What the object itself asks for: VOI LUT, first window, or percentiles (PS3.3 C.11.2 lets the reader choose)."""
    if frame.windows:
        return frame.windows[0]
    if frame.voi_lut is not None:
        return frame.voi_lut
    return auto_window(frame.values, frame.padding)


def window_equivalent(voi: Voi) -> VoiWindow:
    """A window to start dragging from: the window itself, or the span of a VOI LUT."""
    if isinstance(voi, VoiWindow):
        return voi
    n = len(voi.table)
    return VoiWindow(voi.first_mapped + n / 2.0, float(max(n, 1)), VoiFunction.LINEAR_EXACT, voi.explanation)
