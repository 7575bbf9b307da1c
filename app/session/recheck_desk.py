"""Every value beside a drawing and under the probe is computed a second time by another path, from the stored bytes; a
difference is told."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement
from app.domain.study import FrameRef
from app.session.images import Images
from app.viewer.edits import ShowProbe
from app.viewer.layers import ImageLayer
from app.viewer.over_recheck import over_mismatches
from app.viewer.plane_values import without
from app.viewer.recheck import Mismatch, again, mismatches, unknown
from app.viewer.recheck_beside import beside_again
from app.viewer.recheck_outlines import crosses_itself
from app.viewer.suv import parted
from app.viewer.tool_api import ToolContext
from app.viewer.view_state import ImageGeometry

_log = logging.getLogger(__name__)
MISMATCH = "viewer.measure.mismatch"
CROSSED = "viewer.measure.crossed"
Grey = npt.NDArray[np.generic]
Padding = npt.NDArray[np.bool_]
Source = Callable[[], tuple[Grey | None, Padding | None]]


def differing(
    drawn: Annotation,
    layer: ImageLayer,
    geometry: ImageGeometry,
    values: Grey | None,
    padding: Padding | None,
    corners: Sequence[Point2],
) -> tuple[Mismatch, ...]:
    """What stands beside a drawing and is not what the second path finds, in the stored unit and in the one beside it.

    ``corners``: its points in px of ``values`` (rows, columns).
    """
    second = again(drawn, geometry, values, padding, corners)
    stored, beside = parted([m for m in drawn.measurements if not m.of])
    units = {m.unit for m in stored}
    other = beside_again(drawn.shape, second, units, values, padding, corners, layer.suv, layer.real_world_maps)
    nobody = (*unknown(stored, second), *unknown(beside, other))
    if nobody:
        _log.info("without a second computation: %s", ", ".join(sorted({q.value for q in nobody})))
    # Real-world values can be small (mm2/s): what is rounding goes by the largest of them.
    rounding = 1e-9 * max((abs(m.value) for m in beside), default=0.0)
    return mismatches(stored, second) + mismatches(beside, other, rounding)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A frame that was decoded anew, for as long as the probe stays on it."""

    ref: FrameRef
    values: Grey | None
    padding: Padding | None


class Rechecks:
    """Main thread only; the second path runs beside it. ``doubt(annotation_id, message id or "")`` tells the outcome."""

    def __init__(self, images: Images, doubt: Callable[[str, str], None]) -> None:
        self._images = images
        self._doubt = doubt
        self._latest: dict[str, Annotation] = {}
        self._probing = False
        self._probe: tuple[ShowProbe, ToolContext] | None = None
        self._kept: _Kept | None = None

    @property
    def busy(self) -> bool:
        """Some values are still being computed again."""
        return bool(self._latest)

    def check(self, drawn: Annotation, context: ToolContext) -> None:
        """Asks for the second path of a drawing that was just put; an older question about it is dropped."""
        if not drawn.measurements:
            return
        self._latest[drawn.annotation_id] = drawn
        layer, geometry = context.layer, context.resolved.geometry
        source = self._source(context)

        def work() -> tuple[tuple[Mismatch, ...], bool]:
            values, padding = source()
            corners: Sequence[Point2] = drawn.placement.points_px
            if geometry.plane is not None and drawn.placement.points_mm:
                corners = [(x, y) for x, y, _ in geometry.patient_to_px_many(drawn.placement.points_mm)]
            outline = drawn.shape in (MarkShape.FREEHAND, MarkShape.POLYGON) and crosses_itself(corners)
            upper = over_mismatches(drawn, context.over, geometry, corners)
            return (*differing(drawn, layer, geometry, values, padding, corners), *upper), outline

        def came(result: tuple[tuple[Mismatch, ...], bool] | None) -> None:
            if self._latest.get(drawn.annotation_id) is not drawn:
                return
            del self._latest[drawn.annotation_id]
            if result is None:
                return
            tell(result[0])
            self._doubt(drawn.annotation_id, MISMATCH if result[0] else CROSSED if result[1] else "")

        self._images.beside(work, came)

    def probe(self, shown: ShowProbe | None, context: ToolContext | None, doubt: Callable[[bool], None]) -> None:
        """The value under the pointer; while one is computed again the newest waits. None: the probe is gone."""
        if shown is None or context is None:
            self._probe = self._kept = None
            doubt(False)
            return
        self._probe = (shown, context)
        if not self._probing:
            self._next_probe(doubt)

    def _next_probe(self, doubt: Callable[[bool], None]) -> None:
        if self._probe is None:
            return
        (shown, context), self._probe = self._probe, None
        layer, geometry = context.layer, context.resolved.geometry
        own = _own(shown.measurements)
        placement = Placement(layer.sop_instance_uid, layer.frame_number, (shown.image_px,))
        drawn = Annotation("probe", MarkShape.POINT, placement, own)
        source, kept, ref = self._source(context), self._kept, self._ref(layer)

        def work() -> tuple[tuple[Mismatch, ...], _Kept | None]:
            here = kept if kept is not None and kept.ref == ref else None
            if here is None and ref is not None:
                here = _Kept(ref, *source())
            values, padding = (here.values, here.padding) if here is not None else source()
            told = replace(drawn, measurements=shown.measurements)
            upper = over_mismatches(told, context.over, geometry, (shown.image_px,))
            return (*differing(drawn, layer, geometry, values, padding, (shown.image_px,)), *upper), here

        def came(result: tuple[tuple[Mismatch, ...], _Kept | None] | None) -> None:
            self._probing = False
            if result is not None:
                self._kept = result[1]
                tell(result[0])
                doubt(bool(result[0]))
            self._next_probe(doubt)

        self._probing = True
        self._images.beside(work, came)

    @staticmethod
    def _ref(layer: ImageLayer) -> FrameRef | None:
        """The stored frame whose values these are."""
        here = layer.frame is not None and not layer.processed
        return FrameRef(layer.sop_instance_uid, layer.frame_number) if here else None

    def _source(self, context: ToolContext) -> Source:
        """Gives the values beside the main thread: decoded anew where they are those of a stored frame."""
        layer, ref = context.layer, self._ref(context.layer)
        if ref is None:
            shown, left_out = context.values(), context.padding()
            return lambda: (shown, left_out)

        def read() -> tuple[Grey | None, Padding | None]:
            frame = self._images.now(ref)  # not what the screen keeps
            return (None if frame.is_colour else frame.values), without(frame.padding, layer.covered)

        return read


def _own(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Those of the image itself, where it has a value: what other objects say of the place is theirs."""
    known = (m for m in measurements if not math.isnan(m.value))
    return tuple(m for m in known if not m.quantity.value.startswith("overlay") and m.quantity.value != "dose")


def tell(found: Sequence[Mismatch]) -> None:
    """Into the log."""
    for m in found:
        _log.error("a measurement differs when computed again: %s %r, again %r", m.quantity.value, m.shown, m.again)
