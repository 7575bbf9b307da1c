"""Heatmaps and masks over a picture: what they hold on the pane, and their colours over grey or colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.finding import SegmentMask
from app.domain.geometry import PlaneGeometry, VolumeGeometry
from app.domain.saved_overlay import Fraction
from app.viewer.layers import FractionLayer, HeatmapLayer, MaskLayer
from app.viewer.luts import lut
from app.viewer.picture_buffers import words
from app.viewer.slice_sampler import sample_film_grid, sample_grid, sample_heatmap
from app.viewer.view_state import ResolvedView

U8 = npt.NDArray[np.uint8]


@lru_cache(maxsize=24)
def _overlay_table(name: str, opacity: float, first_level: int) -> npt.NDArray[np.int32]:
    """65536 BGRX words indexed by (heat level << 8 | grey), blended in double precision."""
    colour = lut(name).astype(np.float64)
    grey = np.arange(256, dtype=np.float64)
    levels = np.arange(256)
    alpha = np.where((levels >= first_level) & (levels > 0), opacity, 0.0)
    out = np.empty((256, 256, 4), dtype=np.uint8)
    for channel, source in enumerate((2, 1, 0)):
        blended = grey[None, :] * (1.0 - alpha)[:, None] + (colour[:, source] * alpha)[:, None]
        out[..., channel] = np.floor(blended + 0.5)
    out[..., 3] = 255
    return out.reshape(-1).view(np.int32)


@dataclass(frozen=True, eq=False)
class HeatLevels:
    """Absolute probability on the pane in 255ths: (h, w), or half of both, rounded up, while something moves."""

    values: U8
    halved: bool = False

    def whole(self, height: int, width: int) -> U8:
        """(height, width)."""
        if not self.halved:
            return self.values
        twice = cv2.resize(self.values, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        return np.asarray(twice, dtype=np.uint8)[:height, :width]


def _pairs(grey: U8, heat: HeatLevels, first: int, last: int) -> npt.NDArray[np.uint16]:
    """(level << 8 | grey) of the rows from ``first`` (even) to ``last``."""
    if not heat.halved:
        return np.asarray(cv2.merge([grey[first:last], heat.values[first:last]])).view(np.uint16)[..., 0]
    half = heat.values[first // 2 : -(-last // 2)]
    wide = np.asarray(cv2.merge([half, half])).reshape(half.shape[0], -1)[:, : grey.shape[1]]
    out = np.empty((last - first, grey.shape[1], 2), dtype=np.uint8)
    for n in (0, 1):
        rows = grey[first + n : last : 2]
        cv2.merge([rows, wide[: rows.shape[0]]], dst=out[n::2])
    return out.view(np.uint16)[..., 0]


def _blend_by_table(grey: U8, heat: HeatLevels, first_level: int, table: npt.NDArray[np.int32], out: U8) -> U8:
    """``grey`` (h, w) with the heat over it into ``out`` (h, w, 4), which may be a part of a larger picture."""
    hot = np.flatnonzero(heat.values.max(axis=1) >= first_level)
    each = 2 if heat.halved else 1
    first = int(hot[0]) * each & ~1 if hot.size else 0
    last = min((int(hot[-1]) + 1) * each, grey.shape[0]) if hot.size else 0
    if last > first:
        cv2.LUT(_pairs(grey, heat, first, last), table, dst=words(out)[first:last])
    for cold in (slice(0, first), slice(last, None)):
        if out[cold].size:
            cv2.cvtColor(grey[cold], cv2.COLOR_GRAY2BGRA, dst=out[cold])
    return out


def _blend_colour(base: U8, rgb: U8, alpha: npt.NDArray[np.float32]) -> U8:
    """``rgb`` (h, w, 3) over BGRX ``base``; only where alpha is above 0."""
    out = base.copy()
    where = alpha > 0
    if where.any():
        a = alpha[where][:, None]
        mixed = base[where][:, :3] * (1.0 - a) + rgb[where][:, ::-1] * a
        out[where, :3] = np.floor(mixed + 0.5).astype(np.uint8)
    return out


def heat_levels(layer: HeatmapLayer, uid: str, resolved: ResolvedView, draft: bool) -> HeatLevels | None:
    """The heat on the pane, at half the resolution while moving. None when it belongs elsewhere."""
    target = resolved
    w, h = resolved.size
    if draft:
        half = (-(-w // 2), -(-h // 2))
        forward = np.diag([0.5, 0.5]) @ resolved.pane_from_px
        backward = resolved.px_from_pane.copy()
        backward[:, :2] *= 2.0
        target = ResolvedView(resolved.view, half, resolved.geometry, forward, backward)
    values = sample_heatmap(layer.heatmap, uid, target, quick=draft)
    if values is None:
        return None
    level = np.empty(values.shape, dtype=np.uint8)
    cv2.addWeighted(values, 255.0, values, 0.0, 0.0, level, dtype=cv2.CV_8U)
    return HeatLevels(level, draft)


def with_heatmap(pixels: U8, layer: HeatmapLayer, heat: HeatLevels, out: U8) -> U8:
    """``pixels`` (h, w) grey or (h, w, 4) with the heat over it; a grey one is painted into ``out``."""
    look = layer.appearance
    first = max(1, round(look.threshold * 255.0))
    if pixels.ndim == 2:
        return _blend_by_table(pixels, heat, first, _overlay_table(look.lut, look.opacity, first), out)
    level = heat.whole(*pixels.shape[:2])
    return _blend_colour(pixels, lut(look.lut)[level], np.where(level >= first, look.opacity, 0.0).astype(np.float32))


def _misses(grid: VolumeGeometry, plane: PlaneGeometry) -> bool:
    """Whether the plane passes wholly beside a grid: of a hundred organs a slice meets a few."""
    k, j, i = grid.shape
    ends = [(a, b, c) for a in (-1.0, float(k)) for b in (-1.0, float(j)) for c in (-1.0, float(i))]
    distances = [plane.to_index(grid.to_patient(end))[2] for end in ends]
    return min(distances) > 0 or max(distances) < 0


def _on_pane(mask: SegmentMask | Fraction, uid: str, resolved: ResolvedView) -> npt.NDArray[np.float32] | None:
    """(h, w) 0..1 of what covers an image or lies in its frame of reference; None when it belongs elsewhere."""
    if mask.geometry is None:
        if mask.sop_instance_uid and mask.sop_instance_uid != uid:
            return None
        return sample_film_grid(mask, mask.values, resolved)
    plane = resolved.geometry.plane
    if plane is None:
        return None
    theirs, ours = mask.geometry.frame_of_reference_uid, plane.frame_of_reference_uid
    if theirs and ours and theirs != ours:
        return None
    if _misses(mask.geometry, plane):
        return None
    return sample_grid(mask, mask.values, mask.geometry, resolved)


def mask_cover(layer: MaskLayer, uid: str, resolved: ResolvedView) -> npt.NDArray[np.bool_] | None:
    values = _on_pane(layer.mask, uid, resolved)
    return None if values is None else values >= 0.5


def fraction_cover(layer: FractionLayer, uid: str, resolved: ResolvedView) -> npt.NDArray[np.float32] | None:
    return _on_pane(layer.fraction, uid, resolved)


def with_fraction(pixels: U8, layer: FractionLayer, values: npt.NDArray[np.float32]) -> U8:
    """The segment's colour over ``pixels``, as opaque as the fraction says."""
    base = pixels if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA), dtype=np.uint8)
    alpha = (np.clip(values, 0.0, 1.0) * layer.appearance.opacity).astype(np.float32)
    return _blend_colour(base, np.broadcast_to(np.asarray(layer.rgb, dtype=np.uint8), (*alpha.shape, 3)), alpha)


