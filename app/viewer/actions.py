"""What keys and buttons do to a view at once: turn, mirror, invert, fit. Pure; each returns the new view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from app.viewer.view_state import ResolvedView, ViewState, one_to_one

Action = Callable[[ResolvedView], ViewState]


def _turned(resolved: ResolvedView, clockwise: int) -> ViewState:
    view = resolved.view
    w, h = resolved.size
    # The flips come after the rotation; a single mirror reverses the sense of a turn that is made inside it.
    sense = -1 if view.flip_h != view.flip_v else 1
    dx, dy = view.pan[0] * w, view.pan[1] * h
    turned = (-dy, dx) if clockwise > 0 else (dy, -dx)
    return replace(
        view, rotation_deg=(view.rotation_deg + 90.0 * clockwise * sense) % 360.0, pan=(turned[0] / w, turned[1] / h)
    )


def rotate_clockwise(resolved: ResolvedView) -> ViewState:
    """A quarter to the right as seen."""
    return _turned(resolved, 1)


def rotate_anticlockwise(resolved: ResolvedView) -> ViewState:
    return _turned(resolved, -1)


def flip_horizontal(resolved: ResolvedView) -> ViewState:
    """Left and right as seen; what is hung at one edge goes to the other."""
    v = resolved.view
    return replace(v, flip_h=not v.flip_h, pan=(-v.pan[0], v.pan[1]), anchor=(1.0 - v.anchor[0], v.anchor[1]))


def flip_vertical(resolved: ResolvedView) -> ViewState:
    v = resolved.view
    return replace(v, flip_v=not v.flip_v, pan=(v.pan[0], -v.pan[1]), anchor=(v.anchor[0], 1.0 - v.anchor[1]))


def invert(resolved: ResolvedView) -> ViewState:
    return replace(resolved.view, invert=not resolved.view.invert)


def fit(resolved: ResolvedView) -> ViewState:
    return replace(resolved.view, zoom=1.0, pan=(0.0, 0.0))


def actual_pixels(resolved: ResolvedView) -> ViewState:
    return one_to_one(resolved.view, resolved.size, resolved.geometry)


def reset(resolved: ResolvedView) -> ViewState:
    """Fit, unturned, not inverted; the plane and the slice stay. Hanging's own mirror is put back by the session."""
    v = resolved.view
    return replace(v, zoom=1.0, pan=(0.0, 0.0), rotation_deg=0.0, flip_h=False, flip_v=False, invert=False)


ACTIONS: Mapping[str, Action] = {
    "rotate_clockwise": rotate_clockwise,
    "rotate_anticlockwise": rotate_anticlockwise,
    "flip_horizontal": flip_horizontal,
    "flip_vertical": flip_vertical,
    "invert": invert,
    "fit": fit,
    "actual_pixels": actual_pixels,
    "reset": reset,
}
"""Message ids ``action.<name>``."""
