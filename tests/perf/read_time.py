"""Seconds and peak memory of each second reader that ships, volume in memory to findings, on two CPU threads.

Each reader reads a generated study of a stated size in the process of the benchmark, with the engine that the platform
chooses; the median of three runs counts (one with ``--quick``). Bars (two cores at rest): chest CT of 143 slices 30 s, 3 GB.
"""

from __future__ import annotations

import resource
import statistics
import sys
from collections.abc import Callable
from typing import Any

from tests.perf._bench import arguments, emit, say, seconds_of, table, warn

LUNG_SHAPE = (143, 512, 512)
LUNG_SPACING = (2.0, 0.7, 0.7)
BARS_S = {"lung_ct": 30.0}
MEMORY_BAR_MB = 3000.0


def lung_ct() -> tuple[Callable[[], Any], str]:
    """(one read, what is read)."""
    from app.ai.reader_api import ReaderJob
    from app.ai.readers.lung_ct import READER
    from app.ai.training.evaluation.common import open_reader
    from app.domain.finding import ReaderIdentity
    from app.domain.ports import SilentProgress
    from app.samples.chest_ct import generate_chest_ct

    opened = open_reader("lung_ct", threads=2)
    phantom = generate_chest_ct(77, LUNG_SHAPE, LUNG_SPACING, 5)
    job = ReaderJob("1.2.3", ReaderIdentity("lung_ct", "1", opened.package.digest), phantom.volume)

    def read() -> Any:
        out = READER.run(job, opened.nets, opened.parameters, SilentProgress())
        if out.state != "completed":
            raise RuntimeError(f"the reader says {out.state}")
        return out

    return read, f"generated chest CT, {LUNG_SHAPE[0]} slices of {LUNG_SHAPE[1]} x {LUNG_SHAPE[2]}, engine {opened.engine}"


READERS: dict[str, Callable[[], tuple[Callable[[], Any], str]]] = {"lung_ct": lung_ct}


def main() -> int:
    given = arguments(__doc__ or "")
    rows, details, passed = [], {}, True
    for name, make in READERS.items():
        read, study = make()
        rounds = 1 if given.quick else 3
        seconds = statistics.median(seconds_of(read) for _ in range(rounds))
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
        good = seconds <= BARS_S[name] and megabytes <= MEMORY_BAR_MB
        passed &= good
        rows.append((name, seconds, BARS_S[name], megabytes, study))
        details[name] = {"seconds": round(seconds, 2), "bar_s": BARS_S[name], "peak_mb": round(megabytes), "study": study}
        if not good:
            warn(f"{name} is over its bar")
    table(rows, ("reader", "seconds", "bar", "peak MB", "study"))
    say()
    worst = max(details, key=lambda n: details[n]["seconds"] / details[n]["bar_s"])
    value, bar = details[worst]["seconds"], details[worst]["bar_s"]
    return emit("read_time", value, "s", "bar", bar, bar / max(value, 1e-9), passed, details)


if __name__ == "__main__":
    raise SystemExit(main())
