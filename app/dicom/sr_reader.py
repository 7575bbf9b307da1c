"""Reads structured reports of any maker into a plain tree, and the findings in them with their places."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from app.dicom import coding
from app.dicom.data_set import data_set
from app.dicom.sr_drawing import Stroke, placement_of
from app.dicom.sr_references import referenced
from app.domain.finding import Location
from app.domain.geometry import Point3
from app.domain.measurement import Code, MarkShape, Measurement, Placement
from app.domain.problem import ProblemError, fail

MAX_DEPTH = 48
MAX_NODES = 200_000
MAX_FRAMES = 20_000
_MEASUREMENT_GROUP = ("125007", "DCM")
_REGION_KINDS = {"SCOORD", "SCOORD3D"}
_BY_PROGRAMS = tuple(f"1.2.840.10008.5.1.4.1.1.88.{n}" for n in (50, 65, 69))
"""Mammography, Chest and Colon CAD SR: their templates name no observer, and it is never a person."""


@dataclass(frozen=True)
class SrNode:
    """One content item. ``text`` is the value as words; ``code``, ``number``, ``points`` where the type has them."""

    relationship: str
    value_type: str
    concept: Code | None
    text: str = ""
    code: Code | None = None
    number: float | None = None
    unit: str = ""
    graphic_type: str = ""
    points: tuple[tuple[float, ...], ...] = ()
    """SCOORD: (x, y) image_px; SCOORD3D: (x, y, z) LPS mm."""
    frame_of_reference_uid: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    frames: tuple[int, ...] = ()
    """Zero-based; empty where none is named: the object as a whole."""
    children: tuple[SrNode, ...] = ()

    @property
    def frame(self) -> int:
        """The first that is named."""
        return self.frames[0] if self.frames else 0

    def first(self, value: str, scheme: str = "DCM") -> SrNode | None:
        return next((c for c in self.children if c.concept and (c.concept.value, c.concept.scheme) == (value, scheme)), None)


@dataclass(frozen=True)
class SrFinding:
    """A measurement group with a place or a value."""

    tracking_uid: str
    tracking_identifier: str
    code: Code | None
    locations: tuple[Location, ...]
    site: Code | None = None
    laterality: str = ""
    region: str = ""
    measurements: tuple[Measurement, ...] = ()
    values: tuple[tuple[Code, float, str], ...] = ()
    """All numbers: concept, value, unit."""
    attributes: tuple[tuple[str, str], ...] = ()
    probability: float | None = None
    score: float | None = None
    band: str = ""
    algorithm_name: str = ""
    algorithm_version: str = ""
    algorithm_parameters: tuple[str, ...] = ()
    verdict: Code | None = None
    reason: Code | None = None
    verdict_comment: str = ""
    assessed_sop_instance_uid: str = ""
    comment: str = ""
    shape: MarkShape | None = None
    placement: Placement | None = None
    """The drawing as it was made; of our own reports only."""


@dataclass(frozen=True)
class SrDocument:
    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    title: str
    complete: bool
    verified: bool
    content_datetime: str
    root: SrNode
    findings: tuple[SrFinding, ...] = ()
    summary: Code | None = None
    """What the algorithm says of its own run (PS3.16 CID 6047), where a report has it."""
    observer: str = ""
    observer_is_device: bool = False
    referenced_sop_instance_uids: tuple[str, ...] = field(default=())


def read_sr(data: bytes) -> SrDocument:
    """Parses Part 10 bytes. Raises ``dicom.sr_unreadable``, ``dicom.not_sr`` or ``dicom.sr_too_deep``."""
    try:
        ds: Any = data_set(data)
        if "ContentSequence" not in ds and str(ds.get("ValueType", "")) != "CONTAINER":
            raise fail("dicom.not_sr")
        return _document(ds)
    except ProblemError:
        raise
    except RecursionError:
        raise fail("dicom.sr_too_deep", limit=MAX_DEPTH) from None
    except Exception as error:  # any maker's bytes: whatever pydicom stumbles over is one thing to the reader
        raise fail("dicom.sr_unreadable", error=type(error).__name__) from error


def _document(ds: Any) -> SrDocument:
    """Raises whatever pydicom stumbles over: elements are converted only when they are asked for."""
    root = _node(ds, 0, [0], ds)
    device = root.first("121012") or root.first("121013")
    person = root.first("121008")
    observer = person or root.first("121013")
    return SrDocument(
        sop_instance_uid=str(ds.get("SOPInstanceUID", "")),
        sop_class_uid=str(ds.get("SOPClassUID", "")),
        study_instance_uid=str(ds.get("StudyInstanceUID", "")),
        title=root.concept.meaning if root.concept else "",
        complete=str(ds.get("CompletionFlag", "")) == "COMPLETE",
        verified=str(ds.get("VerificationFlag", "")) == "VERIFIED",
        content_datetime=f"{ds.get('ContentDate', '') or ''}{ds.get('ContentTime', '') or ''}",
        root=root,
        findings=tuple(_findings(root)),
        summary=_summary(root),
        observer=observer.text if observer else "",
        observer_is_device=person is None and (device is not None or str(ds.get("SOPClassUID", "")) in _BY_PROGRAMS),
        referenced_sop_instance_uids=tuple(sorted(_references(root))),
    )


def _code(sequence: Any) -> Code | None:
    if not sequence:
        return None
    item = sequence[0]
    value = str(item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or "")
    scheme = str(item.get("CodingSchemeDesignator") or "URN")
    return Code(value, scheme, str(item.get("CodeMeaning") or value)) if value else None


def _node(item: Any, depth: int, count: list[int], root: Any) -> SrNode:
    """An item by reference has its target's value, not its children: those stand where the target is."""
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_NODES:
        raise fail("dicom.sr_too_deep", limit=MAX_DEPTH)
    target = referenced(root, item)
    ds = item if target is None else target
    kind = str(ds.get("ValueType", ""))
    values: dict[str, Any] = {}
    if kind == "CODE":
        values["code"] = _code(ds.get("ConceptCodeSequence"))
        values["text"] = values["code"].meaning if values["code"] else ""
    elif kind == "NUM" and ds.get("MeasuredValueSequence"):
        measured = ds.MeasuredValueSequence[0]
        values["number"] = _exact(measured)
        unit = _code(measured.get("MeasurementUnitsCodeSequence"))
        values["unit"] = coding.unit_of(unit) if unit else ""
        values["text"] = str(measured.NumericValue)
    elif kind in _REGION_KINDS:
        width = 3 if kind == "SCOORD3D" else 2
        numbers = [float(v) for v in _many(ds.get("GraphicData"))]
        values["points"] = tuple(tuple(numbers[n : n + width]) for n in range(0, len(numbers) - width + 1, width))
        values["graphic_type"] = str(ds.get("GraphicType", ""))
        values["frame_of_reference_uid"] = str(ds.get("ReferencedFrameOfReferenceUID", ""))
    elif kind in ("IMAGE", "COMPOSITE", "WAVEFORM") and ds.get("ReferencedSOPSequence"):
        ref = ds.ReferencedSOPSequence[0]
        values["sop_class_uid"] = str(ref.get("ReferencedSOPClassUID", ""))
        values["sop_instance_uid"] = str(ref.get("ReferencedSOPInstanceUID", ""))
        frames = _many(ref.get("ReferencedFrameNumber"))
        values["frames"] = tuple(dict.fromkeys(max(0, int(f) - 1) for f in frames[:MAX_FRAMES]))
    else:
        for keyword in ("TextValue", "PersonName", "UID", "DateTime", "Date", "Time"):
            if keyword in ds:
                values["text"] = str(ds.get(keyword))
                break
    children = tuple(_node(child, depth + 1, count, root) for child in item.get("ContentSequence") or ())
    return SrNode(
        relationship=str(item.get("RelationshipType", "")),
        value_type=kind,
        concept=_code(ds.get("ConceptNameCodeSequence")),
        children=children,
        **values,
    )


