"""Reformats along a drawn curve (a jaw's panoramic picture, a vessel, a spine) and the cross-sections that go with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.domain.finding import Finding
from app.domain.geometry import Point3, VolumeGeometry
from app.domain.measurement import MarkShape
from app.domain.pixels import FramePixels, VoiWindow
from app.domain.problem import Problem, Severity
from app.domain.volume import Volume
from app.imaging.curved import Curve, CurvedImage, arc_length_curve, cross_section_at, curved_reformat
from app.session import cross_sections
from app.session.cross_sections import HEIGHT_MM, Section, height_of
from app.session.images import Images
from app.session.panes import PaneState
from app.session.picture import Drawer
from app.session.views import Changes, Notice
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.primitives import Anchor, Line, Primitive, Role, Text
from app.viewer.shadows import shadows
from app.viewer.slice_sampler import mpr_geometry
from app.viewer.view_state import ImageGeometry, Plane, ResolvedView, SlabMode, ViewState

FINEST_MM = 0.2
_MODES = {SlabMode.MEAN: "mean", SlabMode.MAXIMUM: "max", SlabMode.MINIMUM: "min"}
ROW_ASPECT = 0.5
"""Width to height of what a section of a row shows: the panes of a row are narrow."""
TICK_MM = 7.0
"""Half of a tick's length across the curve."""
_CROWDED = 22.0
"""Logical pixels between ticks below which only the ends of a row are numbered."""
_LEANS = 0.5
"""Planes that look along the curve's own plane less than this show no ticks."""


@dataclass(frozen=True, eq=False)
class _Curved:
    """A finished reformat, of the curve as it was then."""

    points: tuple[Point3, ...]
    thickness_mm: float
    mode: SlabMode
    height_mm: float
    image: CurvedImage
    frame: FramePixels


@dataclass(frozen=True, eq=False)
class _Course:
    """A curve with the direction that its pictures run down."""

    points: tuple[Point3, ...]
    curve: Curve
    down: Point3


def _down(points: tuple[Point3, ...]) -> Point3:
    """At right angles to the plane that the curve was drawn in: to the feet, else to the back, else to the left."""
    centred = np.asarray(points) - np.mean(points, axis=0)
    normal = np.linalg.svd(centred)[2][-1]
    main = int(np.argmax(np.abs(normal)))
    if (normal[main] > 0) == (main == 2):
        normal = -normal
    return (float(normal[0]), float(normal[1]), float(normal[2]))


def extent_mm(geometry: VolumeGeometry, along: Point3) -> float:
    """How far a volume reaches along a direction."""
    ends = np.array([[-0.5, n - 0.5] for n in geometry.shape])
    corners = geometry.to_patient_many(np.array(np.meshgrid(*ends)).reshape(3, -1).T) @ np.asarray(along)
    return float(corners.max() - corners.min())


def reformatted(
    volume: Volume, points: tuple[Point3, ...], thickness_mm: float, mode: SlabMode, height_mm: float = HEIGHT_MM
) -> _Curved:
    """Pure; slow. Raises ``ValueError`` for a curve that is none."""
    step = max(FINEST_MM, min(volume.geometry.spacing_mm))
    down = _down(points)
    height = min(height_mm, extent_mm(volume.geometry, down))
    image = curved_reformat(volume, points, height, step, down, thickness_mm, _MODES[mode])
    values = image.values
    outside = ~np.isfinite(values)
    values = np.where(outside, np.float32(volume.voxels.min()), values).astype(np.float32)
    return _Curved(points, thickness_mm, mode, height_mm, image, FramePixels(values, volume.unit, padding=outside))


