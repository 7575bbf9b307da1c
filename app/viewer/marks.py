"""Annotations and findings as primitives on a pane: outline, handles, label with leader line. Empty when not on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from app.dicom.reading_units import told
from app.domain.finding import Finding, Source
from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement
from app.imaging.curved import spline_points
from app.viewer.decorations import Style
from app.viewer.ellipses import ends, ring
from app.viewer.layers import ImageLayer
from app.viewer.placement import points_on
from app.viewer.primitives import Anchor, Ellipse, Line, Plate, Polyline, Primitive, Role, Text
from app.viewer.view_state import ResolvedView
from app.viewer.words import Texts, measurement_lines, say

WRITTEN = frozenset({MarkShape.TEXT, MarkShape.SPINE, MarkShape.TOOTH})
"""Marks that are their words."""


@dataclass(frozen=True)
class MarkLook:
    """How one mark is drawn. Pending AI dashed, accepted solid with a check, rejected struck and at half strength."""

    label: str = ""
    """Short tag: "1", "A1", "A1 with a check"."""
    lines: tuple[str, ...] = ()
    """Further lines beside it; None given: the measurements."""
    selected: bool = False
    pending: bool = False
    rejected: bool = False
    words: str = ""
    """What a written mark says."""
    role: Role | None = None
    """Another colour than that of its source: marks of an earlier study."""
    doubt: str = ""
    """Message id of what is wrong with the values (an independent computation gave others): shown as a warning."""


MANY_POINTS = 400
NEAR_PX = 0.75
"""Of outlines with many points those that lie nearer are drawn as one."""
STRAIGHT_PX = 0.4
"""No point of such an outline lies farther from the lines that are drawn in its place."""


def _pane(points: Sequence[Point2], resolved: ResolvedView) -> list[Point2]:
    return resolved.px_to_pane_many(points)


def _rectangle(a: Point2, b: Point2) -> list[Point2]:
    return [(a[0], a[1]), (b[0], a[1]), (b[0], b[1]), (a[0], b[1])]


def shape_primitives(
    shape: MarkShape, points: Sequence[Point2], resolved: ResolvedView, role: Role, style: Style, look: MarkLook
) -> list[Primitive]:
    """The drawing of a shape given in image px."""
    width = (2.0 if look.selected else 1.5) * style.scale
    dashed, opacity = look.pending, 0.5 if look.rejected else 1.0
    p = _pane(points, resolved)
    out: list[Primitive] = []
    if shape in (MarkShape.LENGTH, MarkShape.BIDIRECTIONAL, MarkShape.CARDIOTHORACIC, MarkShape.LEG_LENGTH, MarkShape.COBB):
        if shape is MarkShape.COBB:
            middles = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(p[0::2], p[1::2], strict=True)]
            out.append(Line(*middles[0], *middles[1], role, style.scale, True, "mark_link"))
        for a, b in zip(p[0::2], p[1::2], strict=True):
            out.append(Polyline((a, b), role, width, dashed, opacity=opacity, key="mark"))
            out.extend(_end_ticks(a, b, role, width, style))
    elif shape is MarkShape.ANGLE:
        out.append(Polyline(tuple(p[:3]), role, width, dashed, opacity=opacity, key="mark"))
    elif shape is MarkShape.ELLIPSE:
        outline = tuple(_pane(ring(points), resolved))
        out.append(Polyline(outline, role, width, dashed, True, opacity=opacity, key="mark"))
    elif shape is MarkShape.RECTANGLE:
        corners = tuple(_pane(_rectangle(points[0], points[1]), resolved))
        out.append(Polyline(corners, role, width, dashed, True, opacity=opacity, key="mark"))
    elif shape in (MarkShape.POLYGON, MarkShape.FREEHAND):
        out.append(Polyline(straightened(thinned(p)), role, width, dashed, True, opacity=opacity, key="mark"))
    elif shape is MarkShape.CURVE:
        along = spline_points(np.asarray(points, dtype=np.float64), 12)
        out.append(Polyline(tuple(_pane([(q[0], q[1]) for q in along], resolved)), role, width, dashed, key="mark"))
    elif shape is MarkShape.ARROW:
        out.extend(_arrow(p[0], p[1], role, width, style))
    elif shape in WRITTEN:
        out.extend(_written(shape, p[0], look, role, style))
    elif shape in (MarkShape.KEY_IMAGE, MarkShape.MASK):
        return []
    else:
        r = 6.0 * style.scale
        out.append(Ellipse(p[0][0], p[0][1], r, r, 0.0, role, width, dashed, opacity, key="mark"))
    if look.selected and shape not in WRITTEN and shape is not MarkShape.FREEHAND:
        half = 3.5 * style.scale
        for x, y in _pane(ends(points), resolved) if shape is MarkShape.ELLIPSE else p:
            corners = ((x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half))
            out.append(Polyline(corners, role, style.scale, closed=True, filled=True, key="handle"))
    if look.rejected:
        xs, ys = [q[0] for q in p], [q[1] for q in p]
        r = 6.0 * style.scale
        out.append(Line(min(xs) - r, max(ys) + r, max(xs) + r, min(ys) - r, role, width, key="struck"))
    return out


def thinned(points: Sequence[Point2]) -> tuple[Point2, ...]:
    """A drawn outline without points that no pane can show apart: one along pixels has thousands. Values use them all."""
    if len(points) <= MANY_POINTS:
        return tuple(points)
    kept = [points[0]]
    for x, y in points[1:]:
        if abs(x - kept[-1][0]) + abs(y - kept[-1][1]) >= NEAR_PX:
            kept.append((x, y))
    return tuple(kept)


def straightened(points: Sequence[Point2]) -> tuple[Point2, ...]:
    """A closed outline of many points as the lines that it runs along: painting thousands is felt under the hand."""
    if len(points) <= MANY_POINTS:
        return tuple(points)
    # Around the first point: the single floats of the search hold a hundredth of a pixel there.
    near = (np.asarray(points, dtype=np.float64) - points[0]).astype(np.float32)
    kept = cv2.approxPolyDP(near[:, None, :], STRAIGHT_PX, True)[:, 0, :].astype(np.float64) + points[0]
    return tuple((x, y) for x, y in kept.tolist())


def _written(shape: MarkShape, at: Point2, look: MarkLook, role: Role, style: Style) -> list[Primitive]:
    """A word at its place: spine and tooth labels in a frame on the spot, free text beside a dot."""
    words = look.words or "?"
    if shape is MarkShape.TEXT:
        r = 2.0 * style.scale
        beside = Text(at[0] + 6 * style.scale, at[1], words, Anchor.LEFT, role, style.font, True, True, key="mark_text")
        return [Ellipse(at[0], at[1], r, r, 0.0, role, style.scale, key="mark"), beside]
    return [Text(at[0], at[1], words, Anchor.CENTRE, role, style.font, True, True, True, key="mark_text")]


def _end_ticks(a: Point2, b: Point2, role: Role, width: float, style: Style) -> list[Primitive]:
    dx, dy = b[0] - a[0], b[1] - a[1]
    n = math.hypot(dx, dy)
    if n < 1e-6:
        return []
    tx, ty = -dy / n * 4 * style.scale, dx / n * 4 * style.scale
    return [Line(x - tx, y - ty, x + tx, y + ty, role, width, key="tick") for x, y in (a, b)]


def _arrow(tip: Point2, tail: Point2, role: Role, width: float, style: Style) -> list[Primitive]:
    angle = math.atan2(tail[1] - tip[1], tail[0] - tip[0])
    head = 10.0 * style.scale
    wings = [(tip[0] + head * math.cos(angle + s * 0.45), tip[1] + head * math.sin(angle + s * 0.45)) for s in (-1, 1)]
    return [
        Line(tip[0], tip[1], tail[0], tail[1], role, width, key="mark"),
        Polyline((wings[0], tip, wings[1]), role, width, key="arrow_head"),
    ]


def _label(
    points: Sequence[Point2],
    tag: str,
    lines: Sequence[str],
    role: Role,
    look: MarkLook,
    resolved: ResolvedView,
    style: Style,
) -> list[Primitive]:
    """Beside the shape, on the side with room, never over it; joined by a leader line."""
    if not tag and not lines:
        return []
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    w, h = resolved.size
    gap, pad = 20.0 * style.scale, 6.0 * style.scale
    tag_w = style.text_width(tag, style.font, True) + 2 * pad if tag else 0.0
    text_w = max((style.text_width(t, style.font, False) for t in lines), default=0.0)
    box_w = tag_w + text_w + 2 * pad
    box_h = max(1, len(lines)) * style.line + 2 * pad
    right = max(xs) + gap + box_w <= w
    x = max(xs) + gap if right else max(0.0, min(xs) - gap - box_w)
    y = min(max(0.0, min(ys) - gap - box_h / 2), max(0.0, h - box_h))
    near = (max(xs), min(ys)) if right else (min(xs), min(ys))
    out: list[Primitive] = [
        Line(near[0], near[1], x if right else x + box_w, y + box_h / 2, role, style.scale, key="leader"),
        Plate(x, y, box_w, box_h, "label_plate"),
    ]
    if tag:
        out.append(
            Text(
                x + pad + tag_w / 2 - pad / 2,
                y + pad + style.line / 2,
                tag,
                Anchor.CENTRE,
                role,
                style.font,
                True,
                False,
                True,
                look.pending,
                "tag",
            )
        )
    for n, line in enumerate(lines):
        out.append(
            Text(x + pad + tag_w, y + pad + n * style.line, line, Anchor.TOP_LEFT, role, style.font, n == 0, key="label")
        )
    return out


def annotation_primitives(
    annotation: Annotation,
    layer: ImageLayer,
    resolved: ResolvedView,
    texts: Texts,
    look: MarkLook | None = None,
    style: Style | None = None,
) -> tuple[Primitive, ...]:
    """The reader's own drawing with its values; () when it does not lie on what the pane shows."""
    look, style = look or MarkLook(), style or Style()
    points = points_on(annotation.placement, layer, resolved)
    if points is None:
        return ()
    look = replace(look, words=look.words or annotation.text)
    out = shape_primitives(annotation.shape, points, resolved, Role.MINE, style, look)
    lines = look.lines or measurement_lines(texts, annotation.measurements)
    if annotation.text and annotation.shape not in WRITTEN:
        lines = (annotation.text, *lines)
    out.extend(_label(_pane(points, resolved), look.label, lines, Role.MINE, look, resolved, style))
    return tuple(out)


