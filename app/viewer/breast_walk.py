"""A breast quarter by quarter at full resolution: where the fields lie, and the view that shows one. Pure.

Fields are counted from the chest wall to the nipple (u) and down the pane (v), so that the same field of both sides and
of the prior is the same place of the breast whatever way round a picture was stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.viewer.view_state import ImageGeometry, Size, ViewState, fit_scale, resolve

Box = tuple[float, float, float, float]
_OVERLAP = 0.9
"""Neighbouring fields share a tenth."""


@dataclass(frozen=True)
class Field:
    """One screenful: of ``columns`` x ``rows`` fields the one at (u, v), from 0. Both counts are even."""

    columns: int
    rows: int
    u: int
    v: int

    @property
    def quadrant(self) -> int:
        """0 upper back, 1 upper front, 2 lower back, 3 lower front."""
        return (2 if 2 * self.v >= self.rows else 0) + (1 if 2 * self.u >= self.columns else 0)


def breast_box(values: npt.NDArray[np.generic]) -> Box:
    """(x0, y0, x1, y1) in image px of what is not air in ``values`` (rows, columns);
    the whole image where that cannot be told."""
    rows, columns = values.shape
    step = max(1, min(rows, columns) // 400)
    small = np.asarray(values[::step, ::step], dtype=np.float32)
    low, high = (float(v) for v in np.percentile(small, (0.5, 99.5)))
    whole = (0.0, 0.0, float(columns), float(rows))
    if not high > low:
        return whole
    counts, edges = np.histogram(small, bins=64, range=(low, high))
    ends = counts[:3].sum(), counts[-3:].sum()
    air = float(edges[0] if ends[0] >= ends[1] else edges[-1])  # air is at one end, whichever way the values run
    breast = np.abs(small - air) > 0.06 * (high - low)
    ys, xs = np.flatnonzero(breast.mean(axis=1) > 0.01), np.flatnonzero(breast.mean(axis=0) > 0.01)
    if ys.size * 5 < small.shape[0] or xs.size * 5 < small.shape[1]:
        return whole
    x1, y1 = min(columns, (int(xs[-1]) + 1) * step), min(rows, (int(ys[-1]) + 1) * step)
    return (float(xs[0] * step), float(ys[0] * step), float(x1), float(y1))


def fields_of(columns: int, rows: int) -> tuple[Field, ...]:
    """In the order of the walk: quadrant by quadrant, within one from the chest wall on, line by line."""
    every = [Field(columns, rows, u, v) for v in range(rows) for u in range(columns)]
    return tuple(sorted(every, key=lambda f: (f.quadrant, f.v, f.u)))


def _even(count: float) -> int:
    return max(2, 2 * math.ceil(count / 2 - 1e-9))


@dataclass(frozen=True)
class Pane:
    """What the walk needs of a pane. ``wall_right``: the chest wall is at the pane's right."""

    view: ViewState
    size: Size
    geometry: ImageGeometry
    box: Box
    wall_right: bool

    @property
    def millimetres(self) -> bool:
        return self.geometry.calibrated or self.geometry.detector_mm


def scale_of(panes: Sequence[Pane], pane: Pane) -> float:
    """Pane pixels per spacing unit: the finest of all pictures pixel for pixel, the others at the same scale."""
    if all(p.millimetres for p in panes):
        return max(1.0 / min(p.geometry.column_spacing, p.geometry.row_spacing) for p in panes)
    return 1.0 / min(pane.geometry.column_spacing, pane.geometry.row_spacing)


def grid_for(panes: Sequence[Pane]) -> tuple[int, int]:
    """How many fields (columns, rows) it takes so that every pane shows all of its breast."""
    columns, rows = 2, 2
    for pane in panes:
        scale = scale_of(panes, pane)
        x0, y0, x1, y1 = pane.box
        width, height = (x1 - x0) * pane.geometry.column_spacing * scale, (y1 - y0) * pane.geometry.row_spacing * scale
        columns = max(columns, _even(width / (pane.size[0] * _OVERLAP)))
        rows = max(rows, _even(height / (pane.size[1] * _OVERLAP)))
    return columns, rows


def _middle(at: int, count: int, whole: float, shown: float) -> float:
    """Middle of a field along one side, 0 at its beginning: first and last field end where the breast ends."""
    if shown >= whole:
        return whole / 2
    return shown / 2 + (whole - shown) * at / (count - 1)


def view_of(panes: Sequence[Pane], pane: Pane, field: Field) -> ViewState:
    """The pane's view on a field: full resolution, the field in the middle."""
    g, scale = pane.geometry, scale_of(panes, pane)
    base = replace(pane.view, pan=(0.0, 0.0), zoom=1.0)
    base = replace(base, zoom=scale / fit_scale(base, pane.size, g))
    resolved = resolve(base, pane.size, g)
    corners = [resolved.px_to_pane(x, y) for x in (pane.box[0], pane.box[2]) for y in (pane.box[1], pane.box[3])]
    left, right = min(c[0] for c in corners), max(c[0] for c in corners)
    top, bottom = min(c[1] for c in corners), max(c[1] for c in corners)
    u = _middle(field.u, field.columns, right - left, float(pane.size[0]))
    x = right - u if pane.wall_right else left + u
    y = top + _middle(field.v, field.rows, bottom - top, float(pane.size[1]))
    w, h = pane.size
    # Whole device pixels: at 1:1 nothing is interpolated.
    dx, dy = round(w / 2 - x), round(h / 2 - y)
    offset = resolved.pane_from_px[:, 2]
    fx, fy = (float(round(o) - o) for o in offset) if abs(scale * g.column_spacing - 1) < 1e-6 else (0.0, 0.0)
    return replace(base, pan=((dx + fx) / w, (dy + fy) / h))
