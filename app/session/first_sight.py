"""What a hung pane can only know once its images are there."""

from __future__ import annotations

from dataclasses import replace

from app.domain.geometry import Point3
from app.session.panes import PaneState
from app.viewer.exposed import exposed_box
from app.viewer.layers import ImageLayer
from app.viewer.view_state import Plane, volume_centre


def at_first_sight(pane: PaneState, layer: ImageLayer, point_mm: Point3 | None) -> PaneState:
    """A plane that was hung before its volume was there starts at the common point, else in the volume's middle; a film
    that was hung before its pixels were there fits its exposed field. Everything else comes back as it is."""
    if pane.fit_exposed and layer.frame is not None:
        box = exposed_box(layer.frame.values)
        return replace(pane, fit_exposed=False, view=replace(pane.view, fit_box=box))
    if pane.view.plane is Plane.STACK or pane.view.point_mm is not None or layer.volume is None:
        return pane
    return replace(pane, view=replace(pane.view, point_mm=point_mm or volume_centre(layer.volume.geometry)))
