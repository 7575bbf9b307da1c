"""Heatmaps of the second reader as DICOM Parametric Map (32-bit float; films: fractional Segmentation), and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom import coding, grids
from app.dicom.data_set import data_set
from app.dicom.object_header import DEVICE_SERIAL, MANUFACTURER, MODEL, ObjectHeader, evidence_of, finished, first_image
from app.dicom.segmentation import SEGMENTATION
from app.dicom.sr_groups import concept
from app.domain.finding import Heatmap, ReaderIdentity
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Code
from app.domain.problem import ProblemError, fail
from app.domain.study import Study

_LEVELS = 255
_LEAST_VALUE = 0.01
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"


@dataclass(frozen=True, eq=False)
class ReadMap:
    values: npt.NDArray[np.float32]
    """``[k, j, i]`` on ``geometry``; films ``[rows, columns]`` over the whole source image."""
    geometry: VolumeGeometry | None
    quantity: Code | None
    label: str
    source_sop_instance_uids: tuple[str, ...]


def heatmap_pm(
    study: Study, heatmap: Heatmap, reader: ReaderIdentity, header: ObjectHeader, evidence: tuple[str, ...] = ()
) -> bytes:
    """``heatmap`` as a float Parametric Map. Quantity (122157, DCM, "Probability"), or Saliency for activation maps.

    Values stay on their absolute scale 0..1; margins in which all are below 0.01 are left out, and the object says so.
    ``evidence``: SOP Instance UIDs of the images it was computed from. Raises ``dicom.evidence_missing`` or
    ``dicom.map_not_finite``.
    """
    import highdicom as hd

    values = _checked(heatmap)
    quantity = coding.PROBABILITY if heatmap.is_probability else coding.SALIENCY
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="PROBABILITY" if heatmap.is_probability else "SALIENCY",
        lut_explanation=f"{quantity.meaning} of {heatmap.code.meaning}"[:64],
        unit=concept(coding.unit_code("1")),
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=concept(quantity),
    )
    if heatmap.geometry is None:
        raise ValueError("a parametric map needs a geometry; films go through heatmap_object")
    geometry, values = _without_emptiness(heatmap.geometry, values)
    planes = grids.plane_arguments(geometry)
    sources = evidence_of(study, evidence or (heatmap.sop_instance_uid or first_image(study),))
    ds = hd.pm.ParametricMap(
        source_images=sources,
        pixel_array=values,
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        sop_instance_uid=header.sop_instance_uid,
        instance_number=header.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=header.software_version,
        device_serial_number=DEVICE_SERIAL,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        content_label="HEATMAP",
        content_description=f"{reader.name} {reader.version}: {heatmap.code.meaning}"[:64],
        content_qualification="RESEARCH" if reader.research_use_only else "PRODUCT",
        image_flavor="VOLUME",
        derived_pixel_contrast="QUANTITY",
        **planes,
    )
    ds.Laterality = ""  # type 2C that the writer leaves out
    if geometry is not heatmap.geometry:
        ds.ImageComments = f"Outside of this box every value is below {_LEAST_VALUE}"
    return finished(ds, study, header)


def _without_emptiness(
    geometry: VolumeGeometry, values: npt.NDArray[np.float32]
) -> tuple[VolumeGeometry, npt.NDArray[np.float32]]:
    """The smallest box that holds all values of at least ``_LEAST_VALUE`` (the highest one when there are none)."""
    there = values >= min(_LEAST_VALUE, float(values.max(initial=0.0)))
    slices = []
    for axis in range(3):
        along = np.flatnonzero(there.any(axis=tuple(a for a in range(3) if a != axis)))
        slices.append(slice(int(along[0]), int(along[-1]) + 1))
    k, j, i = slices
    if values[k, j, i].shape == values.shape:
        return geometry, values
    return geometry.cropped(k, j, i), np.ascontiguousarray(values[k, j, i])


def _film_map(study: Study, heatmap: Heatmap, reader: ReaderIdentity, header: ObjectHeader) -> bytes:
    """A Parametric Map must have a place in a patient, a film has none: fractional SEG that spans the image."""
    import highdicom as hd

    values = _checked(heatmap)
    sources = evidence_of(study, (heatmap.sop_instance_uid,))
    for source in sources:
        source.Rows, source.Columns = values.shape
    quantity = coding.PROBABILITY if heatmap.is_probability else coding.SALIENCY
    ds = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=np.clip(values, 0.0, 1.0)[np.newaxis, ..., np.newaxis],
        segmentation_type="FRACTIONAL",
        fractional_type="PROBABILITY",
        max_fractional_value=_LEVELS,
        omit_empty_frames=False,
        segment_descriptions=[
            hd.seg.SegmentDescription(
                segment_number=1,
                segment_label=f"{quantity.meaning} of {heatmap.code.meaning}"[:64],
                segmented_property_category=concept(quantity),
                segmented_property_type=concept(heatmap.code),
                algorithm_type="AUTOMATIC",
                algorithm_identification=hd.AlgorithmIdentificationSequence(
                    name=reader.name, family=concept(coding.ARTIFICIAL_INTELLIGENCE), version=reader.version
                ),
            )
        ],
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        sop_instance_uid=header.sop_instance_uid,
        instance_number=header.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=header.software_version,
        device_serial_number=DEVICE_SERIAL,
        content_label="HEATMAP",
        content_description=f"{reader.name} {reader.version}: {heatmap.code.meaning}"[:64],
    )
    return finished(ds, study, header)


def heatmap_object(
    study: Study, heatmap: Heatmap, reader: ReaderIdentity, header: ObjectHeader, evidence: tuple[str, ...] = ()
) -> tuple[bytes, str]:
    """(bytes, SOP Class UID): a Parametric Map for a volume, a fractional Segmentation for a film."""
    if heatmap.geometry is not None:
        return heatmap_pm(study, heatmap, reader, header, evidence), PARAMETRIC_MAP
    return _film_map(study, heatmap, reader, header), SEGMENTATION


def _checked(heatmap: Heatmap) -> npt.NDArray[np.float32]:
    values = np.asarray(heatmap.values, dtype=np.float32)
    if not np.isfinite(values).all():
        raise fail("dicom.map_not_finite")
    return values


def read_heatmap(data: bytes) -> ReadMap:
    """What :func:`heatmap_object` wrote, and other makers' parametric maps. Raises ``dicom.pm_unreadable``."""
    try:
        ds: Any = data_set(data)
        if str(ds.SOPClassUID) == SEGMENTATION and str(ds.SegmentationType) == "FRACTIONAL":
            return _read_film_map(ds)
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("dicom.pm_unreadable", error=type(error).__name__) from error
    return read_pm(data)