def _exact(measured: Any) -> float:
    """The number as its maker had it: a ratio or a floating point value beside the decimal string (PS3.3 C.17.3)."""
    above, below, whole = (
        [float(v) for v in _many(measured.get(keyword))[:1]]
        for keyword in ("RationalNumeratorValue", "RationalDenominatorValue", "FloatingPointValue")
    )
    exact = above[0] / below[0] if above and below and below[0] else whole[0] if whole else math.nan
    return exact if math.isfinite(exact) else float(measured.NumericValue)


def _many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]


def _references(node: SrNode) -> set[str]:
    found = {node.sop_instance_uid} if node.sop_instance_uid else set()
    for child in node.children:
        found |= _references(child)
    return found


def _summary(node: SrNode) -> Code | None:
    said = node.first(coding.SUMMARY.value)
    if said is not None:
        return said.code
    return next((code for child in node.children if (code := _summary(child)) is not None), None)


def _findings(node: SrNode) -> list[SrFinding]:
    found: list[SrFinding] = []
    for child in node.children:
        concept = (child.concept.value, child.concept.scheme) if child.concept else ("", "")
        if concept == _MEASUREMENT_GROUP:
            finding = _finding(child)
            if finding.code is not None or finding.locations or finding.measurements:
                found.append(finding)
        elif concept != (coding.FIRST_OPINION.value, coding.FIRST_OPINION.scheme):
            found += _findings(child)
    return found


