"""What a storage target is, and the few ways in which it can say no. A new target is one file in ``targets/``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.domain.outbox import OutboxItem, Receipt
from app.domain.problem import Problem


class SyncError(Exception):
    """Base of what a target raises; carries the problem as it is told to a person (no patient data)."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code} {dict(problem.params)}")
        self.problem = problem


class Retryable(SyncError):
    """The line is down or the server is busy; whether the bytes arrived may be unknown. Tried again by itself."""

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


class Refused(SyncError):
    """The target will not take this object as it is; a person decides."""


class Unauthorised(SyncError):
    """The target does not know us; its queue stops until somebody corrects the access."""


class Differs(SyncError):
    """The target holds other bytes under our UID; a person decides."""


class NotThere(SyncError):
    """The target was asked and does not have the object."""


@dataclass(frozen=True)
class TargetHealth:
    up: bool
    problem: Problem | None = None
    detail: str = ""
    """Short technical words without secrets: scheme and host, free space."""


class StorageTarget(Protocol):
    """Used by one thread at a time. Nothing of it may be believed before :meth:`prove`."""

    @property
    def name(self) -> str: ...

    def check(self) -> TargetHealth:
        """Is it there and does it know us? Sends no object. Never raises."""
        ...

    def send(self, item: OutboxItem, data: bytes) -> Receipt:
        """Hands ``data`` over; a receipt of level "accepted". Raises one of the errors above."""
        ...

    def prove(self, item: OutboxItem, data: bytes) -> Receipt:
        """Reads the object back; a receipt of level "verified" when the bytes are equal.

        Raises :class:`NotThere`, :class:`Differs`, :class:`Retryable`, :class:`Unauthorised`.
        """
        ...

    def finish(self) -> None:
        """Called when a batch is over: indexes are written. May raise :class:`SyncError`."""
        ...


def problem(code: str, *, next_step: str = "", **params: str | int | float) -> Problem:
    """A problem of sending: the object is always safe in the outbox."""
    return Problem(code, params, kept_safe="safe.in_outbox", next_step=next_step)
