"""Every screen in three languages and at two sizes: nothing clipped, nothing in the wrong language, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.domain.messages import LANGUAGES
from app.ui.app_window import AppWindow
from app.ui.theme import font
from app.ui.widgets.buttons import Button
from app.ui.widgets.segments import Segments
from tests.ui.conftest import Open, settle

SIZES = [(1920, 1080), (1366, 768)]
SCREENS = [
    "worklist",
    "empty",
    "reading",
    "revealed",
    "report",
    "tray",
    "keys",
    "import",
    "offer",
    "reading_disc",
    "export",
    "task",
]


def show(open_window: Open, screen: str, language: str, size: tuple[int, int]) -> AppWindow:
    window = open_window(language, size, empty=screen == "empty")
    if screen in ("reading", "revealed", "report"):
        window.open_study("1.2.0")
        if screen == "revealed":
            window._workstation.reading.reveal()
        elif screen == "report":
            window.go("report")
    elif screen == "tray":
        window.go("tray")
    elif screen == "keys":
        window.show_keys()
    elif screen == "import":
        window.show_import_summary()
    elif screen in ("offer", "reading_disc"):
        window.offer_import([Path("/media/KINGSTON")])
        if screen == "reading_disc":
            window._workstation.imports.start()
    elif screen == "export":
        window.exports.offer("1.2.0")
        window.exports.sheet._identity.chosen.emit(True)
    elif screen == "task":
        window._workstation.run_task()
    settle(0.1)
    return window


def clipped(window: QWidget) -> list[str]:
    """Controls narrower than their words."""
    found = []
    for button in window.findChildren(QAbstractButton):
        if button.isVisible() and isinstance(button, Button) and button.width() < button.minimumSizeHint().width():
            found.append(f"{button.text()!r}: {button.width()} < {button.minimumSizeHint().width()}")
    for choice in window.findChildren(Segments):
        if not choice.isVisible():
            continue
        metrics = QFontMetricsF(font("body", "medium"))
        for text, box in zip(choice._texts(), choice._boxes(), strict=True):
            if metrics.horizontalAdvance(text) > box.width() - 7:
                found.append(f"{text!r} in {box.width():.0f}")
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("size", SIZES, ids=["full", "small"])
def test_screen_fits_and_has_a_picture(open_window: Open, screen: str, language: str, size: tuple[int, int]) -> None:
    window = show(open_window, screen, language, size)
    assert window.width() == size[0], "the window grew beyond the screen"
    assert not clipped(window)
    image = window.grab().toImage()
    seen = {image.pixelColor(x, y).rgb() for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(seen) > 20


@pytest.mark.parametrize("screen", ["worklist", "empty", "reading", "revealed", "report", "tray"])
def test_language_switches_while_the_screen_is_open(open_window: Open, screen: str) -> None:
    window = show(open_window, screen, "en", (1920, 1080))
    before = {id(b): b.text() for b in window.findChildren(Button) if b.isVisible() and b.text()}
    window._workstation.set_language("kk")
    settle(0.1)
    now = {b.text() for b in window.findChildren(Button) if b.isVisible() and b.text()}
    english = set(before.values()) & {"Import", "Open study", "Commit first opinion", "Accept", "Modify", "Reject", "Next"}
    assert english or screen in ("report", "tray", "empty")
    assert not english & now, f"still English: {english & now}"
    assert window.top_bar.tab("worklist").text() == "Тізім"
    window._workstation.set_language("en")
    settle(0.05)
    assert window.top_bar.tab("worklist").text() == "Worklist"


def test_every_visible_control_has_a_name_for_screen_readers(open_window: Open) -> None:
    for screen in ("worklist", "revealed", "report", "tray"):
        window = show(open_window, screen, "en", (1920, 1080))
        unnamed = [
            type(b).__name__
            for b in window.findChildren(QAbstractButton)
            if b.isVisible() and not (b.accessibleName() or b.text() or b.toolTip())
        ]
        assert not unnamed, (screen, unnamed)


def test_targets_are_large_enough(open_window: Open) -> None:
    for screen in ("worklist", "revealed", "report", "tray"):
        window = show(open_window, screen, "en", (1920, 1080))
        small = [
            (b.text() or b.toolTip(), b.width(), b.height())
            for b in window.findChildren(Button)
            if b.isVisible() and b._kind != "link" and (b.height() < 28 or b.width() < 28)
        ]
        assert not small, (screen, small)


def test_the_demonstration_says_so_and_a_real_library_does_not(open_window: Open) -> None:
    assert open_window(demo=True).top_bar._demo.isVisible()
    assert not open_window(demo=False).top_bar._demo.isVisible()


def test_screens_that_need_a_study_wait_for_one(open_window: Open) -> None:
    window = open_window(empty=True)
    assert not window.top_bar.tab("reading").isEnabled()
    window.go("reading")
    assert window.screen == "worklist"
