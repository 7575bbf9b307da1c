"""Everything that a structured report places on images, whatever its template: outlines, points and boxes with their words.

TID 1500 groups, CAD findings (PS3.16 TID 4000 and 4100) and coordinates that stand alone: each SCOORD and SCOORD3D of the
tree once, with the words of the item that it belongs to. Codes that this programme does not know are told by their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.dicom import coding
from app.dicom.sr_reader import SrDocument, SrNode
from app.domain.saved_overlay import PlacedShape, ShapeKind

_GROUPS = {("125007", "DCM"), ("111059", "DCM"), ("111015", "DCM"), ("125008", "DCM")}
"""Measurement Group, Single Image Finding, Composite Feature, Fetus Summary."""
_FINDING = "121071"
_RENDERING_INTENT = "111056"
_DESCRIPTION = "111058"
"""Of a selected region: what it is (PS3.16 TID 4013)."""
_KINDS = {
    "POINT": ShapeKind.POINTS,
    "MULTIPOINT": ShapeKind.POINTS,
    "POLYLINE": ShapeKind.LINE,
    "POLYGON": ShapeKind.OUTLINE,
    "CIRCLE": ShapeKind.CIRCLE,
    "ELLIPSE": ShapeKind.ELLIPSE,
    "ELLIPSOID": ShapeKind.ELLIPSOID,
}
_NEEDS = {ShapeKind.CIRCLE: 2, ShapeKind.ELLIPSE: 4, ShapeKind.ELLIPSOID: 6, ShapeKind.LINE: 2, ShapeKind.OUTLINE: 3}
_MOST_LINES = 4
KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.88.59"


def shapes_of(document: SrDocument) -> tuple[PlacedShape, ...]:
    """In the order of the report. What names no image and no frame of reference is placed nowhere and left out."""
    if document.sop_class_uid == KEY_OBJECT:
        return tuple(_key_images(document.root))
    return tuple(_walk(document.root, (), None))


def _key_images(root: SrNode) -> Iterator[PlacedShape]:
    """Images that a key object selection names, with its title and what was written to it (PS3.3 A.35.4)."""
    said = root.first("113012")
    title = root.concept.meaning if root.concept is not None else ""
    words = tuple(w for w in (title, said.text if said is not None else "") if w)
    for child in root.children:
        if child.value_type == "IMAGE" and child.sop_instance_uid:
            for frame in child.frames or (0,):
                yield PlacedShape(ShapeKind.IMAGE, words, (), child.sop_instance_uid, frame)


def _walk(node: SrNode, words: tuple[str, ...], image: SrNode | None) -> Iterator[PlacedShape]:
    concept = (node.concept.value, node.concept.scheme) if node.concept is not None else ("", "")
    if concept in _GROUPS or node.value_type == "NUM":
        own = _words(node, concept in _GROUPS)
        words = own or words
        # The image of a group holds for all its coordinates that name none of their own.
        image = next((c for c in node.children if c.value_type == "IMAGE" and c.sop_instance_uid), image)
    ours = concept == ("125007", "DCM") and node.first(coding.SHAPE.value, coding.OWN_SCHEME) is not None
    for child in node.children:
        # Beside the drawing itself our own groups tell its middle and its box, for readers without the images.
        told = ours and child.concept is not None and child.concept in (coding.CENTRE, coding.BOUNDING_BOX)
        if child.value_type in ("SCOORD", "SCOORD3D") and not told:
            yield from _shapes(child, words or _words(child, False), image)
        yield from _walk(child, words, image)


def _shapes(node: SrNode, words: tuple[str, ...], image: SrNode | None) -> Iterator[PlacedShape]:
    """On each frame that the coordinate is selected from."""
    shape = _shape(node, words, image)
    if shape is None:
        return
    source = next((c for c in node.children if c.sop_instance_uid), image) if shape.sop_instance_uid else None
    for frame in (source.frames if source is not None else ()) or (shape.frame,):
        yield replace(shape, frame=frame)


def _shape(node: SrNode, words: tuple[str, ...], image: SrNode | None) -> PlacedShape | None:
    kind = _KINDS.get(node.graphic_type)
    if kind is None or len(node.points) < _NEEDS.get(kind, 1):
        return None
    if kind is ShapeKind.LINE and len(node.points) > 2 and node.points[0] == node.points[-1]:
        kind = ShapeKind.OUTLINE
    if node.value_type == "SCOORD3D":
        if not node.frame_of_reference_uid:
            return None
        points = tuple((p[0], p[1], p[2]) for p in node.points)
        return PlacedShape(kind, words, points_mm=points, frame_of_reference_uid=node.frame_of_reference_uid)
    source = next((c for c in node.children if c.sop_instance_uid), image)
    if source is None:
        return None
    flat = tuple((p[0], p[1]) for p in node.points)
    return PlacedShape(kind, words, flat, source.sop_instance_uid, source.frame)


def _words(node: SrNode, group: bool) -> tuple[str, ...]:
    """What is found there, where, and the numbers: in the report's own meanings."""
    if not group:
        return (_said(node),) if _said(node) else ()
    named = node.first(_FINDING)
    title = (named.text if named is not None else "") or node.text
    if not title:
        code, label = next((c for c in node.children if _names(c)), None), node.first("112039")
        title = code.text if code is not None else label.text if label is not None else ""
    site = node.first("363698007", "SCT") or node.first("G-C0E3", "SRT")
    lines = [", ".join(p for p in (title, site.text if site is not None else "") if p)]
    described = node.first(_DESCRIPTION)
    lines += [described.text] if described is not None else []
    lines += [_said(c) for c in node.children if c.value_type == "NUM" and c.number is not None]
    return tuple(line for line in lines if line)[:_MOST_LINES]


def _names(node: SrNode) -> bool:
    """Whether a code may stand for the title: how a viewer is to treat the item is none."""
    intent = node.concept is not None and (node.concept.value, node.concept.scheme) == (_RENDERING_INTENT, "DCM")
    return node.value_type == "CODE" and bool(node.text) and not intent


def _said(node: SrNode) -> str:
    """``Long Axis 7.8 mm``; the meaning alone where there is no number."""
    meaning = node.concept.meaning if node.concept is not None else ""
    if node.number is None:
        return node.text if node.value_type in ("TEXT", "CODE") else meaning if node.value_type == "NUM" else ""
    unit = "" if node.unit in ("1", "{ratio}", "no units") else node.unit
    return " ".join(p for p in (meaning, f"{node.number:g}", unit) if p)
