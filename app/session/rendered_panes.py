"""Panes that show a volume from outside: which tools turn them, what was reduced, cut and masked."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.domain.finding import PackedMask
from app.domain.problem import Problem, Severity
from app.domain.volume import Volume
from app.imaging.packed import box_in
from app.session.panes import PaneState
from app.viewer.layers import ImageLayer
from app.viewer.view_state import Plane, ViewState, volume_centre
from app.viewer.volume_presets import volume_preset, volume_presets_for
from app.viewer.volume_render import MOST_VOXELS, WHOLE, Crop, moved, reduction

TOOLS = frozenset({"turn", "zoom", "pan"})
LOOKS = frozenset({"zoom", "pan", "window", "probe", "magnifier", "zoom_region", "scroll"})
"""What a picture laid flat along a curve allows: it has no place in the patient for a mark."""
CROPS: Mapping[str, Crop] = {
    "whole": WHOLE,
    "front_off": (0.0, 1.0, 0.5, 1.0, 0.0, 1.0),
    "right_off": (0.5, 1.0, 0.0, 1.0, 0.0, 1.0),
    "left_off": (0.0, 0.5, 0.0, 1.0, 0.0, 1.0),
    "head_off": (0.0, 1.0, 0.0, 1.0, 0.0, 0.5),
}
"""Message ids ``crop.<name>``. Halves of the patient-aligned box: x grows to the left, y to the back, z to the head."""


def is_rendered(pane: PaneState) -> bool:
    return pane.view.plane is Plane.RENDERED


def tool_of(pane: PaneState, name: str, kind: str) -> str:
    """What a gesture does there: nothing is measured on a picture without depth."""
    if pane.view.plane is Plane.CURVED:
        return name if name in LOOKS else "window"
    if not is_rendered(pane):
        return name
    if kind == "wheel":
        return "zoom"
    return name if name in TOOLS else "turn"


def toggled(pane: PaneState, layer: ImageLayer | None) -> PaneState:
    """The pane from outside, seen from the front; and back to its frames."""
    if is_rendered(pane):
        return replace(pane, view=ViewState(pane.display_set_id, frame_index=pane.view.frame_index))
    volume = layer.volume if layer is not None else None
    centre = volume_centre(volume.geometry) if volume is not None else None
    view = ViewState(
        pane.display_set_id,
        Plane.RENDERED,
        pane.view.frame_index,
        centre,
        oblique_row=(1.0, 0.0, 0.0),
        oblique_column=(0.0, 0.0, -1.0),
    )
    return replace(pane, view=view, over=None)


def looks(layer: ImageLayer | None, view: ViewState) -> tuple[tuple[str, bool], ...]:
    """(name, chosen) of the looks that make sense for the values."""
    unit = layer.unit if layer is not None else ""
    chosen = volume_preset(view.volume_preset, unit).name
    return tuple((p.name, p.name == chosen) for p in volume_presets_for(unit))


def remark(layer: ImageLayer | None) -> Problem | None:
    """What was left out to be quick enough without a graphics card."""
    if layer is None or layer.volume is None:
        return None
    n = reduction(layer.volume.geometry.shape, MOST_VOXELS)
    return Problem("viewer.volume.reduced", {"n": n}, severity=Severity.NOTE) if n > 1 else None


def something_moves() -> None:
    moved()


_masked: weakref.WeakKeyDictionary[Volume, tuple[bytes, Volume]] = weakref.WeakKeyDictionary()


def only(volume: Volume, mask: PackedMask) -> Volume:
    """The volume with everything outside the mask at its lowest value; kept while the volume is."""
    kept = _masked.get(volume)
    if kept is not None and kept[0] == mask.bits:
        return kept[1]
    box = box_in(mask, volume.geometry)
    voxels = np.full_like(volume.voxels, volume.voxels.min())
    k, j, i = (slice(a, b) for a, b in zip(box.start, box.stop, strict=True))
    voxels[k, j, i] = np.where(box.values, volume.voxels[k, j, i], voxels[k, j, i])
    made = Volume(voxels, volume.geometry, volume.unit)
    _masked[volume] = (mask.bits, made)
    return made
