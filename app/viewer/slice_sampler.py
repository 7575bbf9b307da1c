"""Modality values at viewport resolution: the first step of the 2D path, for frames, MPR, oblique planes and slabs.

Frames and planes along the grid of a volume are numpy views warped by OpenCV; every other plane goes through
``reslice``. Values are interpolated here, before any window (interpolating grey levels would be wrong by levels).
"""

from __future__ import annotations

import math
import threading
import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.finding import Heatmap
from app.domain.geometry import PlaneGeometry, Point3, VolumeGeometry
from app.domain.volume import Volume
from app.viewer.no_value import grid_slab, oblique
from app.viewer.pyramid import RIM, PreparedImage
from app.viewer.quick_zoom import SAME_PX, quick_sample, quick_zoom
from app.viewer.reslice import OUTSIDE, reslice
from app.viewer.view_state import (
    ImageGeometry,
    Matrix23,
    Plane,
    ResolvedView,
    Size,
    SlabMode,
    ViewState,
    plane_axes,
    volume_centre,
)

Values = npt.NDArray[np.generic]
_ALIGNED = 1.0 - 1e-6


@dataclass(frozen=True, eq=False)
class Sampled:
    """``values``: (h, w) float32 or (h, w, 3) uint8; ``outside`` True where no image is, None when all is image."""

    values: Values
    outside: npt.NDArray[np.bool_] | None
    exact: bool = False
    """The values are stored ones, none was interpolated."""


def _unit(v: Point3) -> npt.NDArray[np.float64]:
    a = np.asarray(v, dtype=np.float64)
    return np.asarray(a / math.hypot(*v))


