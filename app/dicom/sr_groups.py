"""Findings and measured marks as measurement groups of a TID 1500 report (PS3.16 TID 300, 1410, 1501, 4019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.dicom import coding
from app.dicom.sr_drawing import REGIONS, UNDRAWN, Stroke, note_of, strokes
from app.domain.finding import Finding, Location, ReaderIdentity
from app.domain.geometry import Point3, px_from_index
from app.domain.measurement import Code, Quantity
from app.domain.study import Instance, Study
from app.domain.study_lookup import instances_by_uid

IMAGE_REGION = Code("111030", "DCM", "Image Region")
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


def scoord_item(
    relationship: str,
    name: Code,
    points: list[tuple[float, float]],
    instance: Instance,
    frame: int,
    graphic_type: str = "",
) -> Any:
    import highdicom as hd

    item = hd.sr.ScoordContentItem(
        concept(name),
        graphic_type or ("POINT" if len(points) == 1 else "POLYLINE"),
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


@dataclass(frozen=True)
class Drawing:
    """A mark as it was drawn, on an image or, without one, in a frame of reference."""

    strokes: tuple[Stroke, ...]
    instance: Instance | None = None
    frame: int = 0
    frame_of_reference_uid: str = ""

    def item(self, stroke: Stroke, relationship: str, name: Code) -> Any:
        if self.instance is None:
            points = [(p[0], p[1], p[2]) for p in stroke.points]
            return scoord3d_item(relationship, name, stroke.graphic_type, points, self.frame_of_reference_uid)
        flat = [(p[0], p[1]) for p in stroke.points]
        return scoord_item(relationship, name, flat, self.instance, self.frame, stroke.graphic_type)

    def region(self, stroke: Stroke) -> Any:
        """As the Image Region (111030) of a planar group."""
        import highdicom as hd

        points = np.asarray(stroke.points, dtype=np.float64)
        if self.instance is None:
            return hd.sr.ImageRegion3D(stroke.graphic_type, points, self.frame_of_reference_uid)
        return hd.sr.ImageRegion(stroke.graphic_type, points, self._source())

    def coordinates(self, stroke: Stroke) -> Any:
        """As what a value is inferred from (PS3.16 TID 300, TID 320)."""
        import highdicom as hd

        points = np.asarray(stroke.points, dtype=np.float64)
        if self.instance is None:
            return hd.sr.CoordinatesForMeasurement3D(stroke.graphic_type, points, self.frame_of_reference_uid)
        return hd.sr.CoordinatesForMeasurement(stroke.graphic_type, points, self._source())

    def _source(self) -> Any:
        import highdicom as hd

        assert self.instance is not None
        frames = [self.frame + 1] if len(self.instance.frames) > 1 else None
        return hd.sr.SourceImageForRegion(self.instance.sop_class_uid, self.instance.sop_instance_uid, frames)


def drawing_of(study: Study, finding: Finding) -> Drawing | None:
    """The reader's own drawing; None where there is none, or its place cannot be named in ``study``."""
    placement = finding.placement
    if placement is None or finding.shape in UNDRAWN:
        return None
    instance = instances_by_uid(study).get(placement.sop_instance_uid)
    if instance is not None and placement.points_px:
        flat = strokes(finding.shape, placement.points_px)
        return Drawing(flat, instance, placement.frame) if flat else None
    uid = placement.frame_of_reference_uid or frame_of_reference(study, finding.location)
    if not uid or not placement.points_mm:
        return None
    solid = strokes(finding.shape, placement.points_mm, placement.axes_mm)
    return Drawing(solid, frame_of_reference_uid=uid) if solid else None