def _read_film_map(ds: Any) -> ReadMap:
    values = (np.asarray(ds.pixel_array, dtype=np.float32) / float(ds.MaximumFractionalValue)).astype(np.float32)
    category = ds.SegmentSequence[0].SegmentedPropertyCategoryCodeSequence[0]
    quantity = Code(str(category.CodeValue), str(category.CodingSchemeDesignator), str(category.CodeMeaning))
    film = values[0] if values.ndim == 3 and len(values) == 1 else values
    return ReadMap(film, None, quantity, str(ds.get("ContentLabel", "")), _sources(ds))


def read_pm(data: bytes) -> ReadMap:
    """A Parametric Map as values with their place. Without positions the map spans the whole source image.

    Real-world value mapping is applied. Raises ``dicom.pm_unreadable``.
    """
    try:
        ds: Any = data_set(data)
        if str(ds.SOPClassUID) != PARAMETRIC_MAP:
            raise fail("dicom.not_pm")
        frames = np.asarray(ds.pixel_array, dtype=np.float32)
        if frames.ndim == 2:
            frames = frames[np.newaxis]
        groups = list(ds.get("PerFrameFunctionalGroupsSequence") or [])
        shared = ds.SharedFunctionalGroupsSequence[0]
        mapping = _mapping(shared) or (_mapping(groups[0]) if groups else None)
        if mapping is not None and "RealWorldValueSlope" in mapping:
            slope, intercept = float(mapping.RealWorldValueSlope), float(mapping.get("RealWorldValueIntercept", 0.0))
            if (slope, intercept) != (1.0, 0.0):
                frames = (frames * slope + intercept).astype(np.float32)
        geometry, values = grids.stack_frames(ds, groups, range(len(frames)), frames)
        return ReadMap(values, geometry, _quantity(mapping), str(ds.get("ContentLabel", "")), _sources(ds))
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("dicom.pm_unreadable", error=type(error).__name__) from error


def _mapping(group: Any) -> Any:
    items = group.get("RealWorldValueMappingSequence")
    return items[0] if items else None


def _quantity(mapping: Any) -> Code | None:
    for item in (mapping.get("QuantityDefinitionSequence") or ()) if mapping is not None else ():
        codes = item.get("ConceptCodeSequence")
        if codes:
            return Code(str(codes[0].CodeValue), str(codes[0].CodingSchemeDesignator), str(codes[0].CodeMeaning))
    return None


def _sources(ds: Any) -> tuple[str, ...]:
    found: list[str] = []
    for series in ds.get("ReferencedSeriesSequence") or ():
        found += [str(item.ReferencedSOPInstanceUID) for item in series.get("ReferencedInstanceSequence") or ()]
    return tuple(found)
