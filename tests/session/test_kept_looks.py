"""What a packet says of looks and measurements: written, read, hung again, it is what the reader had on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.dicom.presentation_state import read_presentation_state
from app.dicom.structured_report import read_sr
from app.domain.measurement import Quantity
from app.domain.pixels import VoiWindow
from app.domain.presentation import PresentationState
from app.session.panes import PaneState
from app.session.reading_session import ReadingSession
from app.session.report_packet import PacketInput, look_objects, measured_marks, verdict_object
from app.viewer.layers import ImageLayer
from app.viewer.presentation import presented_frame, presented_view
from app.viewer.view_state import Plane
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_reading import draw, opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def packet(reading: ReadingSession) -> PacketInput:
    marks = reading.desk.marks
    return PacketInput(
        reading.study, reading.report().report, stage.READER, datetime(2026, 11, 23, tzinfo=UTC), True, (), {}, (),
        frozenset(), None, measured=measured_marks(marks, reading.study),
        looks=reading.reports.looks.states(marks, {}, stage.READER.display_name, reading.desk.doubts),
    )  # fmt: skip


def stack(s: Stage) -> ReadingSession:
    reading = opened(s)
    reading.set_layout("1x1")
    reading.room.change_view(plane=Plane.STACK)
    reading.picture_request("pane-0", 400, 400)()
    s.until(lambda: not s.ws.images_busy())
    return reading


def only_look(reading: ReadingSession) -> PresentationState:
    (written,) = look_objects(packet(reading))
    assert written.kind == "presentation"
    return read_presentation_state(written.content)


def test_a_mere_measurement_leaves_with_its_line_and_all_its_digits(desk: Stage) -> None:
    reading = stack(desk)
    draw(reading, 150.0)
    (mark,) = reading.desk.marks
    content = verdict_object(packet(reading), ()).content
    (read,) = read_sr(content).findings
    assert (read.tracking_uid, read.code, read.shape) == (mark.finding_id, None, mark.shape)
    assert read.measurements == mark.measurements
    assert mark.placement is not None
    assert read.placement is not None
    np.testing.assert_allclose(read.placement.points_px, mark.placement.points_px, rtol=1e-6)


def test_a_finding_is_not_written_twice(desk: Stage) -> None:
    reading = stack(desk)
    draw(reading, 150.0)
    reading.desk.select(reading.desk.marks[0].finding_id)
    reading.add_mark()
    assert measured_marks(reading.desk.marks, reading.study) == ()


def test_the_look_hung_again_is_the_picture_that_was_seen(desk: Stage) -> None:
    reading = stack(desk)
    room = reading.room
    room.change_view(zoom=1.0, pan=(0.0, 0.0), rotation_deg=90.0, flip_v=True, invert=True)
    room.set_window(VoiWindow(12.5, 301.0))
    seen = reading.picture_request("pane-0", 400, 400)()
    state = only_look(reading)
    assert (state.rotation_deg, state.flip, state.inverse) == (270, True, True)
    assert state.vois[0].window == VoiWindow(12.5, 301.0)
    room.change_view(zoom=1.0, pan=(0.0, 0.0), rotation_deg=0.0, flip_v=False, invert=False)
    room.set_window(None)
    request = reading.picture_request("pane-0", 400, 400)
    layer = request.layers[0]
    instance = room.instance(layer.sop_instance_uid)  # type: ignore[union-attr]
    assert instance is not None
    frame = presented_frame(
        layer.frame,  # type: ignore[union-attr,arg-type]
        instance.frames[0].modality_transform,
        state,
        instance.sop_instance_uid,
        0,
    )
    resolved = seen.resolved
    assert resolved is not None
    view = presented_view(request.view, state, state.area(instance.sop_instance_uid, 0), (400, 400), resolved.geometry)
    again = replace(request, view=view, layers=(replace(layer, frame=frame),))()
    assert seen.pixels is not None
    assert again.pixels is not None
    np.testing.assert_array_equal(again.pixels, seen.pixels)


def test_marks_are_drawn_where_they_were_with_their_words(desk: Stage) -> None:
    reading = stack(desk)
    draw(reading, 150.0)
    state = only_look(reading)
    (mark,) = reading.desk.marks
    assert mark.placement is not None
    uid = mark.placement.sop_instance_uid
    (annotation,) = state.shown_annotations(uid, 0)
    np.testing.assert_allclose(annotation.graphics[0].points, mark.placement.points_px, rtol=1e-6)
    length = mark.measured(Quantity.LENGTH)
    assert length is not None
    assert f"{length.value:.1f}"[:3].replace(".", "")[:1] in annotation.texts[0].text
    others = [i.sop_instance_uid for s in reading.study.series for i in s.instances if i.sop_instance_uid != uid]
    assert all(not state.shown_annotations(other, 0) for other in others)
    assert state.patient_id == reading.study.patient.patient_id
    assert state.creator == stage.READER.display_name


def test_a_zoomed_pane_names_the_pixels_that_were_seen(desk: Stage) -> None:
    reading = stack(desk)
    whole = only_look(reading).areas[0].box_px
    reading.room.change_view(zoom=4.0)
    reading.picture_request("pane-0", 400, 400)()
    part = only_look(reading).areas[0].box_px
    resolved = reading.room.context("pane-0").resolved  # type: ignore[union-attr]
    x0, y0 = resolved.pane_to_px(0, 0)
    x1, y1 = resolved.pane_to_px(400, 400)
    assert part == (np.floor(x0), np.floor(y0), np.ceil(x1), np.ceil(y1))
    assert (whole[0], whole[1]) == (0.0, 0.0)


def test_a_shutter_of_the_reader_is_in_the_look(desk: Stage) -> None:
    reading = stack(desk)
    reading.room.change_view(shutter=(2.25, 3.0, 10.5, 12.0))
    state = only_look(reading)
    assert state.shutter is not None
    assert state.shutter.rectangle == (2.0, 3.0, 11.0, 12.0)


def test_a_set_that_hung_before_another_stage_is_remembered(desk: Stage) -> None:
    reading = stack(desk)
    room = reading.room
    room.change_view(invert=True)
    room.change_view(plane=Plane.CORONAL)
    assert reading.reports.looks.states((), {}, "", {})[0][1].inverse


def test_what_was_written_is_listed_with_the_study_and_hangs_by_a_name(desk: Stage, tmp_path: Path) -> None:
    """The way of another workstation: images and our objects from one folder."""
    reading = stack(desk)
    reading.room.change_view(invert=True)
    draw(reading, 150.0)
    written = packet(reading)
    for item in (*look_objects(written), verdict_object(written, ())):
        (tmp_path / "dicom" / f"{item.kind}.dcm").write_bytes(item.content)
    with stage.stage(tmp_path / "elsewhere", None) as s:
        s.bring(tmp_path / "dicom")
        there = stack(s)
        s.until(lambda: not s.ws.images_busy())
        saved = there.room.saved
        assert saved is not None
        pane = there.room.pane("pane-0")
        chosen = there.room.display_set(pane)
        assert chosen is not None
        (look,) = saved.states_of(chosen)
        assert (look.problem, look.detail.params["name"]) == (None, stage.READER.display_name)
        (marks,) = saved.reports.listed()
        assert marks.detail.params == {"n": 1}
        assert not there.picture_request("pane-0", 400, 400).layers[0].frame.inverse  # type: ignore[union-attr]
        saved.apply_state(pane, look.sop_instance_uid)
        assert there.picture_request("pane-0", 400, 400).layers[0].frame.inverse  # type: ignore[union-attr]


def test_overlay_planes_that_were_seen_are_seen_again(desk: Stage) -> None:
    reading = stack(desk)
    room = reading.room
    plain = room.content.frame_layer

    def with_planes(pane: PaneState) -> ImageLayer | None:
        layer = plain(pane)
        if layer is None or layer.frame is None:
            return layer
        plane = np.zeros(layer.frame.values.shape, dtype=np.bool_)
        return replace(layer, frame=replace(layer.frame, overlays=(plane,), overlay_groups=(0x6002,)))

    room.frame_layer = with_planes  # type: ignore[method-assign]
    state = only_look(reading)
    assert state.overlay_groups == (0x6002,)
    assert [layer.name for layer in state.layers] == ["OVERLAYS"]
    assert room.saved is not None
    room.saved.overlay_planes = False
    assert only_look(reading).overlay_groups == ()
