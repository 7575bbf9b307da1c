"""Probe: the modality value under the pointer, or that there is none; a click keeps it as a mark."""

from __future__ import annotations

import math

from app.domain.measurement import MarkShape, Measurement, Quantity
from app.viewer.edits import Edits, HideProbe, PutAnnotation, ShowProbe
from app.viewer.measure import measure, ucum
from app.viewer.placement import annotation_of
from app.viewer.real_world import with_real_world
from app.viewer.suv import with_suv
from app.viewer.tool_api import PointerEvent, QuietTool, ToolContext, ToolSpec
from app.viewer.tools.drawing import short_drag


class ProbeTool(QuietTool):
    def __init__(self) -> None:
        self._pressed: PointerEvent | None = None

    def hover(self, event: PointerEvent, context: ToolContext) -> Edits:
        g = context.resolved.geometry
        px = context.px(event)
        if not (0 <= px[0] < g.columns and 0 <= px[1] < g.rows):
            return (HideProbe(),)
        values, unit = context.values(), context.layer.unit
        found = measure(MarkShape.POINT, (px,), g, values, unit, context.padding())
        nothing = (Measurement(Quantity.VALUE, math.nan, ucum(unit)),) if values is not None and not found else ()
        found = with_real_world(with_suv(found, context.layer.suv), context.layer.real_world_maps)
        point = context.point_mm(event)
        return (ShowProbe(event.at, px, point, (*nothing, *found, *context.beside(point, px))),)

    def press(self, event: PointerEvent, context: ToolContext) -> Edits:
        self._pressed = event
        return self.hover(event, context)

    def drag(self, event: PointerEvent, context: ToolContext) -> Edits:
        return self.hover(event, context) if self._pressed is not None else ()

    def release(self, event: PointerEvent, context: ToolContext) -> Edits:
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return ()
        shown = self.hover(event, context)
        if not short_drag(pressed, event) or isinstance(shown[0], HideProbe):
            return (HideProbe(),)
        return (HideProbe(), PutAnnotation(annotation_of(context.new_id(), MarkShape.POINT, (context.px(event),), context)))

    def cancel(self) -> Edits:
        self._pressed = None
        return (HideProbe(),)


TOOL = ToolSpec("probe", "measure", "eyedropper", ProbeTool, order=45, draws=True, hovers=True)
