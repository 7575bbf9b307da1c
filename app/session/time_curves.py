"""Time-intensity curves: the selected region measured in every moment of the pane's 4D series, each in its own frame."""

from __future__ import annotations

from collections.abc import Callable

from app.dicom.dynamic_series import acquired_s
from app.domain.finding import Finding
from app.domain.measurement import MarkShape, Quantity
from app.session.moments import moved_to
from app.session.panes import PaneState
from app.session.picture import Drawer
from app.session.reading_room import ReadingRoom
from app.viewer.compositor import geometry_of
from app.viewer.decorations import Style
from app.viewer.measure import measure
from app.viewer.placement import points_on
from app.viewer.plane_values import plane_values
from app.viewer.primitives import Primitive
from app.viewer.time_curve import TimeCurve, curve_primitives, rises
from app.viewer.view_state import Plane, ResolvedView, resolve

REGIONS = frozenset({MarkShape.ELLIPSE, MarkShape.RECTANGLE, MarkShape.POLYGON, MarkShape.FREEHAND, MarkShape.POINT})
LEAST = 3


class TimeCurves:
    """Main thread only. Frames that are not here are asked for; the curve grows as they come."""

    def __init__(self, room: ReadingRoom, mark: Callable[[str], Finding | None], selected: Callable[[], str]) -> None:
        self._room, self._mark, self._selected = room, mark, selected
        self._means: dict[tuple[str, object, str, int], float | None] = {}
        room.extras.draw_also(self.drawers)

    def of(self, pane: PaneState) -> TimeCurve | None:
        """None where nothing is selected that has a course: no region, no 4D series, another place."""
        mark = self._mark(self._selected()) if self._selected() else None
        if mark is None or mark.shape not in REGIONS or mark.placement is None or pane.view.plane is not Plane.STACK:
            return None
        moments = self._room.moments.of_pane(pane)
        if len(moments) < LEAST:
            return None
        values: list[float | None] = []
        times: list[float | None] = []
        for moment in moments:
            there = moved_to(pane, moment)
            ref = self._room.frame_ref(there)
            instance = self._room.instance(ref.sop_instance_uid) if ref is not None else None
            times.append(acquired_s(instance) if instance is not None else None)
            key = (mark.finding_id, mark.placement, moment.display_set_id, pane.view.frame_index)
            if key not in self._means:
                found = self._mean(mark, there)
                if found is None:
                    values.append(None)
                    continue
                self._means[key] = found[0]
            values.append(self._means[key])
        if all(v is None for v in values):
            return None
        shown = next((n for n, m in enumerate(moments) if m.display_set_id == pane.display_set_id), 0)
        return TimeCurve(tuple(values), rises(times), shown)

    def _mean(self, mark: Finding, pane: PaneState) -> tuple[float | None] | None:
        """(mean or None where the region is not on this slice,); None while the frame is being decoded."""
        layer = self._room.frame_layer(pane)
        if layer is None or mark.placement is None:
            return None
        geometry = geometry_of(layer, pane.view)
        resolved = resolve(pane.view, (512, 512), geometry)
        points, values = points_on(mark.placement, layer, resolved), plane_values(layer, resolved)
        if points is None or values is None or mark.shape is None:
            return (None,)
        padding = layer.frame.padding if layer.frame is not None else None
        wanted = Quantity.VALUE if mark.shape is MarkShape.POINT else Quantity.MEAN
        found = measure(mark.shape, points, geometry, values, layer.unit, padding)
        return (next((m.value for m in found if m.quantity is wanted), None),)

    def drawers(self, pane: PaneState) -> tuple[Drawer, ...]:
        curve = self.of(pane)
        if curve is None:
            return ()
        texts = self._room.texts

        def draw(resolved: ResolvedView, style: Style) -> list[Primitive]:
            return curve_primitives(curve, resolved.size, texts, style)

        return (draw,)
