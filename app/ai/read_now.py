"""One read from start to plain result, for the command line and for evaluation: the seal's key lives only in this call.

Not for the window: there ``session/second_read.py`` keeps the key and opens a result only after the commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.ai.client import SecondReaderClient, Timing
from app.ai.read_job import OutcomeState, ProgressNote, ReadJob, ReadOutcome
from app.ai.result_codec import decode_result
from app.ai.worker_process import WorkerOptions
from app.domain.finding import ReadResult
from app.domain.ports import Cancelled, Progress
from app.domain.problem import Problem, ProblemError


class InlineLoop:
    """A main loop for a program that only waits: calls are made at once, on the client's thread."""

    def post(self, call: Callable[[], None]) -> None:
        call()


@dataclass
class _Waiting:
    done: threading.Event
    outcome: ReadOutcome | None = None


def read_now(
    job: ReadJob, options: WorkerOptions, progress: Progress | None = None, client: SecondReaderClient | None = None
) -> ReadResult:
    """Run one job and open its answer. Raises ``ProblemError`` when refused or failed, ``Cancelled`` when asked to stop.

    ``client`` (made with :class:`InlineLoop`) may be given to read several studies with one worker.
    """
    from app.security.sealing import generate_seal_pair, unseal

    pair = generate_seal_pair()
    sealed_job = replace(job, seal_public_key=pair.public_key)
    outcome = _wait(options, client, progress, lambda c, told, done: c.submit(sealed_job, told, done))
    return decode_result(unseal(pair.private_key, outcome.sealed), outcome.seconds)


def self_test_now(package_path: Path, options: WorkerOptions, client: SecondReaderClient | None = None) -> dict[str, Any]:
    """The report of a package's self-test (``ekinshi models self-test``). Raises ``ProblemError`` when it does not pass."""
    return dict(_wait(options, client, None, lambda c, _told, done: c.self_test(package_path, done)).report)


def _wait(options: WorkerOptions, client: SecondReaderClient | None, progress: Progress | None, start: Any) -> ReadOutcome:
    own = client is None
    used = client or SecondReaderClient(InlineLoop(), options, Timing())
    waiting = _Waiting(threading.Event())

    def told(note: ProgressNote) -> None:
        if progress is not None:
            progress.report(note.fraction, note.stage)

    def done(outcome: ReadOutcome) -> None:
        waiting.outcome = outcome
        waiting.done.set()

    try:
        handle = start(used, told, done)
        while not waiting.done.wait(0.05):
            if progress is not None and progress.cancelled():
                used.cancel(handle)
    finally:
        if own:
            used.shutdown()
    outcome = waiting.outcome
    if outcome is None or outcome.state is OutcomeState.CANCELLED:
        raise Cancelled
    if outcome.state in (OutcomeState.REFUSED, OutcomeState.FAILED):
        raise ProblemError(outcome.problem or Problem("ai.worker.died", {"exit_code": 0}))
    return outcome
