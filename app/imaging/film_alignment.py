"""Where one film lies on another: fitted by its size, then turned and shifted until the shadows agree (ECC, OpenCV)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
WORKING_PX = 256
_LEAST_CORRELATION = 0.6
_MOST_DEG = 12.0
_MOST_SHIFT = 0.25
"""Of the smaller side: farther apart the films show something else, or the search ran away."""


@dataclass(frozen=True, eq=False)
class FilmPlace:
    """``to_second`` (2, 3): image px (corner origin) of the first film to those of the second."""

    to_second: Matrix
    aligned: bool = False
    """False: fitted by size only."""
    similarity: float = 0.0


def fitted(
    first: tuple[int, int],
    second: tuple[int, int],
    scale: tuple[float, float] | None = None,
    anchor: tuple[float, float] = (0.5, 0.5),
    mirrored: tuple[bool, bool] = (False, False),
) -> FilmPlace:
    """By size alone. ``first`` and ``second``: (width, height) px. ``scale``: px of the second a px of the first, x and y;
    None: the widths are made equal. ``anchor``: the point of the first film, in parts of its sides, that stays in place.
    """
    sx, sy = scale if scale is not None else (second[0] / first[0], second[0] / first[0])
    rows = []
    for axis, s in enumerate((sx, sy)):
        at = anchor[axis]
        sign, there = (-1.0, 1.0 - at) if mirrored[axis] else (1.0, at)
        rows.append((sign * s, there * second[axis] - sign * s * at * first[axis]))
    return FilmPlace(np.array([[rows[0][0], 0.0, rows[0][1]], [0.0, rows[1][0], rows[1][1]]]))


def aligned(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], start: FilmPlace) -> FilmPlace:
    """``start`` turned and shifted rigidly so that the greys agree, or ``start`` itself where nothing better is found.

    ``first``, ``second``: (rows, columns) greys of the same polarity.
    """
    shrink = max(first.shape) / WORKING_PX
    size = (max(16, round(first.shape[1] / shrink)), max(16, round(first.shape[0] / shrink)))
    small = cv2.resize(first, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    back = np.array([[first.shape[1] / size[0], 0.0, 0.0], [0.0, first.shape[0] / size[1], 0.0], [0.0, 0.0, 1.0]])
    to_second = _whole(start.to_second) @ back
    coarse = shrunk(second, float(np.hypot(*to_second[:2, 0])))
    there = np.diag([coarse.shape[1] / second.shape[1], coarse.shape[0] / second.shape[0], 1.0]) @ to_second
    laid = _sampled(coarse, there, size)
    inside = _sampled(np.ones_like(coarse), there, size) > 0.5
    if float(inside.mean()) < 0.5 or small.std() < 1.0 or laid.std() < 1.0:
        return start
    warp = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 80, 1e-5)
    try:
        found, warp = cv2.findTransformECC(
            small, laid.astype(np.float32), warp, cv2.MOTION_EUCLIDEAN, criteria, inside.astype(np.uint8), 5
        )
    except cv2.error:
        return start  # no overlap that makes sense
    turn = abs(float(np.degrees(np.arctan2(warp[1, 0], warp[0, 0]))))
    middle = np.array([size[0] / 2, size[1] / 2, 1.0])
    shift = float(np.hypot(*(warp.astype(np.float64) @ middle - middle[:2])))
    if found < _LEAST_CORRELATION or turn > _MOST_DEG or shift > _MOST_SHIFT * min(size):
        return start
    moved = _whole(warp.astype(np.float64))
    moved[:2, 2] += 0.5 - moved[:2, :2] @ (0.5, 0.5)  # ECC counts from pixel centres, image px from the corner
    whole = to_second @ moved @ np.linalg.inv(back)
    return FilmPlace(whole[:2], True, float(found))


def shrunk(values: npt.NDArray[np.generic], px_per_step: float) -> npt.NDArray[np.float32]:
    """Averaged down by a whole factor, so that steps of ``px_per_step`` skip nothing."""
    factor = max(1, int(px_per_step))
    plain = np.ascontiguousarray(values, dtype=np.float32)
    if factor == 1:
        return plain
    size = (max(1, round(plain.shape[1] / factor)), max(1, round(plain.shape[0] / factor)))
    return np.asarray(cv2.resize(plain, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _whole(matrix: npt.NDArray[np.floating]) -> Matrix:
    return np.vstack([matrix, (0.0, 0.0, 1.0)]).astype(np.float64)


def _sampled(values: npt.NDArray[np.float32], matrix: Matrix, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """``size`` (width, height): the values at ``matrix`` of every pixel centre, linear, 0 outside."""
    m = matrix[:2].copy()
    m[:, 2] += m[:, :2] @ (0.5, 0.5) - 0.5
    return np.asarray(
        cv2.warpAffine(values, m, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=0.0), dtype=np.float32
    )


def sampled(values: npt.NDArray[np.generic], matrix: Matrix, size: tuple[int, int]) -> tuple[
    npt.NDArray[np.float32], npt.NDArray[np.bool_]
]:  # fmt: skip
    """(values, where the image is) for pixel centres of ``size`` (width, height); ``matrix`` (2, 3): to image px."""
    whole = _whole(matrix)
    coarse = shrunk(values, float(np.hypot(*whole[:2, 0])))
    there = np.diag([coarse.shape[1] / values.shape[1], coarse.shape[0] / values.shape[0], 1.0]) @ whole
    return _sampled(coarse, there, size), _sampled(np.ones_like(coarse), there, size) > 0.5
