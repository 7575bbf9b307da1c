"""One dressed application, the installed beacon reader, and windows that are closed in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

from app.demo import Demo
from app.session.wiring import open_workstation
from app.ui.app_window import AppWindow, application
from app.ui.main_loop import QtMainLoop
from tests.flows.stage import READER, Beacon, install_beacon, options

OpenDesk = Callable[..., Demo]


@pytest.fixture
def beacon(tmp_path: Path) -> Beacon:
    return install_beacon(tmp_path / "packages")


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    """``open_desk(home, beacon)``: the real window over a real workstation, with waits that keep it alive."""
    application(["ekinshi-tests"])
    opened: list[Demo] = []

    def make(home: Path, beacon: Beacon | None, person: object = READER, **changes: object) -> Demo:
        loop = QtMainLoop()
        workstation = open_workstation(options(home, beacon, person, **changes), loop)  # type: ignore[arg-type]
        window = AppWindow(workstation)
        window.resize(1600, 900)
        window.show()
        window._loop_of_test = loop  # type: ignore[attr-defined]
        demo = Demo(window, workstation, tmp_path / "pictures", quiet=True)
        opened.append(demo)
        demo.pump(0.05)
        return demo

    yield make
    for demo in opened:
        demo.window.close()
        demo.window.deleteLater()
        demo.pump(0.05)
        demo.workstation.shutdown()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
