"""What lower packages offer each other without importing each other; wired in the composition root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable


class ByteSource(Protocol):
    """Bytes behind an ``Instance.locator``, wherever they are: plain file, member of a ZIP, encrypted object."""

    def read(self, locator: str) -> bytes:
        """The whole file. Raises ``ProblemError`` when it is gone or damaged."""
        ...

    def read_range(self, locator: str, offset: int, length: int) -> bytes: ...

    def plain_path(self, locator: str) -> Path | None:
        """A path that may be opened directly, or None when the bytes are not plain on disk."""
        ...


@runtime_checkable
class FillingSource(Protocol):
    """A ``ByteSource`` that can put plain bytes to their place without making an object of them."""

    def read_into(self, locator: str, offset: int, target: memoryview) -> int:
        """Fills ``target`` (writable bytes) from ``offset``; returns how many bytes there were. Raises ``ProblemError``."""
        ...


class KeyProvider(Protocol):
    """Gives the 32-byte master key of a library; raises ``ProblemError`` when it cannot (no keyring, wrong passphrase)."""

    def master_key(self, home: Path, create: bool) -> bytes: ...

    def describe(self) -> str:
        """Message id of where the key lies: ``key.keyring``, ``key.passphrase``, ``key.memory``."""
        ...


class Clock(Protocol):
    def now_iso(self) -> str:
        """UTC, ISO 8601 with milliseconds and Z."""
        ...

    def wall_s(self) -> float: ...

    def monotonic_s(self) -> float: ...


class MainLoop(Protocol):
    """The one door by which other threads reach the main thread."""

    def post(self, call: Callable[[], None]) -> None: ...


class Progress(Protocol):
    """Told by long work; ``cancelled()`` is asked between steps."""

    def report(self, fraction: float, stage: str = "") -> None: ...

    def cancelled(self) -> bool: ...


class Cancelled(Exception):
    """Raised by work that found ``Progress.cancelled()`` true."""


class SilentProgress:
    """For callers that neither watch nor cancel."""

    def report(self, fraction: float, stage: str = "") -> None:
        del fraction, stage

    def cancelled(self) -> bool:
        return False
