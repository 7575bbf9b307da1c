"""Video transfer syntaxes: every frame exactly by its number, colours as the stream says, damage named."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason='the optional part "video" is not installed')

from app.dicom.byte_source import FileByteSource
from app.dicom.codecs import video
from app.dicom.display_sets import display_sets
from app.dicom.frame_decoder import stored_frame, video_about
from app.dicom.frame_pixels import frame_pixels
from app.dicom.info import inspect
from app.dicom.scanner import scan
from app.domain.problem import ProblemError
from app.domain.study import DisplaySetKind, Instance
from tests.dicom import video_clips as clips

SOURCE = FileByteSource()
STREAMS = [
    ("mpeg2video", "mpegts", clips.MPEG2, {"bf": "2"}),
    ("mpeg2video", "mpeg2video", clips.MPEG2_HL, {"bf": "2"}),
    ("libx264", "mp4", clips.AVC, {"bf": "3", "preset": "veryfast"}),
    ("libx264", "mpegts", clips.AVC, {"bf": "3", "preset": "veryfast", "x264-params": "open-gop=1"}),
    ("libx264", "h264", clips.AVC, {"bf": "2", "preset": "veryfast"}),
    ("libx265", "mp4", clips.HEVC, {"preset": "ultrafast", "x265-params": "log-level=none:bframes=3"}),
    ("libx265", "hevc", clips.HEVC, {"preset": "ultrafast", "x265-params": "log-level=none"}),
]


def opened(path: Path) -> Instance:
    found = scan([path])
    assert not found.refused, found.refused
    return found.files[0].instance


@pytest.fixture(scope="module", params=STREAMS, ids=lambda s: f"{s[0]}-{s[1]}")
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    codec, container, syntax, options = request.param
    stream = clips.encoded(clips.numbered(40), codec, container, options=options)
    return clips.wrapped(stream, tmp_path_factory.mktemp("video") / "clip.dcm", syntax, 40)


def test_every_frame_is_found_by_its_number_in_any_order(clip: Path) -> None:
    instance = opened(clip)
    assert instance.lossy
    assert instance.recommended_frame_rate == 25.0
    assert video_about(instance, SOURCE).frames == 40
    there = [stored_frame(instance, n, SOURCE) for n in range(40)]
    assert [clips.number_of(p) for p in there] == list(range(40))
    order = np.random.default_rng(4).permutation(40)
    for n in [39, 0, 20, 19, 18, *order[:20]]:
        again = stored_frame(instance, int(n), SOURCE)
        assert np.array_equal(again, there[n]), f"frame {n} differs when it is reached by another way"


def test_a_video_is_a_cine_and_its_frames_are_rgb(clip: Path) -> None:
    found = scan([clip])
    (chosen,) = display_sets(found.studies[0])
    assert chosen.kind is DisplaySetKind.CINE
    assert len(chosen.frames) == 40
    shown = frame_pixels(found.files[0].instance, 21, SOURCE)
    assert shown.values.shape == (96, 128, 3)
    assert np.abs(shown.values[80, 64].astype(int) - (90 + 21 % 7, 60, 140)).max() <= 4


def test_info_decodes_every_frame(clip: Path) -> None:
    (entry,) = inspect([clip], pixels=True)["files"]
    assert entry["state"] == "exact"
    assert entry["pixels"]["shape"] == [40, 96, 128, 3]


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [1, 5], ids=["bt709", "bt601"])
def test_colours_follow_the_words_of_the_stream(tmp_path: Path, matrix: int, full: bool) -> None:
    wanted = np.zeros((96, 128, 3), np.uint8)
    wanted[:, :64], wanted[:, 64:] = (200, 40, 60), (30, 160, 90)
    stream = clips.encoded([wanted] * 4, "libx264", "mp4", options={"qp": "1"}, matrix=matrix, full=full)
    instance = opened(clips.wrapped(stream, tmp_path / "c.dcm", clips.AVC, 4))
    about = video_about(instance, SOURCE)
    assert (about.matrix, about.full_range) == (matrix, full)
    found = stored_frame(instance, 2, SOURCE).astype(int)
    for x in (32, 96):
        assert np.abs(found[48, x] - wanted[48, x]).max() <= 3


@pytest.mark.parametrize(("rows", "columns", "matrix"), [(96, 128, 5), (720, 160, 1)])
def test_a_silent_stream_is_limited_and_by_its_height(tmp_path: Path, rows: int, columns: int, matrix: int) -> None:
    picture = np.full((rows, columns, 3), (200, 40, 60), np.uint8)
    stream = clips.encoded([picture] * 2, "libx264", "mp4", options={"qp": "1"}, matrix=matrix, tagged=False)
    instance = opened(clips.wrapped(stream, tmp_path / "c.dcm", clips.AVC, 2, rows, columns))
    about = video_about(instance, SOURCE)
    assert (about.matrix, about.full_range) == (matrix, False)
    assert np.abs(stored_frame(instance, 0, SOURCE)[rows // 2, columns // 2].astype(int) - (200, 40, 60)).max() <= 3


def test_ten_bits_come_as_eight(tmp_path: Path) -> None:
    stream = clips.encoded(
        clips.numbered(6), "libx265", "mp4", "yuv420p10le", options={"preset": "ultrafast", "x265-params": "log-level=none"}
    )
    instance = opened(clips.wrapped(stream, tmp_path / "c.dcm", clips.HEVC_10, 6))
    assert [clips.number_of(stored_frame(instance, n, SOURCE)) for n in range(6)] == list(range(6))
    assert stored_frame(instance, 0, SOURCE).dtype == np.uint8


def test_fragments_are_one_stream(tmp_path: Path) -> None:
    stream = clips.encoded(clips.numbered(9), "libx264", "mp4")
    instance = opened(clips.wrapped(stream, tmp_path / "c.dcm", clips.AVC_FRAGMENTS, 9, pieces=5))
    assert clips.number_of(stored_frame(instance, 8, SOURCE)) == 8


def test_stereo_says_that_one_view_is_shown(tmp_path: Path) -> None:
    stream = clips.encoded(clips.numbered(3), "libx264", "mpegts")
    instance = opened(clips.wrapped(stream, tmp_path / "c.dcm", clips.AVC_STEREO, 3))
    assert [p.code for p in instance.repairs] == ["dicom.repaired.one_view"]


def _number_or_code(instance: Instance, frame: int) -> int | str:
    try:
        return clips.number_of(stored_frame(instance, frame, SOURCE))
    except ProblemError as error:
        return error.problem.code


def _same_or_code(instance: Instance, frame: int, picture: np.ndarray) -> str:
    try:
        return "same" if np.array_equal(stored_frame(instance, frame, SOURCE), picture) else "other"
    except ProblemError as error:
        return error.problem.code


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
@pytest.mark.parametrize(
    ("codec", "container"), [("mpeg2video", "mpegts"), ("libx264", "h264"), ("libx264", "mpegts"), ("libx265", "mpegts")]
)
def test_a_cut_stream_never_becomes_a_picture(tmp_path: Path, codec: str, container: str, share: float) -> None:
    options = {"preset": "ultrafast", "x265-params": "log-level=none"} if codec == "libx265" else {"bf": "3"}
    whole = clips.encoded(clips.numbered(40), codec, container, options=options)
    syntax = {"mpeg2video": clips.MPEG2, "libx264": clips.AVC, "libx265": clips.HEVC}[codec]
    path = clips.wrapped(whole[: int(len(whole) * share)], tmp_path / "c.dcm", syntax, 40)
    instance = opened(path)
    found = [_number_or_code(instance, n) for n in range(40)]
    good = sum(isinstance(f, int) for f in found)
    assert all(f in (n, "dicom.video_short", "dicom.stream_cut", "dicom.stream_broken") for n, f in enumerate(found)), found
    assert good < 40
    assert good > 40 * share * 0.6
    (entry,) = inspect([path], pixels=True)["files"]
    assert entry["state"] == "refused"


@pytest.mark.parametrize("lost", [2, 3, 5, 8, 13])
@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("libx265", "hevc", {"preset": "ultrafast", "x265-params": "log-level=none"}),
        ("libx265", "hevc", {"preset": "ultrafast", "x265-params": "log-level=none:slices=3:wpp=1"}),
        ("libx264", "h264", {"bf": "2", "preset": "veryfast"}),
        ("libx264", "h264", {"bf": "0", "preset": "ultrafast", "x264-params": "cabac=0"}),
    ],
    ids=["hevc", "hevc in slices", "avc", "avc without cabac"],
)
def test_a_cut_inside_the_last_slice_is_noticed(
    tmp_path: Path, codec: str, container: str, options: dict[str, str], lost: int
) -> None:
    """The decoder sees no damage there and the header's frames are all there: only bytes put after it tell."""
    whole = clips.encoded(clips.numbered(20), codec, container, options=options)
    syntax = clips.HEVC if codec == "libx265" else clips.AVC
    instance = opened(clips.wrapped(whole, tmp_path / "whole.dcm", syntax, 20))
    pictures = [stored_frame(instance, n, SOURCE) for n in range(20)]
    instance = opened(clips.wrapped(whole[:-lost], tmp_path / "cut.dcm", syntax, 20))
    told = [_same_or_code(instance, n, picture) for n, picture in enumerate(pictures)]
    assert set(told) <= {"same", "dicom.stream_cut", "dicom.stream_broken", "dicom.video_short"}, told
    assert 16 <= told.count("same") < 20


