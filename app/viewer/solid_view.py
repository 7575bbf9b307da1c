"""A pane that shows its volume from outside: which layers become what, the picture, what has to be said about it.

The image layer is the volume; masks and labels that are switched on become surfaces in their colours. Heatmaps have no
surface and are left out.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from app.domain.finding import SegmentMask
from app.domain.label_grid import LabelGrid
from app.domain.pixels import VoiWindow
from app.domain.problem import Problem
from app.imaging.masks import label_boxes
from app.viewer.compositor import Picture, SampleCache, geometry_of, voi_of
from app.viewer.layers import ImageLayer, LabelLayer, Layer, MaskLayer
from app.viewer.no_value import volume_window
from app.viewer.solid_masks import SolidMask
from app.viewer.view_state import Size, ViewState, resolve
from app.viewer.volume_parts import VolumeCut, part_inside
from app.viewer.volume_presets import volume_preset
from app.viewer.volume_render import Rendering, render_volume

_SLOT = "solid"


@dataclass(frozen=True, eq=False)
class SolidPicture(Picture):
    """``pixels``: (h, w, 4) B, G, R, 255."""

    notes: tuple[Problem, ...] = ()
    """What was reduced, how surfaces were made."""
    coarse: bool = False
    """A finer one is to be asked for at rest."""


def render_solid(
    view: ViewState,
    layers: Sequence[Layer],
    size: Size,
    cache: SampleCache | None = None,
    draft: bool = False,
    cut: VolumeCut | None = None,
    finest: bool = False,
) -> SolidPicture:
    """Raises ``ValueError`` without a volume, ``viewer.volume.renderer_died``."""
    base = layers[0] if layers else None
    if not isinstance(base, ImageLayer) or base.volume is None:
        raise ValueError("the first layer must be an ImageLayer with a volume")
    volume = base.volume
    resolved = resolve(view, size, geometry_of(base, view))
    voi = voi_of(base, cache)
    level = voi if isinstance(voi, VoiWindow) else volume_window(volume)
    preset = volume_preset(view.volume_preset, volume.unit)
    solids = _left_by(cut, _solids(layers[1:], volume.geometry.frame_of_reference_uid))
    shown = level if preset.is_mip else None
    key = (
        volume, preset, shown, view.crop, size, view.point_mm, view.oblique_row, view.oblique_column, view.zoom, view.pan,
        view.rotation_deg, view.flip_h, view.flip_v, view.invert, tuple(s.key for s in solids),
        cut.key if cut is not None else "",
    )  # fmt: skip
    if cache is not None:
        with cache.lock:
            kept = cache.entries.get(_SLOT)
        if kept is not None and kept[0] == key:
            return kept[1]  # type: ignore[no-any-return]
    found: Rendering = render_volume(volume, resolved, preset, level, view.crop, draft, solids, cut, finest)
    pixels = np.asarray(cv2.cvtColor(found.pixels, cv2.COLOR_RGB2BGRA), dtype=np.uint8)
    if view.invert:
        pixels[..., :3] = 255 - pixels[..., :3]
    made = SolidPicture(pixels, resolved, shown, False, draft and found.coarse, found.notes, found.coarse)
    if cache is not None and not found.coarse:
        with cache.lock:
            cache.entries = {_SLOT: (key, made)}
    return made


_made: dict[tuple[int, tuple[int, int, int]], tuple[SolidMask, ...]] = {}
_inside: dict[tuple[str, str], bool] = {}
_lock = threading.Lock()


def _solids(layers: Sequence[Layer], frame_of_reference_uid: str) -> tuple[SolidMask, ...]:
    out: list[SolidMask] = []
    for layer in layers:
        if not layer.appearance.visible:
            continue
        if isinstance(layer, MaskLayer) and layer.mask.geometry is not None:
            theirs = layer.mask.geometry.frame_of_reference_uid
            if not (theirs and frame_of_reference_uid and theirs != frame_of_reference_uid):
                out += _kept(layer.mask, layer.rgb)
        elif isinstance(layer, LabelLayer) and layer.grid.complete:
            theirs = layer.grid.geometry.frame_of_reference_uid
            if not (theirs and frame_of_reference_uid and theirs != frame_of_reference_uid):
                out += _labels(layer.grid, layer)
    return tuple(out)


def _left_by(cut: VolumeCut | None, solids: tuple[SolidMask, ...]) -> tuple[SolidMask, ...]:
    """A mask shown alone takes the surfaces beside it away; one that is hidden takes those inside it."""
    if cut is None:
        return solids
    out = []
    for solid in solids:
        key = (solid.key, cut.key)
        if key not in _inside:
            _inside[key] = part_inside(cut, solid.values, solid.geometry) > 0.5
            while len(_inside) > 2000:
                _inside.pop(next(iter(_inside)))
        if _inside[key] != cut.hide:
            out.append(solid)
    return tuple(out)


def _kept(mask: SegmentMask, rgb: tuple[int, int, int]) -> tuple[SolidMask, ...]:
    """The same solid for the same mask, as long as the mask is there."""
    assert mask.geometry is not None
    with _lock:
        key = (id(mask), rgb)
        if key not in _made:
            _made[key] = (SolidMask(mask.values, mask.geometry, rgb),)
            weakref.finalize(mask, _made.pop, key, None)
        return _made[key]


def _labels(grid: LabelGrid, layer: LabelLayer) -> tuple[SolidMask, ...]:
    with _lock:
        key = (id(grid), (0, 0, 0))
        if key not in _made:
            whole = grid.whole()
            solids = []
            for number, box in enumerate(label_boxes(whole), start=1):
                if box is not None:
                    red, green, blue = (int(v) for v in layer.rgb[min(number, 255)])
                    k, j, i = box
                    geometry = grid.geometry.cropped(k, j, i)
                    solids.append(SolidMask(np.asarray(whole[box] == number), geometry, (red, green, blue)))
            _made[key] = tuple(solids)
            weakref.finalize(grid, _made.pop, key, None)
        return _made[key]
