"""One stated ceiling for the memory of a process, shared out between everything that keeps pixels.

The ceiling covers the whole process. What the program itself takes (interpreter, libraries, window) comes off first; volumes
take what they need of the rest, and frames, their levels and free buffers share what is left, each within its own share.
What does not fit is made smaller or refused by name, before the system has to end the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

PROGRAM_BYTES = 640 << 20
"""Interpreter, Qt, NumPy, OpenCV, VTK and the library's cache: measured, with room for paintings."""
LEAST_CEILING = 2 << 30
_LEAST_REST = 256 << 20
"""Frames and levels keep at least this beside the volumes; a budget that volumes eat up could show no picture."""


@dataclass(frozen=True)
class _Share:
    of_rest: float
    most: int


_SHARES = {
    "frames": _Share(0.5, 512 << 20),
    "levels": _Share(0.25, 256 << 20),
    "free_buffers": _Share(0.25, 512 << 20),
}
"""What keeps pixels beside volumes. ``most``: more than this makes nothing faster on a screen."""


def machine_bytes() -> int:
    """Memory of the machine, or of the container this process is confined to."""
    total = 8 << 30
    if hasattr(os, "sysconf"):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    elif os.name == "nt":
        total = _windows_bytes() or total
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(name, encoding="ascii") as stream:
                limit = stream.read().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total


def _windows_bytes() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("total", ctypes.c_ulonglong)] + [
            (f"more{n}", ctypes.c_ulonglong) for n in range(6)
        ]

    status = Status()
    status.length = ctypes.sizeof(status)
    call = getattr(ctypes, "windll", None)
    if call is None or not call.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return 0
    return int(status.total)


def default_ceiling() -> int:
    """Half of the machine's memory, at least 2 GB."""
    return max(LEAST_CEILING, machine_bytes() // 2)


class MemoryBudget:
    """The ledger of volumes and the shares of all else. Safe to use from several threads."""

    def __init__(self, ceiling_bytes: int | None = None) -> None:
        self._lock = threading.Lock()
        self._ceiling = default_ceiling() if ceiling_bytes is None else max(LEAST_CEILING, ceiling_bytes)
        self._volumes = 0
        self._holders: dict[int, tuple[str, Callable[[int], None]]] = {}
        self._next = 0

    @property
    def ceiling_bytes(self) -> int:
        return self._ceiling

    def set_ceiling(self, ceiling_bytes: int) -> None:
        """Never below ``LEAST_CEILING``; the holders learn their new shares at once."""
        with self._lock:
            self._ceiling = max(LEAST_CEILING, ceiling_bytes)
        self._tell()

    def hold(self, share: str, limit: Callable[[int], None]) -> Callable[[], None]:
        """``limit(bytes)`` is called now and whenever the share changes; the result ends that.

        Several holders of one share divide it. Raises ``KeyError`` for a share that there is not.
        """
        _SHARES[share]
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._holders[number] = (share, limit)
        self._tell()

        def release() -> None:
            with self._lock:
                self._holders.pop(number, None)
            self._tell()

        return release

    def volume_fits(self, size_bytes: int) -> bool:
        """Whether a volume of this size may be built beside those that are there."""
        with self._lock:
            return self._volumes + size_bytes <= self._ceiling - PROGRAM_BYTES - _LEAST_REST

    def take_volume(self, size_bytes: int) -> bool:
        """Counts a volume that is about to be built; False where it does not fit. Give it back with ``drop_volume``."""
        with self._lock:
            if self._volumes + size_bytes > self._ceiling - PROGRAM_BYTES - _LEAST_REST:
                return False
            self._volumes += size_bytes
        self._tell()
        return True

    def add_volume(self, size_bytes: int) -> None:
        """Counts a volume that is there."""
        with self._lock:
            self._volumes += size_bytes
        self._tell()

    def drop_volume(self, size_bytes: int) -> None:
        with self._lock:
            self._volumes = max(0, self._volumes - size_bytes)
        self._tell()

    @property
    def volume_bytes(self) -> int:
        with self._lock:
            return self._volumes

    def share_bytes(self, share: str) -> int:
        with self._lock:
            return self._share(share)

    def _share(self, share: str) -> int:
        rest = max(_LEAST_REST, self._ceiling - PROGRAM_BYTES - self._volumes)
        wanted = _SHARES[share]
        return int(min(wanted.most, rest * wanted.of_rest))

    def _tell(self) -> None:
        with self._lock:
            counts: dict[str, int] = {}
            for share, _ in self._holders.values():
                counts[share] = counts.get(share, 0) + 1
            calls = [(limit, self._share(share) // counts[share]) for share, limit in self._holders.values()]
        for limit, size in calls:
            limit(size)


shared_budget = MemoryBudget()
"""The process's own."""
