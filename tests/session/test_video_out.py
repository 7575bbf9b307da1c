"""Videos of a pane: every frame as the pane shows it, with identity or without, cancelled without a trace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from app.domain.problem import ProblemError
from app.session import video_out
from app.session.reading_session import ReadingSession
from app.session.video_out import VideoOut
from tests.dicom.builders import image, save
from tests.flows import stage
from tests.flows.stage import Stage

UID = "2.25.70"
FRAMES, RATE = 7, 8.0
SIZE = (300, 260)


def write_loop(folder: Path, modality: str, burned_in: str) -> None:
    """A loop whose frames become brighter, each with a bar of its own length."""
    values = np.zeros((FRAMES, 48, 64), np.uint8)
    for n in range(FRAMES):
        values[n] = 20 + 25 * n
        values[n, 20:28, : 8 * (n + 1)] = 255
    ds = image(
        values, StudyInstanceUID=UID, SeriesInstanceUID="2.25.71", SOPInstanceUID="2.25.72", Modality=modality,
        NumberOfFrames=FRAMES, FrameTime=str(1000 / RATE), FrameIncrementPointer=0x00181063, PatientName="Burn^In",
        RescaleSlope=None, RescaleIntercept=None, WindowCenter="128", WindowWidth="256", BurnedInAnnotation=burned_in,
    )  # fmt: skip
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.2"
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del ds[name]
    folder.mkdir()
    save(ds, folder / "loop.dcm")


@pytest.fixture(params=[("RF", "NO")])
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    write_loop(tmp_path / "in", *request.param)
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "in")
        made.ws.open_study(UID)
        yield made


def opened(desk: Stage) -> tuple[ReadingSession, VideoOut]:
    reading = desk.ws.reading
    assert reading is not None
    assert reading.videos is not None
    desk.until(lambda: not desk.ws.images_busy())
    return reading, reading.videos


def bars(pictures: list[np.ndarray]) -> list[float]:
    """Where the bright bar of each picture ends, in parts of the longest."""
    ends = []
    for rgb in pictures:
        row = rgb[rgb.shape[0] // 2, :, 1]
        ends.append(int(np.flatnonzero(row > 235).max(initial=0)))
    return [end / max(ends) for end in ends]


def read(path: Path) -> list[np.ndarray]:
    seen, out = cv2.VideoCapture(str(path)), []
    assert seen.get(cv2.CAP_PROP_FPS) == pytest.approx(RATE)
    while True:
        there, bgr = seen.read()
        if not there:
            break
        out.append(bgr)
    seen.release()
    return out


def wait(desk: Stage) -> None:
    desk.until(lambda: not desk.ws.busy())


@pytest.mark.parametrize("ending", [".mp4", ".avi"])
def test_every_frame_is_in_the_video_and_the_pane_stays_where_it_is(desk: Stage, tmp_path: Path, ending: str) -> None:
    reading, videos = opened(desk)
    pane = reading.room.pane(reading.room.active)
    videos.save(pane.pane_id, SIZE, True, tmp_path / f"loop{ending}")
    wait(desk)
    pictures = read(tmp_path / f"loop{ending}")
    assert len(pictures) == FRAMES
    lengths = bars(pictures)
    assert lengths == sorted(lengths)
    assert len({round(x, 2) for x in lengths}) == FRAMES
    assert reading.room.pane(pane.pane_id) == pane
    assert reading.undo() == "", "writing is no step"


def test_a_secondary_capture_has_its_frames_their_time_and_no_name(desk: Stage, tmp_path: Path) -> None:
    reading, videos = opened(desk)
    told: list[str] = []
    desk.ws.notice.connect(lambda n: told.append(n.problem.code))
    for identified in (True, False):
        videos.save(reading.room.active, SIZE, identified, tmp_path / f"{identified}.dcm")
    wait(desk)
    assert told == ["capture.saved", "capture.saved"]
    named, nameless = (pydicom.dcmread(tmp_path / f"{n}.dcm") for n in (True, False))
    for ds in (named, nameless):
        assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7.4"
        assert (int(ds.NumberOfFrames), float(ds.FrameTime)) == (FRAMES, 1000 / RATE)
        assert len(set(bars(list(ds.pixel_array)))) == FRAMES
    assert (str(named.PatientName), named.StudyInstanceUID, named.BurnedInAnnotation) == ("Burn^In", UID, "YES")
    assert nameless.PatientIdentityRemoved == "YES"
    assert nameless.StudyInstanceUID != UID
    assert "Burn^In" not in str(nameless)
    assert not np.array_equal(named.pixel_array[0], nameless.pixel_array[0]), "the name stood in the corner"


@pytest.mark.parametrize("desk", [("US", "")], indirect=True)
def test_pixels_that_may_hold_a_name_leave_with_identity_only(desk: Stage, tmp_path: Path) -> None:
    reading, videos = opened(desk)
    with pytest.raises(ProblemError) as refused:
        videos.save(reading.room.active, SIZE, False, tmp_path / "a.mp4")
    assert refused.value.problem.code == "capture.burned_in"
    videos.save(reading.room.active, SIZE, True, tmp_path / "b.avi")
    wait(desk)
    assert [p.name for p in tmp_path.glob("*.*") if p.is_file()] == ["b.avi"]


def test_a_cancelled_video_and_a_closed_study_leave_nothing(desk: Stage, tmp_path: Path) -> None:
    reading, videos = opened(desk)
    out = tmp_path / "out"
    out.mkdir()
    desk.ws.cancel_task(videos.save(reading.room.active, SIZE, True, out / "a.mp4"))
    wait(desk)
    videos.save(reading.room.active, SIZE, True, out / "b.avi")
    desk.ws.close_study()
    end = time.monotonic() + 10
    while desk.ws.busy() and time.monotonic() < end:
        desk.loop.run_pending()
        time.sleep(0.01)
    assert [t.problem.code for t in desk.ws.tasks() if t.problem is not None] in ([], ["video.study_closed"])
    assert list(out.iterdir()) == []


def test_one_image_is_no_video_and_too_much_is_refused(desk: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, videos = opened(desk)
    reading.set_layout("2x2")
    with pytest.raises(ProblemError) as refused:
        videos.check("pane-3", True)
    assert refused.value.problem.code == "video.one_image"
    monkeypatch.setattr(video_out, "LARGEST_DICOM", 1000)
    with pytest.raises(ProblemError) as refused:
        videos.save("pane-0", SIZE, True, tmp_path / "a.dcm")
    assert refused.value.problem.code == "video.too_large"