class CurvedDesk:
    """Main thread only."""

    def __init__(
        self,
        images: Images,
        mark: Callable[[str], Finding | None],
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
    ) -> None:
        self._images = images
        self._mark = mark
        self._announce, self._notice = announce, notice
        self._made: dict[str, _Curved] = {}
        self._courses: dict[str, _Course] = {}
        self._working: set[str] = set()
        self.noted: Callable[[PaneState], tuple[str, ...]] = lambda pane: ()
        """Message ids for a pane's corner: where a curve comes from."""

    def points_of(self, curve_id: str) -> tuple[Point3, ...]:
        mark = self._mark(curve_id)
        if mark is None or mark.shape is not MarkShape.CURVE or mark.placement is None:
            return ()
        return mark.placement.points_mm

    def layer(self, pane: PaneState) -> ImageLayer | None:
        """The reformat of a pane with a curve; None while it is being made (it has been asked for)."""
        points = self.points_of(pane.curve)
        volume = self._images.volume(pane.display_set_id)
        if len(points) < 3 or volume is None:
            return None
        made = self._made.get(pane.curve)
        v, height = pane.view, height_of(pane)
        wanted = (points, v.slab_mm, v.slab_mode, height)
        if made is None or (made.points, made.thickness_mm, made.mode, made.height_mm) != wanted:
            self._make(pane.curve, volume, points, v.slab_mm, v.slab_mode, height)
        if made is None:
            return None
        rows, columns = made.frame.values.shape
        step = made.image.curve.step_mm
        flat = ImageGeometry(columns, rows, step, step, True, interpolated_plane=True)
        window = pane.appearance.window or VoiWindow(1000.0, 3000.0)
        look = replace(pane.appearance, window=window if volume.unit == "HU" else pane.appearance.window)
        return ImageLayer(look, frame=made.frame, geometry=flat)

    def _make(
        self, curve_id: str, volume: Volume, points: tuple[Point3, ...], mm: float, mode: SlabMode, height: float
    ) -> None:
        if curve_id in self._working:
            return
        self._working.add(curve_id)

        def work() -> tuple[_Curved | None]:
            try:
                return (reformatted(volume, points, mm, mode, height),)
            except ValueError:
                return (None,)

        def came(result: tuple[_Curved | None] | None) -> None:
            self._working.discard(curve_id)
            if result is None or result[0] is None:
                self._notice(Notice(Problem("curve.none")))
                return
            self._made[curve_id] = result[0]
            self._announce(Changes(view=True))

        self._images.beside(work, came, slow=True)

    # -- cross-sections --------------------------------------------------------------------------------------------

    def _course(self, curve_id: str) -> _Course | None:
        points = self.points_of(curve_id)
        known = self._courses.get(curve_id)
        if known is not None and known.points == points:
            return known
        if len(points) < 3:
            return None
        try:
            made = _Course(points, arc_length_curve(points, FINEST_MM), _down(points))
        except ValueError:
            return None
        self._courses[curve_id] = made
        return made

    def length_mm(self, curve_id: str) -> float:
        """Of the curve as it is drawn now; 0 for none."""
        course = self._course(curve_id)
        return course.curve.length_mm if course is not None else 0.0

    def most_mm(self, display_set_id: str, curve_id: str) -> float:
        """How high a reformat can be: as far as the volume reaches down the curve's pictures."""
        course, volume = self._course(curve_id), self._images.volume_if_here(display_set_id)
        return extent_mm(volume.geometry, course.down) if course is not None and volume is not None else math.inf

    def sections(self, panes: Sequence[PaneState], curve_id: str) -> tuple[Section, ...]:
        return cross_sections.sections(panes, curve_id, self.length_mm(curve_id))

    def along_mm(self, curve_id: str, at_px: float) -> float | None:
        """How far along the curve a column (image px) of its reformat lies; None while there is none."""
        made = self._made.get(curve_id)
        return None if made is None else (at_px - 0.5) * made.image.curve.step_mm

    def cross_section(self, pane: PaneState, geometry: VolumeGeometry | None) -> ViewState:
        """The pane's view across its curve, all of a row at one scale; unchanged where there is no curve."""
        course = self._course(pane.curve)
        if course is None:
            return pane.view
        try:
            along = cross_sections.along_of(pane, course.curve.length_mm)
            point, right, down = cross_section_at(course.curve, along, course.down)
        except ValueError:
            return pane.view
        view = replace(pane.view, plane=Plane.OBLIQUE, point_mm=point, oblique_row=right, oblique_column=down)
        return view if geometry is None else replace(view, fit_box=self._box(pane, view, geometry, point))

    @staticmethod
    def _box(pane: PaneState, view: ViewState, geometry: VolumeGeometry, point: Point3) -> tuple[float, float, float, float]:
        """What zoom 1 fits: the height that was asked for about the curve, not the whole volume."""
        flat = mpr_geometry(geometry, view)
        x, y, _ = flat.patient_to_px(point) or (flat.columns / 2, flat.rows / 2, 0.0)
        height = height_of(pane)
        width = height * (ROW_ASPECT if pane.section_every_mm > 0 else 1.0)
        half_w, half_h = width / 2 / flat.column_spacing, height / 2 / flat.row_spacing
        return (x - half_w, y - half_h, x + half_w, y + half_h)

    def remarks(self, pane: PaneState) -> tuple[Problem, ...]:
        """Where a section lies, and how high the reformat is."""
        if not pane.curve:
            return ()
        if pane.view.plane is Plane.CURVED:
            height = min(height_of(pane), self.most_mm(pane.display_set_id, pane.curve))
            return (Problem("curve.height", {"height": round(height)}, Severity.NOTE),)
        (section, *_) = self.sections((pane,), pane.curve) or (None,)
        if section is None:
            return ()
        if section.every_mm > 0:
            told: dict[str, str | int | float] = {"number": section.number, "every": _short(section.every_mm)}
            return (Problem("curve.section", told, Severity.NOTE),)
        return (Problem("curve.section_at", {"along": round(section.along_mm, 1)}, Severity.NOTE),)

    # -- what is drawn ---------------------------------------------------------------------------------------------

    def drawers(self, pane: PaneState, panes: Sequence[PaneState], active: str) -> tuple[Drawer, ...]:
        """Where the cross-sections lie: on the reformat along the curve, and on planes that look at it from above."""
        if pane.view.plane is Plane.CURVED:
            made, shown = self._made.get(pane.curve), self.sections(panes, pane.curve)
            if made is None or not shown:
                return ()
            step = made.image.curve.step_mm
            return (lambda resolved, style: _on_reformat(resolved, style, shown, step, active),)
        if pane.curve or pane.view.plane is Plane.RENDERED:
            return ()
        curves = {p.curve for p in panes if p.curve and p.display_set_id == pane.display_set_id}
        found = [(self._course(c), self.sections(panes, c)) for c in sorted(curves)]
        return tuple(
            lambda resolved, style, course=course, shown=shown: _from_above(resolved, style, course, shown)
            for course, shown in found
            if course is not None and shown
        )


