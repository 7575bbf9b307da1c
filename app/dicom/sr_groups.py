"""Findings as measurement groups of a TID 1500 report (PS3.16 TID 1410, 1501, 4019)."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.dicom import coding
from app.domain.finding import Finding, Location, ReaderIdentity
from app.domain.geometry import Point3, px_from_index
from app.domain.measurement import Code
from app.domain.study import Instance, Study
from app.domain.study_lookup import instances_by_uid

RESEARCH_USE = "Research use only. Not for diagnosis without a physician."


def concept(code: Code) -> Any:
    import highdicom as hd

    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning[:64])


def _with_children(item: Any, children: list[Any] | None) -> Any:
    import highdicom as hd

    if children:
        item.ContentSequence = hd.sr.ContentSequence(children)
    return item


def text_item(relationship: str, name: Code, text: str) -> Any:
    import highdicom as hd

    return hd.sr.TextContentItem(concept(name), text, relationship)


def code_item(relationship: str, name: Code, value: Code, children: list[Any] | None = None) -> Any:
    import highdicom as hd

    return _with_children(hd.sr.CodeContentItem(concept(name), concept(value), relationship), children)


def uidref_item(relationship: str, name: Code, uid: str) -> Any:
    import highdicom as hd

    return hd.sr.UIDRefContentItem(concept(name), uid, relationship)


def container_item(relationship: str, name: Code, children: list[Any]) -> Any:
    import highdicom as hd

    item = hd.sr.ContainerContentItem(concept(name), is_content_continuous=False, relationship_type=relationship)
    return _with_children(item, children)


def composite_item(relationship: str, name: Code, sop_class_uid: str, sop_instance_uid: str) -> Any:
    import highdicom as hd

    return hd.sr.CompositeContentItem(concept(name), sop_class_uid, sop_instance_uid, relationship)


def scoord3d_item(relationship: str, name: Code, graphic_type: str, points: list[Point3], frame_of_reference: str) -> Any:
    import highdicom as hd

    return hd.sr.Scoord3DContentItem(
        concept(name), graphic_type, np.asarray(points, dtype=np.float64), frame_of_reference, relationship_type=relationship
    )


def scoord_item(relationship: str, name: Code, points: list[tuple[float, float]], instance: Instance, frame: int) -> Any:
    import highdicom as hd

    item = hd.sr.ScoordContentItem(
        concept(name),
        "POINT" if len(points) == 1 else "POLYLINE",
        np.asarray(points, dtype=np.float64),
        relationship_type=relationship,
    )
    frames = [frame + 1] if len(instance.frames) > 1 else None
    source = hd.sr.ImageContentItem(
        concept(Code("121112", "DCM", "Source of Measurement")),
        instance.sop_class_uid,
        instance.sop_instance_uid,
        referenced_frame_numbers=frames,
        relationship_type="SELECTED FROM",
    )
    return _with_children(item, [source])


def frame_of_reference(study: Study, location: Location) -> str:
    """Of the location, else of the image that it names, else of the first image that has one."""
    if location.frame_of_reference_uid:
        return location.frame_of_reference_uid
    instances = instances_by_uid(study)
    named = instances.get(location.sop_instance_uid)
    candidates = ([named] if named else []) + list(instances.values())
    for instance in candidates:
        if instance.frame_of_reference_uid:
            return instance.frame_of_reference_uid
        plane = instance.frames[0].plane if instance.frames else None
        if plane is not None and plane.frame_of_reference_uid:
            return plane.frame_of_reference_uid
    return ""


def _box_outline(box: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    x0, y0, x1, y1 = box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]


def outline_px(study: Study, location: Location) -> list[tuple[float, float]]:
    """The region on ``location.sop_instance_uid`` as image_px points (1 = a point); empty when there is no such image.

    A patient-space box is cut by the image plane: its corners are projected along the normal.
    """
    if not location.sop_instance_uid:
        return []
    if len(location.contour_px) >= 3:
        points = list(location.contour_px)
        return points if points[0] == points[-1] else [*points, points[0]]
    if location.box_px is not None:
        return _box_outline(location.box_px)
    if location.centre_px is not None:
        return [location.centre_px]
    instance = instances_by_uid(study).get(location.sop_instance_uid)
    if instance is None or location.frame >= len(instance.frames):
        return []
    plane = instance.frames[location.frame].plane
    if plane is None or location.centre_lps_mm is None:
        return []
    if location.box_lps_mm is None:
        j, i, _ = plane.to_index(location.centre_lps_mm)
        return [px_from_index(i, j)]
    a, b = location.box_lps_mm
    corners = [(x, y, z) for x in (a[0], b[0]) for y in (a[1], b[1]) for z in (a[2], b[2])]
    indices = [plane.to_index(c) for c in corners]
    xs = [px_from_index(i, j)[0] for j, i, _ in indices]
    ys = [px_from_index(i, j)[1] for j, i, _ in indices]
    return _box_outline((min(xs), min(ys), max(xs), max(ys)))


def region(study: Study, location: Location) -> Any:
    """Image Region (111030) of a location, or None when neither an image nor a frame of reference can be named."""
    import highdicom as hd

    outline = outline_px(study, location)
    instance = instances_by_uid(study).get(location.sop_instance_uid)
    if outline and instance is not None:
        frames = [location.frame + 1] if len(instance.frames) > 1 else None
        source = hd.sr.SourceImageForRegion(instance.sop_class_uid, instance.sop_instance_uid, frames)
        graphic = "POINT" if len(outline) == 1 else "POLYLINE"
        return hd.sr.ImageRegion(graphic, np.asarray(outline, dtype=np.float64), source)
    uid = frame_of_reference(study, location)
    if location.centre_lps_mm is None or not uid:
        return None
    return hd.sr.ImageRegion3D("POINT", np.asarray([location.centre_lps_mm], dtype=np.float64), uid)


def spatial_items(study: Study, location: Location) -> list[Any]:
    """Centre and box in patient space beside the region, so that no reader has to rebuild them from slices."""
    uid = frame_of_reference(study, location)
    if not uid:
        return []
    items = []
    if location.centre_lps_mm is not None:
        items.append(scoord3d_item("CONTAINS", coding.CENTRE, "POINT", [location.centre_lps_mm], uid))
    if location.box_lps_mm is not None:
        items.append(scoord3d_item("CONTAINS", coding.BOUNDING_BOX, "MULTIPOINT", list(location.box_lps_mm), uid))
    return items


def algorithm_parameters(reader: ReaderIdentity) -> list[str]:
    """What TID 4019 has no row for: package hash, operating point, engine, and what it may be used for."""
    parameters = [f"package_sha256={reader.package_sha256}"]
    if reader.operating_point:
        parameters.append(f"operating_point={reader.operating_point}")
    if reader.engine:
        parameters.append(f"engine={reader.engine}")
    if reader.research_use_only:
        parameters.append(RESEARCH_USE)
    return parameters


def algorithm(reader: ReaderIdentity) -> Any:
    import highdicom as hd

    return hd.sr.AlgorithmIdentification(
        name=reader.name,
        version=reader.version,
        parameters=algorithm_parameters(reader),
        family=concept(coding.ARTIFICIAL_INTELLIGENCE),
        manufacturer="Ekinshi",
    )


def _measurements(finding: Finding) -> list[Any]:
    import highdicom as hd

    rows: list[tuple[Code, float, str]] = [
        (coding.QUANTITIES[m.quantity], m.value, m.unit) for m in finding.measurements if np.isfinite(m.value)
    ]
    if finding.probability is not None:
        rows.append((coding.PROBABILITY, finding.probability, "1"))
    if finding.score is not None:
        rows.append((coding.RAW_SCORE, finding.score, "{score}"))
    return [
        hd.sr.Measurement(concept(name), float(f"{value:.6g}"), concept(coding.unit_code(unit)))
        for name, value, unit in rows
    ]


def _sites(finding: Finding) -> list[Any] | None:
    import highdicom as hd

    code = coding.site_code(finding.region)
    if code is None:
        return None
    side = coding.LATERALITY.get(finding.laterality)
    return [hd.sr.FindingSite(concept(code), laterality=concept(side) if side else None)]


def finding_group(study: Study, finding: Finding, label: str, extra: list[Any] | None = None) -> Any:
    """One finding as a Measurement Group (125007). ``label`` is the short badge; ``extra`` are further content items."""
    import highdicom as hd

    qualitative = []
    if finding.band is not None:
        qualitative.append(hd.sr.QualitativeEvaluation(concept(coding.BAND), concept(coding.BANDS[finding.band.value])))
    common = {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=finding.finding_id, identifier=label),
        "finding_type": concept(finding.code),
        "finding_sites": _sites(finding),
        "measurements": _measurements(finding) or None,
        "qualitative_evaluations": qualitative or None,
        "algorithm_id": algorithm(finding.reader) if finding.reader is not None else None,
    }
    place = region(study, finding.location)
    if place is not None:
        group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=place, **common)
    else:
        group = hd.sr.MeasurementsAndQualitativeEvaluations(**common)
    items = spatial_items(study, finding.location)
    if finding.laterality and coding.site_code(finding.region) is None:
        items.append(code_item("CONTAINS", Code("272741003", "SCT", "Laterality"), coding.LATERALITY[finding.laterality]))
    if finding.region:
        items.append(text_item("CONTAINS", coding.REGION, finding.region))
    items += [text_item("CONTAINS", coding.ATTRIBUTE, f"{key}={value}") for key, value in finding.attributes]
    if finding.confidence is not None:
        items.append(text_item("CONTAINS", coding.CONFIDENCE, str(finding.confidence)))
    if finding.comment:
        items.append(text_item("CONTAINS", coding.COMMENT, finding.comment))
    append(group, items + (extra or []))
    return group


def append(group: Any, items: list[Any]) -> None:
    """Adds content items that the template library has no parameter for (TID 1501 is extensible)."""
    for item in items:
        group[0].ContentSequence.append(item)
