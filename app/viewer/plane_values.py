"""Modality values on the image px grid of what a pane shows, for measuring: never at viewport resolution."""

from __future__ import annotations

import threading
import weakref

import numpy as np
import numpy.typing as npt

from app.domain.volume import Volume
from app.viewer.layers import ImageLayer
from app.viewer.slice_sampler import plane_image, plane_without_value, sample_volume
from app.viewer.view_state import ImageGeometry, Plane, ResolvedView, ViewState, resolve

_last: weakref.WeakKeyDictionary[Volume, tuple[object, npt.NDArray[np.generic]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def without(padding: npt.NDArray[np.bool_] | None, covered: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
    """Both masks of what is not measured as one."""
    if padding is None or covered is None:
        return covered if padding is None else padding
    return np.asarray(padding | covered)


def plane_padding(layer: ImageLayer, resolved: ResolvedView) -> npt.NDArray[np.bool_] | None:
    """True where the image of :func:`plane_values` has no value: padding, and what a correction put around.

    None where it has one everywhere, and off the grid: there the values themselves are NaN.
    """
    if layer.frame is not None:
        return layer.frame.padding
    volume = layer.volume
    if volume is None or volume.no_value is None:
        return None
    view = resolved.view
    if view.plane is Plane.STACK:
        return volume.no_value.plane(0, min(max(view.frame_index, 0), volume.geometry.shape[0] - 1))
    return plane_without_value(volume, view)


def plane_values(layer: ImageLayer, resolved: ResolvedView) -> npt.NDArray[np.generic] | None:
    """(rows, columns) of ``resolved.geometry``; stored slices where the plane is one, else resampled; None for colour."""
    if layer.frame is not None:
        return None if layer.frame.is_colour else layer.frame.values
    volume = layer.volume
    if volume is None:
        return None
    view = resolved.view
    if view.plane is Plane.STACK:
        return np.asarray(volume.voxels[min(max(view.frame_index, 0), volume.geometry.shape[0] - 1)])
    key = (view.plane, view.point_mm, view.oblique_row, view.oblique_column, view.slab_mm, view.slab_mode)
    with _lock:
        kept = _last.get(volume)
    if kept is not None and kept[0] == key:
        return kept[1]
    values = plane_image(volume, view)
    if values is None:
        values = _off_grid(volume, view, resolved.geometry)
    with _lock:
        _last[volume] = (key, values)
    return values


def _off_grid(volume: Volume, view: ViewState, geometry: ImageGeometry) -> npt.NDArray[np.generic]:
    """NaN outside the volume and where it has no value, which statistics leave out."""
    bare = ViewState(
        plane=view.plane,
        point_mm=view.point_mm,
        oblique_row=view.oblique_row,
        oblique_column=view.oblique_column,
        slab_mm=view.slab_mm,
        slab_mode=view.slab_mode,
    )
    sampled = sample_volume(volume, resolve(bare, (geometry.columns, geometry.rows), geometry), measured=True)
    values = np.asarray(sampled.values, dtype=np.float32)
    if sampled.outside is not None:
        values[sampled.outside] = np.nan
    return values
