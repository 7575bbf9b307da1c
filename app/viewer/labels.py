"""Many segments over an image from one plane of numbers: one sampling and one table, however many segments there are."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.label_grid import LabelGrid
from app.viewer.layers import LabelLayer
from app.viewer.slice_sampler import constant_axis, index_from_pane
from app.viewer.view_state import ResolvedView

U8 = npt.NDArray[np.uint8]
_BLOCK_ROWS = 128
_HATCH_PX = 6


def sample_labels(grid: LabelGrid, resolved: ResolvedView) -> npt.NDArray[np.generic] | None:
    """(h, w) numbers of the nearest voxels; 0 outside. None in another frame of reference, and across slices that are
    still being made (``grid.complete``)."""
    plane = resolved.geometry.plane
    if plane is None:
        return None
    geometry = grid.geometry
    theirs, ours = geometry.frame_of_reference_uid, plane.frame_of_reference_uid
    if theirs and ours and theirs != ours:
        return None
    matrix = index_from_pane(resolved, geometry)
    axis = constant_axis(matrix)
    if (axis is None or axis != 2) and not grid.complete:
        return None
    if axis is None:
        return _gathered(grid, matrix, resolved.size)
    array_axis = 2 - axis
    at = float(matrix[axis, 3])
    n = geometry.shape[array_axis]
    width, height = resolved.size
    if not -0.5 <= at < n - 0.5 + 1e-9:
        return np.zeros((height, width), np.uint8)
    k = min(max(math.floor(at + 0.5), 0), n - 1)
    flat = grid.plane(k) if array_axis == 0 else np.take(grid.whole(), k, axis=array_axis)
    others = [a for a in (0, 1, 2) if a != axis]
    m = matrix[[others[0], others[1]]][:, [0, 1, 3]].copy()
    m[:, 2] += m[:, :2] @ np.array([0.5, 0.5])
    # OpenCV rounds halves up and down by turns: a hair keeps a pixel centre that lies between two voxels on one side.
    m[:, 2] += 1e-6
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(flat), m, resolved.size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0
        )
    )


def _gathered(grid: LabelGrid, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.generic]:
    """An oblique plane, nearest voxel by voxel."""
    voxels = grid.whole()
    w, h = size
    out = np.zeros((h, w), voxels.dtype)
    x = np.arange(w) + 0.5
    shape = np.asarray(voxels.shape[::-1])
    for top in range(0, h, _BLOCK_ROWS):
        y = np.arange(top, min(top + _BLOCK_ROWS, h)) + 0.5
        index = [
            np.floor(matrix[a, 0] * x[None, :] + matrix[a, 1] * y[:, None] + matrix[a, 3] + 0.5).astype(np.int32)
            for a in range(3)
        ]
        inside = np.logical_and.reduce([(index[a] >= 0) & (index[a] < shape[a]) for a in range(3)])
        rows, columns = np.nonzero(inside)
        out[top + rows, columns] = voxels[index[2][inside], index[1][inside], index[0][inside]]
    return out


def table_of(rgb: npt.NDArray[np.uint8], opacity: float) -> npt.NDArray[np.int32]:
    """65536 BGRX words indexed by (label << 8 | grey): the colour of the label over the grey; label 0 leaves it."""
    grey = np.arange(256, dtype=np.float64)
    out = np.empty((256, 256, 4), dtype=np.uint8)
    alpha = np.full(256, opacity)
    alpha[0] = 0.0
    colours = np.zeros((256, 3))
    colours[: len(rgb)] = rgb[:256]
    for channel, source in enumerate((2, 1, 0)):
        blended = grey[None, :] * (1.0 - alpha)[:, None] + (colours[:, source] * alpha)[:, None]
        out[..., channel] = (blended + 0.5).astype(np.uint8)
    out[..., 3] = 255
    return out.reshape(-1).view(np.int32)


def as_bytes(labels: npt.NDArray[np.generic]) -> U8:
    """At most 255 colours: numbers above share the colours of those below (1 again after 255)."""
    if labels.dtype == np.uint8:
        return np.ascontiguousarray(labels)
    wide = labels.astype(np.int32)
    return np.where(wide > 0, (wide - 1) % 255 + 1, 0).astype(np.uint8)


def edges_of(labels: U8, width_px: int) -> npt.NDArray[np.bool_]:
    """True on the inner side of every border of a segment, also between two segments."""
    kernel = np.ones((2 * width_px + 1,) * 2, np.uint8)
    high = cv2.dilate(labels, kernel, borderType=cv2.BORDER_REPLICATE)
    low = cv2.erode(labels, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray((high != low) & (labels > 0))


def with_labels(pixels: U8, layer: LabelLayer, labels: npt.NDArray[np.generic]) -> U8:
    """``pixels`` (h, w) grey or (h, w, 4) BGRX with the segments over them, as (h, w, 4) BGRX."""
    if not labels.any():
        return pixels if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA), dtype=np.uint8)
    numbers = as_bytes(labels)
    if pixels.ndim == 2:
        pair = np.asarray(cv2.merge([pixels, numbers])).view(np.uint16)[..., 0]
        out = np.asarray(cv2.LUT(pair, layer.table)).reshape(pixels.shape).view(np.uint8).reshape(*pixels.shape, 4)
    else:
        out = pixels.copy()
        there = numbers > 0
        opacity = layer.appearance.opacity
        mixed = out[there][:, :3] * (1.0 - opacity) + layer.rgb[numbers[there]][:, ::-1] * opacity
        out[there, :3] = np.floor(mixed + 0.5).astype(np.uint8)
    if layer.outline_px > 0:
        edge = edges_of(numbers, layer.outline_px)
        out[edge, :3] = layer.rgb[numbers[edge]][:, ::-1]
    return out


def with_labels_below(pixels: U8, layer: LabelLayer, labels: npt.NDArray[np.generic]) -> U8:
    """Segments that lie under others where they share voxels: outlined and hatched in their own colour."""
    if not labels.any():
        return pixels
    numbers = as_bytes(labels)
    out = pixels.copy() if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA), dtype=np.uint8)
    y, x = np.nonzero(numbers)
    striped = (x + y) % _HATCH_PX < _HATCH_PX // 3
    y, x = y[striped], x[striped]
    out[y, x, :3] = layer.rgb[numbers[y, x]][:, ::-1]
    edge = edges_of(numbers, max(1, layer.outline_px))
    out[edge, :3] = layer.rgb[numbers[edge]][:, ::-1]
    return out
