"""Layers to one picture: sample (cached while only the window moves), VOI, overlays. Pure apart from its cache."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.pixels import VoiWindow
from app.viewer.film_flicker import film_grey
from app.viewer.fusion import blended, brought, covered_by, difference_grey, has_values, over_values
from app.viewer.isodose import with_isodoses
from app.viewer.labels import sample_labels, with_labels, with_labels_below
from app.viewer.layers import FilmLayer, FractionLayer, FusionLayer, HeatmapLayer, ImageLayer, LabelLayer, Layer, OverMode
from app.viewer.luts import lut
from app.viewer.no_value import volume_window
from app.viewer.overlay_paint import fraction_cover, heat_levels, mask_cover, with_fraction, with_heatmap, with_mask
from app.viewer.picture_buffers import PictureBuffers, blacken_around
from app.viewer.pyramid import PreparedImage, prepared
from app.viewer.quick_zoom import moved_to, quick_zoom
from app.viewer.slice_sampler import (
    Sampled,
    mpr_geometry,
    plane_image,
    sample_image,
    sample_volume,
    visible_part,
)
from app.viewer.view_state import ImageGeometry, Plane, ResolvedView, Size, ViewState, resolve
from app.viewer.voi_lut import Voi, to_grey, voi_of_frame

_EXACT, _MOVING = "image", "moving image"
"""Slots of the cache."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What is painted. ``pixels``: (h, w) uint8 grey, or (h, w, 4) uint8 in B, G, R, 255 order (QImage Format_RGB32)."""

    pixels: npt.NDArray[np.uint8]
    resolved: ResolvedView
    """What is seen where; of a draft up to half a pane pixel off the view that was asked for."""
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
    buffers: PictureBuffers = field(default_factory=PictureBuffers)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, slot: str, key: tuple[Any, ...]) -> bool:
        with self.lock:
            kept = self.entries.get(slot)
        return kept is not None and kept[0] == key

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