def with_mask(pixels: U8, layer: MaskLayer, cover: npt.NDArray[np.bool_]) -> U8:
    base = pixels if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA), dtype=np.uint8)
    rows = np.flatnonzero(cover.any(axis=1))
    if not rows.size:
        return base
    columns = np.flatnonzero(cover[rows[0] : rows[-1] + 1].any(axis=0))
    # Only where the mask lies, with room for the erosion: a hundred small organs cost little more than a large one.
    edge = layer.outline_px + 1
    box = (
        slice(max(0, int(rows[0]) - edge), int(rows[-1]) + 1 + edge),
        slice(max(0, int(columns[0]) - edge), int(columns[-1]) + 1 + edge),
    )
    part = cover[box]
    alpha = np.where(part, layer.appearance.opacity, 0.0).astype(np.float32)
    if layer.outline_px > 0:
        kernel = np.ones((2 * layer.outline_px + 1,) * 2, dtype=np.uint8)
        inner = cv2.erode(part.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
        alpha[part & (inner == 0)] = 1.0
    rgb = np.broadcast_to(np.asarray(layer.rgb, dtype=np.uint8), (*part.shape, 3))
    out = base.copy()
    out[box] = _blend_colour(np.ascontiguousarray(base[box]), rgb, alpha)
    return out