def _short(mm: float) -> int | float:
    return int(mm) if mm == int(mm) else mm


def _numbered(shown: Sequence[Section], apart_px: float, style: Style) -> frozenset[str]:
    """Panes whose ticks have room for their number: all, or the first and the last of the row."""
    row = [s for s in shown if s.every_mm > 0]
    named = row if apart_px >= _CROWDED * style.scale else [*row[:1], *row[-1:]]
    return frozenset(s.pane_id for s in named)


def _on_reformat(
    resolved: ResolvedView, style: Style, shown: Sequence[Section], step_mm: float, active: str
) -> tuple[Primitive, ...]:
    lines: list[Line] = []
    numbers: list[Text] = []
    rows, tick = float(resolved.geometry.rows), 10.0 * style.scale
    scale = math.dist(resolved.px_to_pane(0.0, 0.0), resolved.px_to_pane(1.0, 0.0)) / step_mm
    named = _numbered(shown, shown[0].every_mm * scale, style)
    for section in shown:
        x = section.along_mm / step_mm + 0.5
        (x0, y0), (x1, y1) = resolved.px_to_pane(x, 0.0), resolved.px_to_pane(x, rows)
        y0, y1 = max(y0, 0.0), min(y1, float(resolved.size[1]))
        if section.every_mm <= 0 or section.pane_id == active:
            lines.append(Line(x0, y0, x1, y1, Role.SECONDARY, style.scale, True, "cross_section"))
        if section.every_mm > 0:
            lines.append(Line(x0, y0, x0, y0 + tick, Role.TEXT, style.scale, key="section_tick"))
            lines.append(Line(x1, y1 - tick, x1, y1, Role.TEXT, style.scale, key="section_tick"))
        if section.pane_id in named:
            numbers.append(_number(section, (x1, y1 - tick - 2 * style.scale), Anchor.BOTTOM, style))
    return (*shadows(lines, style=style), *lines, *numbers)


def _from_above(resolved: ResolvedView, style: Style, course: _Course, shown: Sequence[Section]) -> tuple[Primitive, ...]:
    plane = resolved.geometry.plane
    if plane is None or abs(float(np.dot(plane.normal, course.down))) < _LEANS:
        return ()
    lines: list[Line] = []
    numbers: list[Text] = []
    mm = resolved.mm_per_pane_px or 1.0
    named = _numbered(shown, shown[0].every_mm / mm, style)
    middle = np.mean(course.curve.points_mm, axis=0)
    for section in shown:
        point, right, _ = cross_section_at(course.curve, section.along_mm, course.down)
        outwards = 1.0 if float((np.asarray(point) - middle) @ np.asarray(right)) >= 0 else -1.0
        reach = TICK_MM + 8.0 * style.scale * mm
        ends = [resolved.patient_to_pane(_moved(point, right, by * outwards)) for by in (-TICK_MM, TICK_MM, reach)]
        a, b, beyond = (e or (0.0, 0.0, 0.0) for e in ends)
        key = "section_tick" if section.every_mm > 0 else "cross_section"
        lines.append(Line(a[0], a[1], b[0], b[1], Role.TEXT, style.scale, key=key))
        if section.pane_id in named:
            numbers.append(_number(section, (beyond[0], beyond[1]), Anchor.CENTRE, style))
    return (*shadows(lines, style=style), *lines, *numbers)


def _moved(point: Point3, along: Point3, mm: float) -> Point3:
    return (point[0] + mm * along[0], point[1] + mm * along[1], point[2] + mm * along[2])


def _number(section: Section, at: tuple[float, float], anchor: Anchor, style: Style) -> Text:
    return Text(at[0], at[1], str(section.number), anchor, Role.TEXT, style.font, True, True, key="section_number")