def test_a_video_longer_than_stated_is_named(tmp_path: Path) -> None:
    stream = clips.encoded(clips.numbered(9), "libx264", "mp4")
    path = clips.wrapped(stream, tmp_path / "c.dcm", clips.AVC, 7)
    (entry,) = inspect([path], pixels=True)["files"]
    assert (entry["state"], entry["reason"]) == ("repaired", "dicom.repaired.video_longer")


def test_other_size_and_no_video_are_refused_by_name(tmp_path: Path) -> None:
    stream = clips.encoded(clips.numbered(3), "libx264", "mp4")
    with pytest.raises(ProblemError, match="stream_other_size"):
        stored_frame(opened(clips.wrapped(stream, tmp_path / "a.dcm", clips.AVC, 3, 96, 126)), 0, SOURCE)
    with pytest.raises(ProblemError, match="stream_broken"):
        stored_frame(opened(clips.wrapped(b"\1\2\3\4" * 900, tmp_path / "b.dcm", clips.AVC, 3)), 0, SOURCE)


def test_a_dead_decoder_costs_one_frame(tmp_path: Path) -> None:
    stream = clips.encoded(clips.numbered(5), "libx264", "mp4")
    instance = opened(clips.wrapped(stream, tmp_path / "c.dcm", clips.AVC, 5))
    stored_frame(instance, 0, SOURCE)
    os.kill(video.video_decoder._child.process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    video.video_decoder._child.process.join(10)
    assert clips.number_of(stored_frame(instance, 3, SOURCE)) == 3


def test_without_the_optional_part_a_video_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "available", lambda: False)
    video.video_decoder.close()
    instance = opened(clips.wrapped(b"\0" * 4000, tmp_path / "c.dcm", clips.AVC, 5))
    with pytest.raises(ProblemError, match="video_missing"):
        stored_frame(instance, 0, SOURCE)


