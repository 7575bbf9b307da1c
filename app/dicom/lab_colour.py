"""Colours of objects that name them device independently (PS3.3 C.10.7.1.1)."""

from __future__ import annotations


def rgb_of_lab(encoded: tuple[int, int, int]) -> tuple[int, int, int]:
    """PCS-Values of CIELab as unsigned 16 bits (PS3.3 C.10.7.1.1; D50) to sRGB."""
    lightness, a, b = encoded[0] * 100.0 / 65535, encoded[1] * 255.0 / 65535 - 128, encoded[2] * 255.0 / 65535 - 128
    fy = (lightness + 16) / 116

    def whole(t: float) -> float:
        return t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29)

    x, y, z = 0.9642 * whole(fy + a / 500), whole(fy), 0.8249 * whole(fy - b / 200)
    # Bradford-adapted D50 to linear sRGB.
    linear = (
        3.1338561 * x - 1.6168667 * y - 0.4906146 * z,
        -0.9787684 * x + 1.9161415 * y + 0.0334540 * z,
        0.0719453 * x - 0.2289914 * y + 1.4052427 * z,
    )
    out = []
    for value in linear:
        v = min(1.0, max(0.0, value))
        out.append(round(255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)))
    return (out[0], out[1], out[2])


def lab_of_rgb(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    """The inverse of ``rgb_of_lab``."""
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb))
    # Linear sRGB to D50, Bradford-adapted, over the white point.
    x = (0.4360747 * r + 0.3850649 * g + 0.1430804 * b) / 0.9642
    y = 0.2225045 * r + 0.7168786 * g + 0.0606169 * b
    z = (0.0139322 * r + 0.0971045 * g + 0.7141733 * b) / 0.8249

    def root(t: float) -> float:
        return float(t ** (1 / 3)) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29

    lightness, a, beta = 116 * root(y) - 16, 500 * (root(x) - root(y)), 200 * (root(y) - root(z))
    encoded = (lightness * 65535 / 100, (a + 128) * 65535 / 255, (beta + 128) * 65535 / 255)
    whole = [round(min(max(v, 0), 65535)) for v in encoded]
    return (whole[0], whole[1], whole[2])