def _steps(geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """Columns are the steps of (k, j, i) in mm."""
    return np.asarray(geometry.affine[:3, :3])


def grid_axes(geometry: VolumeGeometry, view: ViewState) -> tuple[tuple[int, int], tuple[int, int], int] | None:
    """((axis, sign) to the right, (axis, sign) down, axis through) when the view's plane runs along the grid.

    Axes are 0, 1, 2 for k, j, i; None for every other plane.
    """
    if view.plane is Plane.RENDERED:
        return None
    return _axes_along((geometry.k_step_mm, geometry.j_step_mm, geometry.i_step_mm), *plane_axes(view))


@lru_cache(maxsize=256)
def _axes_along(
    steps_mm: tuple[Point3, Point3, Point3], right: Point3, down: Point3
) -> tuple[tuple[int, int], tuple[int, int], int] | None:
    """Asked for many times in every picture; each small product hands the interpreter to another thread."""
    steps = np.asarray(steps_mm, dtype=np.float64).T
    unit_steps = steps / np.linalg.norm(steps, axis=0)
    found: list[tuple[int, int]] = []
    # The third axis too: in a tilted grid the slices of a plane are shifted against each other along it.
    for direction in (_unit(right), _unit(down), np.cross(_unit(right), _unit(down))):
        along = direction @ unit_steps
        axis = int(np.argmax(np.abs(along)))
        if abs(along[axis]) < _ALIGNED:
            return None
        found.append((axis, 1 if along[axis] > 0 else -1))
    if len({axis for axis, _ in found}) != 3:
        return None
    return found[0], found[1], 3 - found[0][0] - found[1][0]


def scroll_step_mm(geometry: VolumeGeometry, view: ViewState) -> float:
    """One step of the wheel: the slice distance along the grid, else the finest spacing."""
    axes = grid_axes(geometry, view)
    return geometry.spacing_mm[axes[2]] if axes else min(geometry.spacing_mm)


def slice_position(geometry: VolumeGeometry, view: ViewState) -> tuple[int, int] | None:
    """(slice number from 0, number of slices) of a plane along the grid."""
    axes = grid_axes(geometry, view)
    if axes is None:
        return None
    n = geometry.shape[axes[2]]
    at = geometry.to_index(view.point_mm or volume_centre(geometry))[axes[2]]
    return (min(max(math.floor(at + 0.5), 0), n - 1), n)


def normal_of(view: ViewState) -> Point3:
    """Unit normal of an MPR plane, right x down."""
    return _normal_of(*plane_axes(view))


@lru_cache(maxsize=256)
def _normal_of(right: Point3, down: Point3) -> Point3:
    n = np.cross(_unit(right), _unit(down))
    return (float(n[0]), float(n[1]), float(n[2]))


def mpr_geometry(geometry: VolumeGeometry, view: ViewState) -> ImageGeometry:
    """The flat image that ``view`` cuts out of a volume: voxels themselves along the grid, else a fine square grid."""
    point = view.point_mm or volume_centre(geometry)
    axes = grid_axes(geometry, view)
    right, down = plane_axes(view)
    if axes is not None:
        (right_axis, right_sign), (down_axis, down_sign), through = axes
        index = [0.0, 0.0, 0.0]
        position = slice_position(geometry, view)
        index[through] = float(position[0] if position else 0)
        for axis, sign in ((right_axis, right_sign), (down_axis, down_sign)):
            index[axis] = 0.0 if sign > 0 else float(geometry.shape[axis] - 1)
        spacing = geometry.spacing_mm
        plane = PlaneGeometry(
            geometry.to_patient((index[0], index[1], index[2])),
            right,
            down,
            spacing[down_axis],
            spacing[right_axis],
            geometry.shape[down_axis],
            geometry.shape[right_axis],
            geometry.frame_of_reference_uid,
            geometry.in_patient,
        )
        return ImageGeometry.of_plane(plane, interpolated=view.slab_mm > 0)
    spacing_mm = min(geometry.spacing_mm)
    ends = np.array([[-0.5, n - 0.5] for n in geometry.shape])
    corners = geometry.to_patient_many(np.array(np.meshgrid(*ends)).reshape(3, -1).T)
    relative = corners - np.asarray(point)
    u, v = _unit(right), _unit(down)
    low_u, high_u = float((relative @ u).min()), float((relative @ u).max())
    low_v, high_v = float((relative @ v).min()), float((relative @ v).max())
    columns = max(1, math.ceil((high_u - low_u) / spacing_mm - 1e-6))
    rows = max(1, math.ceil((high_v - low_v) / spacing_mm - 1e-6))
    origin = np.asarray(point) + u * (low_u + spacing_mm / 2) + v * (low_v + spacing_mm / 2)
    plane = PlaneGeometry(
        (float(origin[0]), float(origin[1]), float(origin[2])),
        (float(u[0]), float(u[1]), float(u[2])),
        (float(v[0]), float(v[1]), float(v[2])),
        spacing_mm,
        spacing_mm,
        rows,
        columns,
        geometry.frame_of_reference_uid,
        geometry.in_patient,
    )
    return ImageGeometry.of_plane(plane, interpolated=True)


def index_from_pane(resolved: ResolvedView, geometry: VolumeGeometry, step_mm: float = 1.0) -> npt.NDArray[np.float64]:
    """3 x 4: (pane x, pane y, steps along the normal, 1) to fractional (i, j, k) of ``geometry``."""
    plane = resolved.geometry.plane
    if plane is None:
        raise ValueError("the image has no position in the patient")
    row, column = np.asarray(plane.row_cosines), np.asarray(plane.column_cosines)
    px_steps = np.stack([row * plane.column_spacing_mm, column * plane.row_spacing_mm], axis=1)
    corner = np.asarray(plane.origin_mm) - px_steps @ np.array([0.5, 0.5])
    patient = np.zeros((3, 4))
    patient[:, :2] = px_steps @ resolved.px_from_pane[:, :2]
    patient[:, 2] = np.asarray(plane.normal) * step_mm
    patient[:, 3] = corner + px_steps @ resolved.px_from_pane[:, 2]
    inverse = np.linalg.inv(_steps(geometry))
    index = inverse @ patient
    index[:, 3] -= inverse @ np.asarray(geometry.origin_mm)
    return np.asarray(index[::-1])


def _warp(source: Values, index_from_dst: Matrix23, size: Size) -> Values:
    """``index_from_dst``: destination (x, y) corner px to source (column, row) indices; 0 comes in from beyond the edge."""
    m = index_from_dst.copy()
    m[:, 2] += index_from_dst[:, :2] @ np.array([0.5, 0.5])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(source, m, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0))


