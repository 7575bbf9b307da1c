"""Process start to the first window that is painted, and double click in the list to the first image on a pane.

``python -m tests.perf.start [--quick]``. Every start is a fresh process on the offscreen platform with a library of its own
that holds one CT (generated, 120 × 512 × 512; ``--quick`` 24 slices). The clock starts before the process is made. Bars:
first window 2.0 s, first image 1.0 s on two idle cores. napari is measured the same way where it is installed; that
InVesalius is not is said, for it opens no window without a display.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.perf import _bench

ROOT = Path(__file__).resolve().parents[2]
WINDOW_BAR_S, IMAGE_BAR_S = 2.0, 1.0
# The same for a peer: from the start of its process to its painted window.
NAPARI = (
    "import time, napari, numpy as np\n"
    "viewer = napari.Viewer(show=True)\n"
    "from qtpy.QtWidgets import QApplication\n"
    "QApplication.processEvents()\n"
    "print(time.time(), flush=True)\n"
)


_PEERS = (("napari", "napari"), ("InVesalius", "invesalius3"))


# -- the process that is timed


def child(home: Path) -> None:
    """Opens the window on ``home`` as ``ekinshi`` does, then opens its study by a double click; prints wall clock times."""
    from PySide6.QtCore import QCoreApplication, Qt
    from PySide6.QtTest import QTest

    from app.session.wiring import Options, open_workstation
    from app.ui import prewarm
    from app.ui.app_window import AppWindow, application
    from app.ui.main_loop import QtMainLoop
    from app.ui.reading.viewport import Viewport
    from tests.store.conftest import FixedKey

    application()
    workstation = open_workstation(Options(home, FixedKey()), QtMainLoop())
    window = AppWindow(workstation)
    window.resize(1920, 1080)
    window.show()
    QCoreApplication.processEvents()
    assert window.grab().width() > 0
    shown, computed = time.time(), time.process_time()
    prewarm.begin(window.make_ready)  # as application.py does
    _pump_for(0.5)

    rows = window.worklist.table.list
    assert rows.current_key(), "the list is empty"
    clicked = time.time()
    QTest.keyClick(window, Qt.Key.Key_Return)
    while not any(_has_image(v) for v in window.findChildren(Viewport)):
        QCoreApplication.processEvents()
        if time.time() - clicked > 60:
            raise SystemExit("no image came")
    seen = time.time()
    print(json.dumps({"shown": shown, "computed_s": computed, "image_s": seen - clicked}), flush=True)
    window.close()
    workstation.shutdown()


def _has_image(viewport: object) -> bool:
    picture = viewport.picture  # type: ignore[attr-defined]
    return picture is not None and picture.pixels is not None and not picture.loading


def _pump_for(seconds: float) -> None:
    from PySide6.QtCore import QCoreApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(0.002)


# -- timing


def fill(home: Path, slices: int) -> None:
    import numpy as np

    from app.domain.ports import SilentProgress
    from app.domain.volume import Volume
    from app.session.clock import SystemClock
    from app.session.importing import import_paths
    from app.store.library import Library
    from tests import phantoms
    from tests.store.conftest import FixedKey

    grid = phantoms.geometry((slices, 512, 512), (1.25, 0.7, 0.7))
    voxels = np.random.default_rng(4).integers(-1000, 400, grid.shape, dtype=np.int16)
    with tempfile.TemporaryDirectory() as folder:
        phantoms.write_ct(Path(folder), Volume(voxels, grid, "HU"))
        with Library.open(home, FixedKey(), SystemClock()) as library:
            summary = import_paths(library, [Path(folder)], SilentProgress())
    if summary.added != slices:
        raise SystemExit(f"{summary.added} of {slices} slices were imported")


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, dict[str, float]]:
    """(seconds from the start of the process to its shown window, what it printed)."""
    started = time.time()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180)
    if done.returncode != 0:
        raise SystemExit(f"a start failed:\n{done.stderr[-2000:]}")
    line = done.stdout.strip().splitlines()[-1]
    told = json.loads(line) if line.startswith("{") else {"shown": float(line)}
    return told["shown"] - started, told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer slices, three starts")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return 0
    # Compiled modules are kept as in an installed program, whatever the environment says.
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPYCACHEPREFIX": str(_bench.cache_folder("compiled"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times = 3 if options.quick else 5
    slices = 24 if options.quick else 120
    peers = {"napari": [sys.executable, "-c", NAPARI]} if importlib.util.find_spec("napari") else {}
    absent = [name for name, module in _PEERS if not importlib.util.find_spec(module)]
    for name in absent:
        _bench.warn(f"{name} is not installed here: not measured")
    starts: dict[str, list[float]] = {"Ekinshi": [], **{name: [] for name in peers}}
    images: list[float] = []
    computed: list[float] = []
    with tempfile.TemporaryDirectory(prefix="ekinshi-start-") as folder:
        home = Path(folder) / "home"
        fill(home, slices)
        ours = [sys.executable, "-m", "tests.perf.start", "--child", str(home)]
        timed(ours, environment)  # the first start compiles what Python has not compiled yet
        for _ in range(times):
            seconds, told = timed(ours, environment)
            starts["Ekinshi"].append(seconds)
            images.append(told["image_s"])
            computed.append(told["computed_s"])
            for name, command in peers.items():
                starts[name].append(timed(command, environment)[0])
    window_s, image_s = statistics.median(starts["Ekinshi"]), statistics.median(images)
    rows = [
        ["start to first window", window_s, WINDOW_BAR_S],
        ["of it processor time", statistics.median(computed), ""],
        ["double click to first image", image_s, IMAGE_BAR_S],
    ]
    rows += [[f"{name}: start to first window", statistics.median(starts[name]), ""] for name in peers]
    _bench.table(rows, ["median of starts", "s", "bar"])
    peer = min(peers, key=lambda name: statistics.median(starts[name]), default="")
    peer_s = statistics.median(starts[peer]) if peer else None
    details = {
        "first_window_s": round(window_s, 3),
        "first_image_s": round(image_s, 3),
        "processor_s": round(statistics.median(computed), 3),
        "starts": times,
        "slices": slices,
        "all_windows_s": [round(s, 3) for s in starts["Ekinshi"]],
        "all_images_s": [round(s, 3) for s in images],
        "not_installed": absent,
    }
    passed = window_s <= WINDOW_BAR_S and image_s <= IMAGE_BAR_S
    ratio = peer_s / window_s if peer_s else None
    return _bench.emit("start", window_s, "s", peer, peer_s, ratio, passed, details)


if __name__ == "__main__":
    sys.exit(main())
