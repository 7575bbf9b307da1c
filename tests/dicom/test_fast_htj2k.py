"""OpenJPH in processes of its own: every form of pixel comes through shared memory as it went in."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import imagecodecs
import numpy as np
import pytest

from app.dicom.codecs import fast_htj2k
from app.dicom.codecs.fast_htj2k import FastDecoder
from app.dicom.codecs.stream_info import jpeg2000_info

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def decoder() -> Iterator[FastDecoder]:
    one = FastDecoder()
    yield one
    one.close()


def through(decoder: FastDecoder, values: np.ndarray) -> np.ndarray | None:
    stream = imagecodecs.htj2k_encode(values, reversible=True)
    return decoder.decode(stream, jpeg2000_info(stream))


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("shape", [(1, 1), (17, 30), (17, 31, 3)])
def test_every_form_comes_through(decoder: FastDecoder, kind: str, shape: tuple[int, ...]) -> None:
    low = -100 if kind[0] == "i" else 0
    values = RNG.integers(low, 120, shape).astype(kind)
    found = through(decoder, values)
    assert found is not None
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


def test_memory_grows_with_the_picture_and_outlives_the_child(decoder: FastDecoder) -> None:
    large = np.add.outer(np.arange(1500, dtype=np.uint16), np.arange(1700, dtype=np.uint16))
    for values in (large[:40, :50], large, large[:30, :20]):
        np.testing.assert_array_equal(through(decoder, values), values)
    decoder._child.stop()
    np.testing.assert_array_equal(through(decoder, large[:9, :8]), large[:9, :8])


def test_a_child_that_dies_unseen_gets_memory_of_its_own(decoder: FastDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.integers(0, 4096, (20, 30), dtype=np.uint16)
    assert through(decoder, values) is not None
    process = decoder._child.process
    assert process is not None
    process.kill()
    process.join()
    with monkeypatch.context() as patch:
        patch.setattr(decoder._child, "alive", iter([True, False]).__next__)
        assert through(decoder, values) is None, "the new child does not know the memory of the old one"
    np.testing.assert_array_equal(through(decoder, values), values)


def test_what_is_refused_leaves_the_decoder_usable(decoder: FastDecoder) -> None:
    values = RNG.integers(0, 4096, (64, 64), dtype=np.uint16)
    stream = imagecodecs.htj2k_encode(values, reversible=True)
    assert decoder.decode(stream[:60], jpeg2000_info(stream)) is None
    np.testing.assert_array_equal(through(decoder, values), values)


@pytest.mark.parametrize("encode", [imagecodecs.htj2k_encode, imagecodecs.jpeg2k_encode])
@pytest.mark.parametrize("lost", [1, 40, 700])
def test_an_end_marker_hides_no_lost_middle(encode: Callable[..., bytes], lost: int) -> None:
    """OpenJPH makes a picture of what is left, with 72 % of the pixels wrong and no word."""
    values = RNG.integers(0, 4096, (64, 64), dtype=np.uint16)
    options = {} if encode is imagecodecs.htj2k_encode else {"codecformat": "j2k"}
    stream = encode(values, reversible=True, **options)
    middle = len(stream) // 2
    assert jpeg2000_info(stream).complete
    assert jpeg2000_info(stream + b"\0").complete
    assert not jpeg2000_info(stream[:middle] + stream[middle + lost :]).complete
    assert not jpeg2000_info(stream[:middle] + b"\xff\xd9").complete


def test_no_shared_memory_left_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(fast_htj2k.os, "posix_fallocate", full, raising=False)
    one = FastDecoder()
    try:
        if hasattr(fast_htj2k.os, "posix_fallocate"):
            assert through(one, np.zeros((4, 4), np.uint8)) is None
    finally:
        one.close()