def visible_part(resolved: ResolvedView) -> tuple[ResolvedView, tuple[int, int]] | None:
    """The part of the pane that the image can cover, as a view of its own with its offset; None when nothing is visible."""
    g, (w, h) = resolved.geometry, resolved.size
    corners = [resolved.px_to_pane(x, y) for x in (0, g.columns) for y in (0, g.rows)]
    xs, ys = [c[0] for c in corners], [c[1] for c in corners]
    x0, y0 = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
    x1, y1 = min(w, math.ceil(max(xs))), min(h, math.ceil(max(ys)))
    if x1 <= x0 or y1 <= y0:
        return None
    if (x0, y0, x1, y1) == (0, 0, w, h):
        return resolved, (0, 0)
    forward, backward = resolved.pane_from_px.copy(), resolved.px_from_pane.copy()
    forward[:, 2] -= (x0, y0)
    backward[:, 2] += backward[:, :2] @ np.array([x0, y0], dtype=np.float64)
    return ResolvedView(resolved.view, (x1 - x0, y1 - y0), g, forward, backward), (x0, y0)


def outside_of(resolved: ResolvedView) -> npt.NDArray[np.bool_] | None:
    """True for pane pixels whose centre is not on the image; None when all are."""
    w, h = resolved.size
    m = resolved.px_from_pane
    columns, rows = resolved.geometry.columns, resolved.geometry.rows
    if m[0, 1] == 0.0 and m[1, 0] == 0.0:
        x = m[0, 0] * (np.arange(w) + 0.5) + m[0, 2]
        y = m[1, 1] * (np.arange(h) + 0.5) + m[1, 2]
    elif m[0, 0] == 0.0 and m[1, 1] == 0.0:
        y = m[1, 0] * (np.arange(w) + 0.5) + m[1, 2]
        x = m[0, 1] * (np.arange(h) + 0.5) + m[0, 2]
        out_of_rows, out_of_columns = (y < 0) | (y >= rows), (x < 0) | (x >= columns)
        if not (out_of_rows.any() or out_of_columns.any()):
            return None
        return np.asarray(out_of_columns[:, None] | out_of_rows[None, :])
    else:
        px, py = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
        x2 = m[0, 0] * px + m[0, 1] * py + m[0, 2]
        y2 = m[1, 0] * px + m[1, 1] * py + m[1, 2]
        outside = (x2 < 0) | (x2 >= columns) | (y2 < 0) | (y2 >= rows)
        return outside if outside.any() else None
    left_right, up_down = (x < 0) | (x >= columns), (y < 0) | (y >= rows)
    if not (left_right.any() or up_down.any()):
        return None
    return np.asarray(up_down[:, None] | left_right[None, :])


