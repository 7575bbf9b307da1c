"""Saved objects as layers and legends of a pane. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from app.domain.finding import SegmentMask
from app.domain.geometry import Point2, Point3
from app.domain.measurement import Measurement, Quantity
from app.domain.presentation import PresentationState
from app.domain.saved_overlay import OverlayPart, SavedOverlay, ValueMap
from app.viewer.decorations import Style
from app.viewer.grid_value import grid_value
from app.viewer.layers import FractionLayer, ImageLayer, MaskLayer
from app.viewer.presentation import shutter_mask
from app.viewer.primitives import Anchor, ColourBar, Polyline, Primitive, Role, Text
from app.viewer.view_state import Appearance, ResolvedView

_LISTED = 10
_BOTTOM_LINES = 4
_OVERLAY_RGB = (211, 218, 227)


def masks_of(overlay: SavedOverlay) -> Iterator[MaskLayer]:
    for part in overlay.parts:
        for mask in part.masks:
            yield MaskLayer(mask, part.rgb, Appearance(opacity=0.35), 1)


def fractions_of(overlay: SavedOverlay) -> Iterator[FractionLayer]:
    for part in overlay.parts:
        for fraction in part.fractions:
            yield FractionLayer(fraction, part.rgb)


def overlays_of(layer: ImageLayer, state: PresentationState | None) -> tuple[MaskLayer, ...]:
    """Overlay planes of the image (with a state: those that it switches on) and those that the state brings."""
    frame = layer.frame
    if frame is None:
        return ()
    planes = list(frame.overlays)
    if state is not None:
        switched = set(state.overlay_groups)
        planes = [p for p, g in zip(frame.overlays, frame.overlay_groups, strict=False) if g in switched]
        planes += [o for o in state.overlays if o.shape == frame.values.shape[:2]]
    return tuple(_plain(plane, layer, _OVERLAY_RGB) for plane in planes if plane.any())


_kept: dict[tuple[int, int], tuple[object, MaskLayer]] = {}
"""Layers by plane, so that a cache that compares them finds them again."""


def _plain(
    plane: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], layer: ImageLayer, rgb: tuple[int, int, int]
) -> MaskLayer:
    key = (id(plane), layer.frame_number)
    known = _kept.get(key)
    if known is not None and known[0] is plane:
        return known[1]
    made = MaskLayer(SegmentMask("overlay", plane, None, layer.sop_instance_uid), rgb, Appearance(opacity=1.0), 0)
    _kept[key] = (plane, made)
    while len(_kept) > 24:
        _kept.pop(next(iter(_kept)))
    return made


def shutter_layer(state: PresentationState, layer: ImageLayer) -> MaskLayer | None:
    """What the shutter covers, in its own grey."""
    if state.shutter is None or layer.frame is None:
        return None
    rows, columns = layer.frame.values.shape[:2]
    key = (id(state.shutter), rows * 65536 + columns)
    known = _kept.get(key)
    if known is not None and known[0] is state.shutter:
        found = known[1]
        if found.mask.sop_instance_uid == layer.sop_instance_uid:
            return found
    covered = shutter_mask(state.shutter, rows, columns)
    grey = state.shutter.grey
    made = MaskLayer(
        SegmentMask("shutter", covered, None, layer.sop_instance_uid), (grey, grey, grey), Appearance(opacity=1.0), 0
    )
    _kept[key] = (state.shutter, made)
    return made


def saved_label(words: str, resolved: ResolvedView, style: Style) -> list[Primitive]:
    """Whose look it is: always said while a pane is shown as saved."""
    at = (resolved.size[0] / 2, 62 * style.scale)
    return [Text(*at, words, Anchor.TOP, size_px=style.font, plate=True, framed=True, key="saved_look")]


def legend(parts: Sequence[OverlayPart], resolved: ResolvedView, style: Style) -> list[Primitive]:
    """Names of the parts with their colours, below the letter of the left edge; fewer in a small pane."""
    side, line = 10 * style.scale, 18 * style.scale
    y = resolved.size[1] / 2 + 24 * style.scale
    room = int((resolved.size[1] - y - _BOTTOM_LINES * line) // line)
    if room < 2:
        return []
    shown = parts[: min(_LISTED, room if len(parts) <= room else room - 1)]
    more = len(parts) - len(shown)
    x = 12 * style.scale
    out: list[Primitive] = []
    for part in shown:
        box = ((x, y), (x + side, y), (x + side, y + side), (x, y + side))
        out.append(Polyline(box, Role.TEXT, 1, closed=True, filled=True, key="legend", rgb=part.rgb))
        name = part.label if len(part.label) <= 40 else part.label[:39] + "…"
        out.append(
            Text(
                x + side + 8 * style.scale,
                y + side / 2,
                name,
                Anchor.LEFT,
                size_px=style.font,
                plate=True,
                key="legend_text",
            )
        )
        y += line
    if more:
        out.append(Text(x, y, f"+ {more}", size_px=style.font, plate=True, key="legend_more"))
    return out


def values_there(
    maps: Sequence[ValueMap], layer: ImageLayer, size: tuple[int, int] | None, point_mm: Point3 | None, px: Point2
) -> tuple[Measurement, ...]:
    """The value of every map at a place: nothing where it has none or belongs to another image."""
    out = []
    for found in maps:
        value: float | None = None
        if found.geometry is not None and point_mm is not None:
            value = grid_value(found.values, found.geometry, point_mm)
        elif found.geometry is None and size is not None and found.sop_instance_uid in ("", layer.sop_instance_uid):
            rows, columns = found.values.shape
            row, column = int(px[1] * rows / size[0]), int(px[0] * columns / size[1])
            if 0 <= row < rows and 0 <= column < columns:
                value = float(found.values[row, column])
        if value is not None and np.isfinite(value):
            out.append(Measurement(Quantity.OVERLAY_VALUE, value, found.unit or "1"))
    return tuple(out)


def map_legend(found: ValueMap, resolved: ResolvedView, style: Style) -> list[Primitive]:
    """The absolute scale of a map in its own unit."""
    height = min(180 * style.scale, resolved.size[1] * 0.4)
    x, y = 34 * style.scale, (resolved.size[1] - height) / 2  # right of the letter of the left edge
    out: list[Primitive] = [ColourBar(x, y, 10 * style.scale, height, "inferno", 0.0, key="map_bar")]
    for part in (0.0, 0.5, 1.0):
        value = found.low + (found.high - found.low) * part
        at = y + (1 - part) * height
        value = 0.0 if abs(value) < 1e-6 * (found.high - found.low) else value
        text = f"{value:.3g} {found.unit if found.unit != '1' else ''}".strip()
        out.append(Text(x + 18 * style.scale, at, text, Anchor.LEFT, size_px=style.font, plate=True, key="map_value"))
    if found.quantity:
        title = Text(x, y - 10 * style.scale, found.quantity[:40], Anchor.BOTTOM_LEFT, size_px=style.font, plate=True)
        out.append(title)
    return out
