"""A second volume on the plane of the first: blended in colour, subtracted, or in its place."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import VolumeGeometry
from app.domain.pixels import VoiFunction, VoiWindow
from app.domain.volume import Volume
from app.viewer.layers import FusionLayer
from app.viewer.luts import lut
from app.viewer.no_value import marked, volume_window
from app.viewer.slice_sampler import index_from_pane, sample_grid
from app.viewer.view_state import ResolvedView
from app.viewer.voi_lut import to_grey

Grey = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.bool_]
DIFFERENCE_WINDOW = VoiWindow(0.0, 600.0, VoiFunction.LINEAR_EXACT)
"""Of a subtraction when none is set; symmetric, so that no change is middle grey."""


def over_values(layer: FusionLayer, resolved: ResolvedView) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """(values, where the second volume is) for the pane; both (height, width). Values are 0 where it is not."""
    there = covered_by(layer, resolved, 0.5)
    if not there.any():
        return np.zeros(there.shape, dtype=np.float32), there
    there &= has_values(layer.volume, resolved, layer.geometry)
    return sample_grid(layer.volume, layer.volume.voxels, layer.geometry, resolved), there


def has_values(volume: Volume | None, resolved: ResolvedView, geometry: VolumeGeometry | None = None) -> Bits:
    """(height, width) or a single truth: False where a sample has a share in a voxel without a value."""
    if volume is None or volume.no_value is None:
        return np.ones((1, 1), dtype=np.bool_)
    return ~marked(volume.no_value, index_from_pane(resolved, geometry or volume.geometry), resolved.size)


def covered_by(layer: FusionLayer, resolved: ResolvedView, rim: float) -> npt.NDArray[np.bool_]:
    """(height, width) True where the pane lies between the outer voxel centres, or up to ``rim`` voxels beyond them."""
    w, h = resolved.size
    matrix = index_from_pane(resolved, layer.geometry)
    x, y = np.arange(w) + 0.5, np.arange(h) + 0.5
    there = np.ones((h, w), dtype=np.bool_)
    for axis, count in enumerate(reversed(layer.geometry.shape)):
        at = (matrix[axis, 0] * x + matrix[axis, 3])[None, :] + (matrix[axis, 1] * y)[:, None]
        there &= (at >= -rim) & (at <= count - 1 + rim)
    return there


@lru_cache(maxsize=16)
def _table(name: str, opacity: float) -> npt.NDArray[np.int32]:
    """65536 BGRX words by (level << 8 | grey). Weak uptake is more transparent, so that the anatomy stays readable."""
    colour = lut(name).astype(np.float64)
    grey = np.arange(256, dtype=np.float64)
    alpha = opacity * np.minimum(1.0, np.arange(256) / 127.5)
    out = np.empty((256, 256, 4), dtype=np.uint8)
    for channel, source in enumerate((2, 1, 0)):
        mixed = grey[None, :] * (1.0 - alpha)[:, None] + (colour[:, source] * alpha)[:, None]
        out[..., channel] = np.floor(mixed + 0.5)
    out[..., 3] = 255
    return np.asarray(out.reshape(-1).view(np.int32))


def window_of(layer: FusionLayer) -> VoiWindow:
    """Of the second volume: what was set, else by its own values."""
    if layer.appearance.window is not None:
        return layer.appearance.window
    return volume_window(layer.volume)


def blended(pixels: Grey, values: npt.NDArray[np.float32], there: npt.NDArray[np.bool_], layer: FusionLayer) -> Grey:
    """(h, w, 4) BGRX. ``pixels`` grey; a colour base is left as it is (nothing is fused over colour)."""
    if pixels.ndim != 2:
        return pixels
    level = to_grey(values, window_of(layer), False)
    level[~there] = 0
    pair: Any = np.asarray(cv2.merge([pixels, level])).view(np.uint16)[..., 0]
    words = np.asarray(cv2.LUT(pair, _table(layer.appearance.lut, layer.appearance.opacity)))
    return words.reshape(pixels.shape).view(np.uint8).reshape(*pixels.shape, 4)


def difference_grey(
    first: npt.NDArray[Any], second: npt.NDArray[np.float32], there: npt.NDArray[np.bool_], window: VoiWindow | None
) -> Grey:
    """First less second, brighter where the first is higher; black where the second is not."""
    change = first.astype(np.float32) - second
    out = to_grey(change, window or DIFFERENCE_WINDOW, False)
    out[~there] = 0
    return out


def brought(values: npt.NDArray[np.float32], gain: tuple[float, float]) -> npt.NDArray[np.float32]:
    """The second one's values in the range of the first one's, so that one window serves both."""
    return values if gain == (1.0, 0.0) else np.asarray(values * np.float32(gain[0]) + np.float32(gain[1]))


def gain_between(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic]) -> tuple[float, float]:
    """(factor, offset) from the second volume's values to the first one's, by what lies between their quartiles and the
    brightest: robust against a few bright voxels and against more or less air around."""

    def levels(values: npt.NDArray[np.generic]) -> tuple[float, float]:
        some = np.asarray(values[::2, ::4, ::4], dtype=np.float32)
        tissue = some[some > float(some.min()) + 0.05 * float(np.ptp(some))]
        if tissue.size < 50:
            return float(some.min()), float(some.max())
        low, high = np.percentile(tissue, (25, 95))
        return float(low), float(high)

    (a, b), (c, d) = levels(first), levels(second)
    if d - c < 1e-6 or b - a < 1e-6:
        return (1.0, 0.0)
    factor = (b - a) / (d - c)
    return (factor, a - factor * c)
