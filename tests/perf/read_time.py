"""Seconds and peak memory of each second reader that ships, pixels in memory to findings, on two CPU threads.

    python -m tests.perf.read_time [--quick] [--only NAME]

Each reader reads a generated study of a stated size in a process of its own, with the engine that the platform chooses
(chosen before the clock starts, as on a PC where the reader has read once); the median of five runs counts (one with
``--quick``). Bars on two cores at rest: chest CT of 143 slices 30 s, panoramic and chest film 3 s, mammogram of four views
30 s, head CT 10 s; 3 GB. An intra-oral film has no bar of its own: it is held to that of the other dental film.
``breast_fine`` is the mammogram on the finest pixels. ``processor_s`` is what a run computed, on all threads.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.perf._bench import emit, say, seconds_of, table, warn

BARS_S = {
    "lung_ct": 30.0,
    "head_ct": 10.0,
    "breast": 30.0,
    "breast_fine": 30.0,
    "chest_xray": 3.0,
    "dental_panoramic": 3.0,
    "dental_intraoral": 3.0,
}
MEMORY_BAR_MB = 3000.0


def lung_ct() -> tuple[dict[str, Any], str]:
    """(what the job holds, the study in words)."""
    from app.samples.chest_ct import generate_chest_ct

    made = generate_chest_ct(77, (143, 512, 512), (2.0, 0.7, 0.7), 5)
    return {"volume": made.volume}, "generated chest CT, 143 slices of 512 x 512"


def head_ct() -> tuple[dict[str, Any], str]:
    from app.samples.head_anatomy import Bleed
    from app.samples.head_ct import generate_head_ct

    made = generate_head_ct(5, bleed=Bleed())
    planes, rows, columns = made.volume.voxels.shape
    return {"volume": made.volume}, f"generated head CT, {planes} slices of {rows} x {columns}"


def breast() -> tuple[dict[str, Any], str]:
    from app.ai.reader_api import FilmImage
    from app.samples.mammogram import Lesion, generate_mammogram

    views = generate_mammogram(1, lesions=(Lesion(diameter_mm=18),))
    films = []
    for n, view in enumerate(views):
        mm = (view.pixel_mm, view.pixel_mm)
        values = view.pixels.astype(np.float32)
        side, name = view.laterality, view.view_position
        films.append(FilmImage(values, f"2.25.{n}", mm, side, name, view.patient_orientation, None, mm))
    return {
        "films": tuple(films)
    }, f"generated mammogram, 4 views of {films[0].values.shape[1]} x {films[0].values.shape[0]}"


def breast_fine() -> tuple[dict[str, Any], str]:
    """The same views enlarged to 0.05 mm, with grain of one pixel: nothing drawn is finer than 0.1 mm."""
    import cv2

    given, _ = breast()
    rows, columns, mm = 5625, 4096, (0.05, 0.05)
    grain = np.random.default_rng(3).normal(0.0, 15.0, (rows, columns)).astype(np.float32)
    films = []
    for film in given["films"]:
        near = film.values if film.laterality == "L" else film.values[:, ::-1]  # the chest wall on the left
        large = cv2.resize(near, (rows * 3 // 4, rows), interpolation=cv2.INTER_CUBIC)[:, :columns]
        wide = large if film.laterality == "L" else large[:, ::-1]
        values = np.where(wide > 50, wide + grain, 0).astype(np.float32)
        films.append(replace(film, values=values, spacing_mm=mm, detector_spacing_mm=mm))
    return {"films": tuple(films)}, f"generated mammogram, 4 views of {columns} x {rows}"


def chest_xray() -> tuple[dict[str, Any], str]:
    from app.ai.reader_api import FilmImage
    from app.samples.chest_film import FilmNodule, generate_chest_film

    made = generate_chest_film(1, nodules=(FilmNodule(-70, 150, 22.0),), columns=2048)
    film = FilmImage(made.pixels.astype(np.float32), "2.25.1", None, "", "PA", ("L", "F"))
    return {"films": (film,)}, f"generated chest film, {made.pixels.shape[1]} x {made.pixels.shape[0]}"


def dental_panoramic() -> tuple[dict[str, Any], str]:
    from app.ai.reader_api import FilmImage
    from app.samples.panoramic import generate_panoramic

    pixels = generate_panoramic(3, columns=2400).pixels
    return {"films": (FilmImage(pixels.astype(np.float32), "2.25.1"),)}, (
        f"generated panoramic film, {pixels.shape[1]} x {pixels.shape[0]}"
    )


def dental_intraoral() -> tuple[dict[str, Any], str]:
    from app.ai.reader_api import FilmImage
    from app.samples.intraoral import generate_intraoral

    pixels, mm = generate_intraoral(917, pixel_mm=0.03).pixels, (0.03, 0.03)
    film = FilmImage(pixels.astype(np.float32), "2.25.1", mm, detector_spacing_mm=mm)
    return {"films": (film,)}, f"generated intra-oral film, {pixels.shape[1]} x {pixels.shape[0]}"


READERS: dict[str, Callable[[], tuple[dict[str, Any], str]]] = {
    f.__name__: f for f in (lung_ct, head_ct, breast, breast_fine, chest_xray, dental_panoramic, dental_intraoral)
}


def one(name: str, rounds: int) -> dict[str, Any]:
    """Seconds, peak and study of one reader, measured in this process. The study is made before the clock starts."""
    from app.ai.reader_api import ReaderJob
    from app.ai.training.evaluation.common import open_reader
    from app.domain.finding import ReaderIdentity, ReadState
    from app.domain.ports import SilentProgress

    given, study = READERS[name]()
    own = name.removesuffix("_fine")
    opened = open_reader(own, threads=2)
    reader = importlib.import_module(f"app.ai.readers.{own}").READER
    job = ReaderJob("2.25.1", ReaderIdentity(own, "0", opened.package.digest), **given)
    found = 0

    def read() -> None:
        nonlocal found
        out = reader.run(job, opened.nets, opened.parameters, SilentProgress())
        if out.state is not ReadState.COMPLETED:
            raise RuntimeError(f"the reader says {out.state}: {[p.code for p in out.problems]}")
        found = len(out.findings)

    started = time.process_time()
    first = seconds_of(read)
    times = [first] if rounds == 1 else [seconds_of(read) for _ in range(rounds)]
    computed = (time.process_time() - started) / (1 if rounds == 1 else rounds + 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return {
        "seconds": round(statistics.median(times), 2),
        "first_s": round(first, 2),
        "processor_s": round(computed, 2),
        "bar_s": BARS_S[name],
        "peak_mb": round(peak),
        "findings": found,
        "study": f"{study}, engine {opened.engine}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run each")
    parser.add_argument("--only", choices=sorted(READERS), help="this reader, measured in this process")
    given = parser.parse_args()
    rounds = 1 if given.quick else 5
    if given.only:
        print(json.dumps(one(given.only, rounds)))
        return 0
    details: dict[str, dict[str, Any]] = {}
    for name in READERS:
        command = [sys.executable, "-m", "tests.perf.read_time", "--only", name, *(["--quick"] if given.quick else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            say(done.stderr)
            return emit("read_time", 0.0, "s", "bar", 0.0, 0.0, False, {"failed": name})
        details[name] = json.loads(done.stdout.splitlines()[-1])
    passed = True
    for name, found in details.items():
        good = found["seconds"] <= found["bar_s"] and found["peak_mb"] <= MEMORY_BAR_MB
        passed &= good
        if not good:
            warn(f"{name} is over its bar")
    rows = [(n, d["seconds"], d["bar_s"], d["first_s"], d["peak_mb"], d["study"]) for n, d in details.items()]
    table(rows, ("reader", "seconds", "bar", "first run", "peak MB", "study"))
    say()
    worst = max(details, key=lambda n: details[n]["seconds"] / details[n]["bar_s"])
    value, bar = details[worst]["seconds"], details[worst]["bar_s"]
    return emit("read_time", value, "s", "bar", bar, bar / max(value, 1e-9), passed, details)


if __name__ == "__main__":
    raise SystemExit(main())
