"""At 200 % a full-HD screen has 960 x 540: every screen keeps what is needed inside the window, in the longest language."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QScrollArea, QWidget

from app.ui.widgets.buttons import Button
from tests.flows import stage
from tests.flows.conftest import OpenDesk


def scrolled(widget: QWidget, top: QWidget) -> bool:
    """Inside something that scrolls: it can be brought into sight."""
    above = widget.parentWidget()
    while above is not None and above is not top:
        if isinstance(above, QScrollArea):
            return True
        above = above.parentWidget()
    return False


def cut(window: QWidget) -> list[str]:
    """Controls that are seen, but not whole: outside the window, or narrower than their words."""
    out = []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, (QAbstractButton, QLineEdit)) or not widget.isVisible() or scrolled(widget, window):
            continue
        place = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
        name = widget.accessibleName() or type(widget).__name__
        if not window.rect().contains(place):
            out.append(f"{name} lies outside: {place}")
        elif isinstance(widget, Button) and widget.width() < widget.minimumSizeHint().width() - 1:
            out.append(f"{name} is {widget.width()} wide, its words take {widget.minimumSizeHint().width()}")
    return out


@pytest.mark.parametrize("size", [(960, 540), (1280, 720), (1920, 1080)])
def test_nothing_that_is_pressed_is_cut(tmp_path: Path, open_desk: OpenDesk, size: tuple[int, int]) -> None:
    uid = stage.write_study(tmp_path / "dicom")
    demo = open_desk(tmp_path / "home", None)
    window = demo.window
    demo.workstation.set_language("kk")
    window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: demo.workstation.last_import_summary() is not None, 30.0, "the import")
    window.setMinimumSize(100, 100)
    window.resize(*size)
    demo.pump(0.2)
    found = {"worklist": cut(window)}
    window.open_study(uid)
    demo.until(lambda: window.screen_widget("reading").is_settled(), 30.0, "images")
    demo.pump(0.1)
    found["reading"] = cut(window)
    for screen in ("report", "tray"):
        window.go(screen)
        demo.pump(0.1)
        found[screen] = cut(window)
    window.show_settings()
    demo.pump(0.1)
    found["settings"] = cut(window)
    assert not {k: v for k, v in found.items() if v}