def sample_image(image: PreparedImage, resolved: ResolvedView) -> Sampled:
    """A flat image in the pane: bilinear, from the pyramid level that leaves no pixel out."""
    level = image.level_for(resolved.scale)
    outside = outside_of(resolved)
    if level == 0 and resolved.is_identity_grid and outside is None and not image.is_colour:
        x, y = (int(v) for v in resolved.px_from_pane[:, 2])
        w, h = resolved.size
        return Sampled(image.values[y : y + h, x : x + w], None, exact=True)
    zoom = quick_zoom(image, resolved, SAME_PX)
    if zoom is not None:
        return Sampled(zoom.sample(image), outside)
    m = resolved.px_from_pane / 2.0**level
    m[:, 2] += RIM - 0.5
    w, h = resolved.size
    corners = m[:, :2] @ np.array([[0.0, w, 0.0, w], [0.0, 0.0, h, h]]) + m[:, 2:]
    ends = []
    for axis, length in ((1, image.shape[0]), (0, image.shape[1])):
        most = -(-length // 2**level) + 2 * RIM
        first = min(max(math.floor(corners[axis].min()) - 1, 0), most - 1)
        ends.append((first, max(min(math.ceil(corners[axis].max()) + 2, most), first + 1)))
    m[:, 2] -= (ends[1][0], ends[0][0])
    return Sampled(_warp(image.piece(level, ends[0], ends[1]), m, resolved.size), outside)


def plane_image(volume: Volume, view: ViewState) -> Values | None:
    """The grid plane of an MPR view as (rows, columns) values matching ``mpr_geometry``; None off the grid.

    With a slab: every slice whose centre lies within half the slab from the plane is projected.
    """
    axes = grid_axes(volume.geometry, view)
    position = slice_position(volume.geometry, view)
    if axes is None or position is None:
        return None
    (right_axis, right_sign), (down_axis, down_sign), through = axes
    half = int(view.slab_mm / 2.0 / volume.geometry.spacing_mm[through] + 1e-9)
    at, n = position
    first, last = max(0, at - half), min(n, at + half + 1)
    picked = np.take(volume.voxels, range(first, last), axis=through) if half else None
    if picked is None:
        flat = volume.voxels[(slice(None),) * through + (at,)]
    elif volume.no_value is not None:
        nothing = volume.no_value.box(*(slice(first, last) if axis == through else slice(None) for axis in range(3)))
        flat = grid_slab(picked, nothing, view.slab_mode, through)
    elif view.slab_mode is SlabMode.MEAN:
        flat = picked.mean(axis=through, dtype=np.float32)
    else:
        flat = picked.max(axis=through) if view.slab_mode is SlabMode.MAXIMUM else picked.min(axis=through)
    if down_axis > right_axis:
        flat = flat.T
    return np.ascontiguousarray(flat[::down_sign, ::right_sign])


def plane_without_value(volume: Volume, view: ViewState) -> npt.NDArray[np.bool_] | None:
    """True where no slice of :func:`plane_image` has a value, in its order; None when all have, and off the grid."""
    axes, position = grid_axes(volume.geometry, view), slice_position(volume.geometry, view)
    if volume.no_value is None or axes is None or position is None:
        return None
    (right_axis, right_sign), (down_axis, down_sign), through = axes
    half = int(view.slab_mm / 2.0 / volume.geometry.spacing_mm[through] + 1e-9)
    at, n = position
    flat = volume.no_value.plane(through, max(0, at - half))
    for other in range(max(0, at - half) + 1, min(n, at + half + 1)):
        flat = flat & volume.no_value.plane(through, other)
    if down_axis > right_axis:
        flat = flat.T
    return np.ascontiguousarray(flat[::down_sign, ::right_sign])


def _through_step_mm(geometry: VolumeGeometry, resolved: ResolvedView) -> float:
    """One voxel of the fastest index axis along the plane's normal, but no more than 1.5 of the finest spacing."""
    plane = resolved.geometry.plane
    if plane is None:
        raise ValueError("the image has no position in the patient")
    speed = np.abs(np.linalg.inv(_steps(geometry)) @ np.asarray(plane.normal))
    return min(float(1.0 / speed.max()), 1.5 * min(geometry.spacing_mm))


def sample_volume(volume: Volume, resolved: ResolvedView, draft: bool = False, measured: bool = False) -> Sampled:
    """A plane or slab off the grid at pane resolution. ``draft``: a quarter of the samples, for a moving plane.

    Voxels without a value have no share in a mean or a minimum; ``measured``: in nothing, and ``outside`` says so.
    """
    view = resolved.view
    size = resolved.size
    step = _through_step_mm(volume.geometry, resolved)
    slices = max(1, round(view.slab_mm / step)) if view.slab_mm > 0 else 1
    matrix = index_from_pane(resolved, volume.geometry, step)
    if draft:
        size = (-(-size[0] // 2), -(-size[1] // 2))
        matrix[:, :2] *= 2.0
        if slices > 1:
            slices = max(2, slices // 2)
            matrix[:, 2] *= 2.0
    nothing: npt.NDArray[np.bool_] | None = None
    if volume.no_value is not None and (measured or (slices > 1 and view.slab_mode is not SlabMode.MAXIMUM)):
        values, nothing = oblique(volume, matrix, size, slices, view.slab_mode)
    else:
        values = reslice(volume, volume.voxels, matrix, size, slices, view.slab_mode)
    outside = values <= OUTSIDE / 2
    if measured and nothing is not None:
        outside |= nothing
    any_outside = bool(outside.any())
    if any_outside:
        np.copyto(values, 0.0, where=outside)
    if draft:
        w, h = resolved.size
        whole = (size[0] * 2, size[1] * 2)
        values = np.asarray(cv2.resize(values, whole, interpolation=cv2.INTER_LINEAR))[:h, :w]
        if any_outside:
            twice = cv2.resize(outside.view(np.uint8), whole, interpolation=cv2.INTER_NEAREST)
            outside = np.asarray(twice)[:h, :w].view(np.bool_)
    return Sampled(values, outside if any_outside else None)


def constant_axis(matrix: npt.NDArray[np.float64]) -> int | None:
    """The index axis (of i, j, k) that does not change across the pane, if there is exactly one."""
    moving = np.abs(matrix[:, :2]).max(axis=1)
    still = [axis for axis in range(3) if moving[axis] < 1e-9 + 1e-7 * moving.max()]
    return still[0] if len(still) == 1 else None


def sample_grid(
    owner: Any, voxels: Values, geometry: VolumeGeometry, resolved: ResolvedView, quick: bool = False
) -> npt.NDArray[np.float32]:
    """Any scalar grid (heatmap, mask, second volume) on the plane that a pane shows; 0 outside the grid.

    ``quick``: within half a pixel, while something moves.
    """
    matrix = index_from_pane(resolved, geometry)
    axis = constant_axis(matrix)
    if axis is None:
        values = reslice(owner, voxels, matrix, resolved.size)
        values[values <= OUTSIDE / 2] = 0.0
        return values
    array_axis = 2 - axis
    n = voxels.shape[array_axis]
    at = float(matrix[axis, 3])
    if not -0.5 <= at <= n - 0.5:
        return np.zeros((resolved.size[1], resolved.size[0]), dtype=np.float32)
    low = min(max(math.floor(at), 0), n - 1)
    part = min(max(at - low, 0.0), 1.0)
    flat = np.take(voxels, low, axis=array_axis).astype(np.float32)
    if part > 1e-6 and low + 1 < n:
        flat = flat * np.float32(1.0 - part) + np.take(voxels, low + 1, axis=array_axis).astype(np.float32) * np.float32(
            part
        )
    # What is left has (rows, columns) = the two other array axes, the later one running fastest.
    others = [a for a in (0, 1, 2) if a != axis]
    m = matrix[[others[0], others[1]]][:, [0, 1, 3]]
    flat = np.ascontiguousarray(flat)
    if quick:
        wider = np.asarray(cv2.copyMakeBorder(flat, RIM, RIM, RIM, RIM, cv2.BORDER_CONSTANT, value=0))
        found = quick_sample(wider, m + np.array([[0.0, 0.0, RIM], [0.0, 0.0, RIM]]), resolved.size)
        if found is not None:
            return np.asarray(found, dtype=np.float32)
    return np.asarray(_warp(flat, m, resolved.size), dtype=np.float32)


_films: weakref.WeakKeyDictionary[Any, PreparedImage] = weakref.WeakKeyDictionary()
_films_lock = threading.Lock()


def sample_film_grid(owner: Any, values: Values, resolved: ResolvedView, quick: bool = False) -> npt.NDArray[np.float32]:
    """A grid that spans a whole film at its own resolution, on the pane; 0 beyond the film's edge.

    ``quick``: within half a pixel, while something moves.
    """
    rows, columns = values.shape
    with _films_lock:
        prepared_grid = _films.get(owner)
        if prepared_grid is None:
            prepared_grid = _films[owner] = PreparedImage(np.asarray(values, dtype=np.float32))
    m = resolved.px_from_pane.copy()
    m[0] *= columns / resolved.geometry.columns
    m[1] *= rows / resolved.geometry.rows
    m[:, 2] += RIM - 0.5
    found = quick_sample(prepared_grid.level(0), m, resolved.size) if quick else None
    out = np.asarray(_warp(prepared_grid.level(0), m, resolved.size) if found is None else found, dtype=np.float32)
    outside = outside_of(resolved)
    if outside is not None:
        out[outside] = 0.0
    return out


def sample_heatmap(
    heatmap: Heatmap, sop_instance_uid: str, resolved: ResolvedView, quick: bool = False
) -> npt.NDArray[np.float32] | None:
    """Absolute probabilities on the pane; None when the heatmap belongs to another image or frame of reference."""
    if heatmap.geometry is None:
        if heatmap.sop_instance_uid and heatmap.sop_instance_uid != sop_instance_uid:
            return None
        return sample_film_grid(heatmap, heatmap.values, resolved, quick)
    plane = resolved.geometry.plane
    if plane is None:
        return None
    theirs, ours = heatmap.geometry.frame_of_reference_uid, plane.frame_of_reference_uid
    if theirs and ours and theirs != ours:
        return None
    return sample_grid(heatmap, heatmap.values, heatmap.geometry, resolved, quick)
