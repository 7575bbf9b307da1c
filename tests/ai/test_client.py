"""The client and its worker: sealed answers, and every way in which a worker can go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.ai.catalogue import Catalogue
from app.ai.client import JobHandle, SecondReaderClient
from app.ai.package import Limits
from app.ai.read_job import PRIORITY_STROKE, OutcomeState, ProgressNote, ReadJob, ReadOutcome
from app.ai.read_now import InlineLoop, read_now, self_test_now
from app.ai.result_codec import decode_result, encode_result
from app.ai.worker_process import WorkerOptions, worker_environment
from app.domain.finding import ReadResult, ReadState
from app.domain.ports import Cancelled
from app.domain.problem import ProblemError
from app.security.sealing import generate_seal_pair, unseal
from tests.ai import tiny_package
from tests.ai.conftest import QUICK, shared_blocks
from tests.ai.tiny_package import Installed

PAIR = generate_seal_pair()


class Waiter:
    def __init__(self) -> None:
        self.outcomes: list[ReadOutcome] = []
        self.notes: list[ProgressNote] = []
        self._done = threading.Event()
        self.began = threading.Event()

    def progress(self, note: ProgressNote) -> None:
        self.notes.append(note)
        self.began.set()

    def done(self, outcome: ReadOutcome) -> None:
        self.outcomes.append(outcome)
        self._done.set()

    def wait(self) -> ReadOutcome:
        assert self._done.wait(120), "no answer"
        return self.outcomes[0]


def _job(installed: Installed, mode: str = "", **changes: object) -> ReadJob:
    return tiny_package.job(installed, PAIR.public_key, attributes={"mode": mode} if mode else {}, **changes)


def _submit(client: SecondReaderClient, job: ReadJob) -> tuple[Waiter, JobHandle]:
    waiter = Waiter()
    return waiter, client.submit(job, waiter.progress, waiter.done)


def _open(outcome: ReadOutcome) -> ReadResult:
    assert outcome.state is OutcomeState.SEALED, outcome.problem
    return decode_result(unseal(PAIR.private_key, outcome.sealed), outcome.seconds)


def test_a_read_finds_the_blob_in_patient_millimetres(client: SecondReaderClient, tiny: Installed) -> None:
    waiter, _ = _submit(client, _job(tiny))
    result = _open(waiter.wait())
    assert result.state is ReadState.COMPLETED
    assert result.reader.package_sha256 == tiny.digest
    assert (result.reader.name, result.reader.version) == ("tiny", "1.0.0")
    centre = result.findings[0].location.centre_lps_mm
    assert centre is not None
    k, j, i = tiny_package.volume().geometry.to_index(centre)
    assert max(abs(k - 5), abs(j - 6), abs(i - 7)) <= 1.01
    assert result.heatmaps[0].values.shape == (9, 12, 14)
    assert result.heatmaps[0].geometry == tiny_package.volume().geometry
    assert result.masks[0].values.any()
    assert result.findings[0].measurements[0].value == 4.1235
    assert result.display_set_id == "set"
    assert not shared_blocks()


def test_the_worker_sees_little_of_the_window_and_its_waiting_threads_sleep(
    options: WorkerOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://name:word@proxy")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    given = worker_environment(replace(options, threads=2), str(tmp_path))
    assert "HTTPS_PROXY" not in given
    assert (given["OMP_NUM_THREADS"], given["OMP_WAIT_POLICY"], given["HOME"]) == ("2", "PASSIVE", str(tmp_path))


def test_a_repeated_run_has_the_same_bytes(options: WorkerOptions, tiny: Installed) -> None:
    contents = {encode_result(read_now(_job(tiny), options)) for _ in range(2)}
    assert len(contents) == 1
    without_cache = replace(options, cache=None)
    assert encode_result(read_now(_job(tiny), without_cache)) == encode_result(read_now(_job(tiny), without_cache))


def test_the_self_test_says_which_engine_and_how_near(options: WorkerOptions, tiny: Installed) -> None:
    report = self_test_now(tiny.path, options)
    assert report["digest"] == tiny.digest
    assert report["golden"] == 1
    assert report["networks"]["finder"]["engine"] in ("torch", "onnx", "openvino")
    assert report["networks"]["finder"]["max_difference"] <= 1e-3


def test_golden_mismatch_is_refused(options: WorkerOptions, tmp_path: Path) -> None:
    made = tiny_package.parts()
    case = replace(made.golden["case"], output=np.asarray(made.golden["case"].output) + np.float32(0.02))
    wrong = tiny_package.install(tmp_path, replace(made, golden={"case": case}))
    with pytest.raises(ProblemError) as caught:
        self_test_now(wrong.path, options)
    assert caught.value.problem.code == "ai.package.golden_mismatch"
    assert options.cache is not None
    kept = Catalogue([tmp_path], [wrong.trust_path]).installed()[0].digest[:32]
    assert not (options.cache / kept / "engines.json").exists()


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("memory", "ai.run.out_of_memory"),
        ("crash", "ai.run.crashed"),
        ("network", "ai.run.crashed"),
        ("wrong_name", "ai.run.bad_output"),
    ],
)
def test_a_reader_that_fails_costs_one_job_and_not_the_worker(
    client: SecondReaderClient, bare: Installed, mode: str, code: str
) -> None:
    outcome = _submit(client, _job(bare, mode))[0].wait()
    assert (outcome.state, outcome.retry_offered) == (OutcomeState.FAILED, True)
    assert outcome.problem is not None
    assert outcome.problem.code == code
    assert "patient" not in str(outcome.problem)
    if mode == "network":
        assert outcome.problem.params["kind"] == "PermissionError"
    pid = client.worker_pid()
    outcome = _submit(client, _job(bare, "crash"))[0].wait()
    assert client.worker_pid() == pid
    assert client.workers_started == 1


def test_a_network_that_overflows_is_a_failure_never_a_result(client: SecondReaderClient, tmp_path: Path) -> None:
    from app.ai.package import GoldenCase, NetworkSpec

    small = np.full((1, *tiny_package.SHAPE), 0.5, np.float16)
    answer = np.ones(small.shape, np.float32)
    made = replace(
        tiny_package.parts(),
        networks={"finder": NetworkSpec("overflow", {}, tiny_package.SHAPE, True)},
        weights={"finder": {"scale": np.ones(1, np.float16)}},
        golden={"case": GoldenCase("finder", small, answer)},
    )
    outcome = _submit(client, _job(tiny_package.install(tmp_path, made), "bright"))[0].wait()
    assert outcome.problem is not None
    assert outcome.problem.code == "ai.run.output_not_finite"
    assert (outcome.state, outcome.retry_offered) == (OutcomeState.FAILED, True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_a_killed_worker_is_replaced_and_the_job_may_be_tried_again(client: SecondReaderClient, bare: Installed) -> None:
    waiter, handle = _submit(client, _job(bare, "slow"))
    assert waiter.began.wait(60)
    first = client.worker_pid()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    outcome = waiter.wait()
    assert (outcome.state, outcome.retry_offered) == (OutcomeState.FAILED, True)
    assert outcome.problem is not None
    assert outcome.problem.code == "ai.worker.died"
    assert outcome.problem.params["exit_code"] == -signal.SIGKILL
    assert not shared_blocks()
    assert handle.job is not None
    again = _submit(client, replace(handle.job, attributes={"mode": "crash"}))[0].wait()
    assert again.problem is not None
    assert again.problem.code == "ai.run.crashed"
    assert client.worker_pid() not in (None, first)


def test_a_reader_that_kills_its_process_is_answered(client: SecondReaderClient, bare: Installed) -> None:
    outcome = _submit(client, _job(bare, "kill"))[0].wait()
    assert outcome.problem is not None
    assert outcome.problem.code == "ai.worker.died"


def test_a_reader_that_hangs_is_stopped(options: WorkerOptions, bare: Installed) -> None:
    client = SecondReaderClient(InlineLoop(), options, replace(QUICK, hang_s=2.0))
    outcome = _submit(client, _job(bare, "hang"))[0].wait()
    client.shutdown()
    assert outcome.problem is not None
    assert outcome.problem.code == "ai.worker.hung"
    assert outcome.retry_offered


def test_a_reader_that_does_not_stop_when_cancelled_is_stopped(client: SecondReaderClient, bare: Installed) -> None:
    waiter, handle = _submit(client, _job(bare, "hang"))
    assert waiter.began.wait(60)
    client.cancel(handle)
    assert waiter.wait().state is OutcomeState.CANCELLED


def test_many_cancels_leave_the_worker_alive_and_no_memory_behind(client: SecondReaderClient, bare: Installed) -> None:
    rng = np.random.default_rng(2)
    for n in range(100):
        waiter, handle = _submit(client, _job(bare, "slow"))
        if n % 4:
            assert waiter.began.wait(60)
            time.sleep(float(rng.uniform(0, 0.03)))
        client.cancel(handle)
        assert waiter.wait().state is OutcomeState.CANCELLED
        assert len(waiter.outcomes) == 1
    assert client.workers_started == 1
    assert not shared_blocks()


def test_a_stroke_job_overtakes_and_the_other_still_gets_its_answer(client: SecondReaderClient, bare: Installed) -> None:
    order: list[str] = []
    slow = _job(bare, "slow")
    waiter, handle = _submit(client, slow)
    assert waiter.began.wait(60)
    urgent = Waiter()
    client.submit(
        replace(_job(bare, "crash"), priority=PRIORITY_STROKE), None, lambda o: (order.append("stroke"), urgent.done(o))
    )
    urgent.wait()
    assert not waiter.outcomes
    client.cancel(handle)
    assert waiter.wait().state is OutcomeState.CANCELLED
    assert order == ["stroke"]


def test_shutdown_answers_everything_and_leaves_no_process(options: WorkerOptions, bare: Installed) -> None:
    client = SecondReaderClient(InlineLoop(), options, QUICK)
    waiters = [_submit(client, _job(bare, "slow"))[0] for _ in range(3)]
    assert waiters[0].began.wait(60)
    pid = client.worker_pid()
    assert pid is not None
    client.shutdown()
    assert [w.wait().state for w in waiters] == [OutcomeState.CANCELLED] * 3
    if sys.platform != "win32":
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(ProblemError):
        _submit(client, _job(bare))


def test_read_now_can_be_cancelled(options: WorkerOptions, bare: Installed) -> None:
    class Impatient:
        def __init__(self) -> None:
            self.told = 0

        def report(self, fraction: float, stage: str = "") -> None:
            self.told += 1

        def cancelled(self) -> bool:
            return self.told > 0

    with pytest.raises(Cancelled):
        read_now(_job(bare, "slow"), options, Impatient())


def test_a_package_of_an_unknown_signer_is_refused_by_the_worker(tiny: Installed, tmp_path: Path) -> None:
    from app.ai.trust import TrustList, write_trust

    write_trust(tmp_path / "trust.json", TrustList())
    with pytest.raises(ProblemError) as caught:
        read_now(_job(tiny), WorkerOptions((tmp_path / "trust.json",), test_code=tiny_package.CODE))
    assert caught.value.problem.code == "ai.package.untrusted"


def test_a_reader_that_the_program_does_not_have_is_refused(tiny: Installed) -> None:
    with pytest.raises(ProblemError) as caught:
        read_now(_job(tiny), WorkerOptions((tiny.trust_path,)))
    assert caught.value.problem.code == "ai.reader.missing"


# -- the seal ----------------------------------------------------------------------------------------------------


def test_before_the_seal_is_opened_nothing_in_this_process_tells_the_result(
    client: SecondReaderClient, tiny: Installed
) -> None:
    waiter, handle = _submit(client, _job(tiny))
    outcome = waiter.wait()
    plain = unseal(PAIR.private_key, outcome.sealed)
    finding_id = decode_result(plain).findings[0].finding_id.encode()
    assert finding_id in plain
    kept = repr((outcome, waiter.notes, handle)).encode() + outcome.sealed
    for word in (finding_id, b"27925004", b"Nodule", b"composition", b"findings"):
        assert word not in kept
    assert all(note.stage in ("", "ai.stage.prepare", "ai.stage.measure") for note in waiter.notes)


def test_progress_carries_no_counts(client: SecondReaderClient, bare: Installed) -> None:
    waiter, handle = _submit(client, _job(bare, "slow"))
    assert waiter.began.wait(60)
    time.sleep(0.5)
    client.cancel(handle)
    waiter.wait()
    assert len(waiter.notes) > 1
    assert all("17" not in note.stage for note in waiter.notes)


def test_an_empty_result_and_a_full_one_have_the_same_size(client: SecondReaderClient, tiny: Installed) -> None:
    from app.ai.result_codec import padded
    from app.security.sealing import seal

    outcome = _submit(client, _job(tiny))[0].wait()
    result = _open(outcome)
    empty = replace(result, findings=(), heatmaps=(), masks=(), state=ReadState.OUT_OF_SCOPE)
    assert len(seal(PAIR.public_key, padded(encode_result(empty)))) == len(outcome.sealed)


def test_a_job_without_a_seal_key_is_not_taken(client: SecondReaderClient, tiny: Installed) -> None:
    with pytest.raises(ValueError, match="unsealed"):
        client.submit(tiny_package.job(tiny, b""))


def test_the_clients_process_never_imports_an_engine(tiny: Installed, options: WorkerOptions) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.ai import tiny_package\n"
        "from app.ai.catalogue import Catalogue\n"
        "from app.ai.read_now import read_now\n"
        "from app.ai.worker_process import WorkerOptions\n"
        f"path, trust = Path({str(tiny.path)!r}), Path({str(tiny.trust_path)!r})\n"
        "installed = Catalogue([path.parent], [trust]).installed()[0]\n"
        f"job = tiny_package.job(tiny_package.Installed(path, trust, installed.digest))\n"
        f"result = read_now(job, WorkerOptions((trust,), Path({str(options.cache)!r}), 1, test_code=tiny_package.CODE))\n"
        "assert len(result.findings) == 1\n"
        "heavy = {'torch', 'onnxruntime', 'openvino', 'onnx', 'safetensors', 'PySide6', 'pickle5'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or None)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "leaked" not in done.stderr, done.stderr[-2000:]


def test_a_queued_job_is_cancelled_at_once(client: SecondReaderClient, bare: Installed) -> None:
    running, handle = _submit(client, _job(bare, "slow"))
    assert running.began.wait(60)
    queued, other = _submit(client, _job(bare))
    client.cancel(other)
    assert [o.state for o in queued.outcomes] == [OutcomeState.CANCELLED]
    assert not running.outcomes
    client.cancel(handle)
    running.wait()


def test_a_job_that_needs_more_memory_than_there_is_says_so_before_it_starts(
    client: SecondReaderClient, tmp_path: Path
) -> None:
    if not Path("/proc/meminfo").exists():
        pytest.skip("only Linux tells what is free")
    made = replace(tiny_package.no_network_parts(), limits=Limits(ram_mb=1 << 20))
    outcome = _submit(client, _job(tiny_package.install(tmp_path, made)))[0].wait()
    assert outcome.problem is not None
    assert outcome.problem.code == "ai.run.out_of_memory"


def test_a_whole_read_reaches_no_network_and_writes_nothing_at_home(tiny: Installed, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import sys\n"
        "def refuse(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.bind', 'socket.getaddrinfo', 'socket.sendto'):\n"
        "        raise PermissionError(event)\n"
        "sys.addaudithook(refuse)\n"
        "from pathlib import Path\n"
        "from tests.ai import tiny_package\n"
        "from app.ai.read_now import read_now\n"
        "from app.ai.worker_process import WorkerOptions\n"
        f"path, trust = Path({str(tiny.path)!r}), Path({str(tiny.trust_path)!r})\n"
        f"job = tiny_package.job(tiny_package.Installed(path, trust, {tiny.digest!r}))\n"
        "for engine in ('openvino', 'onnx'):\n"
        "    result = read_now(job, WorkerOptions((trust,), None, 1, engine, test_code=tiny_package.CODE))\n"
        "    assert result.reader.engine == engine\n"
    )
    environment = {**os.environ, "HOME": str(home), "USERPROFILE": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(home.iterdir())


def test_a_worker_whose_client_vanishes_ends(bare: Installed, options: WorkerOptions) -> None:
    from app.ai.worker_process import WorkerProcess

    worker = WorkerProcess(options)
    received = worker.receive(60)
    assert received is not None
    worker.connection.close()
    assert worker._process.wait(20) == 0
    worker.end()
