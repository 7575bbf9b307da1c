"""Real-world value maps: of headers and of objects, on modality values, in probe and regions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.frame_pixels import frame_pixels
from app.dicom.header import read_header
from app.dicom.real_world import on_modality_values, read_real_world_values
from app.domain.measurement import MarkShape, Measurement, Quantity
from app.domain.pixels import FramePixels, Lut, ModalityTransform, RealWorldMapping
from app.domain.problem import ProblemError
from app.viewer.edits import ShowProbe
from app.viewer.layers import ImageLayer
from app.viewer.placement import annotation_of
from app.viewer.real_world import with_real_world
from app.viewer.suv import parted
from app.viewer.tool_api import PointerEvent, ToolContext
from app.viewer.tools.probe import ProbeTool
from app.viewer.view_state import ImageGeometry, ViewState, resolve
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


def _table(first: int, data: list[float], unit: str = "mm2/s", label: str = "T") -> object:
    code = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    made = item(LUTLabel=label, RealWorldValueLUTData=data, MeasurementUnitsCodeSequence=[code])
    made.add_new(0x00409216, "US", first)
    made.add_new(0x00409211, "US", first + len(data) - 1)
    return made


def test_a_table_is_looked_up_by_stored_values(tmp_path: Path) -> None:
    stored = np.array([[9, 10], [11, 12]], np.uint16)
    maps = [_table(10, [0.5, 4.0, 2.5])]
    d = image(stored, RescaleSlope="2", RescaleIntercept="-10", RealWorldValueMappingSequence=maps)
    path = save(d, tmp_path / "it.dcm")
    source = FileByteSource()
    frame = frame_pixels(read_header(file_locator(path), source).instance, 0, source)
    (found,) = frame.real_world
    # Stored 9 lies before the first value mapped: it has no real-world value.
    assert np.array_equal(found.of_many(frame.values), [[np.nan, 0.5], [4.0, 2.5]], equal_nan=True)
    assert found.of(12.0) == 4.0  # 2 * 11 - 10
    assert found.of(8.0) is None
    assert found.of(13.0) is None  # between two stored values


def test_a_linear_map_holds_only_for_its_values() -> None:
    # Stored 10..20; modality -2 * stored + 5 turns the ends round: -35..-15.
    found = on_modality_values(RealWorldMapping(3.0, 1.0, "u", first=10.0, last=20.0), ModalityTransform(-2.0, 5.0))
    assert found is not None
    assert (found.first, found.last) == (-35.0, -15.0)
    assert found.of(-15.0) == pytest.approx(31.0)
    assert found.of(-35.0) == pytest.approx(61.0)
    assert found.of(-13.0) is None
    assert found.of(-37.0) is None


def test_functional_groups_bring_maps_of_frames(tmp_path: Path) -> None:
    stored = np.stack([np.full((2, 2), n, np.uint16) for n in (4, 5, 6)])
    groups = [item(RealWorldValueMappingSequence=[_mapping(0.5, n)]) if n != 1 else item(StackID="1") for n in range(3)]
    shared = item(RealWorldValueMappingSequence=[_mapping(2.0, 0.0, "s"), _mapping(3.0, 0.0, "ms")])
    plain: dict[str, object] = {"RescaleSlope": None, "RescaleIntercept": None, "Modality": "MR"}
    d = image(stored, **plain, SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=groups)
    source = FileByteSource()
    instance = read_header(file_locator(save(d, tmp_path / "it.dcm")), source).instance
    told = [[(m.unit, m.of(float(4 + n))) for m in frame_pixels(instance, n, source).real_world] for n in range(3)]
    assert told == [[("mm2/s", 2.0)], [("s", 10.0), ("ms", 15.0)], [("mm2/s", 5.0)]]


def test_objects_bring_tables_and_ranges() -> None:
    block = item(
        RealWorldValueMappingSequence=[_table(3, [1.0, 8.0]), _mapping(0.5, 3.0)], ReferencedImageSequence=[reference()]
    )
    data = plain_object("1.2.840.10008.5.1.4.1.1.67", "RWV", ReferencedImageRealWorldValueMappingSequence=[block])
    table, line = read_real_world_values(data)[IMAGE]
    assert [table.of(v) for v in (2.0, 3.0, 4.0, 5.0)] == [None, 1.0, 8.0, None]
    assert line == RealWorldMapping(0.5, 3.0, "mm2/s", "ADC")


def test_regions_are_measured_on_mapped_values() -> None:
    values = np.zeros((6, 6), np.int16)
    values[2, 1:5] = (1, 2, 3, 9)
    frame = FramePixels(values, real_world=(RealWorldMapping(1.0, 0.0, "u", table=(0.0, 10.0, 40.0, 90.0)),))
    geometry = ImageGeometry(6, 6, 1.0, 1.0)
    layer = ImageLayer(frame=frame, geometry=geometry)
    context = ToolContext(resolve(ViewState("x"), (60, 60), geometry), layer)
    box = annotation_of("m", MarkShape.RECTANGLE, ((1.0, 2.0), (5.0, 3.0)), context).measurements
    real = {m.quantity: m.value for m in box if m.unit == "u"}
    # 9 has no entry: three values 10, 40, 90 remain; their mean is no map of the mean 3.75.
    assert real[Quantity.MEAN] == pytest.approx(140 / 3)
    assert (real[Quantity.MINIMUM], real[Quantity.MAXIMUM]) == (10.0, 90.0)
    point = annotation_of("m", MarkShape.POINT, ((2.5, 2.5),), context).measurements
    assert [(m.value, m.unit) for m in point if m.quantity is Quantity.VALUE] == [(2.0, "1"), (40.0, "u")]
    (shown,) = ProbeTool().hover(PointerEvent(25, 25), context)
    assert isinstance(shown, ShowProbe)
    assert [(m.value, m.unit) for m in shown.measurements if m.quantity is Quantity.VALUE] == [(2.0, "1"), (40.0, "u")]
    (outside,) = ProbeTool().hover(PointerEvent(45, 25), context)
    assert isinstance(outside, ShowProbe)
    assert [(m.value, m.unit) for m in outside.measurements if m.quantity is Quantity.VALUE] == [(9.0, "1")]


def test_the_chosen_of_several_maps_comes_first() -> None:
    maps = (RealWorldMapping(2.0, 0.0, "a"), RealWorldMapping(3.0, 0.0, "b"))
    frame = FramePixels(np.zeros((2, 2), np.int16), real_world=maps)
    layer = ImageLayer(frame=frame, geometry=ImageGeometry(2, 2, 1.0, 1.0), real_world=(RealWorldMapping(4.0, 0.0, "c"),))
    assert [m.unit for m in layer.real_world_maps] == ["a", "b", "c"]
    assert [m.unit for m in replace(layer, real_world_choice=2).real_world_maps] == ["c", "a", "b"]
