"""Copy and save the active pane's picture: the keys and menu actions of the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from app.domain.problem import Problem, ProblemError, Severity
from app.session.image_out import picture, picture_png, write_capture
from app.session.views import Notice
from app.ui.i18n import tr

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession
    from app.session.workstation import Workstation

COMMANDS = {
    "copy_image": False,
    "copy_image_identified": True,
    "save_image": False,
    "save_image_identified": True,
}
"""Command to whether identity stays."""


def run(name: str, workstation: Workstation, reading: ReadingSession, size: tuple[int, int], parent: QWidget) -> None:
    """Does the command; what stands against it is said on the status line."""
    identified = COMMANDS[name]
    pane = reading.room.active
    try:
        if name.startswith("copy"):
            rgb = np.ascontiguousarray(picture(reading.room, pane, size, identified))
            image = QImage(rgb.data, rgb.shape[1], rgb.shape[0], rgb.strides[0], QImage.Format.Format_RGB888).copy()
            QGuiApplication.clipboard().setImage(image)
            told = "capture.copied_identified" if identified else "capture.copied"
            workstation.notice.emit(Notice(Problem(told, severity=Severity.NOTE)))
            return
        file, _ = QFileDialog.getSaveFileName(
            parent, tr(f"ui.key.{name}"), "image.png", "PNG (*.png);;DICOM Secondary Capture (*.dcm)"
        )
        if not file:
            return
        if file.lower().endswith(".dcm"):
            write_capture(reading.room, pane, size, identified, Path(file))
        else:
            Path(file).write_bytes(picture_png(reading.room, pane, size, identified))
        workstation.notice.emit(Notice(Problem("capture.saved", {"file": Path(file).name}, severity=Severity.NOTE)))
    except ProblemError as error:
        workstation.notice.emit(Notice(error.problem))
    except OSError as error:
        workstation.notice.emit(Notice(Problem("capture.not_saved", {"kind": type(error).__name__})))
