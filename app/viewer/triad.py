"""Reformats of one volume that move and turn together: where they cut each other, and what a hand on those lines does.

Fellows are the other reformats of a pane's volume. They are carried as one rigid body, so three planes at right angles
stay so however they are turned. Pure; patient millimetres throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import PlaneGeometry, Point2, Point3, VolumeGeometry
from app.viewer.primitives import Anchor, Ellipse, Line, Primitive, Role, Text
from app.viewer.shadows import shadows
from app.viewer.slice_sampler import mpr_geometry, normal_of
from app.viewer.style import Style
from app.viewer.view_state import Plane, ResolvedView, ViewState, plane_axes, volume_centre
from app.viewer.words import Texts, say

Vector = npt.NDArray[np.float64]

REFORMATS = frozenset({Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.OBLIQUE})
_PARALLEL = math.sin(math.radians(1.0))
_NAMED_WITHIN = 1.0 - 1e-6
_NORMALS: Mapping[Plane, int] = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}
GAP, HANDLE, HANDLE_AT = 12.0, 6.0, 0.3
"""Logical pixels without a line around the meeting point; radius of a handle; its distance in parts of the shorter side."""
REACH_HANDLE, REACH_CENTRE, REACH_LINE = 12.0, 12.0, 6.0
"""Logical pixels around each that take it."""


@dataclass(frozen=True)
class Fellow:
    """Another reformat of the same volume."""

    pane_id: str
    view: ViewState


@dataclass(frozen=True)
class CrossLine:
    """Where a fellow's plane cuts a pane."""

    pane_id: str
    at: Point2
    """Pane px: the point of the line that is nearest to where all planes meet."""
    along: Point2
    """Unit vector."""
    normal: Point3
    """Of the fellow's plane."""
    plane: Plane
    slab_px: float
    """Half the fellow's slab, as seen on this pane; 0 for a thin plane."""

    def point(self, t: float) -> Point2:
        return (self.at[0] + t * self.along[0], self.at[1] + t * self.along[1])


def plane_name(view: ViewState) -> Plane:
    """What a reformat is called: an oblique one that lies along the patient's axes has that plane's name."""
    if view.plane is not Plane.OBLIQUE:
        return view.plane
    normal = normal_of(view)
    return next((p for p, axis in _NORMALS.items() if abs(normal[axis]) > _NAMED_WITHIN), Plane.OBLIQUE)


def view_along(view: ViewState, plane: PlaneGeometry) -> ViewState:
    """``view`` as a reformat with the sides of an acquired frame: what was seen stays as it was seen."""
    right, down = plane.row_cosines, plane.column_cosines
    for named in _NORMALS:
        if np.allclose(plane_axes(replace(view, plane=named)), (right, down), atol=1e-3):
            return replace(view, plane=named)
    return replace(view, plane=Plane.OBLIQUE, oblique_row=right, oblique_column=down)


def rotation(axis: Vector, radians: float) -> Vector:
    """3 x 3, by Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + math.sin(radians) * k + (1.0 - math.cos(radians)) * (k @ k))


def rotation_between(before: ViewState, after: ViewState) -> Vector:
    """What turned one view into the other."""

    def body(view: ViewState) -> Vector:
        right, down = (np.asarray(v, dtype=np.float64) for v in plane_axes(view))
        return np.stack([right, down, np.cross(right, down)], axis=1)

    return np.asarray(body(after) @ body(before).T)


def _point(v: Vector) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


def shown_point(geometry: VolumeGeometry, view: ViewState) -> Vector:
    """The view's point on the plane that is really shown: along the grid that is the nearest slice."""
    point = np.asarray(view.point_mm or volume_centre(geometry), dtype=np.float64)
    plane = mpr_geometry(geometry, view).plane
    if plane is None:
        return point
    normal = np.asarray(plane.normal)
    return np.asarray(point + normal * float((np.asarray(plane.origin_mm) - point) @ normal))


def meeting_point(geometry: VolumeGeometry, view: ViewState, fellows: Sequence[Fellow]) -> Vector:
    """Where a pane's plane and its fellows' meet; too few for one point: the nearest to the view's own."""
    start = shown_point(geometry, view)
    normals, away = [np.asarray(normal_of(view))], [0.0]
    for fellow in fellows:
        normal = np.asarray(normal_of(fellow.view))
        if all(math.hypot(*np.cross(normal, known)) > _PARALLEL for known in normals):
            normals.append(normal)
            away.append(float(normal @ (shown_point(geometry, fellow.view) - start)))
    return np.asarray(start + np.linalg.pinv(np.array(normals)) @ np.array(away))


