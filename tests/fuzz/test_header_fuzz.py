"""Hostile bytes against the reading path: every case ends as an instance or a named refusal, in bounded time and memory.

This is the short run in one process; ``python -m tests.fuzz.campaign`` is the long one, with a child that may die.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.dicom.byte_source import FileByteSource
from app.dicom.codecs import fast_htj2k, isolated
from app.dicom.text import decode, person_name
from app.domain.problem import ProblemError
from tests.dicom.builders import DEFLATED, image, save
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import walk

CASES = 1500
SLOWEST_S = 5.0
MOST_BYTES = 1 << 30
CHARSETS = ["", "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "ISO 2022 IR 149", "GBK", "nonsense"]


def opened(data: bytes, name: str) -> str:
    """The outcome of one file in a word: how its last step ended."""
    return walk(data, name).words[-1].removesuffix(":ok")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return [s.data for s in seeds(tmp_path_factory.mktemp("corpus")) if s.kind == "image"]


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated.IsolatedDecoder, "decode", lambda *_: None)
    monkeypatch.setattr(fast_htj2k.Htj2kProcesses, "decode", lambda *_: None)


def test_mutated_files(corpus: list[bytes]) -> None:
    rng = random.Random(20260314)
    outcomes: dict[str, int] = {}
    slowest = 0.0
    tracemalloc.start()
    try:
        for n in range(CASES):
            data = mutated(rng.choice(corpus), rng, rng.choice(corpus))
            start = time.perf_counter()
            outcome = opened(data, str(n))
            slowest = max(slowest, time.perf_counter() - start)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(outcomes.values()) == CASES
    assert outcomes.get("pixels", 0) > CASES // 10
    assert len(outcomes) > 5
    assert slowest < SLOWEST_S
    assert peak < MOST_BYTES


@settings(max_examples=min(CASES, 300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=600), st.sampled_from([b"", b"\0" * 128 + b"DICM"]))
def test_any_bytes(data: bytes, start: bytes) -> None:
    walk(start + data, f"any-{len(data)}-{hash(data)}")


@settings(max_examples=min(CASES, 300), deadline=None)
@given(
    st.binary(max_size=80),
    st.lists(st.sampled_from(CHARSETS), max_size=3),
)
def test_any_text(raw: bytes, charsets: list[str]) -> None:
    assert isinstance(decode(raw, tuple(charsets)).text, str)
    assert isinstance(person_name(raw, tuple(charsets))[0].display(), str)


def test_deep_nesting_and_bombs_end_with_a_reason(tmp_path: Path) -> None:
    import zlib

    start = save(image(np.zeros((2, 2), np.uint16)), tmp_path / "a").read_bytes()
    at = start.find(b"\x10\x00\x10\x00PN")
    deep = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    assert opened(start[:at] + deep + start[at:], "deep").startswith("header:dicom.")
    plain = save(image(np.zeros((2, 2), np.uint16)), tmp_path / "d", DEFLATED).read_bytes()
    head = plain[: 132 + 12 + int.from_bytes(plain[140:144], "little")]
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = machine.compress(b"\0" * (64 << 20)) + machine.flush()
    assert opened(head + bomb, "bomb") == "header:dicom.deflate_bomb"


def test_file_source_refuses_unknown_places() -> None:
    with pytest.raises(ProblemError):
        FileByteSource().read_range("ftp:somewhere", 0, 1)
