"""Calibrates an image of the open study by a line of known length, and measures its drawings again. Main thread only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from app.domain.event import EventKind
from app.domain.measurement import Annotation, Placement
from app.domain.problem import ProblemError, fail
from app.domain.study import FrameRef
from app.session.calibration import calibrations_of, spoken_mm
from app.session.findings_desk import FindingsDesk
from app.session.images import Images
from app.session.panes import PaneState
from app.session.reading_room import ReadingRoom
from app.session.study_headers import StudyHeaders
from app.session.views import Changes
from app.store.library import Library
from app.viewer.compositor import geometry_of
from app.viewer.image_geometry import BY_HAND, image_geometry
from app.viewer.layers import ImageLayer
from app.viewer.placement import annotation_of
from app.viewer.tool_api import ToolContext
from app.viewer.view_state import Appearance, ViewState, resolve

_SIZE = (256, 256)
"""Of a pane that nobody sees."""
SHORTEST_PX = 10.0
"""A shorter line is no measure: one pixel would be a tenth of it."""


class CalibrationDesk:
    """Of the open study. Main thread only."""

    def __init__(
        self,
        library: Library,
        person: Callable[[], str],
        headers: StudyHeaders,
        images: Images,
        desk: FindingsDesk,
        announce: Callable[[Changes], None],
        study_uid: str,
        room: ReadingRoom,
    ) -> None:
        self._library, self._person, self._headers = library, person, headers
        self._images, self._desk, self._announce, self._study_uid = images, desk, announce, study_uid
        self._room = room

    def by_line(self, line: Annotation, words: str) -> None:
        """Calibrates the image of ``line``. Raises ``ProblemError`` when it cannot be; nothing is changed then."""
        length_mm = spoken_mm(words)
        placement = line.placement
        instance = self._images.instance(placement.sop_instance_uid)
        if instance is None or len(placement.points_px) < 2:
            raise fail("calibrate.no_image")
        study = self._headers.study(self._study_uid)
        modality = next(
            (s.modality for s in study.series if any(i.sop_instance_uid == instance.sop_instance_uid for i in s.instances)),
            "",
        )
        if not modality:
            raise fail("calibrate.prior")
        geometry = image_geometry(instance, placement.frame, modality)
        by_hand = BY_HAND in instance.extra
        if (geometry.calibrated and not by_hand) or geometry.regions:
            raise fail("calibrate.has_geometry")
        (ax, ay), (bx, by) = placement.points_px[0], placement.points_px[1]
        if math.hypot(bx - ax, by - ay) < SHORTEST_PX:
            raise fail("calibrate.too_short", px=SHORTEST_PX)
        relative = math.hypot((bx - ax) * geometry.column_spacing, (by - ay) * geometry.row_spacing)
        scale = length_mm / relative
        self._keep(
            instance.sop_instance_uid, placement, length_mm, geometry.row_spacing * scale, geometry.column_spacing * scale
        )

    def _keep(self, uid: str, placement: Placement, length_mm: float, row_mm: float, column_mm: float) -> None:
        body = {
            "frame": placement.frame,
            "points_px": [list(p) for p in placement.points_px],
            "length_mm": length_mm,
            "spacing_mm": [row_mm, column_mm],
        }
        self._write(uid, body)

    def held(self) -> dict[str, tuple[float, float]]:
        """(row, column) spacing in mm by hand, by SOP Instance UID."""
        return {uid: (c.row_mm, c.column_mm) for uid, c in calibrations_of(self._library, self._study_uid).items()}

    def put_back(self, wanted: Mapping[str, tuple[float, float]]) -> None:
        """Undo: the millimetres as they were, each change an event of its own; the drawings are measured again."""
        now = self.held()
        for uid in sorted({*now, *wanted}):
            if now.get(uid) != wanted.get(uid):
                row_mm, column_mm = wanted.get(uid, (0.0, 0.0))
                self._write(uid, {"undone": True, "spacing_mm": [row_mm, column_mm]})

    def _write(self, uid: str, body: Mapping[str, object]) -> None:
        person, study_uid = self._person(), self._study_uid
        told = {"sop_instance_uid": uid, **body}
        self._library.write(
            lambda tx: self._library.events.append(tx, EventKind.IMAGE_CALIBRATED, study=study_uid, person=person, body=told)
        )
        self._headers.forget(study_uid)
        study = self._headers.study(study_uid)
        self._images.add(study, self._headers.display_sets(study_uid))
        self._measure_again(uid)
        self._announce(Changes(view=True, findings=True, layout=True, report=True))

    def _measure_again(self, uid: str) -> None:
        """Own drawings on the image get the values that its new geometry gives them, in every unit, and are checked as new
        ones are."""
        selected = self._desk.selected_id()
        for drawing in self._desk.annotations():
            placement = drawing.placement
            if placement.sop_instance_uid != uid or not placement.points_px or not drawing.measurements:
                continue
            context = self._context(uid, placement.frame)
            if context is None:
                continue
            again = annotation_of(drawing.annotation_id, drawing.shape, placement.points_px, context, drawing.text)
            again = replace(drawing, measurements=again.measurements)
            self._desk.put_annotation(again, False)
            self._room.extras.drawn(again, context)
        self._desk.select(selected)

    def _context(self, uid: str, frame: int) -> ToolContext | None:
        """The image at rest, as a tool would meet it."""
        ref = FrameRef(uid, frame)
        content = self._room.content
        chosen = next((d for d in content.sets() if ref in d.frames), None)
        instance = self._images.instance(uid)
        if chosen is None or instance is None:
            return None
        view = ViewState(chosen.display_set_id, frame_index=chosen.frames.index(ref))
        layer = content.frame_layer(PaneState("", chosen.display_set_id, view))
        if layer is None:
            try:
                pixels = self._images.now(ref)
            except ProblemError:
                return None
            geometry = image_geometry(instance, frame, chosen.modality)
            layer = ImageLayer(Appearance(), pixels, geometry, sop_instance_uid=uid, frame_number=frame)
        if self._room.saved is not None:
            layer = self._room.saved.value_maps.measured(layer)
        return ToolContext(resolve(view, _SIZE, geometry_of(layer, view)), layer)
