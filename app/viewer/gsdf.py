"""The Grayscale Standard Display Function (PS3.14 7.1) and a check pattern whose steps are equal for the eye."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_A, _B, _C, _D, _E = -1.3011877, -2.5840191e-2, 8.0242636e-2, -1.0320229e-1, 1.3646699e-1
_F, _G, _H, _K, _M = 2.8745620e-2, -2.5468404e-2, -3.1978977e-3, 1.2992634e-4, 1.3635334e-3
_INVERSE = (71.498068, 94.593053, 41.912053, 9.8247004, 0.28175407, -1.1878455, -0.18014349, 0.14710899, -0.017046845)
LOWEST_JND, HIGHEST_JND = 1, 1023
PATCHES = 18
"""Of TG18-LN: eighteen levels from black to white."""


def luminance(jnd: float) -> float:
    """cd/m2 of a just-noticeable-difference index. Raises ``ValueError`` outside 1..1023."""
    if not LOWEST_JND <= jnd <= HIGHEST_JND:
        raise ValueError('"jnd" lies between 1 and 1023')
    x = math.log(jnd)
    above = _A + x * (_C + x * (_E + x * (_G + x * _M)))
    below = 1.0 + x * (_B + x * (_D + x * (_F + x * (_H + x * _K))))
    return float(10.0 ** (above / below))


def jnd_index(cd_m2: float) -> float:
    """The inverse. Raises ``ValueError`` for what no display shows."""
    if not 0.04 <= cd_m2 <= 4100.0:
        raise ValueError('"cd_m2" lies between 0.05 and 4000')
    x = math.log10(cd_m2)
    return float(sum(c * x**n for n, c in enumerate(_INVERSE)))


def wanted_luminances(lowest_cd_m2: float, highest_cd_m2: float, count: int = PATCHES) -> npt.NDArray[np.float64]:
    """What a calibrated display gives at ``count`` equal steps of the input."""
    low, high = jnd_index(lowest_cd_m2), jnd_index(highest_cd_m2)
    return np.array([luminance(min(max(j, 1.0), 1023.0)) for j in np.linspace(low, high, count)])


def greatest_deviation(measured: npt.NDArray[np.float64]) -> float:
    """Of the contrast of neighbouring steps from the standard's, as a part (AAPM TG18: at most 0.10 to read from)."""
    wanted = wanted_luminances(float(measured[0]), float(measured[-1]), len(measured))

    def contrast(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(2.0 * (v[1:] - v[:-1]) / (v[1:] + v[:-1]))

    return float(np.abs(contrast(measured) / contrast(wanted) - 1.0).max())


def check_pattern(width: int, height: int) -> npt.NDArray[np.uint8]:
    """(height, width) grey: 18 patches, each with four squares 3 levels lighter and darker; 5 % in black and 95 % in white
    below; line pairs of one and two pixels at the right edge. All squares and lines have to be seen."""
    out = np.full((height, width), 26, dtype=np.uint8)
    rows, columns = 3, 6
    top = int(height * 0.74)
    ph, pw = top // rows, int(width * 0.88) // columns
    for n in range(PATCHES):
        level = round(255 * n / (PATCHES - 1))
        y, x = (n // columns) * ph, (n % columns) * pw
        out[y : y + ph, x : x + pw] = level
        side = max(6, min(ph, pw) // 5)
        for corner, by in enumerate((3, -3, -3, 3)):
            cy = y + ph // 4 + (corner // 2) * ph // 2 - side // 2
            cx = x + pw // 4 + (corner % 2) * pw // 2 - side // 2
            step = abs(by) if level < 3 else -abs(by) if level > 252 else by
            out[cy : cy + side, cx : cx + side] = level + step
    half = columns * pw // 2
    out[top:, :half], out[top:, half : columns * pw] = 0, 255
    side = (height - top) // 2
    at = top + side // 2
    out[at : at + side, half // 2 - side // 2 : half // 2 + side // 2] = 13
    out[at : at + side, half + half // 2 - side // 2 : half + half // 2 + side // 2] = 242
    lines = out[:, columns * pw :]
    half_rows = height // 4
    lines[:half_rows, ::2], lines[:half_rows, 1::2] = 255, 0
    lines[half_rows : 2 * half_rows : 2], lines[half_rows + 1 : 2 * half_rows : 2] = 255, 0
    lines[2 * half_rows : 3 * half_rows] = np.where((np.arange(lines.shape[1]) // 2) % 2, 255, 0)
    lines[3 * half_rows :] = np.where((np.arange(height - 3 * half_rows) // 2) % 2, 255, 0)[:, None]
    return out
