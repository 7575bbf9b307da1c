"""Marks that were kept before are computed again too: when a study is opened, after a restart, after an undo.

What is told of a value lives as long as the value: it is found again from the stored bytes, not remembered.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.dicom.suv import Suv
from app.domain.finding import Finding
from app.domain.geometry import PlaneGeometry, Point2
from app.domain.measurement import Annotation, MarkShape, Quantity
from app.domain.study import FrameRef
from app.imaging.packed import counted_ml
from app.session import marks as own
from app.session.images import Images
from app.session.pane_content import PaneContent
from app.session.recheck_desk import CROSSED, MISMATCH, Rechecks, differing, tell
from app.session.views import Changes
from app.viewer.image_geometry import image_geometry
from app.viewer.layers import ImageLayer
from app.viewer.plane_values import without
from app.viewer.recheck import Mismatch, again, mismatches
from app.viewer.recheck_outlines import crosses_itself
from app.viewer.suv import parted
from app.viewer.view_state import Appearance, ImageGeometry

if TYPE_CHECKING:
    from app.session.findings_desk import FindingsDesk
    from app.session.reading_room import ReadingRoom
    from app.session.report_desk import ReportDesk

_OF_PIXELS = frozenset(
    {Quantity.VALUE, Quantity.MEAN, Quantity.STANDARD_DEVIATION, Quantity.MINIMUM, Quantity.MAXIMUM, Quantity.COUNT}
)
_ML_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Question:
    drawn: Annotation
    work: Callable[[], str]
    """Gives the message id of what is wrong, "" where nothing is; any thread."""


class StoredRechecks:
    """Main thread only; one mark after the other is computed beside it. ``doubt`` as in ``Rechecks``."""

    def __init__(
        self,
        images: Images,
        content: PaneContent,
        doubt: Callable[[str, str], None],
        mark: Callable[[str], Finding | None],
        measured: Callable[[ImageLayer], ImageLayer] = lambda layer: layer,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """``measured``: adds the value maps that refer to an image. ``ended``: nothing waits any more."""
        self._images, self._content, self._doubt, self._mark = images, content, doubt, mark
        self._measured, self._ended = measured, ended
        self._waiting: deque[Finding] = deque()
        self._at_work = ""

    @property
    def busy(self) -> bool:
        """Some values are still to be computed again."""
        return bool(self._waiting or self._at_work)

    def ask(self, marks: Sequence[Finding]) -> None:
        """Marks that were put back; newer questions about the same ones take the place of older."""
        wanted = {m.finding_id: m for m in marks if m.measurements}
        self._waiting = deque(m for m in self._waiting if m.finding_id not in wanted)
        self._waiting.extend(wanted.values())
        if not self._at_work:
            self._next()

    def _next(self) -> None:
        while self._waiting:
            mark = self._waiting.popleft()
            now = self._mark(mark.finding_id)
            question = self._question(now) if now is not None else None
            if now is None or question is None:
                continue
            self._at_work = now.finding_id
            self._images.beside(question.work, lambda found, asked=now: self._came(asked, found))  # type: ignore[misc]
            return

    def _came(self, asked: Finding, found: str | None) -> None:
        self._at_work = ""
        now = self._mark(asked.finding_id)
        same = now is not None and (now.placement, now.measurements) == (asked.placement, asked.measurements)
        if found is not None and same:
            self._doubt(asked.finding_id, found)
        self._next()
        if not self.busy:
            self._ended()

    # -- how a mark is computed again

    def _question(self, mark: Finding) -> _Question | None:
        """None for what cannot be computed from what is here."""
        if mark.mask is not None:
            return self._of_voxels(mark)
        drawn = own.annotation_of(mark)
        if drawn is None or not drawn.measurements:
            return None
        drawn = _as_drawn(drawn)
        placement = drawn.placement
        if placement.axes_mm or not placement.sop_instance_uid:
            return self._of_plane(drawn)
        ref = FrameRef(placement.sop_instance_uid, placement.frame)
        instance = self._images.instance(ref.sop_instance_uid)
        chosen = next((d for d in self._content.sets() if ref in d.frames), None)
        if instance is None or instance.pixel_format is None or chosen is None:
            return None
        geometry = image_geometry(instance, ref.frame, chosen.modality)
        suv = self._content.suv(chosen)
        factor = suv.factor if isinstance(suv, Suv) else None
        covered = self._content.angio.covered(instance)
        if self._content.angio.can_subtract(chosen):
            drawn = _without_pixels(drawn)  # whether the mask was taken off when they were measured is not kept

        def work() -> str:
            frame = self._images.now(ref)
            layer = ImageLayer(
                Appearance(),
                frame,
                geometry,
                sop_instance_uid=ref.sop_instance_uid,
                frame_number=ref.frame,
                covered=covered,
                suv=factor,
            )
            layer = _with_its_map(self._measured(layer), drawn)
            values = None if frame.is_colour else frame.values
            corners = _corners(drawn, geometry)
            found = differing(drawn, layer, geometry, values, without(frame.padding, covered), corners)
            return _told(drawn, found, corners)

        return _Question(drawn, work)

    @staticmethod
    def _of_plane(drawn: Annotation) -> _Question | None:
        """Drawn on a reformat: what follows from its points; its pixels were interpolated and are not kept."""
        points = drawn.placement.points_mm
        if not points:
            return None
        drawn = _without_pixels(drawn)
        plane = None
        if len(drawn.placement.axes_mm) == 2:
            row, column = drawn.placement.axes_mm
            frame = drawn.placement.frame_of_reference_uid
            plane = PlaneGeometry(points[0], row, column, 1.0, 1.0, 1, 1, frame)
        geometry = ImageGeometry.of_plane(plane, interpolated=True) if plane is not None else None

        def work() -> str:
            corners = _corners(drawn, geometry)
            found = mismatches(drawn.measurements, again(drawn, geometry, None, None, corners))
            return _told(drawn, found, corners)

        return _Question(drawn, work)

    @staticmethod
    def _of_voxels(mark: Finding) -> _Question | None:
        volume = mark.measured(Quantity.VOLUME)
        mask, drawn = mark.mask, own.annotation_of(mark)
        if volume is None or volume.unit != "ml" or mask is None or drawn is None:
            return None

        def work() -> str:
            return "" if math.isclose(counted_ml(mask), volume.value, rel_tol=_ML_ROUNDING) else MISMATCH

        return _Question(drawn, work)


def recheck_kept(
    images: Images,
    room: ReadingRoom,
    desk: FindingsDesk,
    reports: ReportDesk,
    rechecks: Rechecks,
    announce: Callable[[Changes], None],
) -> None:
    """Asks for the marks that the open study has, and from now on for what an undo puts back; the report waits for both."""

    def measured(layer: ImageLayer) -> ImageLayer:
        return room.saved.value_maps.measured(layer) if room.saved is not None else layer

    ended = Changes(report=True)
    stored = StoredRechecks(images, room.content, desk.doubt, desk.mark, measured, lambda: announce(ended))
    desk.marks_restored = stored.ask
    reports.values_unchecked = lambda: stored.busy or rechecks.busy
    stored.ask(desk.marks)


def _told(drawn: Annotation, found: Sequence[Mismatch], corners: Sequence[Point2]) -> str:
    if found:
        tell(found)
        return MISMATCH
    outline = drawn.shape in (MarkShape.FREEHAND, MarkShape.POLYGON)
    return CROSSED if outline and corners and crosses_itself(corners) else ""


def _as_drawn(drawn: Annotation) -> Annotation:
    """A length that became a finding's long axis is a length of its line all the same."""
    if drawn.shape is not MarkShape.LENGTH:
        return drawn
    axis = Quantity.LONG_AXIS
    named = (replace(m, quantity=Quantity.LENGTH) if m.quantity is axis else m for m in drawn.measurements)
    return replace(drawn, measurements=tuple(named))


def _without_pixels(drawn: Annotation) -> Annotation:
    return replace(drawn, measurements=tuple(m for m in drawn.measurements if m.quantity not in _OF_PIXELS))


def _with_its_map(layer: ImageLayer, drawn: Annotation) -> ImageLayer:
    """Of several value maps the one whose unit stands beside the stored values."""
    _, beside = parted(drawn.measurements)
    units = {m.unit for m in beside}
    found = layer.real_world_maps
    at = next((n for n, m in enumerate(found) if m.unit in units), None)
    if at is not None:
        return replace(layer, real_world_choice=layer.real_world_choice + at)
    if layer.frame is None or not found:
        return layer
    return replace(layer, frame=replace(layer.frame, real_world=()), real_world=())


def _corners(drawn: Annotation, geometry: ImageGeometry | None) -> tuple[Point2, ...]:
    placement = drawn.placement
    if placement.points_px and not placement.axes_mm:
        return placement.points_px
    if geometry is None:
        return ()
    return tuple((x, y) for x, y, _ in geometry.patient_to_px_many(placement.points_mm))
