"""Stored values exactly as the object holds them; a cut or broken stream is an error, never a picture."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from app.dicom.byte_source import FileByteSource, file_locator
from app.dicom.codecs import isolated
from app.dicom.frame_decoder import fragment_note, stored_frame, stored_pixels
from app.dicom.header import read_header
from app.domain.problem import ProblemError
from tests.dicom.builders import BIG, DEFLATED, EXPLICIT, IMPLICIT, compressed, image, save

RNG = np.random.default_rng(7)
GREY12 = RNG.integers(0, 4096, (13, 22), dtype=np.uint16)
GREY8 = RNG.integers(0, 256, (13, 21), dtype=np.uint8)
SIGNED = RNG.integers(-2000, 2000, (13, 22), dtype=np.int16)
COLOUR = RNG.integers(0, 256, (13, 22, 3), dtype=np.uint8)
SOURCE = FileByteSource()


def opened(path: Path):
    return read_header(file_locator(path), SOURCE).instance


def pixels(path: Path) -> np.ndarray:
    return stored_pixels(opened(path), SOURCE)


@pytest.fixture(autouse=True)
def _no_second_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The spawned decoder has its own test; the others need no second of start-up."""
    if "second_opinion" not in request.node.name:
        monkeypatch.setattr(isolated.IsolatedDecoder, "decode", lambda *_: None)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("values", [GREY12, GREY8, SIGNED, COLOUR], ids=["grey12", "grey8", "signed", "colour"])
def test_native(tmp_path: Path, syntax: str, values: np.ndarray) -> None:
    d = image(values)
    if syntax == BIG:
        d = image(values.byteswap() if values.dtype.itemsize == 2 else values)
    found = pixels(save(d, tmp_path / "a.dcm", syntax))
    assert found.dtype == values.dtype
    assert np.array_equal(found[0], values)


