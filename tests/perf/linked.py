"""Four linked panes of 1024 x 1024 in the program's own window: one is scrolled, all four follow and are painted.

``python -m tests.perf.linked [--quick]`` (--quick: 60 slices, fewer steps). A generated CT of 200 slices of 512 x 512.
*Stacks*: the series four times; *planes*: axial, coronal, sagittal and the stack, moving together. A frame is everything
from the key to the fourth painted pane: session, pictures, decorations, QPainter. Bar: >= 30 frames/s, the median frame.
The processor time of all threads is told beside, for machines that are not idle.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.perf import _bench

ROOT = Path(__file__).resolve().parents[2]
BAR_FPS = 30.0
PANE = 1024


class Panes:
    """The viewports of a window, and the picture that each has painted last."""

    def __init__(self) -> None:
        """Before the window is made: Qt remembers which method paints."""
        from app.ui.reading.viewport import Viewport

        self.painted: dict[str, Any] = {}
        self.all: list[Any] = []
        paint = Viewport.paintEvent

        def watched(pane: Any, event: Any) -> None:
            paint(pane, event)
            self.painted[pane.pane_id] = pane.picture

        Viewport.paintEvent = watched  # type: ignore[method-assign]

    def find(self, window: Any) -> None:
        from app.ui.reading.viewport import Viewport

        self.all = [v for v in window.findChildren(Viewport) if v.isVisible()]
        if len(self.all) != 4 or any(min(v.device_size()) < PANE for v in self.all):
            raise SystemExit(f"the panes are {[v.device_size() for v in self.all]}")

    def frame(self, press: Any) -> tuple[float, float]:
        """(ms on the clock, ms of the processor) until all four have painted a new picture."""
        from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer

        beat = QTimer()  # wakes the loop, should nothing else: waiting with a time limit would spin
        beat.start(50)
        held = [v.picture for v in self.all]
        start, cpu = time.perf_counter(), time.process_time()
        press()
        while any(self.painted.get(v.pane_id) in (None, old) for v, old in zip(self.all, held, strict=True)):
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.perf_counter() - start > 20:
                late = [
                    v.pane_id for v, old in zip(self.all, held, strict=True) if self.painted.get(v.pane_id) in (None, old)
                ]
                raise SystemExit(f"linked panes that did not follow: {late}")
        return (time.perf_counter() - start) * 1e3, (time.process_time() - cpu) * 1e3


def child(folder: Path, steps: int) -> dict[str, dict[str, float]]:
    from app.viewer.view_state import Plane
    from tests.perf.memory_scenes import Stage, _longest

    panes = Panes()
    stage = Stage(folder / "home")
    stage.window.resize(2 * PANE + 760, 2 * PANE + 260)
    reading = stage.open()
    reading.set_layout("2x2")
    stage.demo.settle(120)
    longest = _longest(reading)
    out = {}
    for name in ("stacks", "planes"):
        kinds = (Plane.STACK,) * 4 if name == "stacks" else (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.STACK)
        for box, plane in zip(reading.layout().panes, kinds, strict=True):
            reading.put_in_pane(box.pane_id, longest.display_set_id)
            reading.activate(box.pane_id)
            reading.room.change_view(plane=plane, point_mm=None)
        reading.activate(reading.layout().panes[0].pane_id)
        reading.command("first_image")
        stage.demo.settle(300)
        panes.find(stage.window)
        found = []
        for n in range(steps + 5):
            key = "next_image" if n // 25 % 2 == 0 else "previous_image"
            found.append(panes.frame(lambda key=key: reading.command(key)))  # type: ignore[misc]
            stage.demo.pump(0.0)
        clock, used = zip(*found[5:], strict=True)
        out[name] = {
            "median_ms": round(statistics.median(clock), 2),
            "p95_ms": round(float(np.percentile(clock, 95)), 2),
            "processor_ms": round(statistics.median(used), 2),
        }
    stage.close()
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 slices, fewer steps")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(Path(options.child[0]), int(options.child[1]))), flush=True)
        os._exit(0)
    from tests.perf.memory import in_own_process

    slices, steps = (60, 30) if options.quick else (200, 120)
    with tempfile.TemporaryDirectory(prefix="ekinshi-linked-") as folder:
        in_own_process(f"ct(Path({folder!r}), {slices})")
        done = subprocess.run(
            [sys.executable, "-m", "tests.perf.linked", "--child", folder, str(steps)],
            cwd=ROOT,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    if done.returncode != 0:
        raise SystemExit(f"the window failed:\n{done.stderr[-3000:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    rows = [[name, f["median_ms"], f["p95_ms"], f["processor_ms"]] for name, f in found.items()]
    _bench.table(rows, ["four linked panes", "median ms", "p95 ms", "processor ms"])
    passed = _bench.bars(
        [(f"scroll, {name}", 1000.0 / f["median_ms"], ">=", BAR_FPS, "frames/s") for name, f in found.items()]
    )
    worst = max(f["median_ms"] for f in found.values())
    return _bench.emit("linked", worst, "ms", passed=passed, details={**found, "slices": slices, "bar_fps": BAR_FPS})


if __name__ == "__main__":
    sys.exit(main())
