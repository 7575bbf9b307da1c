"""Calibrates an image of the open study by a line of known length, and measures its drawings again. Main thread only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from app.domain.event import EventKind
from app.domain.measurement import Annotation, Placement
from app.domain.problem import ProblemError, fail
from app.domain.study import FrameRef, Study
from app.session.calibration import spoken_mm
from app.session.findings_desk import FindingsDesk
from app.session.images import Images
from app.session.study_headers import StudyHeaders
from app.session.views import Changes
from app.store.library import Library
from app.viewer.image_geometry import BY_HAND, image_geometry
from app.viewer.measure import measure

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
    ) -> None:
        self._library, self._person, self._headers = library, person, headers
        self._images, self._desk, self._announce, self._study_uid = images, desk, announce, study_uid

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
            "sop_instance_uid": uid,
            "frame": placement.frame,
            "points_px": [list(p) for p in placement.points_px],
            "length_mm": length_mm,
            "spacing_mm": [row_mm, column_mm],
        }
        person, study_uid = self._person(), self._study_uid
        self._library.write(
            lambda tx: self._library.events.append(tx, EventKind.IMAGE_CALIBRATED, study=study_uid, person=person, body=body)
        )
        self._headers.forget(study_uid)
        study = self._headers.study(study_uid)
        self._images.add(study, self._headers.display_sets(study_uid))
        self._measure_again(study, uid)
        self._announce(Changes(view=True, findings=True, layout=True, report=True))

    def _measure_again(self, study: Study, uid: str) -> None:
        """Own drawings on the image get the values that its new geometry gives them."""
        modality = next(s.modality for s in study.series if any(i.sop_instance_uid == uid for i in s.instances))
        instance = self._images.instance(uid)
        if instance is None:
            return
        for drawing in self._desk.annotations():
            placement = drawing.placement
            if placement.sop_instance_uid != uid or not placement.points_px or not drawing.measurements:
                continue
            geometry = image_geometry(instance, placement.frame, modality)
            try:
                frame = self._images.now(FrameRef(uid, placement.frame))
            except ProblemError:
                continue
            values = None if frame.is_colour else frame.values
            found = measure(drawing.shape, placement.points_px, geometry, values, frame.unit, frame.padding)
            self._desk.put_annotation(replace(drawing, measurements=found), False)
