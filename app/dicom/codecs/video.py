"""Video transfer syntaxes (MPEG-2, MPEG-4 AVC, HEVC; PS3.5 8.2.5 to 8.2.8): the whole pixel element is one stream.

Frames come from a process of its own (``video_process.py``), reached at random by number. The library behind it is an
optional part (``pip install ekinshi[video]``); without it a video is refused by name.
"""

from __future__ import annotations

import importlib.util
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom.codecs.stream_info import broken, cut
from app.dicom.codecs.video_process import KEPT_VIDEOS, PIECE, answered, serve
from app.dicom.expendable import ExpendableProcess, expendable_already
from app.domain.pixels import PixelFormat
from app.domain.problem import ProblemError, fail

Array = npt.NDArray[np.generic]

OPEN_TIMEOUT_S = 120.0
"""A stream without times is decoded once to learn the order of its frames."""
FRAME_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class VideoAbout:
    """What the stream says about itself."""

    frames: int
    reorder: int
    """How far the order of showing departs from that of decoding, in frames."""
    rows: int
    columns: int
    codec: str
    full_range: bool
    matrix: int
    """1 BT.709, 5 BT.601, 9 BT.2020..."""
    interlaced: bool


def available() -> bool:
    """The optional decoder is installed."""
    return importlib.util.find_spec("av") is not None


def missing() -> ProblemError:
    return fail("dicom.video_missing", kept_safe="kept.original", next_step="dicom.next.video_extra")


class VideoDecoder:
    """One process, which keeps the last videos open. Callers wait for each other."""

    def __init__(self) -> None:
        self._child = ExpendableProcess(serve, "video-decoder", _died)
        self._known: OrderedDict[str, VideoAbout] = OrderedDict()
        self._here: OrderedDict[str, Any] = OrderedDict()
        self._sounds: dict[str, int] = {}

    def about(self, key: str, size: int, pieces: Callable[[], Iterator[bytes]]) -> VideoAbout:
        """Opens the video where it is not yet open. ``pieces`` gives the stream's bytes, ``size`` in all."""
        with self._child.lock:
            return self._opened(key, size, pieces)

    def frame(self, key: str, size: int, pieces: Callable[[], Iterator[bytes]], frame: int, fmt: PixelFormat) -> Array:
        """RGB (rows, columns, 3) uint8, or (rows, columns) where the header says one sample. Raises ``ProblemError``."""
        with self._child.lock:
            about = self._opened(key, size, pieces)
            if (about.rows, about.columns) != (fmt.rows, fmt.columns):
                raise fail(
                    "dicom.stream_other_size",
                    kept_safe="kept.original",
                    rows=about.rows,
                    columns=about.columns,
                    stated_rows=fmt.rows,
                    stated_columns=fmt.columns,
                )
            if frame >= (about.frames if about.frames >= fmt.frames else self._sound(key, size, pieces)):
                raise fail("dicom.video_short", kept_safe="kept.original", frames=about.frames, stated=fmt.frames)
            samples = 3 if fmt.samples_per_pixel == 3 else 1
            head = {"op": "frame", "key": key, "frame": frame, "samples": samples}
            answer, body = self._asked(head, (), FRAME_TIMEOUT_S)
            if "unknown" in answer:  # the process has let go of it
                self._known.pop(key, None)
                self._opened(key, size, pieces)
                answer, body = self._asked(head, (), FRAME_TIMEOUT_S)
        if "damaged" in answer:
            raise cut() if frame >= about.frames - about.reorder - 2 else broken(str(answer["damaged"]))
        return np.frombuffer(body, np.uint8).reshape(answer["shape"]).copy()

    def _sound(self, key: str, size: int, pieces: Callable[[], Iterator[bytes]]) -> int:
        """Frames that certainly have their number in a video which lost some: those behind the loss moved up."""
        if key not in self._sounds:
            head = {"op": "sound", "key": key}
            answer, _ = self._asked(head, (), OPEN_TIMEOUT_S)
            if "unknown" in answer:
                self._known.pop(key, None)
                self._opened(key, size, pieces)
                answer, _ = self._asked(head, (), OPEN_TIMEOUT_S)
            self._sounds[key] = int(answer.get("sound", 0))
        return self._sounds[key]

    def close(self) -> None:
        with self._child.lock:
            self._child.stop()
            self._forget()

    def _opened(self, key: str, size: int, pieces: Callable[[], Iterator[bytes]]) -> VideoAbout:
        if not available():
            raise missing()
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
            return found
        answer, _ = self._asked({"op": "open", "key": key, "size": size}, pieces(), OPEN_TIMEOUT_S)
        if "damaged" in answer:
            raise broken(str(answer["damaged"]))
        found = self._known[key] = VideoAbout(**answer["about"])
        while len(self._known) > KEPT_VIDEOS:
            self._sounds.pop(self._known.popitem(last=False)[0], None)
        return found

    def _asked(self, head: dict[str, Any], body: Any, timeout_s: float) -> tuple[dict[str, Any], bytes]:
        if expendable_already():
            return answered(self._here, head, b"".join(body))

        def send(pipe: Connection) -> None:
            pipe.send_bytes(json.dumps(head).encode())
            for piece in body:
                for at in range(0, len(piece), PIECE):
                    pipe.send_bytes(piece[at : at + PIECE])

        try:
            return self._child.ask(send, _answer, timeout_s)
        except ProblemError:
            self._forget()
            raise

    def _forget(self) -> None:
        self._known.clear()
        self._sounds.clear()
        self._here.clear()


def _died() -> ProblemError:
    return fail("dicom.decoder_died", kept_safe="kept.original")


def _answer(pipe: Connection) -> tuple[dict[str, Any], bytes]:
    answer = json.loads(pipe.recv_bytes())
    return answer, pipe.recv_bytes() if "shape" in answer else b""


video_decoder = VideoDecoder()
"""The process's own; its child ends with it."""
