"""Numpy arrays in shared memory: made and freed by the client, only looked at by the worker.

Ownership is one-sided. The creator unlinks (also when the worker died); a view never does. On POSIX before Python 3.13
merely attaching registers the block with the attaching process' resource tracker, which would free it when the worker
ends; that registration is taken back at once.
"""

from __future__ import annotations

import math
import os
import secrets
import sys
from dataclasses import dataclass
from multiprocessing import resource_tracker, shared_memory
from types import TracebackType

import numpy as np
import numpy.typing as npt

from app.domain.problem import fail

_DTYPES = frozenset({"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32", "float64"})


@dataclass(frozen=True)
class ArrayHandle:
    """What crosses the border instead of the array: name of the block, dtype and shape (C order)."""

    block: str
    dtype: str
    shape: tuple[int, ...]

    def size_bytes(self) -> int:
        if self.dtype not in _DTYPES or not self.shape or any(n < 1 for n in self.shape):
            raise fail("ai.shared_array.bad_handle")
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class OwnedArray:
    """A copy of an array in a new block; freed by ``close`` (idempotent) or at the end of a ``with``."""

    def __init__(self, values: npt.NDArray[np.generic]) -> None:
        if values.dtype.name not in _DTYPES or values.size == 0:
            raise fail("ai.shared_array.bad_array", dtype=values.dtype.name)
        try:
            # Named after its owner, so that a block left behind can be told from another program's.
            name = f"ek{os.getpid()}_{secrets.token_hex(6)}"
            self._block: shared_memory.SharedMemory | None = shared_memory.SharedMemory(name, True, values.nbytes)
        except OSError as error:
            raise fail("ai.shared_array.no_room", bytes=values.nbytes) from error
        view: npt.NDArray[np.generic] = np.ndarray(values.shape, values.dtype, buffer=self._block.buf)
        np.copyto(view, values)
        del view
        self.handle = ArrayHandle(self._block.name, values.dtype.name, tuple(int(n) for n in values.shape))

    def close(self) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.close()
            try:
                block.unlink()
            except FileNotFoundError:  # somebody else has removed it: nothing is left to free, or to be freed at exit
                resource_tracker.unregister(f"/{block.name}", "shared_memory")

    def __enter__(self) -> OwnedArray:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AttachedArray:
    """A read-only view of somebody else's block. ``values`` must not outlive ``close``."""

    def __init__(self, handle: ArrayHandle) -> None:
        size = handle.size_bytes()
        try:
            self._block: shared_memory.SharedMemory | None = _attach(handle.block)
        except (OSError, ValueError) as error:
            raise fail("ai.shared_array.gone") from error
        buffer = self._block.buf
        if buffer is None or self._block.size < size:
            self._block.close()
            raise fail("ai.shared_array.bad_handle")
        # frombuffer holds the mapping (ndarray(buffer=...) does not): a view kept too long stays readable.
        flat = np.frombuffer(buffer, np.dtype(handle.dtype), math.prod(handle.shape))
        view: npt.NDArray[np.generic] = flat.reshape(handle.shape)
        view.flags.writeable = False
        self.values = view

    def close(self) -> None:
        block, self._block = self._block, None
        if block is None:
            return
        self.values = np.empty((0,), np.uint8)
        try:
            block.close()
        except BufferError:
            # A reader kept a view. The mapping then lives until that view is collected; the name is the owner's to free.
            block._mmap = None  # type: ignore[attr-defined]
            block._buf = None  # type: ignore[attr-defined]
            block.close()


def _attach(name: str) -> shared_memory.SharedMemory:
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name=name, track=False)
    block = shared_memory.SharedMemory(name=name)
    if sys.platform != "win32":
        resource_tracker.unregister(block._name, "shared_memory")  # type: ignore[attr-defined]
    return block
