"""A folder of temporary files per process, locked while the process lives, so that others know who has died."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.domain.problem import fail

LOCK_NAME = "lock"


def _try_lock(file: IO[bytes]) -> bool:
    """An exclusive lock that the operating system drops when the process dies, however it dies."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def exclusive(path: Path, timeout_s: float = 20.0) -> Iterator[None]:
    """Holds a lock file that other processes honour, for the moments in which a home is made. Raises ``store.busy``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with open(path, "ab") as lock:
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise fail("store.busy", kept_safe="safe.saved_before", next_step="next.try_again")
            time.sleep(0.02)
        yield


class ProcessSlot:
    """One per open library. ``name`` serves as the owner of leases."""

    def __init__(self, folder: Path, name: str, lock: IO[bytes]) -> None:
        self.folder = folder
        self.name = name
        self._lock = lock

    @classmethod
    def take(cls, root: Path) -> ProcessSlot:
        """Makes and locks a folder below ``root``."""
        root.mkdir(parents=True, exist_ok=True)
        while True:
            name = f"{os.getpid()}-{secrets.token_hex(8)}"
            folder = root / name
            folder.mkdir()
            try:
                lock = open(folder / LOCK_NAME, "wb")  # noqa: SIM115 - held for the life of the slot
            except FileNotFoundError:
                continue  # a sweeper took the new folder before it was locked
            if _try_lock(lock) and (folder / LOCK_NAME).exists():
                return cls(folder, name, lock)
            lock.close()

    def release(self) -> None:
        self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def is_alive(root: Path, name: str) -> bool:
    """True while the process that took this slot runs."""
    try:
        file = open(root / name / LOCK_NAME, "r+b")  # noqa: SIM115 - closed below
    except OSError:
        return False
    with file:
        return not _try_lock(file)


def dead(root: Path) -> Iterator[Path]:
    """Folders of processes that ended without releasing them."""
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.is_dir() and not is_alive(root, folder.name):
            yield folder
