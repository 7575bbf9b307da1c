"""Frames in time through the real window: play, pause, the rate of the object, four panes at once."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from app.demo import Demo
from app.session.reading_session import ReadingSession
from app.viewer.primitives import Text
from app.viewer.tool_api import PointerEvent
from tests.dicom import builders
from tests.flows.conftest import OpenDesk

US_MULTI = "1.2.840.10008.5.1.4.1.1.3.1"


def write_loops(folder: Path, count: int = 4, frames: int = 12, size: tuple[int, int] = (60, 80)) -> None:
    """Ultrasound loops of 20 frames a second; frame n of loop k is 10 + 16 n + k everywhere."""
    for k in range(count):
        values = np.stack([np.full(size, 10 + 16 * n + k, np.uint8) for n in range(frames)])
        d = builders.image(values, RescaleSlope=None, RescaleIntercept=None)
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"):
            del d[name]
        d.SOPClassUID, d.Modality, d.FrameTime, d.FrameIncrementPointer = US_MULTI, "US", "50", 0x00181063
        d.SOPInstanceUID, d.InstanceNumber = f"2.25.50{k}", str(k + 1)
        builders.save(d, folder / f"loop{k}.dcm")


def opened(open_desk: OpenDesk, tmp_path: Path) -> tuple[Demo, ReadingSession]:
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: not demo.workstation.tasks(), 30, "import")
    uid = demo.workstation.library.studies.search()[0].study_instance_uid
    demo.window.open_study(uid)
    demo.until(lambda: demo.workstation.reading is not None and not demo.workstation.images_busy(), 30, "images")
    reading = demo.workstation.reading
    assert reading is not None
    return demo, reading


def texts(demo: Demo, pane_id: str) -> dict[str, str]:
    picture = demo.window.screen_widget("reading").panes.panes[pane_id].picture
    # Nothing is painted yet right after the opening on a busy machine.
    return {p.key: p.text for p in picture.decorations if isinstance(p, Text)} if picture is not None else {}


def frame(reading: ReadingSession, pane_id: str = "pane-0") -> int:
    return reading.room.pane(pane_id).view.frame_index


def press(demo: Demo, command: str) -> None:
    assert demo.window.screen_widget("reading").command(command)


def test_a_loop_plays_at_its_own_rate_and_stops_when_touched(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_loops(tmp_path / "dicom", 1)
    demo, reading = opened(open_desk, tmp_path)
    demo.pump(0.2)
    assert frame(reading) == 0
    assert texts(demo, "pane-0")["position"] == "Frame 1 / 12"
    assert texts(demo, "pane-0")["cine"] == "20 frames/s"
    press(demo, "cine_play")
    seen: list[int] = []
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        demo.pump(0.01)
        if not seen or seen[-1] != frame(reading):
            seen.append(frame(reading))
    assert len(set(seen)) > 6, seen
    assert any(b < a for a, b in zip(seen, seen[1:], strict=False)), "it begins again"
    assert texts(demo, "pane-0")["cine"].startswith("▶ 20 frames/s")
    assert "shown" in texts(demo, "pane-0")["cine"]
    painted = demo.window.screen_widget("reading").panes.panes["pane-0"].picture
    assert painted.pixels is not None
    reading.pointer("pane-0", "press", PointerEvent(30.0, 30.0))
    assert not reading.room.cine.playing
    still = frame(reading)
    demo.pump(0.2)
    assert frame(reading) == still
    assert not demo.window.screen_widget("reading").panes.cine.running


def test_a_loop_without_a_window_keeps_one_for_all_its_frames(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_loops(tmp_path / "dicom", 1)
    demo, reading = opened(open_desk, tmp_path)
    for wanted in (10, 26):
        demo.pump(0.2)
        picture = demo.window.screen_widget("reading").panes.panes["pane-0"].picture
        height, width = picture.pixels.shape[:2]
        assert picture.pixels[height // 2, width // 2] == wanted, "eight bits are shown as they are stored"
        press(demo, "next_image")
    assert reading.room.pane("pane-0").appearance.window is None


def test_scrolling_takes_over(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_loops(tmp_path / "dicom", 1)
    demo, reading = opened(open_desk, tmp_path)
    press(demo, "cine_play")
    demo.pump(0.3)
    press(demo, "first_image")
    demo.pump(0.2)
    assert not reading.room.cine.playing
    assert frame(reading) == 0


def test_four_linked_loops_play_together(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_loops(tmp_path / "dicom", 4)
    demo, reading = opened(open_desk, tmp_path)
    reading.set_layout("2x2")
    demo.until(lambda: not demo.workstation.images_busy(), 30, "images")
    press(demo, "cine_play")
    assert all(reading.room.cine.is_playing(f"pane-{n}") for n in range(4))
    moved: dict[int, set[int]] = {n: set() for n in range(4)}
    for _ in range(60):
        demo.pump(0.02)
        for n, found in moved.items():
            found.add(frame(reading, f"pane-{n}"))
    assert all(len(found) > 4 for found in moved.values()), moved
    press(demo, "cine_play")
    assert not reading.room.cine.playing


@pytest.mark.parametrize("command", ["cine_faster", "cine_slower", "cine_sweep"])
def test_speed_and_order_are_told(open_desk: OpenDesk, tmp_path: Path, command: str) -> None:
    write_loops(tmp_path / "dicom", 1)
    demo, _ = opened(open_desk, tmp_path)
    press(demo, command)
    demo.pump(0.2)
    told = {"cine_faster": "30 frames/s", "cine_slower": "15 frames/s", "cine_sweep": "20 frames/s · there and back"}
    assert texts(demo, "pane-0")["cine"] == told[command]


def test_a_video_plays_in_the_pane(open_desk: OpenDesk, tmp_path: Path) -> None:
    pytest.importorskip("av", reason='the optional part "video" is not installed')
    from tests.dicom import video_clips as clips

    stream = clips.encoded(clips.numbered(20), "libx264", "mp4")
    clips.wrapped(stream, tmp_path / "dicom" / "v.dcm", clips.AVC, 20)
    demo, reading = opened(open_desk, tmp_path)
    demo.until(
        lambda: demo.window.screen_widget("reading").panes.panes["pane-0"].picture.pixels is not None, 30, "the first frame"
    )
    press(demo, "cine_play")
    wrong = 0
    seen = set()
    for _ in range(80):
        demo.pump(0.02)
        picture = demo.window.screen_widget("reading").panes.panes["pane-0"].picture
        if picture.pixels is None:
            continue
        seen.add(picture.resolved.view.frame_index)
        x0, y0 = picture.resolved.px_to_pane(0, 0)
        x1, y1 = picture.resolved.px_to_pane(128, 96)
        shown = picture.pixels[round(y0) : round(y1), round(x0) : round(x1), 2::-1]
        wrong += clips.number_of(shown) != picture.resolved.view.frame_index
    assert len(seen) > 10
    assert wrong == 0


def test_closing_a_study_lets_go_of_its_videos(open_desk: OpenDesk, tmp_path: Path) -> None:
    pytest.importorskip("av", reason='the optional part "video" is not installed')
    from app.dicom.codecs.video import video_decoder
    from tests.dicom import video_clips as clips

    clips.wrapped(clips.encoded(clips.numbered(4), "libx264", "mp4"), tmp_path / "dicom" / "v.dcm", clips.AVC, 4)
    demo, _ = opened(open_desk, tmp_path)
    demo.until(lambda: video_decoder._child.process is not None, 30, "the video process")
    demo.window.go("worklist")
    demo.workstation.close_study()
    assert video_decoder._child.process is None