def moved_along(normals: Sequence[Point3], which: int, mm: float) -> Vector:
    """The step of the meeting point when one of the planes goes ``mm`` along its normal and the others stay."""
    by = np.zeros(len(normals))
    by[which] = mm
    return np.asarray(np.linalg.pinv(np.array(normals, dtype=np.float64)) @ by)


def carried(geometry: VolumeGeometry, view: ViewState, turn: Vector, centre: Vector) -> ViewState:
    """A reformat turned about ``centre`` with the others. Its scale stays, however long the new plane is."""
    right, down = (turn @ np.asarray(v, dtype=np.float64) for v in plane_axes(view))
    right = right / np.linalg.norm(right)
    down = down - right * float(right @ down)
    down = down / np.linalg.norm(down)
    point = centre + turn @ (shown_point(geometry, view) - centre)
    return replace(
        view,
        plane=Plane.OBLIQUE,
        oblique_row=_point(right),
        oblique_column=_point(down),
        point_mm=_point(point),
        fit_extent_mm=scale_kept(geometry, view),
    )


def scale_kept(geometry: VolumeGeometry, view: ViewState) -> Point2:
    """What zoom 1 has to go on fitting, for the picture not to breathe while its plane turns."""
    flat = mpr_geometry(geometry, view)
    return view.fit_extent_mm or (flat.columns * flat.column_spacing, flat.rows * flat.row_spacing)


def cross_lines(resolved: ResolvedView, geometry: VolumeGeometry, fellows: Sequence[Fellow]) -> tuple[CrossLine, ...]:
    """One line for each place where fellows cut the pane."""
    plane, edges, mm = resolved.geometry.plane, resolved.edge_directions(), resolved.mm_per_pane_px
    if plane is None or edges is None or mm is None:
        return ()
    own, (right, down) = np.asarray(plane.normal), (np.asarray(e) for e in edges)
    centre = meeting_point(geometry, resolved.view, fellows)
    out: list[CrossLine] = []
    for fellow in fellows:
        normal = np.asarray(normal_of(fellow.view))
        along = np.cross(own, normal)
        if math.hypot(*along) <= _PARALLEL:
            continue
        across = normal - own * float(own @ normal)
        slope = float(normal @ across)
        near = centre + across * float(normal @ (shown_point(geometry, fellow.view) - centre)) / slope
        at = resolved.patient_to_pane(_point(near))
        seen = np.array([along @ right, along @ down])
        seen = seen / math.hypot(*seen)
        if at is None or any(_same_line(line, at, seen) for line in out):
            continue
        half = fellow.view.slab_mm / 2.0 / (mm * math.sqrt(slope))
        where = (float(at[0]), float(at[1]))
        direction = (float(seen[0]), float(seen[1]))
        out.append(CrossLine(fellow.pane_id, where, direction, _point(normal), plane_name(fellow.view), half))
    return tuple(out)


def _same_line(line: CrossLine, at: tuple[float, float, float], along: Vector) -> bool:
    parallel = abs(line.along[0] * along[1] - line.along[1] * along[0]) < 1e-6
    return parallel and _distance(line, (at[0], at[1])) < 0.5


def _distance(line: CrossLine, at: Point2) -> float:
    return abs((at[0] - line.at[0]) * line.along[1] - (at[1] - line.at[1]) * line.along[0])


def meeting_px(resolved: ResolvedView, geometry: VolumeGeometry, fellows: Sequence[Fellow]) -> Point2 | None:
    """Where the planes meet, in pane px."""
    at = resolved.patient_to_pane(_point(meeting_point(geometry, resolved.view, fellows)))
    return None if at is None else (at[0], at[1])


def handles(line: CrossLine, resolved: ResolvedView) -> tuple[Point2, Point2]:
    """The two places of a line that turn it."""
    far = HANDLE_AT * min(resolved.size)
    return line.point(-far), line.point(far)


@dataclass(frozen=True)
class Grip:
    """What lies under the hand: ``part`` is "turn", "point" or "line"."""

    part: str
    line: CrossLine | None = None


