"""The box that a 3D view is cut to: six sides, drawn, taken by a handle and moved; to whole voxels where it can be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2, VolumeGeometry
from app.viewer.decorations import Style
from app.viewer.primitives import Anchor, Ellipse, Line, Primitive, Role, Text
from app.viewer.view_state import ResolvedView
from app.viewer.volume_parts import Crop, box_mm, crop_mm

SIDES = ("right", "left", "front", "back", "feet", "head")
"""Names of the six numbers of a crop."""
LETTERS = ("R", "L", "A", "P", "F", "H")
REACH_PX = 18.0
"""Device pixels around a handle that take it."""
_LEAST_MM = 1.0
_EDGE_ON = 0.2
"""A side whose normal is shorter than this on the screen points at the reader and cannot be dragged."""

Vector = npt.NDArray[np.float64]


def with_side(crop: Crop, side: int, part: float, geometry: VolumeGeometry) -> Crop:
    """One side moved to ``part`` 0..1, snapped to the border of a voxel; never past its opposite."""
    low, high = box_mm(geometry)
    axis = side // 2
    size = float(high[axis] - low[axis])
    cells = cells_along(geometry, axis)
    gap = 1.0 / cells if cells else _LEAST_MM / size
    if cells:
        part = round(part * cells) / cells
    parts = list(crop)
    parts[side] = min(max(part, 0.0), parts[side + 1] - gap) if side % 2 == 0 else max(min(part, 1.0), parts[side - 1] + gap)
    return (parts[0], parts[1], parts[2], parts[3], parts[4], parts[5])


def cells_along(geometry: VolumeGeometry, axis: int) -> int:
    """Voxels along a patient axis where the grid lies along it, else 0."""
    steps = (geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm)
    for step, n in zip(steps, geometry.shape, strict=True):
        if abs(step[axis]) > (1.0 - 1e-6) * math.hypot(*step):
            return n
    return 0


def removed_mm(crop: Crop, geometry: VolumeGeometry) -> tuple[float, ...]:
    """What each side takes away, in mm."""
    low, high = box_mm(geometry)
    size = high - low
    return tuple(float(size[n // 2] * (part if n % 2 == 0 else 1.0 - part)) for n, part in enumerate(crop))


def with_removed(crop: Crop, side: int, mm: float, geometry: VolumeGeometry) -> Crop:
    """The crop with a side that takes away ``mm``."""
    low, high = box_mm(geometry)
    part = mm / float(high[side // 2] - low[side // 2])
    return with_side(crop, side, part if side % 2 == 0 else 1.0 - part, geometry)


def step_mm(geometry: VolumeGeometry, side: int) -> float:
    """One voxel along a side's axis; a millimetre on oblique grids."""
    low, high = box_mm(geometry)
    cells = cells_along(geometry, side // 2)
    return float(high[side // 2] - low[side // 2]) / cells if cells else 1.0


def _handles(geometry: VolumeGeometry, crop: Crop) -> npt.NDArray[np.float64]:
    """(6, 3) middles of the sides, LPS mm."""
    low, high = crop_mm(geometry, crop)
    out = np.repeat(((low + high) / 2)[None], 6, axis=0)
    for side in range(6):
        out[side, side // 2] = (low if side % 2 == 0 else high)[side // 2]
    return out


def _along(resolved: ResolvedView, axis: int) -> Vector | None:
    """Pane pixels for a millimetre along a patient axis."""
    directions, mm = resolved.edge_directions(), resolved.mm_per_pane_px
    if directions is None or mm is None:
        return None
    return np.array([directions[0][axis], directions[1][axis]]) / mm


def hit(resolved: ResolvedView, geometry: VolumeGeometry, crop: Crop, at: Point2) -> int | None:
    """The side whose handle lies under a pane point; the one nearest to the reader where several do."""
    best: tuple[float, int] | None = None
    for side, point in enumerate(_handles(geometry, crop)):
        shown = resolved.patient_to_pane((float(point[0]), float(point[1]), float(point[2])))
        along = _along(resolved, side // 2)
        if shown is None or along is None or _is_edge_on(resolved, along):
            continue
        if math.hypot(shown[0] - at[0], shown[1] - at[1]) <= REACH_PX and (best is None or shown[2] < best[0]):
            best = (shown[2], side)
    return best[1] if best is not None else None


def _is_edge_on(resolved: ResolvedView, along: Vector) -> bool:
    return float(np.linalg.norm(along)) * (resolved.mm_per_pane_px or 1.0) < _EDGE_ON


def dragged(resolved: ResolvedView, geometry: VolumeGeometry, crop: Crop, side: int, by: Point2) -> Crop:
    """A side moved with the hand: ``by`` pane pixels from where ``crop`` was taken."""
    along = _along(resolved, side // 2)
    if along is None or _is_edge_on(resolved, along):
        return crop
    mm = float(np.asarray(by) @ along / (along @ along))
    low, high = box_mm(geometry)
    return with_side(crop, side, crop[side] + mm / float(high[side // 2] - low[side // 2]), geometry)


def box_primitives(resolved: ResolvedView, geometry: VolumeGeometry, crop: Crop, style: Style) -> Sequence[Primitive]:
    """Edges, those behind dashed, and a lettered handle on each side that can be dragged."""
    low, high = crop_mm(geometry, crop)
    ends = np.stack([low, high])
    out: list[Primitive] = []
    directions = resolved.edge_directions()
    if directions is None:
        return ()
    away = np.cross(np.asarray(directions[0]), np.asarray(directions[1]))

    def shown(point: Vector) -> tuple[float, float, float]:
        x, y, depth = resolved.patient_to_pane((float(point[0]), float(point[1]), float(point[2]))) or (0.0, 0.0, 0.0)
        return x, y, depth

    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        for first in (0, 1):
            for second in (0, 1):
                a, b = np.empty(3), np.empty(3)
                for which, point in enumerate((a, b)):
                    point[axis] = ends[which, axis]
                    point[others[0]], point[others[1]] = ends[first, others[0]], ends[second, others[1]]
                # An edge is behind when both sides that it joins look away from the reader.
                signs = [(1.0 if n else -1.0) * away[o] for n, o in zip((first, second), others, strict=True)]
                behind = all(s > 1e-9 for s in signs)
                (x0, y0, _), (x1, y1, _) = shown(a), shown(b)
                out.append(Line(x0, y0, x1, y1, Role.SECONDARY, style.scale, behind, "crop_edge"))
    for side, point in enumerate(_handles(geometry, crop)):
        along = _along(resolved, side // 2)
        if along is None or _is_edge_on(resolved, along):
            continue
        x, y, _ = shown(point)
        r = 6.0 * style.scale
        out.append(Ellipse(x, y, r, r, 0.0, Role.TEXT, 2.0 * style.scale, key=f"crop_handle_{SIDES[side]}"))
        out.append(
            Text(
                x,
                y - r - 2 * style.scale,
                LETTERS[side],
                Anchor.BOTTOM,
                Role.TEXT,
                style.font,
                True,
                True,
                key="crop_letter",
            )
        )
    return tuple(out)