@pytest.mark.parametrize(("codec", "container"), [("libx264", "mp4"), ("mpeg2video", "mpegts")])
def test_playing_on_decodes_every_packet_once(codec: str, container: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.dicom.codecs.video_av import OpenVideo

    opened_video = OpenVideo(clips.encoded(clips.numbered(40), codec, container, options={"bf": "3"}))
    starts: list[int] = []
    fresh = OpenVideo._fresh
    monkeypatch.setattr(OpenVideo, "_fresh", lambda self: starts.append(1) or fresh(self))
    assert [clips.number_of(opened_video.picture(n, 3)) for n in range(40)] == list(range(40))
    assert len(starts) <= 1, "a picture that comes late must not start the decoder again"


@pytest.mark.parametrize("how", ["hole in the middle", "second half zeroed", "zeros in the middle"])
@pytest.mark.parametrize(
    ("codec", "container"), [("mpeg2video", "mpegts"), ("libx264", "h264"), ("libx264", "mp4"), ("libx265", "mpegts")]
)
def test_what_is_lost_in_the_middle_never_becomes_a_picture(tmp_path: Path, codec: str, container: str, how: str) -> None:
    options = {"preset": "ultrafast", "x265-params": "log-level=none"} if codec == "libx265" else {"bf": "2"}
    whole = clips.encoded(clips.numbered(24), codec, container, gop=6, options=options)
    syntax = {"mpeg2video": clips.MPEG2, "libx264": clips.AVC, "libx265": clips.HEVC}[codec]
    instance = opened(clips.wrapped(whole, tmp_path / "whole.dcm", syntax, 24))
    pictures = [stored_frame(instance, n, SOURCE) for n in range(24)]
    middle, lost = len(whole) // 2, len(whole) // 8
    damaged = {
        "hole in the middle": whole[:middle] + whole[middle + lost :],
        "second half zeroed": whole[:middle] + bytes(len(whole) - middle),
        "zeros in the middle": whole[:middle] + bytes(lost) + whole[middle + lost :],
    }[how]
    try:
        instance = opened(clips.wrapped(damaged, tmp_path / "damaged.dcm", syntax, 24))
    except (ProblemError, IndexError):
        return
    told = [_same_or_code(instance, n, picture) for n, picture in enumerate(pictures)]
    assert set(told) <= {"same", "dicom.stream_cut", "dicom.stream_broken", "dicom.video_short"}, told
    assert told.count("same") < 24
