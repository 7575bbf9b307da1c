"""Masks of findings as DICOM Segmentation (binary), and Segmentation objects back into masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom import coding, grids
from app.dicom.data_set import data_set
from app.dicom.object_header import DEVICE_SERIAL, MANUFACTURER, MODEL, ObjectHeader, evidence_of, finished
from app.dicom.sr_groups import algorithm_parameters, concept
from app.domain.finding import Finding, ReadResult, SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Code
from app.domain.problem import ProblemError, fail
from app.domain.study import Study
from app.domain.study_lookup import instances_by_uid

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass(frozen=True, eq=False)
class ReadSegment:
    """One segment of a Segmentation object."""

    number: int
    label: str
    tracking_uid: str
    code: Code | None
    values: npt.NDArray[np.bool_]
    """``[k, j, i]`` on ``geometry``; films ``[rows, columns]``."""
    geometry: VolumeGeometry | None
    source_sop_instance_uids: tuple[str, ...]


def finding_masks_seg(study: Study, result: ReadResult, header: ObjectHeader) -> bytes:
    """``result.masks`` as one binary SEG, a segment per finding with the finding's tracking UID.

    Volumes: all masks must lie on one grid of voxels (crops of it are placed); where that is the grid of the source
    images the frames are the images' own planes. Films: all masks on one image. Raises ``dicom.seg_empty``,
    ``dicom.seg_mixed_grids`` or ``dicom.evidence_missing``.
    """
    masks = [m for m in result.masks if m.values.any()]
    if not masks:
        raise fail("dicom.seg_empty")
    return _seg(study, result.findings, masks, _descriptions(result, masks), header)


def own_masks_seg(study: Study, findings: Sequence[Finding], masks: Sequence[SegmentMask], header: ObjectHeader) -> bytes:
    """The reader's own masks as one binary SEG, told as made by hand, or with a threshold's help; else as above."""
    import highdicom as hd

    by_id = {f.finding_id: f for f in findings}
    masks = [m for m in masks if m.values.any()]
    growing = hd.AlgorithmIdentificationSequence(
        name="Region growing from a point", family=concept(coding.NEIGHBOURHOOD_ANALYSIS), version=header.software_version
    )
    descriptions = []
    for number, mask in enumerate(masks, start=1):
        finding = by_id[mask.finding_id]
        helped = finding.mask is not None and finding.mask.grown
        descriptions.append(
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=f"{number} {finding.code.meaning}"[:64],
                segmented_property_category=hd.sr.CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
                segmented_property_type=concept(finding.code),
                algorithm_type="SEMIAUTOMATIC" if helped else "MANUAL",
                algorithm_identification=growing if helped else None,
                tracking_uid=mask.finding_id,
                tracking_id=str(number),
            )
        )
    return _seg(study, findings, masks, descriptions, header)


def _seg(
    study: Study,
    findings: Sequence[Finding],
    masks: Sequence[SegmentMask],
    descriptions: Sequence[Any],
    header: ObjectHeader,
) -> bytes:
    import highdicom as hd

    if not masks:
        raise fail("dicom.seg_empty")
    if masks[0].geometry is None:
        sources, pixels, planes = _film(study, masks)
    else:
        sources, pixels, planes = _volume(study, findings, masks)
    ds = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        sop_instance_uid=header.sop_instance_uid,
        instance_number=header.instance_number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=header.software_version,
        device_serial_number=DEVICE_SERIAL,
        content_label="FINDINGS",
        content_description="Masks of findings",
        **planes,
    )
    return finished(ds, study, header)


def _descriptions(result: ReadResult, masks: Sequence[SegmentMask]) -> list[Any]:
    import highdicom as hd

    findings = {f.finding_id: (n, f) for n, f in enumerate(result.findings, start=1)}
    family = concept(coding.ARTIFICIAL_INTELLIGENCE)
    parameters = dict(p.partition("=")[::2] for p in algorithm_parameters(result.reader) if "=" in p)
    descriptions = []
    for number, mask in enumerate(masks, start=1):
        badge, finding = findings.get(mask.finding_id, (number, None))
        code = finding.code if finding is not None else coding.FINDING_KINDS["lesion"]
        descriptions.append(
            hd.seg.SegmentDescription(
                segment_number=number,
                segment_label=f"A{badge} {code.meaning}"[:64],
                segmented_property_category=hd.sr.CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
                segmented_property_type=concept(code),
                algorithm_type="AUTOMATIC",
                algorithm_identification=hd.AlgorithmIdentificationSequence(
                    name=result.reader.name, family=family, version=result.reader.version, parameters=parameters
                ),
                tracking_uid=mask.finding_id,
                tracking_id=f"A{badge}",
            )
        )
    return descriptions


def _film(study: Study, masks: Sequence[SegmentMask]) -> tuple[list[Any], npt.NDArray[np.uint8], dict[str, Any]]:
    uid = masks[0].sop_instance_uid
    if any(m.geometry is not None or m.sop_instance_uid != uid for m in masks):
        raise fail("dicom.seg_mixed_grids")
    sources = evidence_of(study, [uid])
    instance = instances_by_uid(study)[uid]
    if instance.pixel_format is None:
        raise fail("dicom.no_images")
    shape = (instance.pixel_format.rows, instance.pixel_format.columns)
    layers = [grids.nearest(m.values, shape) for m in masks]
    return sources, np.stack(layers, axis=-1)[np.newaxis].astype(np.uint8), {}


def _volume(
    study: Study, findings: Sequence[Finding], masks: Sequence[SegmentMask]
) -> tuple[list[Any], npt.NDArray[Any], dict[str, Any]]:
    geometries = [m.geometry for m in masks if m.geometry is not None]
    if len(geometries) != len(masks):
        raise fail("dicom.seg_mixed_grids")
    named = [uid for f in findings for uid in f.source_sop_instance_uids]
    named = named or _images_of_frame(study, geometries[0].frame_of_reference_uid)
    source = grids.source_grid(study, named)
    if source is None or not all(grids.same_lattice(source.geometry, g) for g in geometries):
        target = grids.union(geometries)
        if target is None:
            raise fail("dicom.seg_mixed_grids")
        uids = named or [masks[0].sop_instance_uid]
    else:
        target, uids = source.geometry, list(source.sop_instance_uids)
    target, kept = _used_slices(target, masks, geometries)
    planes = grids.plane_arguments(target)
    if len(uids) > 1 and source is not None and len(uids) == source.geometry.shape[0]:
        uids = uids[kept]
    labels = np.zeros(target.shape, dtype=np.uint16 if len(masks) > 255 else np.uint8)
    layer = np.zeros(target.shape, dtype=np.uint8)
    for number, (mask, geometry) in enumerate(zip(masks, geometries, strict=True), start=1):
        box = grids.paste(layer, target, mask.values, geometry)
        if box is None:
            continue
        there = layer[box].astype(bool)
        if labels[box][there].any():
            return evidence_of(study, uids), _stacked(target, masks, geometries), planes
        labels[box][there] = number
        layer[box] = 0
    return evidence_of(study, uids), labels, planes


def _used_slices(
    grid: VolumeGeometry, masks: Sequence[SegmentMask], geometries: Sequence[VolumeGeometry]
) -> tuple[VolumeGeometry, slice]:
    """``grid`` without the slices above and below all masks, and which slices those are."""
    low, high = grid.shape[0], 0
    for mask, geometry in zip(masks, geometries, strict=True):
        start = round(grid.to_index(geometry.origin_mm)[0])
        used = np.flatnonzero(mask.values.any(axis=(1, 2)))
        low, high = min(low, start + int(used[0])), max(high, start + int(used[-1]) + 1)
    kept = slice(max(0, low), min(grid.shape[0], high))
    if kept.stop <= kept.start:
        raise fail("dicom.seg_mixed_grids")
    return grid.cropped(kept, slice(None), slice(None)), kept


def _stacked(
    grid: VolumeGeometry, masks: Sequence[SegmentMask], geometries: Sequence[VolumeGeometry]
) -> npt.NDArray[np.uint8]:
    """``[k, j, i, segment]``: for masks that overlap."""
    pixels = np.zeros((*grid.shape, len(masks)), dtype=np.uint8)
    for n, (mask, geometry) in enumerate(zip(masks, geometries, strict=True)):
        grids.paste(pixels[..., n], grid, mask.values, geometry)
    return pixels


def _images_of_frame(study: Study, frame_of_reference_uid: str) -> list[str]:
    """All images of a frame of reference: the sources of a reader that names none."""
    return [
        i.sop_instance_uid
        for s in study.series
        for i in s.instances
        if i.pixel_format is not None and frame_of_reference_uid and i.frame_of_reference_uid == frame_of_reference_uid
    ]


def read_seg(data: bytes) -> tuple[ReadSegment, ...]:
    """The segments of a Segmentation object. Volumes come as regular grids from the frames' positions.

    FRACTIONAL objects count from half of their maximum. Raises ``dicom.seg_unreadable``.
    """
    try:
        ds: Any = data_set(data)
        if str(ds.SOPClassUID) != SEGMENTATION:
            raise fail("dicom.not_seg")
        frames = np.asarray(ds.pixel_array)
        if frames.ndim == 2:
            frames = frames[np.newaxis]
        if str(ds.SegmentationType) == "FRACTIONAL":
            frames = frames >= int(ds.MaximumFractionalValue) / 2
        return tuple(_segment(ds, item, frames.astype(np.bool_)) for item in ds.SegmentSequence)
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("dicom.seg_unreadable", error=type(error).__name__) from error


def _segment(ds: Any, item: Any, frames: npt.NDArray[np.bool_]) -> ReadSegment:
    number = int(item.SegmentNumber)
    groups = list(ds.get("PerFrameFunctionalGroupsSequence") or [])
    mine = [
        n
        for n, g in enumerate(groups)
        if "SegmentIdentificationSequence" not in g
        or int(g.SegmentIdentificationSequence[0].ReferencedSegmentNumber) == number
    ]
    sources: list[str] = []
    for n in mine:
        for derivation in groups[n].get("DerivationImageSequence") or ():
            for image in derivation.get("SourceImageSequence") or ():
                if str(image.ReferencedSOPInstanceUID) not in sources:
                    sources.append(str(image.ReferencedSOPInstanceUID))
    geometry, values = grids.stack_frames(ds, groups, mine, frames)
    types = item.get("SegmentedPropertyTypeCodeSequence")
    code = None
    if types:
        code = Code(str(types[0].CodeValue), str(types[0].CodingSchemeDesignator), str(types[0].CodeMeaning))
    return ReadSegment(
        number=number,
        label=str(item.get("SegmentLabel", "")),
        tracking_uid=str(item.get("TrackingUID", "")),
        code=code,
        values=values,
        geometry=geometry,
        source_sop_instance_uids=tuple(sources),
    )
