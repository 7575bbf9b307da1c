"""The frames of a pane one after the other: MP4, AVI, or one multi-frame Secondary Capture; with identity or without.

What the main thread alone may do (asking for a frame, freezing its picture) is done there, one frame at a time; painting and
writing happen beside it, with progress and cancel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.domain.ports import Cancelled, MainLoop, Progress
from app.domain.problem import Problem, ProblemError, Severity, fail
from app.domain.study import DisplaySet
from app.imaging.video_file import VIDEO_FILES, VideoFile
from app.session.image_out import LEAST, write_captures
from app.session.images import Images
from app.session.moments import moved_to
from app.session.nameless import may_hold_names, nameless
from app.session.paint import painted, text_width
from app.session.panes import PaneState
from app.session.picture import PictureRequest
from app.session.reading_room import ReadingRoom
from app.session.tasks import TaskRunner
from app.session.views import Notice, Words
from app.viewer.cine import timing_of
from app.viewer.compositor import SampleCache
from app.viewer.decorations import Style
from app.viewer.view_state import Plane
from app.viewer.words import say

ENDINGS = (".mp4", ".avi", ".dcm")
LARGEST_PX = 1920
LARGEST_DICOM = 512 << 20
"""Bytes of pixels of a Secondary Capture: it is put together in memory."""
_WAIT_S = 0.02
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Reel:
    """What is played: the pane as it stands at every frame. ``rate``: frames a second."""

    panes: tuple[PaneState, ...]
    rate: float


class VideoOut:
    """Main thread only."""

    def __init__(
        self, room: ReadingRoom, images: Images, tasks: TaskRunner, loop: MainLoop, notice: Callable[[Notice], None]
    ) -> None:
        self._room, self._images, self._tasks, self._loop, self._notice = room, images, tasks, loop, notice

    def reel(self, pane_id: str) -> Reel:
        """Frames or slices of the pane's series; of a 4D series one slice through time. Raises ``video.one_image``."""
        pane = self._room.pane(pane_id)
        chosen = self._room.display_set(pane)
        if chosen is None or pane.view.plane is not Plane.STACK:
            raise fail("video.one_image")
        moments = self._room.moments.of_pane(pane)
        if len(moments) > 1:
            panes = tuple(moved_to(pane, m) for m in moments)
        else:
            panes = tuple(replace(pane, view=replace(pane.view, frame_index=n)) for n in range(len(chosen.frames)))
        if len(panes) < 2:
            raise fail("video.one_image")
        return Reel(panes, self._rate(pane, chosen))

    def _rate(self, pane: PaneState, chosen: DisplaySet) -> float:
        """As it is played here: what the object states, at the reader's speed."""
        told = self._room.cine.info(pane)
        rate = (
            told.rate
            if told is not None
            else timing_of(chosen, self._images.instance(chosen.frames[0].sop_instance_uid)).rate
        )
        return min(max(rate, 1.0), 60.0)

    def check(self, pane_id: str, identified: bool) -> Reel:
        """What will be written. Raises ``video.one_image``, ``capture.burned_in``."""
        reel = self.reel(pane_id)
        if not identified:
            self._refuse_names(pane_id, reel)
        return reel

    def save(self, pane_id: str, size: tuple[int, int], identified: bool, path: Path) -> str:
        """Starts writing; returns the task's id. Raises ``video.one_image``, ``video.too_large``, ``capture.burned_in``."""
        reel = self.check(pane_id, identified)
        scale = max(1.0, LEAST / max(size[0], 1))
        scale = min(scale, LARGEST_PX / max(size))
        columns, rows = (max(2, round(v * scale / 2) * 2) for v in size)
        if path.suffix.lower() not in VIDEO_FILES and len(reel.panes) * rows * columns * 3 > LARGEST_DICOM:
            raise fail("video.too_large")

        def work(progress: Progress) -> None:
            if path.suffix.lower() in VIDEO_FILES:
                self._write(path, reel, (columns, rows), scale, identified, progress)
            else:
                pictures = np.stack(list(self._pictures(reel, (columns, rows), scale, identified, progress)))
                write_captures(self._room, pictures, identified, path, 1000.0 / reel.rate)

        told = Problem("capture.saved", {"file": path.name}, severity=Severity.NOTE)
        return self._tasks.start(
            Words("task.video", {"file": path.name}), lambda p: _guarded(work, p), lambda _: self._notice(Notice(told))
        )

    def _refuse_names(self, pane_id: str, reel: Reel) -> None:
        for pane in reel.panes:
            with self._standing_in(replace(pane, pane_id=pane_id)):
                if may_hold_names(self._room, pane_id):
                    raise fail("capture.burned_in")

    def _write(
        self, path: Path, reel: Reel, size: tuple[int, int], scale: float, identified: bool, progress: Progress
    ) -> None:
        file: VideoFile = VIDEO_FILES[path.suffix.lower()](path, *size, reel.rate)
        try:
            for picture in self._pictures(reel, size, scale, identified, progress):
                file.write(picture)
        except BaseException:
            file.abandon()
            raise
        file.close()

    def _pictures(
        self, reel: Reel, size: tuple[int, int], scale: float, identified: bool, progress: Progress
    ) -> Iterator[Pixels]:
        """(rows, columns, 3) RGB each. On a task's thread; raises ``Cancelled``."""
        for number, pane in enumerate(reel.panes):
            progress.report(number / len(reel.panes))
            request = self._frozen(pane, size, scale, identified, progress)
            done = request()
            if done.pixels is None:
                raise fail("capture.no_picture") if done.problem is None else ProblemError(done.problem)
            yield painted(done)

    def _frozen(
        self, pane: PaneState, size: tuple[int, int], scale: float, identified: bool, progress: Progress
    ) -> PictureRequest:
        """The picture's request, as soon as its frame is decoded."""
        while True:
            found: list[PictureRequest | Problem | None] = []
            asked = threading.Event()

            def ask(found: list[PictureRequest | Problem | None] = found, asked: threading.Event = asked) -> None:
                try:
                    found.append(self._ask(pane, size, scale, identified))
                except Exception as error:  # it has to reach the task: nobody else is told
                    problem = error.problem if isinstance(error, ProblemError) else None
                    found.append(problem or Problem("task.bug", {"kind": type(error).__name__}))
                asked.set()

            self._loop.post(ask)
            while not asked.wait(0.1):
                if progress.cancelled():
                    raise Cancelled
            if progress.cancelled():
                raise Cancelled
            if isinstance(found[0], Problem):
                raise ProblemError(found[0])
            if found[0] is not None:
                return found[0]
            asked.clear()
            asked.wait(_WAIT_S)

    def _ask(
        self, pane: PaneState, size: tuple[int, int], scale: float, identified: bool
    ) -> PictureRequest | Problem | None:
        """None while the frame is being decoded."""
        room = self._room
        ref = room.frame_ref(pane)
        if self._images.closed or ref is None:
            return Problem("video.study_closed")
        problem = self._images.problem(ref)
        if problem is not None:
            return problem
        if room.image_layer(pane) is None:
            return None
        with self._standing_in(pane):
            before = room.pane_size(pane.pane_id)
            request = room.picture_request(pane.pane_id, size, scale, False)
            if before is not None:
                room.set_pane_size(pane.pane_id, before)
        if not identified:
            request = nameless(request, say(room.texts, "viewer.deidentified"))
        style = Style(request.style.scale, text_width, True)
        return replace(request, style=style, band=None, lens=None, probe=None, handles=(), finest=True, cache=SampleCache())

    @contextmanager
    def _standing_in(self, pane: PaneState) -> Iterator[None]:
        """The room as if a pane stood at another frame; nobody else is told, and everything is as before."""
        room = self._room
        was = room.panes()
        looks = room.saved.looks() if room.saved is not None else ()
        room.stand_in(pane)
        try:
            yield
        finally:
            for before in was:
                room.stand_in(before)
            if room.saved is not None and room.saved.looks() != looks:
                room.saved.put_looks(looks)


def _guarded(work: Callable[[Progress], None], progress: Progress) -> None:
    """A full or a forbidden disk is told as such."""
    try:
        work(progress)
    except OSError as error:
        raise ProblemError(Problem("capture.not_saved", {"kind": type(error).__name__})) from error
