"""Memory for volumes: pre-faulted buffers that are used again, on huge pages where the system offers them.

Page faults cost more than reading the pixels; a pool pays them once. A buffer goes back to the pool when the last array on
it is gone, so that callers need not say when they are done.
"""

from __future__ import annotations

import mmap
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

_ALIGN = 2 << 20


def advise_huge_pages(buffer: Any) -> bool:
    """Asks the system for huge pages under an ``mmap``; False where it cannot."""
    flag = getattr(mmap, "MADV_HUGEPAGE", None)
    if flag is None or not isinstance(buffer, mmap.mmap):
        return False
    try:
        buffer.madvise(flag)
    except (OSError, ValueError):
        return False
    return True


class VolumePool:
    """Keeps up to ``budget_bytes`` of free buffers. Safe to use from several threads."""

    def __init__(self, budget_bytes: int = 1 << 30) -> None:
        self._budget = budget_bytes
        self._free: list[mmap.mmap] = []
        self._warmed: mmap.mmap | None = None
        """Made ready for a volume that was expected."""
        self._lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any] | type = np.int16) -> Array:
        """An array with undefined content."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        buffer = self._take(size)
        flat = np.frombuffer(buffer, kind, int(np.prod(shape)))
        weakref.finalize(flat, self._give_back, buffer)
        return flat.reshape(shape)

    def warm(self, size_bytes: int, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Makes one pre-faulted buffer of this size ready, in idle time; nothing where one is free that would be taken.

        ``go_on`` is asked between pieces of a millisecond or so: on False the buffer goes back to the system at once, and
        the answer is False.
        """
        with self._lock:
            if any(self._fits(b, size_bytes) for b in self._free):
                return True
        buffer = self._mapped(size_bytes)
        pages = np.frombuffer(buffer, np.uint8)
        for start in range(0, len(buffer), _ALIGN):
            if not go_on():
                return False
            pages[start : start + _ALIGN : 4096] = 0
        del pages
        with self._lock:
            self._warmed = buffer
            self._free.append(buffer)
            self._trim()
        return True

    def _take(self, size: int) -> mmap.mmap:
        with self._lock:
            fitting = [b for b in self._free if self._fits(b, size)]
            if fitting:
                best = min(fitting, key=len)
                self._let_go(best)
                return best
            if self._warmed is not None and size > len(self._warmed):
                # A larger volume came than was expected: what was warmed for another makes room for it.
                self._let_go(self._warmed)
        return self._new(size)

    @staticmethod
    def _fits(buffer: mmap.mmap, size: int) -> bool:
        return size <= len(buffer) <= 2 * size + _ALIGN

    @staticmethod
    def _mapped(size: int) -> mmap.mmap:
        buffer = mmap.mmap(-1, max(_ALIGN, (size + _ALIGN - 1) // _ALIGN * _ALIGN))
        advise_huge_pages(buffer)
        return buffer

    def _new(self, size: int) -> mmap.mmap:
        buffer = self._mapped(size)
        np.frombuffer(buffer, np.uint8)[::4096] = 0
        return buffer

    def _give_back(self, buffer: mmap.mmap) -> None:
        with self._lock:
            self._free.append(buffer)
            self._trim()

    def limit(self, budget_bytes: int) -> None:
        """Another budget for free buffers from now on; what no longer fits goes back to the system at once."""
        with self._lock:
            self._budget = budget_bytes
            self._trim()

    def _trim(self) -> None:
        while sum(map(len, self._free)) > self._budget:
            self._let_go(min(self._free, key=len))

    def _let_go(self, buffer: mmap.mmap) -> None:
        """Out of the free ones; nothing of the pool holds it any more."""
        self._free = [b for b in self._free if b is not buffer]
        if buffer is self._warmed:
            self._warmed = None

    def free_bytes(self) -> int:
        with self._lock:
            return sum(map(len, self._free))


shared_pool = VolumePool()
"""The process's pool."""