def grip(
    resolved: ResolvedView, geometry: VolumeGeometry, fellows: Sequence[Fellow], at: Point2, scale: float = 1.0
) -> Grip | None:
    """Handles before the meeting point before the lines; None where there is none of them."""
    lines = cross_lines(resolved, geometry, fellows)
    for line in lines:
        if any(math.dist(at, handle) <= REACH_HANDLE * scale for handle in handles(line, resolved)):
            return Grip("turn", line)
    centre = meeting_px(resolved, geometry, fellows) if lines else None
    if centre is not None and math.dist(at, centre) <= REACH_CENTRE * scale:
        return Grip("point")
    near = min(lines, key=lambda line: _distance(line, at), default=None)
    return Grip("line", near) if near is not None and _distance(near, at) <= REACH_LINE * scale else None


def _inside(line: CrossLine, shift: float, size: tuple[int, int]) -> tuple[float, float] | None:
    """From where to where, in px along the line moved sideways by ``shift``, it lies in the pane."""
    x, y = line.at[0] - shift * line.along[1], line.at[1] + shift * line.along[0]
    low, high = -math.inf, math.inf
    for start, step, end in ((x, line.along[0], size[0]), (y, line.along[1], size[1])):
        if abs(step) < 1e-12:
            if not 0 <= start <= end:
                return None
            continue
        a, b = sorted(((0.0 - start) / step, (end - start) / step))
        low, high = max(low, a), min(high, b)
    return (low, high) if low < high else None


def _drawn(line: CrossLine, shift: float, start: float, end: float, style: Style, dashed: bool, key: str) -> Line:
    sx, sy = -shift * line.along[1], shift * line.along[0]
    (x0, y0), (x1, y1) = line.point(start), line.point(end)
    return Line(x0 + sx, y0 + sy, x1 + sx, y1 + sy, Role.SECONDARY, style.scale, dashed, key)


def triad_primitives(
    resolved: ResolvedView,
    geometry: VolumeGeometry,
    fellows: Sequence[Fellow],
    style: Style,
    texts: Texts,
    with_handles: bool,
) -> tuple[Primitive, ...]:
    """The fellows' planes as lines, open where they meet; a slab's sides dashed; handles where the lines can be taken."""
    lines: list[Line] = []
    labels: list[Text] = []
    rings: list[Ellipse] = []
    gap = GAP * style.scale
    for line in cross_lines(resolved, geometry, fellows):
        ends = _inside(line, 0.0, resolved.size)
        if ends is None:
            continue
        low, high = ends
        for start, end in ((low, min(high, -gap)), (max(low, gap), high)):
            if start < end:
                lines.append(_drawn(line, 0.0, start, end, style, False, "plane_line"))
        for side in (-line.slab_px, line.slab_px) if line.slab_px > 1.0 else ():
            sides = _inside(line, side, resolved.size)
            if sides is not None:
                lines.append(_drawn(line, side, sides[0], sides[1], style, True, "slab_line"))
        if line.plane is not Plane.OBLIQUE:
            labels.append(_label(line, low, high, style, texts))
        if with_handles:
            r = HANDLE * style.scale
            for x, y in handles(line, resolved):
                rings.append(Ellipse(x, y, r, r, 0.0, Role.TEXT, 1.5 * style.scale, key="turn_handle"))
    return (*shadows(lines, rings, style=style), *lines, *rings, *labels)


def _label(line: CrossLine, low: float, high: float, style: Style, texts: Texts) -> Text:
    """The plane's name beside the line's upper or right end, clear of the corners, scale bar and edge letters."""
    upright = abs(line.along[1]) > abs(line.along[0])
    forward = line.along[1] < 0 if upright else line.along[0] > 0
    inset = (3.2 if upright else 1.8) * style.line
    x, y = line.point(high - inset if forward else low + inset)
    shift = 4.0 * style.scale
    words = say(texts, f"viewer.plane.{line.plane.value}")
    if upright:
        return Text(x + shift, y, words, Anchor.LEFT, Role.SECONDARY, style.font, plate=True, key="plane_label")
    return Text(x, y - shift, words, Anchor.BOTTOM_RIGHT, Role.SECONDARY, style.font, plate=True, key="plane_label")
