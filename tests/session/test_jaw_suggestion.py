"""The suggested arch of a CBCT in the session: offered, labelled, moved like any curve, refused where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.domain.measurement import MarkShape
from app.domain.volume import Volume
from app.viewer.view_state import Plane
from tests import phantoms
from tests.flows.stage import stage
from tests.imaging.test_jaw_arch import GRID, jaw, true_arch


def test_the_arch_is_offered_as_a_suggestion_and_is_the_reader_s_once_moved(tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom", jaw(26.0, 44.0), series_key="CBCT maxilla")
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)
        assert reading.jaw.possible()
        for box in reading.layout().panes:
            reading.picture_request(box.pane_id, 300, 300)
        s.until(lambda: not s.ws.images_busy())
        reading.command("suggest_curve")
        s.until(lambda: bool(reading.desk.marks))
        (mark,) = reading.desk.marks
        assert mark.shape is MarkShape.CURVE
        assert mark.placement is not None
        away = [np.linalg.norm(true_arch(26.0, 44.0, beyond=-4.0) - p[:2], axis=1).min() for p in mark.placement.points_mm]
        assert max(away) <= 1.0
        assert mark.comment
        assert reading.layout().name == "2+6"
        assert [p.view.plane for p in reading.room.panes()] == [Plane.CURVED, Plane.AXIAL, *[Plane.OBLIQUE] * 6]

        def said(pane_id: str) -> bool:
            return "viewer.curve_suggested" in reading.picture_request(pane_id, 300, 300).info.states

        assert said("pane-0")
        s.until(lambda: not s.ws.images_busy())
        assert reading.picture_request("pane-0", 300, 300).layers
        context = reading.room.context("pane-1")
        assert context is not None
        at = context.resolved.patient_to_pane(mark.placement.points_mm[3])
        assert at is not None
        assert abs(at[2]) < 0.6  # the axial pane shows the slice that the curve lies in
        from app.viewer.tool_api import Button, PointerEvent

        reading.set_tool("select")
        for kind, d in (("press", 0.0), ("drag", 12.0), ("release", 12.0)):
            reading.pointer("pane-1", kind, PointerEvent(at[0] + d, at[1], Button.LEFT))
        assert reading.desk.marks[0].placement.points_mm != mark.placement.points_mm
        assert not said("pane-0")
        assert len(reading.desk.marks) == 1


def test_a_volume_without_teeth_gets_words_instead(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 30, GRID.shape).astype(np.int16)
    phantoms.write_ct(tmp_path / "dicom", Volume(noise, GRID, "HU"), series_key="CBCT maxilla")
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)
        for box in reading.layout().panes:
            reading.picture_request(box.pane_id, 300, 300)
        s.until(lambda: not s.ws.images_busy())
        reading.command("suggest_curve")
        s.until(lambda: "curve.no_arch" in s.notices)
        assert reading.desk.marks == ()