def test_big_endian_bytes_in_words(tmp_path: Path) -> None:
    stack = np.stack([GREY8, GREY8[::-1]])
    d = image(stack)
    raw = stack.tobytes()
    d.PixelData = np.frombuffer(raw, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
    d["PixelData"].VR = "OW"
    assert np.array_equal(pixels(save(d, tmp_path / "a.dcm", BIG)), stack)


def test_unused_bits_are_masked_and_the_sign_extended(tmp_path: Path) -> None:
    dirty = GREY12 | np.uint16(0xA000)
    assert np.array_equal(pixels(save(image(dirty, BitsStored=12, HighBit=11), tmp_path / "a.dcm"))[0], GREY12)
    values = RNG.integers(-2048, 2048, (5, 6), dtype=np.int16)
    raw = (values.view(np.uint16) & 0x0FFF) | np.uint16(0x3000)
    d = image(raw.view(np.int16), BitsStored=12, HighBit=11)
    assert np.array_equal(pixels(save(d, tmp_path / "b.dcm"))[0], values)


def test_high_bit_above_bits_stored(tmp_path: Path) -> None:
    raw = (GREY12 << 4) | np.uint16(0x000B)
    assert np.array_equal(pixels(save(image(raw, BitsStored=12, HighBit=15), tmp_path / "a.dcm"))[0], GREY12)


def test_planar_configuration_1(tmp_path: Path) -> None:
    d = image(COLOUR, PlanarConfiguration=1, PixelData=np.ascontiguousarray(COLOUR.transpose(2, 0, 1)).tobytes())
    assert np.array_equal(pixels(save(d, tmp_path / "a.dcm"))[0], COLOUR)


def test_ybr_422_is_spread(tmp_path: Path) -> None:
    raw = np.array([[10, 20, 100, 200, 30, 40, 110, 210]], np.uint8)
    d = image(np.zeros((1, 4, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422", PixelData=raw.tobytes())
    found = pixels(save(d, tmp_path / "a.dcm"))[0, 0]
    assert found.tolist() == [[10, 100, 200], [20, 100, 200], [30, 110, 210], [40, 110, 210]]


def test_single_bits_run_across_frames(tmp_path: Path) -> None:
    bits = RNG.integers(0, 2, (3, 5, 3), dtype=np.uint8)
    d = image(np.zeros((3, 5, 3, 1), np.uint8)[..., 0], BitsAllocated=1, BitsStored=1, HighBit=0)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    d.Rows, d.Columns, d.NumberOfFrames, d.SamplesPerPixel = 5, 3, "3", 1
    d.PhotometricInterpretation = "MONOCHROME2"
    del d.PlanarConfiguration
    d.PixelData = packed + b"\0" * (len(packed) % 2)
    found = pixels(save(d, tmp_path / "a.dcm"))
    assert found.dtype == np.uint8
    assert np.array_equal(found, bits)


def test_wide_and_float_pixels(tmp_path: Path) -> None:
    wide = RNG.integers(0, 2**32, (4, 5), dtype=np.uint32)
    assert np.array_equal(pixels(save(image(wide), tmp_path / "w.dcm"))[0], wide)
    floats = RNG.normal(size=(4, 5)).astype(np.float32)
    d = image(np.zeros((4, 5), np.uint32), PixelData=None, FloatPixelData=floats.tobytes())
    assert np.array_equal(pixels(save(d, tmp_path / "f.dcm"))[0], floats)


def rle(values: np.ndarray) -> bytes:
    """PackBits of every byte plane, most significant first, literal runs only."""
    planes = [values[..., n] for n in range(3)] if values.ndim == 3 else [values]
    segments = []
    for plane in planes:
        octets = np.ascontiguousarray(plane)[..., None].view(np.uint8).reshape(-1, plane.dtype.itemsize)
        for n in reversed(range(plane.dtype.itemsize)):
            flat = octets[:, n].tobytes()
            parts = b"".join(bytes([len(flat[i : i + 128]) - 1]) + flat[i : i + 128] for i in range(0, len(flat), 128))
            segments.append(parts + b"\x80" * (len(parts) % 2))
    offsets = [64]
    for s in segments[:-1]:
        offsets.append(offsets[-1] + len(s))
    head = np.zeros(16, "<u4")
    head[0], head[1 : 1 + len(offsets)] = len(segments), offsets
    return head.tobytes() + b"".join(segments)


LOSSLESS = [
    ("1.2.840.10008.1.2.5", rle, (GREY12, GREY8, COLOUR)),
    ("1.2.840.10008.1.2.4.70", lambda v: imagecodecs.jpeg8_encode(v, lossless=True, bitspersample=12), (GREY12,)),
    ("1.2.840.10008.1.2.4.57", lambda v: imagecodecs.jpeg8_encode(v, lossless=True), (GREY8,)),
    ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode, (GREY12, GREY8, COLOUR)),
    ("1.2.840.10008.1.2.4.90", lambda v: imagecodecs.jpeg2k_encode(v, level=0, codecformat="j2k"), (GREY12, GREY8, COLOUR)),
    ("1.2.840.10008.1.2.4.201", lambda v: imagecodecs.htj2k_encode(v, reversible=True), (GREY12, GREY8, COLOUR)),
    ("1.2.840.10008.1.2.4.110", lambda v: imagecodecs.jpegxl_encode(v, lossless=True), (GREY12, GREY8, COLOUR)),
]


@pytest.mark.parametrize(
    ("syntax", "encode", "values"),
    [(s, e, v) for s, e, many in LOSSLESS for v in many],
    ids=[f"{s.rsplit('.', 1)[-1]}-{v.dtype}-{v.ndim}" for s, _, many in LOSSLESS for v in many],
)
def test_lossless_codecs_and_their_cuts(tmp_path: Path, syntax: str, encode, values: np.ndarray) -> None:
    stored = 12 if values is GREY12 else 8
    stream = encode(values)
    d = image(values, BitsStored=stored, HighBit=stored - 1)
    found = pixels(compressed(d, [stream], tmp_path / "a.dcm", syntax))
    assert found.dtype == values.dtype
    assert np.array_equal(found[0], values)
    for part in (len(stream) // 2, len(stream) * 9 // 10, 10):
        with pytest.raises(ProblemError):
            pixels(compressed(d, [stream[:part]], tmp_path / "cut.dcm", syntax))
    with pytest.raises(ProblemError) as caught:
        pixels(compressed(d, [b"\0" * len(stream)], tmp_path / "zero.dcm", syntax))
    assert caught.value.problem.code == "dicom.stream_empty"


def test_signed_values_in_a_lossless_jpeg(tmp_path: Path) -> None:
    stream = imagecodecs.jpeg8_encode(SIGNED.view(np.uint16), lossless=True)
    assert np.array_equal(
        pixels(compressed(image(SIGNED), [stream], tmp_path / "a.dcm", "1.2.840.10008.1.2.4.70"))[0], SIGNED
    )


def test_lossy_htj2k_is_clipped_not_wrapped(tmp_path: Path) -> None:
    steep = np.where(np.indices((64, 64)).sum(0) % 9 < 4, 0, 255).astype(np.uint8)
    stream = imagecodecs.htj2k_encode(steep, reversible=False, level=0.02)
    found = pixels(compressed(image(steep), [stream], tmp_path / "a.dcm", "1.2.840.10008.1.2.4.203"))[0]
    assert int(np.abs(found.astype(int) - steep).max()) < 100


def test_a_stream_of_another_size_is_refused(tmp_path: Path) -> None:
    path = compressed(image(GREY8), [imagecodecs.jpegls_encode(GREY8[:, :-1])], tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80")
    with pytest.raises(ProblemError) as caught:
        pixels(path)
    assert caught.value.problem.code == "dicom.stream_other_size"


@pytest.mark.parametrize("offsets", [True, False])
def test_frames_with_and_without_an_offset_table(tmp_path: Path, offsets: bool) -> None:
    stack = np.stack([GREY8, GREY8 // 2, GREY8 // 3])
    streams = [imagecodecs.jpegls_encode(f) for f in stack]
    path = compressed(image(stack), streams, tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80", offsets)
    assert np.array_equal(pixels(path), stack)
    assert fragment_note(opened(path), SOURCE) == ""


def test_several_fragments_a_frame_without_a_table(tmp_path: Path) -> None:
    stack = np.stack([GREY8, GREY8 // 2])
    pieces = []
    for f in stack:
        stream = imagecodecs.jpegls_encode(f)
        half = len(stream) // 4 * 2
        pieces += [stream[:half], stream[half:] + b"\0" * (len(stream) % 2)]
    path = compressed(image(stack), pieces, tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80", False)
    assert np.array_equal(pixels(path), stack)


def test_a_lying_offset_table_is_repaired_by_name(tmp_path: Path) -> None:
    stack = np.stack([GREY8, GREY8 // 2])
    path = compressed(
        image(stack), [imagecodecs.jpegls_encode(f) for f in stack], tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80"
    )
    data = bytearray(path.read_bytes())
    table = data.rfind(b"\xfe\xff\x00\xe0\x08\x00\x00\x00") + 8
    data[table + 4 : table + 8] = (6).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    assert np.array_equal(pixels(path), stack)
    assert fragment_note(opened(path), SOURCE) == "dicom.repaired.offset_table"


def test_a_cut_cine_keeps_its_whole_frames(tmp_path: Path) -> None:
    stack = np.stack([GREY8, GREY8 // 2])
    path = compressed(
        image(stack), [imagecodecs.jpegls_encode(f) for f in stack], tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80"
    )
    path.write_bytes(path.read_bytes()[:-60])
    instance = opened(path)
    assert np.array_equal(stored_frame(instance, 0, SOURCE), GREY8)
    with pytest.raises(ProblemError) as caught:
        stored_frame(instance, 1, SOURCE)
    assert caught.value.problem.code == "dicom.truncated"


def test_the_second_opinion_runs_in_its_own_process_and_may_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = isolated.IsolatedDecoder()
    try:
        instance = opened(
            compressed(image(GREY8), [imagecodecs.jpegls_encode(GREY8)], tmp_path / "a.dcm", "1.2.840.10008.1.2.4.80")
        )
        stream = imagecodecs.jpegls_encode(GREY8)
        found = decoder.decode(stream, instance.pixel_format, instance.transfer_syntax_uid)
        assert found is not None
        assert np.array_equal(found.reshape(GREY8.shape), GREY8)
        assert decoder.decode(b"\xff\xd8\xff" + b"x" * 50, instance.pixel_format, instance.transfer_syntax_uid) is None
        decoder._child.process.kill()
        decoder._child.process.join()
        again = decoder.decode(stream, instance.pixel_format, instance.transfer_syntax_uid)
        assert again is not None
        os.kill(decoder._child.process.pid, signal.SIGSTOP)
        monkeypatch.setattr(isolated, "TIMEOUT_S", 0.2)
        with pytest.raises(ProblemError) as caught:
            decoder.decode(stream, instance.pixel_format, instance.transfer_syntax_uid)
        assert caught.value.problem.code == "dicom.decoder_died"
    finally:
        decoder.close()
