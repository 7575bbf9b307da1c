"""The window's side of the second readers: a queue, one supervised worker process, answers on the main thread.

No torch here, and no key: what comes back is ciphertext. A worker that dies, hangs or runs out of memory costs one job,
which is answered *failed, retry offered*; the next worker is started at once.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.ai import messages
from app.ai.read_job import OutcomeState, ProgressNote, ReadJob, ReadOutcome
from app.ai.reader_api import FilmImage
from app.ai.shared_array import ArrayHandle, OwnedArray
from app.ai.worker_process import WorkerOptions, WorkerProcess
from app.domain.ports import MainLoop
from app.domain.problem import Problem, ProblemError

OnProgress = Callable[[ProgressNote], None]
OnDone = Callable[[ReadOutcome], None]

_POLL_S = 0.02


@dataclass(frozen=True)
class Timing:
    """When the watchdog acts."""

    start_s: float = 90.0
    """A worker that has not said *ready* by then."""
    silence_s: float = 30.0
    """No heartbeat at all: the process is stuck."""
    hang_s: float = 90.0
    """Heartbeats, but the job makes no step."""
    cancel_s: float = 3.0
    """A cancelled job that does not stop."""


@dataclass(eq=False)
class JobHandle:
    """A job in the queue or under way; pass it to ``cancel``."""

    job_id: str
    priority: int
    job: ReadJob | None
    package_path: Path
    package_sha256: str
    on_progress: OnProgress | None = None
    on_done: OnDone | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


class SecondReaderClient:
    """``submit`` and ``cancel`` may be called from any thread; callbacks come through ``main_loop.post``."""

    def __init__(self, main_loop: MainLoop, options: WorkerOptions, timing: Timing = Timing()) -> None:
        self._main_loop = main_loop
        self._options = options
        self._timing = timing
        self._changed = threading.Condition()
        self._queue: list[tuple[int, int, JobHandle]] = []
        self._order = itertools.count()
        self._running: JobHandle | None = None
        self._preempted = False
        self._stopping = False
        self._warm_wanted = False
        self._worker: WorkerProcess | None = None
        self.workers_started = 0
        self._thread = threading.Thread(target=self._manage, name="second-readers", daemon=True)
        self._thread.start()

    # -- asked by the session ------------------------------------------------------------------------------------

    def submit(self, job: ReadJob, on_progress: OnProgress | None = None, on_done: OnDone | None = None) -> JobHandle:
        """Queue a read. ``on_done`` is called exactly once, whatever happens. A failed job may be submitted again."""
        if len(job.seal_public_key) != 32:
            raise ValueError('"seal_public_key" must be 32 bytes: a result never leaves the worker unsealed')
        handle = JobHandle(str(uuid.uuid4()), job.priority, job, job.package_path, job.package_sha256, on_progress, on_done)
        return self._put(handle)

    def self_test(self, package_path: Path, on_done: OnDone, package_sha256: str = "", priority: int = 0) -> JobHandle:
        """Install or check a package: signature, hashes, engines, golden cases. Outcome ``TESTED`` with a report."""
        return self._put(JobHandle(str(uuid.uuid4()), priority, None, package_path, package_sha256, None, on_done))

    def cancel(self, handle: JobHandle) -> None:
        """At once for a queued job; a running one stops at its next step, or is stopped after ``Timing.cancel_s``."""
        with self._changed:
            handle.cancelled.set()
            self._drop_cancelled()
            self._changed.notify_all()

    def warm(self) -> None:
        """Start the worker now, off the critical path."""
        with self._changed:
            self._warm_wanted = True
            self._changed.notify_all()

    def worker_pid(self) -> int | None:
        worker = self._worker
        return worker.pid if worker is not None and worker.alive() else None

    def shutdown(self, patience_s: float = 5.0) -> None:
        """Queued and running jobs are answered *cancelled*; the worker is gone when this returns."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(patience_s + self._timing.cancel_s + 5.0)

    def _put(self, handle: JobHandle) -> JobHandle:
        with self._changed:
            if self._stopping:
                raise ProblemError(Problem("ai.client.stopped"))
            self._queue.append((-handle.priority, next(self._order), handle))
            self._changed.notify_all()
        return handle

    # -- the manager thread ---------------------------------------------------------------------------------------

    def _manage(self) -> None:
        try:
            while True:
                handle = self._next()
                if handle is None:
                    break
                self._run(handle)
        finally:
            for _, _, handle in self._queue:
                self._finish(handle, ReadOutcome(handle.job_id, OutcomeState.CANCELLED))
            self._queue.clear()
            if self._worker is not None:
                self._worker.end(patience_s=1.0)
                self._worker = None

    def _next(self) -> JobHandle | None:
        while True:
            with self._changed:
                while not (self._stopping or self._queue or self._warm_wanted):
                    self._changed.wait(1.0)
                    self._drop_cancelled()
                if self._stopping:
                    return None
                self._drop_cancelled()
                if self._queue:
                    self._queue.sort(key=lambda entry: entry[:2])
                    self._running = self._queue.pop(0)[2]
                    return self._running
                self._warm_wanted = False
            with contextlib.suppress(ProblemError):  # told to whoever submits the next job
                self._ready_worker()

    def _drop_cancelled(self) -> None:
        for entry in [e for e in self._queue if e[2].cancelled.is_set()]:
            self._queue.remove(entry)
            self._finish(entry[2], ReadOutcome(entry[2].job_id, OutcomeState.CANCELLED))

    def _run(self, handle: JobHandle) -> None:
        start = time.monotonic()
        blocks: list[OwnedArray] = []
        self._preempted = False
        try:
            worker = self._ready_worker()
            worker.send(_message(handle, blocks))
            outcome = self._supervise(worker, handle)
        except ProblemError as error:
            # The worker did not come up, hung, or there was no shared memory for the images.
            self._drop_worker()
            outcome = _failed(handle, error.problem, time.monotonic() - start)
        except (OSError, EOFError):
            code = self._drop_worker()
            problem = Problem("ai.worker.died", {"exit_code": code})
            outcome = _failed(handle, problem, time.monotonic() - start)
        finally:
            for block in blocks:
                block.close()
        with self._changed:
            self._running = None
            preempted = self._preempted and outcome.state is OutcomeState.CANCELLED and not handle.cancelled.is_set()
            if preempted and not self._stopping:
                self._queue.append((-handle.priority, next(self._order), handle))
                return
            self._warm_wanted = self._worker is None and not self._stopping
        self._finish(handle, outcome)

    def _ready_worker(self) -> WorkerProcess:
        if self._worker is not None and self._worker.alive():
            return self._worker
        self._drop_worker()
        self._worker = WorkerProcess(self._options)
        self.workers_started += 1
        deadline = time.monotonic() + self._timing.start_s
        while not self._stopping:
            try:
                received = self._worker.receive(_POLL_S * 5)
            except (OSError, EOFError) as error:
                raise ProblemError(Problem("ai.worker.died", {"exit_code": self._drop_worker()})) from error
            if received is not None and isinstance(received[0], messages.Ready):
                return self._worker
            if time.monotonic() > deadline:
                break
        self._drop_worker()
        raise ProblemError(Problem("ai.worker.cannot_start", {"kind": "timeout"}))

    def _drop_worker(self) -> int:
        worker, self._worker = self._worker, None
        if worker is None:
            return 0
        worker.end()
        return worker.exit_code() or 0

    def _supervise(self, worker: WorkerProcess, handle: JobHandle) -> ReadOutcome:
        """Until the job is answered. ``ProblemError``: it hangs; ``OSError``, ``EOFError``: the worker is dead."""
        begin = last_word = last_step = time.monotonic()
        steps = -1
        asked_at = 0.0
        while True:
            received = worker.receive(_POLL_S)
            now = time.monotonic()
            if received is not None:
                message, blob = received
                if getattr(message, "job_id", "") == handle.job_id:
                    last_word = now
                    if isinstance(message, messages.Heartbeat):
                        last_step, steps = (now, message.steps) if message.steps != steps else (last_step, steps)
                    elif isinstance(message, messages.Progress):
                        last_step = now
                        self._tell(handle, message)
                    else:
                        return _outcome(message, blob, handle, now - begin)
                continue
            if not asked_at and self._unwanted(handle):
                worker.send(messages.Cancel(handle.job_id))
                asked_at = now
            if asked_at and now - asked_at > self._timing.cancel_s:
                self._drop_worker()
                return ReadOutcome(handle.job_id, OutcomeState.CANCELLED, seconds=now - begin)
            if now - last_word > self._timing.silence_s or now - last_step > self._timing.hang_s:
                raise ProblemError(Problem("ai.worker.hung", {"seconds": round(now - last_step)}))

    def _unwanted(self, handle: JobHandle) -> bool:
        if handle.cancelled.is_set() or self._stopping:
            return True
        with self._changed:
            if any(entry[2].priority > handle.priority for entry in self._queue):
                self._preempted = True
        return self._preempted

    def _tell(self, handle: JobHandle, message: messages.Progress) -> None:
        if handle.on_progress is not None and not handle.cancelled.is_set():
            call, note = handle.on_progress, ProgressNote(handle.job_id, message.fraction, message.stage)
            self._main_loop.post(lambda: call(note))

    def _finish(self, handle: JobHandle, outcome: ReadOutcome) -> None:
        handle.done.set()
        if handle.on_done is not None:
            call = handle.on_done
            self._main_loop.post(lambda: call(outcome))


