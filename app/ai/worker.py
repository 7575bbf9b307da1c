"""The second readers' own process: ``python -m app.ai.worker`` with an inherited pipe. torch and the readers live only here.

One job at a time. Only sealed results leave; whatever goes wrong becomes a message, and the process stays usable.
Argument ``--test-code DIR`` (the tests' own readers and networks) is given by tests only; nothing in the product passes it.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import os
import queue
import re
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from app.ai import messages
from app.ai.package import Package, open_package
from app.ai.plain import PlainError
from app.ai.reader_api import EarlierFilms, FilmImage, Reader, ReaderJob, ReaderOutput
from app.ai.result_codec import encode_result, padded
from app.ai.shared_array import AttachedArray
from app.ai.telemetry_off import silence
from app.ai.trust import read_trust
from app.ai.worker_guard import close_in
from app.domain.finding import ReaderIdentity, ReadResult, Source
from app.domain.ports import Cancelled
from app.domain.problem import Problem, ProblemError, fail
from app.domain.volume import Volume

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from app.ai.engines.choose import Choice
    from app.ai.engines.networks import Engine

_HEARTBEAT_S = 1.0
_PROGRESS_EVERY_S = 0.1
_STAGE = re.compile(r"[a-z_.]{0,60}")
_PACKAGES_KEPT = 3
_REFUSALS = ("ai.package.", "ai.trust.", "ai.reader.", "ai.graph.", "ai.engine.")


@dataclass(frozen=True)
class Settings:
    trust: tuple[Path, ...]
    threads: int
    cache: Path | None
    engine: str
    allow_bf16: bool
    test_code: Path | None


@dataclass(frozen=True, eq=False)
class Loaded:
    package: Package
    engines: dict[str, Engine]
    choices: dict[str, Choice]
    reader: Reader

    @property
    def engine_name(self) -> str:
        return "+".join(sorted({choice.engine for choice in self.choices.values()})) or "none"


class Worker:
    def __init__(self, connection: Connection, settings: Settings, network_closed: bool) -> None:
        self._connection = connection
        self._settings = settings
        self._sending = threading.Lock()
        self._jobs: queue.SimpleQueue[messages.Job | messages.SelfTest] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._current = ""
        self._steps = 0
        self._loaded: dict[str, Loaded] = {}
        self._network_closed = network_closed

    def serve(self) -> None:
        self._send(messages.Ready(os.getpid(), self._network_closed))
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        while True:
            job = self._jobs.get()
            self._current, self._steps = job.job_id, 0
            answer, blob = self._answer(job)
            self._current = ""
            self._cancelled.discard(job.job_id)
            self._send(answer, blob)
            gc.collect()

    # -- talking -------------------------------------------------------------------------------------------------

    def _send(self, message: messages.Message, blob: bytes = b"") -> None:
        try:
            with self._sending:
                self._connection.send_bytes(messages.encode(message))
                if blob:
                    self._connection.send_bytes(blob)
        except OSError:
            os._exit(0)  # the client is gone: nobody is left to answer

    def _receive(self) -> None:
        while True:
            try:
                message = messages.decode(self._connection.recv_bytes(messages.MESSAGE_LIMIT_BYTES))
            except (OSError, EOFError, ProblemError):
                os._exit(0)  # the client is gone, or it speaks another language
            if isinstance(message, messages.Cancel):
                self._cancelled.add(message.job_id)
            elif isinstance(message, (messages.Job, messages.SelfTest)):
                self._jobs.put(message)
            elif isinstance(message, messages.Shutdown):
                os._exit(0)

    def _beat(self) -> None:
        while True:
            time.sleep(_HEARTBEAT_S)
            job_id = self._current
            if job_id:
                self._send(messages.Heartbeat(job_id, self._steps))

    # -- one job -------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Counts as a sign of life; raises ``Cancelled`` when the job is no longer wanted."""
        self._steps += 1
        if self._current in self._cancelled:
            raise Cancelled

    def _answer(self, job: messages.Job | messages.SelfTest) -> tuple[messages.Message, bytes]:
        start = time.perf_counter()

        def failed(code: str, **params: str | int | float) -> tuple[messages.Message, bytes]:
            problem = Problem(code, params, kept_safe="safe.images_and_marks", next_step="next.read_again")
            return messages.Failed(job.job_id, problem, time.perf_counter() - start), b""

        try:
            self.step()
            loaded = self._load(Path(job.package_path), job.package_sha256)
            if isinstance(job, messages.SelfTest):
                return messages.SelfTested(job.job_id, _report(loaded)), b""
            sealed = self._sealed(job, loaded)
            return messages.Done(job.job_id, len(sealed), round(time.perf_counter() - start, 3)), sealed
        except Cancelled:
            return messages.Cancelled(job.job_id), b""
        except ProblemError as error:
            if error.problem.code.startswith(_REFUSALS):
                return messages.Refused(job.job_id, error.problem), b""
            return failed(error.problem.code, **error.problem.params)
        except MemoryError:
            self._loaded.clear()
            return failed("ai.run.out_of_memory")
        except Exception as error:  # a reader's own mistake must not end the process
            if type(error).__name__ == "OutOfMemoryError":
                self._loaded.clear()
                return failed("ai.run.out_of_memory")
            return failed("ai.run.crashed", kind=type(error).__name__)

    def _load(self, path: Path, digest: str) -> Loaded:
        known = self._loaded.get(digest) if digest else None
        if known is not None:
            return known
        package = open_package(path, read_trust(*self._settings.trust), digest)
        reader = load_reader(package.head.manifest.reader, self._settings.test_code)
        engines: dict[str, Engine] = {}
        choices: dict[str, Choice] = {}
        if package.networks:
            from app.ai.engines.choose import Options, engines_for

            s = self._settings
            more = None if s.test_code is None else partial(_test_networks, s.test_code)
            engines, choices = engines_for(package, Options(s.threads, s.cache, s.engine, s.allow_bf16, more, self.step))
        loaded = Loaded(package, engines, choices, reader)
        while len(self._loaded) >= _PACKAGES_KEPT:
            self._loaded.pop(next(iter(self._loaded)))
        self._loaded[package.digest] = loaded
        return loaded

    def _sealed(self, job: messages.Job, loaded: Loaded) -> bytes:
        from app.ai.engines.networks import PackageNetworks
        from app.security.sealing import seal

        public_key = bytes.fromhex(job.seal_public_key)
        free_mb = _free_memory_mb()
        if free_mb is not None and free_mb < loaded.package.head.manifest.limits.ram_mb:
            raise MemoryError
        card = loaded.package.card
        identity = ReaderIdentity(
            loaded.reader.name,
            card.version,
            loaded.package.digest,
            card.operating_point,
            loaded.engine_name,
            card.research_use_only,
        )
        attached: list[AttachedArray] = []
        try:
            output = loaded.reader.run(
                _reader_job(job, identity, attached),
                PackageNetworks(loaded.engines, self.step),
                loaded.package.parameters(),
                _Progress(self, job.job_id),
            )
            self.step()
            content = _content(job, identity, output)
        finally:
            for array in attached:
                array.close()
        return seal(public_key, padded(content))

    def tell_progress(self, job_id: str, fraction: float, stage: str) -> None:
        self._send(messages.Progress(job_id, fraction, stage))


