"""Peak resident memory of stated scenarios, each in a process of its own, and the times that memory is paid for.

``python -m tests.perf.memory [--quick] [--only NAME ...]``. Generated data in libraries of their own:

``ct``: the imports alone, an empty library, a CT of 300 slices (--quick 60) imported, opened, scrolled and reformatted;
bar: 700 MiB beside twice its pixels. ``ct2000``: 2,000 slices of 512 x 512, scrolled and in three reformats, within 2,560
MiB. ``seg98`` and ``labels98``: 98 segments over 300 slices, as one bit a voxel and as a label map, on screen within 2 s.
``tomo`` and ``tomo_ls``: a breast tomosynthesis of 70 frames of 2560 x 2560, 16 bits (900 MB), uncompressed and JPEG-LS,
scrolls at a median of 200 ms a frame, within 2,560 MiB. --quick makes all of them smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.perf import _bench, memory_scenes

ROOT = Path(__file__).resolve().parents[2]
BESIDE_PIXELS_MIB = 700.0
CEILING_MIB = 2560.0
ON_SCREEN_S = 2.0
FRAME_MS = 200.0
peak_mib = memory_scenes.peak_mib


def in_child(scene: str, folder: Path, environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.perf.memory", "--child", scene, str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1200)
    if done.returncode != 0:
        raise SystemExit(f"{scene} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]


def in_own_process(call: str) -> float:
    """Makes data in a process of its own: what it took must not be counted."""
    code = f"from tests.perf import memory_scenes as m; from pathlib import Path; print(m.{call})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode != 0:
        raise SystemExit(f"{call} failed:\n{done.stderr[-3000:]}")
    return float(done.stdout.strip().splitlines()[-1])


def ct(folder: Path, quick: bool, environment: dict[str, str]) -> dict[str, Any]:
    slices = 60 if quick else 300
    pixels = in_own_process(f"ct(Path({str(folder)!r}), {slices})")
    scenes = ("nothing", "empty_library", "open_ct", "import")
    peaks = {name: in_child(name, folder, environment)["peak_mib"] for name in scenes}
    bars = [
        (f"CT of {slices} slices, opened and reformatted", peaks["open_ct"], "<=", 2 * pixels + BESIDE_PIXELS_MIB, "MiB")
    ]
    return {**peaks, "slices": slices, "pixels_mib": round(pixels, 1), "bars": bars}


def ct2000(folder: Path, quick: bool, environment: dict[str, str]) -> dict[str, Any]:
    slices = 500 if quick else 2000
    pixels = in_own_process(f"ct(Path({str(folder)!r}), {slices})")
    found = in_child("open_ct", folder, environment)
    bars = [
        (f"CT of {slices} slices with MPR", found["peak_mib"], "<=", CEILING_MIB, "MiB"),
        ("planes on screen at the end", found["reformats"], ">=", 3.0, ""),
    ]
    return {**found, "slices": slices, "pixels_mib": round(pixels, 1), "bars": bars}


def segmented(label_map: bool) -> Callable[[Path, bool, dict[str, str]], dict[str, Any]]:
    def run(folder: Path, quick: bool, environment: dict[str, str]) -> dict[str, Any]:
        slices = 60 if quick else 300
        size = in_own_process(f"segmented_ct(Path({str(folder)!r}), {slices}, 98, {label_map})")
        found = in_child("segments", folder, environment)
        kind = "label map" if label_map else "one bit a voxel"
        bars = [(f"98 segments, {kind}, on screen", found["on_screen_s"], "<=", ON_SCREEN_S, "s")]
        return {**found, "slices": slices, "file_mib": round(size, 1), "bars": bars}

    return run


def tomo(jpeg_ls: bool) -> Callable[[Path, bool, dict[str, str]], dict[str, Any]]:
    def run(folder: Path, quick: bool, environment: dict[str, str]) -> dict[str, Any]:
        size = in_own_process(f"tomosynthesis(Path({str(folder)!r}), {jpeg_ls}, {15 if quick else 70})")
        found = in_child("scroll", folder, environment)
        kind = "JPEG-LS" if jpeg_ls else "uncompressed"
        bars = [
            (f"tomosynthesis of {size:.0f} MiB, {kind}, a scrolled frame", found["frame_ms"], "<=", FRAME_MS, "ms"),
            ("its peak", found["peak_mib"], "<=", CEILING_MIB, "MiB"),
        ]
        return {**found, "pixels_mib": round(size, 1), "bars": bars}

    return run


PARTS: dict[str, Callable[[Path, bool, dict[str, str]], dict[str, Any]]] = {
    "ct": ct,
    "ct2000": ct2000,
    "seg98": segmented(False),
    "labels98": segmented(True),
    "tomo": tomo(False),
    "tomo_ls": tomo(True),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller data; without --only the first part alone")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=[])
    parser.add_argument("--child", nargs=2, metavar=("SCENE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        found = memory_scenes.SCENES[options.child[0]](Path(options.child[1]))
        print(json.dumps({**found, "peak_mib": round(peak_mib(), 1)}))
        return 0
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    details: dict[str, Any] = {}
    bars: list[tuple[str, float, str, float, str]] = []
    for name in options.only or (["ct"] if options.quick else list(PARTS)):
        with tempfile.TemporaryDirectory(prefix="ekinshi-memory-") as folder:
            found = details[name] = PARTS[name](Path(folder), options.quick, environment)
        bars += found["bars"]
        _bench.say(f"{name}: " + ", ".join(f"{k} {v}" for k, v in found.items() if k != "bars"))
    passed = _bench.bars(bars)
    first = next(iter(details.values()))
    peak = first.get("peak_mib", first.get("open_ct"))
    return _bench.emit("memory", peak, "MiB", passed=passed, details=details)


if __name__ == "__main__":
    sys.exit(main())
