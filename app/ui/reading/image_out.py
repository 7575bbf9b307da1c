"""Copy and save the active pane's picture: the keys and menu actions of the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from app.domain.problem import Problem, ProblemError, Severity
from app.session.image_out import Pixels, frozen_picture, write_capture
from app.session.paint import png
from app.session.rendered_panes import is_rendered
from app.session.video_out import ENDINGS
from app.session.views import Notice
from app.ui.i18n import tr
from app.ui.reading.render_pool import RenderPool

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession
    from app.session.workstation import Workstation

COMMANDS = {
    "copy_image": False,
    "copy_image_identified": True,
    "save_image": False,
    "save_image_identified": True,
    "save_video": False,
    "save_video_identified": True,
}
"""Command to whether identity stays."""


def run(name: str, workstation: Workstation, reading: ReadingSession, size: tuple[int, int], parent: QWidget) -> None:
    """Does the command; what stands against it is said on the status line. A 3D picture is made beside."""
    identified = COMMANDS[name]
    pane = reading.room.active
    if name.startswith("save_video"):
        _video(name, workstation, reading, size, parent)
        return
    file = ""
    if not name.startswith("copy"):
        file, _ = QFileDialog.getSaveFileName(
            parent, tr(f"ui.key.{name}"), "image.png", "PNG (*.png);;DICOM Secondary Capture (*.dcm)"
        )
        if not file:
            return
    try:
        make = frozen_picture(reading.room, pane, size, identified)
    except ProblemError as error:
        workstation.notice.emit(Notice(error.problem))
        return

    def made() -> Pixels | Problem:
        try:
            return make()
        except ProblemError as error:
            return error.problem

    def came(_name: str, found: Pixels | Problem) -> None:
        told = found if isinstance(found, Problem) else _put(reading, found, file, identified)
        workstation.notice.emit(Notice(told))

    if is_rendered(reading.room.pane(pane)):
        pool = RenderPool(parent)
        pool.ready.connect(came)
        pool.ready.connect(lambda *_: pool.deleteLater())
        pool.request(name, made)
    else:
        came(name, made())


def _video(name: str, workstation: Workstation, reading: ReadingSession, size: tuple[int, int], parent: QWidget) -> None:
    """All frames of the pane; what stands against it is said before a name is asked for."""
    if reading.videos is None:
        return
    try:
        reading.videos.check(pane := reading.room.active, COMMANDS[name])
        kinds = "MP4 (*.mp4);;AVI, Motion JPEG (*.avi);;DICOM Secondary Capture (*.dcm)"
        file, chosen = QFileDialog.getSaveFileName(parent, tr(f"ui.key.{name}"), "video.mp4", kinds)
        if file:
            path = Path(file)
            if path.suffix.lower() not in ENDINGS:
                path = path.with_name(path.name + next((e for e in ENDINGS if f"*{e}" in chosen), ENDINGS[0]))
            reading.videos.save(pane, size, COMMANDS[name], path)
    except ProblemError as error:
        workstation.notice.emit(Notice(error.problem))


def _put(reading: ReadingSession, rgb: Pixels, file: str, identified: bool) -> Problem:
    """Into the file, or onto the clipboard where none is named; returns what is to be told."""
    if not file:
        rgb = np.ascontiguousarray(rgb)
        image = QImage(rgb.data, rgb.shape[1], rgb.shape[0], rgb.strides[0], QImage.Format.Format_RGB888).copy()
        QGuiApplication.clipboard().setImage(image)
        return Problem("capture.copied_identified" if identified else "capture.copied", severity=Severity.NOTE)
    try:
        if file.lower().endswith(".dcm"):
            write_capture(reading.room, rgb, identified, Path(file))
        else:
            Path(file).write_bytes(png(rgb))
    except ProblemError as error:
        return error.problem
    except OSError as error:
        return Problem("capture.not_saved", {"kind": type(error).__name__})
    return Problem("capture.saved", {"file": Path(file).name}, severity=Severity.NOTE)
