"""Peak resident memory of stated scenarios, each in a process of its own.

``python -m tests.perf.memory [--quick]``: the imports alone, an empty library, a library with one CT opened and scrolled
through with its reformats (generated, 300 × 512 × 512 = 150 MiB of pixels; ``--quick`` 60 slices), and that CT's import.
The bar is on the open CT: not more than 700 MiB beside twice its pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.perf import _bench

ROOT = Path(__file__).resolve().parents[2]
BESIDE_PIXELS_MIB = 700.0
SCENARIOS = ("nothing", "empty_library", "open_ct", "import")


def peak_mib() -> float:
    """Peak resident set of this process."""
    if sys.platform == "win32":
        raise SystemExit("the peak is not asked for on Windows yet")
    if sys.platform == "linux":
        # Not getrusage: its peak begins with that of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


# -- one scenario, in its own process


def scenario(name: str, folder: Path) -> None:
    if name == "nothing":
        import app.session.wiring  # noqa: F401
    elif name == "import":
        from app.domain.ports import SilentProgress
        from app.session.clock import SystemClock
        from app.session.importing import import_paths
        from app.store.library import Library
        from tests.store.conftest import FixedKey

        with Library.open(folder / "fresh", FixedKey(), SystemClock()) as library:
            assert import_paths(library, [folder / "dicom"], SilentProgress()).added
    else:
        _window(name, folder)
    print(json.dumps({"peak_mib": round(peak_mib(), 1)}))


def _window(name: str, folder: Path) -> None:
    from PySide6.QtCore import QCoreApplication

    from app.demo import Demo
    from app.session.wiring import Options, open_workstation
    from app.ui.app_window import AppWindow, application
    from app.ui.main_loop import QtMainLoop
    from tests.store.conftest import FixedKey

    application()
    home = folder / ("home" if name == "open_ct" else "nobody")
    workstation = open_workstation(Options(home, FixedKey(), second_readers=False), QtMainLoop())
    window = AppWindow(workstation)
    window.resize(1920, 1080)
    window.show()
    demo = Demo(window, workstation, folder, quiet=True)
    demo.pump(0.3)
    if name == "open_ct":
        window.open_study(window.worklist.table.list.current_key())
        demo.settle(120)
        reading = workstation.reading
        assert reading is not None
        for _ in range(30):
            reading.command("next_page")
            demo.pump(0.01)
        demo.settle(60)
    window.close()
    workstation.shutdown()
    QCoreApplication.processEvents()


def fill(folder: Path, slices: int) -> int:
    """Writes the CT and a library that holds it; returns its bytes of pixels."""
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
    phantoms.write_ct(folder / "dicom", Volume(voxels, grid, "HU"))
    with Library.open(folder / "home", FixedKey(), SystemClock()) as library:
        assert import_paths(library, [folder / "dicom"], SilentProgress()).added == slices
    return int(voxels.nbytes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 slices")
    parser.add_argument("--child", nargs=2, metavar=("SCENARIO", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        scenario(options.child[0], Path(options.child[1]))
        return 0
    slices = 60 if options.quick else 300
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="ekinshi-memory-") as name:
        folder = Path(name)
        pixels_mib = fill(folder, slices) / 2**20
        for what in SCENARIOS:
            command = [sys.executable, "-m", "tests.perf.memory", "--child", what, name]
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
            )
            if done.returncode != 0:
                raise SystemExit(f"{what} failed:\n{done.stderr[-2000:]}")
            peaks[what] = json.loads(done.stdout.strip().splitlines()[-1])["peak_mib"]
    bar = 2 * pixels_mib + BESIDE_PIXELS_MIB
    _bench.table([[what, mib, bar if what == "open_ct" else ""] for what, mib in peaks.items()], ["scenario", "MiB", "bar"])
    details = {**peaks, "slices": slices, "pixels_mib": round(pixels_mib, 1), "bar_mib": round(bar, 1)}
    return _bench.emit("memory", peaks["open_ct"], "MiB", passed=peaks["open_ct"] <= bar, details=details)


if __name__ == "__main__":
    sys.exit(main())
