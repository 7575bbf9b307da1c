"""Real-world value maps: of headers and of objects, on modality values, in probe and regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.frame_pixels import frame_pixels
from app.dicom.header import read_header
from app.dicom.real_world import on_modality_values, read_real_world_values
from app.domain.measurement import Measurement, Quantity
from app.domain.pixels import Lut, ModalityTransform, RealWorldMapping
from app.domain.problem import ProblemError
from app.viewer.real_world import with_real_world
from app.viewer.suv import parted
from tests.dicom.builders import image, save
from tests.dicom.saved_phantom import IMAGE, OTHER_IMAGE, item, plain_object, reference


def _mapping(slope: float, intercept: float, unit: str = "mm2/s") -> object:
    code = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    return item(
        LUTExplanation="ADC",
        LUTLabel="ADC",
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=intercept,
        MeasurementUnitsCodeSequence=[code],
    )


def test_an_object_maps_stored_values_of_its_images() -> None:
    block = item(
        RealWorldValueMappingSequence=[_mapping(0.5, 3.0)], ReferencedImageSequence=[reference(), reference(OTHER_IMAGE)]
    )
    data = plain_object("1.2.840.10008.5.1.4.1.1.67", "RWV", ReferencedImageRealWorldValueMappingSequence=[block])
    assert read_real_world_values(data) == dict.fromkeys((IMAGE, OTHER_IMAGE), (RealWorldMapping(0.5, 3.0, "mm2/s", "ADC"),))
    with pytest.raises(ProblemError, match="overlay.not_one"):
        read_real_world_values(plain_object("1.2.840.10008.5.1.4.1.1.66.1", "REG"))
    with pytest.raises(ProblemError, match="overlay.unreadable"):
        read_real_world_values(b"nothing")


def test_on_modality_values_by_hand() -> None:
    # stored 100 -> modality 2 * 100 - 1024 = -824; real 0.5 * 100 + 3 = 53
    found = on_modality_values(RealWorldMapping(0.5, 3.0, "u"), ModalityTransform(2.0, -1024.0))
    assert found is not None
    assert found.slope * -824 + found.intercept == pytest.approx(53.0)
    table = ModalityTransform(lut=Lut(0, np.zeros(4, np.uint16), 8))
    assert on_modality_values(RealWorldMapping(1.0, 0.0, "u"), table) is None


def test_a_header_brings_its_own(tmp_path: Path) -> None:
    stored = np.array([[0, 100], [200, 300]], np.uint16)
    d = image(stored, RescaleSlope="2", RescaleIntercept="-10", RealWorldValueMappingSequence=[_mapping(0.25, 1.0)])
    path = save(d, tmp_path / "it.dcm")
    source = FileByteSource()
    frame = frame_pixels(read_header(file_locator(path), source).instance, 0, source)
    (found,) = frame.real_world
    assert (found.unit, found.label) == ("mm2/s", "ADC")
    assert np.allclose(found.slope * frame.values + found.intercept, 0.25 * stored + 1.0)


def test_measured_values_stand_beside_the_stored_ones() -> None:
    measured = (
        Measurement(Quantity.AREA, 12.0, "mm2"),
        Measurement(Quantity.MEAN, 100.0, "1"),
        Measurement(Quantity.STANDARD_DEVIATION, 4.0, "1"),
        Measurement(Quantity.MINIMUM, 90.0, "1"),
        Measurement(Quantity.MAXIMUM, 120.0, "1"),
    )
    stored, beside = parted(with_real_world(measured, (RealWorldMapping(-0.5, 10.0, "u"),)))
    assert stored == measured
    assert {m.quantity: (m.value, m.unit) for m in beside} == {
        Quantity.MEAN: (-40.0, "u"),
        Quantity.STANDARD_DEVIATION: (2.0, "u"),
        Quantity.MAXIMUM: (-35.0, "u"),
        Quantity.MINIMUM: (-50.0, "u"),
    }
    assert with_real_world(measured, ()) == measured
    assert with_real_world(measured, (RealWorldMapping(2.0, 0.0, "1"),)) == measured
