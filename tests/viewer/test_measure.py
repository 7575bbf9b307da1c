"""Measured values against independent arithmetic; never millimetres without calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.domain.geometry import PlaneGeometry
from app.domain.measurement import MarkShape, Quantity
from app.domain.pixels import PixelFormat
from app.domain.study import FrameHeader, Instance
from app.viewer.image_geometry import image_geometry
from app.viewer.measure import angle_deg, area, length, measure, region, statistics, value_at
from app.viewer.view_state import ImageGeometry
from app.viewer.words import measurement_lines, number

MM = ImageGeometry(64, 48, 0.6, 0.8, True)
PX = ImageGeometry(64, 48, 0.6, 0.8, False)
RNG = np.random.default_rng(9)
VALUES = RNG.integers(-1000, 1000, (48, 64)).astype(np.int16)


def test_length_uses_both_spacings() -> None:
    m = length((10.0, 10.0), (15.0, 20.0), MM)
    assert (m.value, m.unit, m.calibrated) == (pytest.approx(math.hypot(3.0, 8.0)), "mm", True)


def test_uncalibrated_lengths_are_pixels_of_the_finer_side() -> None:
    m = length((10.0, 10.0), (15.0, 10.0), PX)
    assert (m.value, m.unit, m.calibrated) == (pytest.approx(5.0), "px", False)
    assert length((0.0, 0.0), (0.0, 3.0), PX).value == pytest.approx(4.0)


def test_angles_are_true_on_unequal_spacing() -> None:
    # 45 degrees in millimetres: 8 columns of 0.6 mm and 6 rows of 0.8 mm.
    assert angle_deg((20.0, 10.0), (10.0, 10.0), (18.0, 16.0), MM).value == pytest.approx(45.0)
    assert angle_deg((0.0, 10.0), (10.0, 10.0), (20.0, 10.0), MM).value == pytest.approx(180.0)


def test_areas() -> None:
    assert area(MarkShape.RECTANGLE, ((0, 0), (10, 5)), MM).value == pytest.approx(10 * 0.6 * 5 * 0.8)
    assert area(MarkShape.ELLIPSE, ((0, 0), (10, 5)), MM).value == pytest.approx(math.pi * 3.0 * 2.0)
    assert area(MarkShape.POLYGON, ((0, 0), (10, 0), (10, 10)), MM).value == pytest.approx(0.5 * 6.0 * 8.0)
    assert area(MarkShape.RECTANGLE, ((0, 0), (10, 5)), PX).unit == "px2"


@pytest.mark.parametrize("shape", [MarkShape.ELLIPSE, MarkShape.RECTANGLE, MarkShape.POLYGON])
def test_region_statistics_equal_a_plain_loop(shape: MarkShape) -> None:
    for _ in range(25):
        points = [tuple(p) for p in RNG.uniform((-3, -3), (67, 51), (2 if shape is not MarkShape.POLYGON else 5, 2))]
        picked = []
        for j in range(48):
            for i in range(64):
                x, y = i + 0.5, j + 0.5
                if shape is MarkShape.POLYGON:
                    inside, n = False, len(points)
                    for a in range(n):
                        (ax, ay), (bx, by) = points[a], points[(a + 1) % n]
                        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                            inside = not inside
                else:
                    (x0, y0), (x1, y1) = points
                    u = (x - (x0 + x1) / 2) / (abs(x1 - x0) / 2)
                    v = (y - (y0 + y1) / 2) / (abs(y1 - y0) / 2)
                    inside = u * u + v * v <= 1 if shape is MarkShape.ELLIPSE else max(abs(u), abs(v)) <= 1
                if inside:
                    picked.append(float(VALUES[j, i]))
        got = statistics(shape, points, VALUES)
        if not picked:
            assert got is None
            continue
        mean = sum(picked) / len(picked)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in picked) / len(picked))
        assert got.count == len(picked)
        assert (got.mean, got.standard_deviation) == (pytest.approx(mean), pytest.approx(deviation))
        assert (got.minimum, got.maximum) == (min(picked), max(picked))


def test_a_pixel_on_the_outline_belongs() -> None:
    rows, columns, mask = region(MarkShape.RECTANGLE, ((2.5, 3.5), (4.5, 4.5)), 48, 64)
    assert (rows, columns, int(mask.sum())) == (slice(3, 5), slice(2, 5), 6)
    _, _, triangle = region(MarkShape.POLYGON, ((0.5, 0.5), (3.5, 0.5), (0.5, 3.5)), 48, 64)
    assert int(triangle.sum()) == 10


def test_padding_and_colour_are_not_measured() -> None:
    padding = np.zeros(VALUES.shape, bool)
    padding[:, :32] = True
    box = ((0, 0), (64, 48))
    assert statistics(MarkShape.RECTANGLE, box, VALUES, padding).count == 32 * 48
    assert value_at((3.0, 3.0), VALUES, "HU", padding) is None
    assert value_at((70.0, 3.0), VALUES, "HU") is None
    assert value_at((3.99, 2.01), VALUES, "HU").value == VALUES[2, 3]
    rgb = np.zeros((48, 64, 3), np.uint8)
    assert [m.quantity for m in measure(MarkShape.RECTANGLE, box, MM, rgb)] == [Quantity.AREA]


def test_bidirectional_orders_its_axes() -> None:
    long, short, mean = measure(MarkShape.BIDIRECTIONAL, ((0, 5), (5, 5), (2, 0), (2, 10)), MM)
    assert (long.value, short.value, mean.value) == (pytest.approx(8.0), pytest.approx(3.0), pytest.approx(5.5))


def test_words_of_measurements() -> None:
    texts = {"number.decimal": ",", "unit.mm": "мм"}
    assert measurement_lines(texts, measure(MarkShape.BIDIRECTIONAL, ((0, 5), (5, 5), (2, 0), (2, 10)), MM)) == (
        "8,0 × 3,0\u202fмм",
    )
    assert measurement_lines({}, (angle_deg((20, 10), (10, 10), (18, 16), MM),)) == ("45.0°",)
    assert number({}, -0.04, 1) == "0.0"
    assert number({}, -600, 0) == "−600"
    lines = measurement_lines({}, measure(MarkShape.RECTANGLE, ((0, 0), (2, 1)), MM, np.full((48, 64), -5, np.int16), "HU"))
    assert lines[1] == "⌀ −5.0 ± 0.0\u202fHU"


PIXELS = PixelFormat(48, 64)
MAGNIFICATION = "estimated_radiographic_magnification_factor"


def _instance(**fields: object) -> Instance:
    return Instance("1.2", "", "", "", pixel_format=PIXELS, frames=(FrameHeader(),), **fields)


@pytest.mark.parametrize(
    ("fields", "modality", "calibrated", "spacing"),
    [
        ({}, "DX", False, (1.0, 1.0)),
        ({"pixel_aspect_ratio": (2.0, 1.0)}, "US", False, (1.0, 2.0)),
        ({"imager_pixel_spacing_mm": (0.2, 0.1)}, "DX", False, (0.1, 0.2)),
        ({"pixel_spacing_mm": (0.2, 0.1)}, "CR", False, (0.1, 0.2)),
        ({"pixel_spacing_mm": (0.2, 0.1), "pixel_spacing_calibrated": True}, "CR", True, (0.1, 0.2)),
        ({"pixel_spacing_mm": (0.2, 0.1), "imager_pixel_spacing_mm": (0.2, 0.1)}, "DX", False, (0.1, 0.2)),
        ({"pixel_spacing_mm": (0.18, 0.09), "imager_pixel_spacing_mm": (0.2, 0.1)}, "DX", True, (0.09, 0.18)),
        ({"pixel_spacing_mm": (0.2, 0.1)}, "US", True, (0.1, 0.2)),
        ({"imager_pixel_spacing_mm": (0.2, 0.1), "extra": {MAGNIFICATION: "1.25"}}, "MG", True, (0.08, 0.16)),
        ({"imager_pixel_spacing_mm": (0.2, 0.1), "extra": {MAGNIFICATION: "nan"}}, "MG", False, (0.1, 0.2)),
        ({"pixel_spacing_mm": (0.0, 0.0)}, "US", False, (1.0, 1.0)),
    ],
)  # fmt: skip
def test_which_millimetres_may_be_stated(fields: dict, modality: str, calibrated: bool, spacing: tuple) -> None:
    geometry = image_geometry(_instance(**fields), 0, modality)
    assert geometry.calibrated is calibrated
    assert (geometry.column_spacing, geometry.row_spacing) == pytest.approx(spacing)
    assert bool(geometry.spacing_source) or calibrated


def test_a_plane_in_the_patient_is_calibrated() -> None:
    plane = PlaneGeometry((1.0, 2.0, 3.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.8, 0.6, 48, 64, "1.2")
    instance = Instance("1.2", "", "", "", pixel_format=PIXELS, frames=(FrameHeader(plane),))
    geometry = image_geometry(instance, 0, "CT")
    assert geometry.calibrated
    assert geometry.plane is plane
    with pytest.raises(ValueError, match="no pixels"):
        image_geometry(Instance("1.2", "", "", ""), 0, "SR")
