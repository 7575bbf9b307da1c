"""Grey levels equal the formula of PS3.3 C.11.2 for every stored value."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from app.domain.pixels import FramePixels, Lut, VoiFunction, VoiWindow
from app.viewer.voi_lut import FLOAT_TOLERANCE, auto_window, grey_of, grey_of_lut, to_grey, unit_of, voi_of_frame

EVERY_SIGNED = np.arange(-32768, 32768, dtype=np.int16)
EVERY_UNSIGNED = np.arange(65536).astype(np.uint16)
WINDOWS = [
    VoiWindow(c, w, f)
    for f in VoiFunction
    for c, w in (
        (40, 400),
        (-600, 1500),
        (0, 1),
        (0.5, 2),
        (2048, 4096),
        (40.5, 3),
        (30000, 11),
        (-1024, 65536),
        (127.5, 256),
    )
]


def _by_fractions(x: int, window: VoiWindow) -> int:
    """The standard's pseudo code in exact arithmetic, an independent road to the same grey level."""
    c, w = Fraction(window.center), Fraction(window.width)
    if window.function is VoiFunction.LINEAR:
        if x <= c - Fraction(1, 2) - (w - 1) / 2:
            return 0
        if x > c - Fraction(1, 2) + (w - 1) / 2:
            return 255
        y = ((x - (c - Fraction(1, 2))) / (w - 1) + Fraction(1, 2)) * 255
    else:
        if x <= c - w / 2:
            return 0
        if x > c + w / 2:
            return 255
        y = ((x - c) / w + Fraction(1, 2)) * 255
    return int(y + Fraction(1, 2))  # floor, y is not negative


@pytest.mark.parametrize("window", [w for w in WINDOWS if w.function is not VoiFunction.SIGMOID], ids=str)
def test_formula_equals_exact_arithmetic(window: VoiWindow) -> None:
    middle = int(window.center)
    sample = sorted({*range(-32768, 32768, 401), *(middle + d for d in range(-300, 301))})
    # Doubles may lose a tie of exact arithmetic by one ulp; everything off a tie must agree.
    got = grey_of(np.array(sample), window)
    for x, grey in zip(sample, got, strict=True):
        y = float(unit_of(np.array([x]), window)[0]) * 255
        tie = abs(y - np.floor(y) - 0.5) < 1e-9
        assert int(grey) == _by_fractions(x, window) or (tie and abs(int(grey) - _by_fractions(x, window)) == 1)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("values", [EVERY_SIGNED, EVERY_UNSIGNED], ids=["int16", "uint16"])
@pytest.mark.parametrize("invert", [False, True])
def test_every_stored_value_equals_the_formula(values: np.ndarray, window: VoiWindow, invert: bool) -> None:
    expected = grey_of(values, window, invert)
    assert np.array_equal(to_grey(values, window, invert), expected)
    assert np.array_equal(to_grey(values.reshape(256, 256), window, invert).ravel(), expected)


def _by_the_standard(x: np.ndarray, window: VoiWindow) -> np.ndarray:
    """Output 0..255 in float64, transcribed from PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2; no line of the product.

    The sigmoid is written by the hyperbolic tangent: 1 / (1 + exp(-4 t)) = (1 + tanh(2 t)) / 2.
    """
    c, w, y_min, y_max = window.center, window.width, 0.0, 255.0
    if window.function is VoiFunction.SIGMOID:
        return y_min + (y_max - y_min) * (1.0 + np.tanh(2.0 * (x - c) / w)) / 2.0
    y = np.empty(x.shape)
    shift, span = (0.5, w - 1.0) if window.function is VoiFunction.LINEAR else (0.0, w)
    below, above = x <= c - shift - span / 2.0, x > c - shift + span / 2.0
    between = ~below & ~above
    y[below], y[above] = y_min, y_max
    if between.any():
        y[between] = ((x[between] - (c - shift)) / span + 0.5) * (y_max - y_min) + y_min
    return y


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("values", [EVERY_SIGNED, EVERY_UNSIGNED], ids=["int16", "uint16"])
def test_every_stored_value_has_the_grey_level_of_the_standard(values: np.ndarray, window: VoiWindow) -> None:
    y = _by_the_standard(values.astype(np.float64), window)
    # Two roads in doubles may part at an exact half only: there either neighbour is right, everywhere else one is.
    low, high = np.floor(y + 0.5 - 1e-9), np.floor(y + 0.5 + 1e-9)
    assert np.count_nonzero(low != high) < 600
    for invert in (False, True):
        got = to_grey(values, window, invert).astype(np.int64)
        shown = 255 - got if invert else got
        assert np.array_equal(np.clip(shown, low, high), shown)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("values", [EVERY_SIGNED, EVERY_UNSIGNED], ids=["int16", "uint16"])
