"""Starting: what the first window must not load, and the guard against a Qt that ends the process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from app.ui.main_loop import QtMainLoop
from app.ui.start_guard import no_screen, problem_with
from tests.ui.conftest import settled

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "vtk",
    "vtkmodules",
    "torch",
    "pyqtgraph",
    "pydicom",
    "highdicom",
    "SimpleITK",
    "onnxruntime",
    "openvino",
    "reportlab",
)


def test_the_window_loads_nothing_heavy() -> None:
    code = (
        "import os, sys\n"
        "os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n"
        "from app.ui.app_window import AppWindow, application\n"
        "from tests.ui.fake_workstation import FakeWorkstation\n"
        "qt = application()\n"
        "window = AppWindow(FakeWorkstation())\n"
        "window.show()\n"
        "qt.processEvents()\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_pyside_that_aborts_is_refused_in_a_sentence() -> None:
    assert problem_with("6.11.3", (3, 11)) is None
    assert problem_with("6.12.0", (3, 12)) is None
    refused = problem_with("6.12.0", (3, 11))
    assert refused is not None
    assert refused.params == {"pyside": "6.12.0", "python": "3.11"}
    assert refused.next_step
    missing = problem_with(None, (3, 11))
    assert missing is not None
    assert missing.code == "ui.start.no_pyside"


def test_posted_calls_run_on_the_main_thread_in_order(qapp: object) -> None:
    loop = QtMainLoop()
    ran: list[tuple[int, int]] = []
    threads = [
        threading.Thread(
            target=lambda n=n: [loop.post(lambda i=i: ran.append((n, i, threading.get_ident()))) for i in range(50)]
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert settled(lambda: len(ran) == 200)
    assert {entry[2] for entry in ran} == {threading.get_ident()}
    for n in range(4):
        assert [i for m, i, _ in ran if m == n] == list(range(50))


def test_no_screen_is_said_before_qt_aborts() -> None:
    told = no_screen("linux", {})
    assert told is not None
    assert told.code == "ui.start.no_screen"
    assert no_screen("linux", {"DISPLAY": ":0"}) is None
    assert no_screen("linux", {"WAYLAND_DISPLAY": "wayland-0"}) is None
    assert no_screen("linux", {"QT_QPA_PLATFORM": "offscreen"}) is None
    assert no_screen("win32", {}) is None