def _regions(node: SrNode) -> list[SrNode]:
    """SCOORD and SCOORD3D items of a group at any depth (under NUM for makers that hang them there)."""
    found = []
    for child in node.children:
        if child.value_type in _REGION_KINDS:
            found.append(child)
        found += _regions(child)
    return found


def _source(node: SrNode) -> SrNode | None:
    return next((c for c in node.children if c.sop_instance_uid), None)


def _is(node: SrNode, code: Code) -> bool:
    return node.concept is not None and (node.concept.value, node.concept.scheme) == (code.value, code.scheme)


def _locations(group: SrNode) -> tuple[Location, ...]:
    centre: Point3 | None = None
    box: tuple[Point3, Point3] | None = None
    frame_of_reference = ""
    regions = []
    for node in _regions(group):
        if _is(node, coding.CENTRE) and node.value_type == "SCOORD3D" and node.points:
            centre, frame_of_reference = _p3(node.points[0]), node.frame_of_reference_uid
        elif _is(node, coding.BOUNDING_BOX) and len(node.points) == 2:
            box = (_p3(node.points[0]), _p3(node.points[1]))
        elif node.points:
            regions.append(node)
    fallback = next((c for c in group.children if c.value_type == "IMAGE"), None)
    places = [p for node in regions for p in _places(node, centre, box, frame_of_reference, fallback)]
    if not places and centre is not None:
        places = [Location(centre_lps_mm=centre, box_lps_mm=box, frame_of_reference_uid=frame_of_reference)]
    return tuple(places)


def _p3(point: tuple[float, ...]) -> Point3:
    return (point[0], point[1], point[2])


def _places(
    node: SrNode,
    centre: Point3 | None,
    box: tuple[Point3, Point3] | None,
    frame_of_reference: str,
    fallback: SrNode | None,
) -> list[Location]:
    """One for each frame that a coordinate of an image is selected from."""
    place = _place(node, centre, box, frame_of_reference, fallback)
    source = _source(node) or fallback
    if node.value_type == "SCOORD3D" or source is None or len(source.frames) < 2:
        return [place]
    return [replace(place, frame=frame) for frame in source.frames]


def _place(
    node: SrNode,
    centre: Point3 | None,
    box: tuple[Point3, Point3] | None,
    frame_of_reference: str,
    fallback: SrNode | None,
) -> Location:
    if node.value_type == "SCOORD3D":
        low = _p3(tuple(min(p[a] for p in node.points) for a in range(3)))
        high = _p3(tuple(max(p[a] for p in node.points) for a in range(3)))
        middle = _p3(tuple((a + b) / 2 for a, b in zip(low, high, strict=True)))
        return Location(
            centre_lps_mm=centre or middle,
            box_lps_mm=box or ((low, high) if len(node.points) > 1 else None),
            frame_of_reference_uid=node.frame_of_reference_uid or frame_of_reference,
        )
    source = _source(node) or fallback
    points = [(p[0], p[1]) for p in node.points]
    if node.graphic_type == "CIRCLE" and len(points) == 2:
        (cx, cy), (ex, ey) = points
        radius = ((cx - ex) ** 2 + (cy - ey) ** 2) ** 0.5
        points = [(cx - radius, cy - radius), (cx + radius, cy + radius)]
    x0, x1 = min(p[0] for p in points), max(p[0] for p in points)
    y0, y1 = min(p[1] for p in points), max(p[1] for p in points)
    outline = node.graphic_type in ("POLYLINE", "POLYGON") and len(points) >= 4 and points[0] == points[-1]
    return Location(
        centre_lps_mm=centre,
        box_lps_mm=box,
        frame_of_reference_uid=frame_of_reference,
        sop_instance_uid=source.sop_instance_uid if source else "",
        frame=source.frame if source else 0,
        centre_px=((x0 + x1) / 2, (y0 + y1) / 2),
        box_px=(x0, y0, x1, y1) if len(points) > 1 else None,
        contour_px=tuple(points) if outline else (),
    )