@pytest.mark.parametrize("invert", [False, True])
def test_interpolated_values_differ_only_at_rounding_ties(values: np.ndarray, window: VoiWindow, invert: bool) -> None:
    floats = values.astype(np.float32).reshape(256, 256)
    got = to_grey(floats, window, invert).ravel().astype(int)
    y = unit_of(values, window) * 255.0
    y = 255.0 - y if invert else y
    tolerance = 0.02 if window.function is VoiFunction.SIGMOID else FLOAT_TOLERANCE
    assert np.abs(got - y).max() <= 0.5 + tolerance


def test_width_one_is_a_step() -> None:
    values = np.array([9, 10, 11], dtype=np.int16)
    window = VoiWindow(10.0, 1.0)
    assert to_grey(values, window).tolist() == [0, 255, 255]  # x <= c - 0.5 is black, everything above is white
    assert to_grey(values.astype(np.float32)[None], window).tolist() == [[0, 255, 255]]
    assert to_grey(values.astype(np.float32)[None], window, True).tolist() == [[255, 0, 0]]


def test_values_under_the_window_are_black_not_mirrored() -> None:
    values = np.array([[-2000.0, -1000.0, 0.0, 4000.0]], dtype=np.float32)
    assert to_grey(values, VoiWindow(40, 400)).tolist() == [[0, 0, 102, 255]]


def test_voi_lut_clips_to_its_ends_and_scales_its_bits() -> None:
    lut = Lut(100, np.array([0, 1023, 2046, 4095], dtype=np.uint16), 12)
    values = np.array([[0, 99, 100, 101, 102, 103, 104, 5000]], dtype=np.int16)
    expected = [[0, 0, 0, 64, 127, 255, 255, 255]]
    assert grey_of_lut(values, lut).tolist() == expected
    assert to_grey(values, lut).tolist() == expected
    assert to_grey(values.astype(np.float32), lut).tolist() == expected
    assert to_grey(np.array([[100.4, 100.6]], np.float32), lut).tolist() == [[0, 64]]


def test_auto_window_leaves_padding_out() -> None:
    values = np.full((100, 100), -2000, dtype=np.int16)
    values[20:80, 20:80] = np.linspace(10, 500, 3600).reshape(60, 60)
    window = auto_window(values, values == -2000)
    assert 10 <= window.center - window.width / 2 <= 20
    assert 490 <= window.center + window.width / 2 <= 500


def test_auto_window_of_a_flat_image_does_not_divide_by_zero() -> None:
    window = auto_window(np.full((8, 8), 7, dtype=np.uint16))
    assert window.width > 0
    assert to_grey(np.full((8, 8), 7, dtype=np.uint16), window).shape == (8, 8)


def test_an_objects_window_goes_before_its_lut_and_percentiles() -> None:
    values = np.arange(16, dtype=np.int16).reshape(4, 4)
    window = VoiWindow(3, 5)
    lut = Lut(0, np.arange(16, dtype=np.uint16), 4)
    assert voi_of_frame(FramePixels(values, windows=(window,), voi_lut=lut)) is window
    assert voi_of_frame(FramePixels(values, voi_lut=lut)) is lut
    assert isinstance(voi_of_frame(FramePixels(values)), VoiWindow)
