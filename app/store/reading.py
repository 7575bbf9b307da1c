"""How a repository reads: inside the caller's transaction when there is one, else on this thread's read-only connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from app.store.database import Tx

T = TypeVar("T")


class Reads(Protocol):
    def read(self, work: Callable[[Tx], T]) -> T:
        """Runs ``work`` on one consistent state of the database."""
        ...


class Repository:
    """Base of the repositories: one per kind of thing, plain SQL inside."""

    def __init__(self, library: Reads) -> None:
        self._library = library

    def _read(self, work: Callable[[Tx], T], tx: Tx | None) -> T:
        return work(tx) if tx is not None else self._library.read(work)