def finding_on_pane(finding: Finding, layer: ImageLayer, resolved: ResolvedView) -> tuple[Point2, float, float] | None:
    """((x, y) in pane px, half width, half height) of a finding's extent where it meets the shown image, else None.

    In a volume the finding shows on every plane that cuts its box (or passes within 5 mm of its centre without one).
    """
    location = finding.location
    # Pixels without an image are those of a resampled volume: on an original slice they mark another place.
    of_no_image = not location.sop_instance_uid and location.centre_lps_mm is None
    if location.centre_px is not None and (of_no_image or location.sop_instance_uid == layer.sop_instance_uid != ""):
        if location.frame != layer.frame_number:
            return None
        box = location.box_px or (location.centre_px[0], location.centre_px[1], location.centre_px[0], location.centre_px[1])
        a, b = resolved.px_to_pane(box[0], box[1]), resolved.px_to_pane(box[2], box[3])
        return (((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), abs(b[0] - a[0]) / 2, abs(b[1] - a[1]) / 2)
    if location.centre_lps_mm is None:
        return None
    plane = resolved.geometry.plane
    theirs = location.frame_of_reference_uid
    if plane is None or (theirs and plane.frame_of_reference_uid and theirs != plane.frame_of_reference_uid):
        return None
    at = resolved.patient_to_pane(location.centre_lps_mm)
    mm_per_px = resolved.mm_per_pane_px
    if at is None or mm_per_px is None:
        return None
    half = (5.0, 5.0, 5.0)
    if location.box_lps_mm is not None:
        low, high = location.box_lps_mm
        half = (abs(high[0] - low[0]) / 2, abs(high[1] - low[1]) / 2, abs(high[2] - low[2]) / 2)
    normal = plane.normal
    depth = sum(abs(n) * s for n, s in zip(normal, half, strict=True))
    if abs(at[2]) > max(depth, resolved.view.slab_mm / 2):
        return None
    directions = resolved.edge_directions()
    if directions is None:
        return None
    reach = [sum(abs(d) * s for d, s in zip(direction, half, strict=True)) / mm_per_px for direction in directions]
    return ((at[0], at[1]), reach[0], reach[1])


def finding_primitives(
    finding: Finding,
    layer: ImageLayer,
    resolved: ResolvedView,
    texts: Texts,
    look: MarkLook | None = None,
    style: Style | None = None,
) -> tuple[Primitive, ...]:
    """A finding's outline and label in its source's colour; () when it is not on the shown image."""
    look, style = look or MarkLook(), style or Style()
    role = look.role or (Role.MINE if finding.source is Source.MINE else Role.AI)
    out: list[Primitive] = []
    placed = finding.placement
    whole = finding.shape is MarkShape.MASK
    points = points_on(placed, layer, resolved) if placed is not None and not whole else None
    shown = finding.location.sop_instance_uid == layer.sop_instance_uid != ""
    if points is None and finding.location.contour_px and shown:
        points, shape = finding.location.contour_px, MarkShape.POLYGON
    else:
        shape = finding.shape
    if shape is MarkShape.KEY_IMAGE or (shape is MarkShape.CURVE and points is None):
        return ()  # a curve has no extent of its own: off its plane it would only hide what is there
    if shape in WRITTEN or shape is MarkShape.ARROW:
        look = replace(look, words=look.words or finding.comment)
    if points is not None:
        out.extend(shape_primitives(shape, points, resolved, role, style, look))
        extent = _pane(points, resolved)
    else:
        found = finding_on_pane(finding, layer, resolved)
        if found is None:
            return ()
        (x, y), rx, ry = found
        if shape is MarkShape.MASK:
            lines = look.lines or measurement_lines(texts, told(finding))
            return tuple(_label([(x - rx, y - ry), (x + rx, y + ry)], look.label, lines, role, look, resolved, style))
        rx, ry = max(rx, 6.0 * style.scale), max(ry, 6.0 * style.scale)
        width = (2.0 if look.selected else 1.5) * style.scale
        opacity = 0.5 if look.rejected else 1.0
        out.append(Ellipse(x, y, rx, ry, 0.0, role, width, look.pending, opacity, key="finding"))
        if look.rejected:
            out.append(Line(x - rx, y + ry, x + rx, y - ry, role, width, key="struck"))
        extent = [(x - rx, y - ry), (x + rx, y + ry)]
    lines = look.lines or measurement_lines(texts, told(finding))
    if shape is MarkShape.ARROW and look.words:
        lines = (look.words, *lines)
    if look.doubt:
        lines, role = (*lines, say(texts, look.doubt)), Role.WARNING
    out.extend(_label(extent, look.label, lines, role, look, resolved, style))
    return tuple(out)


def probe_primitives(
    pane: Point2,
    measurements: Sequence[Measurement],
    texts: Texts,
    resolved: ResolvedView,
    style: Style | None = None,
    doubted: bool = False,
) -> tuple[Primitive, ...]:
    """The value under the pointer, beside it; ``doubted``: another one was found when it was computed again."""
    style = style or Style()
    lines, role = measurement_lines(texts, measurements), Role.TEXT
    if doubted:
        lines, role = (*lines, say(texts, "viewer.measure.mismatch")), Role.WARNING
    return tuple(_label([pane], "", lines, role, MarkLook(), resolved, style))


def placement_on_pane(placement: Placement, layer: ImageLayer, resolved: ResolvedView) -> tuple[Point2, ...] | None:
    """Pane px of a placement's points; None when it does not lie on what is shown."""
    points = points_on(placement, layer, resolved)
    return None if points is None else tuple(_pane(points, resolved))
