"""A library in a temporary home, with a key in memory and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.problem import fail
from app.store.library import Library


class FixedKey:
    def __init__(self, byte: int = 7) -> None:
        self.key = bytes([byte]) * 32

    def master_key(self, home: Path, create: bool) -> bytes:
        return self.key

    def describe(self) -> str:
        return "key.memory"


class LostKey(FixedKey):
    def master_key(self, home: Path, create: bool) -> bytes:
        if create:
            return self.key
        raise fail("key.lost")


class HandClock:
    def __init__(self, wall_s: float = 1_800_000_000.0) -> None:
        self.wall = wall_s

    def now_iso(self) -> str:
        return datetime.fromtimestamp(self.wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def wall_s(self) -> float:
        return self.wall

    def monotonic_s(self) -> float:
        return self.wall


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def library(home: Path, clock: HandClock) -> Iterator[Library]:
    with Library.open(home, FixedKey(), clock) as opened:
        yield opened
