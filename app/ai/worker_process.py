"""Starting and ending the worker process. The pipe is inherited, not named: nobody else can speak to the worker.

``subprocess`` is used instead of ``multiprocessing.Process`` so that nothing is pickled to start it and the window's
modules are not imported in it. Works on Linux, macOS and Windows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from app.ai import messages
from app.domain.problem import ProblemError, fail

_PASSED = (
    "PATH",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
    "PROCESSOR_IDENTIFIER",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_PATH",
    "EKINSHI_RESOURCES",
    "LANG",
    "LC_ALL",
)
"""Everything else of the window's environment (credentials, proxies, addresses) stays with the window."""
_SEALED_LIMIT_BYTES = 4 << 30


@dataclass(frozen=True)
class WorkerOptions:
    trust: tuple[Path, ...]
    cache: Path | None = None
    """Folder for exported graphs and engine choices; None: nothing is kept and the engine order is fixed."""
    threads: int = 0
    """0: as many as there are cores."""
    engine: str = "auto"
    allow_bf16: bool = False
    test_code: Path | None = None
    """Tests only: a folder with further readers and networks."""

    def arguments(self) -> list[str]:
        given = ["--threads", str(self.threads), "--engine", self.engine]
        for path in self.trust:
            given += ["--trust", str(path.resolve())]
        if self.cache is not None:
            given += ["--cache", str(self.cache.resolve())]
        if self.allow_bf16:
            given.append("--allow-bf16")
        if self.test_code is not None:
            given += ["--test-code", str(self.test_code.resolve())]
        return given


class WorkerProcess:
    """A running worker and our end of its pipe."""

    def __init__(self, options: WorkerOptions) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="ekinshi-ai-", ignore_cleanup_errors=True)
        ours, theirs = Pipe(duplex=True)
        self.connection: Connection = ours  # a PipeConnection on Windows, with the same methods
        try:
            self._process = _start(theirs.fileno(), options, self._home.name)
        except OSError as error:
            ours.close()
            self._home.cleanup()
            raise fail("ai.worker.cannot_start", kind=type(error).__name__) from error
        finally:
            theirs.close()
        self.pid = self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def exit_code(self) -> int | None:
        return self._process.poll()

    def send(self, message: messages.Message) -> None:
        """Raises ``OSError`` when the worker is gone."""
        self.connection.send_bytes(messages.encode(message))

    def receive(self, timeout_s: float) -> tuple[messages.Message, bytes] | None:
        """The next message with its raw frame (empty but after ``Done``), or None. ``EOFError``/``OSError``: it is gone."""
        if not self.connection.poll(timeout_s):
            return None
        message = messages.decode(self.connection.recv_bytes(messages.MESSAGE_LIMIT_BYTES))
        if not isinstance(message, messages.Done):
            return message, b""
        if not 0 < message.sealed_bytes <= _SEALED_LIMIT_BYTES:
            raise fail("ai.message.bad")
        blob = self.connection.recv_bytes(message.sealed_bytes)
        if len(blob) != message.sealed_bytes:
            raise fail("ai.message.bad")
        return message, blob

    def end(self, patience_s: float = 0.0) -> None:
        """Ask, then kill; the pipe and the worker's own folder are gone afterwards. Idempotent."""
        if patience_s > 0 and self.alive():
            try:
                self.send(messages.Shutdown())
                self._process.wait(patience_s)
            except (OSError, subprocess.TimeoutExpired, ProblemError):
                pass  # it does not listen any more: killed below
        if self.alive():
            self._process.kill()
        self._process.wait()
        self.connection.close()
        self._home.cleanup()


def worker_environment(options: WorkerOptions, home: str) -> dict[str, str]:
    root = Path(__file__).resolve().parents[2]
    threads = str(options.threads or os.cpu_count() or 1)
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    environment |= dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), home)
    environment |= {"PYTHONPATH": str(root), "OMP_NUM_THREADS": threads, "PYTHONDONTWRITEBYTECODE": "1"}
    # torch's threads meet after every layer. One that waits in a loop keeps a busy machine's core from the one it waits for:
    # small networks took seconds instead of hundredths. A waiting thread shall sleep.
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    return environment


def _start(handle: int, options: WorkerOptions, home: str) -> subprocess.Popen[bytes]:
    environment = worker_environment(options, home)
    command = [sys.executable, "-m", "app.ai.worker", "--handle", str(handle), *options.arguments()]
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        start = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=home,
            startupinfo=start,
            creationflags=flags,
        )
    # What a reader prints could be a finding: its output goes nowhere.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=home,
        pass_fds=(handle,),
    )
