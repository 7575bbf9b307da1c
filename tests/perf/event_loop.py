"""How long the window's event loop is held over a reader's journey: import, list, reading, marks, report, signature.

    .venv/bin/python -m tests.perf.event_loop [FOLDER ...] [--stacks 50] [--readers]

Without a folder the generated chest CT (with its prior), mammogram and panoramic film are read, and a CT with a second
series, a segmentation and a presentation state. Two figures a step: the
longest gap between two beats (a busy machine lengthens it), and the longest computing of the main thread itself within one
gap, which is what blocks on any machine. The bar of 100 ms is put to both. ``--stacks MS`` prints where the threads were in
every gap longer than that.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from tests.perf import _bench

# Compiled modules are kept as in an installed program, whatever the environment says.
sys.dont_write_bytecode = False
sys.pycache_prefix = str(_bench.cache_folder("compiled"))

BAR_MS = 100.0


def read(folders: Sequence[Path], stacks_ms: float, readers: bool) -> dict[str, tuple[float, float]]:
    """Step to (longest gap ms, longest own computing ms) of one study's journey in a window and a library of its own."""
    from app.demo import Demo
    from app.session.wiring import EphemeralHome, Options, open_workstation
    from app.ui import prewarm
    from app.ui.app_window import AppWindow, application
    from app.ui.main_loop import QtMainLoop
    from app.ui.watchdog import Watchdog
    from tests.perf import journeys, more_journeys

    application()
    found: dict[str, tuple[float, float]] = {}
    with EphemeralHome() as home:
        options = Options(home.path, home.keys, demo=True, second_readers=readers, priors_beside=True)
        workstation = open_workstation(options, QtMainLoop())
        try:
            window = AppWindow(workstation)
            window.resize(1920, 1080)
            window.show()
            demo = Demo(window, workstation, home.path, True)
            prewarm.begin(window.make_ready)  # as application.py does
            demo.pump(1.5)
            reader = journeys.Reader(demo)
            dog = Watchdog(stacks_ms)

            def steps() -> Iterator[journeys.Step]:
                yield from journeys.opening(reader, folders)
                yield from journeys.looking(reader)
                yield from more_journeys.overlaying(reader)
                yield from journeys.marking(reader)
                yield from more_journeys.leaving(reader)
                if readers:
                    yield "second read", lambda: reader.until_read(400)
                yield from journeys.judging(reader)

            for name, step in steps():
                dog.start()
                step()
                demo.settle(300)
                dog.stop()
                found[name] = (dog.longest_ms, dog.longest_own_ms)
                for gap in dog.gaps:
                    if stacks_ms and gap.wall_ms > stacks_ms:
                        print(f"  -- {name}: {gap.wall_ms:.0f} ms, own {gap.own_ms:.0f} ms\n{gap.stacks}", flush=True)
            window.close()
            window.deleteLater()
            demo.pump(0.2)
        finally:
            workstation.shutdown()
    return found


def samples() -> Sequence[Sequence[Path]]:
    from app.samples.catalogue import write_samples
    from app.session.homes import cache_folder
    from tests.perf.more_journeys import write_overlaid

    made = {s.key: s.folder for s in write_samples(cache_folder() / "samples")}
    overlaid = _bench.cache_folder("overlaid")
    if not (overlaid / "look.dcm").exists():
        write_overlaid(overlaid)
    return [
        [overlaid],
        [made["chest_ct"], made["chest_ct_prior"]],
        [made["mammogram"], made["mammogram_prior"]],
        [made["panoramic"]],
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--stacks", type=float, default=0.0, metavar="MS")
    parser.add_argument("--readers", action="store_true", help="the second readers work beside it, and are answered")
    options = parser.parse_args()
    started = time.monotonic()
    rows: list[list[object]] = []
    for folders in [[folder] for folder in options.folders] or samples():
        found = read(folders, options.stacks, options.readers)
        rows += [[f"{folders[0].name}: {name}", wall, own] for name, (wall, own) in found.items()]
    _bench.table(rows, ["step", "longest gap ms", "own computing ms"])
    worst = max(rows, key=lambda row: float(row[1]))  # type: ignore[arg-type]
    own = max(rows, key=lambda row: float(row[2]))  # type: ignore[arg-type]
    details = {
        "bar_ms": BAR_MS,
        "longest_gap": [worst[0], round(float(str(worst[1])), 1)],
        "longest_own_computing": [own[0], round(float(str(own[2])), 1)],
        "over_50_ms": {str(r[0]): [round(float(str(r[1]))), round(float(str(r[2])))] for r in rows if float(str(r[1])) > 50},
        "steps": len(rows),
        "seconds": round(time.monotonic() - started),
    }
    passed = max(float(str(worst[1])), float(str(own[2]))) <= BAR_MS
    return _bench.emit("event_loop", float(str(worst[1])), "ms", passed=passed, details=details)


if __name__ == "__main__":
    sys.exit(main())
