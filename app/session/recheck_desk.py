"""Every value beside a drawing is computed a second time by another path, from the stored bytes; a difference is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.measurement import Annotation, MarkShape
from app.domain.study import FrameRef
from app.session.images import Images
from app.viewer.plane_values import without
from app.viewer.recheck import Mismatch, again, crosses_itself, mismatches
from app.viewer.suv import parted
from app.viewer.tool_api import ToolContext

_log = logging.getLogger(__name__)
MISMATCH = "viewer.measure.mismatch"
CROSSED = "viewer.measure.crossed"


class Rechecks:
    """Main thread only; the second path runs beside it. ``doubt(annotation_id, message id or "")`` tells the outcome."""

    def __init__(self, images: Images, doubt: Callable[[str, str], None]) -> None:
        self._images = images
        self._doubt = doubt
        self._latest: dict[str, Annotation] = {}

    def check(self, drawn: Annotation, context: ToolContext) -> None:
        """Asks for the second path of a drawing that was just put; an older question about it is dropped."""
        if not drawn.measurements:
            return
        self._latest[drawn.annotation_id] = drawn
        layer, geometry = context.layer, context.resolved.geometry
        corners = drawn.placement.points_px
        if geometry.plane is not None and drawn.placement.points_mm:
            found = [geometry.patient_to_px(p) for p in drawn.placement.points_mm]
            corners = tuple((f[0], f[1]) for f in found if f is not None)
        ref = (
            FrameRef(layer.sop_instance_uid, layer.frame_number) if layer.frame is not None and not layer.processed else None
        )
        shown = None if ref is not None else context.values()

        def work() -> tuple[tuple[Mismatch, ...], bool]:
            values: npt.NDArray[np.generic[Any]] | None = shown
            padding = None if ref is not None else context.padding()
            if ref is not None:
                frame = self._images.now(ref)  # decoded anew: not what the screen keeps
                values, padding = (None if frame.is_colour else frame.values), without(frame.padding, layer.covered)
            second = again(drawn, geometry, values, padding, corners)
            outline = drawn.shape in (MarkShape.FREEHAND, MarkShape.POLYGON) and crosses_itself(corners)
            stored, beside = parted(drawn.measurements)
            factor = layer.suv or 1.0
            scaled = {quantity: value * factor for quantity, value in second.items()}
            return mismatches(stored, second) + mismatches(beside, scaled), outline

        def came(result: tuple[tuple[Mismatch, ...], bool] | None) -> None:
            if result is None or self._latest.get(drawn.annotation_id) is not drawn:
                return
            del self._latest[drawn.annotation_id]
            for m in result[0]:
                _log.error("a measurement differs when computed again: %s %r, again %r", m.quantity.value, m.shown, m.again)
            self._doubt(drawn.annotation_id, MISMATCH if result[0] else CROSSED if result[1] else "")

        self._images.beside(work, came)
