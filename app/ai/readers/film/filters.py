"""Filters that several film readers measure with. Images are (rows, columns) float32; weights 0..1 of the same shape."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def blurred(values: Floats, weight: Floats, sigma: float) -> Floats:
    """Gaussian mean over the pixels that count."""
    above = cv2.GaussianBlur(values * weight, (0, 0), sigma)
    below = cv2.GaussianBlur(weight, (0, 0), sigma)
    return above / np.maximum(below, 1e-3)


@lru_cache(maxsize=16)
def fans(radius: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Kernels of a ring that look at its centre: (x, y) of the direction, (cos, sin) of its double angle.

    Their sizes sum to 1.
    """
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    far = np.hypot(x, y)
    ring = ((far <= radius) & (far >= 0.35 * radius)).astype(np.float32)
    ring /= ring.sum()
    far = np.maximum(far, 1e-6)
    cos, sin = -x / far, -y / far
    return cos * ring, sin * ring, (cos * cos - sin * sin) * ring, 2 * cos * sin * ring


def summed(image: Floats, kernel: Floats) -> Floats:
    """Correlation with ``kernel``; nothing beyond the border."""
    return cv2.filter2D(image, cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT)
