"""Large films beside each other: four mammograms of 4096 x 5625 in linked panes of 1024 x 1024, panned and zoomed.

``python -m tests.perf.films [--quick]``. A frame is all four pictures, made one after another on one thread: *1:1* panned
at one pane pixel an image pixel, *zoom* from fit to 1:1 and back, *window* dragged at 1:1, each while moving and, for the
pan, exactly as at rest. Bars: >= 30 frames/s, the median frame, and the numbers kept for painting within 256 MB.
The processor time of all threads is told beside, for machines that are not idle.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from app.domain.pixels import FramePixels, VoiWindow
from app.viewer.compositor import SampleCache, render
from app.viewer.layers import ImageLayer
from app.viewer.pyramid import level_bytes, prepare_for
from app.viewer.view_state import Appearance, ImageGeometry, ViewState
from tests.perf import _bench

PANE = (1024, 1024)
ROWS, COLUMNS = 5625, 4096
ONE_TO_ONE = ROWS / PANE[1]
BAR_FPS = 30.0
KEPT_MB = 256.0


def main() -> int:
    arguments = _bench.arguments(__doc__ or "")
    steps = 20 if arguments.quick else 80
    rng = np.random.default_rng(3)
    geometry = ImageGeometry(COLUMNS, ROWS, 0.07, 0.07, True)
    frames = [FramePixels(rng.integers(0, 16000, (ROWS, COLUMNS), dtype=np.uint16)) for _ in range(4)]
    for frame in frames:
        prepare_for(frame, 1000 / ROWS)  # as the loader does

    def show(views: Callable[[int], tuple[ViewState, VoiWindow]], draft: bool) -> tuple[list[float], list[float]]:
        caches = [SampleCache() for _ in frames]
        clock, used = [], []
        for n in range(steps + 3):
            view, window = views(n)
            start, cpu = time.perf_counter(), time.process_time()
            for number, (frame, cache) in enumerate(zip(frames, caches, strict=True)):
                layer = ImageLayer(Appearance(window), frame, geometry, sop_instance_uid=str(number))
                picture = render(view, (layer,), PANE, cache, draft)
                if not int(picture.pixels[512, 512]):
                    raise SystemExit("a pane stayed empty")
            clock.append((time.perf_counter() - start) * 1e3)
            used.append((time.process_time() - cpu) * 1e3)
        return clock[3:], used[3:]

    window = VoiWindow(8000, 30000)
    gestures: dict[str, tuple[Callable[[int], tuple[ViewState, VoiWindow]], bool]] = {
        "pan at 1:1, moving": (
            lambda n: (ViewState(zoom=ONE_TO_ONE, pan=(0.011 * (n % 60), 0.02 * (n % 50))), window),
            True,
        ),
        "pan at 1:1, exact": (
            lambda n: (ViewState(zoom=ONE_TO_ONE, pan=(0.011 * (n % 60), 0.02 * (n % 50))), window),
            False,
        ),
        "zoom, fit to 1:1": (lambda n: (ViewState(zoom=1 + (n % 40) / 40 * (ONE_TO_ONE - 1)), window), True),
        "window at 1:1": (lambda n: (ViewState(zoom=ONE_TO_ONE), VoiWindow(8000 + 30 * n, 30000)), True),
    }
    medians, rows = {}, []
    for name, (views, draft) in gestures.items():
        clock, used = show(views, draft)
        medians[name] = statistics.median(clock)
        rows.append([name, medians[name], float(np.percentile(clock, 95)), statistics.median(used)])
    _bench.table(rows, ["four mammograms", "median ms", "p95 ms", "processor ms"])
    kept = level_bytes() / 1e6
    passed = _bench.bars(
        [
            *((name, 1000.0 / median, ">=", BAR_FPS, "frames/s") for name, median in medians.items()),
            ("kept for painting", kept, "<=", KEPT_MB, "MB"),
        ]
    )
    worst = max(medians.values())
    details = {
        "median_ms": {k: round(v, 2) for k, v in medians.items()},
        "processor_ms": {str(r[0]): round(float(r[3]), 2) for r in rows},  # type: ignore[arg-type]
        "kept_mb": round(kept, 1),
    }
    return _bench.emit("films", worst, "ms", passed=passed, details=details)


if __name__ == "__main__":
    sys.exit(main())
