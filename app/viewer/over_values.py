"""Values of the images that lie over others, at places of the image below: stored voxels, neither blended nor interpolated.

A pixel of the image below has the value of the voxel that its centre lies in. So a mean over a region weighs the voxels by
the area that they share with it, and its maximum is a stored value. Where a part of a region lies beyond the upper images
nothing is told of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2, Point3, index_from_px
from app.domain.measurement import MarkShape, Measurement, Quantity
from app.domain.pixels import VoiWindow
from app.viewer.fusion import window_of
from app.viewer.layers import FusionLayer, OverMode
from app.viewer.measure import region, ucum
from app.viewer.no_value import has_value
from app.viewer.suv import SUV_UNIT
from app.viewer.view_state import ImageGeometry

_TIE = 1e-4
"""Of a voxel: a place that lies between two voxels is the lower one's, however it was rounded on the way."""


@dataclass(frozen=True, eq=False)
class OverValues:
    """``of``: the word before each value. ``suv``: what makes the stored values SUVbw, where that is known."""

    layer: FusionLayer
    of: str
    suv: float | None = None

    @property
    def windowed(self) -> bool:
        """It has a window of its own."""
        return self.layer.mode is OverMode.BLEND

    @property
    def window(self) -> VoiWindow:
        return window_of(self.layer)

    @property
    def unit(self) -> str:
        return ucum(self.layer.volume.unit) if self.suv is None else SUV_UNIT

    def at(self, point_mm: Point3 | None) -> tuple[Measurement, ...]:
        """The value at a place in the patient; () beyond the upper images and where they have none."""
        if point_mm is None:
            return ()
        k, j, i = (math.floor(v + 0.5 - _TIE) for v in self.layer.geometry.to_index(point_mm))
        voxels = self.layer.volume.voxels
        if not all(0 <= a < n for a, n in zip((k, j, i), voxels.shape, strict=True)):
            return ()
        if not has_value(self.layer.volume, k, j, i):
            return ()
        return (self._told(Quantity.OVERLAY_VALUE, float(voxels[k, j, i])),)

    def measured(self, shape: MarkShape, points: Sequence[Point2], geometry: ImageGeometry) -> tuple[Measurement, ...]:
        """Of a shape drawn on the image below, in its px."""
        if shape is MarkShape.POINT:
            return self.at(geometry.px_to_patient(*points[0]))
        rows, columns, mask = region(shape, points, geometry.rows, geometry.columns)
        if geometry.plane is None or not mask.any():
            return ()
        j, i = np.nonzero(mask)
        found = self.values_at(np.stack([j + rows.start, i + columns.start], axis=1), geometry)
        if found is None:
            return ()
        mean = float(found.mean())
        spread = math.sqrt(float(np.mean((found - mean) ** 2)))
        return (
            self._told(Quantity.OVERLAY_MEAN, mean),
            self._told(Quantity.OVERLAY_STANDARD_DEVIATION, spread),
            self._told(Quantity.OVERLAY_MINIMUM, float(found.min())),
            self._told(Quantity.OVERLAY_MAXIMUM, float(found.max())),
        )

    def values_at(self, pixels: npt.NDArray[np.int_], geometry: ImageGeometry) -> npt.NDArray[np.float64] | None:
        """(n,) of (n, 2) rows and columns of the image below; None when one of them has no value there."""
        plane = geometry.plane
        if plane is None:
            return None
        # Three points make the affine map from a pixel to the upper grid.
        corner, down, right = (
            np.asarray(self.layer.geometry.to_index(plane.to_patient(*at))) for at in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
        )
        at = corner + pixels[:, :1] * (down - corner) + pixels[:, 1:] * (right - corner)
        nearest = np.floor(at + 0.5 - _TIE).astype(np.int64)
        voxels = self.layer.volume.voxels
        if not ((nearest >= 0) & (nearest < np.asarray(voxels.shape))).all():
            return None
        nothing = self.layer.volume.no_value
        if nothing is not None and nothing.at(nearest[:, 0], nearest[:, 1], nearest[:, 2]).any():
            return None
        return np.asarray(voxels[nearest[:, 0], nearest[:, 1], nearest[:, 2]], dtype=np.float64)

    def plane_again(self, points: Sequence[Point2], geometry: ImageGeometry) -> npt.NDArray[np.float64] | None:
        """(rows, columns) of the image below around ``points`` (px), NaN elsewhere: pixel by pixel through the patient.

        For the second computation: it shares no arithmetic with :meth:`values_at`.
        """
        plane = geometry.plane
        if plane is None:
            return None
        out = np.full((geometry.rows, geometry.columns), np.nan)
        at = [index_from_px(*p) for p in points]
        rows = range(max(0, math.floor(min(p[1] for p in at)) - 1), min(geometry.rows, math.ceil(max(p[1] for p in at)) + 2))
        across = range(
            max(0, math.floor(min(p[0] for p in at)) - 1), min(geometry.columns, math.ceil(max(p[0] for p in at)) + 2)
        )
        if not rows or not across:
            return None
        voxels = self.layer.volume.voxels
        for j in rows:
            line = np.asarray([plane.to_patient(float(j), float(i)) for i in across])
            for i, index in zip(across, self.layer.geometry.to_index_many(line), strict=True):
                k, row, column = (math.ceil(v - 0.5 - _TIE) for v in index)
                if 0 <= k < voxels.shape[0] and 0 <= row < voxels.shape[1] and 0 <= column < voxels.shape[2]:
                    out[j, i] = float(voxels[k, row, column])
        return out

    def _told(self, quantity: Quantity, stored: float) -> Measurement:
        return Measurement(quantity, stored * (self.suv or 1.0), self.unit, of=self.of)