class _Progress:
    """The reader's :class:`app.domain.ports.Progress`; says little, so that progress tells nothing about the findings."""

    def __init__(self, worker: Worker, job_id: str) -> None:
        self._worker = worker
        self._job_id = job_id
        self._told = 0.0
        self._fraction = 0.0

    def report(self, fraction: float, stage: str = "") -> None:
        self._worker.step()
        self._fraction = max(self._fraction, min(1.0, float(fraction)))
        now = time.monotonic()
        if now - self._told >= _PROGRESS_EVERY_S:
            self._told = now
            # Hundredths and a fixed word: a count of candidates cannot be read from them.
            word = stage if _STAGE.fullmatch(stage) else ""
            self._worker.tell_progress(self._job_id, round(self._fraction, 2), word)

    def cancelled(self) -> bool:
        try:
            self._worker.step()
        except Cancelled:
            return True
        return False


def load_reader(name: str, test_code: Path | None = None) -> Reader:
    """``READER`` of ``app/ai/readers/<name>.py``. Raises ``ai.reader.missing`` when there is none."""
    file = test_code / "readers" / f"{name}.py" if test_code is not None else None
    try:
        if file is not None and file.is_file():
            module = _module_of(file)
        else:
            module = importlib.import_module(f"app.ai.readers.{name}")
        reader = cast(Reader, module.READER)
    except (ImportError, AttributeError) as error:
        raise fail("ai.reader.missing", reader=name) from error
    if reader.name != name:
        raise fail("ai.reader.missing", reader=name)
    return reader


