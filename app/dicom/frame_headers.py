"""Per-frame attributes: classic headers, functional groups of enhanced objects, dose grids (PS3.3 C.7.6.16)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from app.dicom import tags
from app.dicom.luts import lut_from_item
from app.dicom.raw_items import RawDataset
from app.dicom.text import decode
from app.dicom.values import code, double, doubles, integer, number, numbers, text, unsigned, unsigned_many
from app.dicom.volume_frame import volume_frame_of
from app.domain.geometry import PlaneGeometry, Point3
from app.domain.pixels import Lut, ModalityTransform, VoiFunction, VoiWindow
from app.domain.problem import Problem, Severity
from app.domain.study import FrameHeader


def repaired(code: str, **params: str | int | float) -> Problem:
    """A repair that is shown with the image."""
    return Problem(code, params, Severity.WARNING)


@lru_cache(maxsize=512)
def _cosines(values: tuple[float, ...]) -> tuple[Point3, Point3, bool] | None:
    """Row and column cosines and whether they had to be normalised; None when they are no orthogonal pair."""
    row, column = np.asarray(values[:3]), np.asarray(values[3:6])
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(float(row @ column)) > 1e-2:
        return None
    mended = any(abs(n - 1.0) > 1e-3 for n in lengths)
    if any(abs(n - 1.0) > 1e-4 for n in lengths):
        row, column = row / lengths[0], column / lengths[1]
    return (
        (float(row[0]), float(row[1]), float(row[2])),
        (float(column[0]), float(column[1]), float(column[2])),
        mended,
    )


def plane_from(
    position: tuple[float, ...],
    orientation: tuple[float, ...],
    spacing: tuple[float, ...],
    rows: int,
    columns: int,
    frame_of_reference_uid: str,
    repairs: list[Problem],
) -> PlaneGeometry | None:
    """A calibrated plane, or None where the header gives none; why not is added to ``repairs``."""
    if len(position) < 3 or len(orientation) < 6 or len(spacing) < 2:
        return None
    if not (spacing[0] > 0 and spacing[1] > 0):
        _once(repairs, repaired("dicom.zero_spacing"))
        return None
    cosines = _cosines(orientation[:6])
    if cosines is None:
        _once(repairs, repaired("dicom.bad_orientation"))
        return None
    if cosines[2]:
        _once(repairs, repaired("dicom.repaired.orientation"))
    return PlaneGeometry(
        (position[0], position[1], position[2]),
        cosines[0],
        cosines[1],
        spacing[0],
        spacing[1],
        rows,
        columns,
        frame_of_reference_uid,
    )


def _once(repairs: list[Problem], problem: Problem) -> None:
    if all(p.code != problem.code for p in repairs):
        repairs.append(problem)


_FUNCTIONS = {f.value: f for f in VoiFunction}


@lru_cache(maxsize=512)
def _windows(
    centers: tuple[float, ...], widths: tuple[float, ...], function: str, explanations: tuple[str, ...]
) -> tuple[VoiWindow, ...]:
    found = []
    chosen = _FUNCTIONS.get(function, VoiFunction.LINEAR)
    for n, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if width <= 0:
            continue
        # PS3.3 C.11.2.1.2.1 wants LINEAR widths of at least 1; PET and float maps come with less and mean the exact form.
        used = VoiFunction.LINEAR_EXACT if chosen is VoiFunction.LINEAR and width < 1 else chosen
        found.append(VoiWindow(center, width, used, explanations[n] if n < len(explanations) else ""))
    return tuple(found)


def windows_of(dataset: RawDataset) -> tuple[VoiWindow, ...]:
    centers = numbers(dataset, tags.WINDOW_CENTER)
    if not centers:
        return ()
    widths = numbers(dataset, tags.WINDOW_WIDTH)
    raw = dataset.raw(tags.WINDOW_EXPLANATION)
    explanations = tuple(p.strip() for p in decode(raw, dataset.charsets).text.split("\\")) if raw else ()
    return _windows(centers, widths, code(dataset, tags.VOI_LUT_FUNCTION), explanations)


@lru_cache(maxsize=512)
def _linear(slope: float, intercept: float, unit: str) -> ModalityTransform:
    return ModalityTransform(slope, intercept, unit)


IDENTITY = ModalityTransform()


def modality_transform_of(dataset: RawDataset, modality: str, signed: bool, repairs: list[Problem]) -> ModalityTransform:
    """Rescale or Modality LUT (PS3.3 C.11.1); CT without Rescale Type means HU (C.8.2.1)."""
    item = dataset.first(tags.MODALITY_LUT_SEQUENCE)
    if item is not None:
        lut = _lut(item, signed, repairs)
        if lut is not None:
            return ModalityTransform(1.0, 0.0, lut.unit, lut)
    slope, intercept = number(dataset, tags.RESCALE_SLOPE), number(dataset, tags.RESCALE_INTERCEPT)
    if slope is None and intercept is None:
        return _dose_scaling(dataset, modality)
    unit = code(dataset, tags.RESCALE_TYPE) or ("HU" if modality == "CT" else "")
    if modality == "PT":
        unit = _pet_unit(dataset) or unit
    if slope == 0:
        _once(repairs, repaired("dicom.repaired.slope"))
        slope, unit = 1.0, ""
    return _linear(1.0 if slope is None else slope, intercept or 0.0, "" if unit == "US" else unit)


def _pet_unit(dataset: RawDataset) -> str:
    """Units (0054,1001); an SUV by another measure of the body than its weight is not called GML, which means SUVbw."""
    unit, kind = code(dataset, tags.UNITS), code(dataset, tags.SUV_TYPE)
    return f"{{SUV{kind.lower()}}}g/ml" if unit == "GML" and kind not in ("", "BW") else unit


def _dose_scaling(dataset: RawDataset, modality: str) -> ModalityTransform:
    scaling = number(dataset, tags.DOSE_GRID_SCALING) if modality == "RTDOSE" else None
    return _linear(scaling, 0.0, code(dataset, tags.DOSE_UNITS)) if scaling else IDENTITY


def _lut(item: RawDataset, signed: bool, repairs: list[Problem]) -> Lut | None:
    lut = lut_from_item(item, signed)
    if lut is None:
        _once(repairs, repaired("dicom.repaired.lut"))
    return lut


def classic_frames(
    dataset: RawDataset, modality: str, rows: int, columns: int, count: int, signed: bool, repairs: list[Problem]
) -> tuple[FrameHeader, ...]:
    """All frames share the one header, except in a dose grid, whose frames have offsets along the normal."""
    position = numbers(dataset, tags.IMAGE_POSITION_PATIENT) or numbers(dataset, tags.IMAGE_POSITION_ACR)
    orientation = numbers(dataset, tags.IMAGE_ORIENTATION_PATIENT) or numbers(dataset, tags.IMAGE_ORIENTATION_ACR)
    plane = plane_from(
        position,
        orientation,
        numbers(dataset, tags.PIXEL_SPACING),
        rows,
        columns,
        code(dataset, tags.FRAME_OF_REFERENCE_UID),
        repairs,
    )
    transform = modality_transform_of(dataset, modality, signed, repairs)
    temporal = number(dataset, tags.TEMPORAL_POSITION_IDENTIFIER)
    windows = windows_of(dataset)
    if count == 1:
        return (FrameHeader(plane, transform, windows, (), temporal, cardiac=_cardiac(dataset)),)
    offsets = numbers(dataset, tags.GRID_FRAME_OFFSET_VECTOR)
    if plane is not None and modality == "RTDOSE" and len(offsets) == count:
        return tuple(FrameHeader(_shifted(plane, o - offsets[0]), transform, windows) for o in offsets)
    # A multi-frame object without per-frame positions has one position at most for its first frame.
    return (FrameHeader(None, transform, windows, (), temporal),) * count


def _shifted(plane: PlaneGeometry, offset_mm: float) -> PlaneGeometry:
    n = plane.normal
    o = plane.origin_mm
    moved = (o[0] + n[0] * offset_mm, o[1] + n[1] * offset_mm, o[2] + n[2] * offset_mm)
    return PlaneGeometry(
        moved,
        plane.row_cosines,
        plane.column_cosines,
        plane.row_spacing_mm,
        plane.column_spacing_mm,
        plane.rows,
        plane.columns,
        plane.frame_of_reference_uid,
    )


def enhanced_frames(
    dataset: RawDataset, modality: str, rows: int, columns: int, count: int, signed: bool, repairs: list[Problem]
) -> tuple[FrameHeader, ...]:
    """Per-frame over shared functional groups over the plain header."""
    shared = dataset.first(tags.SHARED_FUNCTIONAL_GROUPS) or RawDataset()
    groups = dataset.items(tags.PER_FRAME_FUNCTIONAL_GROUPS)
    if len(groups) < count:
        _once(repairs, repaired("dicom.repaired.frame_groups", frames=count, groups=len(groups)))
    reference = code(dataset, tags.FRAME_OF_REFERENCE_UID)
    plain_position = numbers(dataset, tags.IMAGE_POSITION_PATIENT)
    plain_orientation = numbers(dataset, tags.IMAGE_ORIENTATION_PATIENT)
    plain_spacing = numbers(dataset, tags.PIXEL_SPACING)
    plain_windows = windows_of(dataset)
    volume = volume_frame_of(dataset)
    empty = RawDataset()
    found = []
    for n in range(count):
        group = groups[n] if n < len(groups) else empty

        def item(tag: int, group: RawDataset = group) -> RawDataset:
            return group.first(tag) or shared.first(tag) or empty

        position = numbers(item(tags.PLANE_POSITION_SEQUENCE), tags.IMAGE_POSITION_PATIENT)
        spacing = numbers(item(tags.PIXEL_MEASURES_SEQUENCE), tags.PIXEL_SPACING) or plain_spacing
        plane = plane_from(
            position or (plain_position if count == 1 else ()),
            numbers(item(tags.PLANE_ORIENTATION_SEQUENCE), tags.IMAGE_ORIENTATION_PATIENT) or plain_orientation,
            spacing,
            rows,
            columns,
            reference,
            repairs,
        )
        if plane is None and not position:
            place = doubles(item(tags.PLANE_POSITION_VOLUME_SEQUENCE), tags.IMAGE_POSITION_VOLUME)
            turn = doubles(item(tags.PLANE_ORIENTATION_VOLUME_SEQUENCE), tags.IMAGE_ORIENTATION_VOLUME)
            own = plane_from(place, turn, spacing, rows, columns, volume.uid, repairs)
            plane = volume.placed(own) if own is not None else None
            if plane is not None and not plane.in_patient:
                _once(repairs, Problem("dicom.no_place_in_patient", {}, Severity.NOTE))
        values = item(tags.PIXEL_VALUE_TRANSFORMATION_SEQUENCE)
        source = values if values.values else dataset
        content = item(tags.FRAME_CONTENT_SEQUENCE)
        found.append(
            FrameHeader(
                plane,
                modality_transform_of(source, modality, signed, repairs),
                windows_of(item(tags.FRAME_VOI_LUT_SEQUENCE)) or plain_windows,
                unsigned_many(content, tags.DIMENSION_INDEX_VALUES),
                _temporal(content, item(tags.TEMPORAL_POSITION_SEQUENCE), dataset),
                text(content, tags.STACK_ID),
                b_value=double(item(tags.MR_DIFFUSION_SEQUENCE), tags.DIFFUSION_B_VALUE),
                echo_time_ms=double(item(tags.MR_ECHO_SEQUENCE), tags.EFFECTIVE_ECHO_TIME),
                cardiac=_cardiac(item(tags.CARDIAC_SYNCHRONIZATION_SEQUENCE)),
            )
        )
    return tuple(found)


def _cardiac(dataset: RawDataset) -> tuple[float, str] | None:
    """Percentage of the cycle, else the nominal delay after the R wave, else a classic header's Trigger Time."""
    for tag, unit, read in (
        (tags.NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE, "%", double),
        (tags.NOMINAL_CARDIAC_TRIGGER_DELAY, "ms", double),
        (tags.TRIGGER_TIME, "ms", number),
    ):
        value = read(dataset, tag)
        if value is not None and math.isfinite(value):
            return (value, unit)
    return None


def _temporal(content: RawDataset, position: RawDataset, dataset: RawDataset) -> float | None:
    """The index of the moment, else its offset in time, else the identifier of a classic header."""
    index = unsigned(content, tags.TEMPORAL_POSITION_INDEX)
    if index is not None:
        return float(index)
    offset = double(position, tags.TEMPORAL_POSITION_TIME_OFFSET)
    if offset is not None and math.isfinite(offset):
        return offset
    plain = integer(dataset, tags.TEMPORAL_POSITION_IDENTIFIER)
    return None if plain is None or math.isnan(plain) else float(plain)
