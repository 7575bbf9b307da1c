"""One dressed Qt application; every window that a test opens must be gone afterwards, with its threads and timers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from app.ui.app_window import AppWindow, application
from tests.ui.fake_workstation import FakeWorkstation

Open = Callable[..., AppWindow]


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    return application(["ekinshi-tests"])


def settle(seconds: float = 0.05) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(0.002)


def settled(done: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        settle(0.01)
    return True


class _Flashes(QObject):
    """Widgets that were shown as windows of their own: on a real desktop they flash and steal the keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            name = type(watched).__name__
            if name not in ("AppWindow", "PatientWindow", "QMenu", "QTipLabel") and type(watched).__module__.startswith(
                "app.ui"
            ):
                self.seen.append(name)
        return False


@pytest.fixture
def open_window(qapp: QApplication) -> Iterator[Open]:
    """``open_window(language, size, **fake)`` gives a shown window over a fake workstation."""
    opened: list[AppWindow] = []
    flashes = _Flashes()
    qapp.installEventFilter(flashes)

    def make(language: str = "en", size: tuple[int, int] = (1920, 1080), **fake: object) -> AppWindow:
        window = AppWindow(FakeWorkstation(language=language, **fake))  # type: ignore[arg-type]
        window.resize(*size)
        window.show()
        window.activateWindow()
        opened.append(window)
        settled(window.isActiveWindow, 2)
        settle()
        return window

    yield make
    qapp.removeEventFilter(flashes)
    assert not flashes.seen, f"shown as windows of their own: {sorted(set(flashes.seen))}"
    for window in opened:
        window.close()
        window.deleteLater()
    opened.clear()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    settle(0.02)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [type(w).__name__ for w in QApplication.topLevelWidgets() if w.isVisible()]
    assert not left, f"windows left open: {left}"
    ours = [w for w in QApplication.allWidgets() if type(w).__module__.startswith("app.ui")]
    assert not ours, f"widgets left: {sorted({type(w).__name__ for w in ours})}"
    running = [t for t in qapp.findChildren(QTimer) if t.isActive()]
    assert not running, "timers left running"
    threads = [t.name for t in threading.enumerate() if t.name.startswith("render")]
    assert not threads, f"threads left: {threads}"
