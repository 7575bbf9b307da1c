"""Panes that show a volume from outside: what turns them, where they look from, what is cut, masked and drawn there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from app.domain.finding import Finding
from app.domain.geometry import Point3, VolumeGeometry
from app.imaging.masks import Mask
from app.imaging.packed import unpack
from app.session.panes import PaneState
from app.session.views import Words
from app.viewer import crop_box
from app.viewer.layers import ImageLayer, LabelLayer
from app.viewer.orientation_cube import cube_primitives
from app.viewer.view_state import Plane, ViewState, volume_centre
from app.viewer.volume_parts import WHOLE, Crop, VolumeCut
from app.viewer.volume_presets import volume_preset, volume_presets_for
from app.viewer.volume_render import make_ready, moved

if TYPE_CHECKING:
    from app.session.picture import Drawer
    from app.session.saved_objects import SavedObjects

TOOLS = frozenset({"turn", "zoom", "pan"})
LOOKS = frozenset({"zoom", "pan", "window", "probe", "magnifier", "zoom_region", "scroll", "crosshair", "slab"})
"""What a picture laid flat along a curve allows: it has no place in the patient for a mark."""
CROPS: Mapping[str, Crop] = {
    "whole": WHOLE,
    "front_off": (0.0, 1.0, 0.5, 1.0, 0.0, 1.0),
    "right_off": (0.5, 1.0, 0.0, 1.0, 0.0, 1.0),
    "left_off": (0.0, 0.5, 0.0, 1.0, 0.0, 1.0),
    "head_off": (0.0, 1.0, 0.0, 1.0, 0.0, 0.5),
}
"""Message ids ``crop.<name>``. Halves of the patient-aligned box: x grows to the left, y to the back, z to the head."""
BOX_ZOOM = 0.75
"""At which a box's handles stand inside the pane from every side."""
SIGHTS: Mapping[str, tuple[Point3, Point3]] = {
    "front": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "back": ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "right": ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0)),
    "left": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "head": ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "feet": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}
"""Message ids ``sight.<name>``: (right, down) of a pane that looks from there, the patient upright or his front above."""


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
    make_ready()
    volume = layer.volume if layer is not None else None
    centre = volume_centre(volume.geometry) if volume is not None else None
    row, column = SIGHTS["front"]
    view = ViewState(
        pane.display_set_id, Plane.RENDERED, pane.view.frame_index, centre, oblique_row=row, oblique_column=column
    )
    return replace(pane, view=view, over=None)


def box_toggled(view: ViewState) -> dict[str, bool | float]:
    """The fields of the view that change: with its handles the whole box has to be in the pane."""
    return {"crop_box": not view.crop_box, "zoom": view.zoom if view.crop_box else min(view.zoom, BOX_ZOOM)}


def looks(layer: ImageLayer | None, view: ViewState) -> tuple[tuple[str, bool], ...]:
    """(name, chosen) of the looks that make sense for the values."""
    unit = layer.unit if layer is not None else ""
    chosen = volume_preset(view.volume_preset, unit).name
    return tuple((p.name, p.name == chosen) for p in volume_presets_for(unit))


@dataclass(frozen=True)
class SolidPart:
    """A mask that a 3D view can show alone or leave out."""

    part_id: str
    title: Words | str
    rgb: tuple[int, int, int] | None = None


class SolidDesk:
    """Masks, cuts and what is drawn over 3D panes. Main thread."""

    def __init__(self, mark: Callable[[str], Finding | None], saved: Callable[[], SavedObjects | None]) -> None:
        self._mark, self._saved = mark, saved
        self._cuts: dict[tuple[str, bool], tuple[object, VolumeCut]] = {}
        self._asked: dict[str, PaneState] = {}

    def asked(self, pane: PaneState, draft: bool) -> None:
        """A picture of the pane is about to be made: one in work that shows it otherwise is given up."""
        if is_rendered(pane) and (draft or self._asked.get(pane.pane_id) != pane):
            moved()
        self._asked[pane.pane_id] = pane

    def parts(self, pane: PaneState, marks: Sequence[Finding]) -> tuple[SolidPart, ...]:
        """The reader's own voxels on the pane's images, then the segments that were read."""
        own = [m for m in marks if m.mask is not None and m.mask.display_set_id == pane.display_set_id]
        out = [SolidPart(m.finding_id, Words("volume.own", {"n": n})) for n, m in enumerate(own, 1)]
        saved = self._saved()
        if saved is not None:
            for uid, overlay, _ in saved.segmentations():
                out += [
                    SolidPart(f"{uid}#{n}", part.label or part.meaning, part.rgb) for n, part in enumerate(overlay.parts)
                ]
        return tuple(out)

    def cut(self, pane: PaneState) -> VolumeCut | None:
        """What the pane's mask does to its volume; kept while the mask is the same."""
        if not pane.only_mask:
            return None
        found = self._source(pane.only_mask)
        if found is None:
            return None
        source, make = found
        key = (pane.only_mask, pane.hide_mask)
        kept = self._cuts.get(key)
        if kept is None or kept[0] is not source:
            values, geometry = make()
            # New voxels have a new name: what was rendered of the old ones is not taken for them.
            kept = self._cuts[key] = (source, VolumeCut(values, geometry, pane.hide_mask, uuid4().hex[:12]))
        return kept[1]

    def _source(self, part_id: str) -> tuple[object, Callable[[], tuple[Mask, VolumeGeometry]]] | None:
        """What a mask is made of, and how; the same object as long as it has not changed."""
        mark = self._mark(part_id)
        if mark is not None and mark.mask is not None:
            packed = mark.mask
            return packed.bits, lambda: (unpack(packed), packed.geometry)
        uid, _, number = part_id.partition("#")
        saved = self._saved()
        shown = saved.segmentations() if saved is not None and number else ()
        found = next(((o, layers) for u, o, layers in shown if u == uid and int(number) < len(o.parts)), None)
        if found is None:
            return None
        overlay, layers = found
        labels = next((x for x in layers if isinstance(x, LabelLayer) and x.grid.complete), None)
        if labels is not None:
            grid, place = labels.grid, int(number) + 1
            return grid, lambda: (np.asarray(grid.whole() == place), grid.geometry)
        mask = next((m for m in overlay.parts[int(number)].masks if m.geometry is not None), None)
        if mask is None or mask.geometry is None:
            return None
        values, geometry = mask.values, mask.geometry
        return mask, lambda: (values, geometry)

    @staticmethod
    def drawers(pane: PaneState, layer: ImageLayer | None) -> tuple[Drawer, ...]:
        """The cube with the patient's letters."""
        return (cube_primitives,) if is_rendered(pane) and layer is not None else ()

    @staticmethod
    def handles(pane: PaneState, layer: ImageLayer | None) -> tuple[Drawer, ...]:
        """The crop box, where it is wanted."""
        if not is_rendered(pane) or layer is None or layer.volume is None or not pane.view.crop_box:
            return ()
        geometry, crop = layer.volume.geometry, pane.view.crop
        return (lambda r, s: crop_box.box_primitives(r, geometry, crop, s),)
