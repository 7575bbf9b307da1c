"""Ultrasound regions: each drawing by the region that holds it, from a written object to the measured value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.scanner import scan
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.viewer.image_geometry import image_geometry
from app.viewer.measure import measure
from app.viewer.recheck import again, mismatches, unknown
from app.viewer.regions import region_of, regions_of
from app.viewer.view_state import ImageGeometry
from tests.dicom.builders import image, save


def region(
    box: tuple[int, int, int, int], form: int, units: tuple[int, int], step: tuple[float, float], **more: object
) -> Dataset:
    d = Dataset()
    d.RegionSpatialFormat, d.RegionDataType, d.RegionFlags = form, 1, 0
    d.RegionLocationMinX0, d.RegionLocationMinY0, d.RegionLocationMaxX1, d.RegionLocationMaxY1 = box
    d.PhysicalUnitsXDirection, d.PhysicalUnitsYDirection = units
    d.PhysicalDeltaX, d.PhysicalDeltaY = step
    for name, value in more.items():
        setattr(d, name, value)
    return d


@pytest.fixture
def geometry(tmp_path: Path) -> ImageGeometry:
    """A picture on the left, M-mode above a Doppler curve on the right, a small high-priority inset in the picture."""
    d = image(np.zeros((200, 300, 3), np.uint8), RescaleSlope=None, RescaleIntercept=None, Modality="US")
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del d[name]
    d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    d.SequenceOfUltrasoundRegions = [
        region((0, 0, 149, 199), 1, (3, 3), (0.02, 0.03), RegionFlags=1),
        region((10, 10, 29, 29), 1, (3, 3), (0.05, 0.05)),
        region((150, 0, 299, 99), 2, (4, 3), (0.004, 0.03)),
        region(
            (150, 100, 299, 199), 3, (4, 7), (0.004, -1.5),
            ReferencePixelX0=0, ReferencePixelY0=60, ReferencePixelPhysicalValueX=0.0, ReferencePixelPhysicalValueY=0.0,
        ),
        region((0, 0, 299, 199), 0, (0, 0), (1.0, 1.0)),
    ]  # fmt: skip
    save(d, tmp_path / "us.dcm")
    instance = scan([tmp_path]).files[0].instance
    assert len(regions_of(instance)) == 4, "a region without a unit is no calibration"
    return image_geometry(instance, 0, "US")


def only(found: tuple[Measurement, ...]) -> Measurement:
    (one,) = found
    return one


def test_a_length_in_the_picture_is_in_mm_by_both_steps(geometry: ImageGeometry) -> None:
    m = only(measure(MarkShape.LENGTH, ((50, 50), (80, 90)), geometry))
    assert (m.unit, m.calibrated) == ("mm", True)
    assert m.value == pytest.approx(np.hypot(30 * 0.2, 40 * 0.3))


def test_the_inset_goes_before_the_picture_under_it(geometry: ImageGeometry) -> None:
    m = only(measure(MarkShape.LENGTH, ((12, 12), (22, 12)), geometry))
    assert m.value == pytest.approx(10 * 0.5)


def test_time_and_depth_in_m_mode(geometry: ImageGeometry) -> None:
    found = measure(MarkShape.LENGTH, ((200, 20), (250, 60)), geometry)
    assert [(m.quantity, m.unit, pytest.approx(m.value)) for m in found] == [
        (Quantity.TIME, "s", 0.2),
        (Quantity.DEPTH, "mm", 12.0),
    ]


def test_velocity_between_points_and_from_the_base_line(geometry: ImageGeometry) -> None:
    found = measure(MarkShape.LENGTH, ((200, 120.5), (225, 160.5)), geometry)
    assert [(m.quantity, m.unit, pytest.approx(m.value)) for m in found] == [
        (Quantity.TIME, "s", 0.1),
        (Quantity.VELOCITY, "cm/s", 60.0),
    ]
    peak = only(measure(MarkShape.POINT, ((200, 120.5),), geometry))
    assert (peak.quantity, peak.unit) == (Quantity.VELOCITY, "cm/s")
    assert peak.value == pytest.approx(60.0)
    below = only(measure(MarkShape.POINT, ((200, 180.5),), geometry))
    assert below.value == pytest.approx(-30.0)


def test_a_drawing_that_leaves_its_region_has_no_unit(geometry: ImageGeometry) -> None:
    m = only(measure(MarkShape.LENGTH, ((100, 150), (200, 150)), geometry))
    assert (m.unit, m.calibrated, m.value) == ("px", False, 100.0)


def test_areas_and_angles_use_the_region(geometry: ImageGeometry) -> None:
    m = measure(MarkShape.RECTANGLE, ((50, 50), (60, 70)), geometry)[0]
    assert (m.unit, m.value) == ("mm2", pytest.approx(10 * 0.2 * 20 * 0.3))
    angle = only(measure(MarkShape.ANGLE, ((80, 50), (50, 50), (80, 70)), geometry))
    assert angle.value == pytest.approx(45.0), "30 px of 0.2 mm against 20 px of 0.3 mm"


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        (MarkShape.LENGTH, ((50, 50), (80, 90))),
        (MarkShape.LENGTH, ((12, 12), (22, 20))),
        (MarkShape.LENGTH, ((100, 150), (200, 150))),
        (MarkShape.LENGTH, ((200, 20), (250, 60))),
        (MarkShape.LENGTH, ((200, 120.5), (225, 160.5))),
        (MarkShape.POINT, ((200, 120.5),)),
        (MarkShape.RECTANGLE, ((50, 50), (60, 70))),
        (MarkShape.CURVE, ((50, 50), (60, 70), (90, 80), (95, 60))),
    ],
)
def test_the_second_path_agrees(geometry: ImageGeometry, shape: MarkShape, points: tuple[tuple[float, float], ...]) -> None:
    shown = measure(shape, points, geometry)
    drawn = Annotation("a", shape, Placement("2.25.1", 0, points), shown)
    found = again(drawn, geometry)
    assert shown
    assert unknown(shown, found) == (), "every quantity is known to both"
    assert mismatches(shown, found) == ()
    for n in range(len(shown)):
        wrong = tuple(replace(m, value=m.value * 1.0001) if i == n else m for i, m in enumerate(shown))
        assert [m.quantity for m in mismatches(wrong, found)] == [shown[n].quantity]


def test_no_region_holds_what_lies_beside_them(geometry: ImageGeometry) -> None:
    assert region_of(((-5.0, 3.0),), geometry.regions) is None


def test_a_stated_magnification_gives_millimetres(tmp_path: Path) -> None:
    d = image(np.zeros((8, 9), np.uint16), Modality="DX", RescaleSlope=None, RescaleIntercept=None)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del d[name]
    d.SOPClassUID, d.ImagerPixelSpacing = "1.2.840.10008.5.1.4.1.1.1.1", [0.3, 0.2]
    d.EstimatedRadiographicMagnificationFactor = "1.25"
    save(d, tmp_path / "dx.dcm")
    found = image_geometry(scan([tmp_path]).files[0].instance, 0, "DX")
    assert found.calibrated
    assert (found.row_spacing, found.column_spacing) == (pytest.approx(0.24), pytest.approx(0.16))