def numbers_of(finding: Finding, drawing: Drawing | None = None) -> list[Any]:
    """Values with the coordinates that they are inferred from, unrounded: the decimal string holds what its 16 characters
    can, Floating Point Value the whole number (PS3.3 C.17.3).
    """
    import highdicom as hd

    rows: list[tuple[Code, float, str, Quantity | None, str, bool | None]] = [
        (coding.QUANTITIES[m.quantity], m.value, m.unit, m.quantity, m.of, m.calibrated)
        for m in finding.measurements
        if np.isfinite(m.value)
    ]
    if finding.probability is not None:
        rows.append((coding.PROBABILITY, finding.probability, "1", None, "", None))
    if finding.score is not None:
        rows.append((coding.RAW_SCORE, finding.score, "{score}", None, "", None))
    owned = drawing.strokes if drawing is not None and finding.shape not in REGIONS else ()
    out = []
    for name, value, unit, quantity, of, calibrated in rows:
        mine = [drawing.coordinates(s) for s in owned if drawing is not None and quantity in s.quantities]
        number = hd.sr.Measurement(
            concept(name), float(value), concept(coding.unit_code(unit)), referenced_coordinates=mine or None
        )
        told = [text_item("HAS CONCEPT MOD", coding.OF_IMAGES, of)] if of else []
        if calibrated is not None and calibrated != coding.is_calibrated(unit):
            told.append(text_item("HAS CONCEPT MOD", coding.CALIBRATED, "yes" if calibrated else "no"))
        if told:
            _with_children(number[0], [*told, *number[0].get("ContentSequence", ())])
        out.append(number)
    return out


def _loose(finding: Finding, drawing: Drawing) -> list[Stroke]:
    """Lines that no value of the finding is inferred from."""
    said = {m.quantity for m in finding.measurements if np.isfinite(m.value)}
    return [s for s in drawing.strokes if not s.quantities & said]


def _note(finding: Finding) -> str:
    placement = finding.placement
    points = (placement.points_px or placement.points_mm) if placement is not None else ()
    return note_of(finding.shape, points, [m.quantity for m in finding.measurements if np.isfinite(m.value)])


def _sites(finding: Finding) -> list[Any] | None:
    import highdicom as hd

    code = coding.site_code(finding.region)
    if code is None:
        return None
    side = coding.LATERALITY.get(finding.laterality)
    return [hd.sr.FindingSite(concept(code), laterality=concept(side) if side else None)]


def finding_group(study: Study, finding: Finding, label: str, extra: list[Any] | None = None, named: bool = True) -> Any:
    """One finding as a Measurement Group (125007). ``label`` is the short badge; ``extra`` are further content items.

    ``named`` False: a mark that measures something and claims no finding.
    """
    import highdicom as hd

    qualitative = []
    if finding.band is not None:
        qualitative.append(hd.sr.QualitativeEvaluation(concept(coding.BAND), concept(coding.BANDS[finding.band.value])))
    drawing = drawing_of(study, finding)
    # A region is one outline or point; the lines of a drawing stand under the values that are inferred from them.
    single = drawing is not None and (finding.shape in REGIONS or drawing.strokes[0].graphic_type == "POINT")
    common = {
        "tracking_identifier": hd.sr.TrackingIdentifier(uid=finding.finding_id, identifier=label),
        "finding_type": concept(finding.code) if named else None,
        "finding_sites": _sites(finding),
        "measurements": numbers_of(finding, None if single else drawing) or None,
        "qualitative_evaluations": qualitative or None,
        "algorithm_id": algorithm(finding.reader) if finding.reader is not None else None,
    }
    items: list[Any] = []
    place = None
    if drawing is None:
        place = region(study, finding.location)
    elif single:
        place = drawing.region(drawing.strokes[0])
    else:
        items = [drawing.item(s, "CONTAINS", IMAGE_REGION) for s in _loose(finding, drawing)]
    if place is not None:
        group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=place, **common)
    else:
        group = hd.sr.MeasurementsAndQualitativeEvaluations(**common)
    if drawing is not None:
        items.append(text_item("CONTAINS", coding.SHAPE, _note(finding)))
    items += spatial_items(study, finding.location)
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
