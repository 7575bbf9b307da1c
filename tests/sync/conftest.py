from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.library import Library
from tests.servers import ScriptedServer
from tests.store.conftest import FixedKey, HandClock


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def library(tmp_path: Path, clock: HandClock) -> Iterator[Library]:
    with Library.open(tmp_path / "home", FixedKey(), clock) as opened:
        yield opened
