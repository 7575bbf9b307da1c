"""OpenJPH in processes of its own: twice as fast as OpenJPEG on HTJ2K, but hostile streams crash it.

Streams and values cross through shared memory: a pipe would copy half a megabyte a slice five times. The pipe carries JSON
and one byte of answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import numpy.typing as npt

from app.dicom.codecs.isolated import limit_memory
from app.dicom.codecs.stream_info import StreamInfo
from app.dicom.expendable import ExpendableProcess, expendable_already
from app.domain.problem import ProblemError, fail

Array = npt.NDArray[np.generic]

TIMEOUT_S = 30.0
_LEAST = 4 << 20
_MOST = 128 << 20
"""Of one frame with its stream: more goes to OpenJPEG."""
_DONE = b"1"


class FastDecoder:
    """One process with its memory. One caller at a time."""

    def __init__(self) -> None:
        self._child = ExpendableProcess(_serve, "htj2k-decoder", _died)
        self._memory: SharedMemory | None = None
        self._known_by = 0
        """The child that has the memory open; it has no name any more that another could open."""

    def start(self) -> None:
        with self._child.lock:
            self._ask({}, TIMEOUT_S)

    def decode(self, stream: bytes, info: StreamInfo) -> Array | None:
        """Values as the stream holds them, or None where OpenJPH refuses. Raises ``dicom.decoder_died``."""
        kind = np.dtype(f"{'i' if info.signed else 'u'}{1 if info.precision <= 8 else 2 if info.precision <= 16 else 4}")
        shape = (info.rows, info.columns) if info.components == 1 else (info.rows, info.columns, info.components)
        at = (len(stream) + 63) // 64 * 64
        need = at + info.rows * info.columns * info.components * kind.itemsize
        if need > _MOST:
            return None
        with self._child.lock:
            head: dict[str, object] = {"stream": len(stream), "at": at, "shape": shape, "dtype": kind.str}
            memory = self._memory
            if memory is None or memory.size < need or self._known_by != self._child.started or not self._child.alive():
                self._let_go()
                memory = self._memory = _reserved(max(need, _LEAST))
                if memory is None:
                    return None
                head["memory"] = memory.name
            buffer = memory.buf
            assert buffer is not None
            buffer[: len(stream)] = stream
            try:
                done = self._ask(head, TIMEOUT_S)
            finally:
                if "memory" in head:
                    # Whoever has it open keeps it; nothing is left behind when this process is killed.
                    memory.unlink()
                    self._known_by = self._child.started
            return np.ndarray(shape, kind, buffer, at).copy() if done else None

    def close(self) -> None:
        with self._child.lock:
            self._child.stop()
            self._let_go()

    def _ask(self, head: dict[str, object], timeout_s: float) -> bool:
        message = json.dumps(head).encode()
        return self._child.ask(lambda p: p.send_bytes(message), lambda p: p.recv_bytes() == _DONE, timeout_s)

    def _let_go(self) -> None:
        if self._memory is not None:
            self._memory.close()
        self._memory = None


def _died() -> ProblemError:
    return fail("dicom.decoder_died", kept_safe="kept.original")


def _reserved(size: int) -> SharedMemory | None:
    """Shared memory whose pages exist: where the system has none left, writing to it would end this process."""
    try:
        memory = SharedMemory(create=True, size=size)
    except OSError:
        return None
    try:
        reserve = getattr(os, "posix_fallocate", None)
        handle = getattr(memory, "_fd", -1)
        if reserve is not None and handle >= 0:
            reserve(handle, 0, size)
    except OSError:
        memory.close()
        memory.unlink()
        return None
    return memory


def _serve(pipe: Connection) -> None:
    """The spawned process: answers until the pipe closes."""
    import logging

    logging.disable(logging.CRITICAL)
    limit_memory()
    memory: SharedMemory | None = None
    while True:
        try:
            head = json.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        if "memory" in head:
            if memory is not None:
                memory.close()
            memory = SharedMemory(head["memory"])
        done = memory is not None and "shape" in head and _decoded(memory, head)
        with contextlib.suppress(OSError):
            pipe.send_bytes(_DONE if done else b"0")


def _decoded(memory: SharedMemory, head: dict[str, object]) -> bool:
    """False where OpenJPH refuses, as it says by an exception or only on the way."""
    from app.dicom.codecs.imagecodecs_adapter import htj2k

    stream, at, shape, dtype = head["stream"], head["at"], head["shape"], head["dtype"]
    assert isinstance(stream, int)
    assert isinstance(at, int)
    assert isinstance(shape, list)
    buffer = memory.buf
    assert buffer is not None
    out: Array = np.ndarray(tuple(shape), np.dtype(str(dtype)), buffer, at)
    try:
        htj2k(bytes(buffer[:stream]), out)
    except (ProblemError, MemoryError):
        return False
    return True


class Htj2kProcesses:
    """A few of them, started at the first need, used as they come up; OpenJPEG decodes until then."""

    def __init__(self, count: int | None = None) -> None:
        self._decoders = [FastDecoder() for _ in range(count or max(2, min(4, os.cpu_count() or 2)))]
        self._free: queue.LifoQueue[FastDecoder] = queue.LifoQueue()
        self._up = threading.Event()
        self._starting = threading.Lock()
        self._begun = False

    def decode(self, stream: bytes, info: StreamInfo) -> Array | None:
        """None while the processes start, or where OpenJPH refuses: OpenJPEG has its say then. Raises ``ProblemError``."""
        if not self._ready():
            return None
        decoder = self._free.get()
        try:
            return decoder.decode(stream, info)
        finally:
            self._free.put(decoder)

    def wait_until_up(self, timeout_s: float = 30.0) -> bool:
        """All of them; for tests and measurements."""
        self._ready()
        return self._up.wait(timeout_s)

    def close(self) -> None:
        for decoder in self._decoders:
            decoder.close()

    def _ready(self) -> bool:
        if expendable_already():
            return False
        if self._up.is_set():
            return True
        with self._starting:
            if not self._begun:
                self._begun = True
                threading.Thread(target=self._start, name="htj2k-start", daemon=True).start()
        return False

    def _start(self) -> None:
        try:
            for decoder in self._decoders:
                decoder.start()
        except ProblemError:
            return  # OpenJPEG decodes on
        for decoder in self._decoders:
            self._free.put(decoder)
        self._up.set()


htj2k_processes = Htj2kProcesses()
"""The process's own; its children end with it."""