def _module_of(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ekinshi_test_code_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(file.name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _test_networks(test_code: Path) -> dict[str, Any]:
    return dict(_module_of(test_code / "networks.py").ARCHITECTURES)


def _reader_job(job: messages.Job, identity: ReaderIdentity, attached: list[AttachedArray]) -> ReaderJob:
    def array(handle: Any) -> Any:
        one = AttachedArray(handle)
        attached.append(one)
        return one.values

    def film(f: messages.FilmInput) -> FilmImage:
        return FilmImage(
            array(f.values),
            f.sop_instance_uid,
            f.spacing_mm,
            f.laterality,
            f.view_position,
            f.patient_orientation,
            None if f.valid is None else array(f.valid),
            f.detector_spacing_mm,
        )

    volume = None
    if job.volume is not None:
        v = job.volume
        volume = Volume(array(v.voxels), v.geometry, v.unit, v.source_sop_instance_uids, v.interpolated)
    earlier = None
    if job.earlier is not None:
        earlier = EarlierFilms(job.earlier.study_date, tuple(film(f) for f in job.earlier.films))
    return ReaderJob(
        job.study_instance_uid,
        identity,
        volume,
        tuple(film(f) for f in job.films),
        job.display_set_id,
        job.patient_age_years,
        job.patient_sex,
        job.attributes,
        earlier,
    )


def _content(job: messages.Job, identity: ReaderIdentity, output: ReaderOutput) -> bytes:
    """The result's bytes. Raises ``ai.run.bad_output`` for what must not leave: another reader's name, NaN, wrong types."""
    if any(f.source is not Source.AI or f.reader != identity for f in output.findings):
        raise fail("ai.run.bad_output")
    result = ReadResult(
        identity,
        job.study_instance_uid,
        output.state,
        output.findings,
        output.heatmaps,
        output.masks,
        output.problems,
        job.display_set_id,
        0.0,
        output.measurements,
        output.teeth,
    )
    try:
        return encode_result(result)
    except PlainError as error:
        raise fail("ai.run.bad_output") from error


def _report(loaded: Loaded) -> dict[str, Any]:
    return {
        "digest": loaded.package.digest,
        "golden": len(loaded.package.golden),
        "networks": {
            name: {
                "engine": choice.engine,
                "channels_last": choice.channels_last,
                "max_difference": choice.max_difference,
                "seconds": choice.seconds,
                "rejected": dict(choice.rejected or {}),
            }
            for name, choice in loaded.choices.items()
        },
    }


def _free_memory_mb() -> int | None:
    """What Linux says is available; None elsewhere (there the run itself finds out)."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) // 1024
    except (OSError, ValueError):
        return None
    return None


def _connection(handle: int) -> Connection:
    if sys.platform == "win32":
        from multiprocessing.connection import PipeConnection

        return cast("Connection", PipeConnection(handle))
    from multiprocessing.connection import Connection as PosixConnection

    return PosixConnection(handle)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="app.ai.worker", description="Started by the client; not for people.")
    parser.add_argument("--handle", type=int, required=True)
    parser.add_argument("--trust", type=Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--engine", choices=("auto", "torch", "onnx", "openvino"), default="auto")
    parser.add_argument("--allow-bf16", action="store_true")
    parser.add_argument("--test-code", type=Path)
    given = parser.parse_args(arguments)
    threads = given.threads or os.cpu_count() or 1
    network_closed = close_in()
    silence()
    settings = Settings(tuple(given.trust), threads, given.cache, given.engine, given.allow_bf16, given.test_code)
    Worker(_connection(given.handle), settings, network_closed).serve()


if __name__ == "__main__":
    main()