def _drawing(group: SrNode, note: str) -> tuple[MarkShape | None, Placement | None]:
    """Shape and points of one of our own drawings, whose lines stand in the order that ``note`` tells."""
    nodes = [n for n in _regions(group) if n.points and not _is(n, coding.CENTRE) and not _is(n, coding.BOUNDING_BOX)]
    unique = list({(n.graphic_type, n.points): n for n in nodes}.values())  # two values may follow from one line
    source = _source(unique[0]) if unique else None
    uid, frame = (source.sop_instance_uid, source.frame) if source is not None else ("", 0)
    reference = unique[0].frame_of_reference_uid if unique else ""
    return placement_of(note, [Stroke(n.graphic_type, n.points) for n in unique], uid, frame, reference)


def _finding(group: SrNode) -> SrFinding:
    numbers = [(c.concept, c.number, c.unit) for c in group.children if c.number is not None and c.concept is not None]
    measurements = []
    for item in group.children:
        quantity = coding.quantity_of(item.concept) if item.number is not None and item.concept is not None else None
        if quantity is not None and item.number is not None:
            of = item.first(coding.OF_IMAGES.value, coding.OWN_SCHEME)
            told = item.first(coding.CALIBRATED.value, coding.OWN_SCHEME)
            calibrated = told.text == "yes" if told is not None else coding.is_calibrated(item.unit)
            measurements.append(Measurement(quantity, item.number, item.unit, calibrated, of.text if of else ""))
    by_code = {(code.value, code.scheme): value for code, value, _ in numbers}
    texts = [(c.concept, c.text) for c in group.children if c.value_type in ("TEXT", "UIDREF") and c.concept]

    def own_text(code: Code) -> list[str]:
        return [text for concept, text in texts if (concept.value, concept.scheme) == (code.value, code.scheme)]

    def dcm_text(value: str) -> list[str]:
        return own_text(Code(value, "DCM", value))

    site = group.first("363698007", "SCT") or group.first("G-C0E3", "SRT")
    side = (site.first("272741003", "SCT") if site else None) or group.first("272741003", "SCT")
    finding = group.first("121071")
    verdict = group.first(coding.VERDICT.value, coding.OWN_SCHEME)
    reason = verdict.first(coding.REASON.value, coding.OWN_SCHEME) if verdict else None
    remark = verdict.first("121106") if verdict else None
    assessed = verdict.first(coding.ASSESSED_RESULT.value, coding.OWN_SCHEME) if verdict else None
    band = group.first(coding.BAND.value, coding.OWN_SCHEME)
    shape, placement = _drawing(group, "".join(own_text(coding.SHAPE)[:1]))
    laterality = ""
    if side is not None and side.code is not None:
        laterality = next((k for k, c in coding.LATERALITY.items() if c.value == side.code.value), "")
    return SrFinding(
        tracking_uid="".join(dcm_text("112040")[:1]),
        tracking_identifier="".join(dcm_text("112039")[:1]),
        code=finding.code if finding else None,
        locations=_locations(group),
        site=site.code if site else None,
        laterality=laterality,
        region="".join(own_text(coding.REGION)[:1]),
        measurements=tuple(measurements),
        values=tuple(numbers),
        attributes=tuple((a, b) for a, _, b in (t.partition("=") for t in own_text(coding.ATTRIBUTE))),
        probability=by_code.get((coding.PROBABILITY.value, "DCM")),
        score=by_code.get((coding.RAW_SCORE.value, coding.OWN_SCHEME)),
        band=next((k for k, c in coding.BANDS.items() if band and band.code and c.value == band.code.value), ""),
        algorithm_name="".join(dcm_text("111001")[:1]),
        algorithm_version="".join(dcm_text("111003")[:1]),
        algorithm_parameters=tuple(dcm_text("111002")),
        verdict=verdict.code if verdict else None,
        reason=reason.code if reason else None,
        verdict_comment=remark.text if remark else "",
        assessed_sop_instance_uid=assessed.sop_instance_uid if assessed else "",
        comment="".join(dcm_text("121106")[:1]),
        shape=shape,
        placement=placement,
    )
