"""Masks, written marks, stars, offsets and the second path of an open study, without a window."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.dicom.segmentation import read_seg
from app.domain.measurement import MarkShape, Quantity
from app.domain.problem import ProblemError
from app.imaging.packed import counted_ml, unpack
from app.session import marks as own
from app.session.reading_session import ReadingSession
from app.session.report_packet import PacketInput, own_masks, report_objects
from app.viewer import placement
from app.viewer.layers import MaskLayer
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane, ViewState
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import BALLS, Stage
from tests.session.test_reading import desk, opened

__all__ = ["desk"]


def at_ball(s: Stage, reading: ReadingSession, number: int = 0) -> PointerEvent:
    reading.room.show_point(BALLS[number])
    reading.picture_request("pane-0", 400, 400)()
    s.until(lambda: not s.ws.images_busy())
    context = reading.room.context("pane-0")
    assert context is not None
    x, y, _ = context.resolved.patient_to_pane(BALLS[number]) or (0.0, 0.0, 0.0)
    return PointerEvent(x, y)


def click(reading: ReadingSession, event: PointerEvent) -> None:
    for kind in ("press", "release"):
        reading.pointer("pane-0", kind, event)


def volume_here(s: Stage, reading: ReadingSession) -> None:
    s.ws._images.volume(reading.room.pane("pane-0").display_set_id)
    s.until(lambda: not s.ws.images_busy())


def test_a_grown_ball_has_the_volume_of_its_voxels_and_survives_a_restart(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        event = at_ball(s, reading)
        reading.set_tool("region_grow")
        volume_here(s, reading)
        click(reading, event)
        s.until(lambda: bool(reading.desk.marks))
        s.until(lambda: not s.ws.images_busy())
        (mark,) = reading.desk.marks
        volume = s.ws._images.volume_if_here(reading.room.pane("pane-0").display_set_id)
        assert volume is not None
        assert mark.shape is MarkShape.MASK
        assert mark.mask is not None
        k, j, i = np.meshgrid(*(np.arange(n) for n in volume.geometry.shape), indexing="ij")
        points = volume.geometry.to_patient_many(np.stack([k.ravel(), j.ravel(), i.ravel()], 1).astype(float))
        near = np.linalg.norm(points - np.asarray(BALLS[0]), axis=1).reshape(volume.geometry.shape) < 6.0
        inside = near & (np.abs(volume.voxels.astype(float) - phantoms.Sphere(BALLS[0], 3.4).hu) < 1.0)
        voxel_ml = float(np.prod(volume.geometry.spacing_mm)) / 1000.0
        ml = mark.measured(Quantity.VOLUME)
        assert ml is not None
        assert ml.unit == "ml"
        assert ml.value == pytest.approx(inside.sum() * voxel_ml, rel=1e-9)
        assert counted_ml(mark.mask) == pytest.approx(ml.value)
        assert unpack(mark.mask).sum() == inside.sum()
        assert reading.desk.doubts == {}
        layers = reading.picture_request("pane-0", 400, 400).layers
        assert [type(x) for x in layers[1:]] == [MaskLayer]
    with stage.stage(tmp_path / "home", None) as s:
        assert opened(s).desk.marks == (mark,)


def test_the_brush_adds_and_takes_away_and_undo_brings_it_back(desk: Stage) -> None:
    reading = opened(desk)
    event = at_ball(desk, reading)
    reading.set_tool("brush")
    volume_here(desk, reading)
    for kind in ("press", "drag", "release"):
        reading.pointer("pane-0", kind, replace(event, x=event.x + (0 if kind == "press" else 3)))
    (mark,) = reading.desk.marks
    first = mark.measured(Quantity.VOLUME)
    for kind in ("press", "release"):
        reading.pointer("pane-0", kind, replace(event, x=event.x + 3, shift=True))
    left = reading.desk.marks
    if left and left[0].mask is not None and mark.mask is not None:
        assert unpack(left[0].mask).sum() < unpack(mark.mask).sum()
    reading.undo()
    assert reading.desk.marks[0].measured(Quantity.VOLUME) == first
    reading.undo()
    assert reading.desk.marks == ()


def test_growing_is_shown_before_it_is_kept_and_a_leak_is_told(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = opened(desk)
    event = at_ball(desk, reading)
    reading.set_tool("region_grow")
    volume_here(desk, reading)
    reading.pointer("pane-0", "press", event)

    def painted() -> bool:
        return any(isinstance(x, MaskLayer) for x in reading.picture_request("pane-0", 400, 400).layers)

    desk.until(painted)
    assert reading.desk.marks == ()
    reading.command("cancel_gesture")
    desk.until(lambda: not desk.ws.images_busy())
    assert not painted()
    assert reading.desk.marks == ()
    from app.session import own_masks as module

    monkeypatch.setattr(module, "grow_bounded", lambda volume, seed, values: _leaked(volume, seed, values))
    click(reading, event)
    desk.until(lambda: bool(reading.desk.marks))
    assert desk.notices[-1] == "masks.bound_ball"
    reading.undo()
    assert reading.desk.marks == ()


def _leaked(volume: object, seed: object, values: object) -> object:
    from app.imaging.growing import Bound, Growth, grow

    mask = grow(volume, seed, values)  # type: ignore[arg-type]
    assert mask is not None
    return Growth(mask, Bound.BALL)


def test_painting_without_a_volume_says_why(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = opened(desk)
    event = at_ball(desk, reading)
    reading.set_tool("region_grow")
    monkeypatch.setattr(desk.ws._images, "volume", lambda display_set_id: None)
    reading.room.change_view(plane=Plane.STACK)
    click(reading, event)
    assert desk.notices[-1] == "masks.volume_loading"
    assert reading.desk.marks == ()
    monkeypatch.setattr(desk.ws._images, "can_be_volume", lambda display_set: False)
    click(reading, event)
    desk.until(lambda: bool(reading.desk.marks))
    assert reading.desk.marks[0].shape is MarkShape.FREEHAND, "a region of the slice where there is no volume"


def test_written_marks_wait_for_words_and_refuse_what_they_may_not_say(desk: Stage) -> None:
    reading = opened(desk)
    event = at_ball(desk, reading)
    reading.set_tool("tooth")
    click(reading, event)
    assert reading.awaited_words is not None
    assert reading.desk.marks == ()
    with pytest.raises(ProblemError) as refused:
        reading.answer("99")
    assert refused.value.problem.code == "tools.tooth_words"
    reading.answer("36")
    assert reading.awaited_words is None
    (mark,) = reading.desk.marks
    assert (mark.shape, mark.comment) == (MarkShape.TOOTH, "36")
    click(reading, event)
    reading.answer("37")
    assert [m.comment for m in reading.desk.marks] == ["37"]
    click(reading, replace(event, x=event.x + 60))
    assert reading.awaited_words.suggestion == "38"
    reading.answer(" ")
    assert len(reading.desk.marks) == 1
    assert reading.report().report is not None


def test_a_star_makes_a_key_image_and_is_no_drawing(desk: Stage) -> None:
    reading = opened(desk)
    reading.room.change_view(plane=Plane.STACK)
    reading.picture_request("pane-0", 400, 400)()
    desk.until(lambda: not desk.ws.images_busy())
    reading.command("toggle_key_image")
    ref = reading.room.frame_ref(reading.room.pane("pane-0"))
    assert ref is not None
    assert own.starred(reading.desk.marks) == {(ref.sop_instance_uid, ref.frame)}
    assert reading.desk.annotations() == ()
    assert reading.picture_request("pane-0", 400, 400).starred
    reading.command("next_image")
    desk.until(lambda: not desk.ws.images_busy())
    assert not reading.picture_request("pane-0", 400, 400).starred
    reading.command("previous_image")
    reading.command("toggle_key_image")
    assert reading.desk.marks == ()


def test_a_drawing_is_measured_twice_and_a_wrong_value_is_told(
    desk: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reading = opened(desk)
    event = at_ball(desk, reading)
    reading.set_tool("ellipse")

    def draw() -> str:
        for kind, d in (("press", 0.0), ("drag", 60.0), ("release", 60.0)):
            reading.pointer("pane-0", kind, replace(event, x=event.x + d, y=event.y + 30 + d))
        desk.until(lambda: not desk.ws.images_busy())
        return reading.desk.marks[-1].finding_id

    good = draw()
    assert good not in reading.desk.doubts
    right = placement.measure

    def wrong(*args: object) -> tuple:
        return tuple(replace(m, value=m.value * 1.01) for m in right(*args))

    monkeypatch.setattr(placement, "measure", wrong)
    reading.remove_mark(good)
    with caplog.at_level(logging.ERROR):
        bad = draw()
    assert reading.desk.doubts == {bad: "viewer.measure.mismatch"}
    assert any("differs when computed again" in r.message for r in caplog.records)
    shown = [m for m in reading.desk.overlay().marks if m.finding.finding_id == bad]
    assert shown[0].look.doubt == "viewer.measure.mismatch"


def test_true_size_needs_a_measured_monitor(desk: Stage) -> None:
    reading = opened(desk)
    reading.command("true_size")
    assert desk.notices[-1] == "viewer.true_size_uncalibrated"
    reading.room.screen_mm_per_px = 0.25
    reading.command("true_size")
    context = reading.room.context("pane-0")
    assert context is not None
    assert context.resolved.mm_per_pane_px == pytest.approx(0.25)
    assert "viewer.true_size" in reading.picture_request("pane-0", 400, 400).info.states
    reading.room.change_view(zoom=2.0)
    assert "viewer.true_size" not in reading.picture_request("pane-0", 400, 400).info.states


def test_panes_linked_by_hand_keep_their_distance(desk: Stage) -> None:
    reading = opened(desk)
    room = reading.room
    room.set_layout("1x2")
    series = room.pane("pane-0").display_set_id
    for pane_id in ("pane-0", "pane-1"):
        room.put_in_pane(pane_id, series)
        reading.picture_request(pane_id, 300, 300)()
    desk.until(lambda: not desk.ws.images_busy())
    room.toggle("linked")
    for pane_id, frame in (("pane-1", 5), ("pane-0", 2)):
        room.activate(pane_id)
        room.change_view(frame_index=frame)
    room.toggle("linked")
    reading.command("link_by_hand")
    assert any(room.pane("pane-1").offset_mm)
    assert "viewer.offset_by_hand" in reading.picture_request("pane-1", 300, 300).info.states
    room.scroll(2)
    assert [room.pane(p).view.frame_index for p in ("pane-0", "pane-1")] == [4, 7]
    reading.command("link_by_hand")
    assert not any(room.pane("pane-1").offset_mm)
    room.scroll(1)
    assert [room.pane(p).view.frame_index for p in ("pane-0", "pane-1")] == [5, 5]


def test_a_view_state_with_a_shutter_says_so(desk: Stage) -> None:
    reading = opened(desk)
    reading.room.change_view(shutter=(2.0, 2.0, 10.0, 10.0))
    assert "viewer.shutter" in reading.picture_request("pane-0", 400, 400).info.states
    reading.command("reset")
    assert reading.room.pane("pane-0").view.shutter is None
    assert ViewState().shutter is None


def test_own_masks_and_stars_are_written_and_read_back_exactly(desk: Stage) -> None:
    reading = opened(desk)
    event = at_ball(desk, reading)
    volume_here(desk, reading)
    reading.set_tool("region_grow")
    click(reading, event)
    desk.until(lambda: bool(reading.desk.marks))
    reading.room.change_view(plane=Plane.STACK)
    reading.command("toggle_key_image")
    masked = next(m for m in reading.desk.marks if m.mask is not None)
    star = next(iter(own.starred(reading.desk.marks)))
    packet = PacketInput(
        reading.study, reading.report().report, stage.READER, datetime(2026, 11, 23, tzinfo=UTC), True, (), {}, (),
        frozenset(), None, (masked,), (star,),
    )  # fmt: skip
    (seg,) = own_masks(packet)
    (segment,) = read_seg(seg.content)
    assert segment.tracking_uid == masked.finding_id
    assert masked.mask is not None
    assert segment.geometry is not None
    expected = unpack(masked.mask)
    start = [round(v) for v in segment.geometry.to_index(masked.mask.geometry.origin_mm)]
    box = tuple(slice(a, a + n) for a, n in zip(start, expected.shape, strict=True))
    assert np.array_equal(segment.values[box], expected)
    assert segment.values.sum() == expected.sum()
    ds = pydicom.dcmread(io.BytesIO(seg.content))
    assert ds.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    key = next(o for o in report_objects(packet, b"%PDF-1.4 test") if o.kind == "key_objects")
    assert star[0].encode() in key.content
