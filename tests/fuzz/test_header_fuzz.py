"""Hostile bytes against the reading path: every case ends as an instance or a named refusal, in bounded time and memory.

A short run belongs to the tests; ``EKINSHI_FUZZ_CASES=200000 pytest tests/fuzz/test_header_fuzz.py`` is the long one.
"""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.dicom import tags
from app.dicom.arbiter import arbitrate
from app.dicom.byte_source import FileByteSource
from app.dicom.codecs import isolated
from app.dicom.display_sets import display_sets
from app.dicom.frame_decoder import stored_frame
from app.dicom.frame_pixels import frame_pixels
from app.dicom.header import fetch_from_bytes, header_from_raw, inflate
from app.dicom.raw_header import read_raw
from app.dicom.raw_items import NotDicom, OddHeader
from app.dicom.study_tree import StudyTree
from app.dicom.text import decode, person_name
from app.domain.problem import ProblemError
from tests.dicom.builders import BIG, DEFLATED, EXPLICIT, IMPLICIT, compressed, image, save

CASES = int(os.environ.get("EKINSHI_FUZZ_CASES", "1500"))
SLOWEST_S = 5.0
MOST_BYTES = 1 << 30
CHARSETS = ["", "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "ISO 2022 IR 149", "GBK", "nonsense"]


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, locator: str) -> bytes:
        return self.data

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def plain_path(self, locator: str) -> None:
        return None


def walk(data: bytes, name: str) -> str:
    """The whole path of one file, as the scanner and the viewer take it; the outcome in a word."""
    source = _Bytes(data)
    try:
        try:
            raw = read_raw(fetch_from_bytes(data), len(data), tags.HEADER_TAGS, inflate)
        except OddHeader:
            raw = arbitrate(data, tags.HEADER_TAGS)
        header = header_from_raw(raw, f"object:{name}", len(data))
        tree = StudyTree()
        tree.add(header)
        for study in tree.studies():
            display_sets(study)
        if header.instance.pixel_format is not None:
            stored_frame(header.instance, 0, source)
            frame_pixels(header.instance, header.instance.pixel_format.frames - 1, source)
        return "opened"
    except NotDicom:
        return "not dicom"
    except ProblemError as error:
        return error.problem.code


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    import imagecodecs

    folder = tmp_path_factory.mktemp("corpus")
    ramp = np.arange(48, dtype=np.uint16).reshape(6, 8)
    colour = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
    found = [save(image(ramp), folder / f"{n}", s) for n, s in enumerate((IMPLICIT, EXPLICIT, BIG, DEFLATED))]
    found.append(save(image(colour), folder / "colour"))
    found.append(save(image(np.stack([ramp, ramp])), folder / "frames"))
    streams = [imagecodecs.jpegls_encode(ramp), imagecodecs.jpegls_encode(ramp + 1)]
    found.append(compressed(image(np.stack([ramp, ramp])), streams, folder / "jls", "1.2.840.10008.1.2.4.80"))
    j2k = imagecodecs.jpeg2k_encode(ramp, level=0, codecformat="j2k")
    found.append(compressed(image(ramp), [j2k], folder / "j2k", "1.2.840.10008.1.2.4.90"))
    lossless = imagecodecs.jpeg8_encode(ramp, lossless=True)
    found.append(compressed(image(ramp), [lossless], folder / "jpeg", "1.2.840.10008.1.2.4.70"))
    return [p.read_bytes() for p in found]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Cuts, flipped bytes, wild lengths, doubled and dropped pieces."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if not out:
            break
        kind, at = rng.randrange(6), rng.randrange(len(out))
        if kind == 0:
            del out[at:]
        elif kind == 1:
            out[at] = rng.randrange(256)
        elif kind == 2:
            out[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\xfe\xff\x00\xe0"))
        elif kind == 3:
            stop = min(len(out), at + rng.randrange(1, 64))
            out[at:at] = out[at:stop]
        elif kind == 4:
            del out[at : at + rng.randrange(1, 32)]
        else:
            out[at : at + 2] = rng.choice((b"SQ", b"UN", b"OB", b"US", b"??", b"\0\0"))
    return bytes(out)


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated.IsolatedDecoder, "decode", lambda *_: None)


def test_mutated_files(corpus: list[bytes]) -> None:
    rng = random.Random(20260314)
    outcomes: dict[str, int] = {}
    slowest = 0.0
    tracemalloc.start()
    try:
        for n in range(CASES):
            data = mutated(rng.choice(corpus), rng)
            start = time.perf_counter()
            outcome = walk(data, str(n))
            slowest = max(slowest, time.perf_counter() - start)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(outcomes.values()) == CASES
    assert outcomes.get("opened", 0) > CASES // 10
    assert len(outcomes) > 5
    assert slowest < SLOWEST_S
    assert peak < MOST_BYTES


@settings(max_examples=min(CASES, 300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=600), st.sampled_from([b"", b"\0" * 128 + b"DICM"]))
def test_any_bytes(data: bytes, start: bytes) -> None:
    walk(start + data, "any")


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
    assert walk(start[:at] + deep + start[at:], "deep").startswith("dicom.")
    plain = save(image(np.zeros((2, 2), np.uint16)), tmp_path / "d", DEFLATED).read_bytes()
    head = plain[: 132 + 12 + int.from_bytes(plain[140:144], "little")]
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = machine.compress(b"\0" * (64 << 20)) + machine.flush()
    assert walk(head + bomb, "bomb") == "dicom.deflate_bomb"


def test_file_source_refuses_unknown_places() -> None:
    with pytest.raises(ProblemError):
        FileByteSource().read_range("ftp:somewhere", 0, 1)
