"""One tiny package and one client for many tests; every test ends with no shared memory left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ai.client import SecondReaderClient, Timing
from app.ai.read_now import InlineLoop
from app.ai.worker_process import WorkerOptions
from tests.ai import tiny_package
from tests.ai.tiny_package import Installed

QUICK = Timing(start_s=60.0, silence_s=20.0, hang_s=60.0, cancel_s=1.0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return tiny_package.install(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The same reader without networks: its worker needs no torch and starts quickly."""
    return tiny_package.install(tmp_path_factory.mktemp("bare"), tiny_package.no_network_parts())


@pytest.fixture(scope="session")
def options(tiny: Installed, tmp_path_factory: pytest.TempPathFactory) -> WorkerOptions:
    cache = tmp_path_factory.mktemp("cache")
    return WorkerOptions((tiny.trust_path,), cache, threads=1, test_code=tiny_package.CODE)


@pytest.fixture
def client(options: WorkerOptions) -> Iterator[SecondReaderClient]:
    one = SecondReaderClient(InlineLoop(), options, QUICK)
    yield one
    one.shutdown()
    assert one.worker_pid() is None


def shared_blocks() -> set[str]:
    """Names of this process' shared memory (Linux); elsewhere there is nothing to list."""
    folder = Path("/dev/shm")
    return {p.name for p in folder.glob(f"ek{os.getpid()}_*")} if sys.platform == "linux" and folder.is_dir() else set()
