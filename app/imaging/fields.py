"""Smooth random fields and soft shapes: the building blocks of generated anatomy. Arrays in, arrays out.

All fields are float32. Randomness comes only from the ``numpy.random.Generator`` that is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_SHIFT = 4
_SUB = 1 << _SHIFT


def power_noise(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    beta: float,
    *,
    longest_px: float = float("inf"),
    shortest_px: float = 0.0,
) -> Image:
    """Random field of any dimension with power spectrum 1/f^beta between two wavelengths; mean 0, standard deviation 1.

    The field is periodic. ``beta`` 0 is white noise, 3 looks like breast tissue, 4 like clouds.
    """
    from scipy import fft

    white = rng.standard_normal(shape, dtype=np.float32)
    spectrum = fft.rfftn(white)
    squares = [np.fft.fftfreq(n).astype(np.float32) ** 2 for n in shape[:-1]]
    squares.append((np.fft.rfftfreq(shape[-1]) ** 2).astype(np.float32))
    grids = np.meshgrid(*squares, indexing="ij", sparse=True)
    f2 = np.zeros(spectrum.shape, np.float32)
    for grid in grids:
        f2 += grid
    f2[(0,) * len(shape)] = 1.0
    gain = f2 ** np.float32(-beta / 4)
    if longest_px < float("inf"):
        gain[f2 < (1.0 / longest_px) ** 2] = 0
    if shortest_px > 0:
        gain *= np.exp(-f2 * np.float32(shortest_px**2 / 2))
    gain[(0,) * len(shape)] = 0
    field = fft.irfftn(spectrum * gain, s=shape).astype(np.float32)
    return np.asarray(field / max(float(field.std()), 1e-12), np.float32)


def blur(image: Image, sigma_px: float) -> Image:
    """Gaussian blur; no change below a tenth of a pixel."""
    if sigma_px < 0.1:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)


def resize(image: Image, shape: tuple[int, int], *, smooth: bool = True) -> Image:
    """To ``shape`` (rows, columns): cubic or linear when growing, area average when shrinking."""
    shrinking = shape[0] < image.shape[0]
    how = cv2.INTER_AREA if shrinking else (cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=how), np.float32)


def sample(image: Image, x: Image, y: Image, *, wrap: bool = False) -> Image:
    """Linear samples of ``image`` at columns ``x`` and rows ``y``; outside 0, or periodic with ``wrap``."""
    border = cv2.BORDER_WRAP if wrap else cv2.BORDER_CONSTANT
    return np.asarray(
        cv2.remap(
            image,
            np.ascontiguousarray(x, dtype=np.float32),
            np.ascontiguousarray(y, dtype=np.float32),
            cv2.INTER_LINEAR,
            borderMode=border,
        ),
        np.float32,
    )


def plane_of(field: Image, k: float, shape: tuple[int, int]) -> Image:
    """Plane at fractional index ``k`` (periodic) of a 3-D field, grown to ``shape``."""
    count = field.shape[0]
    low = int(np.floor(k))
    t = np.float32(k - low)
    mixed = field[low % count] * (1 - t) + field[(low + 1) % count] * t
    return resize(np.ascontiguousarray(mixed, dtype=np.float32), shape)


def polygon(shape: tuple[int, int], points: Points) -> Image:
    """Filled polygon of (x, y) points, anti-aliased, 0..1."""
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [np.rint(points * _SUB).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    return np.asarray(canvas.astype(np.float32) / 255.0, np.float32)


def polyline(shape: tuple[int, int], points: Points, width_px: float, *, closed: bool = False) -> Image:
    """Anti-aliased line through (x, y) points, 0..1; widths below 1 px are fainter."""
    canvas = np.zeros(shape, np.uint8)
    pixels = [np.rint(points * _SUB).astype(np.int32)]
    cv2.polylines(canvas, pixels, closed, 255, max(1, round(width_px)), cv2.LINE_AA, _SHIFT)
    return np.asarray(canvas.astype(np.float32) * np.float32(min(1.0, width_px) / 255.0), np.float32)


def polylines(shape: tuple[int, int], curves: Sequence[Points], width_px: int) -> Image:
    """Union of many anti-aliased lines of one width, 0..1; much faster than one by one."""
    canvas = np.zeros(shape, np.uint8)
    pixels = [np.rint(points * _SUB).astype(np.int32) for points in curves]
    cv2.polylines(canvas, pixels, False, 255, width_px, cv2.LINE_AA, _SHIFT)
    return np.asarray(canvas.astype(np.float32) / 255.0, np.float32)


def depth_inside(mask: npt.NDArray[np.bool_]) -> Image:
    """Distance in pixels from each inside pixel to the nearest outside one; the edge of the array counts as inside."""
    padded = np.ascontiguousarray(mask, dtype=np.uint8)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5), np.float32)


def smooth_step(value: Image, low: float, high: float) -> Image:
    """0 below ``low``, 1 above ``high``, a smooth S between; ``high`` may lie below ``low``."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def spline(points: Sequence[tuple[float, ...]] | Points, count: int, *, closed: bool = False) -> Points:
    """Cubic curve of ``count`` points through the given ones, evenly in chord length."""
    from scipy.interpolate import CubicSpline

    p = np.asarray(points, np.float64)
    if closed:
        p = np.concatenate([p, p[:1]])
    t = np.concatenate([[0.0], np.cumsum(np.maximum(np.linalg.norm(np.diff(p, axis=0), axis=1), 1e-9))])
    curve = CubicSpline(t, p, bc_type="periodic" if closed else "natural")
    return np.asarray(curve(np.linspace(0, t[-1], count, endpoint=not closed)), np.float64)


def bulge(depth_px: Image, width_px: float) -> Image:
    """Thickness 0..1 of a rounded body from the depth below its outline: a half circle over ``width_px``, then flat."""
    t = np.clip(1 - depth_px / np.float32(width_px), 0, 1)
    return np.asarray(np.sqrt(1 - t * t), np.float32)
