"""The box being dragged, the lens and the star of a key image, as primitives; the lens's picture from the image's values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from app.domain.geometry import Point2
from app.viewer.compositor import Picture, render
from app.viewer.decorations import Style
from app.viewer.layers import Layer
from app.viewer.primitives import Ellipse, Polyline, Primitive, Role
from app.viewer.view_state import Size, zoom_about

LENS_RADIUS = 96.0
"""Logical pixels."""
LENS_POWER = 2.5


def _star(x: float, y: float, radius: float) -> tuple[Point2, ...]:
    turns = [(math.pi * n / 5 - math.pi / 2, radius if n % 2 == 0 else radius * 0.42) for n in range(10)]
    return tuple((x + r * math.cos(t), y + r * math.sin(t)) for t, r in turns)


def gesture_primitives(
    band: tuple[Point2, Point2] | None, lens: Point2 | None, starred: bool, size: Size, style: Style
) -> list[Primitive]:
    out: list[Primitive] = []
    if band is not None:
        (x0, y0), (x1, y1) = band
        box = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        out.append(Polyline(box, Role.TEXT, style.scale, dashed=True, closed=True, key="band"))
    if lens is not None:
        r = LENS_RADIUS * style.scale
        out.append(Ellipse(lens[0], lens[1], r, r, 0.0, Role.TEXT, 1.5 * style.scale, key="lens"))
    if starred:
        # At the top beside the orientation letter, where no corner text reaches.
        star = _star(size[0] / 2 + 28 * style.scale, 20 * style.scale, 9 * style.scale)
        out.append(Polyline(star, Role.MINE, 1.5 * style.scale, closed=True, filled=True, key="key_image"))
    return out


def with_lens(picture: Picture, layers: Sequence[Layer], at: Point2, scale: float) -> Picture:
    """A round piece of the same view, magnified about ``at``: sampled anew, not the screen's pixels stretched."""
    w, h = picture.resolved.size
    near = render(zoom_about(picture.resolved, LENS_POWER, at), layers, (w, h))
    cover = np.zeros((h, w), dtype=np.uint8)
    cv2.circle(cover, (round(at[0]), round(at[1])), round(LENS_RADIUS * scale), 1, -1)
    base, lens = picture.pixels, near.pixels
    if base.ndim != lens.ndim:
        base = np.asarray(cv2.cvtColor(base, cv2.COLOR_GRAY2BGRA)) if base.ndim == 2 else base
        lens = np.asarray(cv2.cvtColor(lens, cv2.COLOR_GRAY2BGRA)) if lens.ndim == 2 else lens
    mixed = np.where(cover.astype(bool) if base.ndim == 2 else cover[..., None].astype(bool), lens, base)
    return replace(picture, pixels=np.ascontiguousarray(mixed, dtype=np.uint8))
