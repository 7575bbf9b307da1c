"""Layers to one picture: sample (cached while only the window moves), VOI, overlays. Pure apart from its cache."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import PlaneGeometry, VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.viewer.fusion import blended, difference_grey, over_values
from app.viewer.labels import sample_labels, with_labels
from app.viewer.layers import FusionLayer, HeatmapLayer, ImageLayer, LabelLayer, Layer, MaskLayer, OverMode
from app.viewer.luts import lut
from app.viewer.pyramid import PreparedImage, prepared
from app.viewer.slice_sampler import (
    Sampled,
    mpr_geometry,
    plane_image,
    sample_film_grid,
    sample_grid,
    sample_heatmap,
    sample_image,
    sample_volume,
    visible_part,
)
from app.viewer.view_state import ImageGeometry, Plane, ResolvedView, Size, ViewState, resolve
from app.viewer.voi_lut import Voi, auto_window, to_grey, voi_of_frame


@dataclass(frozen=True, eq=False)
class Picture:
    """What is painted. ``pixels``: (h, w) uint8 grey, or (h, w, 4) uint8 in B, G, R, 255 order (QImage Format_RGB32)."""

    pixels: npt.NDArray[np.uint8]
    resolved: ResolvedView
    window: VoiWindow | None
    """The window in use; None when a VOI LUT or colour is shown."""
    exact: bool
    """Stored values without interpolation."""
    draft: bool = False

    def rgba(self) -> npt.NDArray[np.uint8]:
        """(h, w, 4) in R, G, B, A order, whatever ``pixels`` is."""
        code = cv2.COLOR_GRAY2RGBA if self.pixels.ndim == 2 else cv2.COLOR_BGRA2RGBA
        return np.asarray(cv2.cvtColor(self.pixels, code), dtype=np.uint8)


@dataclass
class SampleCache:
    """The last samples of one pane, so that dragging the window or the opacity does not sample again."""

    entries: dict[str, tuple[tuple[Any, ...], Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, slot: str, key: tuple[Any, ...], make: Any) -> Any:
        """``make()`` unless the slot still holds ``key``; the objects in the key are compared by ``==``."""
        with self.lock:
            kept = self.entries.get(slot)
        if kept is not None and kept[0] == key:
            return kept[1]
        value = make()
        with self.lock:
            self.entries[slot] = (key, value)
        return value

    def forget_other_than(self, slots: set[str]) -> None:
        with self.lock:
            for slot in [s for s in self.entries if s not in slots]:
                del self.entries[slot]


def geometry_of(layer: ImageLayer, view: ViewState) -> ImageGeometry:
    """The flat image that the pane shows. A volume under a STACK view is cut axially by its own slices."""
    if layer.geometry is not None:
        return layer.geometry
    if layer.volume is None:
        raise ValueError("an image layer holds either a frame or a volume")
    if view.plane is Plane.STACK:
        k = min(max(view.frame_index, 0), layer.volume.geometry.shape[0] - 1)
        return ImageGeometry.of_plane(layer.volume.geometry.plane(k), interpolated=layer.volume.interpolated)
    geometry = mpr_geometry(layer.volume.geometry, view)
    return replace(geometry, interpolated_plane=True) if layer.volume.interpolated else geometry


def _where(view: ViewState) -> tuple[Any, ...]:
    """The part of a view that moves samples; inversion does not."""
    return (
        view.plane, view.frame_index, view.point_mm, view.zoom, view.pan, view.rotation_deg, view.flip_h, view.flip_v,
        view.slab_mm, view.slab_mode, view.oblique_row, view.oblique_column, view.anchor, view.fit_extent_mm,
        view.volume_preset, view.crop, view.fit_box,
    )  # fmt: skip


def _flat_image(layer: ImageLayer, view: ViewState, cache: SampleCache) -> PreparedImage | None:
    """The plane as a prepared image, None when it has to be resliced."""
    if layer.frame is not None:
        return prepared(layer.frame)
    volume = layer.volume
    if volume is None:
        return None
    if view.plane is Plane.STACK:
        k = min(max(view.frame_index, 0), volume.geometry.shape[0] - 1)
        return cache.get("plane", (volume, k), lambda: PreparedImage(volume.voxels[k]))  # type: ignore[no-any-return]
    plane = (volume, view.plane, view.point_mm, view.oblique_row, view.oblique_column, view.slab_mm, view.slab_mode)

    def cut() -> PreparedImage | None:
        values = plane_image(volume, view)
        return None if values is None else PreparedImage(values)

    return cache.get("plane", plane, cut)  # type: ignore[no-any-return]


def _sample(layer: ImageLayer, resolved: ResolvedView, draft: bool, cache: SampleCache) -> Sampled:
    def make() -> Sampled:
        if resolved.view.plane is Plane.RENDERED and layer.volume is not None:
            return _rendered(layer, layer.volume, resolved, draft)
        flat = _flat_image(layer, resolved.view, cache)
        if flat is not None:
            return sample_image(flat, resolved)
        if layer.volume is None:
            raise ValueError("an image layer holds either a frame or a volume")
        return sample_volume(layer.volume, resolved, draft)

    source: Any = layer.frame if layer.frame is not None else layer.volume
    if resolved.view.plane is Plane.RENDERED:
        from app.viewer.volume_render import is_coarse

        source = (layer.volume, layer.appearance.window, layer.volume is not None and is_coarse(layer.volume))
    off_grid = layer.frame is None and resolved.view.plane is not Plane.STACK
    key = (source, _where(resolved.view), resolved.size, resolved.geometry, draft and off_grid)
    return cache.get("image", key, make)  # type: ignore[no-any-return]


def _rendered(layer: ImageLayer, volume: Volume, resolved: ResolvedView, draft: bool) -> Sampled:
    from app.viewer.volume_presets import volume_preset
    from app.viewer.volume_render import render_volume

    view, level = resolved.view, voi_of(layer)
    preset = volume_preset(view.volume_preset, volume.unit)
    window = level if isinstance(level, VoiWindow) else auto_window(volume.voxels[volume.voxels.shape[0] // 2])
    return Sampled(render_volume(volume, resolved, preset, window, view.crop, draft), None)


def voi_of(layer: ImageLayer, cache: SampleCache | None = None) -> Voi:
    """The VOI in use: the reader's window, else what the object offers, else percentiles (kept in ``cache``)."""
    if layer.appearance.window is not None:
        return layer.appearance.window
    if layer.frame is not None:
        frame = layer.frame
        return cache.get("voi", (frame,), lambda: voi_of_frame(frame)) if cache else voi_of_frame(frame)
    volume = layer.volume
    if volume is None:
        raise ValueError("an image layer holds either a frame or a volume")
    middle = volume.voxels[volume.voxels.shape[0] // 2]
    return cache.get("voi", (volume,), lambda: auto_window(middle)) if cache else auto_window(middle)


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


def _blend_by_table(
    grey: npt.NDArray[np.uint8], level: npt.NDArray[np.uint8], table: npt.NDArray[np.int32]
) -> npt.NDArray[np.uint8]:
    pair = np.asarray(cv2.merge([grey, level])).view(np.uint16)[..., 0]
    words = np.asarray(cv2.LUT(pair, table))
    return words.reshape(grey.shape).view(np.uint8).reshape(*grey.shape, 4)


def _blend_colour(
    base: npt.NDArray[np.uint8], rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """``rgb`` (h, w, 3) over BGRX ``base``; only where alpha is above 0."""
    out = base.copy()
    where = alpha > 0
    if where.any():
        a = alpha[where][:, None]
        mixed = base[where][:, :3] * (1.0 - a) + rgb[where][:, ::-1] * a
        out[where, :3] = np.floor(mixed + 0.5).astype(np.uint8)
    return out


def heat_levels(layer: HeatmapLayer, uid: str, resolved: ResolvedView, draft: bool) -> npt.NDArray[np.uint8] | None:
    """(h, w) absolute probability in 255ths; at half the resolution while moving. None when it belongs elsewhere."""
    target = resolved
    w, h = resolved.size
    if draft:
        half = (-(-w // 2), -(-h // 2))
        scale = np.diag([0.5, 0.5])
        forward = scale @ resolved.pane_from_px
        backward = resolved.px_from_pane.copy()
        backward[:, :2] *= 2.0
        target = ResolvedView(resolved.view, half, resolved.geometry, forward, backward)
    values = sample_heatmap(layer.heatmap, uid, target)
    if values is None:
        return None
    level = np.empty(values.shape, dtype=np.uint8)
    cv2.addWeighted(values, 255.0, values, 0.0, 0.0, level, dtype=cv2.CV_8U)
    if draft:
        level = np.asarray(cv2.resize(level, (target.size[0] * 2, target.size[1] * 2), interpolation=cv2.INTER_NEAREST))[
            :h, :w
        ]
    return np.ascontiguousarray(level)


def _with_heatmap(pixels: npt.NDArray[np.uint8], layer: HeatmapLayer, level: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    look = layer.appearance
    first = max(1, round(look.threshold * 255.0))
    if pixels.ndim == 2:
        return _blend_by_table(pixels, level, _overlay_table(look.lut, look.opacity, first))
    return _blend_colour(pixels, lut(look.lut)[level], np.where(level >= first, look.opacity, 0.0).astype(np.float32))


def _misses(grid: VolumeGeometry, plane: PlaneGeometry) -> bool:
    """Whether the plane passes wholly beside a grid: of a hundred organs a slice meets a few."""
    k, j, i = grid.shape
    ends = [(a, b, c) for a in (-1.0, float(k)) for b in (-1.0, float(j)) for c in (-1.0, float(i))]
    distances = [plane.to_index(grid.to_patient(end))[2] for end in ends]
    return min(distances) > 0 or max(distances) < 0


def _mask_cover(layer: MaskLayer, uid: str, resolved: ResolvedView) -> npt.NDArray[np.bool_] | None:
    mask = layer.mask
    if mask.geometry is None:
        if mask.sop_instance_uid and mask.sop_instance_uid != uid:
            return None
        return sample_film_grid(mask, mask.values, resolved) >= 0.5
    plane = resolved.geometry.plane
    if plane is None:
        return None
    theirs, ours = mask.geometry.frame_of_reference_uid, plane.frame_of_reference_uid
    if theirs and ours and theirs != ours:
        return None
    if _misses(mask.geometry, plane):
        return None
    return sample_grid(mask, mask.values, mask.geometry, resolved) >= 0.5


def _with_mask(pixels: npt.NDArray[np.uint8], layer: MaskLayer, cover: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
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


def _draw_image(layer: ImageLayer, sampled: Sampled, voi: Voi, invert: bool) -> npt.NDArray[np.uint8]:
    inverse = layer.frame.inverse if layer.frame is not None else False
    if sampled.values.ndim == 3:
        rgb = np.asarray(sampled.values, dtype=np.uint8)
        pixels = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA), dtype=np.uint8)
        if invert:
            pixels[..., :3] = 255 - pixels[..., :3]
    else:
        pixels = to_grey(sampled.values, voi, inverse != invert)
        colours = layer.palette
        if colours is None and layer.appearance.lut != "grey":
            colours = lut(layer.appearance.lut)
        if colours is not None:
            table = np.ascontiguousarray(colours[:, ::-1])
            bgr = cv2.LUT(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), table[None])
            pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA), dtype=np.uint8)
    if sampled.outside is not None:
        pixels[sampled.outside] = 0 if pixels.ndim == 2 else (0, 0, 0, 255)
    return pixels


def _is_colour(layer: ImageLayer) -> bool:
    return layer.frame is not None and layer.frame.is_colour


def render(
    view: ViewState,
    layers: Sequence[Layer],
    size: Size,
    cache: SampleCache | None = None,
    draft: bool = False,
) -> Picture:
    """One pane's picture of ``size``. The first layer is the image; heatmaps and masks follow in drawing order.

    ``draft`` while something moves: overlays and oblique planes at half resolution; at rest ask again without it.
    Raises ``ValueError`` when there is no image layer.
    """
    if not layers or not isinstance(layers[0], ImageLayer):
        raise ValueError("the first layer must be an ImageLayer")
    base = layers[0]
    cache = cache or SampleCache()
    whole = resolve(view, size, geometry_of(base, view))
    voi: Voi = VoiWindow(127.5, 256.0) if _is_colour(base) else voi_of(base, cache)
    shown = voi if isinstance(voi, VoiWindow) and not _is_colour(base) else None
    part = visible_part(whole) if view.plane is not Plane.RENDERED else (whole, (0, 0))
    if part is None:
        return Picture(np.zeros((size[1], size[0]), dtype=np.uint8), whole, shown, False, draft)
    resolved, offset = part
    sampled = _sample(base, resolved, draft, cache)
    pixels = _draw_image(base, sampled, voi, view.invert)
    slots = {"image", "plane", "voi"}
    uid, where = base.sop_instance_uid, (_where(view), size, whole.geometry)
    for number, layer in enumerate(layers[1:]):
        if isinstance(layer, ImageLayer):
            raise ValueError("only the first layer may be an ImageLayer")
        if not layer.appearance.visible:
            continue
        slot = f"overlay{number}"
        slots.add(slot)
        if isinstance(layer, FusionLayer):
            over = layer
            values, there = cache.get(
                slot, (over.volume, over.geometry, where), lambda over=over: over_values(over, resolved)
            )
            if over.mode is OverMode.BLEND:
                pixels = blended(pixels, values, there, over)
            elif over.mode is OverMode.DIFFERENCE:
                pixels = difference_grey(np.asarray(sampled.values), values, there, over.appearance.window)
            else:
                pixels = to_grey(values, voi, view.invert)
                pixels[~there] = 0
            continue
        if isinstance(layer, HeatmapLayer):
            heat = layer
            level = cache.get(
                slot, (heat.heatmap, uid, where, draft), lambda heat=heat: heat_levels(heat, uid, resolved, draft)
            )
            if level is not None:
                pixels = _with_heatmap(pixels, layer, level)
        elif isinstance(layer, LabelLayer):
            many = layer
            key = (many.grid, many.grid.complete, where)
            numbers = cache.get(slot, key, lambda many=many: sample_labels(many.grid, resolved))
            if numbers is not None:
                pixels = with_labels(pixels, layer, numbers)
        else:
            shape = layer
            cover = cache.get(slot, (shape.mask, uid, where), lambda shape=shape: _mask_cover(shape, uid, resolved))
            if cover is not None:
                pixels = _with_mask(pixels, layer, cover)
    cache.forget_other_than(slots)
    pixels = _on_black(pixels, offset, size)
    if view.shutter is not None:
        pixels = _shuttered(pixels, whole, view.shutter)
    return Picture(pixels, whole, shown, sampled.exact and not whole.interpolated, draft)


def _shuttered(
    pixels: npt.NDArray[np.uint8], resolved: ResolvedView, box: tuple[float, float, float, float]
) -> npt.NDArray[np.uint8]:
    """Black outside the box (image px), in a copy: the samples stay whole in the cache."""
    corners = [(box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3])]
    ring = np.array([resolved.px_to_pane(*c) for c in corners])
    open_ = np.zeros(pixels.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(open_, np.round(ring * 16 - 8).astype(np.int32), 1, shift=4)
    out = pixels.copy()
    out[open_ == 0] = 0 if out.ndim == 2 else (0, 0, 0, 255)
    return out


def _on_black(pixels: npt.NDArray[np.uint8], offset: tuple[int, int], size: Size) -> npt.NDArray[np.uint8]:
    h, w = pixels.shape[:2]
    if (w, h) == size:
        return pixels
    x, y = offset
    if pixels.ndim == 2:
        out = np.zeros((size[1], size[0]), dtype=np.uint8)
        out[y : y + h, x : x + w] = pixels
        return out
    words = np.full((size[1], size[0]), 0xFF000000, dtype=np.uint32)
    words[y : y + h, x : x + w] = np.ascontiguousarray(pixels).view(np.uint32)[..., 0]
    return words.view(np.uint8).reshape(size[1], size[0], 4)
