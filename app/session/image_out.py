"""The picture of a pane as it stands: for the clipboard, as PNG, as Secondary Capture; with identity or without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from app.dicom.image_writer import SeriesHeader, StudyHeader, write_secondary_capture
from app.domain.identity import new_uid
from app.domain.problem import Problem, fail
from app.domain.study import Patient, PersonName
from app.session.nameless import may_hold_names, nameless
from app.session.paint import painted, text_width
from app.viewer.decorations import Style
from app.viewer.words import say

if TYPE_CHECKING:
    from app.session.reading_room import ReadingRoom

LEAST = 512
"""A small pane is painted at least this wide: what is copied is looked at elsewhere."""
Pixels = npt.NDArray[np.uint8]


def picture(room: ReadingRoom, pane_id: str, size: tuple[int, int], identified: bool) -> Pixels:
    """(h, w, 3) RGB with the pane's texts and marks. Raises ``capture.no_picture``; ``capture.burned_in`` when a picture
    without identity is wanted of pixels that may name the person.
    """
    return frozen_picture(room, pane_id, size, identified)()


def frozen_picture(room: ReadingRoom, pane_id: str, size: tuple[int, int], identified: bool) -> Callable[[], Pixels]:
    """``picture`` in two steps: what it needs is taken now, on the main thread; it may be made on any, and takes seconds in
    3D. Both raise as ``picture``.
    """
    if not identified and may_hold_names(room, pane_id):
        raise fail("capture.burned_in")
    before = room.pane_size(pane_id)
    scale = max(1.0, LEAST / max(size[0], 1))
    request = room.picture_request(pane_id, (round(size[0] * scale), round(size[1] * scale)), scale, False)
    if before is not None:
        room.set_pane_size(pane_id, before)
    if not identified:
        request = nameless(request, say(room.texts, "viewer.deidentified"))
    style = Style(request.style.scale, text_width, True)
    frozen = replace(request, style=style, band=None, lens=None, probe=None, handles=(), finest=True)

    def make() -> Pixels:
        done = frozen()
        if done.pixels is None:
            raise fail("capture.no_picture") if done.problem is None else _as_error(done.problem)
        return painted(done)

    return make


def _as_error(problem: Problem) -> Exception:
    from app.domain.problem import ProblemError

    return ProblemError(problem)


def write_capture(room: ReadingRoom, rgb: Pixels, identified: bool, path: Path) -> None:
    """A Secondary Capture of a pane's ``picture``: in the patient's study, or under fresh UIDs without one."""
    write_captures(room, rgb[None], identified, path)


def write_captures(room: ReadingRoom, frames: Pixels, identified: bool, path: Path, frame_time_ms: float = 40.0) -> None:
    """(frames, rows, columns, 3): one object, several frames as a cine; as ``write_capture``."""
    current, _ = room.studies()
    study = current.study
    now = datetime.now()
    header = StudyHeader(
        study.patient if identified else Patient("ANONYMOUS", name=PersonName("ANONYMOUS")),
        study.study_instance_uid if identified else new_uid(),
        (study.study_datetime[:8] or now.strftime("%Y%m%d")) if identified else now.strftime("%Y%m%d"),
        study.study_datetime[8:14] if identified else "",
        description=study.description if identified else "",
        extra={} if identified else {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "Rendered without identity"},
    )
    series = SeriesHeader(
        new_uid(), "OT", 9500, "Ekinshi capture", model_name="Ekinshi",
        extra={"BurnedInAnnotation": "YES" if identified else "NO"},
    )  # fmt: skip
    write_secondary_capture(frames, path, header, series, frame_time_ms=frame_time_ms)
