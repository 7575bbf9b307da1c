"""How quickly the second readers' process starts, takes a large volume, stops when cancelled and comes back when killed.

``python -m tests.perf.second_reader_worker``; the bars are those of the design (cancel 300 ms, restart 5 s, submit 100 ms).
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.ai.client import SecondReaderClient
from app.ai.read_job import OutcomeState, ProgressNote, ReadJob, ReadOutcome
from app.ai.read_now import InlineLoop
from app.ai.worker_process import WorkerOptions
from app.domain.geometry import VolumeGeometry
from app.domain.volume import Volume
from app.security.sealing import generate_seal_pair
from tests.ai import tiny_package
from tests.perf._bench import arguments, emit, table


class _Run:
    def __init__(self, client: SecondReaderClient, job: ReadJob) -> None:
        self.began, self.done = threading.Event(), threading.Event()
        self.outcome: ReadOutcome | None = None
        self.handle = client.submit(job, self._told, self._finished)

    def _told(self, _note: ProgressNote) -> None:
        self.began.set()

    def _finished(self, outcome: ReadOutcome) -> None:
        self.outcome = outcome
        self.done.set()


def main() -> int:
    arguments(__doc__ or "")
    public = generate_seal_pair().public_key
    rows: list[tuple[str, float, str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        bare = tiny_package.install(Path(folder), tiny_package.no_network_parts())
        options = WorkerOptions((bare.trust_path,), threads=1, test_code=tiny_package.CODE)
        slow = tiny_package.job(bare, public, attributes={"mode": "slow"})
        start = time.perf_counter()
        client = SecondReaderClient(InlineLoop(), options)
        run = _Run(client, slow)
        run.began.wait(60)
        rows.append(("worker start to first progress", time.perf_counter() - start, "s", 5.0))
        client.cancel(run.handle)
        run.done.wait(60)

        cancels = []
        for _ in range(20):
            run = _Run(client, slow)
            run.began.wait(60)
            start = time.perf_counter()
            client.cancel(run.handle)
            run.done.wait(60)
            cancels.append((time.perf_counter() - start) * 1000)
        rows.append(("cancel, largest of 20", max(cancels), "ms", 300.0))

        restarts = []
        for _ in range(5):
            run = _Run(client, slow)
            run.began.wait(60)
            pid = client.worker_pid()
            assert pid is not None
            start = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            run.done.wait(60)
            assert run.outcome is not None
            assert run.outcome.state is OutcomeState.FAILED
            again = _Run(client, slow)
            again.began.wait(60)
            restarts.append(time.perf_counter() - start)
            client.cancel(again.handle)
            again.done.wait(60)
        rows.append(("killed to next progress, median of 5", statistics.median(restarts), "s", 5.0))

        geometry = VolumeGeometry.axial((600, 512, 512), (0.6, 0.7, 0.7))
        large = replace(slow, volume=Volume(np.zeros(geometry.shape, np.int16), geometry, "HU"))
        start = time.perf_counter()
        run = _Run(client, large)
        submitted = (time.perf_counter() - start) * 1000
        run.began.wait(60)
        rows.append(("600 slices handed over", time.perf_counter() - start, "s", 5.0))
        rows.append(("submit blocks the caller", submitted, "ms", 100.0))
        client.shutdown()
    table(rows, ("what", "measured", "unit", "bar"))
    cancel = next(row for row in rows if row[0].startswith("cancel"))
    details = {name: round(value, 3) for name, value, _, _ in rows}
    passed = all(value <= bar for _, value, _, bar in rows)
    return emit(
        "second_reader_worker", cancel[1], "ms", "bar of the design", cancel[3], cancel[3] / cancel[1], passed, details
    )


if __name__ == "__main__":
    raise SystemExit(main())
