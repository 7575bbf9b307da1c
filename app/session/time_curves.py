"""Time-intensity curves: regions measured in every moment of a pane's 4D series, each in its own frame or reformat."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.dicom.dynamic_series import acquired_s
from app.domain.finding import Finding
from app.domain.measurement import MarkShape, Quantity
from app.domain.problem import Problem
from app.domain.study import DisplaySet
from app.session.moments import moved_to
from app.session.panes import PaneState
from app.session.picture import Drawer
from app.session.reading_room import ReadingRoom
from app.viewer.compositor import geometry_of
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.measure import measure, ucum
from app.viewer.placement import points_on
from app.viewer.plane_values import plane_padding, plane_values
from app.viewer.primitives import Primitive
from app.viewer.time_curve import TimeCurve, curve_primitives, rises
from app.viewer.view_state import Plane, ResolvedView, ViewState, resolve

REGIONS = frozenset({MarkShape.ELLIPSE, MarkShape.RECTANGLE, MarkShape.POLYGON, MarkShape.FREEHAND, MarkShape.POINT})
LEAST = 3
MOST = 12
"""Regions in one chart."""
_SIZE = (512, 512)
_NO_PLACE = frozenset({Plane.RENDERED, Plane.CURVED})


@dataclass(frozen=True)
class Sample:
    """A region in one moment; all None where it does not lie there."""

    mean: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0


@dataclass(frozen=True)
class Course:
    """A region and its course. ``number``: which of the pane's regions it is, from 1, in the order drawn."""

    finding_id: str
    number: int
    name: str
    """What the reader wrote beside it, or empty."""
    curve: TimeCurve
    samples: tuple[Sample | None, ...]
    chosen: bool