def _message(handle: JobHandle, blocks: list[OwnedArray]) -> messages.Job | messages.SelfTest:
    """The job as a message; its images are copied into shared memory that ``blocks`` owns."""
    job = handle.job
    if job is None:
        return messages.SelfTest(handle.job_id, str(handle.package_path.resolve()), handle.package_sha256)

    def shared(values: object) -> ArrayHandle:
        import numpy as np

        block = OwnedArray(np.asarray(values))
        blocks.append(block)
        return block.handle

    def film(f: FilmImage) -> messages.FilmInput:
        return messages.FilmInput(
            shared(f.values),
            f.sop_instance_uid,
            f.spacing_mm,
            f.detector_spacing_mm,
            f.laterality,
            f.view_position,
            f.patient_orientation,
            None if f.valid is None else shared(f.valid),
        )

    volume = None
    if job.volume is not None:
        v = job.volume
        volume = messages.VolumeInput(shared(v.voxels), v.geometry, v.unit, v.source_sop_instance_uids, v.interpolated)
    earlier = None
    if job.earlier is not None:
        earlier = messages.EarlierInput(job.earlier.study_date, tuple(film(f) for f in job.earlier.films))
    return messages.Job(
        handle.job_id,
        str(job.package_path.resolve()),
        job.package_sha256,
        job.seal_public_key.hex(),
        job.study_instance_uid,
        job.display_set_id,
        volume,
        tuple(film(f) for f in job.films),
        job.patient_age_years,
        job.patient_sex,
        dict(job.attributes),
        earlier,
    )


def _outcome(message: messages.Message, blob: bytes, handle: JobHandle, seconds: float) -> ReadOutcome:
    job_id = handle.job_id
    if isinstance(message, messages.Done):
        return ReadOutcome(job_id, OutcomeState.SEALED, blob, seconds=message.seconds)
    if isinstance(message, messages.Refused):
        return ReadOutcome(job_id, OutcomeState.REFUSED, problem=message.problem, seconds=seconds)
    if isinstance(message, messages.SelfTested):
        return ReadOutcome(job_id, OutcomeState.TESTED, seconds=seconds, report=message.report)
    if isinstance(message, messages.Cancelled):
        return ReadOutcome(job_id, OutcomeState.CANCELLED, seconds=seconds)
    if isinstance(message, messages.Failed):
        return _failed(handle, message.problem, message.seconds)
    raise ProblemError(Problem("ai.message.bad"))


def _failed(handle: JobHandle, problem: Problem, seconds: float) -> ReadOutcome:
    told = Problem(problem.code, problem.params, problem.severity, "safe.images_and_marks", "next.read_again")
    return ReadOutcome(handle.job_id, OutcomeState.FAILED, problem=told, retry_offered=True, seconds=seconds)
