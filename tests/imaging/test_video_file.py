"""Videos that a foreign decoder opens: all pictures, their rate, their grey levels; whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.domain.problem import ProblemError
from app.imaging import video_file
from app.imaging.video_file import VIDEO_FILES, AviFile, Mp4File

SIZE = (320, 240)
GREYS = range(20, 240, 10)


def picture(grey: int) -> np.ndarray:
    rgb = np.full((SIZE[1], SIZE[0], 3), grey, np.uint8)
    rgb[:120, :160] = (grey, 0, 255 - grey)
    return rgb


@pytest.mark.parametrize("ending", VIDEO_FILES)
def test_pictures_come_back_in_order_and_colour(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"фильм{ending}"
    file = VIDEO_FILES[ending](path, *SIZE, 12.5)
    for grey in GREYS:
        file.write(picture(grey))
    assert not path.exists(), "nothing stands under its name before it is whole"
    file.close()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    seen = cv2.VideoCapture(str(path))
    assert seen.get(cv2.CAP_PROP_FRAME_COUNT) == len(GREYS)
    assert seen.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    for grey in GREYS:
        there, bgr = seen.read()
        assert there
        assert np.abs(bgr[180, 80].astype(int) - grey).max() <= (8 if ending == ".mp4" else 4)
        assert np.abs(bgr[60, 80, ::-1].astype(int) - (grey, 0, 255 - grey)).max() <= (16 if ending == ".mp4" else 12)
    assert not seen.read()[0]
    seen.release()


@pytest.mark.parametrize("ending", VIDEO_FILES)
def test_a_video_given_up_leaves_nothing(tmp_path: Path, ending: str) -> None:
    file = VIDEO_FILES[ending](tmp_path / f"a{ending}", *SIZE, 25.0)
    file.write(picture(100))
    file.abandon()
    assert list(tmp_path.iterdir()) == []


def test_an_avi_says_the_same_of_itself_at_every_place(tmp_path: Path) -> None:
    file = AviFile(tmp_path / "a.avi", *SIZE, 10.0)
    for grey in (50, 60, 70):
        file.write(picture(grey))
    file.close()
    data = (tmp_path / "a.avi").read_bytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    movi = data.index(b"movi")
    index = data.index(b"idx1", movi)
    for n in range(3):
        at, size = (int.from_bytes(data[index + 8 + 16 * n + k : index + 12 + 16 * n + k], "little") for k in (8, 12))
        assert data[movi + at : movi + at + 4] == b"00dc"
        jpeg = data[movi + at + 8 : movi + at + 8 + size]
        assert (jpeg[:2], jpeg[-2:]) == (b"\xff\xd8", b"\xff\xd9")


def test_a_machine_without_the_encoder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shut:
        fourcc = staticmethod(lambda *letters: 0)

        def __init__(self, *arguments: object) -> None:
            pass

        def isOpened(self) -> bool:
            return False

        def release(self) -> None:
            pass

    monkeypatch.setattr(video_file.cv2, "VideoWriter", Shut)
    with pytest.raises(ProblemError) as refused:
        Mp4File(tmp_path / "a.mp4", *SIZE, 10.0)
    assert refused.value.problem.code == "video.no_encoder"