class TimeCurves:
    """Main thread only. Images that are not here are asked for; the curves grow as they come.

    On a reformat each moment's volume is asked for after the one before has been measured: they need not fit into memory
    together.
    """

    def __init__(self, room: ReadingRoom, marks: Callable[[], Sequence[Finding]], selected: Callable[[], str]) -> None:
        self._room, self._marks, self._selected = room, marks, selected
        self._samples: dict[tuple[object, ...], Sample] = {}
        room.extras.draw_also(self.drawers)

    # -- what there is ---------------------------------------------------------------------------------------------

    def of(self, pane: PaneState) -> TimeCurve | None:
        """Of the selected region; None where nothing selected has a course: no region, no 4D series, another place."""
        mark = next((m for m in self._marks() if m.finding_id == self._selected()), None)
        course = self._course(mark, pane, 1) if mark is not None else None
        return course.curve if course is not None else None

    def all(self, pane: PaneState) -> tuple[Course, ...]:
        """Of every region that lies on what the pane shows, the first :data:`MOST` of them."""
        out: list[Course] = []
        for mark in self._marks():
            course = self._course(mark, pane, len(out) + 1) if len(out) < MOST else None
            if course is not None:
                out.append(course)
        return tuple(out)

    def why_not(self, pane: PaneState) -> Problem | None:
        """Why a pane has no curve to show; None where it has one, or will have when its images are here."""
        if pane.view.plane in _NO_PLACE or pane.curve:
            return Problem("time_curve.no_place")
        if len(self._room.moments.of_pane(pane)) < LEAST:
            return Problem("time_curve.no_moments", {"n": LEAST})
        if not any(m.shape in REGIONS for m in self._marks()):
            return Problem("time_curve.no_region")
        return None if self.all(pane) or self._room.image_layer(pane) is None else Problem("time_curve.elsewhere")

    # -- measuring -------------------------------------------------------------------------------------------------

    def _course(self, mark: Finding | None, pane: PaneState, number: int) -> Course | None:
        moments = self._room.moments.of_pane(pane)
        if mark is None or mark.shape not in REGIONS or mark.placement is None or len(moments) < LEAST:
            return None
        if pane.view.plane in _NO_PLACE or pane.curve:
            return None
        samples: list[Sample | None] = []
        waiting = False
        for moment in moments:
            there = moved_to(pane, moment)
            key = (mark.finding_id, mark.placement, moment.display_set_id, _cut(pane.view))
            if key not in self._samples and not waiting:
                found = self._sample(mark, there)
                # One volume after the other; frames are small and come together.
                waiting = found is None and pane.view.plane is not Plane.STACK
                if found is not None:
                    self._samples[key] = found
            samples.append(self._samples.get(key))
        values = tuple(s.mean if s is not None else None for s in samples)
        if all(v is None for v in values):
            return None
        times = rises([self._time(moved_to(pane, m), m) for m in moments])
        shown = next((n for n, m in enumerate(moments) if m.display_set_id == pane.display_set_id), 0)
        layer = self._room.image_layer(pane)
        curve = TimeCurve(values, times, shown, ucum(layer.unit) if layer is not None else "1")
        return Course(mark.finding_id, number, mark.comment, curve, tuple(samples), mark.finding_id == self._selected())

    def _time(self, pane: PaneState, moment: DisplaySet) -> float | None:
        """Of the frame itself; of a reformat, which many frames make, of the moment's first one."""
        ref = self._room.frame_ref(pane) if pane.view.plane is Plane.STACK else next(iter(moment.frames), None)
        instance = self._room.instance(ref.sop_instance_uid) if ref is not None else None
        return acquired_s(instance) if instance is not None else None

    def _layer(self, pane: PaneState) -> ImageLayer | None:
        return self._room.frame_layer(pane) if pane.view.plane is Plane.STACK else self._room.image_layer(pane)

    def _sample(self, mark: Finding, pane: PaneState) -> Sample | None:
        """None while the images are on their way; an empty one where the region is not on them, or they cannot be shown."""
        layer = self._layer(pane)
        if layer is None:
            return Sample() if self._room.problem(pane) is not None else None
        if mark.placement is None or mark.shape is None:
            return Sample()
        geometry = geometry_of(layer, pane.view)
        resolved = resolve(pane.view, _SIZE, geometry)
        points = points_on(mark.placement, layer, resolved)
        values = plane_values(layer, resolved) if points is not None else None
        if points is None or values is None:
            return Sample()
        padding = plane_padding(layer, resolved)
        found = {m.quantity: m.value for m in measure(mark.shape, points, geometry, values, layer.unit, padding)}
        if mark.shape is MarkShape.POINT:
            return Sample(found.get(Quantity.VALUE), count=1)
        return Sample(
            found.get(Quantity.MEAN),
            found.get(Quantity.STANDARD_DEVIATION),
            found.get(Quantity.MINIMUM),
            found.get(Quantity.MAXIMUM),
            int(found.get(Quantity.COUNT, 0)),
        )

    # -- what is shown of it ---------------------------------------------------------------------------------------

    def drawers(self, pane: PaneState) -> tuple[Drawer, ...]:
        curve = self.of(pane)
        if curve is None:
            return ()
        texts = self._room.texts

        def draw(resolved: ResolvedView, style: Style) -> list[Primitive]:
            return curve_primitives(curve, resolved.size, texts, style)

        return (draw,)


def _cut(view: ViewState) -> tuple[object, ...]:
    """What of a view decides which values lie in it."""
    if view.plane is Plane.STACK:
        return (view.plane, view.frame_index)
    return (view.plane, view.point_mm, view.oblique_row, view.oblique_column, view.slab_mm, view.slab_mode)


def as_csv(courses: Sequence[Course]) -> str:
    """The numbers of a chart, one line a region and moment; decimal points, commas between, and no identity of anybody."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(
        ["region", "name", "moment", "time_s", "mean", "standard_deviation", "minimum", "maximum", "pixels", "unit"]
    )
    for course in courses:
        times = course.curve.times_s
        for n, sample in enumerate(course.samples):
            values = (sample.mean, sample.spread, sample.low, sample.high) if sample is not None else (None,) * 4
            lines.writerow(
                [
                    course.number,
                    _plain(course.name),
                    n + 1,
                    f"{times[n]:.3f}" if times else "",
                    *("" if v is None else f"{v:.6g}" for v in values),
                    sample.count if sample is not None else 0,
                    course.curve.unit,
                ]
            )
    return out.getvalue()


def _plain(text: str) -> str:
    """A word that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
