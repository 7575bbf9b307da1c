"""Another film in the place of the pane's own: for a comparison by eye, each in its own window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.imaging.film_alignment import sampled
from app.viewer.layers import FilmLayer
from app.viewer.view_state import ResolvedView
from app.viewer.voi_lut import to_grey, voi_of_frame


def film_grey(layer: FilmLayer, resolved: ResolvedView, invert: bool) -> npt.NDArray[np.uint8]:
    """(height, width) greys; black where the other film is not. Values of two films are never subtracted."""
    w, h = resolved.size
    origin, right, down = (np.asarray(resolved.pane_to_px(*p)) for p in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    to_first = np.array([[*(right - origin)], [*(down - origin)]]).T
    to_second = layer.to_second
    matrix = np.column_stack([to_second[:, :2] @ to_first, to_second[:, :2] @ origin + to_second[:, 2]])
    frame = layer.frame
    values = frame.values if not frame.is_colour else frame.values.mean(axis=2)
    found, there = sampled(values, matrix, (w, h))
    voi = voi_of_frame(frame) if not frame.is_colour else None
    pixels = to_grey(found, voi, frame.inverse != invert) if voi is not None else np.clip(found, 0, 255).astype(np.uint8)
    pixels[~there] = 0
    return pixels