def _sample(layer: ImageLayer, resolved: ResolvedView, draft: bool, cache: SampleCache) -> tuple[Sampled, ResolvedView, str]:
    """The samples, the view that they show and the cache's slot. A draft takes the exact samples where they are at hand."""

    def make(coarse: bool) -> Sampled:
        flat = _flat_image(layer, resolved.view, cache)
        if flat is not None:
            return sample_image(flat, resolved)
        if layer.volume is None:
            raise ValueError("an image layer holds either a frame or a volume")
        return sample_volume(layer.volume, resolved, coarse)

    source: Any = layer.frame if layer.frame is not None else layer.volume
    key = (source, _where(resolved.view), resolved.size, resolved.geometry)
    if not draft or cache.holds(_EXACT, key):
        return cache.get(_EXACT, key, lambda: make(False)), resolved, _EXACT

    def quick() -> tuple[Sampled, ResolvedView]:
        flat = _flat_image(layer, resolved.view, cache)
        zoom = quick_zoom(flat, resolved) if flat is not None else None
        if flat is None or zoom is None:
            return make(True), resolved
        return Sampled(zoom.sample(flat, cache.buffers), None), zoom.resolved

    sampled, shown = cache.get(_MOVING, key, quick)
    return sampled, shown, _MOVING


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
    return cache.get("voi", (volume,), lambda: volume_window(volume)) if cache else volume_window(volume)


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
        if pixels.ndim == 2:
            np.copyto(pixels, 0, where=sampled.outside)
        else:
            pixels[sampled.outside] = (0, 0, 0, 255)
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
    Raises ``ValueError`` when there is no image layer, and for RENDERED views: those are ``solid_view.render_solid``'s.
    """
    if not layers or not isinstance(layers[0], ImageLayer):
        raise ValueError("the first layer must be an ImageLayer")
    if view.plane is Plane.RENDERED:
        raise ValueError("a view from outside is no section")
    base = layers[0]
    cache = cache or SampleCache()
    whole = resolve(view, size, geometry_of(base, view))
    voi: Voi = VoiWindow(127.5, 256.0) if _is_colour(base) else voi_of(base, cache)
    shown = voi if isinstance(voi, VoiWindow) and not _is_colour(base) else None
    part = visible_part(whole)
    if part is None:
        return Picture(np.zeros((size[1], size[0]), dtype=np.uint8), whole, shown, False, draft)
    asked, offset = part
    sampled, resolved, used = _sample(base, asked, draft, cache)
    moved = resolved is not asked
    if moved:
        whole = moved_to(resolved, offset, whole)
    pixels = _draw_image(base, sampled, voi, view.invert)
    canvas: npt.NDArray[np.uint8] | None = None
    slots = {used, "plane", "voi"}
    uid, where = base.sop_instance_uid, (_where(view), size, whole.geometry, moved)
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
                if over.isodoses:
                    slots.add(f"{slot}known")
                    known = cache.get(
                        f"{slot}known",
                        (over.volume, over.geometry, where),
                        lambda over=over: covered_by(over, resolved, 0.0),
                    )
                    pixels = with_isodoses(pixels, values, known, over.isodoses)
            elif over.mode is OverMode.DIFFERENCE:
                both = there & has_values(base.volume, resolved)
                pixels = difference_grey(np.asarray(sampled.values), values, both, over.appearance.window)
            else:
                pixels = to_grey(brought(values, over.gain), voi, view.invert)
                pixels[~there] = 0
            continue
        if isinstance(layer, FilmLayer):
            pixels = film_grey(layer, resolved, view.invert)
            continue
        if isinstance(layer, HeatmapLayer):
            heat = layer
            at = (heat.heatmap, uid, where)
            coarse = draft and not cache.holds(slot, (*at, False))
            level = cache.get(
                slot,
                (*at, coarse),
                lambda heat=heat, coarse=coarse: heat_levels(heat, uid, resolved, coarse),
            )
            if level is not None:
                canvas = cache.buffers.take(size)
                pixels = with_heatmap(pixels, layer, level, _part(canvas, offset, resolved.size))
        elif isinstance(layer, LabelLayer):
            many = layer
            key = (many.grid, many.grid.complete, where)
            numbers = cache.get(slot, key, lambda many=many: sample_labels(many.grid, resolved))
            if numbers is not None:
                pixels = with_labels(pixels, layer, numbers)
            under = many.grid.under()
            if under is not None:
                slots.add(f"{slot}under")
                key = (under, many.grid.complete, where)
                below = cache.get(f"{slot}under", key, lambda under=under: sample_labels(under, resolved))
                pixels = pixels if below is None else with_labels_below(pixels, layer, below)
        elif isinstance(layer, FractionLayer):
            part_of = layer
            share = cache.get(
                slot, (part_of.fraction, uid, where), lambda part_of=part_of: fraction_cover(part_of, uid, resolved)
            )
            if share is not None:
                pixels = with_fraction(pixels, layer, share)
        else:
            shape = layer
            cover = cache.get(slot, (shape.mask, uid, where), lambda shape=shape: mask_cover(shape, uid, resolved))
            if cover is not None:
                pixels = with_mask(pixels, layer, cover)
    cache.forget_other_than(slots)
    pixels = _on_black(pixels, offset, size, canvas)
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


def _part(pixels: npt.NDArray[np.uint8], offset: tuple[int, int], size: Size) -> npt.NDArray[np.uint8]:
    (x, y), (w, h) = offset, size
    return pixels[y : y + h, x : x + w]


def _lies_on(pixels: npt.NDArray[np.uint8], canvas: npt.NDArray[np.uint8]) -> bool:
    return pixels.base is canvas


def _on_black(
    pixels: npt.NDArray[np.uint8], offset: tuple[int, int], size: Size, canvas: npt.NDArray[np.uint8] | None
) -> npt.NDArray[np.uint8]:
    """The visible part in the whole pane; ``canvas`` when it was painted there already."""
    h, w = pixels.shape[:2]
    if pixels.ndim == 2 and (w, h) != size:
        out = np.zeros((size[1], size[0]), dtype=np.uint8)
        _part(out, offset, (w, h))[:] = pixels
        return out
    if canvas is not None and _lies_on(pixels, canvas):
        blacken_around(canvas, offset, (w, h))
        return canvas
    if (w, h) == size:
        return pixels
    words = np.full((size[1], size[0]), 0xFF000000, dtype=np.uint32)
    _part(words.view(np.uint8).reshape(size[1], size[0], 4), offset, (w, h))[:] = pixels
    return words.view(np.uint8).reshape(size[1], size[0], 4)
